"""Compiled arithmetic of the HJB equation: Hamiltonian, tridiagonal steps, SEULEX, Newton.

All kernels work in scaled units (see ``scaled.py``). Inventories are indices 0 … n−1. The state is
not g itself but its gaps, ``gaps[i] = g[i−1] − g[i]`` (n + 1 numbers, 0 at both ends), and the
level g[reference], kept apart: a level that grows with the horizon would cost the last digits of
values that stay small. An ask gains ``gaps[i]``, a bid ``−gaps[i + 1]``.

The kernels share one module because numba's disk cache only checks the outermost function's file.
"""

import math

import numpy as np

from advanced_mm.compiled import compiled
from advanced_mm.model._layout import (
    ABSENT,
    COST,
    FLOOR,
    FLOOR_DEPTH,
    FLOOR_RATE,
    FREE,
    INTENSITY,
    KEPT,
    STEEPEST,
    STEEPNESS,
    WORTH,
    Equation,
    Float1D,
    Float2D,
    Int2D,
    Workspace,
)

__all__ = ["integrate", "newton_ergodic"]

COLUMNS = 8  # extrapolation columns; more would amplify rounding past the tolerance
FEWEST_COLUMNS = 3  # fewer may agree by chance
SAFETY = 0.3  # target error of the next step, share of the tolerance
TIE = 1e-13  # relative difference in worth below which sides are equal: the ask is used
SWITCH_ERROR = 1e-12  # tolerated error in g from overshooting a switch of branch
TINY, MOST_STEPS, MOST_NEWTON_STEPS = 1e-300, 100_000, 400  # TINY avoids division by 0


@compiled
def workspace(n: int) -> Workspace:
    """Allocate the arrays for n inventories."""
    modes = np.zeros((2, n), dtype=np.int8)
    slope, down, up, pivots, times, values = np.empty((6, n))
    state, table, errors = np.empty(n + 1), np.empty((COLUMNS + 1, n + 1)), np.empty(COLUMNS + 1)
    return Workspace(modes, slope, down, up, pivots, times, values, state, table, errors)


@compiled
def hamiltonian(gain: float, sides: Float2D, side: int, mode: int) -> tuple[float, float]:
    """Return F(Δ) and F′(Δ) on a given branch: free optimum, floor, or absent (0)."""
    if mode == ABSENT:
        return 0.0, 0.0
    net = gain - sides[side, COST]
    if mode == FLOOR:
        rate = sides[side, FLOOR_RATE]
        return rate * (sides[side, FLOOR_DEPTH] * sides[side, KEPT] + net), rate
    exponent = net * sides[side, STEEPNESS] - 1.0
    if exponent > STEEPEST:
        rate = sides[side, INTENSITY] * math.exp(STEEPEST)
        return rate * sides[side, WORTH] * (1.0 + exponent - STEEPEST), rate
    rate = sides[side, INTENSITY] * math.exp(exponent)
    return rate * sides[side, WORTH], rate


@compiled
def floor_excess(gain: float, sides: Float2D, side: int) -> float:
    """Return κ(δ_min − δ*), positive where the floor binds."""
    net = sides[side, FLOOR_DEPTH] * sides[side, KEPT] + gain - sides[side, COST]
    return float(net * sides[side, STEEPNESS] - 1.0)


@compiled
def choose_modes(equation: Equation, gaps: Float1D, modes: Int2D) -> None:
    """Set each side's branch of F at this state; with one order at a time, drop the worse side."""
    sides, n = equation.sides, equation.source.size
    for i in range(n):
        for side in range(2):
            gain = gaps[i] if side == 0 else -gaps[i + 1]
            if i == side * (n - 1) or sides[side, INTENSITY] == 0.0:
                modes[side, i] = ABSENT
            else:
                modes[side, i] = FLOOR if floor_excess(gain, sides, side) > 0.0 else FREE
        if equation.one_sided:
            ask, _ = hamiltonian(gaps[i], sides, 0, modes[0, i])
            bid, _ = hamiltonian(-gaps[i + 1], sides, 1, modes[1, i])
            if ask >= bid * (1.0 - TIE):
                modes[1, i] = ABSENT
            else:
                modes[0, i] = ABSENT


