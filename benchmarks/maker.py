"""Speed of the maker: from a touch that moves to the whole new ladder at the venue, and its cost.

A loopback Hyperliquid runs in a process of its own. Its markets' touches move by one tick, once a
second each, and a ladder of ten orders a side, three ticks apart, follows in the maker's process,
over ccxt.pro and real sockets: all twenty orders must move each time. The time is the venue's own,
from the moment the touch moves to the moment the last of the twenty orders is new; it includes the
venue's part: the touch's way out, and checking and carrying out the twenty changes, which is
measured apart, by the reply to the same twenty changes when nobody decides anything.

The maker's share of a core is measured over the run, with one market and with twenty.

    python benchmarks/maker.py                 # two minutes
    python benchmarks/maker.py --seconds 20    # each of the two runs
    python benchmarks/maker.py --profile FILE  # where the maker's time goes, for pstats
"""

import argparse
import asyncio
import cProfile
import multiprocessing
import sys
import time
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
from eth_account import Account
from rich.console import Console
from rich.table import Table

from advanced_mm.cli import run
from advanced_mm.maker import Limits, MarketSetup
from advanced_mm.maker.exchange import Change
from advanced_mm.maker.exchanges import HyperliquidExchange
from advanced_mm.maker.running import Maker
from advanced_mm.markets.clock import MarketClock
from advanced_mm.markets.market import Book, CoinSpec, Level, MarketUpdate, Quote
from advanced_mm.policies import Ladder, MarketState
from advanced_mm.policies import Level as LadderLevel
from advanced_mm.venue.conditions.gateway import Gateway
from advanced_mm.venue.conditions.limits import LimitSwitches
from advanced_mm.venue.engine.exchange import Exchange
from advanced_mm.venue.engine.rules import Rules
from advanced_mm.venue.server.server import PaperServer

LEVELS = 10
TICK = 0.1
APART = 3
MOVES_A_SECOND = 1.0
SECONDS = 60.0
COUNTS = (1, 20)
POLL_SECONDS = 0.0005


class MovingMarket:
    """A market whose touch takes a step of a tick when told."""

    def __init__(self, coin: str, number: int) -> None:
        self.spec = CoinSpec(coin, 4, 25, TICK)
        self.now_ms = int(time.time() * 1000)
        self.bid = 3000.0 + number
        self._moved = False
        self.moved_at = 0.0

    @property
    def mid(self) -> float:
        """Midway between the touches."""
        return self.bid + TICK / 2

    def move(self, step: int) -> None:
        """Move the touch at the next step of time."""
        self.bid = round(self.bid + step * TICK, 1)
        self._moved = True

    def advance(self, until_ms: int) -> list[MarketUpdate]:
        """Go on."""
        if until_ms <= self.now_ms:
            return []
        moved, self._moved = self._moved, False
        self.now_ms = until_ms
        if not moved:
            return [MarketUpdate(until_ms, None, ())]
        self.moved_at = time.perf_counter()
        return [MarketUpdate(until_ms, Quote(self.bid, 5.0, round(self.bid + TICK, 1), 5.0), ())]

    def book(self, levels: int) -> Book:
        """Return the book."""

        def side(best: float, step: float) -> tuple[Level, ...]:
            return tuple(
                Level(round(best + step * one, 1), 5.0, 3) for one in range(min(levels, 20))
            )

        return Book(self.now_ms, side(self.bid, -TICK), side(self.bid + TICK, TICK))


@dataclass
class Followed:
    """How soon one market's ladders were whole, seconds."""

    market: MovingMarket
    before: frozenset[int] = frozenset()
    waits: bool = False
    seconds: list[float] = field(default_factory=list)


def venue(pipe: Connection, address: str, count: int) -> None:
    """Serve the venue; says its addresses, begins to move when told, and ends with the times."""
    asyncio.run(_venue(pipe, address, count))


async def _venue(pipe: Connection, address: str, count: int) -> None:
    markets = [MovingMarket(f"C{number}", number) for number in range(count)]
    exchange = Exchange(markets, Rules())
    gateway = Gateway(exchange, LimitSwitches(rest=False, websocket=False, address=False))
    server = PaperServer(exchange, MarketClock(exchange.now_ms), gateway=gateway)
    await server.start()
    pipe.send((server.rest_url, server.ws_url))
    followed = [Followed(one) for one in markets]
    by_coin = {one.market.spec.coin: one for one in followed}
    rng = np.random.default_rng(1)
    loop = asyncio.get_running_loop()

    def there() -> dict[str, frozenset[int]]:
        found: dict[str, set[int]] = {}
        for one in exchange.open_orders(address):
            found.setdefault(one.coin, set()).add(one.oid)
        return {coin: frozenset(oids) for coin, oids in found.items()}

    moving = False
    next_move = 0.0
    turn = 0
    while True:
        if pipe.poll():
            if pipe.recv() == "end":
                break
            moving, next_move = True, loop.time()
        if moving and loop.time() >= next_move:
            next_move += 1 / (MOVES_A_SECOND * count)
            one = followed[turn % count]
            turn += 1
            one.before = there().get(one.market.spec.coin, frozenset())
            one.market.moved_at, one.waits = 0.0, True
            one.market.move(int(rng.choice((-1, 1))))
        waiting = [one for one in by_coin.values() if one.waits and one.market.moved_at]
        if waiting:
            now_there = there()
            for one in waiting:
                own = now_there.get(one.market.spec.coin, frozenset())
                if len(own) == 2 * LEVELS and not own & one.before:
                    one.waits = False
                    one.seconds.append(time.perf_counter() - one.market.moved_at)
        await asyncio.sleep(POLL_SECONDS)
    pipe.send([second for one in followed for second in one.seconds])
    await server.stop()


