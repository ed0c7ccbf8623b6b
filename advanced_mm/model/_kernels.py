"""Compiled arithmetic of the HJB equation: Hamiltonian, tridiagonal steps, SEULEX, Newton.

All kernels work in scaled units: g = h·√(κ⁺κ⁻), lengths times √(κ⁺κ⁻), time s = τ·max(λ⁺, λ⁻).
Inventories are indices 0 … n−1. The state is not g itself but its gaps, ``gaps[i] = g[i−1] − g[i]``
(n + 1 numbers, 0 at both ends), and the level g[reference], kept apart: adding a level that grows
with the horizon to values that stay small would cost their last digits.

``sides`` is a (2, 5) array, ask then bid: λ, κ, cost ε + c, share 1 − b of the depth that is kept,
floor δ_min. ``modes`` is a (2, n) array that says on which branch of F each side is.

The kernels share one module because numba's disk cache watches the file of the outermost function
only: a change to a callee in another file would leave stale machine code behind.
"""

import math

import numpy as np
from numpy.typing import NDArray

from advanced_mm.model._compiled import compiled

__all__ = ["integrate", "newton_ergodic", "rate_at", "stationary_distribution"]

Float1D = NDArray[np.float64]
Float2D = NDArray[np.float64]
Int2D = NDArray[np.int8]

ABSENT, FREE, FLOOR = 0, 1, 2
STEEPEST = 600.0  # beyond −κδ* = 600, F goes on as a straight line: exp would overflow
COLUMNS = 8  # extrapolation columns; more would amplify rounding past the tolerance
FEWEST_COLUMNS = 3  # fewer can agree by accident
FLOOR_SLACK = 1e-6  # F is C¹ at the floor: overshooting by x changes it by x²/2 only
SIDE_SLACK = 1e-11  # max(F⁺, F⁻) has a corner: overshooting changes it in first order
SMALLEST_RATE = 1e-300  # stands in for a rate that underflowed to 0
MOST_STEPS = 100_000
MOST_NEWTON_STEPS = 400


@compiled
def hamiltonian(gain: float, side: Float1D, mode: int) -> tuple[float, float]:
    """F(Δ) and F′(Δ) on a given branch: free optimum, floor, or absent (0)."""
    if mode == ABSENT:
        return 0.0, 0.0
    intensity, kappa, cost, kept, floor = side
    if mode == FLOOR:
        rate = intensity * math.exp(-kappa * floor)
        return rate * (floor * kept + gain - cost), rate
    exponent = kappa * (gain - cost) / kept - 1.0
    if exponent > STEEPEST:
        rate = intensity * math.exp(STEEPEST)
        return rate * kept / kappa * (1.0 + exponent - STEEPEST), rate
    rate = intensity * math.exp(exponent)
    return rate * kept / kappa, rate


@compiled
def floor_excess(gain: float, side: Float1D) -> float:
    """κ(δ_min − δ*): positive where the floor binds."""
    _, kappa, cost, kept, floor = side
    return float(kappa * (floor + (gain - cost) / kept) - 1.0)


@compiled
def choose_modes(gaps: Float1D, sides: Float2D, one_sided: bool, modes: Int2D) -> None:
    """Set each side's branch of F at this state, and with one order at a time its better side."""
    n = modes.shape[1]
    for i in range(n):
        for side in range(2):
            gain = gaps[i] if side == 0 else -gaps[i + 1]
            at_bound = i == 0 if side == 0 else i == n - 1
            if at_bound or sides[side, 0] == 0.0:
                modes[side, i] = ABSENT
            else:
                modes[side, i] = FLOOR if floor_excess(gain, sides[side]) > 0.0 else FREE
        if one_sided:
            ask, _ = hamiltonian(gaps[i], sides[0], modes[0, i])
            bid, _ = hamiltonian(-gaps[i + 1], sides[1], modes[1, i])
            if ask >= bid:
                modes[1, i] = ABSENT
            else:
                modes[0, i] = ABSENT


@compiled
def overshoot(
    gaps: Float1D, sides: Float2D, one_sided: bool, modes: Int2D, margins: Float2D
) -> float:
    """How far the state has left its branches, in units of what may be neglected (1 may).

    ``margins`` (3, n) receives each switch by itself, negative before it is reached: ask floor,
    bid floor, choice of the side. Returns the largest.
    """
    n = modes.shape[1]
    margins[:] = -math.inf
    value = np.zeros(2)
    for i in range(n):
        value[:] = 0.0
        for side in range(2):
            gain = gaps[i] if side == 0 else -gaps[i + 1]
            at_bound = i == 0 if side == 0 else i == n - 1
            if at_bound or sides[side, 0] == 0.0:
                continue
            excess = floor_excess(gain, sides[side])
            mode = modes[side, i]
            if mode == ABSENT:
                mode = FLOOR if excess > 0.0 else FREE
            else:
                margins[side, i] = (excess if mode == FREE else -excess) / FLOOR_SLACK
            value[side], _ = hamiltonian(gain, sides[side], mode)
        if one_sided and (value[0] > 0.0 or value[1] > 0.0):
            lost = value[0] - value[1] if modes[0, i] == ABSENT else value[1] - value[0]
            margins[2, i] = lost / SIDE_SLACK
    return float(margins.max())


