"""Write a maker's file from a few questions, each with a default; it never asks for keys.

    python scripts/init_maker.py                                # ask, and say what it will do
    python scripts/init_maker.py --defaults --loopback          # a maker on the loopback venue

Piped answers, one a line, will do in place of a terminal; an empty line takes the default.
"""

import argparse
import sys
from pathlib import Path

import requests
from rich.console import Console

from advanced_mm.cli import run
from advanced_mm.maker.config import KEY_VARIABLES, ExchangeKind, read_config
from advanced_mm.maker.config.draft import HEDGES, Answers, file_text, policy_words
from advanced_mm.maker.config.words import sentences
from advanced_mm.markets.coin_figures import KNOWN_COINS
from advanced_mm.questions import Ask, write_new

FOLDER = Path("user_data/makers")
LOOPBACK = {"hyperliquid": "http://127.0.0.1:8792", "binance_spot": "http://127.0.0.1:8793"}
PUBLIC = {"hyperliquid": "https://api.hyperliquid.xyz", "binance_spot": "https://api.binance.com"}
USUAL_SPREAD_BP = {"hyperliquid": 6.0, "binance_spot": 25.0}
"""Above twice the maker's fee of the lowest tier."""
PRICE_SECONDS = 3.0


def main(argv: list[str] | None = None) -> int:
    """Ask, write, and say what it will do; exit code 0."""
    options = parse(argv)
    console = Console(highlight=False, soft_wrap=True)
    answers = asked(Ask(console, defaults=options.defaults), console, options)
    path = options.file or FOLDER / f"{answers.name}.yaml"
    write_new(path, file_text(answers), overwrite=options.force)
    console.print(f"\nwritten to {path}")
    config = read_config(path)
    for sentence in sentences(config, live=False):
        console.print(f"- {sentence}")
    console.print(f"\npython scripts/market_maker.py --config {path}")
    used = {exchange.kind for exchange in config.settings.exchanges.values()}
    needed = [
        name
        for kind, variables in KEY_VARIABLES.items()
        if kind in used
        for name in variables.values()
    ]
    console.print(f"With --live it sends orders; then set {', '.join(needed)} in the environment.")
    return 0


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "file", nargs="?", type=Path, help="file to write (default: user_data/makers/NAME.yaml)"
    )
    parser.add_argument("--defaults", action="store_true", help="ask nothing, take the defaults")
    parser.add_argument(
        "--loopback",
        action="store_true",
        help="trade on the loopback venue of scripts/paper_exchange.py",
    )
    parser.add_argument("--force", action="store_true", help="replace a file that is there")
    return parser.parse_args(argv)


def asked(ask: Ask, console: Console, options: argparse.Namespace) -> Answers:
    """Put the questions."""
    kind: ExchangeKind = (
        "binance_spot"
        if ask.text("Exchange", "hyperliquid", tuple(PUBLIC)) == "binance_spot"
        else "hyperliquid"
    )
    coin = ask.text("Coin", "ETH")
    url = address(ask, kind, options)
    price = price_of(kind, url, coin)
    if price is None:
        known = KNOWN_COINS[coin].price if coin in KNOWN_COINS else 1.0
        taken = f": {known:g} USDC is taken, and sizes follow from it" if options.defaults else ""
        console.print(f"{url or PUBLIC[kind]} does not say what {coin} costs{taken}.")
        price = ask.number(f"What does one {coin} cost, about, in USDC?", known, 1e9)
    for name, words in policy_words().items() if not options.defaults else ():
        console.print(f"  {name}: {words}")
    policy = ask.text("Policy", "auto", tuple(policy_words()))
    spread = ask.number("Spread between bid and ask, bp", USUAL_SPREAD_BP[kind], 5000)
    capital = ask.number("Capital, USDC", 1000.0, 1e9)
    hedge = ask.text("Hedge on Hyperliquid's perpetual", "none", HEDGES)
    hedge_url = None
    if hedge != "none" and kind != "hyperliquid":
        hedge_url = address(ask, "hyperliquid", options)
    loss = ask.number("Most loss in a day, percent of the capital", 3.0, 99.0)
    return Answers(
        name=ask.text("Name of the maker", f"{coin.lower()}_{kind}"),
        kind=kind,
        url=url,
        symbol=f"{coin}/USDC" if kind == "binance_spot" else f"{coin}/USDC:USDC",
        price=price,
        capital=capital,
        policy=policy,
        spread_bp=spread,
        hedge=next(one for one in HEDGES if one == hedge),
        hedge_url=hedge_url,
        max_daily_loss=loss / 100,
    )


def address(ask: Ask, kind: str, options: argparse.Namespace) -> str | None:
    """Return a loopback venue's address, None for the real exchange."""
    default = LOOPBACK[kind] if options.loopback else "real"
    given = ask.text(f"Address of a loopback {kind}, or real", default)
    return None if given in ("", "real") else given


def price_of(kind: ExchangeKind, url: str | None, coin: str) -> float | None:
    """Return what a coin costs now, None if the exchange does not say so at once."""
    base = (url or PUBLIC[kind]).rstrip("/")
    try:
        if kind == "hyperliquid":
            reply = requests.post(f"{base}/info", json={"type": "allMids"}, timeout=PRICE_SECONDS)
            return float(reply.json()[coin])
        asked_for = {"symbol": f"{coin}USDC"}
        reply = requests.get(f"{base}/api/v3/ticker/bookTicker", asked_for, timeout=PRICE_SECONDS)
        return (float(reply.json()["bidPrice"]) + float(reply.json()["askPrice"])) / 2
    except (requests.RequestException, KeyError, TypeError, ValueError):
        return None


if __name__ == "__main__":
    sys.exit(run(main))
