"""Radau IIA collocation in arbitrary precision: truth for unequal κ without a floor.

Explicit Taylor steps of any precision cannot handle the stiffness of the difficult range (rates up
to 1e11, sessions of a day). A Radau IIA step of s stages is stiffly accurate of order 2s − 1. The
stages are first solved in double precision, then refined with residuals in 256 bits. Steps are
accepted by the highest Legendre coefficient of their polynomial.
"""

import math
from functools import cache
from typing import NamedTuple

import numpy as np
from flint import acb_poly, arb, arb_mat, ctx, fmpz_poly
from numpy.typing import NDArray
from scipy.sparse import csc_matrix
from scipy.sparse.linalg import splu

from advanced_mm.model import ModelParameters

__all__ = ["collocation_gaps"]

Array = NDArray[np.float64]

BITS = 256
STEEPEST = 100  # larger gaps continue linearly; they decay within e^−100 of the time of a fill
SETTLED = 1e-22  # change of the gaps per step below which they are constant
NEWTON_STEPS, REFINEMENTS = 12, 8


class Tableau(NamedTuple):
    """Radau IIA: coefficients (s, s), exact and rounded, and the tail of stage values (s,)."""

    exact: arb_mat
    rounded: Array
    tail: Array


class Stages(NamedTuple):
    """Increments of g at the stages of a step (s, n), exact, and the error estimate."""

    values: list[list[arb]]
    error: float


@cache
def tableau(stages: int) -> Tableau:
    """Nodes are the zeros of the shifted P_s − P_{s−1}; the last one is 1."""
    ctx.prec = BITS

    def legendre(m: int) -> fmpz_poly:
        signs = ((-1) ** (m + k) for k in range(m + 1))
        return fmpz_poly([x * math.comb(m, k) * math.comb(m + k, k) for k, x in enumerate(signs)])

    roots = acb_poly(legendre(stages) - legendre(stages - 1)).roots()
    nodes = sorted((root.real.mid() for root in roots), key=float)
    powers = range(stages)
    monomials = arb_mat(stages, stages, [x**m for x in nodes for m in powers])
    integrals = arb_mat(stages, stages, [x ** (m + 1) / (m + 1) for x in nodes for m in powers])
    exact = integrals * monomials.inv()
    rounded = np.array([float(x) for x in exact.entries()]).reshape(stages, stages)
    points = 2 * np.array([0.0, *map(float, nodes)]) - 1
    tail = np.linalg.inv(np.polynomial.legendre.legvander(points, stages))[-1, 1:]
    return Tableau(exact, rounded, tail)


class ExactEquation:
    """∂g/∂τ for g = κ⁺h, in arbitrary and in double precision; time in seconds."""

    def __init__(self, p: ModelParameters) -> None:
        kappa, ratio = arb(p.kappa_plus), arb(p.kappa_minus) / arb(p.kappa_plus)
        fee, q = arb(p.fee), range(p.q_min, p.q_max + 1)
        ask = arb(p.lambda_plus) * (-1 - kappa * (arb(p.epsilon_plus) + fee)).exp()
        bid = arb(p.lambda_minus) * (-1 - kappa * ratio * (arb(p.epsilon_minus) + fee)).exp()
        self.ratio, self.ask, self.bid = ratio.mid(), ask.mid(), (bid / ratio).mid()
        self.source = [(kappa * (arb(p.mu) * x - arb(p.phi) * x * x)).mid() for x in q]
        self.terminal = [
            (-kappa * (arb(p.alpha) * x * x + arb(p.terminal_cost) * abs(x))).mid() for x in q
        ]
        self._rounded_source = np.array([float(x) for x in self.source])
        self._steepest = arb(STEEPEST).exp()

    def slope(self, g: list[arb]) -> list[arb]:
        """∂g/∂τ exactly."""
        slope = list(self.source)
        for i in range(1, len(g)):
            gap = g[i - 1] - g[i]
            slope[i] += self.ask * self._exp(gap)
            slope[i - 1] += self.bid * self._exp(-gap * self.ratio)
        return slope

    def _exp(self, x: arb) -> arb:
        return x.exp() if x < STEEPEST else self._steepest * (1 + x - STEEPEST)

    def rounded(self, g: Array) -> tuple[Array, Array, Array]:
        """∂g/∂τ (s, n) and the Jacobian below and above its diagonal (s, n − 1)."""
        gaps, ratio = g[:, :-1] - g[:, 1:], float(self.ratio)
        slope = np.tile(self._rounded_source, (len(g), 1))
        exponents = (gaps, -gaps * ratio)
        down, up = (np.exp(np.minimum(x, STEEPEST)) for x in exponents)
        beyond = [1 + np.maximum(x - STEEPEST, 0) for x in exponents]
        slope[:, 1:] += float(self.ask) * down * beyond[0]
        slope[:, :-1] += float(self.bid) * up * beyond[1]
        return slope, float(self.ask) * down, float(self.bid) * ratio * up


