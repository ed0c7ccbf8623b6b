"""Construction of the control problem from fitted parameters and settings."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from math import inf
from typing import Final, NamedTuple, get_args

from advanced_mm.errors import InputError
from advanced_mm.model import (
    ModelParameters,
    QuoteAge,
    SideProblem,
    ValueFunction,
    mean_age,
    oldest_age,
    problem_of,
    risk_aversion_to_phi,
    solve,
)
from advanced_mm.parameter_files.entries import (
    EpsilonEntry,
    ParameterEntry,
    Status,
    ValueFunctionEntry,
)
from advanced_mm.parameter_files.files import (
    ParameterFileError,
    ParameterFiles,
    ParameterSet,
    UnusableParametersError,
)
from advanced_mm.parameter_files.settings import EpsilonSource, Settings

__all__ = [
    "Move",
    "configuration_of",
    "counted_age",
    "model_problem",
    "move_in_depths",
    "move_line",
    "published_solution",
    "quote_age",
    "same_problem",
    "value_function_fields",
    "with_measured_age",
    "with_value_function",
]

logger = logging.getLogger(__name__)

_EXPECTED_FILLS: Final = 10


def model_problem(
    parameters: ParameterSet, settings: Settings, mid: float | None = None
) -> ModelParameters:
    """Build the problem that the bot's quotes are solved from.

    The parameters must be those of the price that quotes are set around (`ParameterSet.around`).

    lambda in F is the fill intensity lambda0 of the hurdle fit, epsilon the move chosen by
    ``epsilon_source``; both, and kappa, are those of quotes that grow as old as the settings say
    (`QuoteAge.effective`). An uncompensated drift uses the arrival rates and the least-squares
    epsilon. The fee per unit is the rate times ``mid`` (default: the refit's mid).

    Raises
    ------
    UnusableParametersError
        A required parameter was not fitted.
    """
    kappa = parameters.kappa
    at_mid = _fitted(parameters, "mid", kappa.mid) if mid is None else mid
    # At the refit's mid, so that between refits nothing but the fee of the problem changes.
    fitted_mid = at_mid if kappa.mid is None else kappa.mid
    fee, least_depth = settings.fee_rate * fitted_mid, settings.least_depth(fitted_mid)
    age = quote_age(parameters, settings)
    at_once = _sides(parameters, settings)
    ask, bid = (age.effective(side, fee, least_depth) for side in at_once)
    phi = settings.phi
    if phi is None:
        lambda_bar = (at_once[0].intensity + at_once[1].intensity) / 2
        kappa_bar = (at_once[0].kappa + at_once[1].kappa) / 2
        phi = risk_aversion_to_phi(settings.risk_aversion, lambda_bar, kappa_bar)
    return problem_of(
        ask,
        bid,
        phi=phi,
        alpha=settings.alpha,
        fee=settings.fee_rate * at_mid,
        q_min=settings.q_min,
        q_max=settings.q_max,
        horizon_seconds=settings.horizon_seconds,
        sides=settings.sides,
        min_depth=least_depth,
        compensate_drift=settings.compensate_drift,
        drift=None if settings.compensate_drift else _arrival_drift(parameters),
        terminal_cost=settings.terminal_cost,
    )


def _sides(parameters: ParameterSet, settings: Settings) -> tuple[SideProblem, SideProblem]:
    """Return the ask and the bid as they are for quotes that follow the mid at once."""
    lambda_, kappa = parameters.lambda_, parameters.kappa
    ask, bid = move_in_depths(parameters, settings.epsilon_source)
    return (
        SideProblem(
            _fitted(parameters, "lambda0+", lambda_.lambda0_plus),
            _fitted(parameters, "kappa+", kappa.kappa_plus),
            *ask,
        ),
        SideProblem(
            _fitted(parameters, "lambda0-", lambda_.lambda0_minus),
            _fitted(parameters, "kappa-", kappa.kappa_minus),
            *bid,
        ),
    )


def _age_fields(parameters: ParameterSet, settings: Settings) -> dict[str, float]:
    """Return the age of quotes and what it costs, as fields of ``ValueFunctionEntry``."""
    age, fee = quote_age(parameters, settings), settings.fee_rate * (parameters.kappa.mid or 0.0)
    ask, bid = (age.cost(side, fee) for side in _sides(parameters, settings))
    return {
        "quote_age_seconds": age.seconds,
        "age_cost_plus": ask,
        "age_cost_minus": bid,
    }


def quote_age(parameters: ParameterSet, settings: Settings) -> QuoteAge:
    """Return the age that quotes reach and the fitted volatility; no age if that was not fitted.

    The age is the one set, or else the one published with the value function, or else expected of
    the settings.
    """
    seconds = settings.quote_age_seconds
    if seconds is None:
        seconds = _published_age(parameters)
    if seconds is None:
        seconds = settings.oldest_quote_seconds()
    return QuoteAge(seconds, parameters.epsilon.sigma or 0.0)


def _published_age(parameters: ParameterSet) -> float | None:
    published = (entry.quote_age_seconds for entry in parameters.value_functions)
    return next((seconds for seconds in published if seconds is not None), None)


def counted_age(files: ParameterFiles, coin: str, settings: Settings) -> float:
    """Return the age (seconds) that a bot counts now: set, published for the coin, or expected."""
    try:
        return quote_age(files.read(coin), settings).seconds
    except ParameterFileError:
        return settings.oldest_quote_seconds()


def with_measured_age(
    parameters: ParameterSet, settings: Settings, seconds: float, fills: int
) -> Settings:
    """Return settings with the age of quotes whose ``fills`` were ``seconds`` old on average.

    The mean that the settings let expect counts as `_EXPECTED_FILLS` more fills, so that the first
    few do not carry it far. A set age is left as it is, as is one of a market that was not fitted.
    """
    parameters = parameters.around(settings.fair_price)
    kappa_plus, kappa_minus = parameters.kappa.kappa_plus, parameters.kappa.kappa_minus
    sigma = parameters.epsilon.sigma
    if settings.quote_age_seconds is not None or not (kappa_plus and kappa_minus and sigma):
        return settings
    kappa = (kappa_plus + kappa_minus) / 2
    expected = mean_age(kappa, sigma, settings.oldest_quote_seconds())
    mean = (_EXPECTED_FILLS * expected + fills * seconds) / (_EXPECTED_FILLS + fills)
    return settings.model_copy(update={"quote_age_seconds": oldest_age(kappa, sigma, mean)})


class Move(NamedTuple):
    """Permanent move of the mid after a fill at a depth, ``intercept + slope * depth``.

    ``intercept`` is in the quote currency, ``slope`` is dimensionless.
    """

    intercept: float
    slope: float = 0.0


def move_in_depths(parameters: ParameterSet, source: EpsilonSource) -> tuple[Move, Move]:
    """Return the moves that the depths compensate, on the ask and on the bid.

    "fill_slope" uses the regression line of the move on depth; a side without one uses its constant
    ``epsilon_fill``, as with "fill".

    Raises
    ------
    UnusableParametersError
        The estimate was not published (a Pareto mean does not always exist).
    """
    e: EpsilonEntry = parameters.epsilon
    if source == "fill_slope":
        ask = move_line(e.epsilon_fill_intercept_plus, e.epsilon_fill_slope_plus)
        bid = move_line(e.epsilon_fill_intercept_minus, e.epsilon_fill_slope_minus)
        if ask and bid:
            return ask, bid
        flat = move_in_depths(parameters, "fill")
        return ask or flat[0], bid or flat[1]
    name = {"fill": "epsilon_fill", "least_squares": "epsilon", "pareto": "pareto_mean"}[source]
    return (
        Move(_fitted(parameters, f"{name}+", getattr(e, f"{name}_plus"))),
        Move(_fitted(parameters, f"{name}-", getattr(e, f"{name}_minus"))),
    )


def move_line(intercept: float | None, slope: float | None) -> Move | None:
    """Return the published line of the move on depth, None if no slope was fitted.

    An intercept that is not positive is not published and taken as 0.
    """
    return None if slope is None else Move(intercept or 0.0, slope)


def _arrival_drift(parameters: ParameterSet) -> float:
    lambda_, epsilon = parameters.lambda_, parameters.epsilon
    up = _fitted(parameters, "lambda+", lambda_.lambda_plus) * _fitted(
        parameters, "epsilon+", epsilon.epsilon_plus
    )
    down = _fitted(parameters, "lambda-", lambda_.lambda_minus) * _fitted(
        parameters, "epsilon-", epsilon.epsilon_minus
    )
    return up - down


def _fitted(parameters: ParameterSet, name: str, value: float | None) -> float:
    if value is None:
        raise UnusableParametersError(
            f"{parameters.coin}: {name} was not fitted (status {parameters.kappa.status}); wait "
            "for a refit with more data."
        )
    return value


def configuration_of(problem: ModelParameters) -> dict[str, float | int | bool | str | None]:
    """Return the fields of a problem as ``value_function.json`` stores them."""
    return {name: getattr(problem, name) for name in problem.__dataclass_fields__}


def value_function_fields(solution: ValueFunction) -> dict[str, object]:
    """Return a solution as fields of ``ValueFunctionEntry``; an infinite depth becomes None."""

    def depths(values: list[float]) -> list[float | None]:
        return [None if depth == inf else depth for depth in values]

    return {
        "q": solution.q.tolist(),
        "h": solution.h.tolist(),
        "ask_depth": depths(solution.ask_depth.tolist()),
        "bid_depth": depths(solution.bid_depth.tolist()),
        "value_rate": float(solution.value_rate),
        "method": solution.method,
        "configuration": configuration_of(solution.parameters),
    }


def same_problem(
    found: Mapping[str, object], wanted: Mapping[str, object], fee_tolerance: float = 0.0
) -> bool:
    """Return whether two configurations are the same problem.

    The fees may differ by ``fee_tolerance`` (quote currency), because the fee follows the mid while
    everything else is fixed between refits.
    """
    if any(found.get(name) != value for name, value in wanted.items() if name != "fee"):
        return False
    fees = found.get("fee"), wanted.get("fee")
    return all(isinstance(fee, int | float) for fee in fees) and (
        abs(float(fees[0]) - float(fees[1])) <= fee_tolerance  # type: ignore[arg-type]
    )


def published_solution(
    parameters: ParameterSet, problem: ModelParameters, fee_tolerance: float = 0.0
) -> ValueFunctionEntry | None:
    """Return the published solution of ``problem``; None if the caller has to solve it."""
    wanted = configuration_of(problem)
    for entry in parameters.value_functions:
        if (entry.anchor or "mid") != parameters.anchor or entry.configuration is None:
            continue
        if same_problem(entry.configuration, wanted, fee_tolerance):
            return entry
    return None


_BEST_FIRST: Final = get_args(Status)


def with_value_function(
    parameters: ParameterSet,
    settings: Settings,
    absent: ValueFunctionEntry | None = None,
    log_level: int = logging.WARNING,
) -> ParameterSet:
    """Return kappa, epsilon and lambda with the solution of the problem that they pose.

    It is of quotes around the price that the settings say, where there are parameters of it.
    It gets the worst of their statuses, and the header of the one with the oldest data. If a
    parameter is missing or the problem cannot be solved, it is ``absent``, by default an entry
    without values; the reason is logged.
    """
    around = parameters.around(settings.fair_price)
    fitted = (around.kappa, around.epsilon, around.lambda_)
    status = max((entry.status for entry in fitted), key=_BEST_FIRST.index)
    solved = None
    if status != "insufficient":
        try:
            solved = solve(model_problem(around, settings))
        except (ParameterFileError, InputError) as error:
            logger.log(
                log_level, "%s: the value function cannot be solved: %s", parameters.coin, error
            )
    if solved is None:
        entry = absent or _without_values(parameters)
    else:
        oldest = min(fitted, key=lambda entry: entry.fitted_at or entry.published_at)
        shared = oldest.model_dump(include=set(ParameterEntry.model_fields))
        entry = ValueFunctionEntry.model_validate(
            shared
            | {"status": status}
            | value_function_fields(solved)
            | _age_fields(around, settings)
        )
    return replace(parameters, value_functions=(entry,))


def _without_values(parameters: ParameterSet) -> ValueFunctionEntry:
    header = set(ParameterEntry.model_fields) - {"fitted_at", "mid", "tick"}
    shared = parameters.kappa.model_dump(include=header)
    return ValueFunctionEntry.model_validate(shared | {"status": "insufficient"})
