"""Make markets as a file says: ladders on Hyperliquid and Binance spot, hedged, beside Freqtrade.

    python scripts/market_maker.py --config user_data/makers/eth_cartea_jaimungal.yaml --check
    python scripts/market_maker.py --config user_data/makers/eth_cartea_jaimungal.yaml
    python scripts/market_maker.py --config user_data/makers/eth_cartea_jaimungal.yaml --live

Without --live it follows the live books and makes up its orders, fills and balances; it needs no
account. Ctrl-C, SIGTERM or the kill file withdraw all quotes and end it.
"""

import argparse
import asyncio
import logging
import os
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.live import Live
from rich.logging import RichHandler

from advanced_mm.cli import configure_logging, run
from advanced_mm.errors import InputError, VenueError
from advanced_mm.file_lock import only_holder
from advanced_mm.journal import JournalWriter
from advanced_mm.maker.config import MakerConfig, MakerSettings, read_config
from advanced_mm.maker.config.assemble import exchanges_of, setups_of
from advanced_mm.maker.config.keys import keys_of
from advanced_mm.maker.config.live import check_bounds, only_maker_there
from advanced_mm.maker.config.words import sentences
from advanced_mm.maker.first_look import FirstLook, first_looks
from advanced_mm.maker.running import Maker
from advanced_mm.maker.running.earlier_runs import set_aside
from advanced_mm.metrics.trading import TradingMetrics
from advanced_mm.report.maker_screen import maker_line, maker_screen

if TYPE_CHECKING:
    from advanced_mm.metrics.server import MetricsServer

MAKERS = Path("user_data/makers")
LINE_EVERY_SECONDS = 15.0
BEAT_SECONDS = 1.0
FIRST_BOOKS_SECONDS = 10.0
SHOWN_LEVELS = 5


def main(argv: list[str] | None = None) -> int:
    """Check the file, then make markets; exit code 1 if it ended by an error or left orders."""
    options = parse(argv)
    configure_logging(options.verbose)
    console = Console(highlight=False, soft_wrap=True)
    config = read_config(options.config)
    if options.live:  # before it is said what will be done with them
        for exchange in config.settings.exchanges.values():
            keys_of(exchange.kind, os.environ)
    for sentence in sentences(config, live=options.live):
        console.print(sentence)
    if options.live:
        check_bounds(config.settings)
    if options.check:
        return asyncio.run(check(config, console, live=options.live))
    return asyncio.run(make(config, console, options))


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="maker's file")
    parser.add_argument("--live", action="store_true", help="send orders, with the account's keys")
    parser.add_argument(
        "--check",
        action="store_true",
        help="say what it will do, with the first ladder if the exchanges answer, and exit",
    )
    parser.add_argument("--minutes", type=float, help="stop after this time (default: on Ctrl-C)")
    parser.add_argument("--verbose", action="store_true", help="log details")
    options = parser.parse_args(argv)
    if options.minutes is not None and options.minutes <= 0:
        raise InputError(f"--minutes {options.minutes:g} must be above 0.")
    return options


async def check(config: MakerConfig, console: Console, *, live: bool) -> int:
    """Print the first ladders; without an exchange's answer only the file is checked."""
    exchanges = exchanges_of(config, live=live, environment=os.environ)
    try:
        looks = await first_looks(exchanges, setups_of(config), FIRST_BOOKS_SECONDS)
    except ConnectionError as error:
        console.print(f"The file is sound. The first ladder is not known: {error}.")
        return 0
    for look in looks:
        show_first(look, console)
    return 0


def show_first(look: FirstLook, console: Console) -> None:
    """Print a first ladder, the best prices of each side."""
    setup, orders = look.setup, look.orders
    console.print(
        f"{setup.symbol} on {setup.exchange}, mid {look.state.mid:g}: {len(orders.bids)} bids and "
        f"{len(orders.asks)} asks at first{f' ({look.reason})' if look.reason else ''}"
    )
    for name, side in (("bid", orders.bids), ("ask", orders.asks)):
        for order in side[:SHOWN_LEVELS]:
            console.print(f"  {name} {order.size.normalize():f} at {order.price.normalize():f}")
        if len(side) > SHOWN_LEVELS:
            console.print(f"  {name} … {len(side) - SHOWN_LEVELS} more")


