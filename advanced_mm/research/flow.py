"""Columns of volume and flow: average prices, intensity, and who took."""

from typing import Final

import numpy as np

from advanced_mm.research.column import Market, Register
from advanced_mm.research.windows import FloatArray, ratio

__all__ = ["TABLE", "average_price", "turnover"]

TABLE: Final = Register()


def turnover(market: Market) -> FloatArray:
    """Return the volume in quote currency.

    Where the source does not have it: volume times the candle's typical price,
    (high + low + close) / 3.
    """
    volume, known = market.candle("volume"), market.candle("quote_volume")
    typical = (market.candle("high") + market.candle("low") + market.candle("close")) / 3.0
    return np.where(np.isnan(known), volume * typical, known)


def average_price(market: Market) -> FloatArray:
    """Return the average price of each candle's trades, NaN in a candle without any."""
    return ratio(turnover(market), market.candle("volume"))


@TABLE.add
def vwap(market: Market) -> FloatArray:
    """Average price of all trades since the first candle.

    - formula: Σ quote volume / Σ volume, from the first candle on
    - unit: quote currency
    - source: Berkowitz, Logue & Noser (1988), The Total Cost of Transactions on the NYSE
    - note: From the trades' own prices, not from the closes. Where the source lacks the quote
      volume, from (high + low + close) / 3. It depends on where the data begin.
    """
    volume = market.candle("volume")
    value = ratio(np.nancumsum(turnover(market)), np.nancumsum(volume))
    value[np.isnan(volume)] = np.nan
    return value


@TABLE.over(300, 900, 3600)
def vwap_(market: Market, seconds: int) -> FloatArray:
    """Average price of the window's trades.

    - formula: Σ quote volume over w / Σ volume over w
    - unit: quote currency
    - source: Berkowitz, Logue & Noser (1988)
    - note: From the trades' own prices, not from the closes, as vwap. Unknown while nothing traded
      in the window.
    """
    window = market.window(seconds)
    return ratio(window.mean(turnover(market)), window.mean(market.candle("volume")))


@TABLE.over(60, 300, 3600)
def volume_ma(market: Market, seconds: int) -> FloatArray:
    """Mean volume of a candle.

    - formula: mean(volume over w)
    - unit: base units per candle
    - source: definition
    """
    return market.window(seconds).mean(market.candle("volume"))


@TABLE.over(60, 300)
def volume_ratio(market: Market, seconds: int) -> FloatArray:
    """Volume of the candle against the window's mean.

    - formula: volume / volume_ma
    - unit: 1
    - source: definition
    - note: Unknown while nothing traded in the window.
    """
    return ratio(market.candle("volume"), market[f"volume_ma_{seconds}s"])


@TABLE.add
def trades_per_second(market: Market) -> FloatArray:
    """Number of trades a second.

    - formula: trades / seconds of a candle
    - unit: 1/s
    - source: definition
    """
    return market.candle("trades") / market.step_seconds


@TABLE.add
def avg_trade_size(market: Market) -> FloatArray:
    """Mean size of the candle's trades.

    - formula: volume / trades
    - unit: base units
    - source: definition
    - note: Unknown in a candle without trades; the 0 that is often written there is no size, and
      its mean over a day is far below that of the trades.
    """
    return ratio(market.candle("volume"), market.candle("trades"))


@TABLE.over(300)
def trades_ma(market: Market, seconds: int) -> FloatArray:
    """Mean number of trades a second.

    - formula: mean(trades_per_second over w)
    - unit: 1/s
    - source: definition
    """
    return market.window(seconds).mean(market["trades_per_second"])


@TABLE.add
def taker_buy_ratio(market: Market) -> FloatArray:
    """Share of the volume that takers bought.

    - formula: taker buy volume / volume
    - unit: fraction
    - source: Chordia, Roll & Subrahmanyam (2002), Order Imbalance, Liquidity, and Market Returns
    - note: Unknown in a candle without trades, not 0.
    """
    return ratio(market.candle("taker_buy_volume"), market.candle("volume"))


@TABLE.add
def taker_sell_ratio(market: Market) -> FloatArray:
    """Share of the volume that takers sold.

    - formula: 1 − taker_buy_ratio
    - unit: fraction
    - source: Chordia, Roll & Subrahmanyam (2002)
    - note: Unknown in a candle without trades, not 1.
    """
    return 1.0 - market["taker_buy_ratio"]


@TABLE.add
def order_flow_imbalance(market: Market) -> FloatArray:
    """Balance of the takers' volume: ½ if all of it bought, −½ if all of it sold.

    - formula: taker_buy_ratio − ½
    - unit: fraction
    - source: after Chordia, Roll & Subrahmanyam (2002)
    - note: Unknown in a candle without trades. A ratio of 0 there would make it −½, as if takers
      sold whenever nobody trades. It is of trades, not of the book (Cont, Kukanov & Stoikov, 2014).
    """
    return market["taker_buy_ratio"] - 0.5
