"""The fill curve lambda(delta) = lambda0 exp(-kappa delta) beyond the touch.

Most market orders take the best level and stop there; the rest have an exponential tail. A hurdle
model says so: with probability p1 an order walks beyond the touch, and then its reach in whole
ticks is geometric with continuation probability q. Its maximum likelihood has a closed form.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from advanced_mm.calibration.bootstrap import BlockBootstrap, BlockDraws, percentile_interval
from advanced_mm.calibration.estimate import Estimate, Sides, insufficient
from advanced_mm.calibration.window import MarketOrders, Window
from advanced_mm.marketdata.records import Float1D, Int1D

__all__ = ["FillCurveEstimator", "FillCurveFit", "log_survival_r2", "reach_ks_distance"]

Float2D = NDArray[np.float64]
KS_CRITICAL_95 = 1.36  # over sqrt(n): the 5% critical value of the Kolmogorov-Smirnov distance


@dataclass(frozen=True)
class FillCurveFit:
    """One side's fill curve.

    ``kappa`` per quote currency, ``lambda0`` per second (extrapolated to depth 0); their standard
    errors and intervals are from the block bootstrap. ``kappa_formula_se`` is the likelihood's own,
    too small where orders cluster. ``n`` counts orders with a known reach, ``n1`` those beyond the
    touch; ``half_spread`` is their mean pre-trade half-spread (quote currency), ``cap`` the
    truncation J and ``stop`` the continuation's complement 1 - q. ``ks`` is the distance of the
    reach from its fit given that it is at least 1 tick, ``ks_critical`` its 5% critical value;
    ``r2`` that of the log survival, NaN where fewer than two depths have 5 counts.
    """

    kappa: Estimate
    lambda0: Estimate
    kappa_formula_se: float
    n: int
    n1: int
    half_spread: float
    cap: int
    ks: float
    ks_critical: float
    r2: float


@dataclass(frozen=True)
class _Sums:
    """What the closed form needs, as sums over orders: of the window first, then of each draw."""

    n: Float1D
    n1: Float1D
    go: Float1D
    stop: Float1D
    half_spread: Float1D
    seconds: Float1D

    def kappa(self, tick: float) -> Float1D:
        """-ln q / tick: infinite where no order walked a second tick, NaN without any."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return -np.log(self.go / (self.go + self.stop)) / tick

    def lambda0(self, tick: float) -> Float1D:
        """Rate of orders beyond the touch, carried back from the first tick to depth 0."""
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            depth = self.half_spread / self.n + tick
            return self.n1 / self.seconds * np.exp(self.kappa(tick) * depth)