@compiled
def crossing_part(before: Float2D, after: Float2D) -> float:
    """Share of a step at which its first switch is half a unit past, by linear interpolation."""
    part = 1.0
    for kind in range(before.shape[0]):
        for i in range(before.shape[1]):
            if after[kind, i] > 1.0:
                rise = after[kind, i] - before[kind, i]
                part = min(part, (0.5 - before[kind, i]) / rise)
    return min(max(part, 0.02), 0.98)


@compiled
def evaluate(
    gaps: Float1D,
    sides: Float2D,
    source: Float1D,
    modes: Int2D,
    slope: Float1D,
    down: Float1D,
    up: Float1D,
) -> None:
    """∂g/∂s into ``slope``; the Jacobian, a birth–death generator, into ``down`` and ``up``."""
    for i in range(source.size):
        ask, down[i] = hamiltonian(gaps[i], sides[0], modes[0, i])
        bid, up[i] = hamiltonian(-gaps[i + 1], sides[1], modes[1, i])
        slope[i] = source[i] + ask + bid


@compiled
def likeliest(down: Float1D, up: Float1D) -> int:
    """Mode of the birth–death chain's stationary distribution: the pin of a step."""
    best, best_log, log_weight = 0, 0.0, 0.0
    for i in range(1, down.size):
        log_weight += math.log((up[i - 1] + SMALLEST_RATE) / (down[i] + SMALLEST_RATE))
        if log_weight > best_log:
            best, best_log = i, log_weight
    return best


@compiled
def factor(
    weight: float, down: Float1D, up: Float1D, pin: int, pivots: Float1D, times: Float1D
) -> float:
    """Pivots of (weight − J) with row ``pin`` left out, free of subtraction, and its 1-solution.

    ``times`` solves (weight − J) y = 1, y[pin] = 0: for weight 0 the expected times to reach the
    pin. Returns 1 plus the pin's rates times its neighbours' y, or 0 where a pivot vanishes
    (an inventory that cannot reach the pin).
    """
    n = down.size
    rest = weight
    for i in range(pin):
        if i > 0:
            rest = weight + down[i] * rest / pivots[i - 1]
        pivots[i] = rest + up[i]
        if not pivots[i] > 0.0:
            return 0.0
    rest = weight
    for i in range(n - 1, pin, -1):
        if i < n - 1:
            rest = weight + up[i] * rest / pivots[i + 1]
        pivots[i] = rest + down[i]
        if not pivots[i] > 0.0:
            return 0.0
    times[:] = 1.0
    back_substitute(down, up, pin, pivots, times)
    return 1.0 + neighbours(down, up, pin, times)


@compiled
def back_substitute(down: Float1D, up: Float1D, pin: int, pivots: Float1D, values: Float1D) -> None:
    """Overwrite a right-hand side by its solution, 0 at the pin."""
    n = down.size
    values[pin] = 0.0
    for i in range(pin):
        carried = down[i] * values[i - 1] if i > 0 else 0.0
        values[i] = (values[i] + carried) / pivots[i]
    for i in range(pin - 1, -1, -1):
        values[i] += up[i] / pivots[i] * values[i + 1]
    for i in range(n - 1, pin, -1):
        carried = up[i] * values[i + 1] if i < n - 1 else 0.0
        values[i] = (values[i] + carried) / pivots[i]
    for i in range(pin + 1, n):
        values[i] += down[i] / pivots[i] * values[i - 1]


@compiled
def neighbours(down: Float1D, up: Float1D, pin: int, values: Float1D) -> float:
    """Rates out of the pin times the values they lead to."""
    total = 0.0
    if pin > 0:
        total += down[pin] * values[pin - 1]
    if pin < down.size - 1:
        total += up[pin] * values[pin + 1]
    return float(total)


