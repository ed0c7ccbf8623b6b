"""Value of a fill: toxicity, edge at the best depth, and income from quoting.

A fill at depth delta earns delta and pays the fee c and the permanent move that comes with a fill
at that depth, a + b delta. Fills arrive at rate lambda0 exp(-kappa delta), so the best depth of one
side alone is delta* = 1/kappa + (a + c)/(1 - b); there is none if b >= 1. A line through measured
depths does not extend to depths that no order reached: edge and income are computed at the best
measured depth, and if even that one loses, no depth pays. Quotes that rest while the mid moves are
filled more often and earn less of their depth (`advanced_mm.model.quote_age`).
"""

from dataclasses import dataclass, replace
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
from advanced_mm.model import ModelParameters, QuoteAge, SideProblem, solve

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

# Thresholds of kappa*epsilon_fill, dimensionless.
COMPETITIVE_FROM, UNPROFITABLE_FROM, TOXIC_FROM = 1.0, 1.5, 2.0

_SECONDS_PER_HOUR = 3600.0
_DRAWS, _SEED = 2000, 20151


class Regime(StrEnum):
    """Regime of a side by kappa*epsilon_fill."""

    PROFITABLE = "profitable"  # below 1
    COMPETITIVE = "competitive"  # 1 to 2; unprofitable from 1.5 on
    TOXIC = "toxic"  # 2 and above


def regime_of(kappa_epsilon_fill: float) -> Regime:
    """Return the regime: profitable below 1, competitive from 1 to 2, toxic from 2 on."""
    if kappa_epsilon_fill < COMPETITIVE_FROM:
        return Regime.PROFITABLE
    return Regime.COMPETITIVE if kappa_epsilon_fill < TOXIC_FROM else Regime.TOXIC


@dataclass(frozen=True)
class SideEconomics:
    """Value of quoting one side alone; ``ask`` is filled by buy (+) market orders.

    Depths and ``expected_edge`` (of one fill, per unit of the base currency, after fee and move)
    are in the quote currency; ``income_per_hour`` is that edge times the fills per hour.
    ``optimal_depth`` is delta*, infinite if b >= 1; ``measured_depth`` is the deepest depth at
    which the move was measured (of quotes that age: the depth from which they come to it); edge and
    income are at ``depth``, the lesser of the two. If
    ``no_depth_pays``, they are the loss there. ``regime`` is None if unknown.
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
        """Whether kappa*epsilon_fill has reached 1.5, from which on quoting does not pay."""
        return bool(self.kappa_epsilon_fill.value >= UNPROFITABLE_FROM)

    @property
    def regime_text(self) -> str:
        """The regime in words, with a remark if it is beyond 1.5; empty if unknown."""
        beyond = self.regime is Regime.COMPETITIVE and self.unprofitable
        line = f", unprofitable from {UNPROFITABLE_FROM:g} on" if beyond else ""
        return f"{self.regime or ''}{line}"


@dataclass(frozen=True)
class BotEconomics:
    """Income of the long-only bot, which bids at inventory 0 and offers its one unit at 1.

    Depths (quote currency) solve the problem without risk aversion, limited to measured depths.
    ``income_per_hour`` is in quote currency per unit of the base currency, ``income_bp_per_hour``
    in basis points of the mid; a round trip of ``round_trips_per_hour`` consists of both fills.
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
        """Income of the long-only bot, quote currency per hour and unit of the base currency."""
        return self.bot.income_per_hour

    @property
    def no_depth_pays(self) -> bool:
        """Whether neither a side alone nor both together pay."""
        return self.bot.no_depth_pays and all(side.no_depth_pays for side in self.sides)


@dataclass(frozen=True)
class _Side:
    """Inputs of one side's income; ``parts`` (4, blocks) are the parts of their errors by block."""

    kappa: float
    lambda0: float
    intercept: float
    slope: float
    measured_depth: float
    parts: Float2D
    n: int
    status: Status
    best_depth: float | None = None
    """delta* of quotes that age; None if they follow the mid at once."""

    def optimal_depth(self, fee: float) -> float:
        """Return delta* = 1/kappa + (a + c)/(1 - b), at least 0; infinite if no depth pays."""
        if self.best_depth is not None:
            return self.best_depth
        if self.slope >= 1:
            return float("inf")
        return max(0.0, 1 / self.kappa + (self.intercept + fee) / (1 - self.slope))

    def edge(self, depth: float, fee: float) -> Estimate:
        """Return the profit of one fill at a depth, linear in a and b."""
        value = depth * (1 - self.slope) - self.intercept - fee
        by_block = -(self.parts[2] + depth * self.parts[3])
        return _as(self.status, derived_estimate(value, by_block, self.n))

    def drawn(self, draws: Float2D) -> "_Drawn":
        """Draw the inputs from their joint distribution; positive ones on a log scale."""
        kappa, lambda0, intercept, slope = self.parts @ draws
        return _Drawn(
            self.kappa * np.exp(kappa / self.kappa),
            self.lambda0 * np.exp(lambda0 / self.lambda0),
            self.intercept + intercept,
            self.slope + slope,
        )


