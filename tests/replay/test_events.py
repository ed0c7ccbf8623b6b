"""A recording on disk, converted day by day and kept."""

import json
import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from advanced_mm.errors import InputError
from advanced_mm.marketdata.schemas import BOOK_LEVELS, SCHEMAS
from advanced_mm.marketdata.store import ShardStore
from advanced_mm.replay import ReplayOptions, events, fixed_depth, load_recording, replay
from advanced_mm.replay.events import REPLAY_FOLDER

MIDNIGHT = 1_700_006_400_000  # 2023-11-15 00:00 UTC
DAYS = ("2023-11-14", "2023-11-15")


def record(folder: Path, start: int, end: int) -> None:
    """Half a second's rhythm of touches and snapshots, and a trade each second."""
    store, times = ShardStore(folder), np.arange(start, end, 500)
    seconds = (times + 20) / 1000
    store.write(
        "ETH",
        "prices",
        pa.table(
            {
                "timestamp": np.repeat(seconds, 2),
                "price": np.tile([100.0, 100.2], len(times)),
                "size": np.full(2 * len(times), 5.0),
                "side": ["bid", "ask"] * len(times),
                "exchange_timestamp": np.repeat(times, 2),
            },
            schema=SCHEMAS["prices"],
        ),
    )
    columns = {
        f"{side}_{field}_{level}": np.full(len(times), value)
        for side, first, step in (("bid", 100.0, -0.1), ("ask", 100.2, 0.1))
        for level in range(BOOK_LEVELS)
        for field, value in (("price", round(first + level * step, 1)), ("size", 5.0))
    }
    plain = {"timestamp": seconds, "sequence": times, "exchange_timestamp": times}
    plain["fast"] = np.zeros(len(times), dtype=bool)
    table = pa.table({**plain, **columns})
    store.write("ETH", "orderbooks", table.select(SCHEMAS["orderbooks"].names))
    traded = times[::2] + 100
    store.write(
        "ETH",
        "trades",
        pa.table(
            {
                "timestamp": (traded + 20) / 1000,
                "price": np.full(len(traded), 100.0),
                "size": np.full(len(traded), 0.5),
                "side": ["sell"] * len(traded),
                "trade_id": [str(time) for time in traded],
                "exchange_timestamp": traded,
                "hash": ["0x0"] * len(traded),
                "snapshot": [False] * len(traded),
                "position": [0] * len(traded),
                "backfilled": [False] * len(traded),
            },
            schema=SCHEMAS["trades"],
        ),
    )


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    record(tmp_path, MIDNIGHT - 60_000, MIDNIGHT + 60_000)
    return tmp_path


def kept(data_dir: Path) -> dict[str, int]:
    days = data_dir / "ETH" / REPLAY_FOLDER
    return {day.name: (day / "meta.json").stat().st_mtime_ns for day in days.iterdir()}


def test_recording_is_converted_by_day_joined_and_replayed_across_midnight(recorded: Path) -> None:
    data = load_recording(recorded, "eth")
    assert len(data.parts) == len(DAYS)
    assert len(data.covered) == 1
    assert data.hours == pytest.approx(120 / 3600, rel=0.01)
    assert (data.tick, data.lot) == (0.1, 0.1)
    assert sorted(kept(recorded)) == list(DAYS)
    options = ReplayOptions(size=0.5)
    result = replay(data, fixed_depth(0.1, 0, 1), options, "front")
    assert result.time_ms[0] < MIDNIGHT
    both = fixed_depth(0.1, -200, 200)
    steady = replay(data, both, options, "front")
    assert np.all(np.diff(steady.time_ms) <= 4000)  # the order of before midnight still rests after
    assert steady.time_ms[-1] > MIDNIGHT + 50_000


def test_only_days_whose_shards_changed_are_converted_again(recorded: Path) -> None:
    later = MIDNIGHT + 10 * 3_600_000
    record(recorded, later, later + 30_000)
    load_recording(recorded, "ETH")
    before = kept(recorded)
    rows = load_recording(recorded, "ETH").rows
    assert kept(recorded) == before
    record(recorded, later + 3_600_000, later + 3_630_000)
    grown = load_recording(recorded, "ETH")
    after = kept(recorded)
    assert grown.rows > rows
    assert len(grown.covered) == 3
    assert after[DAYS[0]] == before[DAYS[0]]
    assert after[DAYS[1]] != before[DAYS[1]]


@pytest.mark.parametrize("file", ["events.npy", "touch.npy", "meta.json"])
def test_damaged_day_is_converted_again(
    recorded: Path, file: str, caplog: pytest.LogCaptureFixture
) -> None:
    sound = load_recording(recorded, "ETH")
    path = recorded / "ETH" / REPLAY_FOLDER / DAYS[0] / file
    content = bytearray(path.read_bytes())
    content[-20:-10] = b"\xff" * 10
    path.unlink()
    path.write_bytes(content)
    with caplog.at_level(logging.WARNING):
        again = load_recording(recorded, "ETH")
    assert "damaged" in caplog.text
    assert np.array_equal(np.asarray(again.parts[0].events), np.asarray(sound.parts[0].events))
    assert json.loads((path.parent / "meta.json").read_text())["tick"] == 0.1


def test_cache_that_cannot_be_written_is_done_without(
    recorded: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError("read-only file system")

    monkeypatch.setattr(events.np, "save", refuse)
    with caplog.at_level(logging.WARNING):
        data = load_recording(recorded, "ETH")
    assert data.rows
    assert "cannot be kept" in caplog.text
    assert not list((recorded / "ETH" / REPLAY_FOLDER).glob("*"))


def test_store_and_its_readers_take_no_notice_of_the_converted_days(recorded: Path) -> None:
    load_recording(recorded, "ETH")
    store = ShardStore(recorded)
    assert store.coins() == ["ETH"]
    assert len(store.read("ETH").quotes) > 0


def test_time_that_was_not_recorded_is_refused_with_what_there_is(recorded: Path) -> None:
    with pytest.raises(InputError, match="2023-11-14 23:59:00Z to 2023-11-15 00:00:59Z"):
        load_recording(recorded, "ETH", since_ms=MIDNIGHT + 3_600_000)
    with pytest.raises(InputError, match="no recording"):
        load_recording(recorded, "BTC")


def test_part_of_a_recording_is_replayed_alone(recorded: Path) -> None:
    data = load_recording(recorded, "ETH", until_ms=MIDNIGHT - 10_000)
    assert len(data.parts) == 1
    options = replace(ReplayOptions(size=0.5), end_ms=MIDNIGHT - 10_000)
    result = replay(data, fixed_depth(0.1, -9, 9), options, "front")
    assert result.time_ms[-1] <= MIDNIGHT - 10_000
