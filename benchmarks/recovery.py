"""Check that fits of recorded synthetic markets cover the truth.

Each seed is a market of 30 minutes, published by the loopback venue at 60 times real speed and
recorded by the collector over the socket (or, with --in-process, written as shards directly). The
95% interval of every parameter must cover its observable truth in at least 16 of 20 seeds.

    python benchmarks/recovery.py                 # 20 seeds over the socket, about three minutes
    python benchmarks/recovery.py --in-process    # the same without the socket, one minute
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from advanced_mm.calibration import CoinCalibration, Estimate, calibrate
from advanced_mm.cli import run
from advanced_mm.errors import InputError
from advanced_mm.marketdata import ShardStore
from advanced_mm.marketdata.collector.collector import Collector
from advanced_mm.marketdata.collector.recorder import Recorder
from advanced_mm.markets.clock import MarketClock
from advanced_mm.markets.synthetic import SyntheticMarket, SyntheticParameters
from advanced_mm.venue.conditions.history import lay_history
from advanced_mm.venue.engine.exchange import Exchange
from advanced_mm.venue.engine.rules import Rules
from advanced_mm.venue.server.server import PaperServer

COVERED_SHARE = 16 / 20
START_MS = 1_790_000_000_000
CONNECT_S = 1.0  # real seconds for the collector to connect before the window begins


@dataclass(frozen=True)
class Plan:
    """How the markets are run."""

    seeds: int
    minutes: float
    speed: float
    together: int
    in_process: bool


def record_in_process(seed: int, plan: Plan, data_dir: Path) -> None:
    """Write a market's shards through the recorder, without a socket."""
    market = SyntheticMarket(SyntheticParameters(), START_MS, seed)
    recorder = Recorder(
        ShardStore(data_dir), [market.spec.coin], {market.spec.coin: market.spec.tick}
    )
    lay_history(market, recorder, START_MS + round(plan.minutes * 60_000))


async def record_over_socket(seed: int, plan: Plan, data_dir: Path) -> None:
    """Publish a market faster than the clock and let the collector record it."""
    market = SyntheticMarket(SyntheticParameters(), START_MS, seed)
    server = PaperServer(Exchange([market], Rules()), MarketClock(START_MS, plan.speed))
    await server.start()
    stop = asyncio.Event()
    asyncio.get_running_loop().call_later(plan.minutes * 60 / plan.speed + CONNECT_S, stop.set)
    collector = Collector(ShardStore(data_dir), [market.spec.coin], server.ws_url)
    try:
        await collector.run(stop)
    finally:
        await server.stop()


async def fit_over_socket(plan: Plan, folder: Path) -> list[CoinCalibration]:
    """Fit every seed's market, ``together`` of them at a time."""
    places = asyncio.Semaphore(plan.together)

    async def one(seed: int) -> CoinCalibration:
        async with places:
            await record_over_socket(seed, plan, folder / str(seed))
        return fit(folder / str(seed), plan)

    return await asyncio.gather(*(one(seed) for seed in range(plan.seeds)))


def fit(data_dir: Path, plan: Plan) -> CoinCalibration:
    """Fit the newest ``minutes`` of what was recorded."""
    return calibrate(ShardStore(data_dir).read("ETH"), window_minutes=plan.minutes)


def estimates(result: CoinCalibration) -> dict[str, Estimate]:
    """The estimates by the names of `ObservableTruth`."""
    named: dict[str, Estimate] = {}
    for side in ("plus", "minus"):
        curve = getattr(result.fill_curve, side)
        named[f"lambda_{side}"] = getattr(result.arrivals, side).rate
        named[f"lambda0_{side}"] = curve.lambda0
        named[f"kappa_{side}"] = curve.kappa
        named[f"epsilon_{side}"] = getattr(result.impact.epsilon, side)
    return named


def report(results: Sequence[CoinCalibration], console: Console, title: str) -> bool:
    """Print the table; whether every parameter is covered often enough."""
    table = Table("parameter", "truth", "mean", "bias %", "RMSE %", "covered", "", title=title)
    fits = [estimates(result) for result in results]
    passed = True
    for name, truth in asdict(SyntheticParameters().truth()).items():
        found = [fit[name] for fit in fits]
        values = np.array([estimate.value for estimate in found])
        covered = sum(estimate.low <= truth <= estimate.high for estimate in found)
        good = covered >= COVERED_SHARE * len(found)
        passed &= good
        error = (values / truth - 1) * 100
        table.add_row(
            name,
            f"{truth:.4f}",
            f"{values.mean():.4f}",
            f"{error.mean():+.1f}",
            f"{np.sqrt((error**2).mean()):.1f}",
            f"{covered}/{len(found)}",
            "ok" if good else "[red]too few[/]",
        )
    console.print(table)
    seconds = [result.observed_seconds for result in results]
    console.print(f"covered time {min(seconds):.1f} to {max(seconds):.1f} s a market")
    return passed


def parse(argv: list[str] | None) -> Plan:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--minutes", type=float, default=30.0, help="market time per seed, minutes")
    parser.add_argument("--speed", type=float, default=60.0, help="market seconds per real second")
    parser.add_argument("--together", type=int, default=4, help="markets run at the same time")
    parser.add_argument("--in-process", action="store_true", help="record without a socket")
    plan = Plan(**vars(parser.parse_args(argv)))
    if plan.seeds < 1 or plan.together < 1 or not plan.minutes > 0:
        raise InputError("--seeds, --together and --minutes must be positive")
    return plan


def main(argv: list[str] | None = None) -> int:
    plan = parse(argv)
    console = Console()
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if plan.in_process:
            results = []
            for seed in track(range(plan.seeds), "markets", console=console, transient=True):
                record_in_process(seed, plan, folder / str(seed))
                results.append(fit(folder / str(seed), plan))
        else:
            results = asyncio.run(fit_over_socket(plan, folder))
    way = "in process" if plan.in_process else f"over the socket at speed {plan.speed:g}"
    passed = report(results, console, f"{plan.seeds} markets of {plan.minutes:g} minutes, {way}")
    console.print(f"took {time.perf_counter() - started:.0f} s")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(run(main))
