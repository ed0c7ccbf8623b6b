"""One channel of one of two coins is lost on the way, from the venue's socket to the quote.

The log names it, the collector subscribes anew, the published entry says that the data are in
doubt, nothing is opened and a position is offered at the touch; all of it heals by itself.
"""

import asyncio
import json
import logging
import time
from datetime import UTC, datetime

import pytest

from advanced_mm.calibration.runner import PeriodicRunner, RunnerOptions
from advanced_mm.marketdata import ShardStore
from advanced_mm.marketdata.collector import collector as collector_module
from advanced_mm.marketdata.collector.collector import Collector
from advanced_mm.marketdata.collector.recorder import Recorder
from advanced_mm.marketdata.feed.connection import ConnectionSettings
from advanced_mm.marketdata.feed.watchdog import WatchdogSettings
from advanced_mm.markets.clock import MarketClock
from advanced_mm.markets.synthetic import SyntheticMarket, SyntheticParameters
from advanced_mm.parameter_files import ParameterFiles, Settings
from advanced_mm.price_grid import PriceGrid
from advanced_mm.quoting import ParameterFeed, Quote, Quoter, Refusal, Touch
from advanced_mm.venue.conditions.faults import DroppedMessages
from advanced_mm.venue.conditions.gateway import Gateway
from advanced_mm.venue.conditions.history import lay_history
from advanced_mm.venue.conditions.limits import LimitSwitches
from advanced_mm.venue.engine.exchange import Exchange
from advanced_mm.venue.engine.rules import Rules
from advanced_mm.venue.server.server import PaperServer
from tests.lived_time import LivedClock, in_lived_time

SPEED = 10  # of the market
PAST_MS = 12 * 60_000
QUICK = ConnectionSettings(first_delay_seconds=0.1, longest_delay_seconds=0.2, look_seconds=0.1)
WATCHDOG = WatchdogSettings(
    least_seconds=0.5, first_word_seconds=2, first_retry_seconds=1.5, longest_retry_seconds=2
)
SETTINGS = Settings(toxicity_limit=10.0, min_edge_bp=None, max_data_age_seconds=86_400)


async def until(condition, seconds=60.0):
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.02)


def decisions(folder):
    """What the bot would do: open with a bid, close with an ask."""
    quoter = Quoter(SETTINGS, ParameterFeed(ParameterFiles(folder), "BTC"), PriceGrid(4))
    now = datetime.now(UTC)
    mid = json.loads((folder / "kappa.json").read_text())["BTC"]["mid"]
    touch = Touch(round(mid) - 1.0, round(mid) + 1.0, now)
    return quoter.entry("bid", 0, touch, now), quoter.exit("ask", 1, touch, now), touch


@pytest.mark.parametrize("channel", ["trades", "l2Book"])
@in_lived_time
async def test_a_channel_of_one_coin_of_two_is_lost_and_found(
    tmp_path, caplog, monkeypatch, channel
):
    monkeypatch.setattr(collector_module, "SteadyClock", LivedClock)
    caplog.set_level(logging.INFO, "advanced_mm")
    store = ShardStore(tmp_path / "data")
    start_ms = time.time_ns() // 1_000_000 - 2 * PAST_MS  # the market's time stays behind ours
    markets = []
    for coin, seed in (("ETH", 5), ("BTC", 6)):
        market = SyntheticMarket(SyntheticParameters(coin=coin), start_ms, seed)
        recorder = Recorder(store, [coin], {coin: market.spec.tick})
        lay_history(market, recorder, start_ms + PAST_MS)
        markets.append(market)
    exchange = Exchange(markets, Rules())
    gateway = Gateway(exchange, LimitSwitches(rest=False, websocket=False, address=False))
    lived_s = asyncio.get_running_loop().time
    server = PaperServer(exchange, MarketClock(exchange.now_ms, SPEED, lived_s), gateway=gateway)
    await server.start()
    stop = asyncio.Event()
    collector = Collector(store, ("ETH", "BTC"), server.ws_url, 0.2, QUICK, WATCHDOG)
    collecting = asyncio.create_task(collector.run(stop))
    runner = PeriodicRunner(
        RunnerOptions(("ETH", "BTC"), market_clock=True, max_data_age_seconds=60),
        SETTINGS, store, ParameterFiles(tmp_path),
    )  # fmt: skip

    async def refit():
        await asyncio.sleep(0.5)  # what came is on disk
        await asyncio.to_thread(runner.refit_all)
        return json.loads((tmp_path / "lambda.json").read_text())

    try:
        await asyncio.sleep(4.0)
        before = await refit()
        assert "silent" not in before["BTC"]
        assert isinstance(decisions(tmp_path)[0], Quote)

        fault = gateway.set_fault(DroppedMessages(channels=(channel,), coins=("BTC",)))
        await until(lambda: f"BTC: {channel} silent for" in caplog.text)
        await until(lambda: fault.struck > 1)
        during = await refit()
        assert (during["BTC"]["silent"], during["BTC"]["status"]) == (channel, "stale")
        newest = during["ETH"]["fitted_at"]
        assert "silent" not in during["ETH"]
        assert during["BTC"]["fitted_at"] < newest
        assert (
            during["BTC"]["lambda+_low"] < before["BTC"]["lambda+"] < during["BTC"]["lambda+_high"]
        )
        entry, closing, touch = decisions(tmp_path)
        assert isinstance(entry, Refusal)
        assert entry.reason.startswith(f"data in doubt: no data on {channel} since")
        assert (closing.price, closing.calibration_id) == (touch.ask, None)

        gateway.faults.clear()
        await until(lambda: f"BTC: {channel} active again after" in caplog.text)
        after = await refit()
        assert "silent" not in after["BTC"]
        assert isinstance(decisions(tmp_path)[0], Quote)
    finally:
        stop.set()
        await collecting
        await server.stop()
    quiet = {coin: {gap.channel for gap in store.gaps(coin) if "no message" in gap.reason}
             for coin in ("BTC", "ETH")}  # fmt: skip
    assert quiet == {"BTC": {channel}, "ETH": set()}
    assert "BTC: all channels are active again" in caplog.text
