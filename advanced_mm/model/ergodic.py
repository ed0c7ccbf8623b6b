"""The market without a closing bell: G(h) = γ·1, or the limit of ever longer sessions."""

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
_DEAREST = 1e9  # κ·cost: beyond, the formulas' differences would have lost more than nine digits


def solve_ergodic(problem: ScaledProblem) -> Solution:
    """Solve the ergodic problem; the level is 0 at the reference inventory.

    Two sides are solved by policy iteration; one order at a time (which is all that two inventories
    can have), and a market of which one side is withdrawn, by formulas (``one_way``). Where a
    problem has no ergodic depths (a side is withdrawn and inventory costs nothing: the depth then
    grows with the logarithm of the horizon) or its fills are too rare for floating point, it is
    solved over one day.
    """
    solution = _solve_without_bell(problem)
    if solution is not None:
        return solution
    day = replace(
        problem,
        duration=_ONE_DAY_SECONDS * problem.rate_scale,
        terminal_gaps=np.zeros(problem.q.size + 1),
        terminal_level=0.0,
    )
    return replace(solve_stiff(day), level=0.0, method=SEULEX_ONE_DAY)


def _solve_without_bell(problem: ScaledProblem) -> Solution | None:
    if (problem.sides[:, INTENSITY] == 0.0).any():
        return solve_run_off(problem)
    if problem.one_sided:
        return None if _too_dear(problem) else solve_one_order(problem)
    if problem.q.size == 2 and (solution := _solve_two_inventories(problem)) is not None:
        return solution
    from advanced_mm.model._kernels import newton_ergodic  # numba: 60 MB that few problems need

    gaps = np.zeros(problem.q.size + 1)
    if not newton_ergodic(problem.equation, gaps):
        return None
    return Solution(gaps=gaps, level=0.0, method=POLICY_ITERATION)


def _solve_two_inventories(problem: ScaledProblem) -> Solution | None:
    """Each of two inventories can have one order alone, so that the formula for those holds.

    None where it does not: where fills are too rare or dear, or F goes on as a straight line.
    """
    costs, steepness = problem.sides[:, COST], problem.sides[:, STEEPNESS]
    if (-costs * steepness > STEEPEST).any() or _too_dear(problem):
        return None
    solution = solve_one_order(problem)
    if solution is None:
        return None
    gains = np.array([solution.gaps[1], -solution.gaps[1]])
    return solution if ((gains - costs) * steepness <= STEEPEST).all() else None


def _too_dear(problem: ScaledProblem) -> bool:
    return bool((problem.sides[:, COST] * problem.sides[:, STEEPNESS] > _DEAREST).any())