@compiled
def measure(equation: Equation, gaps: Float1D, modes: Int2D, margins: Float2D) -> None:
    """Measure how far the state has left its branches, negative before the switch.

    ``margins`` (3, n): ask floor and bid floor in κδ, and how much the chosen side is worse than
    the other.
    """
    sides, n = equation.sides, equation.source.size
    margins[:] = -math.inf
    for i in range(n):
        ask = bid = 0.0
        for side in range(2):
            if i == side * (n - 1) or sides[side, INTENSITY] == 0.0:
                continue
            gain = gaps[i] if side == 0 else -gaps[i + 1]
            excess = floor_excess(gain, sides, side)
            mode = modes[side, i]
            if mode == ABSENT:
                mode = FLOOR if excess > 0.0 else FREE
            else:
                margins[side, i] = excess if mode == FREE else -excess
            if equation.one_sided:
                worth, _ = hamiltonian(gain, sides, side, mode)
                ask, bid = (worth, bid) if side == 0 else (ask, worth)
        if ask > 0.0 or bid > 0.0:
            margins[2, i] = ask - bid if modes[0, i] == ABSENT else bid - ask


@compiled
def switch_part(before: Float2D, after: Float2D, length: float) -> float:
    """Return the share of a step at which to end it because of a switch; 1 to keep it.

    Margins are assumed linear in time. Past a switch the wrong branch is followed: an overshoot of
    x after a time t costs x²t/6 at the floor, where F is C¹, and xt/2 at the corner of
    max(F⁺, F⁻). A step with too large an error is cut to a tenth of the tolerated error, which is
    past the switch, so that the next step does not find it at its start.
    """
    part = 1.0
    for kind in range(3):
        for i in range(before.shape[1]):
            x = after[kind, i]
            if not x > (TIE if kind == 2 else 0.0):
                continue
            rise = max(x - before[kind, i], TINY)
            late = length * min(x / rise, 1.0)
            cost = x * late / 2.0 if kind == 2 else x * x * late / 6.0
            if cost > SWITCH_ERROR:
                order = 2.0 if kind == 2 else 3.0
                keep = x * (0.1 * SWITCH_ERROR / cost) ** (1.0 / order)
                part = min(part, max((keep - before[kind, i]) / rise, 0.02))
    return part


@compiled
def evaluate(equation: Equation, gaps: Float1D, work: Workspace, jacobian: bool) -> None:
    """Compute ∂g/∂s into ``work.slope`` and optionally the Jacobian into ``down`` and ``up``."""
    for i in range(equation.source.size):
        ask, fills_ask = hamiltonian(gaps[i], equation.sides, 0, work.modes[0, i])
        bid, fills_bid = hamiltonian(-gaps[i + 1], equation.sides, 1, work.modes[1, i])
        work.slope[i] = equation.source[i] + ask + bid
        if jacobian:
            work.down[i], work.up[i] = fills_ask, fills_bid


@compiled
def likeliest(down: Float1D, up: Float1D) -> int:
    """Return the mode of the birth–death chain's stationary distribution, the pin of a step."""
    best, best_log, log_weight = 0, 0.0, 0.0
    for i in range(1, down.size):
        log_weight += math.log(up[i - 1] + TINY) - math.log(down[i] + TINY)
        if log_weight > best_log:
            best, best_log = i, log_weight
    return best


@compiled
def factor(weight: float, pin: int, work: Workspace) -> float:
    """Invert the pivots of (weight − J) without row ``pin``, free of subtraction.

    Also finds ``times``, the solution of (weight − J) y = 1 with y[pin] = 0: for weight 0 the
    expected times to reach the pin. Returns 1 plus the pin's rates times its neighbours' y, or 0 if
    an inventory cannot reach the pin.
    """
    down, up, pivots = work.down, work.up, work.pivots
    rest = weight
    for i in range(pin):
        if i > 0:
            rest = weight + down[i] * rest * pivots[i - 1]
        if not rest + up[i] > 0.0:
            return 0.0
        pivots[i] = 1.0 / (rest + up[i])
    rest = weight
    for i in range(down.size - 1, pin, -1):
        if i < down.size - 1:
            rest = weight + up[i] * rest * pivots[i + 1]
        if not rest + down[i] > 0.0:
            return 0.0
        pivots[i] = 1.0 / (rest + down[i])
    work.times[:] = 1.0
    back_substitute(pin, work, work.times)
    return 1.0 + out_of_pin(pin, work, work.times)


