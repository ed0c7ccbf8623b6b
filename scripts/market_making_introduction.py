"""Explain the market-making model with computed figures: an HTML page and a PNG per figure."""

import argparse
import json
import sys
from pathlib import Path

from rich.progress import track

from advanced_mm.cli import configure_logging, run
from advanced_mm.errors import InputError
from advanced_mm.report.introduction import Chapter, model_chapters
from advanced_mm.report.introduction_costs import cost_chapters
from advanced_mm.report.page import write_page
from advanced_mm.report.pictures import chart_to_png

ROOT = Path(__file__).resolve().parents[1]
TITLE = "Market making, explained with computed figures"
LEAD = (
    "For readers who know Python but not the book: Cartea, Jaimungal & Penalva, Algorithmic and "
    "High-Frequency Trading (2015), chapter 10. Every number on this page was just computed by the "
    "code that the bot quotes with. Prices and depths are in the quote currency, rates per second."
)


def main(argv: list[str] | None = None) -> int:
    """Compute the chapters, then print their numbers or write the page and the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--output-dir",
        type=Path,
        default=ROOT / "user_data" / "plot" / "introduction",
        help="folder for the page and the figures (default: %(default)s)",
    )
    parser.add_argument(
        "--paths", type=int, default=20_000, help="simulated paths per histogram, at least 100"
    )
    parser.add_argument("--seed", type=int, default=1, help="seed of the simulations")
    parser.add_argument("--json", action="store_true", help="print the numbers and write no files")
    options = parser.parse_args(argv)
    configure_logging()
    if options.paths < 100:
        raise InputError(f"--paths {options.paths} must be at least 100 for a histogram.")
    chapters = [*model_chapters(), *cost_chapters(options.paths, options.seed)]
    if options.json:
        print(json.dumps({c.section.key: c.numbers for c in chapters}, indent=1, allow_nan=False))
        return 0
    print(f"written to {_write(options.output_dir, chapters)}")
    return 0


def _write(folder: Path, chapters: list[Chapter]) -> Path:
    page = folder / "index.html"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_page(page, TITLE, LEAD, [chapter.section for chapter in chapters])
        for chapter in track(chapters, "pictures", transient=True):
            for number, chart in enumerate(chapter.section.charts, start=1):
                chart_to_png(chart, folder / f"{chapter.section.key}_{number}.png")
    except OSError as error:
        raise InputError(f"--output-dir {folder} cannot be written: {error.strerror}.") from None
    return page


if __name__ == "__main__":
    sys.exit(run(main))
