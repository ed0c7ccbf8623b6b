"""Cost of fifty coins: CPU per round and step, and memory over many rounds.

Every coin gets the shards of one synthetic market, three of each kind per round, as the collector
writes them in 15 s. Only the runner's own work is measured.

    python benchmarks/runner.py                   # 50 coins, 100 rounds: about a minute
    python benchmarks/runner.py --rounds 500
"""

import argparse
import logging
import os
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pyarrow.parquet as pq
from rich.console import Console
from rich.progress import track
from rich.table import Table

from advanced_mm.calibration import calibrate
from advanced_mm.calibration.publish import parameter_set
from advanced_mm.calibration.rolling import RollingWindow
from advanced_mm.calibration.runner import PeriodicRunner, RunnerOptions
from advanced_mm.cli import run
from advanced_mm.errors import InputError
from advanced_mm.marketdata.book_notes import book_note
from advanced_mm.marketdata.journal import ShardJournal
from advanced_mm.marketdata.lean_arrow import keep_pandas_out
from advanced_mm.marketdata.listing import shard_files
from advanced_mm.marketdata.schemas import DATA_KINDS
from advanced_mm.marketdata.store import ShardStore
from advanced_mm.parameter_files import ParameterFiles, Settings
from advanced_mm.parameter_files.history import CalibrationHistory

START_MS = 1_790_000_000_000
ROUND_MS = 15_000


@dataclass(frozen=True)
class Plan:
    """Size of the benchmark; ``minutes`` are recorded before the first round."""

    coins: int
    rounds: int
    minutes: int


def lay_market(data_dir: Path, minutes: float) -> None:
    """Record a synthetic market in shards of five seconds (run in a separate process)."""
    from advanced_mm.marketdata.collector.recorder import Recorder
    from advanced_mm.markets.synthetic import SyntheticMarket, SyntheticParameters
    from advanced_mm.venue.conditions.history import lay_history

    class Flushing(Recorder):
        def handle(self, message: Mapping[str, Any], received_s: float) -> None:
            super().handle(message, received_s)
            if self.flush_due(received_s):
                self.flush()

    market = SyntheticMarket(SyntheticParameters(), START_MS, seed=1)
    recorder = Flushing(ShardStore(data_dir), ["ETH"], {"ETH": market.spec.tick})
    lay_history(market, recorder, START_MS + round(minutes * 60_000))


class Feed:
    """Links the market's shards into every coin's folders, up to a given time."""

    def __init__(self, market: Path, data_dir: Path, coins: tuple[str, ...]) -> None:
        self._shards = sorted(
            (file.name_ms, kind, file.path)
            for kind in DATA_KINDS
            for file in shard_files(market, kind)
        )
        self._folders = [data_dir / coin for coin in coins]
        self._journals = [ShardJournal(folder) for folder in self._folders]
        self._place = 0
        for folder in self._folders:
            for kind in DATA_KINDS:
                (folder / kind).mkdir(parents=True)

    def until(self, time_ms: int) -> None:
        while self._place < len(self._shards) and self._shards[self._place][0] <= time_ms:
            name_ms, kind, path = self._shards[self._place]
            name = Path(path).name
            note = book_note(pq.read_table(path)) if kind == "orderbooks" else ""
            for folder, journal in zip(self._folders, self._journals, strict=True):
                os.link(path, folder / kind / name)
                journal.announce(name, name_ms, note)
            self._place += 1


class Bench:
    """One runner and its feed."""

    def __init__(self, plan: Plan, folder: Path) -> None:
        minutes = plan.minutes + plan.rounds * ROUND_MS / 60_000 + 1
        context = get_context("spawn")
        with ProcessPoolExecutor(
            1, mp_context=context
        ) as pool:  # keeps its memory out of the measurement
            pool.submit(lay_market, folder / "market", minutes).result()
        coins = tuple(f"C{i:02d}" for i in range(plan.coins))
        self.now_ms = START_MS + plan.minutes * 60_000
        self.data_dir = folder / "data"
        self.feed = Feed(folder / "market" / "ETH", self.data_dir, coins)
        self.runner = PeriodicRunner(
            RunnerOptions(coins),
            Settings(),
            ShardStore(self.data_dir),
            ParameterFiles(folder / "out"),
            CalibrationHistory(folder / "out" / "history", keep_days=90),
            wall_clock=lambda: self.now_ms / 1000,
        )

    def round(self) -> float:
        """Feed 15 s of market, refit, and return the CPU seconds of the refit."""
        self.now_ms += ROUND_MS
        self.feed.until(self.now_ms)
        began = time.process_time()
        errors = self.runner.refit_all()
        cost = time.process_time() - began
        if errors:
            raise errors[0]
        return cost