@dataclass(frozen=True)
class FillCurveEstimator:
    """Hurdle-geometric maximum likelihood of kappa and lambda0.

    With x the reach where it is at least 1, n1 their number, x_c = min(x, J): go = sum(x_c) - n1,
    stop = #(x < J), q = go / (go + stop), kappa = -ln q / tick and
    lambda0 = (n/T) (n1/n) exp(kappa (mean half-spread + tick)). J is ``cap_bp`` of the side's mean
    pre-trade mid, in whole ticks: the far tail has its own law. Orders without a valid pre-trade
    quote count in T's rate but say nothing about reach: n1/n is over the others.

    ``min_walked`` is the gate on n1; ``kappa_per_bp`` the sane range of kappa times 1 bp of mid.
    """

    min_walked: int = 30
    cap_bp: float = 10.0
    kappa_per_bp: tuple[float, float] = (0.05, 20.0)
    bootstrap: BlockBootstrap = field(default_factory=BlockBootstrap)

    def fit(self, window: Window) -> Sides[FillCurveFit]:
        """Return both sides' curves; + is the ask side, lifted by buy market orders."""
        draws = self.bootstrap.draw(window.stretches)
        return Sides(self._side(window, 1, draws), self._side(window, -1, draws))

    def _side(self, window: Window, side: int, draws: BlockDraws) -> FillCurveFit:
        every = window.orders.of_side(side)
        orders = every.with_quote()
        walked = orders.reach[orders.reach >= 1]
        n, n1 = len(orders), len(walked)
        if n1 == 0 or window.observed_seconds <= 0:
            return _nothing(n, f"0 orders beyond the touch, {self.min_walked} needed")
        cap = max(2, round(self.cap_bp * 1e-4 * float(orders.mid.mean()) / window.tick))
        # Orders without a quote are taken to walk like the others.
        seconds = np.array([window.observed_seconds, *draws.drawn_seconds]) * (n / len(every))
        columns = _columns(orders, cap)
        by_draw = draws.sums(orders.time_ms, columns)
        sums = _Sums(*np.column_stack((np.vstack((columns.sum(axis=0), by_draw)), seconds)).T)
        kappa, lambda0 = (
            Estimate(float(values[0]), *percentile_interval(values[1:]), n1)
            for values in (sums.kappa(window.tick), sums.lambda0(window.tick))
        )
        q = float(np.exp(-kappa.value * window.tick))
        trials = float(sums.go[0] + sums.stop[0])
        formula_se = np.sqrt((1 - q) / (q * trials)) / window.tick if 0 < q < 1 else np.nan
        reason = self._fault(kappa.value, lambda0.value, n1, float(orders.mid.mean()))
        if reason:
            kappa, lambda0 = kappa.rejected(reason), lambda0.rejected(reason)
        return FillCurveFit(
            kappa=kappa,
            lambda0=lambda0,
            kappa_formula_se=float(formula_se),
            n=n,
            n1=n1,
            half_spread=float(orders.half_spread.mean()),
            cap=cap,
            ks=reach_ks_distance(walked, q, cap),
            ks_critical=KS_CRITICAL_95 / float(np.sqrt(n1)),
            r2=log_survival_r2(walked, q, cap),
        )

    def _fault(self, kappa: float, lambda0: float, n1: int, mid: float) -> str:
        """Say why the curve must not be published, or nothing."""
        if n1 < self.min_walked:
            return f"{n1} orders beyond the touch, {self.min_walked} needed"
        low, high = self.kappa_per_bp
        if not (np.isfinite(kappa) and kappa > 0):
            return f"kappa = {kappa:.4g} is not a decay"
        if not low < kappa * mid * 1e-4 < high:
            return f"kappa = {kappa * mid * 1e-4:.3g} per bp lies outside {low} to {high}"
        return "" if np.isfinite(lambda0) else f"lambda0 = {lambda0:.4g} is not a rate"


def _nothing(n: int, reason: str) -> FillCurveFit:
    absent = insufficient(0, reason)
    return FillCurveFit(absent, absent, np.nan, n, 0, np.nan, 0, np.nan, np.nan, np.nan)


def _columns(orders: MarketOrders, cap: int) -> Float2D:
    """Return 1, walked, go, stop and half-spread for each order, shape (n, 5)."""
    walked = orders.reach >= 1
    go = np.where(walked, np.minimum(orders.reach, cap) - 1, 0)
    stop = walked & (orders.reach < cap)
    return np.column_stack((np.ones(len(orders)), walked, go, stop, orders.half_spread))


def reach_ks_distance(walked: Int1D, q: float, cap: int) -> float:
    """Return the largest gap between the reach's distribution (below the cap) and its fit."""
    depth = np.arange(1, min(cap, int(walked.max()) + 1))
    if not len(depth):
        return float("nan")
    below = np.searchsorted(np.sort(walked), depth, side="right") / len(walked)
    return float(np.abs(below - (1.0 - q**depth)).max())


def log_survival_r2(walked: Int1D, q: float, cap: int, min_count: int = 5) -> float:
    """Return R^2 of ln P(reach >= k), k up to the cap, against the fitted (k - 1) ln q.

    Depths that fewer than ``min_count`` orders reached do not count.
    """
    depth = np.arange(1, min(cap, int(walked.max())) + 1)
    at_least = len(walked) - np.searchsorted(np.sort(walked), depth, side="left")
    depth, at_least = depth[at_least >= min_count], at_least[at_least >= min_count]
    if len(depth) < 2 or not 0 < q < 1:
        return float("nan")
    log_survival = np.log(at_least / len(walked))
    residual = log_survival - (depth - 1) * np.log(q)
    total = ((log_survival - log_survival.mean()) ** 2).sum()
    return float(1.0 - (residual**2).sum() / total) if total > 0 else float("nan")
