"""The tick replay against the market's own law, against the venue's engine, and its speed.

A synthetic market of known parameters is written as shards by the recorder and replayed.

1. Quotes at constant depths on both sides, looked at every 0.1, 1, 2 and 5 s: orders filled by
   trades, at the front of the queue, beside the number that the law of the market expects of quotes
   at their actual distances from the mid, the sum of lambda0 e^(-kappa distance) over the time they
   rested; and what those fills earned ten seconds later beside distance less epsilon. Fills by the
   book, of a price that moved through a quote, are what the quote's age costs on top.
2. A maker of one unit at the optimal depths: what a unit earns in the replay, front and back, and
   in the loopback venue's order book (`benchmarks/quote_age.py`).
3. Speed: conversion in records a second, a replay of the whole recording in multiples of real time,
   beside the venue's engine on the same recording; and the memory that took.

    python benchmarks/replay.py            # a day for the speed, two hours for the rest: 5 minutes
    python benchmarks/replay.py --quick    # an hour for both
"""

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table

from advanced_mm.cli import run
from advanced_mm.marketdata import ShardStore
from advanced_mm.marketdata.collector.recorder import Recorder
from advanced_mm.markets.recorded_books import read_books
from advanced_mm.markets.replay import load_replay
from advanced_mm.markets.synthetic import SyntheticMarket, SyntheticParameters
from advanced_mm.performance.intervals import TimeDraws
from advanced_mm.price_grid import PriceGrid
from advanced_mm.replay import (
    DecisionTable,
    Queue,
    ReplayData,
    ReplayOptions,
    ReplayResult,
    fixed_depth,
    load_recording,
    replay,
)
from advanced_mm.replay.conversion import convert
from advanced_mm.replay.layout import Ended
from advanced_mm.venue.conditions.history import lay_history
from advanced_mm.venue.engine.exchange import Exchange
from advanced_mm.venue.engine.rules import Rules
from benchmarks.quote_age import Maker, optimal_depths

START_MS = 1_790_000_000_000
LOOKS_MS = (100, 1000, 2000, 5000)
DEPTHS = (0.5, 1.0)
HORIZON_MS = 10_000
LAW_HOURS = 2.0
UNIT = 0.01
MARKET = SyntheticParameters(sigma=0.4)
LATENCY_MS = 1.0


@dataclass(frozen=True)
class Law:
    """What the market's law expects of quotes, and what came of them; arrays by fill or quote."""

    expected: float
    filled: int
    by_book: int
    expected_profit: float
    profit: float
    profit_low: float
    profit_high: float

    @property
    def error(self) -> float:
        """Standard deviations between the orders that were filled and those expected (Poisson)."""
        return (self.filled - self.expected) / float(np.sqrt(self.expected))


def record(parameters: SyntheticParameters, hours: float, folder: Path, seed: int = 1) -> None:
    """Write a market's shards through the recorder, without a socket."""
    market = SyntheticMarket(parameters, START_MS, seed)
    recorder = Recorder(
        ShardStore(folder), [market.spec.coin], {market.spec.coin: market.spec.tick}
    )
    lay_history(market, recorder, START_MS + round(hours * 3_600_000))


def both_sides(data: ReplayData, depth: float, look_ms: int) -> ReplayResult:
    """Quote small orders on both sides that follow the mid at every look."""
    options = ReplayOptions(
        size=UNIT,
        look_ms=look_ms,
        latency_ms=LATENCY_MS,
        feed_latency_ms=0,
        min_quote_age_seconds=0,
        requote_ticks=1,
    )
    return replay(data, fixed_depth(depth, -100_000, 100_000), options, "front")


