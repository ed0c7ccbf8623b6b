"""Run venue, collector, runner and bot together, without an account, a network or money."""

import argparse
import json
import logging
import signal
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.live import Live

from advanced_mm.cli import configure_logging, run
from advanced_mm.errors import InputError
from advanced_mm.parameter_files import write_json_atomically
from advanced_mm.performance import RunningPerformance
from advanced_mm.report.live_screen import live_screen, status_line
from advanced_mm.report.performance_text import wide_console
from advanced_mm.report.session_end import SessionEnd, judge_session
from advanced_mm.session.session import (
    PaperSession,
    PartDiedError,
    SessionOptions,
    SessionView,
    session_coin,
)

ROOT = Path(__file__).resolve().parents[1]
LINE_EVERY_SECONDS = 15.0
PAGE = "performance.html"
DRY = (
    "dry run: Freqtrade fills an order only once the touch has passed it, so that fills earn less "
    "than expected of them; without --dry real orders rest in the local venue's book"
)


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, help="stop after this time (default: on Ctrl-C)")
    market = parser.add_mutually_exclusive_group()
    market.add_argument(
        "--replay", type=Path, metavar="DIR", help="replay a recording from this data folder"
    )
    market.add_argument(
        "--scenario", type=Path, metavar="FILE", help="markets and faults from a YAML file"
    )
    parser.add_argument(
        "--coin",
        default="ETH",
        help="coin to trade: ETH, kPEPE, xyz:XYZ100 … (default: %(default)s)",
    )
    parser.add_argument("--seed", type=int, default=1, help="seed of the synthetic market")
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument(
        "--live",
        action="store_true",
        help="real orders to the loopback venue, for play money (the default)",
    )
    mode.add_argument(
        "--dry",
        action="store_true",
        help="a dry run in place of real orders to the loopback venue",
    )
    parser.add_argument(
        "--both-sides",
        action="store_true",
        help="run two bots that share their inventory and quote both sides",
    )
    parser.add_argument("--summary", type=Path, metavar="FILE", help="write the summary as JSON")
    parser.add_argument(
        "--folder", type=Path, help="output folder (default: user_data/paper/<time>)"
    )
    parser.add_argument("--verbose", action="store_true", help="log details")
    options = parser.parse_args(argv)
    if options.minutes is not None and options.minutes <= 0:
        raise InputError(f"--minutes {options.minutes:g} must be above 0.")
    if options.summary is not None and not options.summary.parent.is_dir():
        raise InputError(
            f"--summary {options.summary}: the folder {options.summary.parent} does not exist; "
            "create it first."
        )
    return options


def main(argv: list[str] | None = None) -> int:
    """Run a session; return its exit code.

    It is 1 if a process died, or if the venue's accounts differ from what the journal tells, and 2
    for an error in the options.
    """
    options = parse(argv)
    configure_logging(options.verbose)
    logging.getLogger("ft_rest_client").setLevel(logging.ERROR)
    console = Console()
    coin = session_coin(options.coin, options.replay, options.scenario)
    session = PaperSession(
        SessionOptions(
            root=ROOT,
            folder=_folder(options.folder),
            coin=coin,
            replay=None if options.replay is None else options.replay.resolve(),
            scenario=None if options.scenario is None else options.scenario.resolve(),
            seed=options.seed,
            live=not options.dry,
            both_sides=options.both_sides,
        )
    )
    ended = _stop_on_signals()
    try:
        with session:
            console.print(DRY if options.dry else "real orders, to the local venue, for play money")
            console.print("starting the venue, the collector, the runner and the bot …")
            if options.both_sides and not options.dry:
                console.print("the second bot starts half a minute after the first …")
            earnings = RunningPerformance(session.options.journal, session.options.data_dir, coin)
            session.start(ended)
            if session.page_address is not None:
                console.print(f"the live page is at {session.page_address}")
            last = _watch(session, earnings, console, options.minutes, ended)
            summary = session.summary(last)
            console.print("stopping the bot, the runner, the collector and the venue …")
            session.end_bots()
    except PartDiedError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    with console.status("judging what it earned …"):
        end = judge_session(session)
    _report(console, summary | {"performance": end.to_json()}, options.summary)
    _show_performance(end, session.options.folder / PAGE)
    console.print(f"all files of this session are in {session.options.folder}", soft_wrap=True)
    return 0 if end.sound else 1


def _folder(asked: Path | None) -> Path:
    """Create the session's folder: the given one, or a new one named after the time.

    Raises
    ------
    InputError
        It cannot be created.
    """
    if asked is not None:
        candidates = [asked]
    else:
        name = f"{datetime.now(UTC):%Y-%m-%dT%H-%M-%S}"
        parent = ROOT / "user_data" / "paper"
        candidates = [parent / name, *(parent / f"{name}_{number}" for number in range(2, 100))]
    for folder in candidates:
        try:
            folder.mkdir(parents=True, exist_ok=asked is not None)
        except FileExistsError:
            if asked is not None:
                raise InputError(f"--folder {asked} is a file; give a folder.") from None
            continue  # another session started in the same second
        except OSError as error:
            raise InputError(f"folder {folder} cannot be created: {error.strerror}.") from None
        return folder.resolve()
    raise InputError(f"{candidates[0]} and 98 more exist; give another folder with --folder.")


def _stop_on_signals() -> threading.Event:
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: ended.set())
    return ended


def _watch(
    session: PaperSession,
    earnings: RunningPerformance,
    console: Console,
    minutes: float | None,
    ended: threading.Event,
) -> SessionView:
    """Show the state until the time is up or a signal arrives."""
    begin = time.monotonic()
    deadline = float("inf") if minutes is None else begin + 60 * minutes
    view, next_line = session.look(), begin
    with Live(console=console, auto_refresh=False, transient=False) as screen:
        while not ended.wait(min(1.0, max(0.0, deadline - time.monotonic()))):
            elapsed = time.monotonic() - begin
            view = session.look()
            if console.is_terminal:
                shown = live_screen(session, view, earnings.look(), elapsed, console.width)
                screen.update(shown, refresh=True)
            elif time.monotonic() >= next_line:
                print(status_line(session, view, earnings.look(), elapsed), flush=True)
                next_line += LINE_EVERY_SECONDS
            if time.monotonic() >= deadline:
                break
    return view


def _report(console: Console, summary: dict[str, Any], path: Path | None) -> None:
    console.print_json(json.dumps(summary))
    if path is not None:
        write_json_atomically(path, summary)


def _show_performance(end: SessionEnd, page: Path) -> None:
    """Print what the session earned, and write its page where anything was filled."""
    console = wide_console()
    end.print_on(console)
    if end.several:
        end.write_page(page)
        console.print(f"the performance report is {page}", soft_wrap=True, highlight=False)


if __name__ == "__main__":
    sys.exit(run(main))
