"""A newcomer's first sessions: what the screen promised of each fill, and what came of it.

Runs sessions as `make paper` does, each with another seed of the market, several at once, and
judges the fills of all: expected edge, counting the age of quotes, beside the edge realised ten
seconds after the fill. Sessions run in real time. With --folder they are kept, and a later call
runs only those that are missing; --dry takes dry runs.

    python benchmarks/newcomer.py                              # 20 of three minutes, two at once
    python benchmarks/newcomer.py --sessions 5 --folder DIR    # keep them, go on later
    python benchmarks/newcomer.py --quick                      # two of two minutes
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from rich.console import Console
from rich.table import Table

from advanced_mm.cli import configure_logging, run
from advanced_mm.errors import InputError
from advanced_mm.journal import Fill, read_journal
from advanced_mm.marketdata.records import Float1D, Int1D
from advanced_mm.performance import Performance
from advanced_mm.performance.intervals import Figure, TimeDraws
from advanced_mm.performance.judge import Wanted, judge_journal
from advanced_mm.performance.mids import HORIZON_S
from advanced_mm.performance.truth import edges_of_fills

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = ROOT / "scripts" / "paper_trading.py"
SECONDS_BETWEEN_STARTS = 5.0
TABLE_WIDTH = 110
APART_MS = 3_600_000
"""Between the fills of two sessions when all are drawn from: no block holds fills of both."""


class Fills(NamedTuple):
    """Fills whose markout is known; shapes (n,), edges in bp of the price.

    ``lost`` is how much nearer the mid was at the fill than when the quote was decided, bp.
    """

    time_ms: Int1D
    value: Float1D
    expected: Float1D
    realised: Float1D
    lost: Float1D


@dataclass(frozen=True)
class Session:
    """What one session told; ``age`` is the mean age of filled quotes, seconds."""

    seed: int
    fills: Fills
    earned: float
    age: float
    load: float


def main(argv: list[str] | None = None) -> int:
    """Print the table and the verdict; exit code 0."""
    options = _parse(argv)
    configure_logging()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        seeds = range(options.first_seed, options.first_seed + options.sessions)
        _run_missing(folder, seeds, options)
        sessions = [_judged(folder, seed) for seed in seeds if (_summary(folder, seed)).exists()]
    if not sessions:
        print("no session ended well; their logs are gone unless --folder is given")
        return 1
    _show(sessions, options.minutes)
    return 0


def _parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sessions", type=int, default=20, help="default: %(default)s")
    parser.add_argument("--minutes", type=float, default=3.0, help="default: %(default)g")
    parser.add_argument("--at-once", type=int, default=2, help="default: %(default)s")
    parser.add_argument("--first-seed", type=int, default=1, help="default: %(default)s")
    parser.add_argument("--dry", action="store_true", help="dry runs")
    parser.add_argument("--folder", type=Path, help="keep the sessions here, and run those missing")
    parser.add_argument("--quick", action="store_true", help="two sessions of two minutes")
    options = parser.parse_args(argv)
    if options.quick:
        options.sessions, options.minutes = 2, 2.0
    for name in ("sessions", "minutes", "at_once"):
        if not getattr(options, name) > 0:
            flag = f"--{name.replace('_', '-')}"
            raise InputError(f"{flag} is {getattr(options, name)}, must be above 0.")
    return options


def _summary(folder: Path, seed: int) -> Path:
    return folder / f"seed_{seed}" / "summary.json"


def _run_missing(folder: Path, seeds: Sequence[int], options: argparse.Namespace) -> None:
    """Run the sessions that have no summary yet, ``at_once`` beside each other."""
    missing = [seed for seed in seeds if not _summary(folder, seed).exists()]
    for first in range(0, len(missing), options.at_once):
        running = list(_started(folder, missing[first : first + options.at_once], options))
        for seed, session in running:
            if session.wait():
                print(f"seed {seed}: the session failed, see {folder / f'seed_{seed}'}")


def _started(
    folder: Path, seeds: Sequence[int], options: argparse.Namespace
) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    for number, seed in enumerate(seeds):
        if number:
            time.sleep(SECONDS_BETWEEN_STARTS)
        own = folder / f"seed_{seed}"
        own.mkdir(exist_ok=True)
        (own / "load.txt").write_text(f"{os.getloadavg()[0]:.2f}")
        command = [sys.executable, SCRIPT, "--minutes", options.minutes, "--seed", seed]
        command += ["--folder", own, "--summary", _summary(folder, seed)]
        command += ["--dry"] if options.dry else []
        with (own / "session.log").open("wb") as log:
            yield (
                seed,
                subprocess.Popen([*map(str, command)], stdout=log, stderr=subprocess.STDOUT),
            )


def _judged(folder: Path, seed: int) -> Session:
    own = folder / f"seed_{seed}"
    load = float((own / "load.txt").read_text())
    try:
        (one,) = judge_journal(own, Wanted(data_dir=own / "HL_data"))
    except InputError:  # nothing was filled
        nothing = np.empty(0)
        return Session(seed, Fills(nothing.astype(np.int64), *[nothing] * 4), 0.0, np.nan, load)
    ages = read_journal(own / "journal").table(Fill)["age_seconds"].to_numpy(zero_copy_only=False)
    return Session(
        seed, _fills(one), one.parts.equity_change, float(np.nanmean(ages.astype(float))), load
    )


def _fills(one: Performance) -> Fills:
    record, marks = one.record, one.marks
    fills = record.fills
    expected, realised = edges_of_fills(record, marks)
    depth = record.of_fills(record.quotes.depth)
    lost = (depth - fills.sign * (marks.mid - fills.price)) / fills.price * 1e4
    known = np.isfinite(expected)
    return Fills(
        fills.time_ms[known],
        (fills.price * fills.size)[known],
        expected[known],
        realised[known],
        lost[known],
    )


def _joined(sessions: Sequence[Session]) -> Fills:
    """Return all fills, those of each session in hours of their own."""
    apart = [
        one.fills._replace(
            time_ms=one.fills.time_ms - one.fills.time_ms.min(initial=2**62) + number * APART_MS
        )
        for number, one in enumerate(sessions)
    ]
    return Fills(*(np.concatenate(column) for column in zip(*apart, strict=True)))


def _show(sessions: Sequence[Session], minutes: float) -> None:
    table = Table(
        "seed", "fills", "promised, bp", "realised after 10 s, bp", "95%", "depth lost, bp",
        "age, s", "P&L, USDC", "load",
    )  # fmt: skip
    for one in sessions:
        table.add_row(str(one.seed), *_row(one.fills), f"{one.age:.2f}", f"{one.earned:+.2f}",
                      f"{one.load:.1f}")  # fmt: skip
    every = _joined(sessions)
    counts = np.array([len(one.fills.time_ms) for one in sessions])
    ages = np.array([one.age for one in sessions])
    age = float(np.average(ages[counts > 0], weights=counts[counts > 0])) if counts.any() else 0.0
    earned = sum(one.earned for one in sessions)
    load = float(np.mean([one.load for one in sessions]))
    table.add_section()
    table.add_row("all", *_row(every), f"{age:.2f}", f"{earned:+.2f}", f"{load:.1f}")
    console = Console()
    console.width = max(console.width, TABLE_WIDTH)
    console.print(table)
    print(f"{len(sessions)} sessions of {minutes:g} minutes. {_verdict(every)}")


def _row(fills: Fills) -> list[str]:
    if not len(fills.value):
        return ["0", "–", "–", "–", "–"]
    realised = _realised(fills)
    interval = f"{realised.low:+.2f} to {realised.high:+.2f}"
    return [
        str(len(fills.value)),
        f"{_promised(fills):+.2f}",
        f"{realised.value:+.2f}",
        interval if np.isfinite(realised.low) else "–",
        f"{np.average(fills.lost, weights=fills.value):+.2f}",
    ]


def _promised(fills: Fills) -> float:
    return float(np.average(fills.expected, weights=fills.value))


def _realised(fills: Fills) -> Figure:
    return TimeDraws(fills.time_ms, HORIZON_S).mean(fills.realised, "bp", fills.value)


def _verdict(fills: Fills) -> str:
    if not len(fills.value):
        return "Nothing was filled."
    realised, promised = _realised(fills), _promised(fills)
    if not np.isfinite(realised.low):
        return "Too few fills for an interval."
    holds = realised.low <= promised <= realised.high
    return (
        f"Promised {promised:+.2f} bp a fill, realised {realised.value:+.2f} "
        f"[{realised.low:+.2f}, {realised.high:+.2f}]: the promise "
        f"{'lies within' if holds else 'is outside'} the interval."
    )


if __name__ == "__main__":
    sys.exit(run(main))
