"""Permanent move of the mid per market order, epsilon, by least squares on the model's equation.

dS = sigma dW + eps+ dM+ - eps- dM- on bins of half a second, with one lag for late moves:

    dS_i = a+ N+_i - a- N-_i + b+ N+_{i-1} - b- N-_{i-1} + r_i,      eps = a + b

Means over event windows count the neighbours of clustered orders repeatedly (+66% in simulation at
1 s); medians and trimmed means drop the few orders that make up the whole effect.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from advanced_mm.calibration.estimators.merging import (
    check_block_seconds,
    merged_within,
    unmerged_counts,
)
from advanced_mm.calibration.windows.blocks import with_blocks
from advanced_mm.calibration.windows.bootstrap import BlockBootstrap
from advanced_mm.calibration.windows.estimate import (
    NORMAL_95,
    Estimate,
    Sides,
    insufficient,
    settle_pair,
)
from advanced_mm.calibration.windows.window import MarketOrders, Window
from advanced_mm.marketdata.records import Float1D, Int1D

__all__ = ["ImpactEstimator", "ImpactFit", "least_squares_hc1"]

Float2D = NDArray[np.float64]

# (a+, a-, b+, b-) -> (eps+, eps-)
_SUM_OF_LAGS = np.array([[1.0, 0.0, 1.0, 0.0], [0.0, 1.0, 0.0, 1.0]])
_WORST_CONDITION = 1e10  # beyond this condition number a draw has no estimate


@dataclass(frozen=True)
class ImpactFit:
    """Jumps per market order, quote currency.

    ``raw`` holds each side's own estimate, ``epsilon`` the numbers that may be published. ``bins``
    is the number of bins used and ``r2`` the share of the mid's variation (about zero) explained.
    """

    epsilon: Sides[Estimate]
    raw: Sides[Estimate]
    bins: int
    r2: float


@dataclass(frozen=True)
class ImpactEstimator:
    """Least squares without intercept, HC1 errors, one lag.

    Bins are ``[kB, (k+1)B)`` on epoch milliseconds, ``B = bin_ms``; a bin is used if it and its
    predecessor lie in one covered stretch and the mid is known at both its edges (last quote
    strictly before). An estimate of one side needs ``min_orders`` on that side, a bound
    ``min_orders_bound`` on both sides; more than ``max_bp`` of the mid is rejected.

    The interval is normal, with its upper end raised by the largest contribution of any bin to the
    estimate: jumps have heavy tails, and a window may easily miss the one jump that would have
    raised both the mean and its error. With a ``bootstrap``, error and interval come from its
    draws.

    ``block_seconds`` corrects a feed without transaction codes, in which the orders of one block of
    that length merge into one that carries all their jumps: the fitted jump is divided among the
    estimated orders (``merging.unmerged_counts``), whose number is known far better than the jump.
    It is off by default and ignored if orders are separated.

    Raises
    ------
    InputError
        If ``block_seconds`` is not above 0 and at most 1.
    """

    bin_ms: int = 500
    min_orders: int = 200
    min_orders_bound: int = 60
    max_bp: float = 20.0
    block_seconds: float | None = None
    bootstrap: BlockBootstrap | None = None

    def __post_init__(self) -> None:
        check_block_seconds(self.block_seconds)

    def fit(self, window: Window) -> ImpactFit:
        """Return the jumps caused by buy (+) and sell (-) market orders."""
        number, moves, counts = self.regression(window)
        n_plus, n_minus = int(counts[:, 0].sum()), int(-counts[:, 1].sum())
        gram = counts.T @ counts
        if len(moves) <= 4 or np.linalg.matrix_rank(gram, hermitian=True) < 4:
            reason = "too few bins, or no orders on one side"
            raw = Sides(insufficient(n_plus, reason), insufficient(n_minus, reason))
            return ImpactFit(raw, raw, len(moves), np.nan)
        beta, covariance, residual = least_squares_hc1(counts, moves)
        value = _SUM_OF_LAGS @ beta
        se = np.sqrt(np.diag(_SUM_OF_LAGS @ covariance @ _SUM_OF_LAGS.T))
        influence = counts * residual[:, None] @ (np.linalg.inv(gram) @ _SUM_OF_LAGS.T)
        parts = window.blocks.sums(number * self.bin_ms, influence)
        if self.bootstrap is None:
            sides = [
                _normal(float(value[i]), float(se[i]), float(influence[:, i].max()), n)
                for i, n in enumerate((n_plus, n_minus))
            ]
            raw = Sides(*(with_blocks(side, parts[:, i]) for i, side in enumerate(sides)))
        else:
            drawn = self._drawn(self.bootstrap, window, number, moves, counts)
            raw = Sides(
                *(
                    self.bootstrap.estimate(float(value[i]), drawn[:, i], parts[:, i], n)
                    for i, n in enumerate((n_plus, n_minus))
                )
            )
        shares = window.sides.map(lambda orders: self._share(window, orders))
        raw = Sides(*(e.scaled(share) for e, share in zip(raw, shares, strict=True)))
        settled = settle_pair(raw, min_n=self.min_orders, min_n_bound=self.min_orders_bound)
        limit = self.max_bp * 1e-4 * window.path.last
        plus, minus = (_believed(e, limit, self.max_bp) for e in settled)
        total = float(moves @ moves)
        r2 = 1.0 - float(residual @ residual) / total if total > 0 else np.nan
        return ImpactFit(Sides(plus, minus), raw, len(moves), r2)

    def _share(self, window: Window, orders: MarketOrders) -> float:
        """Return the visible share of a side's orders, 1 without merging or correction."""
        block_seconds = merged_within(self.block_seconds, window)
        if block_seconds is None:
            return 1.0
        counts = unmerged_counts(orders.time_ms, window.blocks, block_seconds)
        return len(orders) / float(counts.sum())

    def _drawn(
        self,
        bootstrap: BlockBootstrap,
        window: Window,
        number: Int1D,
        moves: Float1D,
        counts: Float2D,
    ) -> Float2D:
        """Return eps+ and eps- fitted to each draw's normal equations, shape (draws, 2)."""
        products = (counts[:, :, None] * counts[:, None, :]).reshape(len(counts), -1)
        columns = np.hstack((products, counts * moves[:, None]))
        sums = bootstrap.sums(window.blocks, window.blocks.sums(number * self.bin_ms, columns))
        matrix = sums[:, :16].reshape(-1, 4, 4)
        solvable = np.linalg.cond(matrix) < _WORST_CONDITION
        beta = np.full((len(sums), 4), np.nan)
        beta[solvable] = np.linalg.solve(matrix[solvable], sums[solvable, 16:, None])[:, :, 0]
        return np.asarray(beta @ _SUM_OF_LAGS.T)

    def regression(self, window: Window) -> tuple[Int1D, Float1D, Float2D]:
        """Return bins (n,), moves (n,) and signed counts N+, -N-, lagged N+, lagged -N- (n, 4)."""
        every, stretch = window.stretches.bins_inside(self.bin_ms)
        later = 1 + np.flatnonzero(np.diff(stretch) == 0)  # bins with a predecessor
        edge = window.path.mid_before((every + 1) * self.bin_ms)
        moves = edge[later] - edge[later - 1]
        known = np.isfinite(moves)
        if not known.all():
            later, moves = later[known], moves[known]
        buys, sells = (_counts(o.time_ms, every, self.bin_ms) for o in window.sides)
        both = np.column_stack((buys, -sells)).astype(np.float64)
        return every[later], moves, np.hstack((both[later], both[later - 1]))


