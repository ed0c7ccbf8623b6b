"""The ``market_making`` block of Freqtrade's configuration, validated for bot and calibration."""

import math
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from advanced_mm.errors import InputError
from advanced_mm.instruments import code_of_pair
from advanced_mm.parameter_files.config import load_config
from advanced_mm.policies import Policy, build, settings_of

__all__ = [
    "BacktestParameters",
    "EpsilonSource",
    "FairPrice",
    "InventoryMode",
    "Leg",
    "PolicyChoice",
    "Settings",
    "load_settings",
]

BacktestParameters = Literal["history", "published"]
FairPrice = Literal["mid", "imbalance"]
InventoryMode = Literal["long_only", "short_only", "layered", "two_legs"]
Leg = Literal["long", "short"]
_MODE_BOUNDS: Final[Mapping[str, tuple[int, int]]] = {
    "long_only": (0, 1),
    "short_only": (-1, 0),
    "two_legs": (-1, 1),
}
"""Inventories of a mode; those of ``layered`` are set by ``q_min`` or ``q_max``."""
LOOK_SECONDS: Final = 1.0
"""Between two looks of a bot that asks over REST."""
WAY_SECONDS: Final = 0.2
"""From a book to the order that rests on it: asking, deciding and sending."""
EpsilonSource = Literal["fill", "fill_slope", "least_squares", "pareto"]


class PolicyChoice(BaseModel):
    """A policy's kind; its settings stand beside it and are checked by the policy itself."""

    model_config = ConfigDict(frozen=True, extra="allow")

    kind: str