def newton_matrix(step: float, coefficients: Array, down: Array, up: Array) -> csc_matrix:
    """Return I − step·A⊗J of the stage equations, unknowns ordered by inventory."""
    s, n = len(coefficients), down.shape[1] + 1
    diagonal = np.zeros((s, n))
    diagonal[:, 1:] -= down
    diagonal[:, :-1] -= up
    row, column = (x.ravel() for x in np.indices((s, s)))
    bands = ((0, range(n), diagonal), (-1, range(1, n), down), (1, range(n - 1), up))
    rows, columns, values = [], [], []
    for shift, inventories, band in bands:
        for k, i in enumerate(inventories):
            rows.append(i * s + row)
            columns.append((i + shift) * s + column)
            block = -step * coefficients * band[:, k]
            values.append((block + np.eye(s) if shift == 0 else block).ravel())
    indices = (np.concatenate(rows), np.concatenate(columns))
    return csc_matrix((np.concatenate(values), indices), shape=(n * s, n * s))


def rounded_stages(
    equation: ExactEquation, shape: Array, step: float, tab: Tableau
) -> Array | None:
    """Newton in double precision; None if it does not converge: the step is too long."""
    values, last = np.zeros((len(tab.rounded), shape.size)), math.inf
    for count in range(NEWTON_STEPS):
        slope, down, up = equation.rounded(shape + values)
        residual = values - step * (tab.rounded @ slope)
        if not np.isfinite(residual).all():
            return None
        try:
            factors = splu(newton_matrix(step, tab.rounded, down, up))
        except RuntimeError:  # exactly singular in double precision
            return None
        change = -factors.solve(residual.T.ravel()).reshape(shape.size, -1).T
        values += change
        moved = np.abs(np.diff(change, axis=1)).max()
        if moved < 1e-9:
            return values
        if not np.isfinite(moved) or (count > 3 and moved > last):
            return None
        last = moved
    return None


def exact_stages(
    equation: ExactEquation, g: list[arb], step: float, tab: Tableau, tolerance: float
) -> Stages | None:
    """Solve the stages of a step to 24 digits; None if they do not converge."""
    s, n = len(tab.rounded), len(g)
    shape = np.array([float(x - g[0]) for x in g])
    with np.errstate(over="ignore", invalid="ignore"):
        start = rounded_stages(equation, shape, step, tab)
    if start is None:
        return None
    scale = 1 + np.abs(np.diff(shape))
    error = float((np.abs(tab.tail @ np.diff(start, axis=1)) / scale).max())
    if error > 10 * tolerance:
        return Stages([], error)
    factors = splu(newton_matrix(step, tab.rounded, *equation.rounded(shape + start)[1:]))
    values = [[arb(x) for x in row] for row in start]
    for _ in range(REFINEMENTS):
        slopes = [equation.slope([x + z for x, z in zip(g, row, strict=True)]) for row in values]
        sums = (tab.exact * arb_mat(s, n, [x for row in slopes for x in row])).entries()
        residual = [
            float(z - arb(step) * x)
            for z, x in zip([z for row in values for z in row], sums, strict=True)
        ]
        turned = np.array(residual).reshape(s, n).T.ravel()
        change = -factors.solve(turned).reshape(n, s).T
        values = [
            [(z + arb(x)).mid() for z, x in zip(row, moves, strict=True)]
            for row, moves in zip(values, change, strict=True)
        ]
        if np.abs(change).max() < 1e-24 * (1 + abs(float(values[-1][0]))):
            break
    else:
        return None
    inner = np.array([[float(row[i] - row[i - 1]) for i in range(1, n)] for row in values])
    return Stages(values, float((np.abs(tab.tail @ inner) / scale).max()))


def collocation_gaps(p: ModelParameters, stages: int = 12, tolerance: float = 1e-14) -> list[arb]:
    """Return κ⁺[h(q − 1) − h(q)] (n − 1,); integrates ergodic problems until settled.

    For two sides without floor and impact slopes, any κ.
    """
    ctx.prec = BITS
    equation, tab = ExactEquation(p), tableau(stages)
    g, done = equation.terminal, 0.0
    horizon = math.inf
    if p.horizon_seconds is None:
        g = [arb(0)] * len(g)
    else:
        horizon = p.horizon_seconds
    _, down, up = equation.rounded(np.array([[float(x - g[0]) for x in g]]))
    step = 1e-2 / max(down.max(), up.max(), p.lambda_plus, p.lambda_minus)
    while done < horizon:
        step = min(step, horizon - done)
        if step < 1e-100 * done:
            raise ArithmeticError("collocation: the step size became too small")
        found = exact_stages(equation, g, step, tab, tolerance)
        if found is None:
            step *= 0.3
            continue
        change = 0.85 * (tolerance / max(found.error, 1e-30)) ** (1 / stages)
        if found.error > tolerance:
            step *= max(0.1, min(change, 0.9))
            continue
        last = found.values[-1]
        moved = max(abs(float(last[i] - last[i - 1])) for i in range(1, len(g)))
        g = [(x + z).mid() for x, z in zip(g, last, strict=True)]
        done += step
        step *= min(5.0, change)
        if moved < SETTLED:
            break
    return [g[i - 1] - g[i] for i in range(1, len(g))]
