"""The market without a closing bell: G(h) = γ·1."""

from dataclasses import replace

import numpy as np

from advanced_mm.model import _kernels
from advanced_mm.model.scaled import ScaledProblem, Solution
from advanced_mm.model.stiff import solve_stiff

__all__ = ["POLICY_ITERATION", "SEULEX_ONE_DAY", "solve_ergodic"]

POLICY_ITERATION = "policy iteration"
SEULEX_ONE_DAY = "SEULEX over one day"

_ONE_DAY_SECONDS = 86_400.0


def solve_ergodic(problem: ScaledProblem) -> Solution:
    """Solve the ergodic problem; the level is 0 at the reference inventory.

    Where no ergodic solution is found (one side alone is quoted, or the best one-sided policy
    splits the inventories into classes that never meet), the problem is solved over one day.
    """
    gaps = np.zeros(problem.q.size + 1)
    if _kernels.newton_ergodic(problem.equation, gaps):
        return Solution(gaps=gaps, level=0.0, method=POLICY_ITERATION)
    day = replace(
        problem,
        duration=_ONE_DAY_SECONDS * problem.rate_scale,
        terminal_gaps=np.zeros(problem.q.size + 1),
        terminal_level=0.0,
    )
    return replace(solve_stiff(day), level=0.0, method=SEULEX_ONE_DAY)