class Comb:
    """Ten orders a side, three ticks apart."""

    name = "comb"
    update_seconds = 0.0

    def ladder(self, state: MarketState) -> Ladder:
        """Return the ladder."""
        steps = [APART * TICK * (one + 1) for one in range(LEVELS)]
        size = 20 / state.mid
        return Ladder(
            tuple(LadderLevel(state.mid - step, size) for step in steps),
            tuple(LadderLevel(state.mid + step, size) for step in steps),
        )


@dataclass(frozen=True)
class Outcome:
    """Of one run: times in ms, and the maker's processor time over the run's."""

    ladders_ms: np.ndarray[Any, np.dtype[np.float64]]
    venue_ms: float
    share: float


def measure(count: int, seconds: float, profile: Path | None) -> Outcome:
    """Run a maker of so many markets against a venue in another process."""
    wallet = Account.create()
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(
        target=venue, args=(theirs, wallet.address.lower(), count), daemon=True
    )
    process.start()
    try:
        rest, stream = ours.recv()
        config = {
            "urls": {"api": {"public": rest, "private": rest, "ws": {"public": stream}}},
            "walletAddress": wallet.address,
            "privateKey": wallet.key.hex(),
        }
        profiler = cProfile.Profile() if profile is not None else None
        share, venue_ms = asyncio.run(_maker(config, count, seconds, ours, profiler))
        if profiler is not None:
            profiler.dump_stats(str(profile))
        times = np.array(ours.recv()) * 1000
    finally:
        process.join(5)
        process.kill()
    return Outcome(times, venue_ms, share)


async def _maker(
    config: dict[str, Any],
    count: int,
    seconds: float,
    pipe: Connection,
    profiler: cProfile.Profile | None,
) -> tuple[float, float]:
    def clock() -> int:
        return time.time_ns() // 1_000_000

    limits = Limits(volatility_limit=None, max_daily_loss=None, max_drawdown=None)
    exchange = HyperliquidExchange("hl", config, clock)
    setups = [
        MarketSetup(exchange="hl", symbol=f"C{one}/USDC:USDC", policy=Comb(), limits=limits)
        for one in range(count)
    ]
    maker = Maker({"hl": exchange}, setups, None, clock)
    running = asyncio.create_task(maker.run())
    while not running.done() and not (
        maker.keepers and all(len(one.bids) == len(one.asks) == LEVELS for one in maker.views())
    ):
        await asyncio.sleep(0.1)
    venue_ms = await _reply_ms(exchange, setups[0].symbol)
    await asyncio.sleep(1.0)
    pipe.send("move")
    if profiler is not None:
        profiler.enable()
    began, used = time.perf_counter(), time.process_time()
    await asyncio.wait([running], timeout=seconds)
    share = (time.process_time() - used) / (time.perf_counter() - began)
    if profiler is not None:
        profiler.disable()
    await maker.stop()
    await running
    pipe.send("end")
    return share, venue_ms


async def _reply_ms(exchange: HyperliquidExchange, symbol: str) -> float:
    """Return the median time of a reply to twenty changes of orders into what they are."""
    times = []
    for _ in range(9):
        orders = [one for one in await exchange.open_orders(symbol) if one.trigger_price is None]
        began = time.perf_counter()
        await exchange.edit([Change(one, one.price, one.left) for one in orders])
        times.append(time.perf_counter() - began)
        await asyncio.sleep(0.05)
    return float(np.median(times)) * 1000


def main(argv: list[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of each run (%(default)g)")
    parser.add_argument("--profile", type=Path, help="profile of the run of most markets")
    options = parser.parse_args(argv)
    table = Table(title=f"{LEVELS} levels a side, every order moves with the touch")
    for column in ("markets", "moves", "to the new ladder, median", "95%", "of it the venue's"):
        table.add_column(column, justify="right")
    table.add_column("the maker's share of a core", justify="right")
    for count in COUNTS:
        outcome = measure(count, options.seconds, options.profile if count > 1 else None)
        times = outcome.ladders_ms
        table.add_row(
            str(count),
            str(times.size),
            f"{np.median(times):.1f} ms",
            f"{np.quantile(times, 0.95):.1f} ms",
            f"{outcome.venue_ms:.1f} ms",
            f"{outcome.share:.0%}",
        )
    Console().print(table)
    return 0


if __name__ == "__main__":
    sys.exit(run(main))
