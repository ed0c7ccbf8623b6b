"""Write an HTML report on a coin's recording: fits, errors, toxicity, coverage."""

import argparse
import sys
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

from pyarrow import Table

from advanced_mm.calibration import CalibrationOptions
from advanced_mm.calibration.command import add_source_options, asked_coin
from advanced_mm.cli import configure_logging, progress, run
from advanced_mm.errors import InputError
from advanced_mm.instruments import folder_of
from advanced_mm.marketdata import ShardStore
from advanced_mm.markets.recorded_books import read_books
from advanced_mm.parameter_files import ParameterFiles, counted_age, load_settings
from advanced_mm.parameter_files.history import HISTORY_FOLDER, CalibrationHistory
from advanced_mm.report.calibration_report import ReportInput, report_sections
from advanced_mm.report.page import write_page


def main(argv: list[str] | None = None) -> int:
    """Fit the recording and write the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--crypto", help="coin, such as ETH, kPEPE or a pair; default: the configured pair"
    )
    parser.add_argument(
        "--time-range",
        type=float,
        default=30.0,
        metavar="MINUTES",
        help="window of the main panels up to the newest row, minutes (default: %(default)g)",
    )
    parser.add_argument(
        "--output",
        type=Path,
        metavar="FILE.html",
        help="default: user_data/plot/calibration_<COIN>.html",
    )
    add_source_options(parser)
    options = parser.parse_args(argv)
    configure_logging()
    settings, configured = load_settings(options.config)
    coin = asked_coin(options, configured)
    parameters = settings.parameter_folder(Path("user_data"))
    output = options.output or Path("user_data/plot") / f"calibration_{folder_of(coin)}.html"
    data = ReportInput(
        recording=ShardStore(options.data_dir).read(coin),
        books=read_books(options.data_dir, coin),
        window_minutes=options.time_range,
        fee_rate=settings.fee_rate,
        options=CalibrationOptions().configured(settings),
        history=_last_week(CalibrationHistory(parameters / HISTORY_FOLDER), coin),
        quote_age_seconds=counted_age(ParameterFiles(parameters), coin, settings),
        fair_price=settings.fair_price,
    )
    sections = report_sections(data, progress)
    lead = f"{coin}, from {options.data_dir}. Exchange time, prices in USDC."
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        write_page(output, f"Calibration of {coin}", lead, sections)
    except OSError as error:
        raise InputError(f"--output {output} cannot be written: {error.strerror}.") from None
    print(f"written to {output}")
    return 0


def _last_week(history: CalibrationHistory, coin: str) -> Table:
    """Return the refits of the last seven days that have any."""
    newest = history.newest_day(coin)
    if newest is None:
        return history.read(coin)
    start = datetime.combine(newest - timedelta(days=6), time.min, UTC)
    return history.read(coin, start=start)


if __name__ == "__main__":
    sys.exit(run(main))
