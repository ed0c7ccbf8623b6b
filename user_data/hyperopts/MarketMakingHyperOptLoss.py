"""Hyperopt's objective for a market maker on candles: income, less inventory risk and drawdown."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
from freqtrade.constants import Config
from freqtrade.optimize.hyperopt import IHyperOptLoss
from pandas import DataFrame

RISK_WEIGHT = 1.0
DRAWDOWN_WEIGHT = 1.0
MINUTE_MS = 60_000


class MarketMakingHyperOptLoss(IHyperOptLoss):
    """Minus what was earned after a charge for risk, percent of the starting balance.

    A maker is paid for quoting, not for holding, so a result that owes much to holding is charged:

    - one standard deviation of what the price alone would have earned on the positions held,
      ``sqrt(sum(value^2 * sigma^2 * minutes))``, sigma the volatility of a minute in these candles;
    - the largest fall of the sum of profits below its high.

    No trades give 0, which beats every loss: set ``--min-trades``.
    """

    @staticmethod
    def hyperopt_loss_function(
        *,
        results: DataFrame,
        trade_count: int,
        min_date: datetime,
        max_date: datetime,
        config: Config,
        processed: dict[str, DataFrame],
        backtest_stats: dict[str, Any],
        starting_balance: float,
        **kwargs: Any,
    ) -> float:
        """Return the loss; smaller is better."""
        if results.empty:
            return 0.0
        charge = RISK_WEIGHT * inventory_risk(results, processed)
        charge += DRAWDOWN_WEIGHT * drawdown(results)
        earned = float(results["profit_abs"].sum()) - charge
        return -100.0 * earned / starting_balance


def inventory_risk(results: DataFrame, processed: Mapping[str, DataFrame]) -> float:
    """Return the standard deviation that the price gave to the positions held, stake currency."""
    variance = 0.0
    for pair, trades in results.groupby("pair"):
        closes = np.log(processed[str(pair)]["close"].to_numpy(dtype=np.float64))
        sigma = float(np.std(np.diff(closes))) if len(closes) > 1 else 0.0
        filled = np.array([entry_filled_ms(orders) for orders in trades["orders"]])
        closed = trades["close_date"].to_numpy("datetime64[ms]").astype(np.int64)
        minutes = (closed - filled) / MINUTE_MS
        value = (trades["open_rate"] * trades["amount"]).to_numpy(dtype=np.float64)
        variance += sigma**2 * float(np.sum(value**2 * minutes))
    return float(np.sqrt(variance))


def entry_filled_ms(orders: Sequence[Mapping[str, Any]]) -> int:
    """Return when a trade's position began, for any strategy."""
    return min(int(order["order_filled_timestamp"]) for order in orders if order["ft_is_entry"])


def drawdown(results: DataFrame) -> float:
    """Return the largest fall of the sum of profits below its high, stake currency."""
    profits = results.sort_values("close_date")["profit_abs"].to_numpy(dtype=np.float64)
    equity = np.concatenate([[0.0], np.cumsum(profits)])
    return float(np.max(np.maximum.accumulate(equity) - equity))
