"""Equal κ without a binding floor: the matrix exponential (Cartea et al. 2015, 10.28-10.29).

ω = exp(κh) solves ∂ω/∂τ = Aω. A is shifted by its smallest diagonal entry, so that it has no
negative entry; its exponential then needs only sums and products of non-negative numbers
(Taylor at a short time, then squaring), each entry keeps its relative accuracy, and the powers are
rescaled as they grow, with the scale kept as a logarithm, so that nothing overflows. Tilting ω by
√(A(q,q−1)/A(q−1,q)) from each inventory to the next makes A symmetric: then the largest entry of a
power lies on its diagonal, and squaring never leaves a product of underflows.
"""

import math

import numpy as np
from numpy.typing import NDArray

from advanced_mm.model._layout import COST, FLOOR_DEPTH, INTENSITY, KEPT, STEEPEST, STEEPNESS
from advanced_mm.model.scaled import ScaledProblem, Solution

__all__ = ["MATRIX_EXPONENTIAL", "solve_linear"]

MATRIX_EXPONENTIAL = "matrix exponential"

Float1D = NDArray[np.float64]
Float2D = NDArray[np.float64]

_LARGEST_NORM = 1e2  # of the shifted matrix; rounding of its entries costs 1e-16 of it in a depth
_MOST_INVENTORIES = 401  # the cost of a squaring grows with the cube
# Smaller entries of a power are set to 0, as denormal numbers are a hundred times slower; an ω
# below the second limit might be affected.
_NEGLIGIBLE, _SMALLEST = 1e-290, 1e-250
_TAYLOR_TERMS = 14  # remainder below 1e-17 at norm 1/2
_SETTLED = 1e-13  # gaps this close to their final values grow at the longest horizon's rate


def solve_linear(problem: ScaledProblem) -> Solution | None:
    """Solve over a finite horizon; None if the problem is not, or possibly not, linear."""
    if not _is_linear(problem) or _floor_binds_at_last(problem):
        return None
    n = problem.q.size
    tilt = 0.5 * math.log(problem.sides[0, INTENSITY] / problem.sides[1, INTENSITY])
    tilt -= 0.5 * (problem.sides[0, COST] - problem.sides[1, COST])
    tilted = -_sums_from(problem.reference, problem.terminal_gaps + tilt)
    peak = float(tilted.max())
    if float(np.ptp(tilted)) > -math.log(_SMALLEST):
        return None
    shift = float(problem.source.min())
    matrix = np.diag(problem.source - shift)
    step_down = np.arange(1, n)
    both_ways = math.sqrt(problem.sides[:, INTENSITY].prod())
    both_ways *= math.exp(-1.0 - 0.5 * problem.sides[:, COST].sum())
    matrix[step_down, step_down - 1] = matrix[step_down - 1, step_down] = both_ways
    norm = float(matrix.sum(axis=1).max())
    if norm > _LARGEST_NORM:
        return None

    terminal = np.exp(tilted - peak)
    doublings = math.ceil(math.log2(max(1.0, 2.0 * norm * problem.duration)))
    times, powers, logarithms = _powers(matrix, shift, problem.duration, doublings)
    omegas = np.vstack([terminal, powers @ terminal])
    if not omegas.min() > _SMALLEST:
        return None
    gaps = np.zeros((len(omegas), n + 1))
    gaps[:, 1:-1] = np.log(omegas[:, :-1] / omegas[:, 1:]) - tilt
    slopes = _slopes(problem, gaps)
    if _floor_may_bind(problem, gaps, slopes, np.concatenate([[0.0], times])):
        return None
    # Once the gaps have settled, the level grows at a constant rate; the errors of the logarithms
    # would keep doubling.
    settled = int(np.argmax(np.abs(gaps - gaps[-1]).max(axis=1)[1:] < _SETTLED))
    level = logarithms[settled] + math.log(omegas[settled + 1, problem.reference]) + peak
    level += float(slopes[-1, problem.reference]) * (times[-1] - times[settled])
    return Solution(gaps[-1], problem.terminal_level + level, MATRIX_EXPONENTIAL)


