"""Faults of the wire, over real sockets: the venue misbehaves, the recording says what it lacks.

For every fault the recording equals what the venue published, trade by trade, except inside the
gaps that it lists, and the others of its coins are not disturbed.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from advanced_mm.errors import InputError
from advanced_mm.marketdata import ShardStore
from advanced_mm.marketdata.collector import backfill, collector, recorder
from advanced_mm.marketdata.collector.collector import Collector
from advanced_mm.marketdata.collector.recorder import Recorder
from advanced_mm.marketdata.feed.policy import ConnectionSettings
from advanced_mm.marketdata.feed.watchdog import WatchdogSettings
from advanced_mm.markets import coin_markets
from advanced_mm.markets.clock import MarketClock
from advanced_mm.markets.synthetic import SyntheticMarket, SyntheticParameters
from advanced_mm.venue.conditions.faults import (
    CutConnections,
    DelistedCoin,
    Fault,
    GarbledMessages,
    Silence,
)
from advanced_mm.venue.conditions.gateway import Gateway
from advanced_mm.venue.conditions.history import lay_history
from advanced_mm.venue.conditions.limits import LimitSwitches
from advanced_mm.venue.engine.exchange import Exchange
from advanced_mm.venue.engine.rules import Rules
from advanced_mm.venue.server.server import PaperServer
from tests.lived_time import LivedClock

SPEED = 20.0
START_MS = 1_790_000_000_000
QUICK = ConnectionSettings(
    first_delay_seconds=0.05,
    longest_delay_seconds=0.1,
    silence_seconds=0.3,
    ping_seconds=0.2,
    look_seconds=0.05,
    connections_a_minute=1000,
)
WATCHDOG = WatchdogSettings(
    least_seconds=0.3, first_word_seconds=0.5, first_retry_seconds=0.3, longest_retry_seconds=0.5
)
COINS = ("ETH", "BTC")


def market(coin: str) -> SyntheticMarket:
    return SyntheticMarket(SyntheticParameters(coin=coin), START_MS, seed=len(coin) + ord(coin[0]))


class Session:
    """A venue with two coins and a collector that records them."""

    def __init__(
        self, data_dir: Path, speed: float = SPEED, settings: ConnectionSettings = QUICK
    ) -> None:
        self.settings = settings
        exchange = Exchange([market(coin) for coin in COINS], Rules())
        off = LimitSwitches(rest=False, websocket=False, address=False)
        self.gateway = Gateway(exchange, off)
        self.skipped_s = 0.0
        lived_s = asyncio.get_running_loop().time
        clock = MarketClock(START_MS, speed, lambda: lived_s() + self.skipped_s)
        self.server = PaperServer(exchange, clock, gateway=self.gateway)
        self.store = ShardStore(data_dir / "recorded")
        self.truth = ShardStore(data_dir / "truth")
        self.exchange = exchange

    @asynccontextmanager
    async def recording(self) -> AsyncIterator[None]:
        stop = asyncio.Event()
        recording = Collector(self.store, COINS, self.server.ws_url, 0.05, self.settings, WATCHDOG)
        running = asyncio.create_task(recording.run(stop))
        try:
            yield
        finally:
            stop.set()
            async with asyncio.timeout(30):
                await running

    async def until(self, condition: Callable[[], bool], seconds: float = 30.0) -> None:
        async with asyncio.timeout(seconds):
            while not condition():
                await asyncio.sleep(0.02)

    def events(self, coin: str = "ETH") -> list[str]:
        try:
            return [event.event for event in self.store.connections(coin)]
        except InputError:  # nothing is recorded yet
            return []

    async def strike(self, fault: Fault, seconds: float = 0.4) -> None:
        entry = self.gateway.set_fault(fault)
        await asyncio.sleep(seconds)
        self.gateway.faults.clear(entry.number)

    def newest_trade_ms(self) -> int:
        """Return the time of the venue's newest trade of ETH."""
        return self.exchange.venue.markets["ETH"].recent[-1].time_ms

    def written_trades(self) -> pa.Table:
        """Return the trades of ETH as they were written, in any order."""
        files = self.store.data_dir.glob("ETH/trades/*.parquet")
        return pa.concat_tables(pq.read_table(file) for file in files)

    def compare(self, coin: str) -> SimpleNamespace:
        """Return the recording beside what was published since it began, outside its gaps."""
        lay_history(market(coin), Recorder(self.truth, [coin], None), self.exchange.now_ms)
        recorded, gaps = self.store.read(coin), self.store.gaps(coin)
        # From the first message after subscribing to the last but a moment.
        began, ended = int(recorded.book_time_ms[5]), int(recorded.book_time_ms[-2])
        truth = self.truth.read(coin, began, ended)

        def outside(name: str, time_ms: Any, *columns: Any) -> list[tuple[Any, ...]]:
            keep = (time_ms >= began) & (time_ms <= ended)
            for gap in gaps:
                if gap.channel == name:
                    keep &= (time_ms < gap.start_ms) | (time_ms > gap.end_ms)
            return list(zip(*(c[keep].tolist() for c in (time_ms, *columns)), strict=True))

        def columns(recording: Any) -> tuple[list[Any], list[Any]]:
            trades, quotes = recording.trades, recording.quotes
            found = outside("trades", trades.time_ms, trades.price, trades.size, trades.side)
            touch = (np.nan_to_num(quotes.bid), np.nan_to_num(quotes.ask), quotes.bid_size)
            return found, outside("bbo", quotes.time_ms, *touch)

        return SimpleNamespace(
            found=columns(recorded), wanted=columns(truth), gaps=gaps, truth=truth
        )