class Settings(BaseModel):
    """Settings of the market maker; every field has a default, so an empty block is valid.

    ``phi`` is the book's absolute running penalty. If it is null, it follows from the dimensionless
    ``risk_aversion`` (phi = risk_aversion * lambda / kappa, means of the two sides).
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    fee_rate: float = Field(
        0.00015,
        ge=-0.01,
        le=0.01,
        description="maker fee, fraction of the price; a rebate is negative",
    )
    account_fee: bool = Field(
        True,
        description="whether a live bot uses the maker fee of its account's tier, asked for once a "
        "day, in place of fee_rate",
    )
    risk_aversion: float = Field(
        0.01, ge=0, le=100, description="dimensionless running inventory penalty"
    )
    phi: float | None = Field(
        None, ge=0, description="running penalty, quote currency per unit^2 per second"
    )
    alpha: float = Field(
        0.0, ge=0, description="terminal penalty, quote currency per unit^2; finite horizon only"
    )
    terminal_cost: float = Field(
        0.0, ge=0, description="taker cost per unit at the horizon, quote currency"
    )
    inventory_mode: InventoryMode | None = Field(
        None,
        description="what a bot may hold: long_only, short_only, layered (0 to q_max or q_min to 0 "
        "units, one order at a time), two_legs (two bots share -1 to 1). null: by q_min and q_max",
    )
    leg: Leg | None = Field(None, description="which of the two bots of two_legs this is")
    q_min: int = Field(0, ge=-100, le=100, description="lowest inventory the bot can reach, units")
    q_max: int = Field(1, ge=-100, le=100, description="highest inventory the bot can reach, units")
    sides: Literal["both", "one"] = Field(
        "both", description="which quotes rest where both sides could be quoted"
    )
    size: float | None = Field(
        None,
        gt=0,
        le=1,
        description="a unit's share of the stake; null: all of it, with layered divided by the "
        "most units",
    )
    volatile_from: float = Field(
        2.0, gt=1, le=100, description="volatile: sigma is this many times its average of six hours"
    )
    volatile_size: float = Field(
        0.7, gt=0, le=1, description="factor on the size of entries while the market is volatile"
    )
    toxic_size: float = Field(
        1.0, gt=0, le=1, description="factor on the size of entries while kappa*epsilon_fill >= 1"
    )
    inventory_size: float = Field(
        1.0,
        gt=0,
        le=1,
        description="factor on the size of entries beyond half of the most units (layered)",
    )
    horizon_seconds: float | None = Field(
        None, gt=0, description="rolling horizon; null solves the ergodic problem"
    )
    policy: PolicyChoice | None = Field(
        None,
        description="kind and settings of a policy (see [policies](policies.md)) whose best level "
        "is quoted in place of the optimal depths; amounts in units. null: the optimal depths",
    )
    min_depth: float = Field(
        0.0, ge=0, description="minimum distance of a quote from the fair price, quote currency"
    )
    min_spread_bp: float = Field(
        0.0,
        ge=0,
        le=1000,
        description="least total spread, bp of the mid: no quote nearer than half of it",
    )
    max_spread_bp: float | None = Field(
        None,
        gt=0,
        le=2000,
        description="greatest total spread, bp of the mid: no entry where the optimal depth is "
        "beyond half of it, and exits no farther than that; null: no limit",
    )
    compensate_drift: bool = Field(
        True, description="treat the estimated drift of the jumps as noise, not as a signal"
    )
    epsilon_source: EpsilonSource = Field(
        "fill",
        description="estimate of the permanent jump that the depths compensate: fill, fill_slope "
        "(grows with the depth), least_squares, pareto",
    )
    fair_price: FairPrice = Field(
        "imbalance",
        description="price that quotes are set around: mid, or imbalance (the mid moved by what "
        "the sizes at the touch foretell, where that is significant)",
    )
    fair_price_horizon_seconds: float = Field(
        5.0, ge=0.5, le=60, description="time over which the sizes at the touch foretell the mid"
    )
    max_adverse_imbalance: float = Field(
        0.5,
        ge=0,
        le=1,
        description="no entry on a side against which the imbalance at the touch is above this, "
        "while fair_price counts the imbalance and a greater depth does not pay for it (the move "
        "after a fill grows by at least half the depth); 1 disables the check",
    )
    toxicity_limit: float = Field(
        2.0, gt=0, description="no entry if kappa*epsilon_fill is at or above this"
    )
    min_edge_bp: float | None = Field(
        0.0,
        ge=-100,
        le=100,
        description="no entry if the expected profit of a round trip is below this, bp of the "
        "mid; null disables the check",
    )
    max_published_age_seconds: float = Field(
        60.0, gt=0, description="maximum age of published_at for quoting"
    )
    max_data_age_seconds: float | None = Field(
        None, gt=0, description="maximum age of fitted_at for quoting; null means one window"
    )
    min_quote_age_seconds: float = Field(
        0.2, ge=0, le=600, description="minimum time a quote rests before it is replaced"
    )
    max_quote_age_seconds: float | None = Field(
        None,
        ge=1,
        description="after this time a quote is replaced if its price has changed at all; null: "
        "never for that alone",
    )
    quote_age_seconds: float | None = Field(
        None,
        ge=0,
        le=600,
        description="age at which quotes are replaced, counted from the book that they were "
        "computed from; depths and expected edge count how far the mid moves until then (0: not at "
        "all). null: as published with the parameters, from the measured age of filled quotes; "
        "until there are fills, min_quote_age_seconds and 0.2 s on the way",
    )
    max_book_age_seconds: float = Field(
        10.0,
        gt=0,
        description="no quote on a book older than this; with own_stream, two seconds are the most",
    )
    requote_loss_percent: float = Field(
        5.0,
        ge=0,
        le=90,
        description="a quote is replaced once more than this share of its value is lost, because "
        "the price it should have has moved; grows where the requests of the address get scarce",
    )
    requote_ticks: float = Field(
        1.0,
        ge=1,
        description="and only if its price is off by at least this many ticks; alone decides on "
        "an exit at the touch, whose value is not known",
    )
    own_stream: bool = Field(
        True,
        description="whether the bot sees books and its orders over a websocket of its own",
    )
    max_drawdown: float = Field(
        0.05,
        gt=0,
        le=1,
        description="drawdown that stops entries for protection_pause_minutes, open trades "
        "included, share of the capital at the peak",
    )
    max_daily_loss: float | None = Field(
        0.03,
        gt=0,
        le=1,
        description="loss since midnight UTC, open trades included, that stops entries until the "
        "next, share of the capital; null: no limit",
    )
    max_position_value: float | None = Field(
        None,
        gt=0,
        description="greatest value of a position in a pair, quote currency; orders are made "
        "smaller to keep it. null: q_min and q_max alone limit it",
    )
    volatility_limit: float | None = Field(
        2.0,
        gt=1,
        le=100,
        description="no entry while the mid moves this many times as much as usual (the refit's "
        "sigma); from three quarters of it entries are that many times wider. null: no limit",
    )
    volatility_seconds: float = Field(
        10.0, ge=2, le=600, description="time over which the mid's moves are compared with usual"
    )
    large_order_multiple: float | None = Field(
        20.0,
        gt=1,
        description="a market order of this many times the mean size pauses entries in its way, "
        "as long as the flow is one-sided; needs own_stream. null: never",
    )
    flow_cooldown_seconds: float = Field(
        5.0, gt=0, le=600, description="shortest pause after a large market order"
    )
    min_market_spread_bp: float = Field(
        0.0, ge=0, le=1000, description="no entry while the market's spread is narrower, bp"
    )
    price_band: float | None = Field(
        0.05,
        gt=0,
        le=1,
        description="move of the price within price_band_seconds at which trading may halt, share "
        "of it: entries are wider from half of it on, and none from four fifths. null: no band",
    )
    price_band_seconds: float = Field(
        300.0, ge=1, le=86400, description="time over which a price band is measured"
    )
    max_funding_bp: float | None = Field(
        0.5,
        ge=0,
        description="funding, bp of its value, that a new position may be about to pay; needs "
        "own_stream. null: no limit",
    )
    funding_pause_seconds: float = Field(
        120.0, ge=0, le=3600, description="time before the full hour in which funding counts"
    )
    max_errors_in_a_row: int | None = Field(
        5, ge=1, description="errors of the exchange in a row that pause entries; null: any number"
    )
    error_pause_seconds: float = Field(
        60.0,
        gt=0,
        le=86400,
        description="pause after errors of the exchange in a row, and after its last word of a "
        "halt",
    )
    dead_mans_switch_seconds: float | None = Field(
        30.0,
        ge=10,
        le=3600,
        description="live, the venue cancels all orders of the account this long after the bot "
        "was last well, if the account may ask for it (1 000 000 USDC traded); null: never",
    )
    max_stops_a_day: int | None = Field(
        2,
        ge=1,
        description="stops with a loss within a day that stop entries of all pairs for "
        "protection_pause_minutes; null: any number",
    )
    protection_pause_minutes: int = Field(
        60,
        ge=1,
        le=10080,
        description="time for which entries stop after a drawdown or after stops",
    )
    notify_after_seconds: float | None = Field(
        60.0,
        ge=0,
        le=86400,
        description="time without a quote in a pair after which Telegram says why, and later that "
        "it is quoted again; null: never",
    )
    alerts: bool = Field(
        True,
        description="Telegram and webhooks tell of stale parameters or data, an inventory or a "
        "drawdown near its limit, few requests left, late loops and a wrong clock, and when it is "
        "over",
    )
    metrics_port: int | None = Field(
        None,
        ge=1,
        le=65535,
        description="port of 127.0.0.1 at which the bot offers metrics to Prometheus; null: none",
    )
    window_minutes: float = Field(30.0, ge=5, le=1440, description="calibration window")
    max_window_minutes: float = Field(
        360.0,
        ge=5,
        le=1440,
        description="the window is extended up to this for coins with few trades; not extended "
        "if below window_minutes",
    )
    block_seconds: float | None = Field(
        None,
        gt=0,
        le=1,
        description="longest usual block interval of the venue, to correct for orders merged in "
        "a feed without hashes; null means no correction (n/T)",
    )
    refit_interval_seconds: float = Field(15.0, ge=1, le=3600, description="time between refits")
    history_days: int = Field(
        90, ge=1, le=36500, description="refits older than this are deleted from the history"
    )
    journal_days: int = Field(
        90, ge=1, le=36500, description="days of the journal older than this are deleted"
    )
    backtest_parameters: BacktestParameters = Field(
        "history",
        description="parameters of a backtest: history (each candle with those published by then) "
        "or published (all candles with those published last, which know their future)",
    )
    parameter_dir: str | None = Field(
        None, description="folder of the parameter files; null is user_data"
    )

    @model_validator(mode="before")
    @classmethod
    def _bounds_of_the_mode(cls, block: Any) -> Any:
        """Let ``inventory_mode`` set the bounds, and refuse bounds that are set otherwise."""
        if not isinstance(block, Mapping) or not isinstance(block.get("inventory_mode"), str):
            return block
        mode, bounds = block["inventory_mode"], _MODE_BOUNDS.get(block["inventory_mode"])
        if mode == "layered":
            meant: dict[str, Any] = {"sides": "one"}
            absent = [name for name in ("q_min", "q_max") if name not in block]
            block = {**block, **dict.fromkeys(absent, 0)}
        elif bounds is not None:
            meant = dict(zip(("q_min", "q_max"), bounds, strict=True))
            if mode == "two_legs":
                meant["sides"] = "both"
        else:
            return block  # no mode: refused with the field itself
        for name, value in meant.items():
            if block.get(name, value) != value:
                raise ValueError(
                    f"{name} = {block[name]} contradicts inventory_mode = {mode}, which means "
                    f"{value}: remove one of the two"
                )
        return {**block, **meant}

    @model_validator(mode="after")
    def _mode_is_whole(self) -> Self:
        least, most = self.q_min, self.q_max
        if self.inventory_mode == "layered" and not (
            (least == 0 and most > 1) or (most == 0 and least < -1)
        ):
            raise ValueError(
                f"q_min = {least}, q_max = {most}: inventory_mode = layered holds 0 to q_max units "
                "or q_min to 0, two at least: set q_max to 2 or more, or q_min to -2 or less"
            )
        if self.leg is not None and self.inventory_mode != "two_legs":
            raise ValueError(
                f"leg = {self.leg} belongs to inventory_mode = two_legs, not {self.inventory_mode}"
            )
        if self.size is not None and self.size * self.layers > 1 + 1e-9:
            raise ValueError(
                f"size = {self.size:g} times {self.layers} units is more than the stake: it can be "
                f"at most {1 / self.layers:g}"
            )
        return self

    @model_validator(mode="after")
    def _bounds_in_order(self) -> Self:
        if self.q_min >= self.q_max:
            raise ValueError(f"q_min = {self.q_min} must be below q_max = {self.q_max}")
        if self.max_spread_bp is not None and self.min_spread_bp > self.max_spread_bp:
            raise ValueError(
                f"min_spread_bp = {self.min_spread_bp:g} must not be above max_spread_bp = "
                f"{self.max_spread_bp:g}"
            )
        return self

    @model_validator(mode="after")
    def _policy_can_be_built(self) -> Self:
        self.quoting_policy()  # a ValueError names what is wrong
        if self.policy is not None and "cooldown_seconds" in (self.policy.model_extra or {}):
            raise ValueError(
                "policy.cooldown_seconds cannot be used here, as the guard flow sees the large "
                "trades: set large_order_multiple and flow_cooldown_seconds instead"
            )
        return self

    def quoting_policy(self) -> Policy | None:
        """Build the policy whose best level is quoted; None for the optimal depths.

        It is asked in units. Unless they are set, an order is one unit, the most that is held are
        the units of the bot, and nothing is sold short where the bot sells nothing short.

        Raises
        ------
        InputError
            The kind or a setting of it is unknown or out of range.
        """
        if self.policy is None:
            return None
        in_units = {
            "order_size": 1.0,
            "base_size": 1.0,
            "max_inventory": float(max(self.q_max, -self.q_min)),
            "perpetual_inventory": float(max(-self.q_min, 0)),
            "long_only": self.q_min >= 0,
        }
        known = settings_of(self.policy.kind).model_fields
        implied = {name: value for name, value in in_units.items() if name in known}
        return build(self.policy.kind, implied | (self.policy.model_extra or {}))

    def least_depth(self, mid: float) -> float:
        """Return the least distance of a quote at a mid: ``min_depth`` or half of the spread."""
        return max(self.min_depth, 0.5e-4 * self.min_spread_bp * mid)

    def greatest_depth(self, mid: float) -> float:
        """Return the greatest distance of a quote at a mid, infinity without a limit."""
        return math.inf if self.max_spread_bp is None else 0.5e-4 * self.max_spread_bp * mid

    @property
    def mode(self) -> InventoryMode | None:
        """``inventory_mode``, or what the bounds imply; None for bounds that only a replay has."""
        if self.inventory_mode is not None:
            return self.inventory_mode
        implied: dict[tuple[int, int], InventoryMode] = {(0, 1): "long_only", (-1, 0): "short_only"}
        return implied.get((self.q_min, self.q_max))

    @property
    def layers(self) -> int:
        """The most units that one bot holds."""
        if self.inventory_mode != "layered":
            return 1
        return max(-self.q_min, self.q_max)

    @property
    def unit_share(self) -> float:
        """A unit's share of the stake."""
        return 1 / self.layers if self.size is None else self.size

    @property
    def sells_first(self) -> bool:
        """Whether the bot opens its positions by selling."""
        return self.leg == "short" if self.mode == "two_legs" else self.q_min < 0

    def alone(self) -> Self:
        """Return the settings of a leg whose other bot is silent: those of its own inventories."""
        if self.mode != "two_legs":
            return self
        mode = "short_only" if self.sells_first else "long_only"
        low, high = _MODE_BOUNDS[mode]
        own = {"inventory_mode": mode, "leg": None, "q_min": low, "q_max": high}
        return self.model_copy(update=own)

    @property
    def window_seconds(self) -> float:
        """The calibration window in seconds."""
        return self.window_minutes * 60

    def oldest_quote_seconds(
        self, look_seconds: float | None = None, way_seconds: float = WAY_SECONDS
    ) -> float:
        """Return the age at which quotes are replaced: ``quote_age_seconds``, or by the looks.

        A bot with a websocket of its own looks when ``min_quote_age_seconds`` are over. With looks
        every ``look_seconds`` (one, if it has none) an order placed just after a look is a little
        younger than a whole number of looks at each of the next, so that it is replaced at the
        first one after the least age: with a look a second and a least age of one second after
        two. ``way_seconds`` passes from the book that is looked at to the order that rests on it.
        """
        if self.quote_age_seconds is not None:
            return self.quote_age_seconds
        if look_seconds is None:
            if self.own_stream:
                return self.min_quote_age_seconds + way_seconds
            look_seconds = LOOK_SECONDS
        looks = math.floor(self.min_quote_age_seconds / look_seconds + 1e-9) + 1
        return looks * look_seconds + way_seconds

    @property
    def data_age_limit_seconds(self) -> float:
        """Maximum age of the data for quoting, seconds."""
        return (
            self.window_seconds if self.max_data_age_seconds is None else self.max_data_age_seconds
        )

    def parameter_folder(self, user_data: Path) -> Path:
        """Return the folder of the parameter files: ``parameter_dir`` or ``user_data``."""
        return user_data if self.parameter_dir is None else Path(self.parameter_dir)

    def with_risk_aversion_scaled(self, scale: float) -> Self:
        """Return the settings with phi (``risk_aversion`` if phi is null) times ``scale``."""
        if scale == 1:
            return self
        name = "risk_aversion" if self.phi is None else "phi"
        return self.model_copy(update={name: getattr(self, name) * scale})

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """Validate the ``market_making`` block of a merged configuration.

        Raises
        ------
        InputError
            A field is unknown or out of range; the message names each with its value.
        """
        block = config.get("market_making", {})
        if not isinstance(block, Mapping):
            raise InputError(
                f"market_making = {block!r} must be an object of settings; correct it in the "
                "configuration."
            )
        try:
            return cls.model_validate(dict(block))
        except ValidationError as error:
            raise InputError(_sentence(error)) from None


def load_settings(paths: Sequence[Path]) -> tuple[Settings, list[str]]:
    """Read the settings and the pairs from the configuration and the environment.

    Returns
    -------
    tuple
        The settings, and ccxt's code of each pair in the whitelist. Converting a code to a coin
        requires the venue's coins (`instruments.resolve_coin`).

    Raises
    ------
    InputError
        A file, a setting or a pair cannot be used.
    """
    config = load_config(paths)
    pairs = config.get("exchange", {}).get("pair_whitelist", [])
    return Settings.from_config(config), [code_of_pair(pair) for pair in pairs]


def _sentence(error: ValidationError) -> str:
    faults = []
    for fault in error.errors():
        name = ".".join(["market_making", *(str(part) for part in fault["loc"])])
        value = "" if not fault["loc"] else f" = {fault['input']!r}"
        why = fault["msg"].removeprefix("Value error, ").rstrip(".")
        if fault["type"] == "extra_forbidden":
            close = get_close_matches(str(fault["loc"][-1]), Settings.model_fields, n=1)
            why = "there is no such setting" + (f", did you mean {close[0]!r}?" if close else "")
        faults.append(f"{name}{value}: {why}")
    return "; ".join(faults) + ". Correct it in the configuration or its FREQTRADE__ variable."