def _is_linear(problem: ScaledProblem) -> bool:
    sides = problem.sides
    return (
        not problem.one_sided
        and problem.q.size <= _MOST_INVENTORIES
        and math.isfinite(problem.duration)
        and bool((sides[:, STEEPNESS] == 1.0).all())  # κ⁺ = κ⁻ = √(κ⁺κ⁻)
        and bool((sides[:, KEPT] == 1.0).all())
        and bool((sides[:, INTENSITY] > 0.0).all())
        and bool((np.abs(sides[:, COST]) < STEEPEST).all())
    )


def _floor_binds_at_last(problem: ScaledProblem) -> bool:
    """Return whether the floor binds in the ergodic problem, as it then does for most horizons."""
    if problem.sides[0, FLOOR_DEPTH] == -math.inf:
        return False
    from advanced_mm.model._kernels import newton_ergodic  # numba: 60 MB that few problems need

    gaps = np.zeros((1, problem.q.size + 1))
    if not newton_ergodic(problem.equation, gaps[0]):
        return False
    return bool((_floor_excess(problem, gaps) > 0.0).any())


def _floor_excess(problem: ScaledProblem, gaps: NDArray[np.float64]) -> Float1D:
    """Return how far the lowest depth is below the floor, for states (k, n + 1)."""
    ask, bid = gaps[:, 1:-1] - problem.sides[0, COST], -gaps[:, 1:-1] - problem.sides[1, COST]
    worst = np.maximum(ask.max(axis=1), bid.max(axis=1))
    return np.asarray(worst + (problem.sides[0, FLOOR_DEPTH] - 1.0))


def _sums_from(reference: int, gaps: Float1D) -> Float1D:
    """Return −g up to its level: cumulative sums of the gaps, 0 at the reference."""
    sums = np.concatenate([[0.0], np.cumsum(gaps[1:-1])])
    return np.asarray(sums - sums[reference])


def _powers(
    matrix: Float2D, shift: float, duration: float, doublings: int
) -> tuple[Float1D, NDArray[np.float64], Float1D]:
    """Compute the exponentials at duration/2^k, k = doublings … 0, scaled by their largest entry.

    Returns the times (k + 1,), the matrices (k + 1, n, n) and the logarithms of their scales
    (k + 1,), shift included.
    """
    first = duration / 2**doublings
    power = np.eye(len(matrix))
    for term in range(_TAYLOR_TERMS, 0, -1):
        power = np.eye(len(matrix)) + (first / term) * (matrix @ power)
    powers = np.empty((doublings + 1, *matrix.shape))
    powers[0] = power
    times = first * 2.0 ** np.arange(doublings + 1)
    logarithms = np.zeros(doublings + 1)
    for k in range(1, doublings + 1):
        power = power @ power
        largest = float(power.max())
        power /= largest
        power[power < _NEGLIGIBLE] = 0.0
        powers[k] = power
        logarithms[k] = 2.0 * logarithms[k - 1] + math.log(largest)
    return times, powers, logarithms + shift * times


def _slopes(problem: ScaledProblem, gaps: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ∂g/∂s (k, n) at states given by their gaps (k, n + 1), without a binding floor."""
    ask, bid = problem.sides
    slopes = np.broadcast_to(problem.source, (len(gaps), problem.q.size)).copy()
    slopes[:, 1:] += ask[INTENSITY] * np.exp(-1.0 - ask[COST] + gaps[:, 1:-1])
    slopes[:, :-1] += bid[INTENSITY] * np.exp(-1.0 - bid[COST] - gaps[:, 1:-1])
    return slopes


def _floor_may_bind(
    problem: ScaledProblem,
    gaps: NDArray[np.float64],
    slopes: NDArray[np.float64],
    times: Float1D,
) -> bool:
    """Return whether a depth can be below the floor at any time, not only at those given.

    u = ∂g/∂s solves u′ = Ju with J a generator, so the spread max u − min u never grows: between
    two times a gap exceeds its larger end by at most half the spread at the first times the
    interval.
    """
    if problem.sides[0, FLOOR_DEPTH] == -math.inf:
        return False
    excess = _floor_excess(problem, gaps)
    wiggle = 0.5 * np.ptp(slopes[:-1], axis=1) * np.diff(times)
    return bool((np.maximum(excess[:-1], excess[1:]) + wiggle > 0.0).any())
