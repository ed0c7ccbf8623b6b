"""Entries of the parameter files, one per coin, validated as finite and in range.

Prices, kappa and epsilon are in the quote currency, rates per second. ``+`` is the ask side (buy
market orders), ``-`` the bid side. A value that could not be fitted is omitted, never null.
"""

from collections.abc import Iterable
from typing import Annotated, Any, ClassVar, Final, Literal, Self

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeInt,
    StrictInt,
    model_validator,
)

from advanced_mm.file_versions import check_version

__all__ = [
    "PARAMETERS_VERSION",
    "Anchor",
    "EpsilonEntry",
    "FairPriceEntry",
    "KappaEntry",
    "LambdaEntry",
    "ParameterEntry",
    "Status",
    "ValueFunctionEntry",
]

PARAMETERS_VERSION: Final = 1
"""Raised when a field changes its meaning or unit; what is only added needs no other."""

Status = Literal["ok", "pooled", "bound", "misfit", "stale", "insufficient"]
Anchor = Literal["mid", "fair price"]
Positive = Annotated[float, Field(gt=0, strict=True)]
NonNegative = Annotated[float, Field(ge=0, strict=True)]


def _json_key(name: str) -> str:
    """Return the JSON key of a field: ``kappa+_se`` for ``kappa_plus_se``."""
    return name.replace("_plus", "+").replace("_minus", "-")


class ParameterEntry(BaseModel):
    """Fields common to all entries: times, data and status.

    ``published_at`` is the time of the refit, ``fitted_at`` that of the newest data used (both
    UTC). ``window_seconds`` is the nominal window, ``observed_seconds`` the covered part of it;
    ``window_grown`` is set if the usual window had too little data. ``n`` counts market orders,
    ``n1`` those that walked beyond the touch; ``mid`` and ``tick`` are in the quote currency.
    ``silent`` names the channels (``bbo``, ``trades``, ``l2Book``) without data while others are
    active: the newest data are in doubt, and ``fitted_at`` is the last time they were received.
    ``not_heard`` states how long each channel was silent within the window; ``observed_seconds``
    excludes that time. ``anchor`` is what depths and moves are measured from; None in files of
    before there was another than the mid. An entry of a later ``version`` is not valid.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        allow_inf_nan=False,
        alias_generator=_json_key,
        populate_by_name=True,
    )
    required_when_fitted: ClassVar[tuple[str, ...]] = ()

    version: StrictInt = Field(default=PARAMETERS_VERSION, ge=1)
    status: Status
    calibration_id: str = Field(min_length=1)
    published_at: AwareDatetime
    fitted_at: AwareDatetime | None = None
    window_seconds: Positive
    window_grown: bool | None = None
    observed_seconds: NonNegative
    silent: str | None = Field(default=None, min_length=1)
    not_heard: str | None = Field(default=None, min_length=1)
    n_plus: NonNegativeInt
    n_minus: NonNegativeInt
    n1_plus: NonNegativeInt
    n1_minus: NonNegativeInt
    mid: Positive | None = None
    tick: Positive | None = None
    anchor: Anchor | None = None

    @model_validator(mode="before")
    @classmethod
    def _of_a_known_version(cls, values: Any) -> Any:
        """Refuse a later version before its fields, which may have another form."""
        version = values.get("version") if isinstance(values, dict) else None
        if isinstance(version, int):
            check_version(version, PARAMETERS_VERSION, "the entry")
        return values

    @model_validator(mode="after")
    def _complete_unless_insufficient(self) -> Self:
        if self.status != "insufficient":
            absent = [_json_key(name) for name in self._required() if getattr(self, name) is None]
            if absent:
                raise ValueError(f"{', '.join(absent)} missing though status is {self.status}")
        return self

    def _required(self) -> Iterable[str]:
        return ("fitted_at", "mid", "tick", *self.required_when_fitted)

    def to_json(self) -> dict[str, Any]:
        """Return the entry with the keys of the files, without missing values."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


