"""A policy in Backtrader: the page's own lines run, and what is said of its fills is so."""

import datetime
import re
from pathlib import Path
from typing import Any

import backtrader as bt
import numpy as np
import pandas as pd
import pytest

from advanced_mm.marketdata.store import ShardStore
from advanced_mm.policies import Ladder, Level, build
from advanced_mm.replay import ReplayOptions
from advanced_mm.replay.account import Account
from advanced_mm.replay.backtest import Backtest
from advanced_mm.replay.figures import equity_at
from advanced_mm.replay.ladders import LadderOptions, run_ladder
from tests.replay.ladders.policies_for_tests import Told
from tests.replay.recordings import record

PAGE = Path(__file__).parents[1] / "docs" / "policies-elsewhere.md"
MINUTES = 15
SETTINGS = {
    "levels": [{"offset_bps": 2, "size": 0.1}, {"offset_bps": 4, "size": 0.1}],
    "max_inventory": 1.0,
    "skew_factor": 0.0001,
}


def blocks() -> list[str]:
    return re.findall(r"```python.*?\n(.*?)```", PAGE.read_text(), re.DOTALL)


def strategy() -> Any:
    names: dict[str, Any] = {}
    exec(compile(blocks()[1], str(PAGE), "exec"), names)
    return names["PolicyInBacktrader"]


def traded(bars: pd.DataFrame, policy: object, capital: float = 10_000.0) -> tuple[list, float]:
    """Run the page's strategy on bars; return (bought, price, size) of each fill, and the gain."""
    fills = []

    class Noting(strategy()):
        def notify_order(self, order):
            if order.status == order.Completed:
                fills.append((order.isbuy(), order.executed.price, abs(order.executed.size)))

    cerebro = bt.Cerebro(stdstats=False)
    cerebro.adddata(bt.feeds.PandasData(dataname=bars))
    cerebro.addstrategy(Noting, policy=policy)
    cerebro.broker.setcash(capital)
    cerebro.run()
    return fills, cerebro.broker.getvalue() - capital


def bars_of(*rows: tuple[float, float, float, float, float]) -> pd.DataFrame:
    times = pd.date_range(datetime.datetime(2026, 1, 1), periods=len(rows), freq="min")
    return pd.DataFrame(rows, times, ["open", "high", "low", "close", "volume"])


QUIET = (100.0, 100.0, 100.0, 100.0, 1.0)
BOTH = Told(lambda state: Ladder((Level(99.5, 3.0),), (Level(100.5, 3.0),)))


def test_the_first_lines_of_the_page_run(capsys) -> None:
    exec(compile(blocks()[0], str(PAGE), "exec"), {})
    bid, ask = (float(word) for word in capsys.readouterr().out.split())
    assert bid < 3000 < ask


def test_the_strategy_has_twenty_lines() -> None:
    body = blocks()[1].partition("class ")[2].strip().splitlines()
    assert len([line for line in body if line.strip()]) <= 20


def test_a_bar_that_holds_both_prices_fills_both_whatever_was_traded() -> None:
    fills, gain = traded(bars_of(QUIET, (100.0, 100.5, 99.5, 100.0, 0.001), QUIET), BOTH)
    assert sorted(fills) == [(False, 100.5, 3.0), (True, 99.5, 3.0)]
    assert gain == pytest.approx(3.0)


def test_an_order_beyond_the_open_is_filled_there_and_not_at_its_own_price() -> None:
    fills, _ = traded(bars_of(QUIET, (102.0, 102.0, 102.0, 102.0, 1.0), QUIET), BOTH)
    assert fills == [(False, 102.0, 3.0)]


def test_what_is_not_touched_is_not_filled_and_orders_end_with_their_bar() -> None:
    lows = [(100.0, 100.2, low, 100.0, 9.0) for low in (99.9, 99.6, 99.55)]
    first = Told(lambda state: BOTH.ladder(state) if state.time_ms % 3_600_000 == 0 else Ladder())
    touched = (100.0, 100.5, 99.5, 100.0, 9.0)
    assert traded(bars_of(QUIET, *lows, QUIET), BOTH)[0] == []
    assert traded(bars_of(QUIET, QUIET, touched, QUIET), first)[0] == []


def row(name: str, fills: int, gain: float) -> str:
    return f"| {name} | {fills} | {gain:+.2f} |".replace("-", "−").replace("+−", "−")


def test_bars_and_ticks_differ_as_the_page_says(tmp_path) -> None:
    record(tmp_path, MINUTES)
    trades = ShardStore(tmp_path).read("ETH", 0, 2**60).trades
    prints = pd.DataFrame(
        {"price": trades.price, "volume": trades.size}, pd.to_datetime(trades.time_ms, unit="ms")
    )
    bars = prints["price"].resample("1min").ohlc().ffill()
    bars["volume"] = prints["volume"].resample("1min").sum()
    fills, gain = traded(bars, build("basis_points", SETTINGS))
    rows = [row("Backtrader, bars of a minute", len(fills), gain)]
    backtest = Backtest.load(tmp_path, "ETH")
    account = LadderOptions(account=Account(capital=10_000.0, spot=False, init_ratio=0.0))
    for look, queue in (("minute", "back"), ("second", "front"), ("second", "back")):
        look_ms = {"minute": 60_000, "second": 1000}[look]
        options = ReplayOptions(size=0.1, look_ms=look_ms, feed_latency_ms=50.0)
        run = run_ladder(
            backtest, lambda: build("basis_points", SETTINGS), options, account, (queue,)
        )
        result = run.results[queue]
        earned = equity_at(result, np.array([result.end_ms]))[0] - 10_000.0
        name = f"tick replay, a look a {look}, {queue} of the queue"
        rows.append(row(name, len(result.fills), earned))
    text = PAGE.read_text()
    assert [one for one in rows if one not in text] == []
