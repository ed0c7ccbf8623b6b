"""Optimal depths from parameters: choice of the solver and conversion back to units."""

import math

import numpy as np
from numpy.typing import NDArray

from advanced_mm.model._layout import (
    COST,
    FLOOR_DEPTH,
    FLOOR_RATE,
    INTENSITY,
    KEPT,
    STEEPEST,
    STEEPNESS,
    WORTH,
)
from advanced_mm.model.ergodic import solve_ergodic
from advanced_mm.model.inventory import stationary_distribution
from advanced_mm.model.linear import solve_linear
from advanced_mm.model.parameters import ModelParameters
from advanced_mm.model.scaled import ScaledProblem, Solution, scale
from advanced_mm.model.stiff import solve_stiff
from advanced_mm.model.value_function import ValueFunction

__all__ = ["solve"]

Float1D = NDArray[np.float64]
Float2D = NDArray[np.float64]

_TIE = 1e-9  # relative difference in worth below which the two sides are equal


def solve(parameters: ModelParameters) -> ValueFunction:
    """Solve the HJB equation of market making with adverse selection.

    Maximises E[X_T + Q_T S_T − αQ_T² − k|Q_T| − φ∫Q²] over the depths (Cartea, Jaimungal & Penalva
    2015, 10.2 and 10.4.1), with the fee inside the equation, sides absent at the bounds and a
    floor on the depths.

    The ergodic problem is solved by policy iteration or, if each inventory can only change in one
    direction, by a formula. Over a finite horizon, equal κ on both sides without a binding floor is
    linear and solved by a matrix exponential; all other cases use a stiff integrator.

    Parameters
    ----------
    parameters
        The market, the penalties, the bounds and the horizon.

    Returns
    -------
    ValueFunction
        Value and depths at τ = T; ``method`` names the solver.

    Examples
    --------
    >>> case = ModelParameters(lambda_plus=1, lambda_minus=1, kappa_plus=100, kappa_minus=100,
    ...                        phi=1e-5, q_min=-3, q_max=3)
    >>> round(solve(case).value_rate, 8)
    0.00677681
    """
    problem = scale(parameters)
    if parameters.horizon_seconds is None:
        solution = solve_ergodic(problem)
    else:
        solution = solve_linear(problem) or solve_stiff(problem)
    return _with_units(parameters, problem, solution)


def _with_units(
    parameters: ModelParameters, problem: ScaledProblem, solution: Solution
) -> ValueFunction:
    depths, worth = _depths_and_worth(problem, solution)
    intensities = np.array([[parameters.lambda_plus], [parameters.lambda_minus]])
    kappas = np.array([[parameters.kappa_plus], [parameters.kappa_minus]])
    depths /= problem.price_scale
    fills = intensities * np.exp(-kappas * depths)
    sums = np.concatenate([[0.0], -np.cumsum(solution.gaps[1:-1])])
    at_reference = worth[:, problem.reference]
    rate = problem.source[problem.reference] + (
        at_reference.max() if problem.one_sided else at_reference.sum()
    )
    return ValueFunction(
        q=problem.q,
        h=(solution.level + (sums - sums[problem.reference])) / problem.price_scale,
        ask_depth=depths[0],
        bid_depth=depths[1],
        value_rate=float(rate) * problem.rate_scale / problem.price_scale,
        ask_intensity=fills[0],
        bid_intensity=fills[1],
        inventory_drift=fills[1] - fills[0],
        stationary_distribution=stationary_distribution(fills[0], fills[1], problem.reference),
        method=solution.method,
        parameters=parameters,
    )


def _depths_and_worth(problem: ScaledProblem, solution: Solution) -> tuple[Float2D, Float2D]:
    """Return scaled optimal depths and F, both (2, n), ask then bid; inf and 0 where absent."""
    gaps = solution.gaps
    gains = np.stack([gaps[:-1], -gaps[1:]])
    columns = problem.sides.T[:, :, None]
    net = gains - columns[COST]
    free = (columns[WORTH] - net) / columns[KEPT]
    exponent = np.minimum(net * columns[STEEPNESS] - 1.0, STEEPEST)
    depths = np.maximum(columns[FLOOR_DEPTH], free)
    worth = np.where(
        free > columns[FLOOR_DEPTH],
        columns[INTENSITY] * np.exp(exponent) * columns[WORTH],
        columns[FLOOR_RATE] * (columns[FLOOR_DEPTH] * columns[KEPT] + net),
    )
    absent = np.repeat(problem.sides[:, INTENSITY, None] == 0.0, problem.q.size, axis=1)
    absent[0, 0] = absent[1, -1] = True
    if solution.withdrawn is not None:
        absent |= solution.withdrawn
    worth[absent] = 0.0
    if problem.one_sided:
        absent |= _worse_side(problem.q, worth)
    depths[absent] = math.inf
    return depths, worth


def _worse_side(q: NDArray[np.int64], worth: Float2D) -> NDArray[np.bool_]:
    """Return the side worth less (2, n); on a tie the one leading away from 0, at 0 the ask."""
    ask, bid = worth
    tie = np.abs(ask - bid) <= _TIE * np.maximum(ask, bid)
    keep_ask = np.where(tie, q > 0, ask > bid)
    return np.stack([~keep_ask, keep_ask])