class KappaEntry(ParameterEntry):
    """``kappa.json``: decay of the fill probability, per quote currency, and quality of the fit.

    If ``ks`` exceeds ``ks_critical`` (5% by chance for a correct model), the status is ``misfit``.
    """

    required_when_fitted = ("kappa_plus", "kappa_minus", "kappa_plus_se", "kappa_minus_se")

    kappa_plus: Positive | None = None
    kappa_minus: Positive | None = None
    kappa_plus_se: NonNegative | None = None
    kappa_minus_se: NonNegative | None = None
    kappa_plus_low: Positive | None = None
    kappa_minus_low: Positive | None = None
    kappa_plus_high: Positive | None = None
    kappa_minus_high: Positive | None = None
    kappa_plus_status: Status | None = None
    kappa_minus_status: Status | None = None
    ks_plus: NonNegative | None = None
    ks_minus: NonNegative | None = None
    ks_critical_plus: NonNegative | None = None
    ks_critical_minus: NonNegative | None = None
    r2_plus: float | None = None
    r2_minus: float | None = None


class LambdaEntry(ParameterEntry):
    """``lambda.json``: arrivals of market orders and the fill intensity at depth 0, per second."""

    required_when_fitted = ("lambda_plus", "lambda_minus", "lambda0_plus", "lambda0_minus")

    lambda_plus: Positive | None = None
    lambda_minus: Positive | None = None
    lambda0_plus: Positive | None = None
    lambda0_minus: Positive | None = None
    lambda_plus_se: NonNegative | None = None
    lambda_minus_se: NonNegative | None = None
    lambda0_plus_se: NonNegative | None = None
    lambda0_minus_se: NonNegative | None = None
    lambda_plus_low: Positive | None = None
    lambda_minus_low: Positive | None = None
    lambda_plus_high: Positive | None = None
    lambda_minus_high: Positive | None = None
    lambda0_plus_low: Positive | None = None
    lambda0_minus_low: Positive | None = None
    lambda0_plus_high: Positive | None = None
    lambda0_minus_high: Positive | None = None
    lambda_plus_status: Status | None = None
    lambda_minus_status: Status | None = None
    lambda0_plus_status: Status | None = None
    lambda0_minus_status: Status | None = None


