"""Value of a fill: toxicity, and the expected edge after fee and adverse selection."""

from dataclasses import dataclass
from typing import Literal

from advanced_mm.model import QuoteAge, SideProblem
from advanced_mm.parameter_files import ParameterSet
from advanced_mm.parameter_files.problem import Move, move_line

__all__ = [
    "Side",
    "depth_hardly_pays",
    "expected_edge",
    "no_depth_pays",
    "toxicity",
    "toxicity_regime",
]

Side = Literal["bid", "ask"]
Regime = Literal["profitable", "competitive", "toxic"]

_UNPROFITABLE_FROM, _TOXIC_FROM = 1.0, 2.0
_HALF = 0.5


@dataclass(frozen=True)
class _SideEstimates:
    intensity: float | None
    kappa: float | None
    epsilon_fill: float | None
    intercept: float | None
    slope: float | None
    slope_low: float | None


def _estimates(parameters: ParameterSet, side: Side) -> _SideEstimates:
    kappa, epsilon, lambda_ = parameters.kappa, parameters.epsilon, parameters.lambda_
    if side == "ask":
        return _SideEstimates(
            lambda_.lambda0_plus,
            kappa.kappa_plus,
            epsilon.epsilon_fill_plus,
            epsilon.epsilon_fill_intercept_plus,
            epsilon.epsilon_fill_slope_plus,
            epsilon.epsilon_fill_slope_plus_low,
        )
    return _SideEstimates(
        lambda_.lambda0_minus,
        kappa.kappa_minus,
        epsilon.epsilon_fill_minus,
        epsilon.epsilon_fill_intercept_minus,
        epsilon.epsilon_fill_slope_minus,
        epsilon.epsilon_fill_slope_minus_low,
    )


def toxicity(parameters: ParameterSet, side: Side) -> float | None:
    """Return kappa * epsilon_fill of a side, dimensionless; None if either was not fitted."""
    e = _estimates(parameters, side)
    return None if e.kappa is None or e.epsilon_fill is None else e.kappa * e.epsilon_fill


def no_depth_pays(parameters: ParameterSet, side: Side) -> bool:
    """Return whether the move given a fill grows as fast as the depth, so no depth is profitable.

    With the move a + b*depth this holds for b >= 1. It is assumed only if the published lower 95%
    bound of b is at least 1.
    """
    low = _estimates(parameters, side).slope_low
    return low is not None and low >= 1


def depth_hardly_pays(parameters: ParameterSet, side: Side) -> bool:
    """Return whether the move after a fill takes at least half of an additional depth.

    With the move a + b*depth this holds for b >= 1/2. Where no b of the side was published, the
    other side's counts; without both, it is not assumed.
    """
    slope = _estimates(parameters, side).slope
    if slope is None:
        slope = _estimates(parameters, "ask" if side == "bid" else "bid").slope
    return slope is not None and slope >= _HALF


def toxicity_regime(value: float) -> Regime:
    """Name the regime: below 1 profitable, 1 to 2 competitive, 2 and above toxic."""
    if value < _UNPROFITABLE_FROM:
        return "profitable"
    return "competitive" if value < _TOXIC_FROM else "toxic"


def expected_edge(
    parameters: ParameterSet, side: Side, depth: float, fee: float, age: QuoteAge
) -> float | None:
    """Return the expected profit of a fill at ``depth``, quote currency per unit of base currency.

    ``depth - (a + b*depth) - fee``: the distance earned, less the permanent move after a fill at
    that depth (a >= 0 and b from the regression of the move on depth; the mean epsilon_fill if no
    slope was fitted), less the fee. Of a quote that ages, the distance at the fill is less than
    that decided on, by about kappa*sigma^2*t. None if nothing was fitted.
    """
    e = _estimates(parameters, side)
    line = move_line(e.intercept, e.slope)
    if line is None:
        if e.epsilon_fill is None:
            return None
        line = Move(e.epsilon_fill)
    if e.kappa is None or e.intensity is None:
        age = QuoteAge()
    fills = SideProblem(e.intensity or 0.0, e.kappa or 0.0, *line)
    return age.edge(fills, depth) - fee
