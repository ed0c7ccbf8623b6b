"""Ergodic problem G(h) = γ·1, the limit of ever longer sessions."""

from dataclasses import replace

import numpy as np

from advanced_mm.model._layout import COST, INTENSITY, STEEPEST, STEEPNESS
from advanced_mm.model.one_way import solve_one_order, solve_run_off
from advanced_mm.model.scaled import ScaledProblem, Solution
from advanced_mm.model.stiff import solve_stiff

__all__ = ["POLICY_ITERATION", "SEULEX_ONE_DAY", "solve_ergodic"]

POLICY_ITERATION = "policy iteration"
SEULEX_ONE_DAY = "SEULEX over one day"

_ONE_DAY_SECONDS = 86_400.0
_HIGHEST_COST = 1e9  # κ·cost: beyond, differences in the formulas lose more than nine digits


def solve_ergodic(problem: ScaledProblem) -> Solution:
    """Solve the ergodic problem; the level is 0 at the reference inventory.

    Two sides are solved by policy iteration. One order at a time (which is always the case for two
    inventories) and markets with a withdrawn side are solved by formulas (``one_way``). A problem
    without ergodic depths (a side is withdrawn and inventory costs nothing, so the depth grows with
    the logarithm of the horizon), or with fills too rare for floating point, is solved over one
    day.
    """
    solution = _solve_long_run(problem)
    if solution is not None:
        return solution
    day = replace(
        problem,
        duration=_ONE_DAY_SECONDS * problem.rate_scale,
        terminal_gaps=np.zeros(problem.q.size + 1),
        terminal_level=0.0,
    )
    return replace(solve_stiff(day), level=0.0, method=SEULEX_ONE_DAY)


def _solve_long_run(problem: ScaledProblem) -> Solution | None:
    if (problem.sides[:, INTENSITY] == 0.0).any():
        return solve_run_off(problem)
    if problem.one_sided:
        return None if _too_costly(problem) else solve_one_order(problem)
    if problem.q.size == 2 and (solution := _solve_two_inventories(problem)) is not None:
        return solution
    from advanced_mm.model._kernels import newton_ergodic  # numba: 60 MB that few problems need

    gaps = np.zeros(problem.q.size + 1)
    if not newton_ergodic(problem.equation, gaps):
        return None
    return Solution(gaps=gaps, level=0.0, method=POLICY_ITERATION)


def _solve_two_inventories(problem: ScaledProblem) -> Solution | None:
    """Solve two inventories by the formula for one order at a time, as each has a single order.

    None if it does not apply: fills are too rare or costly, or F is continued linearly.
    """
    costs, steepness = problem.sides[:, COST], problem.sides[:, STEEPNESS]
    if (-costs * steepness > STEEPEST).any() or _too_costly(problem):
        return None
    solution = solve_one_order(problem)
    if solution is None:
        return None
    gains = np.array([solution.gaps[1], -solution.gaps[1]])
    return solution if ((gains - costs) * steepness <= STEEPEST).all() else None


def _too_costly(problem: ScaledProblem) -> bool:
    return bool((problem.sides[:, COST] * problem.sides[:, STEEPNESS] > _HIGHEST_COST).any())
