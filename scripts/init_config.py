"""Write the configuration of a new bot from a few questions; it never asks for keys.

    python scripts/init_config.py                                # ask
    python scripts/init_config.py --defaults --mode paper        # ask nothing

Piped answers, one a line, will do in place of a terminal; an empty line takes the default. What an
option names is not asked.
"""

import argparse
import sys
from pathlib import Path

from rich.console import Console

from advanced_mm.cli import run
from advanced_mm.doctor.draft import (
    LEAST_CAPITAL,
    MODES,
    SIDES,
    Answers,
    check_coin,
    check_name,
    overlay_text,
    overlays,
)
from advanced_mm.errors import InputError
from advanced_mm.instruments import code_of
from advanced_mm.questions import Ask, write_new

USUAL_CAPITAL = 1000.0
MOST_CAPITAL = 1e9
RECORDINGS = Path("scripts/HL_data")
PLAYED = "paper/HL_data"
"""Recordings of the real market, and below Freqtrade's folder those of the loopback venue."""


def main(argv: list[str] | None = None) -> int:
    """Ask, write, and say how to start it; exit code 0."""
    options = parse(argv)
    console = Console(highlight=False, soft_wrap=True)
    answers = asked(Ask(console, defaults=options.defaults), options)
    contents = overlays(answers, options.userdir)
    files = {options.userdir / name: content for name, content in contents.items()}
    for path in files:
        if path.exists() and not options.force:
            raise InputError(f"{path} is there already: give another --name, or --force.")
    for path, content in files.items():
        write_new(path, overlay_text(answers, content), overwrite=True)
        console.print(f"written to {path}")
    console.print("\nThen, each in a terminal of its own:")
    for command in commands(answers, options.userdir, list(files)):
        console.print(f"  {command}")
    if answers.mode == "live":
        console.print(
            "\nSet FREQTRADE__EXCHANGE__WALLET_ADDRESS and FREQTRADE__EXCHANGE__PRIVATE_KEY in the "
            "environment of doctor and bot, never in a file you share; docs/live.md."
        )
        if answers.sides == "both":
            console.print("The two bots need an account or a sub-account each, and a key each.")
    return 0


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--coin", help="what to trade, in any spelling (default: ETH)")
    parser.add_argument(
        "--capital", type=float, metavar="USDC", help=f"of all bots (default: {USUAL_CAPITAL:g})"
    )
    parser.add_argument("--mode", choices=MODES, help="loopback venue, dry run, or real orders")
    parser.add_argument("--sides", choices=SIDES, help="both takes two bots")
    parser.add_argument("--name", help="of the bot, its files and its database")
    parser.add_argument("--defaults", action="store_true", help="ask nothing, take the defaults")
    parser.add_argument("--force", action="store_true", help="replace files that are there")
    parser.add_argument("--userdir", type=Path, default=Path("user_data"), metavar="DIR")
    return parser.parse_args(argv)


def asked(ask: Ask, options: argparse.Namespace) -> Answers:
    """Put the questions that no option answers."""
    coin = options.coin
    if coin is None:
        coin = ask.text("Coin", "ETH", check=check_coin)
    mode = options.mode or ask.text("Paper (loopback venue), dry run, or live", "dry", MODES)
    sides = options.sides or ask.text("Quote one side, or both with two bots", "one", SIDES)
    capital = options.capital
    if capital is None:
        least = LEAST_CAPITAL * (2 if sides == "both" else 1)
        capital = ask.number("Capital, USDC", USUAL_CAPITAL, MOST_CAPITAL, least)
    name = options.name
    if name is None:
        name = ask.text("Name of the bot", f"{code_of(coin).lower()}_{mode}", check=check_name)
    return Answers(
        name=name,
        coin=coin,
        capital=capital,
        mode=next(one for one in MODES if one == mode),
        sides=next(one for one in SIDES if one == sides),
    )


def commands(answers: Answers, user_data: Path, files: list[Path]) -> list[str]:
    """Return what starts it all, in order."""
    base, coin = user_data / "config.json", answers.coin
    lines = []
    if answers.mode == "paper":
        recordings, url = user_data / PLAYED, " --url ws://127.0.0.1:8792/ws"
        venue = f"python scripts/paper_exchange.py --coin {coin} --port 8792"
        lines.append(f"{venue} --history-dir {recordings}")
    else:
        recordings, url = RECORDINGS, ""
    collector = f"python scripts/hyperliquid_data_collector.py --crypto {coin}{url}"
    lines.append(f"{collector} --data-dir {recordings}")
    lines.append(
        f"python scripts/periodic_test_runner.py --crypto {coin} --data-dir {recordings} "
        f"--config {base} {files[0]}"
    )
    for file in files:
        lines.append(f"python scripts/doctor.py --data-dir {recordings} --config {base} {file}")
        log = user_data / "logs" / f"{file.stem.removeprefix('config.')}.log"
        trade = f"freqtrade trade --strategy Market_Making --config {base} --config {file}"
        lines.append(f"{trade} --logfile {log}")
    return lines


if __name__ == "__main__":
    sys.exit(run(main))
