"""What the collector records over the socket is the market: known truth, and replays to 1%."""

import asyncio
import time
from dataclasses import asdict
from pathlib import Path

import pytest

from advanced_mm.calibration import CoinCalibration, calibrate
from advanced_mm.marketdata import ShardStore
from advanced_mm.marketdata.collector.collector import Collector
from advanced_mm.marketdata.collector.recorder import Recorder
from advanced_mm.markets.clock import MarketClock
from advanced_mm.markets.replay import load_replay
from advanced_mm.markets.synthetic import SyntheticMarket, SyntheticParameters
from advanced_mm.venue.conditions.history import lay_history
from advanced_mm.venue.engine.exchange import Exchange
from advanced_mm.venue.engine.rules import Rules
from advanced_mm.venue.server.server import PaperServer

START_MS = 1_790_000_000_000
RECORDINGS = Path(__file__).parents[1].parent / "shared" / "hyperliquid"


class UnhurriedTime:
    """Real time that stands still while the program is held up.

    On a busy machine the market would run ahead of the collector else, and hand it minutes at once.
    """

    def __init__(self) -> None:
        self._now_s, self._last_s = 0.0, time.monotonic()

    def __call__(self) -> float:
        now_s = time.monotonic()
        self._now_s += min(now_s - self._last_s, 0.1)
        self._last_s = now_s
        return self._now_s


async def record(market, data_dir: Path, market_seconds: float, speed: float) -> None:
    """Publish a market faster than the clock and let the collector record it."""
    exchange = Exchange([market], Rules())
    server = PaperServer(exchange, MarketClock(START_MS, speed, UnhurriedTime()))
    await server.start()
    stop = asyncio.Event()
    collecting = asyncio.create_task(
        Collector(ShardStore(data_dir), [market.spec.coin], server.ws_url).run(stop)
    )
    try:
        # The last second of real time is for what is under way.
        while exchange.now_ms < START_MS + 1000 * (market_seconds + speed):
            await asyncio.sleep(0.05)
            assert not collecting.done()
    finally:
        stop.set()
        await collecting
        await server.stop()


def values(fit: CoinCalibration) -> dict[str, tuple[float, float]]:
    """Value and standard error of every published estimate."""
    named = {}
    for side in ("plus", "minus"):
        curve = getattr(fit.fill_curve, side)
        for name, estimate in {
            "lambda": getattr(fit.arrivals, side).rate,
            "lambda0": curve.lambda0,
            "kappa": curve.kappa,
            "epsilon": getattr(fit.impact.epsilon, side),
            "epsilon_fill": getattr(fit.fill_impact.epsilon_fill, side),
        }.items():
            named[f"{name}_{side}"] = (estimate.value, estimate.se)
    return named


async def test_a_synthetic_half_hour_is_fitted_within_four_standard_errors(tmp_path):
    market = SyntheticMarket(SyntheticParameters(), START_MS, seed=7)
    await record(market, tmp_path, 1800, speed=120)
    fit = calibrate(ShardStore(tmp_path).read("ETH"), window_minutes=30)
    assert fit.observed_seconds > 1700
    found = values(fit)
    for name, truth in asdict(SyntheticParameters().truth()).items():
        value, error = found[name]
        assert abs(value - truth) < 4 * error, name


async def replayed_like_the_original(original: Path, recorded: Path, speed: float) -> None:
    """Replay a recording once over the socket and compare fits of the stretch both have."""
    source = ShardStore(original).read("ETH")
    length = (source.newest_ms - int(source.quotes.time_ms[0])) / 1000
    market = load_replay(original, "ETH", START_MS, loop=False)
    await record(market, recorded, length, speed)
    copy = ShardStore(recorded).read("ETH")
    shift = copy.newest_ms - source.newest_ms  # both end with the recording's last row
    minutes = (copy.newest_ms - int(copy.quotes.time_ms[0])) / 60_000
    assert minutes > 0.9 * length / 60
    again = calibrate(copy, window_minutes=minutes)
    first = calibrate(source, window_minutes=minutes, end_ms=copy.newest_ms - shift)
    direct = values(first)
    for name, (value, _) in values(again).items():
        assert value == pytest.approx(direct[name][0], rel=0.01), name


async def test_a_replayed_recording_fits_as_the_original(tmp_path):
    """The original here is a synthetic market's, without hashes lost or orders merged."""
    market = SyntheticMarket(SyntheticParameters(), START_MS - 3_600_000, seed=3)
    coin = market.spec.coin
    recorder = Recorder(ShardStore(tmp_path / "original"), [coin], {coin: market.spec.tick})
    lay_history(market, recorder, START_MS - 3_600_000 + 900_000)
    await replayed_like_the_original(tmp_path / "original", tmp_path / "again", speed=120)


@pytest.mark.recorded
async def test_the_real_recording_fits_the_same_after_a_replay(tmp_path):
    if not RECORDINGS.is_dir():
        pytest.skip(f"no recordings at {RECORDINGS}")
    await replayed_like_the_original(RECORDINGS, tmp_path, speed=120)
