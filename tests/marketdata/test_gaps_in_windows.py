"""What a recorder lists as a gap is no observed time, for calibration and replay alike."""

from types import SimpleNamespace

import pytest

from advanced_mm.calibration.windows.window import Window
from advanced_mm.marketdata import ShardStore
from advanced_mm.marketdata.collector.recorder import Recorder
from advanced_mm.marketdata.records import Silence

SECONDS = 60


@pytest.fixture
def recorded(store: ShardStore, wire: SimpleNamespace):
    """Record a minute with messages of each channel every half second, but those lost."""

    def record(lost: range = range(0)) -> ShardStore:
        recorder = Recorder(store, ["ETH"], {"ETH": 0.1})
        recorder.connected(0.0)
        tid = 0
        for step in range(2 * SECONDS):
            at_s, time_ms = step / 2, 100_000 + 500 * step
            if step in lost:
                continue
            if step - 1 in lost:
                recorder.disconnected(at_s, "closed")
                recorder.connected(at_s)
            tid += 1
            messages = [wire.bbo(time_ms), wire.trades((time_ms, tid))]
            for message in (*messages, wire.book(time_ms), wire.book(time_ms, 20)):
                recorder.handle(message, at_s)
        recorder.flush()
        return store

    return record


def test_a_short_loss_at_a_reconnect_is_no_observed_time(recorded):
    """Two seconds are too short to be seen in the rows alone."""
    store = recorded(range(60, 64))
    gaps = store.gaps("ETH")
    assert {gap.channel for gap in gaps} == {"bbo", "trades", "l2Book"}
    recording = store.read("ETH")
    assert {one.channel for one in recording.silences} == {"bbo", "trades", "l2Book"}
    observed = Window.of(recording).stretches.observed_seconds
    lost = max(gap.end_ms for gap in gaps) - min(gap.start_ms for gap in gaps)
    assert observed == pytest.approx(SECONDS - lost / 1000, abs=1)
    assert observed < SECONDS - 2


def test_a_minute_without_loss_is_observed_whole(recorded):
    whole = Window.of(recorded().read("ETH")).stretches.observed_seconds
    assert whole == pytest.approx(SECONDS, abs=1)


def test_only_gaps_within_reach_are_read(recorded):
    store = recorded(range(60, 64))
    assert store.read("ETH", 100_000, 125_000).silences == ()
    log = store.silence_log("ETH")
    assert log.between(None, None, known_by_s=10.0) == ()
    (first, *_) = log.between(None, None)
    assert isinstance(first, Silence)
    assert first.start_ms >= 129_000
