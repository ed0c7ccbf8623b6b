"""Record Hyperliquid's market data (best bid and offer, trades, order books) as Parquet shards."""

import argparse
import asyncio
import signal
import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from advanced_mm.cli import configure_logging, run
from advanced_mm.marketdata.collector.collector import Collector
from advanced_mm.marketdata.feed.feed import MAINNET_URL, TESTNET_URL
from advanced_mm.marketdata.lean_arrow import keep_pandas_out
from advanced_mm.marketdata.store import ShardStore


def main(argv: list[str] | None = None) -> int:
    """Record until SIGINT or SIGTERM, then flush and return 0."""
    options = _parser().parse_args(argv)
    configure_logging(options.verbose)
    collector = Collector(
        ShardStore(options.data_dir),
        [coin.strip() for coin in options.crypto.split(",") if coin.strip()],
        TESTNET_URL if options.testnet else options.url,
        options.flush_seconds,
    )
    with _publishing(options):
        asyncio.run(_record(collector))
    return 0


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


async def _record(collector: Collector) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await collector.run(stop)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--crypto",
        required=True,
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
    parser.add_argument("--verbose", action="store_true", help="log details")
    return parser


if __name__ == "__main__":
    keep_pandas_out()
    sys.exit(run(main))
