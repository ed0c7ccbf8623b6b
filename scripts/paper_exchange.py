"""Run a loopback Hyperliquid on 127.0.0.1 with synthetic markets or replayed recordings.

With --binance-port a loopback Binance spot exchange stands beside it: the same coins on the same
price path, on the same clock, with an account for the keys that it prints.

Prints one JSON line with its addresses once it listens, and runs until Ctrl-C or SIGTERM.

IP rate limits count all requests of this machine as one client. A dry-run session of bot, collector
and screen without ccxt's rate limiter uses far more than a weight of 1200 per minute, so the REST
weight is limited only with --limits. The limits of websockets and of trading addresses, which such
a session does not reach, apply unless --no-limits is given. A scenario file sets its own limits.
"""

import argparse
import asyncio
import gc
import json
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from advanced_mm.cli import configure_logging, run
from advanced_mm.errors import InputError
from advanced_mm.marketdata.lean_arrow import keep_pandas_out
from advanced_mm.markets.clock import MarketClock
from advanced_mm.venue.binance.opening import PAPER_KEY, PAPER_SECRET, open_spot
from advanced_mm.venue.binance.server import BinanceServer
from advanced_mm.venue.conditions.gateway import Gateway
from advanced_mm.venue.conditions.limits import LimitSwitches
from advanced_mm.venue.conditions.opening import (
    OpenVenue,
    VenueOptions,
    market_recipes,
    open_venue,
    venue_coins,
)
from advanced_mm.venue.conditions.saved_state import SavedKeys, restore, save_state
from advanced_mm.venue.conditions.scenario import Scenario, load_scenario, open_accounts
from advanced_mm.venue.server.admin import Admin
from advanced_mm.venue.server.server import PaperServer

DEFAULT_COINS = "ETH"
DEFAULT_PORT = 8792  # as in user_data/config.paper.json
DEFAULT_BASIS = 0.05


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument(
        "--port",
        type=int,
        default=DEFAULT_PORT,
        help="port; 0 selects a free one (default: %(default)s)",
    )
    market = parser.add_mutually_exclusive_group()
    market.add_argument(
        "--synthetic", action="store_true", help="synthetic markets of the model (the default)"
    )
    market.add_argument("--replay", type=Path, metavar="DIR", help="replay the recording in DIR")
    market.add_argument(
        "--scenario", type=Path, metavar="FILE", help="markets, accounts, faults from a YAML file"
    )
    market.add_argument(
        "--restore",
        type=Path,
        metavar="FILE",
        help="continue from a file of --save, after catching up the time since then",
    )
    parser.add_argument("--coins", "--coin", help="coins: ETH,kPEPE,xyz:XYZ100 (default: ETH)")
    parser.add_argument("--seed", type=int, default=1, help="seed of the synthetic market")
    parser.add_argument(
        "--volatility",
        type=float,
        default=1.0,
        help="factor on the synthetic market's volatility (default: %(default)g)",
    )
    parser.add_argument(
        "--limits",
        action=argparse.BooleanOptionalAction,
        help="all rate limits, or none; default: all but the REST weight, in a scenario all",
    )
    parser.add_argument(
        "--save", type=Path, metavar="FILE", help="write the venue's state to FILE on exit"
    )
    parser.add_argument(
        "--speed",
        type=float,
        default=1.0,
        help="market seconds per real second; Freqtrade needs 1, the collector does not",
    )
    parser.add_argument(
        "--history-minutes",
        type=float,
        default=30.0,
        help="minutes of market history before the start (default: %(default)g)",
    )
    parser.add_argument(
        "--history-dir", type=Path, metavar="DIR", help="write that history as shards to DIR"
    )
    parser.add_argument(
        "--duration-minutes", type=float, metavar="M", help="stop after M minutes of market time"
    )
    spot = parser.add_argument_group("the spot exchange beside it")
    spot.add_argument(
        "--binance-port", type=int, metavar="PORT", help="serve a Binance there; 0: any free port"
    )
    spot.add_argument(
        "--basis",
        type=float,
        default=DEFAULT_BASIS,
        metavar="PERCENT",
        help="how far spot is above the perpetual (default: %(default)g)",
    )
    parser.add_argument("--verbose", action="store_true", help="log details")
    return parser.parse_args(argv)


