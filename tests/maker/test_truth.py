"""Both loopback venues at once, with faults and a killed maker: a short run of the benchmark."""

import asyncio
import importlib
import time
from pathlib import Path

import pytest

from advanced_mm.journal import JournalWriter
from advanced_mm.maker.config import read_config
from advanced_mm.maker.config.assemble import exchanges_of, setups_of
from advanced_mm.maker.first_look import first_looks
from advanced_mm.maker.running import Maker

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "user_data" / "makers").glob("*.yaml"))


@pytest.fixture
def truth(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))
    return importlib.import_module("benchmarks.maker_truth")


def running(truth, file, wallet):
    """The maker, in this process, and its task."""
    config = read_config(file)
    environment = truth.keys_of(wallet)
    settings = config.settings
    journal = JournalWriter(settings.journal_in(live=True), settings.name)
    maker = Maker(
        exchanges_of(config, live=True, environment=environment),
        setups_of(config),
        journal,
        lambda: time.time_ns() // 1_000_000,
        settings.name,
        settings.kill_path,
    )
    return maker, asyncio.create_task(maker.run()), journal


async def kill(maker, task, monkeypatch):
    """End a maker as `kill -9` does: it withdraws nothing."""

    async def nothing(*tasks):
        pass

    monkeypatch.setattr(maker._withdrawal, "withdraw", nothing)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_nothing_is_lost_or_doubled_and_nothing_rests_after_the_kill_file(
    truth, tmp_path, monkeypatch
):
    found = truth.Findings()
    async with truth.venues(1.0, seed=1) as venue:
        file = truth.maker_file(venue, tmp_path)
        maker, task, journal = running(truth, file, venue.wallet)
        assert await truth.rests(venue, 15, 10.0)
        venue.strike("perpetuals", truth.AT_PERPETUALS["an order's reply lost"])
        venue.strike("spot", truth.AT_SPOT["an order's reply lost"])
        venue.strike("both", truth.BOTH["messages twice"])
        await asyncio.sleep(1.0)
        venue.strike("both", truth.BOTH["cut"])
        await asyncio.sleep(0.5)
        await kill(maker, task, monkeypatch)
        journal.close()
        left = venue.resting()
        assert left
        maker, task, journal = running(truth, file, venue.wallet)
        await asyncio.sleep(1.0)
        assert await truth.rests(venue, 15, 10.0)
        assert await truth.still_too_much(venue) == ""
        begun = time.monotonic()
        (tmp_path / "stop").touch()
        assert await truth.withdrawn(venue, begun) < truth.WITHDRAWN_S
        await asyncio.wait_for(task, 10)
        journal.close()
        truth.compared(venue, tmp_path / "journal", found)
    assert found.wrong == []


async def test_each_example_starts_on_the_loopback_venues(truth):
    async with truth.venues(1.0, seed=1, coins=("SUI", "ETH", "SOL", "BTC")) as venue:
        urls = {"hyperliquid": venue.perpetuals.rest_url, "binance_spot": venue.spot.rest_url}

        async def look(path):
            config = read_config(path)
            exchanges = {
                name: one.model_copy(update={"url": urls[one.kind]})
                for name, one in config.settings.exchanges.items()
            }
            here = config.settings.model_copy(update={"exchanges": exchanges})
            config = type(config)(config.path, here, config.policies)
            dry = exchanges_of(config, live=False, environment={})
            return await first_looks(dry, setups_of(config), 15.0)

        looks = await asyncio.gather(*map(look, EXAMPLES))
        for path, (first,) in zip(EXAMPLES, looks, strict=True):
            if path.stem == "btc_basis_points":  # its distances grow with the volatility
                assert first.reason == "the volatility is not known yet"
                continue
            assert first.orders.bids, path
            assert first.orders.asks, path
            assert first.orders.dropped == 0, path
            assert first.orders.short == 0, path
