"""What an event of the journal costs who records it, and what reading and judging it costs.

An event is recorded each few milliseconds, as a strategy would that does other things between; the
journal's own thread writes meanwhile. Beside it: the same event as a line of JSON written at once
to a plain file, which is what a log does. A month has one event a second; it is read in a process
of its own, whose peak memory is shown. The live screen's look at what a session has earned is taken
after ten hours of an event a second and seven recorded prices, two seconds apart.

    python benchmarks/journal.py                # 30 days, about a minute
    python benchmarks/journal.py --quick        # 1 day
"""

import argparse
import itertools
import json
import multiprocessing
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table

from advanced_mm.cli import run
from advanced_mm.journal import (
    Event,
    Fill,
    JournalWriter,
    Look,
    QuoteEnded,
    QuoteSent,
    read_journal,
)
from advanced_mm.marketdata import ShardStore
from advanced_mm.marketdata.schemas import SCHEMAS
from advanced_mm.performance import RunningPerformance
from advanced_mm.performance.as_json import report_json
from advanced_mm.performance.judge import Wanted, judge_journal

FIRST = datetime(2026, 1, 1, tzinfo=UTC)
DAY_SECONDS = 86_400
LOOKS = 100


def main(argv: list[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="1 day in place of 30")
    parser.add_argument(
        "--hours", type=int, default=24, choices=range(1, 25), metavar="N",
        help="hours of each day that have events (24)",
    )  # fmt: skip
    parser.add_argument("--events", type=int, default=2000, help="events recorded for the costs")
    options = parser.parse_args(argv)
    console = Console()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        console.print(_costs(folder / "costs", options.events))
        days = 1 if options.quick else 30
        console.print(_reading(folder / "month", days, options.hours))
        console.print(_looking(folder / "session", 1 if options.quick else 10))
    return 0


def events(number: int, start_ms: int) -> Iterator[Event]:
    """Yield the events of a bot that requotes every few seconds: one a second."""
    for i in range(number):
        at, order = start_ms + 1000 * i, f"{17_958_700_000 + i // 2}"
        head: dict[str, Any] = {"time_ms": at, "coin": "ETH", "bot": "bot"}
        mid = 3000 + 10 * np.sin(i / 900)
        bid = round(mid - 1.2, 1)
        if i % 60 == 0:
            yield Look(**head, what="minute", position=0.0, mid=mid, cash=1e4, equity=1e4)
        elif i % 20 == 10:
            yield Fill(
                **head, fill=f"{188_310_626 + i}", order=order, side="bid", price=bid, size=3.2,
                fee=1.425, liquidity="maker", rested_seconds=1.5, mid=mid, position_after=3.2,
            )  # fmt: skip
        elif i % 2:
            yield QuoteEnded(
                **head, order=order, outcome="cancelled", why=f"replaced: {i % 9}.0 ticks off",
                filled_size=0.0, age_seconds=1.8,
            )  # fmt: skip
        else:
            yield QuoteSent(
                **head, order=order, side="bid", price=bid, size=3.2, mid=mid, bid=mid - 0.05,
                ask=mid + 0.05, depth=1.2, tick=0.1, inventory=0.0, units=0, purpose="entry",
                calibration_id=f"ETH-20260101T{i // 15:06d}.048229Z", expected_edge=0.54,
                toxicity=0.42, regime="profitable", volatility=0.56, queue_ahead=5.0,
            )  # fmt: skip


def _costs(folder: Path, number: int) -> Table:
    folder.mkdir(parents=True)
    table = Table(title=f"what an event costs, µs ({number} events)")
    for column in ("", "median", "99%", "largest"):
        table.add_column(column, justify="left" if not column else "right")
    writer = JournalWriter(folder / "journal", "bot")
    with (folder / "lines.jsonl").open("a") as lines:

        def plain(event: Event) -> None:
            lines.write(json.dumps(asdict(event)) + "\n")
            lines.flush()

        for name, record in (("the journal", writer.record), ("a JSON line at once", plain)):
            spent = _spent(record, list(events(number, int(time.time() * 1000)))) * 1e6
            figures = np.median(spent), np.quantile(spent, 0.99), spent.max()
            table.add_row(name, *(f"{figure:.1f}" for figure in figures))
    writer.close()
    return table


def _spent(record: Callable[[Event], None], some: list[Event]) -> NDArray[np.float64]:
    """Seconds each event took, with a pause between them."""
    spent = np.empty(len(some))
    for i, event in enumerate(some):
        begin = time.perf_counter()
        record(event)
        spent[i] = time.perf_counter() - begin
        time.sleep(0.002)
    return spent


def _reading(folder: Path, days: int, hours: int) -> Table:
    _write_days(folder, days, hours)
    size = sum(path.stat().st_size for path in folder.rglob("*.parquet"))
    table = Table(title=f"reading {days} days, {hours} hours each, of an event a second")
    for column in ("", "events", "on disk", "seconds", "peak memory"):
        table.add_column(column, justify="right" if column else "left")
    for name, step in (("read", read_all), ("read and judged", judge_all)):
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            rows, seconds, peak = pool.apply(step, (folder,))
        on_disk = f"{size / 2**20:.1f} MiB"
        table.add_row(name, f"{rows:,}", on_disk, f"{seconds:.1f} s", f"{peak:.0f} MiB")
    return table


def read_all(folder: Path) -> tuple[int, float, float]:
    """Rows, seconds and peak memory (MiB) of reading a journal in this process."""
    begin = time.perf_counter()
    journal = read_journal(folder)
    rows = sum(table.num_rows for table in journal.tables.values())
    return rows, time.perf_counter() - begin, _peak_mib()


def judge_all(folder: Path) -> tuple[int, float, float]:
    """The same for the whole performance report; its rows are fills and quotes."""
    begin = time.perf_counter()
    several = judge_journal(folder, Wanted())
    report_json(several, horizon_s=10.0)
    rows = sum(len(one.record.fills) + len(one.record.quotes) for one in several)
    return rows, time.perf_counter() - begin, _peak_mib()


def _looking(folder: Path, hours: int) -> Table:
    """What a look of the live screen costs; the events of its two seconds are on disk by then."""
    start_ms = int(FIRST.timestamp() * 1000)
    clock = [start_ms]
    writer = JournalWriter(folder, "bot", None, lambda: clock[0], lambda: clock[0])
    store = ShardStore(folder / "HL_data")
    running = RunningPerformance(
        folder, store.data_dir, "ETH", lambda: clock[0], lambda: clock[0] / 1000
    )
    some = events(3600 * hours + 2 * LOOKS, start_ms)
    for event in itertools.islice(some, 3600 * hours):
        clock[0] = event.time_ms
        writer.record(event)
        if event.time_ms % 600_000 == 0:
            writer.flush()
    writer.flush()
    store.write("ETH", "prices", _prices(start_ms, 3600 * hours))
    running.look()
    wall, cpu = np.empty(LOOKS), np.empty(LOOKS)
    for i in range(LOOKS):
        store.write("ETH", "prices", _prices(clock[0] + 1000, 2))
        for event in itertools.islice(some, 2):
            clock[0] = event.time_ms
            writer.record(event)
        writer.flush()
        begin, used = time.perf_counter(), time.thread_time()
        running.look()
        wall[i], cpu[i] = time.perf_counter() - begin, time.thread_time() - used
    writer.close()
    table = Table(title=f"a look at what {hours} hours have earned, ms ({LOOKS} looks)")
    for column in ("", "median", "99%", "largest"):
        table.add_column(column, justify="right" if column else "left")
    for name, spent in (("elapsed", wall * 1e3), ("processor", cpu * 1e3)):
        figures = np.median(spent), np.quantile(spent, 0.99), spent.max()
        table.add_row(name, *(f"{figure:.1f}" for figure in figures))
    return table


def _prices(start_ms: int, seconds: int) -> pa.Table:
    """Seven prices a second, bid and ask in turn."""
    times = start_ms + (np.arange(7 * seconds) * 1000) // 7
    half = np.where(np.arange(len(times)) % 2, 0.05, -0.05)
    columns = {
        "timestamp": times / 1000, "price": 3000 + 10 * np.sin(times / 9e5) + half,
        "size": np.ones(len(times)), "side": np.where(half < 0, "bid", "ask"),
        "exchange_timestamp": times,
    }  # fmt: skip
    return pa.table(columns, schema=SCHEMAS["prices"])


def _peak_mib() -> float:
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def _write_days(folder: Path, days: int, hours: int) -> None:
    """A day as a bot would write it, and the others as copies of it, moved in time."""
    start_ms = int(FIRST.timestamp() * 1000)
    clock = [start_ms]
    writer = JournalWriter(folder, "bot", None, lambda: clock[0], lambda: clock[0])
    for event in track(list(events(3600 * hours, start_ms)), "a day is written", transient=True):
        clock[0] = event.time_ms
        writer.record(event)
        if event.time_ms % 600_000 == 0:
            writer.flush()
    writer.close()
    (path,) = (folder / "ETH").glob("*.parquet")
    table = pq.read_table(path)
    for day in range(1, days):
        moved = table
        for name, by in (("row", day << 40), ("time_ms", day), ("written_ms", day)):
            by = by if name == "row" else by * DAY_SECONDS * 1000
            column = pa.array(moved[name].to_numpy() + by)
            moved = moved.set_column(moved.schema.get_field_index(name), name, column)
        named = pc.binary_join_element_wise(moved["order"].cast(pa.string()), f"-{day}", "")
        moved = moved.set_column(moved.schema.get_field_index("order"), "order", named)
        date = (FIRST + timedelta(days=day)).date()
        pq.write_table(moved, path.with_name(f"{date}.parquet"), compression="zstd")


if __name__ == "__main__":
    sys.exit(run(main))