async def serve(
    server: PaperServer,
    spot: BinanceServer | None,
    duration_s: float | None,
    at_end: Callable[[], None],
) -> None:
    """Serve both venues, or one, until a signal or for ``duration_s`` real seconds.

    ``at_end`` is called on every exit after the venue has listened, including a market's error. A
    venue that never listened has nothing to save and must not overwrite an earlier state.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    await server.start()
    addresses: dict[str, object] = {
        "event": "listening",
        "rest": server.rest_url,
        "ws": server.ws_url,
        "admin": f"{server.rest_url}/admin",
    }
    if spot is not None:
        await spot.start()
        addresses["binance"] = {
            "rest": spot.rest_url,
            "ws": spot.ws_url,
            "ws_api": spot.ws_api_url,
            "admin": f"{spot.rest_url}/admin",
            "key": PAPER_KEY,
            "secret": PAPER_SECRET,
        }
    print(json.dumps(addresses), flush=True)
    if duration_s is not None:
        loop.call_later(duration_s, stop.set)
    try:
        await asyncio.gather(*(one.serve_until(stop) for one in (server, spot) if one is not None))
    finally:
        at_end()


def open_markets(
    args: argparse.Namespace, scenario: Scenario | None
) -> tuple[OpenVenue, SavedKeys | None]:
    """Open the requested venue, advanced to now; also return the keys of a restored one."""
    journaled = args.save is not None
    if args.restore is not None:
        venue, saved = restore(args.restore, _now_ms())
        return venue, saved.keys
    if scenario is not None:
        now_ms = _now_ms()
        recipes = scenario.recipes(now_ms)
        venue = open_venue(recipes, now_ms, scenario.rules, args.history_dir, journaled=journaled)
        open_accounts(scenario.accounts, venue.exchange.accounts)
        return venue, None
    options = VenueOptions(
        coins=venue_coins((args.coins or DEFAULT_COINS).split(","), args.replay),
        replay=args.replay,
        seed=args.seed,
        history_minutes=args.history_minutes,
        history_dir=args.history_dir,
        volatility=args.volatility,
    )
    now_ms = _now_ms()
    recipes = market_recipes(options, now_ms)
    return open_venue(recipes, now_ms, None, options.history_dir, journaled=journaled), None


def limit_switches(args: argparse.Namespace, scenario: Scenario | None) -> LimitSwitches:
    """Return which limits apply (see the module's docstring)."""
    if args.limits is not None:
        return LimitSwitches(rest=args.limits, websocket=args.limits, address=args.limits)
    return LimitSwitches(rest=False) if scenario is None else scenario.switches


def main(argv: list[str] | None = None) -> int:
    """Open and serve the venue; return the exit code."""
    args = parse(argv)
    configure_logging(args.verbose)
    for option in ("scenario", "restore"):
        if args.coins is not None and getattr(args, option) is not None:
            raise InputError(
                f"--coins {args.coins} conflicts with --{option}, whose file sets them"
            )
    minutes = args.duration_minutes
    if minutes is not None and not minutes > 0:
        raise InputError(f"--duration-minutes is {minutes:g}, must be positive")
    if args.save is not None and not args.save.absolute().parent.is_dir():
        raise InputError(f"--save {args.save}: the folder does not exist; create it first")
    if args.binance_port is not None and (args.save or args.restore) is not None:
        raise InputError(
            "--binance-port goes with neither --save nor --restore: the spot exchange is not saved"
        )
    scenario = None if args.scenario is None else load_scenario(args.scenario)
    venue, keys = open_markets(args, scenario)
    switches = limit_switches(args, scenario)
    seed = args.seed if scenario is None else scenario.seed
    opened = None
    if args.binance_port is not None:
        queues = None if scenario is None else scenario.rules
        opened = open_spot(venue, args.basis, queues=queues)
    gateway = Gateway(
        venue.exchange,
        switches,
        seed=seed,
        schedule=() if scenario is None else scenario.schedule,
        add_admin=Admin(venue, args.save).add,
    )
    # The clock starts after opening; the market catches up in its first step.
    clock = MarketClock(max(_now_ms(), venue.exchange.now_ms), args.speed)
    server = PaperServer(venue.exchange, clock, args.port, gateway=gateway)
    spot = None
    if opened is not None:
        spot = BinanceServer(
            opened.exchange,
            clock,
            args.binance_port,
            limited=switches.rest,
            seed=seed,
            gaps=opened.gaps,
        )
    signers = server.answers.requests.signers
    if keys is not None:
        keys.into(signers)
    # These objects are permanent: scanning them for garbage would pause the venue for 0.1 s.
    gc.freeze()

    def save() -> None:
        if args.save is not None:
            save_state(args.save, venue, signers)

    asyncio.run(serve(server, spot, None if minutes is None else minutes * 60 / args.speed, save))
    return 0


def _now_ms() -> int:
    return int(time.time() * 1000)


if __name__ == "__main__":
    keep_pandas_out()
    sys.exit(run(main))
