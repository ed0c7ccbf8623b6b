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

from rich.console import Console
from rich.live import Live
from rich.logging import RichHandler

from advanced_mm.cli import configure_logging, run
from advanced_mm.errors import InputError, VenueError
from advanced_mm.journal import JournalWriter
from advanced_mm.maker.config import MakerConfig, read_config
from advanced_mm.maker.config.assemble import exchanges_of, setups_of
from advanced_mm.maker.config.words import sentences
from advanced_mm.maker.first_look import FirstLook, first_looks
from advanced_mm.maker.maker import Maker
from advanced_mm.report.maker_screen import maker_line, maker_screen

LINE_EVERY_SECONDS = 15.0
FIRST_BOOKS_SECONDS = 10.0
SHOWN_LEVELS = 5


def main(argv: list[str] | None = None) -> int:
    """Check the file, then make markets; exit code 1 if the maker ended by an error of its own."""
    options = parse(argv)
    configure_logging(options.verbose)
    console = Console(highlight=False, soft_wrap=True)
    config = read_config(options.config)
    for sentence in sentences(config, live=options.live):
        console.print(sentence)
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
    """Make markets until a signal, the kill file or the time is up."""
    settings = config.settings
    folder = settings.journal_in(live=options.live)
    if not options.live:
        for kept in folder.glob("hedge.*.json"):
            kept.unlink()  # of an earlier dry run, whose account is no more
    journal = JournalWriter(folder, settings.name)
    maker = Maker(
        exchanges_of(config, live=options.live, environment=os.environ),
        setups_of(config),
        journal,
        lambda: time.time_ns() // 1_000_000,
        settings.name,
        settings.kill_path,
    )
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, maker.end, f"{signal.Signals(number).name} was received")
    if options.minutes is not None:
        loop.call_later(60 * options.minutes, maker.end, "its time is up")
    begin = time.monotonic()
    stop = f"Ctrl-C stops it, or touch {settings.kill_path}"
    screen = asyncio.create_task(watch(maker, console, stop, live=options.live))
    try:
        await maker.run()
    except ConnectionError as error:
        raise VenueError(f"{error}.") from None
    finally:
        screen.cancel()
        await asyncio.gather(screen, return_exceptions=True)
        journal.close()
    console.print(maker_line(maker.views(), time.monotonic() - begin))
    console.print(f"{settings.name} has ended: {maker.why_ended}")
    return 1 if maker.why_ended.startswith("an error") else 0


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