class EpsilonEntry(ParameterEntry):
    """``epsilon.json``: permanent jump per market order and per fill, quote currency.

    ``epsilon_fill_intercept`` and ``_slope`` describe the move given a fill as a + b*depth (without
    an intercept, a is 0; without a slope, the move is ``epsilon_fill`` at every depth).
    ``kappa_epsilon`` and ``kappa_epsilon_fill`` are the toxicities, dimensionless.
    ``pareto_truncated`` is set if the tail has no mean; ``pareto_mean`` is then the mean up to the
    largest jump. ``sigma`` is the mid's volatility, quote currency per square root of a second.
    """

    required_when_fitted = (
        "epsilon_plus",
        "epsilon_minus",
        "epsilon_fill_plus",
        "epsilon_fill_minus",
    )

    epsilon_plus: Positive | None = None
    epsilon_minus: Positive | None = None
    epsilon_plus_se: NonNegative | None = None
    epsilon_minus_se: NonNegative | None = None
    epsilon_plus_low: Positive | None = None
    epsilon_minus_low: Positive | None = None
    epsilon_plus_high: Positive | None = None
    epsilon_minus_high: Positive | None = None
    epsilon_plus_status: Status | None = None
    epsilon_minus_status: Status | None = None
    epsilon_fill_plus: Positive | None = None
    epsilon_fill_minus: Positive | None = None
    epsilon_fill_plus_se: NonNegative | None = None
    epsilon_fill_minus_se: NonNegative | None = None
    epsilon_fill_plus_low: Positive | None = None
    epsilon_fill_minus_low: Positive | None = None
    epsilon_fill_plus_high: Positive | None = None
    epsilon_fill_minus_high: Positive | None = None
    epsilon_fill_plus_status: Status | None = None
    epsilon_fill_minus_status: Status | None = None
    epsilon_fill_intercept_plus: float | None = None
    epsilon_fill_intercept_minus: float | None = None
    epsilon_fill_intercept_plus_se: Positive | None = None
    epsilon_fill_intercept_minus_se: Positive | None = None
    epsilon_fill_intercept_plus_low: Positive | None = None
    epsilon_fill_intercept_minus_low: Positive | None = None
    epsilon_fill_intercept_plus_high: Positive | None = None
    epsilon_fill_intercept_minus_high: Positive | None = None
    epsilon_fill_slope_plus: float | None = None
    epsilon_fill_slope_minus: float | None = None
    epsilon_fill_slope_plus_se: NonNegative | None = None
    epsilon_fill_slope_minus_se: NonNegative | None = None
    epsilon_fill_slope_plus_low: Positive | None = None
    epsilon_fill_slope_minus_low: Positive | None = None
    epsilon_fill_slope_plus_high: Positive | None = None
    epsilon_fill_slope_minus_high: Positive | None = None
    pareto_alpha_plus: Positive | None = None
    pareto_alpha_minus: Positive | None = None
    pareto_alpha_plus_se: NonNegative | None = None
    pareto_alpha_minus_se: NonNegative | None = None
    pareto_alpha_plus_low: Positive | None = None
    pareto_alpha_minus_low: Positive | None = None
    pareto_alpha_plus_high: Positive | None = None
    pareto_alpha_minus_high: Positive | None = None
    pareto_threshold_plus: Positive | None = None
    pareto_threshold_minus: Positive | None = None
    pareto_mean_plus: Positive | None = None
    pareto_mean_minus: Positive | None = None
    pareto_mean_plus_se: Positive | None = None
    pareto_mean_minus_se: Positive | None = None
    pareto_mean_plus_low: Positive | None = None
    pareto_mean_minus_low: Positive | None = None
    pareto_mean_plus_high: Positive | None = None
    pareto_mean_minus_high: Positive | None = None
    pareto_truncated_plus: bool | None = None
    pareto_truncated_minus: bool | None = None
    sigma: Positive | None = None
    sigma_se: NonNegative | None = None
    sigma_low: Positive | None = None
    sigma_high: Positive | None = None
    kappa_epsilon_plus: Positive | None = None
    kappa_epsilon_minus: Positive | None = None
    kappa_epsilon_plus_se: Positive | None = None
    kappa_epsilon_minus_se: Positive | None = None
    kappa_epsilon_plus_low: Positive | None = None
    kappa_epsilon_minus_low: Positive | None = None
    kappa_epsilon_plus_high: Positive | None = None
    kappa_epsilon_minus_high: Positive | None = None
    kappa_epsilon_fill_plus: Positive | None = None
    kappa_epsilon_fill_minus: Positive | None = None
    kappa_epsilon_fill_plus_se: Positive | None = None
    kappa_epsilon_fill_minus_se: Positive | None = None
    kappa_epsilon_fill_plus_low: Positive | None = None
    kappa_epsilon_fill_minus_low: Positive | None = None
    kappa_epsilon_fill_plus_high: Positive | None = None
    kappa_epsilon_fill_minus_high: Positive | None = None


