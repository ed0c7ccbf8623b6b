"""The past of a market, as the collector would have recorded it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from advanced_mm.marketdata.collector.recorder import Recorder
from advanced_mm.marketdata.store import ShardStore
from advanced_mm.markets.replay import load_replay
from advanced_mm.markets.synthetic import SyntheticMarket, SyntheticParameters
from advanced_mm.venue.conditions.history import lay_history

START_MS = 1_790_000_000_123
RECORDINGS = Path(__file__).parents[3].parent / "shared/hyperliquid"


class Notebook:
    """A recorder that keeps the messages."""

    def __init__(self) -> None:
        self.messages: list[tuple[dict[str, Any], float]] = []
        self.flushed_at: list[int] = []

    def handle(self, message: dict[str, Any], received_s: float) -> None:
        self.messages.append((message, received_s))

    def flush(self) -> None:
        self.flushed_at.append(len(self.messages))

    def channel(self, name: str) -> list[tuple[dict[str, Any], float]]:
        return [(m["data"], at) for m, at in self.messages if m["channel"] == name]


def lay(minutes: float) -> tuple[SyntheticMarket, Notebook]:
    market, notebook = SyntheticMarket(SyntheticParameters(), START_MS, seed=1), Notebook()
    count = lay_history(market, notebook, START_MS + round(minutes * 60_000))
    assert count == len(notebook.messages)
    return market, notebook


def test_every_block_is_told_once_in_order():
    _, notebook = lay(2)
    twin = SyntheticMarket(SyntheticParameters(), START_MS, seed=1)
    updates = twin.advance(START_MS + 120_000)
    bbo = [data["time"] for data, _ in notebook.channel("bbo")]
    assert bbo == [u.time_ms for u in updates if u.quote]
    tids = [trade["tid"] for data, _ in notebook.channel("trades") for trade in data]
    assert tids == [one.tid for u in updates for one in u.prints]
    received = [at for _, at in notebook.messages]
    assert received == sorted(received)


def test_books_come_at_both_cadences():
    market, notebook = lay(2)
    books = notebook.channel("l2Book")
    fast = [at for data, at in books if len(data["levels"][0]) == 5]
    slow = [at for data, at in books if len(data["levels"][0]) == 20]
    assert len(fast) + len(slow) == len(books)
    assert np.diff(fast)[1:-1] == pytest.approx(0.5)
    assert np.diff(slow) == pytest.approx(5.0)
    assert (len(fast), len(slow)) == (241, 24)
    assert market.now_ms == START_MS + 120_000
    assert all(data["time"] / 1000 <= at for data, at in books)


def test_what_was_taken_is_flushed_every_five_minutes_and_at_the_end():
    _, notebook = lay(12)  # from 200 s past a multiple of five minutes: 100, 400, 700 s, the end
    assert len(notebook.flushed_at) == 4
    assert notebook.flushed_at[-1] == len(notebook.messages)


def test_the_shards_hold_the_market(tmp_path):
    market = SyntheticMarket(SyntheticParameters(), START_MS, seed=3)
    store = ShardStore(tmp_path)
    lay_history(market, Recorder(store, ["ETH"], {"ETH": 0.1}), START_MS + 60_000)
    recording = store.read("ETH")
    updates = SyntheticMarket(SyntheticParameters(), START_MS, seed=3).advance(START_MS + 60_000)
    quotes = [(u.time_ms, u.quote) for u in updates if u.quote]
    assert recording.quotes.time_ms.tolist() == [time_ms for time_ms, _ in quotes]
    assert recording.quotes.ask.tolist() == [quote.ask for _, quote in quotes]
    prints = [one for u in updates for one in u.prints]
    assert recording.trades.trade_id.tolist() == [one.tid for one in prints]
    assert recording.trades.size.tolist() == [one.size for one in prints]
    assert len(np.unique(recording.trades.transaction)) == len({one.hash for one in prints})
    assert recording.tick == 0.1
    # The shards show no hole.
    beats = np.union1d(recording.quotes.time_ms, recording.book_time_ms)
    assert np.diff(beats).max() <= 500


@pytest.mark.recorded
@pytest.mark.skipif(not RECORDINGS.is_dir(), reason="the real recordings are not here")
def test_a_replayed_recording_covers_the_time_the_recording_does():
    market = load_replay(RECORDINGS, "ETH", START_MS, loop=False)
    notebook = Notebook()
    lay_history(market, notebook, START_MS + market.period_ms + 1_000)
    beats = np.unique(
        [data["time"] for name in ("bbo", "l2Book") for data, _ in notebook.channel(name)]
    )
    gaps = np.diff(beats) / 1000
    # calibration.md's figure for the ETH recording, in its definition of covered time.
    assert gaps[gaps <= 3].sum() == pytest.approx(1139.166, rel=5e-4)