@compiled
def implicit_increment(
    slope: Float1D,
    down: Float1D,
    up: Float1D,
    pin: int,
    pivots: Float1D,
    times: Float1D,
    norm: float,
    values: Float1D,
) -> float:
    """One linearly implicit Euler step: shape v (v[pin] = 0) into ``values``, returns the rate c.

    With step H = 1/weight the increment of g is H·c + v. As rows of J sum to 0,
    v·weight − Jv = slope − c: the level never mixes with the shape, and weight 0 is Howard's
    policy evaluation with c = γ.
    """
    base = slope[pin]
    for i in range(slope.size):
        values[i] = slope[i] - base
    back_substitute(down, up, pin, pivots, values)
    surplus = neighbours(down, up, pin, values) / norm
    for i in range(slope.size):
        values[i] -= surplus * times[i]
    return float(base + surplus)


@compiled
def euler_row(
    gaps: Float1D,
    step: float,
    substeps: int,
    sides: Float2D,
    source: Float1D,
    modes: Int2D,
    reference: int,
    jacobian: Float2D,
    row: Float1D,
) -> bool:
    """Increment of (gaps, level) over ``step`` by ``substeps`` Euler steps with one Jacobian."""
    n = source.size
    down, up = jacobian[0], jacobian[1]
    slope, ignored_down, ignored_up = np.empty(n), np.empty(n), np.empty(n)
    pivots, times, values = np.empty(n), np.empty(n), np.empty(n)
    state = gaps.copy()
    row[:] = 0.0
    pin = likeliest(down, up)
    length = step / substeps
    norm = factor(1.0 / length, down, up, pin, pivots, times)
    for _ in range(substeps):
        evaluate(state, sides, source, modes, slope, ignored_down, ignored_up)
        rate = implicit_increment(slope, down, up, pin, pivots, times, norm, values)
        row[n] += length * rate + values[reference]
        for i in range(1, n):
            change = values[i - 1] - values[i]
            row[i] += change
            state[i] += change
    return bool(np.isfinite(row).all())


@compiled
def error_of(
    best: Float1D, second: Float1D, gaps: Float1D, level: float, tolerance: float
) -> float:
    """Largest difference of two columns over the tolerance, relative for what exceeds 1."""
    n = gaps.size - 1
    worst = abs(best[n] - second[n]) / (tolerance * (1.0 + abs(level)))
    for i in range(1, n):
        worst = max(worst, abs(best[i] - second[i]) / (tolerance * (1.0 + abs(gaps[i]))))
    return float(worst)


@compiled
def extrapolated_step(
    gaps: Float1D,
    level: float,
    step: float,
    sides: Float2D,
    source: Float1D,
    modes: Int2D,
    reference: int,
    tolerance: float,
    errors: Float1D,
) -> tuple[int, Float1D]:
    """Extrapolate Euler rows to step number infinity (Aitken–Neville on the harmonic sequence).

    Returns the number of columns at which the error fell below the tolerance (0: it did not) and
    the increment of (gaps, level). ``errors`` receives each column's error.
    """
    n = source.size
    jacobian, slope = np.empty((2, n)), np.empty(n)
    evaluate(gaps, sides, source, modes, slope, jacobian[0], jacobian[1])
    table = np.zeros((COLUMNS + 1, n + 1))
    errors[:] = math.inf
    for j in range(1, COLUMNS + 1):
        if not euler_row(gaps, step, j, sides, source, modes, reference, jacobian, table[j]):
            return 0, table[1]
        for k in range(j - 1, 0, -1):
            table[k] = table[k + 1] + (table[k + 1] - table[k]) / (j / k - 1.0)
        if j == 1:
            continue
        errors[j] = error_of(table[1], table[2], gaps, level, tolerance)
        if j >= FEWEST_COLUMNS and errors[j] <= 1.0:
            return j, table[1]
        if j > FEWEST_COLUMNS and errors[j] > errors[j - 1]:
            break
    return 0, table[1]


@compiled
def next_step(step: float, columns: int, errors: Float1D) -> float:
    """The step that does the least work for its length, from the errors of the columns built."""
    best, best_work, work = step, math.inf, 1.0
    for j in range(2, columns + 1):
        work += j
        factor_j = min(10.0, 0.8 * (0.5 / max(errors[j], 1e-300)) ** (1.0 / j))
        if j >= FEWEST_COLUMNS and work / factor_j < best_work:
            best, best_work = step * factor_j, work / factor_j
    if columns < COLUMNS and best_work == work / (best / step):
        best *= (work + columns + 1) / work  # as well with one column more
    return float(best)


