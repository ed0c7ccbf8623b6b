"""Direct formulation of the HJB equation for scipy's integrators, as an independent method.

The state is g = κ⁺h without its level: the gaps g(q − 1) − g(q), with time in units of 1/max λ.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import solve_ivp
from scipy.sparse import csc_matrix, diags

from advanced_mm.model import ModelParameters

__all__ = ["Sides", "scipy_gaps", "sides_at"]

Array = NDArray[np.float64]

LONG_RUN = 1e8  # horizon for ergodic problems, mean times between fills of the busier side


class Sides(NamedTuple):
    """κ⁺F, κ⁺F′ and the depth κδ in its own side's κ, each (2, n), ask then bid."""

    worth: Array
    slope: Array
    depth: Array


def sides_at(p: ModelParameters, gaps: Array) -> Sides:
    """Return both sides at given gaps (n − 1,), per unit of scaled time."""
    n = gaps.size + 1
    worth, slope, depths = np.zeros((2, n)), np.zeros((2, n)), np.full((2, n), math.inf)
    fastest = max(p.lambda_plus, p.lambda_minus)
    rows = (
        (p.lambda_plus, p.kappa_plus, p.epsilon_plus, p.impact_slope_plus),
        (p.lambda_minus, p.kappa_minus, p.epsilon_minus, p.impact_slope_minus),
    )
    for side, (rate, kappa, epsilon, b) in enumerate(rows):
        if b >= 1:
            continue
        here = slice(1, n) if side == 0 else slice(0, n - 1)
        net = (gaps if side == 0 else -gaps) / p.kappa_plus - epsilon - p.fee
        depth = np.maximum(p.min_depth, 1 / kappa - net / (1 - b))
        fills = rate / fastest * np.exp(-kappa * depth)
        worth[side, here] = p.kappa_plus * fills * (depth * (1 - b) + net)
        slope[side, here] = fills
        depths[side, here] = kappa * depth
    return Sides(worth, slope, depths)


def scipy_gaps(p: ModelParameters, method: str, rtol: float = 1e-12) -> Array:
    """Return the gaps (n − 1,) at τ = T, by "LSODA" or "Radau"."""
    q = np.arange(p.q_min, p.q_max + 1).astype(float)
    fastest = max(p.lambda_plus, p.lambda_minus)
    source = p.kappa_plus / fastest * (q * p.mu - p.phi * q**2)

    def chosen(gaps: Array) -> tuple[Array, Array]:
        sides = sides_at(p, gaps)
        if p.sides == "both":
            return sides.worth.sum(axis=0), sides.slope
        better = np.stack([sides.worth[0] >= sides.worth[1], sides.worth[0] < sides.worth[1]])
        return sides.worth.max(axis=0), sides.slope * better

    def derivative(_: float, gaps: Array) -> Array:
        slope = source + chosen(gaps)[0]
        return np.asarray(slope[:-1] - slope[1:])

    def bands(gaps: Array) -> tuple[Array, Array, Array]:
        """Return the Jacobian below, on and above its diagonal."""
        down, up = chosen(gaps)[1]
        return down[1:-1], -down[1:] - up[:-1], up[1:-1]

    def banded(_: float, gaps: Array) -> Array:
        below, on, above = bands(gaps)
        packed = np.zeros((3, on.size))
        packed[0, 1:], packed[1], packed[2, :-1] = above, on, below
        return packed if width else packed[1:2]

    def sparse(_: float, gaps: Array) -> csc_matrix:
        return csc_matrix(diags(bands(gaps), (-1, 0, 1)))

    terminal, duration = -p.alpha * q**2 - p.terminal_cost * np.abs(q), LONG_RUN
    if p.horizon_seconds is None:
        terminal = np.zeros(q.size)
        if p.phi == p.mu == 0.0 and max(p.impact_slope_plus, p.impact_slope_minus) >= 1.0:
            duration = 86_400.0 * fastest  # depths do not converge: the model uses one day
    else:
        duration = p.horizon_seconds * fastest
    width = min(1, q.size - 2)  # a single gap has no neighbours
    bandwidth = {"lband": width, "uband": width, "jac": banded}
    options = bandwidth if method == "LSODA" else {"jac": sparse}
    run = solve_ivp(
        derivative,
        (0, duration),
        -p.kappa_plus * np.diff(terminal),
        method=method,
        rtol=rtol,
        atol=1e-13,
        t_eval=[duration],
        **options,
    )
    if not run.success:
        raise ArithmeticError(f"{method}: {run.message}")
    return np.asarray(run.y[:, -1])
