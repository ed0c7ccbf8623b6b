"""Columns for a market maker: inventory, spread, score, and what the range would have paid.

None of them is an income or a quote: they are rules of thumb over candles. What a maker may expect
comes from a calibration on trades.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from advanced_mm.research.column import Market, Register
from advanced_mm.research.windows import FloatArray, ratio

__all__ = ["TABLE", "THRESHOLDS", "Thresholds"]

TABLE: Final = Register()
_WINDOW: Final = 300
_RISK_AVERSION: Final = 1.0
_CAPTURED: Final = 0.5


@dataclass(frozen=True)
class Thresholds:
    """What mm_opportunity_score gives points for.

    Attributes
    ----------
    busy, very_busy
        volume_ratio_300s above which a candle gets 10 and 20 points.
    calm
        Range of the volatility's place for 25 points, and a wider one for 15: 0 at its 10th
        percentile of the last hour, 1 at its 90th.
    reversing
        reversal_rate_300s above which it gets 20.
    light
        Quantile of the last hour's inventory_risk_300s below which it gets 15.
    balanced
        |order_flow_imbalance| below which it gets 20.
    memory_seconds, least_seconds
        How far the quantiles look back, and how much of it must be known.
    """

    busy: float = 1.2
    very_busy: float = 1.5
    calm: tuple[tuple[float, float], tuple[float, float]] = ((0.3, 0.7), (0.2, 0.8))
    reversing: float = 0.1
    light: float = 0.3
    balanced: float = 0.1
    memory_seconds: int = 3600
    least_seconds: int = 300


THRESHOLDS: Final = Thresholds()


@TABLE.add
def inventory_drift(market: Market) -> FloatArray:
    """Sum of the takers' imbalance since the first candle.

    - formula: Σ order_flow_imbalance over the candles with trades
    - unit: candles
    - source: after Ho & Stoll (1981), Optimal Dealer Pricing
    - note: A candle without trades adds nothing; with −½ for it, the sum would fall by half a unit
      a second in a market at rest. Every candle counts the same, whatever its volume. A maker who
      fills the takers holds the opposite. Candles that were not observed are left out.
    """
    imbalance = market["order_flow_imbalance"]
    flow = np.where(market.candle("taker_buy_volume") == 0.0, 0.0, imbalance)
    flow = np.where(market.candle("volume") == 0.0, flow, imbalance)
    drift = np.nancumsum(flow)
    drift[np.isnan(flow)] = np.nan
    return drift


@TABLE.over(60, _WINDOW)
def inventory_risk(market: Market, seconds: int) -> FloatArray:
    """How far the takers' imbalance swings.

    - formula: std(inventory_drift over w)
    - unit: candles
    - source: definition
    - note: Of the flow, not of anyone's position.
    """
    return market.window(seconds).deviation(market["inventory_drift"])


@TABLE.over(60, _WINDOW)
def optimal_spread(market: Market, seconds: int) -> FloatArray:
    """Rule of thumb for a spread that widens with volatility and inventory.

    - formula: max(γ · volatility · (1 + 2 · inventory_risk), tick / close), γ = 1
    - unit: fraction
    - source: a heuristic after Avellaneda & Stoikov (2008)
    - note: It is not their spread, γσ²(T − t) + (2/γ) ln(1 + γ/κ): it knows nothing of how often
      takers reach a depth, and γ = 1 is arbitrary. Look at its course, not at its level. Unknown
      where its inputs are, not one tick; the tick only counts where the source knows it.
    """
    spread = _RISK_AVERSION * market[f"volatility_{seconds}s"]
    spread = spread * (1.0 + 2.0 * market[f"inventory_risk_{seconds}s"])
    if market.tick is None:
        return spread
    return np.maximum(spread, market.tick / market.candle("close"))


@TABLE.add
def mm_opportunity_score(market: Market) -> FloatArray:
    """Points for conditions that suit a market maker, 0 to 100.

    - formula: volume_ratio_300s > 1.5: 20, > 1.2: 10; place of volatility_300s between its 10th and
      90th percentile of the last hour in [0.3, 0.7]: 25, in [0.2, 0.8]: 15; reversal_rate_300s >
      0.1: 20; inventory_risk_300s below its 30th percentile of the last hour: 15;
      |order_flow_imbalance| < 0.1: 20
    - unit: points
    - source: a heuristic
    - note: The percentiles are those of the last hour (at least 300 s of it), so that no row knows
      the rest of its day. A candle without trades gets no points for balance. The weights are a
      guess: nothing was fitted, and nobody earned anything by them.
    """
    limits = THRESHOLDS
    memory = market.window(limits.memory_seconds)
    least = max(limits.least_seconds // market.step_seconds, 1)
    volatility, risk = market["volatility_300s"], market["inventory_risk_300s"]
    low, high = (memory.quantile(volatility, q, least) for q in (0.1, 0.9))
    light = memory.quantile(risk, limits.light, least)
    place = ratio(volatility - low, high - low)
    busy = market["volume_ratio_300s"]
    score = 10.0 * (busy > limits.busy) + 10.0 * (busy > limits.very_busy)
    for points, (least_place, most) in zip((10.0, 15.0), limits.calm, strict=True):
        score += points * ((place >= least_place) & (place <= most))
    score += 20.0 * (market["reversal_rate_300s"] > limits.reversing)
    score += 15.0 * (risk < light)
    score += 20.0 * (np.abs(market["order_flow_imbalance"]) < limits.balanced)
    needed = low + light + volatility + risk + market["reversal_rate_300s"]
    return np.where(np.isnan(needed), np.nan, score)


@TABLE.add
def max_position_size(market: Market) -> FloatArray:
    """Position that loses one unit of the quote currency at a move of one deviation in 300 s.

    - formula: 1 / volatility_300s
    - unit: quote currency
    - source: volatility targeting
    - note: volatility_300s is that of 300 s already, so √300 does not come in again. Scale
      it by the loss you accept. Unknown where the price stood still.
    """
    return ratio(np.ones(market.rows), market["volatility_300s"])


@TABLE.add
def price_deviation_vwap(market: Market) -> FloatArray:
    """Distance of the close from the last 300 s' average price.

    - formula: close / vwap_300s − 1
    - unit: fraction
    - source: definition
    """
    return market.candle("close") / market["vwap_300s"] - 1.0


@TABLE.add
def adverse_selection_risk(market: Market) -> FloatArray:
    """Mean distance of the price from its average of 300 s.

    - formula: mean(|price_deviation_vwap| over 300 s)
    - unit: fraction
    - source: a heuristic
    - note: It says how far the price runs, not who was on the right side: adverse selection is
      what the price does after one's fills (markouts).
    """
    return market.window(_WINDOW).mean(np.abs(market["price_deviation_vwap"]))


@TABLE.add
def theoretical_pnl(market: Market) -> FloatArray:
    """Index of activity: what half the range would pay on one unit at every trade. Not an income.

    - formula: ½ · hl_spread · trades
    - unit: quote currency per unit of size
    - source: a heuristic
    - note: Nobody could have earned it. A range is no spread and moves through the quotes; it
      assumes every trade for oneself, the far side always filled, no fee, no adverse selection.
    """
    return _CAPTURED * market["hl_spread"] * market.candle("trades")


@TABLE.add
def theoretical_pnl_cumsum(market: Market) -> FloatArray:
    """Sum of the index of activity since the first candle. Not an income.

    - formula: Σ theoretical_pnl
    - unit: quote currency per unit of size
    - source: a heuristic
    - note: As theoretical_pnl: it can only rise. Candles that were not observed are left out.
    """
    index = market["theoretical_pnl"]
    total = np.nancumsum(index)
    total[np.isnan(index)] = np.nan
    return total


@TABLE.over(_WINDOW)
def sharpe_ratio(market: Market, seconds: int) -> FloatArray:
    """Evenness of the index of activity. Not the Sharpe ratio of an income.

    - formula: mean(theoretical_pnl over w) / std(theoretical_pnl over w)
    - unit: 1, per candle
    - source: after Sharpe (1994), The Sharpe Ratio
    - note: Never negative, as the index is not. Unknown where the index did not change. Not
      annualised.
    """
    window = market.window(seconds)
    index = market["theoretical_pnl"]
    return ratio(*window.moments(index))