@pytest.fixture(autouse=True)
def clocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The collector's time stands still with the venue's."""
    monkeypatch.setattr(collector, "SteadyClock", LivedClock)


@pytest.fixture
async def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Session]:
    monkeypatch.setattr(backfill, "LOOK_SECONDS", 0.05)
    one = Session(tmp_path)
    await one.server.start()
    yield one
    await one.server.stop()


def assert_equal_outside_gaps(session: Session, coin: str = "ETH") -> SimpleNamespace:
    compared = session.compare(coin)
    (trades, quotes), (true_trades, true_quotes) = compared.found, compared.wanted
    assert trades == true_trades
    assert len(trades) > 10
    assert list(dict.fromkeys(quotes)) == list(dict.fromkeys(true_quotes))
    return compared


@pytest.mark.parametrize(
    ("fault", "seconds", "why"),
    [
        (CutConnections(), 0.0, ""),
        (CutConnections(refuse=True), 0.4, ""),
        (Silence(), 0.5, "no data for"),
        (Silence(pongs=False), 0.5, "no data for"),
        (GarbledMessages(how="half", probability=0.3), 0.2, "unreadable"),
        (GarbledMessages(how="junk", probability=0.3), 0.2, "unreadable"),
        (GarbledMessages(how="channel", probability=0.3), 0.2, "unknown channel 'garbled'"),
        (GarbledMessages(how="nan", probability=0.5), 0.2, "NaN"),
    ],
)
async def test_the_recording_is_what_was_published_outside_the_gaps_it_lists(
    session: Session,
    caplog: pytest.LogCaptureFixture,
    fault: Fault,
    seconds: float,
    why: str,
) -> None:
    async with session.recording():
        await session.until(lambda: "subscribed" in session.events())
        await asyncio.sleep(0.4)
        await session.strike(fault, seconds)
        await session.until(lambda: "gap" in session.events())
        await asyncio.sleep(0.4)
    for coin in COINS:
        compared = assert_equal_outside_gaps(session, coin)
        lost_ms = sum(gap.end_ms - gap.start_ms for gap in compared.gaps if gap.channel == "bbo")
        assert lost_ms < SPEED * 1000 * (seconds + 0.8)
        assert lost_ms > 0 or coin != "ETH"
    assert why in " ".join([*caplog.messages, *(g.reason for g in session.store.gaps("ETH"))])


async def test_a_coin_delisted_in_the_middle_is_named_and_the_other_goes_on(
    session: Session, caplog: pytest.LogCaptureFixture
) -> None:
    async with session.recording():
        await session.until(lambda: "subscribed" in session.events("BTC"))
        await asyncio.sleep(0.3)
        session.gateway.set_fault(DelistedCoin(coin="BTC"))
        await session.until(lambda: "refused" in session.events("BTC"))
        connects = session.events("ETH").count("connect")
        await asyncio.sleep(0.8)
        # It costs the other coin one new connection at most.
        assert session.events("ETH").count("connect") <= max(connects, 2)
    assert "BTC: the venue at" in caplog.text
    assert "no longer traded" in caplog.text
    assert_equal_outside_gaps(session)


async def test_a_machine_whose_clock_is_put_back_records_as_if_it_had_not(
    session: Session, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with session.recording():
        await session.until(lambda: "subscribed" in session.events())
        await asyncio.sleep(0.3)
        monkeypatch.setattr(LivedClock, "put_back_s", 3600.0)
        await asyncio.sleep(0.4)
    assert "put back by 3600.0 s" in caplog.text
    assert_equal_outside_gaps(session)
    assert "gap" not in session.events()
    local_s = session.store.read("ETH").quotes.local_s
    assert (np.diff(local_s) >= 0).all()
    assert local_s[-1] - local_s[0] < 60


async def test_a_short_silence_on_a_living_connection_is_backfilled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backfill, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(recorder, "GAP_SECONDS", 0.6)
    monkeypatch.setattr(coin_markets, "RECENT_PRINTS", 500)
    session = Session(tmp_path, 4.0, replace(QUICK, silence_seconds=5.0))
    await session.server.start()
    async with session.recording():
        await session.until(lambda: "subscribed" in session.events())
        await asyncio.sleep(1.0)
        untold = session.newest_trade_ms()
        entry = session.gateway.set_fault(Silence())
        await asyncio.sleep(0.2)
        await session.until(lambda: session.newest_trade_ms() > untold)
        session.gateway.faults.clear(entry.number)
        await session.until(lambda: "filled" in session.events())
        await asyncio.sleep(0.4)
    await session.server.stop()
    assert session.events().count("connect") == 1
    compared = assert_equal_outside_gaps(session)
    assert {gap.channel for gap in compared.gaps} == {"bbo", "l2Book"}  # no trade is missing
    filled = session.written_trades()["backfilled"].to_pylist()
    assert 0 < sum(filled) < len(filled)


async def test_ten_minutes_without_a_venue_are_a_gap_up_to_what_it_tells_again(
    session: Session,
) -> None:
    async with session.recording():
        await session.until(lambda: "subscribed" in session.events())
        await asyncio.sleep(0.3)
        before_ms = session.exchange.now_ms
        entry = session.gateway.set_fault(CutConnections(refuse=True))
        session.skipped_s += 600 / SPEED
        await session.until(lambda: session.exchange.now_ms > before_ms + 600_000)
        session.gateway.faults.clear(entry.number)
        await session.until(lambda: "filled" in session.events())
        await asyncio.sleep(0.3)
    compared = assert_equal_outside_gaps(session)
    (touch,) = [gap for gap in compared.gaps if gap.channel == "bbo"]
    (trades,) = [gap for gap in compared.gaps if gap.channel == "trades"]
    assert min(gap.end_ms - gap.start_ms for gap in (touch, trades)) > 590_000
    assert trades.end_ms < touch.end_ms  # the venue tells its last thirty again


async def test_a_collector_that_is_started_again_lists_the_time_between_and_doubles_nothing(
    session: Session,
) -> None:
    for _ in range(2):
        async with session.recording():
            ran = session.events().count("subscribed")
            await session.until(lambda ran=ran: session.events().count("subscribed") > ran)
            await asyncio.sleep(0.4)
    compared = assert_equal_outside_gaps(session)
    assert {gap.reason for gap in compared.gaps} == {"the collector was not running"}
    ids = session.written_trades()["trade_id"].to_pylist()
    assert len(ids) == len(set(ids)) > 30