@compiled
def back_substitute(pin: int, work: Workspace, values: Float1D) -> None:
    """Replace a right-hand side with its solution, 0 at the pin."""
    down, up, pivots = work.down, work.up, work.pivots
    n = down.size
    values[pin] = 0.0
    carried = 0.0
    for i in range(pin):
        values[i] = carried = (values[i] + down[i] * carried) * pivots[i]
    for i in range(pin - 1, -1, -1):
        values[i] += up[i] * pivots[i] * values[i + 1]
    carried = 0.0
    for i in range(n - 1, pin, -1):
        values[i] = carried = (values[i] + up[i] * carried) * pivots[i]
    for i in range(pin + 1, n):
        values[i] += down[i] * pivots[i] * values[i - 1]


@compiled
def out_of_pin(pin: int, work: Workspace, values: Float1D) -> float:
    """Return the rates out of the pin times the values of their targets."""
    total = 0.0
    if pin > 0:
        total += work.down[pin] * values[pin - 1]
    if pin < values.size - 1:
        total += work.up[pin] * values[pin + 1]
    return total


@compiled
def implicit_increment(pin: int, norm: float, work: Workspace) -> float:
    """Make a linearly implicit Euler step: shape v (v[pin] = 0) in ``values``; return the rate c.

    With step H = 1/weight the increment of g is H·c + v. As rows of J sum to 0,
    v·weight − Jv = slope − c, the level never mixes with the shape; weight 0 is Howard's policy
    evaluation with c = γ.
    """
    values, base = work.values, work.slope[pin]
    for i in range(values.size):
        values[i] = work.slope[i] - base
    back_substitute(pin, work, values)
    surplus = out_of_pin(pin, work, values) / norm
    for i in range(values.size):
        values[i] -= surplus * work.times[i]
    return float(base + surplus)


@compiled
def euler_row(
    equation: Equation, gaps: Float1D, step: float, substeps: int, pin: int, work: Workspace
) -> bool:
    """Compute the increment of (gaps, level) by Euler steps with one Jacobian in ``table``."""
    n = equation.source.size
    row, state, length = work.table[substeps], work.state, step / substeps
    state[:] = gaps
    row[:] = 0.0
    norm = factor(1.0 / length, pin, work)
    for _ in range(substeps):
        evaluate(equation, state, work, False)
        rate = implicit_increment(pin, norm, work)
        row[n] += length * rate + work.values[equation.reference]
        for i in range(1, n):
            change = work.values[i - 1] - work.values[i]
            row[i] += change
            state[i] += change
    return math.isfinite(row.sum())


@compiled
def extrapolated_step(
    equation: Equation,
    gaps: Float1D,
    level: float,
    step: float,
    target: int,
    tolerance: float,
    work: Workspace,
) -> int:
    """Extrapolate Euler rows to step number infinity (Aitken–Neville on the harmonic sequence).

    Accepts at ``target`` columns or the next, by the difference of the last two columns, relative
    for values above 1. Returns the number of columns (0: not accurate enough); the increment of
    (gaps, level) is in ``table[1]``.
    """
    n, table, errors = equation.source.size, work.table, work.errors
    evaluate(equation, gaps, work, True)
    pin = likeliest(work.down, work.up)
    errors[:] = math.inf
    for j in range(1, min(target + 1, COLUMNS) + 1):
        if not euler_row(equation, gaps, step, j, pin, work):
            return 0
        for k in range(j - 1, 0, -1):
            share = k / (j - k)
            for i in range(n + 1):
                table[k, i] = table[k + 1, i] + (table[k + 1, i] - table[k, i]) * share
        if j == 1:
            continue
        worst = abs(table[1, n] - table[2, n]) / (1.0 + abs(level))
        for i in range(1, n):
            worst = max(worst, abs(table[1, i] - table[2, i]) / (1.0 + abs(gaps[i])))
        errors[j] = worst / tolerance
        if j >= target and errors[j] <= 1.0:
            return j
        if j > FEWEST_COLUMNS and errors[j] > max(1.0, errors[j - 1]):
            break  # the step is too long for extrapolation
    return 0