class FairPriceEntry(ParameterEntry):
    """``fair_price.json``: where the price is expected to be, from the sizes at the touch.

    The fair price is mid + ``beta`` * (bid size - ask size) / (bid size + ask size). ``beta``
    (quote currency) is the fitted ``beta_slope``, or 0 where that is not ``significant``.
    ``r2_out_of_sample`` is how well each half of the window predicts the other, at most 1;
    ``horizon_seconds`` the time over which the mid's moves were fitted, at ``looks`` moments.

    ``kappa``, ``epsilon`` and ``lambda`` are the entries of quotes around the fair price, with the
    keys of the files that have those of quotes around the mid; None where beta is 0, and where one
    of them could not be fitted.
    """

    required_when_fitted = ("beta", "significant", "horizon_seconds")

    beta: float | None = None
    significant: bool | None = None
    beta_slope: float | None = None
    beta_slope_se: NonNegative | None = None
    beta_slope_low: float | None = None
    beta_slope_high: float | None = None
    r2_out_of_sample: float | None = None
    horizon_seconds: Positive | None = None
    looks: NonNegativeInt | None = None
    kappa: KappaEntry | None = None
    epsilon: EpsilonEntry | None = None
    lambda_: LambdaEntry | None = Field(default=None, alias="lambda")

    @model_validator(mode="after")
    def _whole_and_around_the_fair_price(self) -> Self:
        found = (self.kappa, self.epsilon, self.lambda_)
        given = [entry for entry in found if entry is not None]
        if given and len(given) < len(found):
            raise ValueError("kappa, epsilon and lambda must be published together or not at all")
        if any(entry.anchor != "fair price" for entry in given):
            raise ValueError("the anchor of kappa, epsilon and lambda must be 'fair price'")
        if any(entry.calibration_id != self.calibration_id for entry in given):
            raise ValueError("calibration_id differs between beta and kappa, epsilon and lambda")
        return self

    def in_bp(self, mid: float) -> str:
        """Return slope and standard error (bp of ``mid``), R squared, and whether it is quoted."""
        if self.status == "insufficient" or self.beta is None:
            return "unknown"
        slope = self.beta if self.beta_slope is None else self.beta_slope
        words = f"{slope / mid * 1e4:.2f}"
        if self.beta_slope_se is not None:
            words += f" ± {self.beta_slope_se / mid * 1e4:.2f}"
        words += " bp"
        if self.r2_out_of_sample is not None:
            words += f" (R² {self.r2_out_of_sample:.2f})"
        return words if self.significant else f"{words}, not significant"


class ValueFunctionEntry(ParameterEntry):
    """Solution in ``value_function.json``: h(q) and the depths of one control problem.

    Arrays run over ``q``; a depth is null where that side is not quoted. ``configuration`` has the
    fields of the solved ``ModelParameters``; ``method`` names the solver. The depths are those of
    quotes that are replaced at an age of ``quote_age_seconds``; a fill at the best depth without
    inventory then earns ``age_cost`` less (quote currency) than at once.
    """

    required_when_fitted = (
        "q",
        "h",
        "ask_depth",
        "bid_depth",
        "value_rate",
        "configuration",
        "method",
    )

    q: tuple[int, ...] | None = None
    h: tuple[float, ...] | None = None
    ask_depth: tuple[NonNegative | None, ...] | None = None
    bid_depth: tuple[NonNegative | None, ...] | None = None
    value_rate: float | None = None
    method: str | None = None
    configuration: dict[str, float | int | bool | str | None] | None = None
    quote_age_seconds: NonNegative | None = None
    age_cost_plus: float | None = None
    age_cost_minus: float | None = None

    @model_validator(mode="after")
    def _same_lengths(self) -> Self:
        if self.q is not None:
            lengths = {
                len(a) for a in (self.q, self.h, self.ask_depth, self.bid_depth) if a is not None
            }
            if len(lengths) != 1:
                raise ValueError("q, h, ask_depth and bid_depth differ in length")
        return self

    def depths_at(self, inventory: int) -> tuple[float | None, float | None]:
        """Return ask and bid depth (quote currency) at an inventory; None if not quoted.

        Raises
        ------
        KeyError
            The inventory is outside the solved problem.
        """
        if not (self.q and self.ask_depth and self.bid_depth) or inventory not in self.q:
            raise KeyError(inventory)
        i = self.q.index(inventory)
        return self.ask_depth[i], self.bid_depth[i]
