"""Is the recording what the venue published? Faults in random order, and what they left out.

The loopback venue publishes a synthetic market faster than the clock; the collector's script
records it over the socket, while connections are cut or silent, messages come late or twice, and
the collector is killed and started again. The same market, written down without a socket, is the
truth: every row of it must be in the recording unless it lies in a gap that the recording lists, no
other row may be there, and a replay must give the same fills wherever neither had a gap.

    python benchmarks/recording_truth.py                     # 20 faults, 30 minutes at 20x speed
    python benchmarks/recording_truth.py --seed 7            # in another order
    python benchmarks/recording_truth.py --soak              # 8 hours at 60x speed, no faults
    python benchmarks/recording_truth.py --minutes 3 --faults 4 --speed 20
"""

import argparse
import asyncio
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pyarrow as pa
from pydantic import TypeAdapter
from rich.console import Console
from rich.table import Table

from advanced_mm.cli import run
from advanced_mm.errors import InputError
from advanced_mm.marketdata import ShardStore
from advanced_mm.marketdata.collector.recorder import Recorder
from advanced_mm.marketdata.connection_log import CHANNEL_OF, Gap
from advanced_mm.marketdata.feed.wire import decode
from advanced_mm.marketdata.schemas import DATA_KINDS, SCHEMAS, shard_metadata
from advanced_mm.markets.clock import MarketClock
from advanced_mm.markets.synthetic import SyntheticMarket, SyntheticParameters
from advanced_mm.parameter_files import Settings
from advanced_mm.replay import ReplayOptions
from advanced_mm.replay.backtest import Backtest, Policy
from advanced_mm.replay.policies import run_policy
from advanced_mm.venue.conditions.faults import Fault
from advanced_mm.venue.conditions.gateway import Gateway
from advanced_mm.venue.conditions.history import lay_history
from advanced_mm.venue.conditions.limits import LimitSwitches
from advanced_mm.venue.engine.exchange import Exchange
from advanced_mm.venue.engine.rules import Rules
from advanced_mm.venue.protocol.messages.market_messages import book_message
from advanced_mm.venue.protocol.subscriptions.channels import FAST_BOOK, SLOW_BOOK
from advanced_mm.venue.server.server import PaperServer

ROOT = Path(__file__).resolve().parents[1]
COLLECTOR = ROOT / "scripts" / "hyperliquid_data_collector.py"
START_MS = 1_790_000_000_000
SETTLED_MS = 10_000  # after the first quote, for the other subscriptions
COIN = "ETH"
LOCAL = ("timestamp", "sequence", "snapshot", "backfilled", "position")
"""Columns that say how a row was received, not what was published."""
SHOWN = ["kind", "exchange_timestamp", "price", "size", "side", "trade_id", "fast", "bid_price_0"]

FAULTS: dict[str, tuple[float, list[dict[str, object]]]] = {
    "quotes lost": (
        8.5, [{"kind": "dropped_messages", "channels": ["bbo"], "seconds": 7}]),
    "trades lost": (
        8.5, [{"kind": "dropped_messages", "channels": ["trades"], "seconds": 7}]),
    "books lost": (
        8.5, [{"kind": "dropped_messages", "channels": ["l2Book"], "seconds": 7}]),
    "silent": (4.5, [{"kind": "silence", "seconds": 3.5}]),
    "silent, without a pong": (4.5, [{"kind": "silence", "pongs": False, "seconds": 3.5}]),
    "cut, and refused for a second": (5.0, [{"kind": "cut", "refuse": True, "seconds": 1}]),
    "cut": (3.0, [{"kind": "cut"}]),
    "half of a message": (3.0, [{"kind": "garbled_messages", "probability": 0.2, "seconds": 1}]),
    "messages twice": (2.0, [{"kind": "duplicated_messages", "seconds": 1}]),
    "messages late": (2.0, [{"kind": "delayed_messages", "milliseconds": 500, "seconds": 1}]),
    "messages late, each by another time": (
        3.0,
        [{"kind": "delayed_messages", "milliseconds": 300, "distribution": "exponential",
          "seconds": 1}],
    ),
    "requests answered with 502": (3.0, [{"kind": "http_error", "status": 502, "seconds": 2}]),
    "killed": (3.5, []),
    "ended and started again": (3.5, []),
}  # fmt: skip
"""Faults, each with the real seconds until it is over and its loss was noticed.

One begins when the last is over. A channel alone is missed after five seconds or more, which are a
hundred here: hidden by another fault before that, its loss would be known too late.
"""
LONG_S = 4.0  # faults that take longer come once each


@dataclass(frozen=True)
class Plan:
    """The size of a run; ``faults`` in number, ``minutes`` of market time."""

    minutes: float
    speed: float
    faults: int
    seed: int

    @property
    def end_ms(self) -> int:
        return START_MS + round(self.minutes * 60_000)