def _counts(time_ms: Int1D, number: Int1D, bin_ms: int) -> Int1D:
    """Count sorted times in each bin ``[k bin_ms, (k+1) bin_ms)``, k from ``number``, ascending."""
    if not len(number):
        return np.empty(0, dtype=np.int64)
    first, count = int(number[0]), int(number[-1] - number[0]) + 1
    low, high = np.searchsorted(time_ms, (first * bin_ms, (first + count) * bin_ms))
    by_bin = np.bincount(time_ms[low:high] // bin_ms - first, minlength=count)
    return by_bin if count == len(number) else by_bin[number - first]


def least_squares_hc1(design: Float2D, response: Float1D) -> tuple[Float1D, Float2D, Float1D]:
    """Return coefficients, their HC1 covariance (White 1980, times n/(n-k)) and residuals.

    Parameters
    ----------
    design
        Shape (n, k), of full column rank.
    response
        Shape (n,).
    """
    n, k = design.shape
    bread = np.linalg.inv(design.T @ design)
    beta = bread @ (design.T @ response)
    residual = response - design @ beta
    scores = design * residual[:, None]
    return beta, bread @ (scores.T @ scores) @ bread * (n / (n - k)), residual


def _normal(value: float, se: float, largest: float, n: int) -> Estimate:
    """Return an estimate whose upper end allows for one more jump as large as the largest seen."""
    return Estimate(value, se, value - NORMAL_95 * se, value + NORMAL_95 * se + largest, n)


def _believed(estimate: Estimate, limit: float, max_bp: float) -> Estimate:
    if np.isfinite(limit) and abs(estimate.value) >= limit:
        return estimate.rejected(f"{estimate.value:.4g} is more than {max_bp:g} bp of the mid")
    return estimate