def compare_with_law(result: ReplayResult, parameters: SyntheticParameters) -> Law:
    """Compare fills by trades with the market's fill intensity at each quote's distance."""
    truth = parameters.truth()
    expected, worth = _expected(result, truth.lambda0_plus, truth.kappa_plus, truth.epsilon_plus)
    traded = np.flatnonzero(~result.by_book)
    _, first = np.unique(result.fills["quote"][traded], return_index=True)
    fills = traded[np.sort(first)]  # an order's first fill by a trade
    later, _ = result.mids.at(result.time_ms[fills] + HORIZON_MS)
    earned = result.sign[fills] * (later - result.price[fills])
    draws = TimeDraws(result.time_ms[fills], HORIZON_MS / 1000)
    mean = draws.mean(earned, "USDC")
    return Law(
        expected=float(expected.sum()),
        filled=len(fills),
        by_book=len(np.unique(result.fills["quote"][result.by_book])),
        expected_profit=float(worth.sum() / expected.sum()),
        profit=mean.value,
        profit_low=mean.low,
        profit_high=mean.high,
    )


def _expected(
    result: ReplayResult, rate: float, kappa: float, epsilon: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return each quote's expected fills and their profit, from when it came until it ended."""
    quotes, latency = result.quotes, round(LATENCY_MS * 1_000_000)
    begin, end = quotes["sent_ns"] + latency, quotes["ended_ns"] - latency
    filled = np.full(len(quotes), np.iinfo(np.int64).max)
    np.minimum.at(filled, result.fills["quote"], result.fills["exchange_ns"])
    end = np.minimum(end, filled)
    times, mids = result.mids.exchange_ns, result.mids.mid
    price, sign = result.prices(quotes["price"]), np.where(quotes["side"] == 0, 1, -1)
    expected, worth = np.zeros(len(quotes)), np.zeros(len(quotes))
    low = np.searchsorted(times, begin, side="right") - 1
    high = np.searchsorted(times, end, side="left")
    for i in np.flatnonzero((end > begin) & (quotes["ended"] != Ended.VENUE_REFUSED)):
        edges = np.append(times[low[i] : high[i]], end[i])
        edges[0] = begin[i]
        distance = np.maximum(sign[i] * (mids[low[i] : high[i]] - price[i]), 0.0)
        fills = rate * np.exp(-kappa * distance) * np.diff(edges) / 1e9
        expected[i], worth[i] = fills.sum(), (fills * (distance - epsilon)).sum()
    return expected, worth


def one_unit(
    data: ReplayData, parameters: SyntheticParameters, look_ms: int, queue: Queue
) -> tuple[float, float, float]:
    """Return what a unit earns at the optimal depths on {0, 1}, with its interval."""
    fee = float(Rules().maker_fee)
    bid, ask = optimal_depths(parameters, fee)
    table = _constant(bid, ask)
    options = ReplayOptions(
        size=1.0,
        grid=PriceGrid(parameters.size_decimals, parameters.tick),
        look_ms=look_ms,
        latency_ms=0,
        feed_latency_ms=0,
        fee_rate=fee,
        min_quote_age_seconds=look_ms / 1000,
        max_quote_age_seconds=1e6,
    )
    result = replay(data, table, options, queue)
    later, _ = result.mids.at(result.time_ms + HORIZON_MS)
    earned = result.sign * (later - result.price) - result.options.fee_rate * result.price
    mean = TimeDraws(result.time_ms, HORIZON_MS / 1000).mean(earned, "USDC", result.size)
    return mean.value, mean.low, mean.high


def _constant(bid: float, ask: float) -> DecisionTable:
    table = fixed_depth(0.0, 0, 1)
    table.bid_depth[0, 0], table.ask_depth[0, 1] = bid, ask
    return table


def engine_unit(parameters: SyntheticParameters, look_ms: int, seeds: Sequence[int]) -> float:
    """Return what a unit earns in the venue's order book, with the same looks."""
    units = profit = 0.0
    for seed in seeds:
        outcome = Maker(parameters, seed, look_ms / 1000).trade(30.0, look_ms)
        units, profit = units + outcome.units, profit + outcome.profit
    return profit / units


def _law_table(data: ReplayData) -> Table:
    table = Table(
        *("look s", "depth", "by trades", "expected", "error", "by the book"),
        *("USDC a unit after 10 s", "expected"),
    )
    for look_ms in LOOKS_MS:
        for depth in DEPTHS:
            law = compare_with_law(both_sides(data, depth, look_ms), MARKET)
            table.add_row(
                f"{look_ms / 1000:g}",
                f"{depth:g}",
                str(law.filled),
                f"{law.expected:.0f}",
                f"{law.error:+.1f} sd",
                str(law.by_book),
                f"{law.profit:.3f} ({law.profit_low:.3f} to {law.profit_high:.3f})",
                f"{law.expected_profit:.3f}",
            )
    return table


def _unit_table(data: ReplayData, seeds: Sequence[int]) -> Table:
    table = Table("look s", "replay, front", "replay, back", "venue's engine", title="USDC a unit")
    for look_ms in track(LOOKS_MS, "trading in the venue's book"):
        cells = []
        for queue in ("front", "back"):
            value, low, high = one_unit(data, MARKET, look_ms, queue)
            cells.append(f"{value:+.3f} ({low:+.3f} to {high:+.3f})")
        table.add_row(f"{look_ms / 1000:g}", *cells, f"{engine_unit(MARKET, look_ms, seeds):+.3f}")
    return table


def _speed_table(folder: Path, data: ReplayData, seconds: float) -> Table:
    store, coin = ShardStore(folder), data.coin
    table = Table("what", "took s", "", title="speed on one core")
    begin = time.perf_counter()
    recording, books = store.read(coin), read_books(folder, coin)
    took = time.perf_counter() - begin
    rows = data.rows
    table.add_row("reading the shards", f"{took:.2f}", f"{rows / took:,.0f} records/s")
    begin = time.perf_counter()
    convert(recording, books)
    took = time.perf_counter() - begin
    table.add_row("conversion", f"{took:.2f}", f"{rows / took:,.0f} records/s")
    del recording, books
    begin = time.perf_counter()
    load_recording(folder, coin)
    took = time.perf_counter() - begin
    table.add_row("loading what was converted", f"{took:.2f}", "")
    for queue in ("front", "back"):
        begin = time.perf_counter()
        replay(data, fixed_depth(1.0, 0, 1), ReplayOptions(size=1.0), queue)
        took = time.perf_counter() - begin
        table.add_row(f"replay, {queue}", f"{took:.2f}", f"{seconds / took:,.0f} x real time")
    begin = time.perf_counter()
    market = load_replay(folder, coin, START_MS)
    exchange = Exchange([market], Rules())
    loaded = time.perf_counter() - begin
    minutes = min(10.0, seconds / 60)
    begin = time.perf_counter()
    for step in range(round(minutes * 60)):
        exchange.advance(START_MS + 1000 * (step + 1))
        exchange.take_events()
    took = time.perf_counter() - begin
    name = f"the venue's engine, {minutes:g} minutes of it (loaded in {loaded:.0f} s)"
    table.add_row(name, f"{took:.2f}", f"{60 * minutes / took:,.0f} x real time")
    return table


def main(argv: list[str] | None = None) -> int:
    """Print the tables; exit code 0."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="an hour instead of a day")
    options = parser.parse_args(argv)
    hours, seeds = (1.0, range(2)) if options.quick else (24.0, range(8))
    console = Console()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with console.status(f"recording {hours:g} h"):
            record(MARKET, hours, folder / "speed")
            data = load_recording(folder / "speed", MARKET.coin)
        replay(data, fixed_depth(1.0, 0, 1), ReplayOptions(size=1.0))  # compiles
        console.print(_speed_table(folder / "speed", data, hours * 3600))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        console.print(f"memory so far: {peak:.2f} GB at most")
        record(MARKET, min(hours, LAW_HOURS), folder / "law")
        data = load_recording(folder / "law", MARKET.coin)
        console.print(_law_table(data))
        console.print(_unit_table(data, seeds))
    return 0


if __name__ == "__main__":
    sys.exit(run(main))