@dataclass
class Collecting:
    """The collector's script as a process, and its memory while it ran."""

    url: str
    folder: Path
    process: asyncio.subprocess.Process | None = None
    memory: list[tuple[float, float]] = field(default_factory=list)

    async def start(self) -> None:
        with (self.folder.parent / "collector.log").open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, str(COLLECTOR), "--crypto", COIN, "--url", self.url,
                "--data-dir", str(self.folder), "--flush-seconds", "1", stderr=log,
            )  # fmt: skip

    async def end(self, number: int) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        return await self.process.wait()

    @property
    def subscribed(self) -> int:
        """How often it has said that all its subscriptions were in force."""
        try:
            events = ShardStore(self.folder).connections(COIN)
        except InputError:  # nothing is recorded yet
            return 0
        return sum(event.event == "subscribed" for event in events)

    async def watch(self) -> None:
        """Note the resident memory in MB once a second."""
        while True:
            if self.process is not None and self.process.returncode is None:
                try:
                    memory = psutil.Process(self.process.pid).memory_info().rss
                    self.memory.append((time.monotonic(), memory / 1e6))
                except psutil.NoSuchProcess:
                    pass
            await asyncio.sleep(1.0)


class Stopwatch:
    """Seconds in which the market runs: none while a slow machine is still starting a collector."""

    def __init__(self) -> None:
        self._stood_s = 0.0
        self._stands_since: float | None = None

    def __call__(self) -> float:
        now = time.monotonic() if self._stands_since is None else self._stands_since
        return now - self._stood_s

    async def wait(self, condition: Callable[[], bool]) -> None:
        """Let the market stand still until a condition holds."""
        self._stands_since = began = time.monotonic()
        while not condition():
            await asyncio.sleep(0.02)
        self._stood_s += time.monotonic() - began
        self._stands_since = None

    async def until(self, moment: float) -> None:
        """Wait until the market has run so many seconds."""
        while (left := moment - self()) > 0:
            await asyncio.sleep(left)


@asynccontextmanager
async def venue(plan: Plan) -> AsyncIterator[tuple[PaperServer, Gateway, Stopwatch]]:
    market = SyntheticMarket(SyntheticParameters(coin=COIN), START_MS, plan.seed)
    exchange = Exchange([market], Rules())
    gateway = Gateway(exchange, LimitSwitches(rest=False, websocket=False, address=False))
    stopwatch = Stopwatch()
    clock = MarketClock(START_MS, plan.speed, stopwatch)
    server = PaperServer(exchange, clock, gateway=gateway)
    await server.start()
    try:
        yield server, gateway, stopwatch
    finally:
        await server.stop()


def drawn(number: int, draw: random.Random) -> list[str]:
    """Return some faults in random order: each once, then more of the short ones."""
    names = draw.sample([*FAULTS], min(number, len(FAULTS)))
    short = [name for name, (seconds, _) in FAULTS.items() if seconds < LONG_S]
    names += draw.choices(short, k=number - len(names))
    draw.shuffle(names)
    return names


async def record(plan: Plan, folder: Path, say: Callable[[str], None]) -> Collecting:
    """Publish the market, record it, and strike with the faults one after the other."""
    draw = random.Random(plan.seed)
    names = drawn(plan.faults, draw)
    parse = TypeAdapter(Fault).validate_python
    async with venue(plan) as (server, gateway, stopwatch):
        collecting, began = Collecting(server.ws_url, folder), stopwatch()
        await collecting.start()
        watch = asyncio.create_task(collecting.watch())
        await stopwatch.wait(lambda: collecting.subscribed > 0)
        await stopwatch.until(stopwatch() + SETTLED_MS / 1000 / plan.speed)
        for name in names:
            say(f"{server.exchange.now_ms - START_MS:>9,} ms  {name}")
            seconds, faults = FAULTS[name]
            over = stopwatch() + seconds
            for fault in faults:
                gateway.set_fault(parse(fault))
            if name in ("killed", "ended and started again"):
                number = signal.SIGKILL if name == "killed" else signal.SIGTERM
                assert await collecting.end(number) in (0, -signal.SIGKILL)
                before = collecting.subscribed

                def again(before: int = before) -> bool:
                    return collecting.subscribed > before

                await collecting.start()
                await stopwatch.until(over)
                await stopwatch.wait(again)
            await stopwatch.until(over)
        await stopwatch.until(began + plan.minutes * 60 / plan.speed)
        watch.cancel()
        assert await collecting.end(signal.SIGTERM) == 0
    return collecting


