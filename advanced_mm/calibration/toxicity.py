"""What a fill is worth: toxicity, the edge at the best depth, and the income of quoting.

A fill at depth delta earns delta, pays the fee c and the permanent move that comes with a fill that
deep, a + b delta. Fills come at rate lambda0 exp(-kappa delta), so that the best depth of one side
alone is delta* = 1/kappa + (a + c)/(1 - b), and none where b >= 1. A line through measured depths
says nothing of depths nobody reached: edge and income are taken at the best depth among those
measured, and where even that one loses, no depth pays.
"""

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from advanced_mm.calibration.calibrate import CoinCalibration
from advanced_mm.calibration.windows.blocks import derived_estimate
from advanced_mm.calibration.windows.bootstrap import percentile_interval
from advanced_mm.calibration.windows.estimate import (
    Estimate,
    Sides,
    Status,
    insufficient,
    worst_status,
)
from advanced_mm.errors import InputError
from advanced_mm.marketdata.records import Float1D
from advanced_mm.model import ModelParameters, solve

__all__ = [
    "COMPETITIVE_FROM",
    "TOXIC_FROM",
    "UNPROFITABLE_FROM",
    "BotEconomics",
    "Economics",
    "Regime",
    "SideEconomics",
    "economics",
    "regime_of",
    "toxicity",
]

Float2D = NDArray[np.float64]

# Lines of kappa*epsilon_fill, dimensionless.
COMPETITIVE_FROM, UNPROFITABLE_FROM, TOXIC_FROM = 1.0, 1.5, 2.0

_SECONDS_PER_HOUR = 3600.0
_DRAWS, _SEED = 2000, 20151


class Regime(StrEnum):
    """Where a side stands by kappa*epsilon_fill."""

    PROFITABLE = "profitable"  # below 1
    COMPETITIVE = "competitive"  # 1 to 2; from 1.5 on it does not pay any more
    TOXIC = "toxic"  # 2 and above


def regime_of(kappa_epsilon_fill: float) -> Regime:
    """Name the regime: below 1 profitable, 1 to 2 competitive, 2 and above toxic."""
    if kappa_epsilon_fill < COMPETITIVE_FROM:
        return Regime.PROFITABLE
    return Regime.COMPETITIVE if kappa_epsilon_fill < TOXIC_FROM else Regime.TOXIC


@dataclass(frozen=True)
class SideEconomics:
    """What quoting one side alone is worth; ``ask`` is filled by buy (+) market orders.

    Depths and ``expected_edge`` (of one fill, per unit of the base currency, after fee and move)
    are in the quote currency; ``income_per_hour`` is that edge times the fills of an hour.
    ``optimal_depth`` is delta*, infinite where b >= 1; ``measured_depth`` the deepest the move was
    measured at; edge and income are at ``depth``, the lesser of the two. Where ``no_depth_pays``
    they show what would be lost there. ``regime`` is None where it is not known.
    """

    side: Literal["ask", "bid"]
    kappa_epsilon: Estimate
    kappa_epsilon_fill: Estimate
    regime: Regime | None
    optimal_depth: float
    measured_depth: float
    depth: float
    expected_edge: Estimate
    income_per_hour: Estimate
    no_depth_pays: bool

    @property
    def unprofitable(self) -> bool:
        """Whether kappa*epsilon_fill has reached 1.5, from where on quoting does not pay."""
        return bool(self.kappa_epsilon_fill.value >= UNPROFITABLE_FROM)

    @property
    def regime_text(self) -> str:
        """The regime in words, with the line at 1.5 where it was crossed; empty if not known."""
        beyond = self.regime is Regime.COMPETITIVE and self.unprofitable
        line = f", unprofitable from {UNPROFITABLE_FROM:g} on" if beyond else ""
        return f"{self.regime or ''}{line}"


@dataclass(frozen=True)
class BotEconomics:
    """What the long-only bot earns, that bids at inventory 0 and offers its one unit at 1.

    Depths (quote currency) are those of the solved problem without risk aversion, no deeper than
    was measured. ``income_per_hour`` is in quote currency per unit of the base currency,
    ``income_bp_per_hour`` in basis points of the mid; ``round_trips_per_hour`` counts both fills.
    """

    ask_depth: float
    bid_depth: float
    round_trips_per_hour: float
    income_per_hour: Estimate
    income_bp_per_hour: Estimate
    no_depth_pays: bool


@dataclass(frozen=True)
class Economics:
    """Both sides alone and together, at a fee of ``fee`` (quote currency per fill and unit)."""

    fee: float
    sides: Sides[SideEconomics]
    bot: BotEconomics

    @property
    def income_per_hour(self) -> Estimate:
        """What the long-only bot earns, quote currency per unit of the base currency and hour."""
        return self.bot.income_per_hour

    @property
    def no_depth_pays(self) -> bool:
        """Whether nothing pays, neither a side alone nor both together."""
        return self.bot.no_depth_pays and all(side.no_depth_pays for side in self.sides)


