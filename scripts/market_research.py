"""Which market, and when: research a market from a recording, an exchange's candles or a file."""

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.table import Table

from advanced_mm.calibration.command import DEFAULT_CONFIG
from advanced_mm.cli import configure_logging, names_in, progress, run, writing_page
from advanced_mm.errors import InputError
from advanced_mm.marketdata import ShardStore
from advanced_mm.parameter_files import ParameterFiles, Settings, counted_age, load_settings
from advanced_mm.report.research.export import paths_for, study_json, write_metrics, write_parquet
from advanced_mm.report.research.insights import insights_of
from advanced_mm.report.research.page import write_research_page, write_research_picture
from advanced_mm.report.research.study import Study
from advanced_mm.report.research.tested import put_to_test
from advanced_mm.report.screener import CoinScreen, ScreenOptions, screen_or_reason
from advanced_mm.research.candles import Candles
from advanced_mm.research.columns import columns
from advanced_mm.research.sources import (
    CandleCache,
    candles_from_file,
    exchange_candles,
    exchange_named,
    recorded_candles,
)

DEFAULT_CACHE = Path("user_data") / "data" / "research"


def main(argv: list[str] | None = None) -> int:
    """Read the candles, compute, and write what was asked for."""
    options = parse(argv)
    configure_logging()
    settings, _ = load_settings(options.config)
    fee_bp = settings.fee_rate * 1e4 if options.fee_bp is None else options.fee_bp
    found, others = markets(options, settings)
    studies = [
        Study(
            candles,
            columns(candles),
            fee_bp,
            screened,
            options.stake,
            put_to_test(candles, [other for other in others if other.name != candles.name]),
        )
        for candles, screened in found
    ]
    if options.html is not None:
        with writing_page(options.html, quiet=options.json):
            write_research_page(options.html, studies)
    written("--png", options.png, options, lambda: write_research_picture(options.png, studies))
    for flag, path, write in (
        ("--csv", options.csv, write_metrics),
        ("--parquet", options.parquet, write_parquet),
    ):
        if path is not None:
            for study, its in zip(studies, paths_for(path, studies), strict=True):
                written(flag, its, options, partial(write, its, study))
    if options.json:
        print(json.dumps([study_json(study) for study in studies], indent=1, allow_nan=False))
        return 0
    console = Console()
    for study in studies:
        console.print(insight_table(study))
    if options.recording is not None:
        console.print("the coins ranked by expected income: python scripts/market_screener.py")
    return 0


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    source = parser.add_argument_group("the market, or several side by side")
    source.add_argument("--recording", type=Path, metavar="DIR", help="folder of recorded shards")
    source.add_argument(
        "--coin",
        nargs="+",
        metavar="ETH",
        help="coins of the recording, in any spelling (default: all)",
    )
    source.add_argument("--exchange", metavar="binance", help="an exchange that ccxt knows")
    source.add_argument("--pair", nargs="+", metavar="POL/USDT", help="its pairs")
    source.add_argument(
        "--timeframe", default="1s", help="length of the exchange's candles (default: %(default)s)"
    )
    source.add_argument(
        "--days",
        type=float,
        help="only the newest days (default: 1 of an exchange, the whole recording)",
    )
    source.add_argument(
        "--file", type=Path, nargs="+", metavar="CSV|PARQUET", help="files of candles"
    )
    source.add_argument(
        "--against",
        nargs="+",
        metavar="BTC",
        help="other markets of the same source to compare each with",
    )
    parser.add_argument(
        "--cache",
        type=Path,
        default=DEFAULT_CACHE,
        metavar="DIR",
        help="folder in which an exchange's candles are kept (default: %(default)s)",
    )
    parser.add_argument(
        "--config",
        type=Path,
        nargs="+",
        default=[DEFAULT_CONFIG],
        metavar="FILE",
        help="Freqtrade configuration, for the fee and the window of the calibration "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--fee-bp", type=float, help="maker fee, basis points (default: setting fee_rate)"
    )
    parser.add_argument(
        "--stake",
        type=float,
        default=1000.0,
        help="what the model's expected income is for, USDC (default: %(default)g)",
    )
    output = parser.add_argument_group("what to write; the insights are printed")
    output.add_argument("--html", type=Path, metavar="FILE", help="one page with everything")
    output.add_argument("--png", type=Path, metavar="FILE", help="its pictures")
    output.add_argument(
        "--csv",
        type=Path,
        nargs="?",
        const=Path("pmm_strategy_metrics.csv"),
        metavar="FILE",
        help="the strategy's metrics, a row a candle (default: %(const)s)",
    )
    output.add_argument(
        "--parquet", type=Path, metavar="FILE", help="candles and all columns, a row a candle"
    )
    output.add_argument("--json", action="store_true", help="print only the figures, as JSON")
    options = parser.parse_args(argv)
    if not (options.recording or options.exchange or options.file):
        raise InputError(
            "no market: name a --recording, an --exchange with its --pair, or a --file."
        )
    for needing, given, needed in (
        ("--coin", options.coin, "recording"),
        ("--pair", options.pair, "exchange"),
    ):
        if given and not getattr(options, needed):
            raise InputError(f"{needing} names a market of --{needed}, which is missing.")
    if options.exchange and not options.pair:
        raise InputError(f"--exchange {options.exchange} needs a --pair, such as POL/USDT.")
    if options.days is not None and not options.days > 0:
        raise InputError(f"--days is {options.days:g}, must be above 0.")
    return options


