"""The HJB equation without units, as the solvers see it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from advanced_mm.model.parameters import ModelParameters

__all__ = ["ScaledProblem", "Solution", "scale"]

Float1D = NDArray[np.float64]
Float2D = NDArray[np.float64]


@dataclass(frozen=True)
class ScaledProblem:
    """∂g/∂s = source + F⁺ + F⁻ (or their maximum) on n inventories.

    g = h·``price_scale`` with price_scale = √(κ⁺κ⁻); s = τ·``rate_scale`` with rate_scale the
    larger λ. ``sides`` (2, 5) holds, for ask and bid: λ (0 where no depth pays), κ, ε + c, 1 − b,
    δ_min. ``source`` (n,) is qμ − φq²; ``terminal_gaps`` (n + 1,) the differences
    g(q−1) − g(q) at s = 0 and ``terminal_level`` g there at the inventory with index
    ``reference``.
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


@dataclass(frozen=True)
class Solution:
    """Scaled solution: ``gaps`` (n + 1,), g and ∂g/∂s at the reference inventory, solver's name."""

    gaps: Float1D
    level: float
    rate: float
    method: str


def scale(parameters: ModelParameters) -> ScaledProblem:
    """Take the units out of a problem; the duration of the ergodic one is infinite."""
    p = parameters
    price_scale = float(np.sqrt(p.kappa_plus) * np.sqrt(p.kappa_minus))
    rate_scale = max(p.lambda_plus, p.lambda_minus)
    q = np.arange(p.q_min, p.q_max + 1)

    def side(intensity: float, kappa: float, epsilon: float, slope: float) -> list[float]:
        quoted = slope < 1.0
        return [
            intensity / rate_scale if quoted else 0.0,
            kappa / price_scale,
            (epsilon + p.fee) * price_scale,
            1.0 - slope if quoted else 1.0,
            p.min_depth * price_scale,
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
