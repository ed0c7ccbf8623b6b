"""Compiled backward equation of a quote that rests while the mid moves."""

import numpy as np

from advanced_mm.compiled import compiled
from advanced_mm.model._layout import Float1D, Float2D

__all__ = ["advance"]


@compiled
def advance(
    rate: Float1D,
    payoff: Float2D,
    at_mid: Float1D,
    step: float,
    variance: float,
    steps: int,
) -> Float2D:
    """Integrate w_s = v/2 (w_zz - 2 w_z + w) - rate(z) w + payoff(z) from w = 0 over s in [0, 1].

    Crank-Nicolson in ``steps`` steps, the first two replaced by four backward Euler steps of half
    the length, which damp the jump between the start and the boundary. At z = 0, w is ``at_mid``
    (m,); at the other end it is linear. ``rate`` (n,), ``payoff`` and the result (m, n).
    """
    m, n = payoff.shape
    ds = 1.0 / steps
    diffusion, convection = 0.5 * variance / step**2, variance / step
    lower = np.empty(n)
    upper = np.empty(n)
    middle = np.empty(n)
    for j in range(1, n - 1):
        lower[j] = diffusion + 0.5 * convection
        upper[j] = diffusion - 0.5 * convection
        middle[j] = -2.0 * diffusion + 0.5 * variance - rate[j]
    lower[n - 1], upper[n - 1] = convection, 0.0
    middle[n - 1] = -convection + 0.5 * variance - rate[n - 1]
    half = 0.5 * ds
    # Thomas' elimination of I - half * A; row 0 is the boundary's value.
    slope = np.zeros(n)
    pivot = np.ones(n)
    for j in range(1, n):
        pivot[j] = 1.0 - half * middle[j] + half * lower[j] * slope[j - 1]
        slope[j] = -half * upper[j] / pivot[j]
    w = np.zeros((m, n))
    right = np.zeros(n)
    for k in range(m):
        w[k, 0] = at_mid[k]
        for number in range(4 + steps - 2):
            euler = number < 4
            for j in range(1, n):
                applied = 0.0
                if not euler:
                    above = w[k, j + 1] if j < n - 1 else 0.0
                    applied = lower[j] * w[k, j - 1] + middle[j] * w[k, j] + upper[j] * above
                weight = half if euler else ds
                right[j] = w[k, j] + half * applied + weight * payoff[k, j]
            right[0] = at_mid[k]
            for j in range(1, n):
                right[j] = (right[j] + half * lower[j] * right[j - 1]) / pivot[j]
            w[k, n - 1] = right[n - 1]
            for j in range(n - 2, 0, -1):
                w[k, j] = right[j] - slope[j] * w[k, j + 1]
    return w