@dataclass(frozen=True)
class _Side:
    """The numbers one side's income rests on; ``parts`` (4, blocks) are those of their errors."""

    kappa: float
    lambda0: float
    intercept: float
    slope: float
    measured_depth: float
    parts: Float2D
    n: int
    status: Status

    def optimal_depth(self, fee: float) -> float:
        """delta* = 1/kappa + (a + c)/(1 - b), not below 0; infinite where no depth pays."""
        if self.slope >= 1:
            return float("inf")
        return max(0.0, 1 / self.kappa + (self.intercept + fee) / (1 - self.slope))

    def edge(self, depth: float, fee: float) -> Estimate:
        """Profit of one fill at a depth, linear in a and b."""
        value = depth * (1 - self.slope) - self.intercept - fee
        by_block = -(self.parts[2] + depth * self.parts[3])
        return _as(self.status, derived_estimate(value, by_block, self.n))

    def drawn(self, draws: Float2D) -> "_Drawn":
        """Draw the numbers from their joint distribution; positive ones by their logarithm."""
        kappa, lambda0, intercept, slope = self.parts @ draws
        return _Drawn(
            self.kappa * np.exp(kappa / self.kappa),
            self.lambda0 * np.exp(lambda0 / self.lambda0),
            self.intercept + intercept,
            self.slope + slope,
        )


@dataclass(frozen=True)
class _Drawn:
    """A side's numbers as they may truly be, the estimate itself first. Shapes (1 + draws,)."""

    kappa: Float1D
    lambda0: Float1D
    intercept: Float1D
    slope: Float1D

    def rate(self, depth: float) -> Float1D:
        return np.asarray(self.lambda0 * np.exp(-self.kappa * depth))

    def edge(self, depth: float, fee: float) -> Float1D:
        return np.asarray(depth * (1 - self.slope) - self.intercept - fee)


def economics(calibration: CoinCalibration, *, fee_rate: float) -> Economics:
    """Weigh what quoting earns against what its fills pay.

    Intervals of income hold the depths that the estimates choose and draw what the parameters may
    truly be from their joint distribution, with the covariances the blocks of time show. So they
    answer how sure the income of that choice is.

    Parameters
    ----------
    calibration
        A fitted window.
    fee_rate
        Maker fee as a fraction of the price; a rebate is negative.

    Raises
    ------
    InputError
        If the fee is not a fraction between -1 and 1.
    """
    if not -1 < fee_rate < 1:
        raise InputError(
            f"fee_rate = {fee_rate!r} must be a fraction of the price, such as 0.00015"
        )
    fee = fee_rate * calibration.mid
    inputs = Sides(_inputs(calibration, "plus"), _inputs(calibration, "minus"))
    of_order, of_fill = toxicity(calibration)
    sides = Sides(
        _side_economics("ask", inputs.plus, of_order.plus, of_fill.plus, fee),
        _side_economics("bid", inputs.minus, of_order.minus, of_fill.minus, fee),
    )
    return Economics(fee, sides, _bot_economics(inputs, fee, calibration.mid))


def toxicity(calibration: CoinCalibration) -> tuple[Sides[Estimate], Sides[Estimate]]:
    """Return kappa*epsilon of an order and kappa*epsilon_fill of a fill, both sides each.

    The errors are by the delta method, with the covariance of the two factors.
    """
    kappas = calibration.fill_curve.map(lambda side: side.kappa)
    of_order, of_fill = (
        Sides(*(_product(k, e) for k, e in zip(kappas, pair, strict=True)))
        for pair in (calibration.impact.epsilon, calibration.fill_impact.epsilon_fill)
    )
    return of_order, of_fill


def _product(kappa: Estimate, epsilon: Estimate) -> Estimate:
    if not (kappa.usable and epsilon.usable):
        return insufficient(epsilon.n, kappa.reason or epsilon.reason)
    value = kappa.value * epsilon.value
    if len(kappa.by_block) != len(epsilon.by_block):
        return Estimate(value, np.nan, np.nan, np.nan, epsilon.n)
    parts = kappa.value * epsilon.by_block + epsilon.value * kappa.by_block
    product = derived_estimate(value, parts, epsilon.n)
    return _as(worst_status((kappa, epsilon)), product, epsilon.reason)


def _as(status: Status, estimate: Estimate, reason: str = "") -> Estimate:
    """Return the same numbers with the status of what they rest on."""
    e = estimate
    return Estimate(e.value, e.se, e.low, e.high, e.n, status, reason, e.by_block)


