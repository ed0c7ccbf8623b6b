"""Refit a recording afterwards, at every moment from what was known then, into a history."""

import argparse
import json
import logging
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from advanced_mm.calibration.command import add_history_options, asked_coin, recalibrated_history
from advanced_mm.calibration.recalibrate import Recalibration, RecalibrationPlan, recalibrate
from advanced_mm.cli import configure_logging, progress, run
from advanced_mm.errors import InputError
from advanced_mm.marketdata.lean_arrow import keep_pandas_out
from advanced_mm.marketdata.store import ShardStore
from advanced_mm.parameter_files import Settings, load_settings
from advanced_mm.parameter_files.history import CalibrationHistory


def main(argv: list[str] | None = None) -> int:
    """Refit, and say what was made."""
    options = _parser().parse_args(argv)
    configure_logging(options.verbose)
    if None not in (options.since, options.until) and options.since > options.until:
        raise InputError("--since lies after --until: no time is left between them")
    settings, configured = load_settings(options.config)
    settings = _with_window(settings, options.window)
    coin = asked_coin(options, configured)
    folder = recalibrated_history(options, settings)
    plan = RecalibrationPlan(
        since_ms=options.since,
        until_ms=options.until,
        step_seconds=settings.refit_interval_seconds if options.step is None else options.step,
        market_clock=options.market_clock,
    )
    began = time.perf_counter()
    history = CalibrationHistory(folder)
    with _without_lines_of_refits(options.verbose):
        done = recalibrate(
            ShardStore(options.data_dir),
            coin,
            settings,
            history,
            plan,
            lambda steps: progress(steps, "refitting"),
        )
    took = time.perf_counter() - began
    if options.json:
        print(json.dumps(_told(done, folder, plan, settings, took), indent=1))
    else:
        print(_sentence(done, folder, took))
    return 0


def refitting(moments: Sequence[int]) -> Iterable[int]:
    """Show how far the refits are."""
    return progress(moments, "refitting")


@contextmanager
def _without_lines_of_refits(verbose: bool) -> Iterator[None]:
    """Keep the runner from logging a line for each refit, unless that is wanted."""
    runner = logging.getLogger("advanced_mm.calibration.runner")
    level = runner.level
    try:
        if not verbose:
            runner.setLevel(logging.WARNING)
        yield
    finally:
        runner.setLevel(level)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    add_history_options(parser)
    parser.add_argument(
        "--step",
        type=float,
        metavar="SECONDS",
        help="time between refits (default: setting refit_interval_seconds)",
    )
    parser.add_argument(
        "--window",
        type=float,
        metavar="MINUTES",
        help="length of the data to fit (default: setting window_minutes)",
    )
    parser.add_argument(
        "--market-clock",
        action="store_true",
        help="count a row as received at its exchange time, for a market faster than real time",
    )
    parser.add_argument("--json", action="store_true", help="print JSON, nothing else")
    parser.add_argument("--verbose", action="store_true", help="log each refit")
    return parser


def _with_window(settings: Settings, minutes: float | None) -> Settings:
    if minutes is None:
        return settings
    return Settings.from_config(
        {"market_making": settings.model_dump() | {"window_minutes": minutes}}
    )


def _told(
    done: Recalibration, folder: Path, plan: RecalibrationPlan, settings: Settings, took: float
) -> dict[str, object]:
    return {
        "coin": done.coin,
        "history": str(folder),
        "since": _utc(done.since_ms).isoformat(),
        "until": _utc(done.until_ms).isoformat(),
        "step_seconds": plan.step_seconds,
        "window_minutes": settings.window_minutes,
        "refits": done.made,
        "kept": done.kept,
        "failed": done.failed,
        "statuses": dict(done.statuses),
        "seconds": round(took, 3),
    }


def _sentence(done: Recalibration, folder: Path, took: float) -> str:
    kinds = ", ".join(f"{count} {status}" for status, count in done.statuses.items())
    told = f"{done.coin}: {done.made} refits in {took:.1f} s{f' ({kinds})' if kinds else ''}"
    if done.kept:
        told += f", {done.kept} were there already"
    if done.failed:
        told += f", {done.failed} moments without data"
    ends = f"{_utc(done.since_ms):%Y-%m-%d %H:%M:%S} to {_utc(done.until_ms):%Y-%m-%d %H:%M:%S} UTC"
    return f"{told}; from {ends}, in {folder}"


def _utc(time_ms: int) -> datetime:
    return datetime.fromtimestamp(time_ms / 1000, UTC)


if __name__ == "__main__":
    keep_pandas_out()
    sys.exit(run(main))