def step_costs(bench: Bench, plan: Plan, folder: Path) -> dict[str, float]:
    """Return the CPU milliseconds of each step for one coin (publishing: for all)."""
    window = RollingWindow(ShardStore(bench.data_dir), "C00", plan.minutes)
    window.update()
    reading = []
    for _ in range(10):
        bench.round()
        reading.append(timed(window.update, 1))
    recording = window.update()
    settings, now = Settings(), datetime.fromtimestamp(bench.now_ms / 1000, UTC)
    fit = calibrate(recording, window_minutes=plan.minutes)
    entries = parameter_set(fit, settings, None, now)
    every = {f"C{i:02d}": entries for i in range(plan.coins)}
    files = ParameterFiles(folder / "steps")
    history = CalibrationHistory(folder / "steps" / "history")
    return {
        "read and roll 9 new shards": float(np.median(reading)),
        "fit": timed(lambda: calibrate(recording, window_minutes=plan.minutes), 20),
        "entries and value function": timed(lambda: parameter_set(fit, settings, None, now), 20),
        "history, merges included": timed(lambda: history.append({"C00": entries}), 120),
        f"publish {plan.coins} coins": timed(lambda: files.publish(every), 10),
    }


def timed(work: Callable[[], object], times: int) -> float:
    """Return the CPU milliseconds per call."""
    began = time.process_time()
    for _ in range(times):
        work()
    return (time.process_time() - began) / times * 1e3


def report(plan: Plan, costs: list[float], memory: list[float], steps: dict[str, float]) -> Table:
    table = Table("what", "figure", title=f"{plan.coins} coins, {len(costs)} rounds of 15 s")
    table.add_row(f"first round (reads {plan.minutes} minutes)", f"{costs[0]:.1f} s CPU")
    warm = np.array(costs[1:]) * 1e3
    for name, value in (
        ("mean", warm.mean()),
        ("median", np.median(warm)),
        ("95th percentile", np.percentile(warm, 95)),
        ("worst", warm.max()),
    ):
        share = value / ROUND_MS
        table.add_row(f"a later round, {name}", f"{value:.0f} ms CPU = {share:.1%} of a core")
    table.add_row("per coin, mean", f"{warm.mean() / plan.coins:.2f} ms CPU")
    for name, value in steps.items():
        table.add_row(f"  {name}", f"{value:.2f} ms CPU")
    marks = sorted({0, *(len(memory) * k // 5 for k in range(1, 5)), len(memory) - 1})
    for mark in marks:
        table.add_row(f"resident memory after round {mark + 1}", f"{memory[mark]:.0f} MB")
    table.add_row("resident memory, maximum", f"{max(memory):.0f} MB")
    return table


def parse(argv: list[str] | None) -> Plan:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--coins", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument(
        "--minutes", type=int, default=30, help="minutes recorded before the first round (30)"
    )
    plan = Plan(**vars(parser.parse_args(argv)))
    if plan.coins < 1 or plan.rounds < 2 or plan.minutes < 1:
        raise InputError("--coins and --minutes must be at least 1 and --rounds at least 2")
    return plan


def main(argv: list[str] | None = None) -> int:
    plan = parse(argv)
    logging.getLogger("advanced_mm").setLevel(logging.ERROR)
    console = Console()
    process = psutil.Process()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bench = Bench(replace(plan, rounds=plan.rounds + 10), folder)
        costs, memory = [], []
        for _ in track(range(plan.rounds), "rounds", console=console, transient=True):
            costs.append(bench.round())
            memory.append(process.memory_info().rss / 1e6)
        console.print(report(plan, costs, memory, step_costs(bench, plan, folder)))
    return 0


if __name__ == "__main__":
    keep_pandas_out()
    sys.exit(run(main))
