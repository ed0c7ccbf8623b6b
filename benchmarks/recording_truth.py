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
from pydantic import TypeAdapter
from rich.console import Console
from rich.table import Table

from advanced_mm.cli import run
from advanced_mm.errors import InputError
from advanced_mm.marketdata import ShardStore
from advanced_mm.marketdata.collector.recorder import Recorder
from advanced_mm.markets.clock import MarketClock
from advanced_mm.markets.synthetic import SyntheticMarket, SyntheticParameters
from advanced_mm.venue.conditions.faults import Fault
from advanced_mm.venue.conditions.gateway import Gateway
from advanced_mm.venue.conditions.history import lay_history
from advanced_mm.venue.conditions.limits import LimitSwitches
from advanced_mm.venue.engine.exchange import Exchange
from advanced_mm.venue.engine.rules import Rules
from advanced_mm.venue.server.server import PaperServer

ROOT = Path(__file__).resolve().parents[1]
COLLECTOR = ROOT / "scripts" / "hyperliquid_data_collector.py"
START_MS = 1_790_000_000_000
CONNECTED_S = 2.5  # real seconds that a collector has to start and connect
COIN = "ETH"
LOCAL = ["timestamp", "sequence"]
"""Columns that say when a row was received, not what was published."""

FAULTS: dict[str, list[dict[str, object]]] = {
    "cut": [{"kind": "cut"}],
    "cut, and refused for two seconds": [{"kind": "cut", "refuse": True, "seconds": 2}],
    "silent": [{"kind": "silence", "seconds": 2}],
    "silent, without a pong": [{"kind": "silence", "pongs": False, "seconds": 2}],
    "messages twice": [{"kind": "duplicated_messages", "seconds": 1}],
    "messages late": [{"kind": "delayed_messages", "milliseconds": 500, "seconds": 1}],
    "messages late, each by another time": [
        {"kind": "delayed_messages", "milliseconds": 300, "distribution": "exponential",
         "seconds": 1},
    ],
    "quotes lost": [{"kind": "dropped_messages", "channels": ["bbo"], "seconds": 2}],
    "trades lost": [{"kind": "dropped_messages", "channels": ["trades"], "seconds": 2}],
    "books lost": [{"kind": "dropped_messages", "channels": ["l2Book"], "seconds": 2}],
    "requests answered with 502": [{"kind": "http_error", "status": 502, "seconds": 2}],
    "killed": [],
    "ended and started again": [],
}  # fmt: skip


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
        self.process = await asyncio.create_subprocess_exec(
            sys.executable, str(COLLECTOR), "--crypto", COIN, "--url", self.url,
            "--data-dir", str(self.folder), "--flush-seconds", "1",
            stderr=(self.folder.parent / "collector.log").open("ab"),
        )  # fmt: skip

    async def end(self, number: int) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        return await self.process.wait()

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


@asynccontextmanager
async def venue(plan: Plan) -> AsyncIterator[tuple[PaperServer, Gateway]]:
    market = SyntheticMarket(SyntheticParameters(coin=COIN), START_MS, plan.seed)
    exchange = Exchange([market], Rules())
    gateway = Gateway(exchange, LimitSwitches(rest=False, websocket=False, address=False))
    server = PaperServer(exchange, MarketClock(START_MS, plan.speed), gateway=gateway)
    await server.start()
    try:
        yield server, gateway
    finally:
        await server.stop()


async def record(plan: Plan, folder: Path, say: Callable[[str], None]) -> Collecting:
    """Publish the market, record it, and strike with the faults one after the other."""
    draw = random.Random(plan.seed)
    names = [*FAULTS] * -(-plan.faults // len(FAULTS))
    draw.shuffle(names)
    names = names[: plan.faults]
    parse = TypeAdapter(Fault).validate_python
    async with venue(plan) as (server, gateway):
        collecting = Collecting(server.ws_url, folder)
        await collecting.start()
        watch = asyncio.create_task(collecting.watch())
        began = asyncio.get_running_loop().time()
        total_s = plan.minutes * 60 / plan.speed
        await asyncio.sleep(CONNECTED_S)
        room_s = (total_s - 2 * CONNECTED_S) / max(len(names), 1)
        for place, name in enumerate(names):
            at_s = began + CONNECTED_S + (place + draw.uniform(0.0, 0.3)) * room_s
            await asyncio.sleep(max(0.0, at_s - asyncio.get_running_loop().time()))
            say(f"{server.exchange.now_ms - START_MS:>9,} ms  {name}")
            for fault in FAULTS[name]:
                gateway.faults.set(parse(fault))
            if name == "killed":
                await collecting.end(signal.SIGKILL)
                await collecting.start()
            elif name == "ended and started again":
                assert await collecting.end(signal.SIGTERM) == 0
                await collecting.start()
        await asyncio.sleep(max(0.0, began + total_s - asyncio.get_running_loop().time()))
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
    rows = rows.drop(columns=[name for name in (*LOCAL, "snapshot") if name in rows])
    return rows.drop_duplicates(ignore_index=True)


@dataclass(frozen=True)
class Verdict:
    """What is wrong with a recording; empty where nothing is.

    ``rows`` and ``missing`` count the truth's rows of each kind; a missing row that no gap covers
    is in ``unexplained``, a row that the venue never published in ``invented``.
    """

    gaps: list[tuple[str, int, int, str]]
    rows: dict[str, int]
    missing: dict[str, int]
    unexplained: pd.DataFrame
    invented: pd.DataFrame


def judge(plan: Plan, folder: Path, true_folder: Path) -> Verdict:
    """Compare a recording with the truth, between its first row and the end of the market."""
    gaps = listed_gaps(folder)
    rows: dict[str, int] = {}
    missing: dict[str, int] = {}
    unexplained, invented = [], []
    for kind in ("trades", "prices", "orderbooks"):
        found, published = rows_of(folder, kind), rows_of(true_folder, kind)
        last_ms = min(int(found["exchange_timestamp"].max()), plan.end_ms) - 1
        first_ms = int(found["exchange_timestamp"].min()) + 1 if kind != "trades" else START_MS
        if kind == "trades":
            first_ms = first_heard_ms(folder)
        inside = published["exchange_timestamp"].between(first_ms, last_ms)
        both = published[inside].merge(
            found[found["exchange_timestamp"].between(first_ms, last_ms)],
            how="outer", indicator=True,
        )  # fmt: skip
        lost = both[both["_merge"] == "left_only"]
        time_ms = lost["exchange_timestamp"].to_numpy()
        explained = np.zeros(len(lost), dtype=bool)
        for channel, from_ms, to_ms, _ in gaps:
            if channel in ("", kind):
                explained |= (time_ms >= from_ms) & (time_ms <= to_ms)
        rows[kind], missing[kind] = int(inside.sum()), len(lost)
        unexplained.append(lost[~explained].assign(kind=kind))
        invented.append(both[both["_merge"] == "right_only"].assign(kind=kind))
    return Verdict(gaps, rows, missing, pd.concat(unexplained), pd.concat(invented))
