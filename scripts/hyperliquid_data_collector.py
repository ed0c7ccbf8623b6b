"""Record Hyperliquid's market data (best bid and offer, trades, order books) as Parquet shards.

Exit codes: 0 ended by SIGINT or SIGTERM, everything received is on disk; 1 ended, but some of it
could not be written; 2 bad input, or the venue or the disk refuses it.
With --check: 0 sound, 1 faults found, 2 cannot be read.
"""

import argparse
import asyncio
import os
import signal
import sys
import threading
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Final

from advanced_mm.cli import configure_logging, names_in, port, run
from advanced_mm.marketdata.checking.command import check_recording
from advanced_mm.marketdata.collector.collector import Collector
from advanced_mm.marketdata.feed.feed import MAINNET_URL, TESTNET_URL
from advanced_mm.marketdata.lean_arrow import keep_pandas_out
from advanced_mm.marketdata.store import ShardStore
from advanced_mm.marketdata.upkeep.retention import Retention

_LONGEST_END_SECONDS: Final = 0.5
_PUBLISHERS_END_SECONDS: Final = 1.0


def main(argv: list[str] | None = None) -> int:
    """Record until SIGINT or SIGTERM, then flush; return 1 if rows could not be written, else 0."""
    parser = _parser()
    options = parser.parse_args(argv)
    configure_logging(options.verbose)
    coins = names_in(options.crypto)
    if options.check is not None:
        return check_recording(options.check, coins, as_json=options.json)
    if options.crypto is None:
        parser.error("--crypto is required to record")
    if options.json:
        parser.error("--json belongs to --check")
    collector = Collector(
        ShardStore(options.data_dir),
        coins,
        TESTNET_URL if options.testnet else options.url,
        options.flush_seconds,
        retention=Retention(options.keep_days, options.keep_gigabytes),
    )
    end_seconds = _LONGEST_END_SECONDS + (_PUBLISHERS_END_SECONDS if options.publish_to else 0.0)
    with _publishing(options), _metrics(options, collector):
        return asyncio.run(_record(collector, end_seconds))


def _publishing(options: argparse.Namespace) -> AbstractContextManager[object]:
    if not options.publish_to:
        return nullcontext()
    from advanced_mm.marketdata.sharing.background import publishing  # costs 20 MB

    return publishing(
        options.data_dir,
        options.publish_to,
        hourly=options.publish_hourly,
        every_seconds=options.flush_seconds,
    )


def _metrics(options: argparse.Namespace, collector: Collector) -> AbstractContextManager[object]:
    if options.metrics_port is None:
        return nullcontext()
    from advanced_mm.metrics.recording import recording_samples
    from advanced_mm.metrics.server import MetricsServer

    return MetricsServer(options.metrics_port, lambda: recording_samples(collector.numbers()))


async def _record(collector: Collector, end_seconds: float) -> int:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    code = 0 if await collector.run(stop) else 1
    # Everything is on disk: a look-up of a name that hangs in a thread must not delay the end.
    end = threading.Timer(end_seconds, os._exit, [code])
    end.daemon = True
    end.start()
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--crypto",
        metavar="ETH[,kPEPE]",
        help="coins to record, as Hyperliquid names or pairs (KPEPE/USDC:USDC)",
    )
    venue = parser.add_mutually_exclusive_group()
    venue.add_argument(
        "--url", default=MAINNET_URL, help="websocket address of the venue (default: %(default)s)"
    )
    venue.add_argument("--testnet", action="store_true", help=f"record from {TESTNET_URL}")
    parser.add_argument(
        "--data-dir",
        type=Path,
        default=Path(__file__).parent / "HL_data",
        help="folder of the shards (default: %(default)s)",
    )
    parser.add_argument(
        "--flush-seconds",
        type=float,
        default=5.0,
        help="interval between writes to disk, seconds (default: %(default)s)",
    )
    parser.add_argument(
        "--keep-days",
        type=float,
        metavar="DAYS",
        help="delete shards older than this (default: keep all)",
    )
    parser.add_argument(
        "--keep-gigabytes",
        type=float,
        metavar="GB",
        help="delete the oldest shards of these coins beyond this size (default: keep all)",
    )
    parser.add_argument(
        "--check",
        type=Path,
        metavar="DIR",
        help="record nothing; check the recording in this folder, of --crypto or of all coins",
    )
    parser.add_argument("--json", action="store_true", help="print what --check found as JSON")
    parser.add_argument(
        "--publish-to",
        action="append",
        metavar="URL",
        help="also send finished shards there: s3://bucket/folder, another folder, "
        "clickhouse://user@host:8123/database; may be given several times",
    )
    parser.add_argument(
        "--publish-hourly",
        action="store_true",
        help="send them after 90 minutes, when those of an hour have been merged into one",
    )
    parser.add_argument(
        "--metrics-port",
        type=port,
        metavar="PORT",
        help="offer metrics to Prometheus at this port of 127.0.0.1 (default: none)",
    )
    parser.add_argument("--verbose", action="store_true", help="log details")
    return parser


if __name__ == "__main__":
    keep_pandas_out()
    sys.exit(run(main))
