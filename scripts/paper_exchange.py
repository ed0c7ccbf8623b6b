"""A loopback Hyperliquid on 127.0.0.1: a synthetic market or a replayed recording.

Prints one JSON line with its addresses once it listens, and runs until Ctrl-C or SIGTERM.
"""

import argparse
import asyncio
import json
import signal
import sys
import time
from pathlib import Path

from advanced_mm.cli import configure_logging, run
from advanced_mm.errors import InputError
from advanced_mm.marketdata.lean_arrow import keep_pandas_out
from advanced_mm.paper.clock import MarketClock
from advanced_mm.paper.opening import VenueOptions, open_venue
from advanced_mm.paper.server import PaperServer

DEFAULT_PORT = 8792  # the one that user_data/config.paper.json names


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument(
        "--port", type=int, default=DEFAULT_PORT, help="0 takes a free one (default %(default)s)"
    )
    market = parser.add_mutually_exclusive_group()
    market.add_argument(
        "--synthetic", action="store_true", help="the model on a tick grid (the default)"
    )
    market.add_argument("--replay", type=Path, metavar="DIR", help="play the recording in DIR")
    parser.add_argument("--coin", default="ETH", help="coin that trades (default %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of the synthetic market")
    parser.add_argument(
        "--speed",
        type=float,
        default=1.0,
        help="market seconds a real second, for the collector alone: Freqtrade needs 1",
    )
    parser.add_argument(
        "--history-minutes",
        type=float,
        default=30.0,
        help="minutes the market has run before the start (default %(default)g)",
    )
    parser.add_argument(
        "--history-dir", type=Path, metavar="DIR", help="write those minutes as shards into DIR"
    )
    parser.add_argument(
        "--duration-minutes", type=float, metavar="M", help="stop after M minutes of market time"
    )
    parser.add_argument("--verbose", action="store_true", help="log the details")
    return parser.parse_args(argv)


async def serve(server: PaperServer, duration_s: float | None) -> None:
    """Serve until a signal comes or ``duration_s`` real seconds are over."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    await server.start()
    addresses = {"event": "listening", "rest": server.rest_url, "ws": server.ws_url}
    print(json.dumps(addresses), flush=True)
    if duration_s is not None:
        loop.call_later(duration_s, stop.set)
    await server.serve_until(stop)


def main(argv: list[str] | None = None) -> int:
    """Open the venue and serve it; the exit code."""
    args = parse(argv)
    configure_logging(args.verbose)
    minutes = args.duration_minutes
    if minutes is not None and not minutes > 0:
        raise InputError(f"--duration-minutes is {minutes:g}: give a positive number")
    options = VenueOptions(
        coin=args.coin,
        replay=args.replay,
        seed=args.seed,
        history_minutes=args.history_minutes,
        history_dir=args.history_dir,
    )
    venue = open_venue(options, _now_ms())
    # Opening took a moment: the clock starts now, and the market catches up with its first step.
    clock = MarketClock(_now_ms(), args.speed)
    server = PaperServer(venue, clock, args.port)
    asyncio.run(serve(server, None if minutes is None else minutes * 60 / args.speed))
    return 0


def _now_ms() -> int:
    return int(time.time() * 1000)


if __name__ == "__main__":
    keep_pandas_out()
    sys.exit(run(main))