@compiled
def next_step(step: float, columns: int, errors: Float1D) -> tuple[float, int]:
    """Return length and columns of the next step with the fewest Euler steps per unit of time.

    ``errors`` are those of the ``columns`` just built; one more is estimated from the last ratio.
    """
    best_length, best_columns, least, cost = step, columns, math.inf, 1.0
    for j in range(2, min(columns + 1, COLUMNS) + 1):
        cost += j
        if j < FEWEST_COLUMNS:
            continue
        error = errors[j] if j <= columns else errors[j - 1] ** 2 / max(errors[j - 2], TINY)
        length = step * min(8.0, 0.9 * (SAFETY / max(error, TINY)) ** (1.0 / j))
        if cost / length < least:
            best_length, best_columns, least = length, j, cost / length
    return best_length, best_columns


@compiled
def integrate(
    equation: Equation, gaps: Float1D, level: float, duration: float, tolerance: float
) -> tuple[float, int]:
    """Advance ``gaps`` in place by SEULEX; return the level and the steps tried (0: failed).

    Each step keeps the branches of F from its start, so that the equation is smooth within it; a
    step that leaves its branches is cut at the first crossing. The method is extrapolated linearly
    implicit Euler (Hairer & Wanner, Solving ODEs II, IV.9).
    """
    n = equation.source.size
    work, trial = workspace(n), gaps.copy()
    before, after = np.empty((3, n)), np.empty((3, n))
    done, step, target = 0.0, min(duration, 1e-2), 5
    cut = math.inf  # length by which some side has just left its branch
    choose_modes(equation, gaps, work.modes)
    measure(equation, gaps, work.modes, before)
    for steps in range(1, MOST_STEPS):
        length = min(step, duration - done, cut)
        columns = extrapolated_step(equation, gaps, level, length, target, tolerance, work)
        if columns == 0:
            step = 0.3 * length
            continue
        trial[1:n] = gaps[1:n] + work.table[1, 1:n]
        measure(equation, trial, work.modes, after)
        part = switch_part(before, after, length)
        if part < 1.0:
            cut = part * length
            continue
        proposed, columns = next_step(length, columns, work.errors)
        if cut == math.inf or proposed > step:
            step, target = proposed, columns
        gaps[:] = trial
        level += work.table[1, n]
        done += length
        cut = math.inf
        if done >= duration * (1.0 - 1e-15):
            return level, steps
        choose_modes(equation, gaps, work.modes)
        measure(equation, gaps, work.modes, before)
    return level, 0


@compiled
def newton_ergodic(equation: Equation, gaps: Float1D) -> bool:
    """Solve G(g) = γ·1 in place: implicit Euler with growing steps, then Howard's iteration.

    Each iteration is one Newton step of an implicit Euler step ten times longer than the last;
    in the end the step is infinite and Newton is Howard's policy iteration. Returns whether it
    converged; it does not if the best policy has classes of inventories that cannot reach each
    other.
    """
    n = equation.source.size
    work = workspace(n)
    weight, last_change = max(1.0, np.ptp(equation.source)), math.inf  # gaps move by 1 at most
    for _ in range(MOST_NEWTON_STEPS):
        choose_modes(equation, gaps, work.modes)
        evaluate(equation, gaps, work, True)
        pin = likeliest(work.down, work.up)
        norm = factor(weight, pin, work)
        if norm == 0.0:
            return False
        implicit_increment(pin, norm, work)
        increment = work.values[:-1] - work.values[1:]
        gaps[1:n] += increment
        change = np.max(np.abs(increment) / (1.0 + np.abs(gaps[1:n])))
        if not math.isfinite(change):
            return False
        if weight == 0.0 and (change < 1e-14 or (change < 1e-11 and change >= last_change)):
            return True
        last_change = change
        weight = 0.0 if weight < 1e-6 else 0.1 * weight
    return False
