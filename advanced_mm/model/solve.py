"""From parameters to optimal depths: choice of the solver and the way back to units."""

import math

import numpy as np
from numpy.typing import NDArray

from advanced_mm.model import _kernels
from advanced_mm.model.ergodic import solve_ergodic
from advanced_mm.model.linear import solve_linear
from advanced_mm.model.parameters import ModelParameters
from advanced_mm.model.scaled import ScaledProblem, Solution, scale
from advanced_mm.model.stiff import solve_stiff
from advanced_mm.model.value_function import ValueFunction

__all__ = ["solve"]

Float1D = NDArray[np.float64]
Float2D = NDArray[np.float64]

_TIE = 1e-9  # relative difference below which the two sides are worth the same


def solve(parameters: ModelParameters) -> ValueFunction:
    """Solve the HJB equation of market making with adverse selection.

    Maximises E[X_T + Q_T S_T − αQ_T² − k|Q_T| − φ∫Q²] over the depths (Cartea, Jaimungal & Penalva
    2015, 10.2 and 10.4.1), with the fee inside the equation, sides absent at the bounds and a
    floor on the depths.

    The ergodic problem is solved by policy iteration. Over a finite horizon, equal κ on both sides
    with no floor binding at any time is linear and solved by a matrix exponential; all else by a
    stiff integrator.

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
    depths = _depths(problem, solution.gaps)
    with np.errstate(under="ignore"):
        ask_intensity, bid_intensity = (
            intensity * np.exp(-kappa * depth)
            for intensity, kappa, depth in zip(
                problem.sides[:, 0] * problem.rate_scale, problem.sides[:, 1], depths, strict=True
            )
        )
    sums = np.concatenate([[0.0], -np.cumsum(solution.gaps[1:-1])])
    g = solution.level + (sums - sums[problem.reference])
    return ValueFunction(
        q=problem.q,
        h=g / problem.price_scale,
        ask_depth=depths[0] / problem.price_scale,
        bid_depth=depths[1] / problem.price_scale,
        value_rate=solution.rate * problem.rate_scale / problem.price_scale,
        ask_intensity=ask_intensity,
        bid_intensity=bid_intensity,
        inventory_drift=bid_intensity - ask_intensity,
        stationary_distribution=_kernels.stationary_distribution(
            ask_intensity, bid_intensity, problem.reference
        ),
        method=solution.method,
        parameters=parameters,
    )


def _depths(problem: ScaledProblem, gaps: Float1D) -> Float2D:
    """Scaled optimal depths (2, n), ask then bid; infinite where a side is absent."""
    gains = np.stack([gaps[:-1], -gaps[1:]])
    intensity, kappa, cost, kept, floor = (column[:, None] for column in problem.sides.T)
    depths: Float2D = np.maximum(floor, 1.0 / kappa + (cost - gains) / kept)
    depths[0, 0] = depths[1, -1] = math.inf
    depths[np.broadcast_to(intensity == 0.0, depths.shape)] = math.inf
    if problem.one_sided:
        with np.errstate(under="ignore", invalid="ignore"):
            worth = intensity * np.exp(-kappa * depths) * (depths * kept + gains - cost)
        _keep_better_side(problem.q, depths, np.nan_to_num(worth, nan=0.0))
    return depths


def _keep_better_side(q: NDArray[np.int64], depths: Float2D, worth: Float2D) -> None:
    """Withdraw the side worth less; of equals, keep the way towards 0, at 0 the bid."""
    ask, bid = worth
    tie = np.abs(ask - bid) <= _TIE * np.maximum(ask, bid)
    ask_better = np.where(tie, q > 0, ask > bid)
    depths[0, ~ask_better] = math.inf
    depths[1, ask_better] = math.inf
