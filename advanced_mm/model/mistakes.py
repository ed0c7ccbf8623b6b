"""Well-known mistakes of public solvers, as policies that can be simulated and valued.

Each returns the quotes of the flawed solver on the given market. The bounds of that market still
apply: nothing rests where a fill is impossible.
"""

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from advanced_mm.errors import InputError
from advanced_mm.model.ergodic import solve_ergodic
from advanced_mm.model.linear import solve_linear
from advanced_mm.model.parameters import ModelParameters
from advanced_mm.model.policy import DepthPolicy, keep_one_side, optimal_depths, tabulate
from advanced_mm.model.scaled import scale
from advanced_mm.model.stiff import solve_stiff

__all__ = ["averaged_kappa", "fee_outside", "phantom_fill", "wrong_bounds"]

Float1D = NDArray[np.float64]
Float2D = NDArray[np.float64]


def averaged_kappa(parameters: ModelParameters, steps: int = 300) -> DepthPolicy:
    """Return the depths with the mean κ on both sides, as the linear equation requires.

    Parameters
    ----------
    parameters
        The market the depths are used on.
    steps
        Rows over a finite horizon.
    """
    mean = (parameters.kappa_plus + parameters.kappa_minus) / 2.0

    def depths_at(problem: ModelParameters) -> tuple[Float1D, Float1D]:
        return optimal_depths(replace(problem, kappa_plus=mean, kappa_minus=mean))

    return tabulate(parameters, depths_at, name="averaged κ", steps=steps)


def fee_outside(parameters: ModelParameters, *, times: int = 2, steps: int = 300) -> DepthPolicy:
    """Return depths solved without the fee, which is then added to both.

    Parameters
    ----------
    parameters
        The market the depths are used on.
    times
        How many times the fee is added: twice in earlier public code; 0 ignores the fee. The floor
        on the depths is kept.
    steps
        Rows over a finite horizon.
    """
    if times < 0:
        raise InputError(f"times = {times!r} must be at least 0.")

    def depths_at(problem: ModelParameters) -> tuple[Float1D, Float1D]:
        ask, bid = optimal_depths(replace(problem, fee=0.0))
        added, floor = times * problem.fee, problem.min_depth
        return np.maximum(ask + added, floor), np.maximum(bid + added, floor)

    name = "fee outside" if times else "fee ignored"
    return tabulate(parameters, depths_at, name=name, steps=steps)


def wrong_bounds(
    parameters: ModelParameters, q_min: int, q_max: int, steps: int = 300
) -> DepthPolicy:
    """Return depths solved on inventories other than those the bot can reach.

    Parameters
    ----------
    parameters
        The market the depths are used on; its bounds are the bot's.
    q_min, q_max
        Bounds the depths are solved for, units.
    steps
        Rows over a finite horizon.

    Raises
    ------
    InputError
        If none of the bot's inventories lies within these bounds.
    """
    if q_max < parameters.q_min or q_min > parameters.q_max:
        raise InputError(
            f"q_min = {q_min} and q_max = {q_max} must overlap with the bot's inventories "
            f"{parameters.q_min} … {parameters.q_max}."
        )
    assumed = replace(parameters, q_min=q_min, q_max=q_max)
    return tabulate(assumed, optimal_depths, name="wrong bounds", steps=steps)


def phantom_fill(parameters: ModelParameters, steps: int = 300) -> DepthPolicy:
    """Return the depths of an equation with fills beyond the bounds.

    Earlier public solvers clamp h(q ± 1) to h(q) at the bounds and thus add F⁺(0) at q_min and
    F⁻(0) at q_max: fills that cannot happen. They only support two quotes at a time; a bot that
    rests a single order uses the side worth more.

    Parameters
    ----------
    parameters
        The market the depths are used on.
    steps
        Rows over a finite horizon.
    """
    return tabulate(parameters, _phantom_depths, name="phantom fill", steps=steps)


def _phantom_depths(parameters: ModelParameters) -> tuple[Float1D, Float1D]:
    problem = scale(replace(parameters, sides="both"))
    _, phantom = _depths_and_worth(parameters, np.zeros((2, 1)))
    source = problem.source.copy()
    source[[0, -1]] += phantom[:, 0] * (problem.price_scale / problem.rate_scale)
    problem = replace(problem, source=source)
    if parameters.horizon_seconds is None:
        solution = solve_ergodic(problem)
    else:
        solution = solve_linear(problem) or solve_stiff(problem)
    gains = np.stack([solution.gaps[:-1], -solution.gaps[1:]]) / problem.price_scale
    depths, worth = _depths_and_worth(parameters, gains)
    depths[0, 0] = depths[1, -1] = math.inf
    if solution.withdrawn is not None:
        depths[solution.withdrawn] = math.inf
    if parameters.sides == "one":
        worth[np.isinf(depths)] = -math.inf
        return keep_one_side(problem.q, depths[0], depths[1], worth[0], worth[1])
    return depths[0], depths[1]


def _depths_and_worth(parameters: ModelParameters, gains: Float2D) -> tuple[Float2D, Float2D]:
    """Return optimal depths and F, both (2, n), ask then bid, for gains Δ of h by a fill (2, n)."""
    p = parameters
    intensity = np.array([[p.lambda_plus], [p.lambda_minus]])
    kappa = np.array([[p.kappa_plus], [p.kappa_minus]])
    net = gains - (np.array([[p.epsilon_plus], [p.epsilon_minus]]) + p.fee)
    kept = 1.0 - np.array([[p.impact_slope_plus], [p.impact_slope_minus]])
    pays = kept > 0.0
    kept = np.where(pays, kept, 1.0)
    depths = np.maximum(p.min_depth, 1.0 / kappa - net / kept)
    worth = intensity * np.exp(-kappa * depths) * (depths * kept + net)
    return np.where(pays, depths, math.inf), np.where(pays, worth, 0.0)