@dataclass(frozen=True)
class _Drawn:
    """A side's inputs: the estimate first, then the draws. Shapes (1 + draws,)."""

    kappa: Float1D
    lambda0: Float1D
    intercept: Float1D
    slope: Float1D

    def rate(self, depth: float) -> Float1D:
        return np.asarray(self.lambda0 * np.exp(-self.kappa * depth))

    def edge(self, depth: float, fee: float) -> Float1D:
        return np.asarray(depth * (1 - self.slope) - self.intercept - fee)


def economics(
    calibration: CoinCalibration, *, fee_rate: float, quote_age_seconds: float = 0.0
) -> Economics:
    """Compute the income from quoting net of fees and adverse moves.

    Intervals of income fix the depths chosen by the estimates and draw the parameters from their
    joint distribution, with the covariances found from the blocks of time. They state the
    uncertainty of the income at those depths.

    Parameters
    ----------
    calibration
        A fitted window.
    fee_rate
        Maker fee as a fraction of the price; a rebate is negative.
    quote_age_seconds
        Age at which quotes are replaced, 0 for quotes that follow the mid at once. How far the mid
        moves until then is from the fitted volatility, whose uncertainty is not counted; without
        one, quotes do not age.

    Raises
    ------
    InputError
        If the fee is not a fraction between -1 and 1.
    """
    if not -1 < fee_rate < 1:
        raise InputError(
            f"fee_rate is {fee_rate!r}, must be a fraction of the price, such as 0.00015"
        )
    fee = fee_rate * calibration.mid
    volatility = calibration.volatility
    age = QuoteAge(quote_age_seconds, volatility.value if volatility.usable else 0.0)
    inputs = Sides(
        _aged(_inputs(calibration, "plus"), age, fee),
        _aged(_inputs(calibration, "minus"), age, fee),
    )
    of_order, of_fill = toxicity(calibration)
    sides = Sides(
        _side_economics("ask", inputs.plus, of_order.plus, of_fill.plus, fee),
        _side_economics("bid", inputs.minus, of_order.minus, of_fill.minus, fee),
    )
    return Economics(fee, sides, _bot_economics(inputs, fee, calibration.mid))


def toxicity(calibration: CoinCalibration) -> tuple[Sides[Estimate], Sides[Estimate]]:
    """Return kappa*epsilon per order and kappa*epsilon_fill per fill, each for both sides.

    The errors are from the delta method, with the covariance of the two factors.
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
    """Return the same numbers with the status of their inputs."""
    e = estimate
    return Estimate(e.value, e.se, e.low, e.high, e.n, status, reason, e.by_block)


def _inputs(calibration: CoinCalibration, name: Literal["plus", "minus"]) -> _Side | str:
    """Return the inputs of a side's income, or the reason why it cannot be computed."""
    curve = getattr(calibration.fill_curve, name)
    fill = getattr(calibration.fill_impact.epsilon_fill, name)
    profile = getattr(calibration.fill_impact.profile, name)
    intercept, slope = profile.intercept, profile.slope
    if not (intercept.usable and slope.usable):
        # Too few depths for a line: assume the same move at each.
        flat = np.zeros(len(fill.by_block))
        intercept, slope = fill, Estimate(0.0, 0.0, 0.0, 0.0, fill.n, by_block=flat)
    needed = [curve.kappa, curve.lambda0, fill, intercept, slope]
    missing = next((e for e in needed if not e.usable), None)
    if missing is not None:
        return str(missing.reason)
    used = [curve.kappa, curve.lambda0, intercept, slope]
    if len({len(e.by_block) for e in used}) != 1 or not len(profile.depth):
        return "too few blocks of time or too few depths to estimate errors"
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


def _aged(inputs: _Side | str, age: QuoteAge, fee: float) -> _Side | str:
    """Return the inputs of quotes that age, right at the depth at which income is computed."""
    if isinstance(inputs, str):
        return inputs
    side = SideProblem(inputs.lambda0, inputs.kappa, inputs.intercept, inputs.slope)
    fills = age.fills(side)
    if fills is None:
        return inputs
    # What was measured is the move of orders that came as far as that when they came.
    measured_depth = fills.decided_at(inputs.measured_depth)
    aged = age.effective(side, fee, most_depth=measured_depth)
    parts = inputs.parts.copy()
    parts[1] *= aged.intensity / side.intensity  # the relative error is the same
    return replace(
        inputs,
        kappa=aged.kappa,
        lambda0=aged.intensity,
        intercept=aged.cost,
        slope=aged.slope,
        parts=parts,
        measured_depth=measured_depth,
        best_depth=fills.best_depth(side.cost, side.slope, fee),
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
    # The bot waits for a bid fill and an ask fill in turn: a renewal process of mean cycle time
    # 1/ask_rate + 1/bid_rate.
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
    """Return standard normal weights of the blocks, shape (blocks, 1 + draws), the first all 0."""
    draws = np.random.default_rng(_SEED).standard_normal((blocks, 1 + _DRAWS))
    draws[:, 0] = 0.0
    draws.flags.writeable = False
    return draws


def _income(per_second: Float1D, n: int, status: Status) -> Estimate:
    """Return income per hour; the first number is the estimate, the others are draws."""
    hourly = per_second * _SECONDS_PER_HOUR
    return Estimate(float(hourly[0]), *percentile_interval(hourly[1:]), n, status)
