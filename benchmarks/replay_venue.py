"""The same orders through the replay and through the loopback venue's matching, on one recording.

A maker quotes on both sides of a recording in the replay. Its orders are then sent to the venue's
engine at the times at which the replay's venue got them, and withdrawn when they were withdrawn
there. The queue rules are the same: behind nothing (`front`), or behind everything that rests at
the price with all cancels behind us (`back`). Counted are the orders that were filled in either,
and those that began to fill in both within a second.

    python benchmarks/replay_venue.py                              # an hour of a synthetic market
    python benchmarks/replay_venue.py --data-dir data --crypto ETH # a recording
"""

import argparse
import sys
import tempfile
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from advanced_mm.cli import run
from advanced_mm.marketdata import ShardStore
from advanced_mm.markets.recorded_books import read_books
from advanced_mm.markets.replay import ReplayMarket
from advanced_mm.replay import Queue, ReplayOptions, ReplayResult, fixed_bp, load_recording, replay
from advanced_mm.replay.layout import Ended
from advanced_mm.venue.engine.exchange import Exchange
from advanced_mm.venue.engine.orders import OrderRequest, TimeInForce
from advanced_mm.venue.engine.rules import Rules
from benchmarks.replay import MARKET, record

MAKER: Final = "0x" + "a" * 40
TOGETHER_MS: Final = 1000
LATENCY_MS: Final = 50
RULES: Final = {"front": (0.0, 0.0), "back": (1.0, 0.0)}
"""``queue_position`` and ``cancels_ahead`` of the venue's rules that are the replay's."""


@dataclass(frozen=True)
class Agreement:
    """Orders that began to fill within a second of each other in both, of those filled in either.

    ``only_replay`` and ``only_venue`` were filled in one alone, ``apart`` in both but not together.
    ``refused`` orders were refused for taking liquidity, ``refused_by_one`` of them by one alone.
    """

    orders: int
    together: int
    apart: int
    only_replay: int
    only_venue: int
    refused: int
    refused_by_one: int

    @property
    def share(self) -> float:
        """Share of the filled orders that were filled together."""
        filled = self.together + self.apart + self.only_replay + self.only_venue
        return self.together / max(filled, 1)


def first_fills(result: ReplayResult) -> NDArray[np.int64]:
    """Return when each order began to fill, ms, -1 if it did not."""
    return _firsts(len(result.quotes), result.fills["quote"], result.time_ms)


def _firsts(
    orders: int, places: NDArray[np.int64], time_ms: NDArray[np.int64]
) -> NDArray[np.int64]:
    first = np.full(orders, np.iinfo(np.int64).max)
    np.minimum.at(first, places, time_ms)
    return np.where(first == np.iinfo(np.int64).max, -1, first)


def through_the_venue(
    result: ReplayResult, data_dir: Path, queue: Queue
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Send a replay's orders to the venue's engine; return first fills (ms) and refusals."""
    store, coin = ShardStore(data_dir), result.data.coin
    recording, books = store.read(coin), read_books(data_dir, coin)
    first_ms = int(min(recording.quotes.time_ms[0], *books.time_ms[:1]))
    position, cancels = RULES[queue]
    rules = Rules(queue_position=position, cancels_ahead=cancels, play_money=Decimal(10**9))
    exchange = Exchange([ReplayMarket(recording, books, first_ms, loop=False)], rules)
    units = exchange.books[coin].units
    quotes, filled = result.quotes, first_fills(result)
    price = result.prices(quotes["price"])
    sent = quotes["sent_ns"] // 1_000_000 + LATENCY_MS
    ended = quotes["ended_ns"] // 1_000_000 - LATENCY_MS
    # A filled order would have rested on: the venue has a second longer to fill it.
    withdrawn = np.where(quotes["ended"] == Ended.FILLED, filled + TOGETHER_MS, ended)
    actions = sorted(
        [(int(time), 1, place) for place, time in enumerate(sent)]
        + [(int(time), 0, place) for place, time in enumerate(withdrawn)]
    )
    numbers: dict[int, int] = {}
    for time_ms, sends, place in actions:
        exchange.advance(time_ms)
        exchange.take_events()
        if sends:
            (outcome,) = exchange.place(
                MAKER,
                [
                    OrderRequest(
                        coin,
                        bool(quotes["side"][place] == 0),
                        units.price_units(price[place]),
                        units.lots(quotes["size"][place]),
                        tif=TimeInForce.ALO,
                    )
                ],
            )
            if outcome.order is not None and outcome.error is None:
                numbers[outcome.order.oid] = place
        else:
            oid = next((oid for oid, one in numbers.items() if one == place), None)
            if oid is not None:
                exchange.cancel(MAKER, [(coin, oid)])
    fills = [fill for fill in exchange.fills(MAKER) if fill.oid in numbers]
    places = np.array([numbers[fill.oid] for fill in fills], dtype=np.int64)
    times = np.array([fill.time_ms for fill in fills], dtype=np.int64)
    refused = np.ones(len(quotes), dtype=np.bool_)
    refused[list(numbers.values())] = False
    return _firsts(len(quotes), places, times), refused


def agreement(
    data_dir: Path, coin: str, queue: Queue, bp: float, cache: Path | None = None
) -> Agreement:
    """Compare the two matchings for quotes ``bp`` from the mid on both sides."""
    data = load_recording(data_dir, coin, cache=cache)
    options = ReplayOptions(size=0.05, latency_ms=LATENCY_MS, feed_latency_ms=0)
    result = replay(data, fixed_bp(bp, -10_000, 10_000), options, queue)
    ours = first_fills(result)
    theirs, refused_there = through_the_venue(result, data_dir, queue)
    refused_here = result.quotes["ended"] == Ended.VENUE_REFUSED
    refused = refused_here | refused_there
    ours, theirs = np.where(refused, -1, ours), np.where(refused, -1, theirs)
    both = (ours >= 0) & (theirs >= 0)
    near = both & (np.abs(ours - theirs) <= TOGETHER_MS)
    return Agreement(
        orders=len(ours),
        together=int(near.sum()),
        apart=int((both & ~near).sum()),
        only_replay=int(((ours >= 0) & (theirs < 0)).sum()),
        only_venue=int(((ours < 0) & (theirs >= 0)).sum()),
        refused=int(refused.sum()),
        refused_by_one=int((refused_here ^ refused_there).sum()),
    )


def main(argv: list[str] | None = None) -> int:
    """Print the table; exit code 0."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data-dir", type=Path, help="recording (default: a synthetic market)")
    parser.add_argument("--crypto", default=MARKET.coin, help="coin (default: %(default)s)")
    options = parser.parse_args(argv)
    table = Table(
        *("queue", "bp", "orders", "filled together", "apart", "only replay", "only venue"),
        *("refused", "by one", "share"),
    )
    with tempfile.TemporaryDirectory() as name:
        folder = options.data_dir or Path(name)
        if options.data_dir is None:
            record(MARKET, 1.0, folder)
        queues: tuple[Queue, ...] = ("front", "back")
        for queue in queues:
            for bp in (0.5, 1.0, 2.0, 3.0):
                one = agreement(folder, options.crypto, queue, bp, Path(name) / "converted")
                counts = (one.orders, one.together, one.apart, one.only_replay, one.only_venue)
                cells = (*counts, one.refused, one.refused_by_one)
                table.add_row(queue, f"{bp:g}", *map(str, cells), f"{one.share:.1%}")
    Console().print(table)
    return 0


if __name__ == "__main__":
    sys.exit(run(main))
