"""Tune settings on a recording by tick replay, and tell skill from luck."""

import argparse
import json
import os
import sys
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from advanced_mm.calibration.command import add_history_options, asked_coin, recalibrated_history
from advanced_mm.cli import configure_logging, run, writing_page
from advanced_mm.parameter_files import load_settings
from advanced_mm.replay.sweeps import (
    Conditions,
    Source,
    SweepResult,
    backtest_of,
    folds_of,
    load_plan,
    open_pool,
    open_storage,
    replays_of,
    run_sweep,
)
from advanced_mm.report.sweep_report import (
    sweep_json,
    sweep_notes,
    sweep_table,
    verdict_of_sweep,
    write_sweep_page,
)

TABLE_WIDTH = 140


def main(argv: list[str] | None = None) -> int:
    """Tune, test and show."""
    options = parse(argv)
    configure_logging()
    settings, configured = load_settings(options.config)
    plan = load_plan(options.sweep, settings, options.trials)
    source = Source(
        data_dir=options.data_dir.resolve(),
        coin=asked_coin(options, configured),
        history=recalibrated_history(options, settings).resolve(),
        since_ms=options.since,
        until_ms=options.until,
    )
    conditions = Conditions(
        stake=options.stake,
        look_ms=round(options.look * 1000),
        latency_ms=options.latency_ms,
    )
    console = Console(stderr=True)
    with console.status("reading the recording …"):
        backtest = backtest_of(source)
    folds = folds_of(backtest.covered, plan.folds, plan.purge_s)
    storage = open_storage(options.storage)
    columns = (TextColumn("replays"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with (
        open_pool(options.workers, options.scheduler) as pool,
        Progress(*columns, console=console, transient=True) as progress,
    ):
        task = progress.add_task("replays", total=replays_of(plan, folds))
        result = run_sweep(
            plan, source, conditions, folds, storage, pool, lambda: progress.advance(task)
        )
    if options.html is not None:
        with writing_page(options.html, quiet=options.json):
            write_sweep_page(options.html, result, f"Sweep: {source.coin}")
    if options.json:
        print(json.dumps(sweep_json(result), indent=1, allow_nan=False))
    else:
        show(result)
    return 0


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sweep", type=Path, metavar="SWEEP.yaml", help="settings and their ranges")
    add_history_options(parser)
    parser.add_argument(
        "--look", type=float, default=1.0, metavar="SECONDS", help="between two looks (default: 1)"
    )
    parser.add_argument(
        "--latency-ms",
        type=float,
        default=50.0,
        metavar="MS",
        help="to place and to cancel (default: 50)",
    )
    parser.add_argument(
        "--stake", type=float, default=100.0, metavar="USDC", help="of an order (default: 100)"
    )
    parser.add_argument(
        "--trials",
        type=at_least_two,
        metavar="N",
        help="in each fold (default: the file's, or 100)",
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--workers",
        type=at_least_one,
        default=len(os.sched_getaffinity(0)),
        metavar="N",
        help="processes of a local Dask cluster; 1 runs all in this one (default: one a core)",
    )
    where.add_argument(
        "--scheduler",
        metavar="tcp://HOST:PORT",
        help="a Dask scheduler whose workers have this package, and the recordings in the same "
        "place",
    )
    parser.add_argument(
        "--storage",
        type=Path,
        metavar="FILE",
        help="keep finished trials there, and go on from those it has",
    )
    parser.add_argument("--json", action="store_true", help="print JSON, nothing else")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write one self-contained page")
    return parser.parse_args(argv)


def at_least_one(text: str) -> int:
    """Read a positive whole number."""
    return whole_number(text, 1)


def at_least_two(text: str) -> int:
    """Read a whole number from 2 on."""
    return whole_number(text, 2)


def whole_number(text: str, least: int) -> int:
    """Read a whole number that is not below ``least``."""
    if not text.isdecimal() or int(text) < least:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {least} on")
    return int(text)


def show(result: SweepResult) -> None:
    """Print verdict, folds and what they rest on."""
    console = Console()
    console.width = max(console.width, TABLE_WIDTH)
    console.print(sweep_table(result))
    for sentence in (verdict_of_sweep(result), *sweep_notes(result)):
        console.print(sentence, markup=False, highlight=False)


if __name__ == "__main__":
    sys.exit(run(main))
