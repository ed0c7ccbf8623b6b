"""Any finite horizon: extrapolated linearly implicit Euler (SEULEX)."""

import numpy as np

from advanced_mm.model import _kernels
from advanced_mm.model.scaled import ScaledProblem, Solution

__all__ = ["SEULEX", "solve_stiff"]

SEULEX = "SEULEX"

_TOLERANCE = 1e-12


def solve_stiff(problem: ScaledProblem) -> Solution:
    """Solve over a finite horizon, with unequal κ, floors, one side at a time, impact slopes.

    Raises
    ------
    ArithmeticError
        If the integration needs more than 100 000 steps.
    """
    gaps = problem.terminal_gaps.copy()
    level, steps = _kernels.integrate(
        gaps,
        problem.terminal_level,
        problem.duration,
        problem.sides,
        problem.source,
        problem.one_sided,
        problem.reference,
        _TOLERANCE,
    )
    if steps == 0 or not np.isfinite(gaps).all():
        raise ArithmeticError("The HJB integration did not reach its horizon.")
    rate = _kernels.rate_at(
        gaps, problem.sides, problem.source, problem.one_sided, problem.reference
    )
    return Solution(gaps=gaps, level=level, rate=rate, method=SEULEX)