def truth(plan: Plan, folder: Path) -> None:
    """Write the same market down without a socket."""
    market = SyntheticMarket(SyntheticParameters(coin=COIN), START_MS, plan.seed)
    recorder = Recorder(ShardStore(folder), [COIN], {COIN: market.spec.tick})
    lay_history(market, recorder, plan.end_ms + 60_000)


def rows_of(folder: Path, kind: str) -> pd.DataFrame:
    """Return what was published, each row once."""
    files = sorted((folder / COIN / kind).glob("*.parquet"))
    rows = pd.concat([pd.read_parquet(path) for path in files], ignore_index=True)
    rows = rows.drop(columns=[name for name in LOCAL if name in rows])
    return rows.drop_duplicates(ignore_index=True)


def books_at(plan: Plan, found: pd.DataFrame, published: pd.DataFrame) -> pd.DataFrame:
    """Return the market's books at the times of those found that were not published regularly."""
    keys = ["exchange_timestamp", "fast"]
    asked = found[keys].merge(published[keys], how="left", indicator=True)
    asked = asked[asked["_merge"] == "left_only"].sort_values(keys)
    market = SyntheticMarket(SyntheticParameters(coin=COIN), START_MS, plan.seed)
    books = []
    for time_ms, fast in asked[keys].itertuples(index=False):
        market.advance(int(time_ms))
        levels = FAST_BOOK[0] if fast else SLOW_BOOK[0]
        (rows,) = decode(book_message(market.spec, market.book(levels)))
        books.append([*rows.rows[0][:-1], bool(fast)])
    return pd.DataFrame(books, columns=found.columns)


@dataclass(frozen=True)
class Verdict:
    """What is wrong with a recording; empty where nothing is.

    ``rows`` and ``missing`` count the truth's rows of each kind; a missing row that no gap covers
    is in ``unexplained``, a row that the venue never published in ``invented``. ``fills`` counts
    those of a replay of the recording, ``other_fills`` how many differ from those of the truth with
    the same gaps.
    """

    gaps: list[Gap]
    rows: dict[str, int]
    missing: dict[str, int]
    unexplained: pd.DataFrame
    invented: pd.DataFrame
    fills: int
    other_fills: int

    @property
    def sound(self) -> bool:
        """Whether the recording is what was published."""
        return not (len(self.unexplained) or len(self.invented) or self.other_fills)


def judge(plan: Plan, folder: Path, true_folder: Path) -> Verdict:
    """Compare a recording with the truth, from its first quotes to the end of the market."""
    gaps = list(ShardStore(folder).gaps(COIN))
    quoted = rows_of(folder, "prices")["exchange_timestamp"]
    first_ms, last_ms = int(quoted.min()) + SETTLED_MS, min(int(quoted.max()), plan.end_ms) - 1
    rows: dict[str, int] = {}
    missing: dict[str, int] = {}
    heard: dict[str, pd.DataFrame] = {}
    unexplained, invented = [], []
    for kind in DATA_KINDS:
        published, found = rows_of(true_folder, kind), rows_of(folder, kind)
        if kind == "orderbooks":
            # A new subscription is answered with the book of that moment, between the regular ones.
            published = pd.concat([published, books_at(plan, found, published)], ignore_index=True)
        both = published.merge(found, how="left", indicator=True)
        heard[kind] = both[both["_merge"] == "both"].drop(columns="_merge")
        both = both[both["exchange_timestamp"].between(first_ms, last_ms)]
        lost = both[both["_merge"] == "left_only"]
        time_ms = lost["exchange_timestamp"].to_numpy()
        explained = np.zeros(len(lost), dtype=bool)
        for gap in gaps:
            if gap.channel == CHANNEL_OF[kind]:
                explained |= (time_ms >= gap.start_ms) & (time_ms <= gap.end_ms)
        rows[kind], missing[kind] = len(both), len(lost)
        unexplained.append(lost[~explained].assign(kind=kind))
        more = found.merge(published, how="left", indicator=True)
        more = more[more["exchange_timestamp"].between(first_ms, last_ms)]
        invented.append(more[more["_merge"] == "left_only"].assign(kind=kind))
    fills, other_fills = compared_fills(folder, heard, true_folder.parent / "heard")
    return Verdict(
        gaps, rows, missing, pd.concat(unexplained), pd.concat(invented), fills, other_fills
    )


