"""Long-run distribution of the inventory under given quotes."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["stationary_distribution"]

Float1D = NDArray[np.float64]

_ABEL_RATE = 1e-15  # relative to the largest fill intensity; keeps only unconnected classes apart


def stationary_distribution(ask_intensity: Float1D, bid_intensity: Float1D, start: int) -> Float1D:
    """Return the long-run share of time that a birth–death chain spends in each state.

    Computed as the Abel mean of the chain's distribution, (weight − Jᵀ)⁻¹ at a vanishing weight. It
    also exists if the chain has unconnected classes; then it depends on the start. Only sums and
    products of non-negative numbers are used, so each share keeps its relative accuracy.

    Parameters
    ----------
    ask_intensity, bid_intensity
        Fills per second in each state (n,): a filled ask leads one state down, a bid one up.
    start
        Index of the first state.

    Returns
    -------
    Float1D
        Shares (n,) that sum to 1.
    """
    largest = max(ask_intensity.max(), bid_intensity.max()) or 1.0
    down, up = (ask_intensity / largest).tolist(), (bid_intensity / largest).tolist()
    n, weight = len(down), _ABEL_RATE
    pivots, share = [weight + up[0]], [0.0] * n
    rest = weight
    for i in range(1, n):
        rest = weight + down[i] * rest / pivots[i - 1]
        pivots.append(rest + up[i])
    share[start] = 1.0 / pivots[start]
    for i in range(start + 1, n):
        share[i] = up[i - 1] * share[i - 1] / pivots[i]
    for i in range(n - 2, -1, -1):
        share[i] += down[i + 1] / pivots[i] * share[i + 1]
    shares = np.array(share) / max(share)
    return np.asarray(shares / shares.sum())