async def make(config: MakerConfig, console: Console, options: argparse.Namespace) -> int:
    """Make markets, unless another maker does so with this file already."""
    settings = config.settings
    folder = settings.journal_in(live=options.live)
    folder.mkdir(parents=True, exist_ok=True)
    with only_holder(
        folder / f"{settings.name}.lock",
        f"The maker {settings.name} is already being run",
        "stop that one first, as two with the same orders would undo each other's",
        "keep the journal on a local disk",
    ):
        if not options.live:
            return await make_markets(config, folder, console, options)
        with only_maker_there(settings, os.environ, MAKERS):
            return await make_markets(config, folder, console, options)


async def make_markets(
    config: MakerConfig, folder: Path, console: Console, options: argparse.Namespace
) -> int:
    """Make markets until a signal, the kill file or the time is up."""
    settings = config.settings
    if not options.live and not settings.kill_path.exists():  # with it, nothing is begun
        set_aside(folder)
    journal = JournalWriter(folder, settings.name)
    maker = Maker(
        exchanges_of(config, live=options.live, environment=os.environ),
        setups_of(config),
        journal,
        lambda: time.time_ns() // 1_000_000,
        settings.name,
        settings.kill_path,
    )
    metrics, server = watched(settings, journal)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, maker.end, f"{signal.Signals(number).name} was received")
    if options.minutes is not None:
        loop.call_later(60 * options.minutes, maker.end, "its time is up")
    begin = time.monotonic()
    stop = f"Ctrl-C stops it, or touch {settings.kill_path}"
    tasks = [asyncio.create_task(watch(maker, console, stop, live=options.live))]
    if server is not None:
        tasks.append(asyncio.create_task(beat(maker, metrics)))
    try:
        await maker.run()
    except ConnectionError as error:
        raise VenueError(f"{error}.") from None
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if server is not None:
            server.close()
        journal.close()
    console.print(maker_line(maker.views(), time.monotonic() - begin))
    console.print(f"{settings.name} has ended: {maker.why_ended}")
    for sentence in maker.left_open:
        console.print(f"It stays open: {sentence}.")
    if maker.left_behind:
        console.print(
            f"Orders may still rest in {', '.join(maker.left_behind)}: the exchange did not "
            "confirm that they are gone. Look there, or start the maker again: it adopts them."
        )
    return 1 if maker.left_behind or maker.why_ended.startswith("an error") else 0


def watched(
    settings: MakerSettings, journal: JournalWriter
) -> tuple[TradingMetrics, "MetricsServer | None"]:
    """Return what counts the maker's events, and what offers it to Prometheus if asked for."""
    metrics = TradingMetrics(settings.name)
    if settings.metrics_port is None:
        return metrics, None
    from advanced_mm.metrics.server import MetricsServer

    journal.listener = metrics.recorded
    return metrics, MetricsServer(settings.metrics_port, metrics.samples)


async def beat(maker: Maker, metrics: TradingMetrics) -> None:
    """Tell the metrics once a second what events do not, and how late that second came."""
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + BEAT_SECONDS
        await asyncio.sleep(BEAT_SECONDS)
        metrics.late(loop.time() - due, time.time())
        for keeper in maker.keepers:
            view, limits = keeper.view(), keeper.setup.limits
            held = view.inventory - limits.target_inventory
            if limits.max_position_value is not None and view.mid is not None:
                metrics.held(keeper.records.coin, abs(held) * view.mid / limits.max_position_value)
            records = keeper.records
            metrics.fallen(keeper.guards.account.drawdown_used, records.coin)
            metrics.earned(records.bot, records.coin, keeper.earned())
            metrics.allowed(records.bot, keeper.exchange.requests_left())


async def watch(maker: Maker, console: Console, stop: str, *, live: bool) -> None:
    """Show the state once a second on a terminal, else a line now and then."""
    begin = time.monotonic()
    if not console.is_terminal:
        while True:
            await asyncio.sleep(LINE_EVERY_SECONDS)
            print(maker_line(maker.views(), time.monotonic() - begin), flush=True)
    logging.getLogger().handlers = [RichHandler(console=console, show_path=False)]
    with Live(console=console, auto_refresh=False) as screen:
        while True:
            elapsed = time.monotonic() - begin
            shown = maker_screen(
                maker.name, maker.views(), live=live, elapsed_seconds=elapsed, stop=stop
            )
            screen.update(shown, refresh=True)
            await asyncio.sleep(1.0)


if __name__ == "__main__":
    sys.exit(run(main))