def compared_fills(
    folder: Path, heard: dict[str, pd.DataFrame], true_folder: Path
) -> tuple[int, int]:
    """Return the fills of a replay of the recording, and how many the truth does not have.

    The truth is what the market published outside the gaps, in its own order, with the gaps known.
    """
    store = ShardStore(true_folder)
    for kind, rows in heard.items():
        columns = {
            "timestamp": rows["exchange_timestamp"] / 1000,
            "sequence": np.arange(len(rows)),
            "snapshot": False,
            "backfilled": False,
            "position": 0,
        }
        whole = rows.assign(**columns)[SCHEMAS[kind].names]
        tick = SyntheticParameters().tick
        schema = SCHEMAS[kind].with_metadata(shard_metadata(COIN, tick))
        store.write(COIN, kind, pa.Table.from_pandas(whole, schema=schema, preserve_index=False))
    shutil.copytree(folder / COIN / "connections", true_folder / COIN / "connections")
    quoted = heard["prices"]["exchange_timestamp"]
    first_ms, last_ms = int(quoted.min()) + SETTLED_MS, int(quoted.max()) - 1
    found = []
    for recording in (folder, true_folder):
        backtest = Backtest.load(recording, COIN, since_ms=first_ms, until_ms=last_ms)
        settings = Settings()
        size = backtest.order_size(100.0)
        # The market ran faster than the clock, so when it was received means nothing.
        options = ReplayOptions.of_settings(settings, size=size, feed_latency_ms=50.0)
        run = run_policy(backtest, Policy.fixed(0.5), settings, options, ["front"])
        fills = run.results["front"].fills
        found.append({(int(f["exchange_ns"]), int(f["price"]), int(f["side"])) for f in fills})
    return len(found[0]), len(found[0] ^ found[1])


def report(verdict: Verdict, console: Console) -> None:
    table = Table("kind", "rows published", "missing", "unexplained", "never published")
    for kind, number in verdict.rows.items():
        unexplained, invented = (
            int((wrong["kind"] == kind).sum()) for wrong in (verdict.unexplained, verdict.invented)
        )
        table.add_row(
            kind, f"{number:,}", f"{verdict.missing[kind]:,}", f"{unexplained:,}", f"{invented:,}"
        )
    console.print(table)
    listed = Table("channel", "from ms", "to ms", "seconds", "reason", title="gaps that it lists")
    for gap in verdict.gaps:
        seconds = (gap.end_ms - gap.start_ms) / 1000
        listed.add_row(
            gap.channel, f"{gap.start_ms - START_MS:,}", f"{gap.end_ms - START_MS:,}",
            f"{seconds:.1f}", gap.reason,
        )  # fmt: skip
    console.print(listed)
    console.print(
        f"{verdict.fills} fills of a replay; {verdict.other_fills} differ from the truth's"
    )
    for name, wrong in (("unexplained", verdict.unexplained), ("invented", verdict.invented)):
        if not wrong.empty:
            console.print(f"{name}:\n{wrong[SHOWN].head(10).to_string()}")


def memory_table(collecting: Collecting, plan: Plan) -> Table:
    """Mean resident memory in each market hour."""
    table = Table("market hour", "resident MB", title="memory of the collector")
    began = collecting.memory[0][0]
    hour_s = 3600 / plan.speed
    hours: dict[int, list[float]] = {}
    for at, megabytes in collecting.memory:
        hours.setdefault(int((at - began) / hour_s), []).append(megabytes)
    for hour, values in hours.items():
        table.add_row(str(hour + 1), f"{np.mean(values):.1f}")
    return table


def parse(argv: list[str] | None) -> tuple[Plan, bool]:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, help="of market time")
    parser.add_argument("--speed", type=float, help="times real time")
    parser.add_argument("--faults", type=int, help="how many strike")
    parser.add_argument("--seed", type=int, default=1, help="of the market and the order of faults")
    parser.add_argument("--soak", action="store_true", help="8 hours at 60 times, no faults")
    given = parser.parse_args(argv)
    usual = (480.0, 60.0, 0) if given.soak else (30.0, 20.0, 20)
    minutes, speed, faults = (
        default if one is None else one
        for one, default in zip((given.minutes, given.speed, given.faults), usual, strict=True)
    )
    if not (minutes > 0 and speed > 0 and faults >= 0):
        raise InputError("--minutes and --speed must be positive, --faults not negative")
    return Plan(minutes, speed, round(faults), given.seed), given.soak


def main(argv: list[str] | None = None) -> int:
    """Run, judge and print; return 1 if the recording is not what was published."""
    plan, soak = parse(argv)
    console = Console(width=120)
    with tempfile.TemporaryDirectory() as temporary:
        folder, true_folder = Path(temporary, "recording"), Path(temporary, "truth")
        collecting = asyncio.run(record(plan, folder, console.print))
        truth(plan, true_folder)
        verdict = judge(plan, folder, true_folder)
    report(verdict, console)
    if soak:
        console.print(memory_table(collecting, plan))
    console.print("the recording is what was published" if verdict.sound else "it is NOT")
    return 0 if verdict.sound else 1


if __name__ == "__main__":
    sys.exit(run(main))