def markets(
    options: argparse.Namespace, settings: Settings
) -> tuple[list[tuple[Candles, CoinScreen | None]], list[Candles]]:
    """Read the markets, a recording's with what the screener says, and those of --against."""
    found: list[tuple[Candles, CoinScreen | None]] = []
    others: list[Candles] = []
    against = names_in(",".join(options.against or []))
    if options.recording is not None:
        if not options.recording.is_dir():
            raise InputError(
                f"--recording {options.recording} is no folder; record first with "
                "scripts/hyperliquid_data_collector.py."
            )
        store = ShardStore(options.recording)
        coins = names_in(",".join(options.coin or [])) or store.coins()
        if not coins:
            raise InputError(f"--recording {options.recording} has no coins.")
        screen = screen_options(options, settings)
        for name in coins:
            coin = store.resolve(name)
            candles = recorded_candles(store, coin, options.days, tracked)
            found.append((candles, screen_or_reason(store, coin, screen)))
        others += [recorded_candles(store, name, options.days, tracked) for name in against]
    if options.exchange is not None:
        exchange = exchange_named(options.exchange)
        days, cache = options.days or 1.0, CandleCache(options.cache)
        read = partial(exchange_candles, exchange, timeframe=options.timeframe, days=days)
        pairs = names_in(",".join(options.pair))
        found += [(read(pair=pair, cache=cache, track=tracked), None) for pair in pairs]
        others += [read(pair=pair, cache=cache, track=tracked) for pair in against]
    if options.file:
        found += [(candles_from_file(path), None) for path in options.file]
        if not (options.recording or options.exchange):
            others += [candles_from_file(Path(name)) for name in against]
    return found, others


def screen_options(options: argparse.Namespace, settings: Settings) -> ScreenOptions:
    """Return the terms on which the screener would judge, at the fee that is asked for."""
    files = ParameterFiles(settings.parameter_folder(Path("user_data")))
    screen = ScreenOptions(
        window_minutes=settings.window_minutes,
        max_window_minutes=settings.max_window_minutes,
        fee_rate=settings.fee_rate,
        stake=options.stake,
        quote_age_seconds=lambda coin: counted_age(files, coin, settings),
        fair_price=settings.fair_price,
    )
    return screen if options.fee_bp is None else replace(screen, fee_rate=options.fee_bp / 1e4)


def tracked(steps: Sequence[int], title: str) -> Iterable[int]:
    """Show progress."""
    return progress(steps, title)


def written(
    flag: str, path: Path | None, options: argparse.Namespace, write: Callable[[], None]
) -> None:
    """Write a file and print where it is, on standard error beside JSON."""
    if path is None:
        return
    try:
        write()
    except OSError as error:
        raise InputError(f"{flag} {path} cannot be written: {error.strerror}") from None
    print(f"written to {path}", file=sys.stderr if options.json else sys.stdout)


def insight_table(study: Study) -> Table:
    """Return what the data say as a table for the terminal."""
    table = Table(title=study.name, title_justify="left")
    table.add_column("about", no_wrap=True)
    table.add_column("what the data say")
    for one in insights_of(study):
        table.add_row(one.topic, one.sentence)
    return table


if __name__ == "__main__":
    sys.exit(run(main))
