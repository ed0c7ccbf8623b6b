"""Refit every coin on a schedule and publish kappa, epsilon, lambda and the value function."""

import argparse
import logging
import signal
import sys
from contextlib import AbstractContextManager, nullcontext

from advanced_mm.calibration.command import add_folder_options, output_files
from advanced_mm.calibration.runner import PeriodicRunner, RunnerOptions
from advanced_mm.cli import configure_logging, names_in, port, run
from advanced_mm.journal import JOURNAL_FOLDER, FilledAges
from advanced_mm.marketdata.lean_arrow import keep_pandas_out
from advanced_mm.marketdata.store import ShardStore
from advanced_mm.parameter_files import ParameterFiles, load_settings
from advanced_mm.parameter_files.history import HISTORY_FOLDER, CalibrationHistory

logger = logging.getLogger("periodic_test_runner")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--once", action="store_true", help="refit once and exit")
    parser.add_argument(
        "--interval",
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
        "--crypto",
        metavar="ETH,kPEPE",
        help="coins to fit, as Hyperliquid names or pairs (default: the configured pairs)",
    )
    add_folder_options(parser)
    parser.add_argument(
        "--market-clock",
        action="store_true",
        help="measure ages by the newest exchange time, for a market faster than real time",
    )
    parser.add_argument(
        "--metrics-port",
        type=port,
        metavar="PORT",
        help="offer metrics to Prometheus at this port of 127.0.0.1 (default: none)",
    )
    parser.add_argument("--verbose", action="store_true", help="log why a fit is not ok")
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run until SIGINT or SIGTERM; a running refit is finished first."""
    args = _parser().parse_args(argv)
    configure_logging(args.verbose)
    settings, configured = load_settings(args.config)
    named = names_in(args.crypto)
    options = RunnerOptions(
        coins=tuple(dict.fromkeys(named or configured)),
        window_minutes=settings.window_minutes if args.window is None else args.window,
        max_window_minutes=settings.max_window_minutes,
        interval_seconds=(
            settings.refit_interval_seconds if args.interval is None else args.interval
        ),
        market_clock=args.market_clock,
    )
    files = output_files(args, settings)
    history = CalibrationHistory(files.directory / HISTORY_FOLDER, settings.history_days)
    runner = PeriodicRunner(
        options,
        settings,
        ShardStore(args.data_dir),
        files,
        history,
        filled_age=FilledAges(files.directory / JOURNAL_FOLDER).of,
    )
    if args.once:
        runner.run_once()
        return 0
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: runner.stop())
    logger.info(
        "refitting %s every %g s on %g minutes of data",
        ", ".join(options.coins),
        options.interval_seconds,
        options.window_minutes,
    )
    with _metrics(args, runner, files):
        runner.run()
    logger.info("stopped")
    return 0


def _metrics(
    args: argparse.Namespace, runner: PeriodicRunner, files: ParameterFiles
) -> AbstractContextManager[object]:
    if args.metrics_port is None:
        return nullcontext()
    from advanced_mm.metrics.refits import EarnedMetrics, RefitMetrics
    from advanced_mm.metrics.server import MetricsServer

    refits = RefitMetrics()
    runner.on_published, runner.on_errors = refits.published, refits.failed
    earned = EarnedMetrics(files.directory / JOURNAL_FOLDER, args.data_dir, refits)
    return MetricsServer(args.metrics_port, refits.samples, earned.samples)


if __name__ == "__main__":
    keep_pandas_out()
    sys.exit(run(main))
