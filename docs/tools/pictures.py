"""Make the pictures of the documentation anew, in docs/assets.

python docs/tools/pictures.py screen                    # a live screen: two minutes of trading
python docs/tools/pictures.py mistakes                  # what well-known mistakes cost
python docs/tools/pictures.py report --crypto ETH       # the report on a recording; needs Chromium
python docs/tools/pictures.py performance               # that on a session's journal; the same
python docs/tools/pictures.py research                  # the research report on one; the same
"""

import argparse
import logging
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from advanced_mm.cli import configure_logging, run
from advanced_mm.errors import InputError
from advanced_mm.performance import RunningPerformance
from advanced_mm.report.introduction_costs import mistakes
from advanced_mm.report.live_screen import live_screen
from advanced_mm.report.pictures import chart_to_png
from advanced_mm.session.session import PaperSession, SessionOptions

ROOT = Path(__file__).resolve().parents[2]
ASSETS = ROOT / "docs" / "assets"

SVG_WITHOUT_FOREIGN_FONTS = """\
<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
    <style>
    .{unique_id}-matrix {{
        font-family: Fira Code, monospace;
        font-size: {char_height}px;
        line-height: {line_height}px;
        font-variant-east-asian: full-width;
    }}
    .{unique_id}-title {{ font-size: 18px; font-weight: bold; font-family: arial; }}
    {styles}
    </style>
    <defs>
    <clipPath id="{unique_id}-clip-terminal">
      <rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" />
    </clipPath>
    {lines}
    </defs>
    {chrome}
    <g transform="translate({terminal_x}, {terminal_y})"
       clip-path="url(#{unique_id}-clip-terminal)">
    {backgrounds}
    <g class="{unique_id}-matrix">
    {matrix}
    </g>
    </g>
</svg>
"""


def screen(seconds: float) -> Path:
    """Trade on the loopback venue for a while and keep the last screen."""
    folder = ROOT / "user_data" / "paper" / f"{datetime.now(UTC):%Y-%m-%dT%H-%M-%S}_picture"
    folder.mkdir(parents=True)
    console = Console(record=True, width=130, file=sys.stderr)
    options = SessionOptions(root=ROOT, folder=folder, live=True)
    earnings = RunningPerformance(options.journal, options.data_dir, options.coin)
    with PaperSession(options) as session:
        session.start(threading.Event())
        begin = time.monotonic()
        while (elapsed := time.monotonic() - begin) < seconds:
            view = session.look()
            time.sleep(1)
        console.print(live_screen(session, view, earnings.look(), elapsed, console.width))
    path = ASSETS / "live_screen.svg"
    console.save_svg(str(path), title="make paper", code_format=SVG_WITHOUT_FOREIGN_FONTS)
    return path


def picture_of_mistakes() -> Path:
    """Draw the chapter of the introduction on mistakes."""
    path = ASSETS / "mistakes.png"
    chart_to_png(mistakes().section.charts[0], path)
    return path


def report(data_dir: Path, coin: str) -> Path:
    """Photograph the top of the report on a recording."""
    path = ASSETS / "calibration_report.png"
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "report.html"
        script = [sys.executable, str(ROOT / "scripts" / "calibration_report.py")]
        options = ["--crypto", coin, "--data-dir", str(data_dir), "--output", str(page)]
        subprocess.run(script + options, check=True, cwd=ROOT)
        photograph(page, path, "1000,1700")
    return path


def performance(journal: Path) -> Path:
    """Photograph the top of the report on what a session earned."""
    path = ASSETS / "performance_report.png"
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "report.html"
        script = [sys.executable, str(ROOT / "scripts" / "performance_report.py")]
        options = ["--journal", str(journal), "--data-dir", str(journal / "HL_data")]
        subprocess.run([*script, *options, "--html", str(page)], check=True, cwd=ROOT)
        photograph(page, path, "1000,1300")
    return path


def research(data_dir: Path) -> Path:
    """Photograph the top of the research report on a recording."""
    path = ASSETS / "market_research.png"
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "report.html"
        script = [sys.executable, str(ROOT / "scripts" / "market_research.py")]
        options = ["--recording", str(data_dir), "--html", str(page)]
        subprocess.run(script + options, check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
        photograph(page, path, "1000,1500")
    return path


def photograph(page: Path, path: Path, size: str) -> None:
    """Take a picture of a page's top in a window of that size."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    if browser is None:
        raise InputError("Chromium is not installed (Debian's package chromium).")
    subprocess.run(
        [browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
         "--virtual-time-budget=10000", f"--window-size={size}",
         f"--user-data-dir={page.parent}/profile", f"--screenshot={path}", page.as_uri()],
        check=True, capture_output=True,
    )  # fmt: skip


def main(argv: list[str] | None = None) -> int:
    """Make the picture that is asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "picture", choices=["screen", "mistakes", "report", "performance", "research"]
    )
    parser.add_argument("--seconds", type=float, default=120.0, help="of trading (default 120)")
    parser.add_argument("--crypto", default="ETH", help="coin of the report (default ETH)")
    parser.add_argument(
        "--data-dir",
        type=Path,
        default=ROOT / "scripts" / "HL_data",
        help="recording of the report (default scripts/HL_data)",
    )
    parser.add_argument(
        "--journal",
        type=Path,
        default=ROOT / "user_data",
        help="folder with the session's journal (default user_data)",
    )
    options = parser.parse_args(argv)
    configure_logging()
    logging.getLogger("ft_rest_client").setLevel(logging.ERROR)  # the bot is not up at once
    if options.picture == "screen":
        path = screen(options.seconds)
    elif options.picture == "mistakes":
        path = picture_of_mistakes()
    elif options.picture == "performance":
        path = performance(options.journal)
    elif options.picture == "research":
        path = research(options.data_dir)
    else:
        path = report(options.data_dir, options.crypto)
    print(f"written to {path}")
    return 0


if __name__ == "__main__":
    sys.exit(run(main))