def _inputs(calibration: CoinCalibration, name: Literal["plus", "minus"]) -> _Side | str:
    """Return what a side's income rests on, or why it cannot be told."""
    curve = getattr(calibration.fill_curve, name)
    fill = getattr(calibration.fill_impact.epsilon_fill, name)
    profile = getattr(calibration.fill_impact.profile, name)
    intercept, slope = profile.intercept, profile.slope
    if not (intercept.usable and slope.usable):
        # Too few depths for a line: the same move at each.
        flat = np.zeros(len(fill.by_block))
        intercept, slope = fill, Estimate(0.0, 0.0, 0.0, 0.0, fill.n, by_block=flat)
    needed = [curve.kappa, curve.lambda0, fill, intercept, slope]
    missing = next((e for e in needed if not e.usable), None)
    if missing is not None:
        return str(missing.reason)
    used = [curve.kappa, curve.lambda0, intercept, slope]
    if len({len(e.by_block) for e in used}) != 1 or not len(profile.depth):
        return "too few blocks of time, or of depths, to weigh errors by"
    return _Side(
        kappa=curve.kappa.value,
        lambda0=curve.lambda0.value,
        intercept=intercept.value,
        slope=slope.value,
        measured_depth=float(profile.depth[-1]),
        parts=np.array([e.by_block for e in used]),
        n=fill.n,
        status=worst_status(needed),
    )


def _side_economics(
    side: Literal["ask", "bid"],
    inputs: _Side | str,
    kappa_epsilon: Estimate,
    kappa_epsilon_fill: Estimate,
    fee: float,
) -> SideEconomics:
    known = kappa_epsilon_fill.usable
    regime = regime_of(kappa_epsilon_fill.value) if known else None
    if isinstance(inputs, str):
        absent = insufficient(kappa_epsilon_fill.n, inputs)
        nan = float("nan")
        return SideEconomics(
            side, kappa_epsilon, kappa_epsilon_fill, regime, nan, nan, nan, absent, absent, False
        )
    optimum = inputs.optimal_depth(fee)
    depth = min(optimum, inputs.measured_depth)
    edge = inputs.edge(depth, fee)
    drawn = inputs.drawn(_normals(inputs.parts.shape[1]))
    income = _income(drawn.rate(depth) * drawn.edge(depth, fee), inputs.n, inputs.status)
    return SideEconomics(
        side=side,
        kappa_epsilon=kappa_epsilon,
        kappa_epsilon_fill=kappa_epsilon_fill,
        regime=regime,
        optimal_depth=optimum,
        measured_depth=inputs.measured_depth,
        depth=depth,
        expected_edge=edge,
        income_per_hour=income,
        no_depth_pays=edge.value <= 0 or inputs.slope >= 1,
    )


def _bot_economics(inputs: Sides[_Side | str], fee: float, mid: float) -> BotEconomics:
    ask, bid = inputs
    if isinstance(ask, str) or isinstance(bid, str):
        absent = insufficient(0, next(side for side in inputs if isinstance(side, str)))
        nan = float("nan")
        return BotEconomics(nan, nan, nan, absent, absent, False)
    solution = solve(
        ModelParameters(
            lambda_plus=ask.lambda0,
            lambda_minus=bid.lambda0,
            kappa_plus=ask.kappa,
            kappa_minus=bid.kappa,
            epsilon_plus=ask.intercept,
            epsilon_minus=bid.intercept,
            impact_slope_plus=ask.slope,
            impact_slope_minus=bid.slope,
            fee=fee,
            q_min=0,
            q_max=1,
        )
    )
    ask_depth = min(float(solution.ask_depth[1]), ask.measured_depth)
    bid_depth = min(float(solution.bid_depth[0]), bid.measured_depth)
    draws = _normals(ask.parts.shape[1])
    selling, buying = ask.drawn(draws), bid.drawn(draws)
    ask_rate, bid_rate = selling.rate(ask_depth), buying.rate(bid_depth)
    # The bot waits for a bid fill and an ask fill in turn: a renewal of mean 1/rate + 1/rate.
    trips = ask_rate * bid_rate / (ask_rate + bid_rate)
    edges = selling.edge(ask_depth, fee) + buying.edge(bid_depth, fee)
    status = max(ask.status, bid.status, key=list(Status).index)
    n = ask.n + bid.n
    return BotEconomics(
        ask_depth=ask_depth,
        bid_depth=bid_depth,
        round_trips_per_hour=float(trips[0]) * _SECONDS_PER_HOUR,
        income_per_hour=_income(trips * edges, n, status),
        income_bp_per_hour=_income(trips * edges * (1e4 / mid), n, status),
        no_depth_pays=bool(edges[0] <= 0),
    )


@lru_cache(maxsize=8)
def _normals(blocks: int) -> Float2D:
    """Standard normal weights of the blocks, shape (blocks, 1 + draws); the first are 0."""
    draws = np.random.default_rng(_SEED).standard_normal((blocks, 1 + _DRAWS))
    draws[:, 0] = 0.0
    draws.flags.writeable = False
    return draws


def _income(per_second: Float1D, n: int, status: Status) -> Estimate:
    """Return income per hour; the first number is the estimate, the others are drawn."""
    hourly = per_second * _SECONDS_PER_HOUR
    return Estimate(float(hourly[0]), *percentile_interval(hourly[1:]), n, status)