@compiled
def integrate(
    gaps: Float1D,
    level: float,
    duration: float,
    sides: Float2D,
    source: Float1D,
    one_sided: bool,
    reference: int,
    tolerance: float,
) -> tuple[float, int]:
    """Advance ``gaps`` in place by SEULEX; returns the level and the steps (0: it failed).

    Each step keeps the branch of F that every side has at its start, so that the equation is
    smooth inside; a step that leaves its branches is cut at the first crossing. The step is
    extrapolated linearly implicit Euler (Hairer & Wanner, Solving ODEs II, IV.9).
    """
    n = source.size
    modes = np.zeros((2, n), dtype=np.int8)
    before, after, beyond = np.empty((3, n)), np.empty((3, n)), np.empty((3, n))
    errors = np.empty(COLUMNS + 1)
    trial = gaps.copy()
    done, step, crossing = 0.0, min(duration, 1e-2), math.inf
    choose_modes(gaps, sides, one_sided, modes)
    overshoot(gaps, sides, one_sided, modes, before)
    for steps in range(1, MOST_STEPS):
        length = min(step, duration - done)
        if crossing < math.inf:
            length = min(length, (crossing - done) * crossing_part(before, beyond))
        columns, increment = extrapolated_step(
            gaps, level, length, sides, source, modes, reference, tolerance, errors
        )
        if columns == 0:
            step = 0.3 * length
            continue
        for i in range(1, n):
            trial[i] = gaps[i] + increment[i]
        reached = overshoot(trial, sides, one_sided, modes, after)
        if reached > 1.0:
            crossing = done + length
            beyond[:] = after
            continue
        step = max(next_step(length, columns, errors), step if crossing < math.inf else 0.0)
        gaps[:] = trial
        level += increment[n]
        done += length
        if done >= duration * (1.0 - 1e-14):
            return level, steps
        choose_modes(gaps, sides, one_sided, modes)
        overshoot(gaps, sides, one_sided, modes, before)
        if reached > 0.0:
            crossing = math.inf
    return level, 0


@compiled
def newton_ergodic(
    gaps: Float1D,
    sides: Float2D,
    source: Float1D,
    one_sided: bool,
) -> tuple[float, bool]:
    """Solve G(g) = γ·1 in place: implicit Euler with growing steps, then Howard's iteration.

    Each iteration is one Newton step of an implicit Euler step ten times longer than the last;
    in the end the step is infinite and Newton is Howard's policy iteration. Returns γ (scaled)
    and whether it converged; it does not where the best policy leaves classes of inventories
    that cannot reach each other.
    """
    n = source.size
    modes = np.zeros((2, n), dtype=np.int8)
    slope, down, up = np.empty(n), np.empty(n), np.empty(n)
    pivots, times, values = np.empty(n), np.empty(n), np.empty(n)
    weight, last_change = 1.0, math.inf
    for _ in range(MOST_NEWTON_STEPS):
        choose_modes(gaps, sides, one_sided, modes)
        evaluate(gaps, sides, source, modes, slope, down, up)
        pin = likeliest(down, up)
        norm = factor(weight, down, up, pin, pivots, times)
        if norm == 0.0:
            return 0.0, False
        rate = implicit_increment(slope, down, up, pin, pivots, times, norm, values)
        change = 0.0
        for i in range(1, n):
            increment = values[i - 1] - values[i]
            gaps[i] += increment
            change = max(change, abs(increment) / (1.0 + abs(gaps[i])))
        if not math.isfinite(change):
            return 0.0, False
        if weight == 0.0 and (change < 1e-14 or (change < 1e-11 and change >= last_change)):
            return rate, True
        last_change = change
        weight = 0.0 if weight < 1e-6 else 0.1 * weight
    return 0.0, False


@compiled
def rate_at(gaps: Float1D, sides: Float2D, source: Float1D, one_sided: bool, index: int) -> float:
    """∂g/∂s at one inventory."""
    n = source.size
    modes = np.zeros((2, n), dtype=np.int8)
    slope, down, up = np.empty(n), np.empty(n), np.empty(n)
    choose_modes(gaps, sides, one_sided, modes)
    evaluate(gaps, sides, source, modes, slope, down, up)
    return float(slope[index])


@compiled
def stationary_distribution(down: Float1D, up: Float1D, start: int) -> Float1D:
    """Where a birth–death chain spends its time in the long run, from ``start``.

    Abel mean: the transposed resolvent at a rate so small (1e-15 of the largest) that only classes
    that never meet keep the chain from forgetting its start. Free of subtraction.
    """
    n = down.size
    weight = 1e-15 * max(down.max(), up.max(), SMALLEST_RATE)
    pivots, share = np.empty(n), np.zeros(n)
    rest = weight
    for i in range(n):
        if i > 0:
            rest = weight + down[i] * rest / pivots[i - 1]
        pivots[i] = rest + up[i]
    share[start] = 1.0
    for i in range(n):
        carried = up[i - 1] * share[i - 1] if i > 0 else 0.0
        share[i] = (share[i] + carried) / pivots[i]
    for i in range(n - 2, -1, -1):
        share[i] += down[i + 1] / pivots[i] * share[i + 1]
    share /= share.sum()
    return share
