"""Fit lambda, kappa and epsilon on a recording, print them and plot the fill curve.

    python examples/fit_and_plot.py                                        # a synthetic recording
    python examples/fit_and_plot.py --data-dir scripts/HL_data --coin ETH  # one of your own

Without ``--data-dir`` half an hour of the synthetic market is recorded first, into a folder that is
deleted afterwards: the loopback venue opens with that much of its past, and ends at once.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from advanced_mm.calibration import CoinCalibration, Window, calibrate
from advanced_mm.calibration.pictures import kappa_picture
from advanced_mm.cli import run
from advanced_mm.marketdata import ShardStore

ROOT = Path(__file__).resolve().parents[1]


def main(argv: list[str] | None = None) -> int:
    """Fit, print and draw; exit code 0."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data-dir", type=Path, help="folder of a recording")
    parser.add_argument("--coin", default="ETH", help="default ETH")
    parser.add_argument("--minutes", type=float, default=30.0, help="window (default 30)")
    parser.add_argument("--plot", type=Path, default=Path("fill_curve.png"), metavar="FILE.png")
    options = parser.parse_args(argv)
    if options.data_dir is not None:
        fit_and_plot(options.data_dir, options.coin, options.minutes, options.plot)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        record_synthetic_market(Path(folder), options.coin)
        fit_and_plot(Path(folder), options.coin, options.minutes, options.plot)
    return 0


def record_synthetic_market(folder: Path, coin: str) -> None:
    """Let the loopback venue write half an hour of its past as shards."""
    script = [sys.executable, str(ROOT / "scripts" / "paper_exchange.py"), "--coin", coin]
    options = ["--port", "0", "--history-dir", str(folder), "--duration-minutes", "0.001"]
    subprocess.run(script + options, check=True, stdout=subprocess.DEVNULL)


def fit_and_plot(data_dir: Path, coin: str, minutes: float, plot: Path) -> None:
    """Fit the newest ``minutes`` of a coin's recording."""
    recording = ShardStore(data_dir).read(coin)
    fit = calibrate(recording, window_minutes=minutes)
    print_fit(fit)
    start_ms = fit.end_ms - round(fit.window_seconds * 1000)
    kappa_picture(plot, Window.of(recording, start_ms, fit.end_ms), fit)
    print(f"fill curve written to {plot}")


def print_fit(fit: CoinCalibration) -> None:
    """Print each estimate with its standard error, its 95% interval and its status."""
    print(f"{fit.coin}: {fit.observed_seconds:.0f} s observed, mid {fit.mid:g}, tick {fit.tick:g}")
    named = {
        "lambda": fit.arrivals.map(lambda side: side.rate),
        "lambda0": fit.fill_curve.map(lambda side: side.lambda0),
        "kappa": fit.fill_curve.map(lambda side: side.kappa),
        "epsilon": fit.impact.epsilon,
        "epsilon_fill": fit.fill_impact.epsilon_fill,
    }
    for name, pair in named.items():
        for sign, one in zip("+-", pair, strict=True):
            numbers = f"{one.value:8.4f} ± {one.se:.4f}  [{one.low:.4f}, {one.high:.4f}]"
            print(f"{name + sign:>14}  {numbers}  {one.status}")


if __name__ == "__main__":
    sys.exit(run(main))
