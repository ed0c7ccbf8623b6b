"""Dimensionless form of the HJB equation for the solvers."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from advanced_mm.model._layout import Equation
from advanced_mm.model.parameters import ModelParameters

__all__ = ["ScaledProblem", "Solution", "scale"]

Float1D = NDArray[np.float64]
Float2D = NDArray[np.float64]


@dataclass(frozen=True)
class ScaledProblem:
    """∂g/∂s = source + F⁺ + F⁻ (or their maximum) on n inventories.

    g = h·``price_scale`` with price_scale = √(κ⁺κ⁻); s = τ·``rate_scale`` with rate_scale the
    larger λ. ``sides`` (2, 7) holds, for ask and bid: λ (0 where no depth pays), cost ε + c, share
    1 − b of the depth that is kept, floor δ_min, steepness κ/(1 − b) of F in the gain, its inverse
    (the worth of a fill), and the intensity of fills at the floor. ``source`` (n,) is qμ − φq²;
    ``terminal_gaps`` (n + 1,) the differences g(q−1) − g(q) at s = 0 and ``terminal_level`` g
    there at the inventory with index ``reference``.
    """

    q: NDArray[np.int64]
    sides: Float2D
    source: Float1D
    terminal_gaps: Float1D
    terminal_level: float
    duration: float
    one_sided: bool
    reference: int
    price_scale: float
    rate_scale: float

    @property
    def equation(self) -> Equation:
        """Problem data for the compiled kernels."""
        return Equation(self.sides, self.source, self.one_sided, self.reference)


@dataclass(frozen=True)
class Solution:
    """Scaled solution.

    ``gaps`` (n + 1,), g at the reference inventory, the solver's name, and which sides (2, n) are
    not quoted beyond those that the problem itself leaves out (None: no others).
    """

    gaps: Float1D
    level: float
    method: str
    withdrawn: NDArray[np.bool_] | None = None


def scale(parameters: ModelParameters) -> ScaledProblem:
    """Convert a problem to dimensionless form; an ergodic one has infinite duration."""
    p = parameters
    equal = p.kappa_plus == p.kappa_minus  # then exactly κ, where √κ·√κ would round
    price_scale = p.kappa_plus if equal else math.sqrt(p.kappa_plus) * math.sqrt(p.kappa_minus)
    rate_scale = max(p.lambda_plus, p.lambda_minus)
    q = np.arange(p.q_min, p.q_max + 1)

    def side(intensity: float, kappa: float, epsilon: float, slope: float) -> list[float]:
        kept = 1.0 - slope if slope < 1.0 else 1.0
        steepness = kappa / price_scale / kept
        return [
            intensity / rate_scale if slope < 1.0 else 0.0,
            (epsilon + p.fee) * price_scale,
            kept,
            p.min_depth * price_scale,
            steepness,
            1.0 / steepness,
            intensity / rate_scale * float(np.exp(-kappa * p.min_depth)),
        ]

    gaps = np.zeros(q.size + 1)
    gaps[1:-1] = p.alpha * (2 * q[1:] - 1) + p.terminal_cost * (np.abs(q[1:]) - np.abs(q[:-1]))
    reference = p.reference_inventory
    horizon = p.horizon_seconds
    return ScaledProblem(
        q=q,
        sides=np.array(
            [
                side(p.lambda_plus, p.kappa_plus, p.epsilon_plus, p.impact_slope_plus),
                side(p.lambda_minus, p.kappa_minus, p.epsilon_minus, p.impact_slope_minus),
            ]
        ),
        source=(q * p.mu - p.phi * q.astype(float) ** 2) * (price_scale / rate_scale),
        terminal_gaps=gaps * price_scale,
        terminal_level=-(p.alpha * reference**2 + p.terminal_cost * abs(reference)) * price_scale,
        duration=float("inf") if horizon is None else horizon * rate_scale,
        one_sided=p.sides == "one",
        reference=reference - p.q_min,
        price_scale=price_scale,
        rate_scale=rate_scale,
    )
