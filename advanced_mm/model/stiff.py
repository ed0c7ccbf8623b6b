"""Solver for any finite horizon: extrapolated linearly implicit Euler (SEULEX)."""

import numpy as np

from advanced_mm.model.scaled import ScaledProblem, Solution

__all__ = ["SEULEX", "solve_stiff"]

SEULEX = "SEULEX"

_TOLERANCE = 1e-11  # per step, in units of 1/√(κ⁺κ⁻); also met by the solution


def solve_stiff(problem: ScaledProblem) -> Solution:
    """Solve over a finite horizon, with unequal κ, floors, one side at a time, impact slopes.

    Raises
    ------
    ArithmeticError
        The integration needs more than 100 000 steps.
    """
    from advanced_mm.model._kernels import integrate  # numba: 60 MB that few problems need

    gaps = problem.terminal_gaps.copy()
    level, steps = integrate(
        problem.equation, gaps, problem.terminal_level, problem.duration, _TOLERANCE
    )
    if steps == 0 or not np.isfinite(gaps).all():
        raise ArithmeticError("The HJB integration did not reach the horizon.")
    return Solution(gaps=gaps, level=level, method=SEULEX)
