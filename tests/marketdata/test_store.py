"""The shard store.

Behaviours: recordings of earlier tools are read as they are; windows; replayed trades; what cannot
be read is skipped, named, never deleted; a write is whole or not at all; the journal names new
shards, and where it cannot, readers list.
"""

import fcntl
import logging
import os
import stat
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from advanced_mm.errors import InputError
from advanced_mm.marketdata import ShardStore
from advanced_mm.marketdata import tail as tail_module
from advanced_mm.marketdata.collector.recorder import Recorder
from advanced_mm.marketdata.compaction import compact_coin
from advanced_mm.marketdata.schemas import SCHEMAS
from advanced_mm.marketdata.shards import transaction_codes


def record(store: ShardStore, *messages: dict[str, Any], received_s: float = 1.0) -> None:
    recorder = Recorder(store, ["ETH"], None)
    for message in messages:
        recorder.handle(message, received_s)
    recorder.flush()


def put(folder: Path, name: str, **columns: list[Any]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), folder / name)
    return folder / name


OLD_TRADE: dict[str, list[Any]] = {
    "timestamp": [1.0],
    "price": [100.0],
    "size": [1.0],
    "side": ["buy"],
    "trade_id": ["7"],
    "exchange_timestamp": [1000],
}


@pytest.mark.recorded
class TestRecordings:
    def test_eth_has_the_rows_that_its_readme_counts(self, recordings: Path) -> None:
        eth = ShardStore(recordings).read("ETH")
        assert (len(eth.quotes), len(eth.trades), len(eth.book_time_ms)) == (9967, 6385, 2081)
        assert eth.tick == 0.1
        assert eth.skipped_files == ()
        assert not eth.trades.transaction.any()

    def test_wlfi_replays_are_dropped(self, recordings: Path) -> None:
        wlfi = ShardStore(recordings).read("WLFI")
        files = sorted((recordings / "WLFI/trades").iterdir())
        rows = pa.concat_tables([pq.read_table(file, columns=["trade_id"]) for file in files])
        assert rows.num_rows == 183
        assert len(wlfi.trades) == len(set(rows["trade_id"].to_pylist())) < 183
        assert (len(wlfi.quotes), len(wlfi.book_time_ms), wlfi.tick) == (796, 446, 1e-5)

    def test_times_ascend_and_quotes_do_not_cross(self, recordings: Path) -> None:
        eth = ShardStore(recordings).read("ETH")
        for times in (eth.quotes.time_ms, eth.trades.time_ms, eth.book_time_ms):
            assert (np.diff(times) >= 0).all()
        assert (eth.quotes.bid < eth.quotes.ask).all()

    def test_a_window_is_the_cut_of_the_whole(self, recordings: Path) -> None:
        whole = ShardStore(recordings).read("ETH")
        start, end = whole.quotes.time_ms[2000], whole.quotes.time_ms[7000]
        part = ShardStore(recordings).read("ETH", int(start), int(end))
        for kind in ("quotes", "trades"):
            full, cut = getattr(whole, kind), getattr(part, kind)
            inside = (full.time_ms >= start) & (full.time_ms <= end)
            for name in full.__dataclass_fields__:
                np.testing.assert_array_equal(getattr(full, name)[inside], getattr(cut, name))
        assert part.tick == 0.1

    def test_newest_row(self, recordings: Path) -> None:
        store = ShardStore(recordings)
        assert store.newest_ms("ETH") == store.read("ETH").newest_ms
        assert store.coins() == ["ETH", "WLFI"]


class TestReading:
    def test_duplicate_keeps_the_earliest_receipt_wherever_it_lies(self, store: ShardStore) -> None:
        folder = store.data_dir / "ETH/trades"
        put(folder, "trades_2000.parquet", **{**OLD_TRADE, "timestamp": [5.0]})
        put(folder, "trades_3000.parquet", **{**OLD_TRADE, "timestamp": [2.0]})
        read = store.read("ETH").trades
        assert read.trade_id.tolist() == [7]
        assert read.local_s.tolist() == [2.0]

    def test_equal_times_keep_their_order_of_arrival(
        self, store: ShardStore, wire: SimpleNamespace
    ) -> None:
        record(store, *(wire.bbo(1000, bid=100 - i) for i in range(20)), wire.bbo(999, bid=50))
        assert store.read("ETH").quotes.bid.tolist() == [50, *range(100, 80, -1)]

    def test_empty_sides_are_nan_with_size_zero(
        self, store: ShardStore, wire: SimpleNamespace
    ) -> None:
        record(
            store,
            wire.bbo(1000, bid=None),
            wire.bbo(1000, ask=None),
            wire.bbo(1001, bid=None, ask=None),
        )
        quotes = store.read("ETH").quotes
        np.testing.assert_array_equal(quotes.bid, [np.nan, 100.0, np.nan])
        np.testing.assert_array_equal(quotes.ask, [100.1, np.nan, np.nan])
        np.testing.assert_array_equal(quotes.bid_size, [0.0, 1.5, 0.0])

    def test_lone_rows_of_old_recordings_are_one_sided_updates(self, store: ShardStore) -> None:
        put(
            store.data_dir / "ETH/prices",
            "prices_5000.parquet",
            timestamp=[1.0, 1.1, 1.1, 1.2, 1.3],
            price=[101.0, 100.0, 101.0, 99.0, 102.0],
            size=[1.0] * 5,
            side=["ask", "bid", "ask", "bid", "ask"],
            exchange_timestamp=[1000, 1100, 1100, 1200, 1300],
        )
        quotes = store.read("ETH").quotes
        np.testing.assert_array_equal(quotes.bid, [np.nan, 100, 99, np.nan])
        np.testing.assert_array_equal(quotes.ask, [101, 101, np.nan, 102])

    def test_tick_of_the_newest_metadata_wins(
        self, store: ShardStore, wire: SimpleNamespace
    ) -> None:
        recorder = Recorder(store, ["ETH"], {"ETH": 0.1})
        recorder.handle(wire.bbo(1000), 1.0)
        recorder.flush()
        recorder.set_tick("ETH", 1.0)
        recorder.handle(wire.bbo(2000), 2.0)
        recorder.flush()
        assert store.read("ETH").tick == 1.0
        assert store.read("ETH", end_ms=1500).quotes.time_ms.tolist() == [1000]

    def test_tick_without_metadata_is_the_common_step(
        self, store: ShardStore, wire: SimpleNamespace
    ) -> None:
        record(store, wire.bbo(1, 0.22855, 0.22870), wire.trades((1, 1), price=0.22890))
        assert store.read("ETH").tick == 5e-5

    def test_replayed_trades_are_found_in_shards_named_long_after(
        self, store: ShardStore, wire: SimpleNamespace
    ) -> None:
        now = 1_765_401_000_000
        record(store, wire.trades((now - 1_800_000, 1), (now, 2)))
        read = store.read("ETH", now - 2_000_000, now - 1_000_000)
        assert read.trades.trade_id.tolist() == [1]

    def test_without_rows_in_the_window_the_recording_is_empty(
        self, store: ShardStore, wire: SimpleNamespace
    ) -> None:
        record(store, wire.bbo(1000))
        empty = store.read("ETH", start_ms=10_000_000)
        assert (len(empty.quotes), len(empty.trades), empty.newest_ms) == (0, 0, None)
        assert np.isnan(empty.tick)
        assert empty.trades.trade_id.dtype == np.int64


class TestBadInput:
    def test_missing_data_dir(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match=r"nowhere.*--data-dir"):
            ShardStore(tmp_path / "nowhere").read("ETH")

    def test_missing_coin_names_those_there(self, store: ShardStore, wire: SimpleNamespace) -> None:
        record(store, wire.bbo(1000))
        with pytest.raises(InputError, match=r"'BTC' has no recording.*recorded: ETH"):
            store.newest_ms("BTC")

    @pytest.mark.parametrize("coin", ["../ETH", "", ".", "A/B", "E TH"])
    def test_a_coin_cannot_name_another_folder(self, store: ShardStore, coin: str) -> None:
        with pytest.raises(InputError, match="not a coin's name"):
            store.read(coin)

    @pytest.mark.parametrize(
        ("columns", "complaint"),
        [
            ({**OLD_TRADE, "side": ["up"]}, "column 'side' has 'up'"),
            ({**OLD_TRADE, "side": [None]}, "column 'side' has type null"),
            ({**OLD_TRADE, "trade_id": ["x7"]}, "column 'trade_id'"),
            ({**OLD_TRADE, "price": ["dear"]}, "column 'price' has type string"),
            ({**OLD_TRADE, "exchange_timestamp": [1.5]}, "column 'exchange_timestamp'"),
            ({k: v for k, v in OLD_TRADE.items() if k != "price"}, "column 'price' is missing"),
            ({k: [] for k in OLD_TRADE}, "column"),
        ],
    )
    def test_wrong_column_is_named_once_and_the_file_kept(
        self,
        store: ShardStore,
        wire: SimpleNamespace,
        caplog: pytest.LogCaptureFixture,
        columns: dict[str, list[Any]],
        complaint: str,
    ) -> None:
        record(store, wire.bbo(1000), wire.trades((1000, 1)))
        bad = put(store.data_dir / "ETH/trades", "trades_1500.parquet", **columns)
        with caplog.at_level(logging.WARNING):
            first, second = store.read("ETH"), store.read("ETH")
        assert first.skipped_files == second.skipped_files == (str(bad),)
        assert first.trades.trade_id.tolist() == [1]
        assert [complaint in r.message and str(bad) in r.message for r in caplog.records] == [True]
        assert bad.exists()

    def test_empty_truncated_and_rowless_shards_are_skipped(
        self, store: ShardStore, wire: SimpleNamespace
    ) -> None:
        record(store, wire.bbo(1000))
        folder = store.data_dir / "ETH/prices"
        whole = next(folder.iterdir()).read_bytes()
        (folder / "prices_1001.parquet").write_bytes(b"")
        (folder / "prices_1002.parquet").write_bytes(whole[:-20])
        pq.write_table(SCHEMAS["prices"].empty_table(), folder / "prices_1003.parquet")
        read = store.read("ETH")
        assert [Path(file).name for file in read.skipped_files] == [
            f"prices_{ms}.parquet" for ms in (1001, 1002, 1003)
        ]
        assert len(read.quotes) == 1

    def test_a_mended_shard_is_read_again(self, store: ShardStore, wire: SimpleNamespace) -> None:
        record(store, wire.bbo(1000))
        (shard,) = (store.data_dir / "ETH/prices").iterdir()
        whole = shard.read_bytes()
        shard.write_bytes(b"")
        assert len(store.read("ETH").quotes) == 0
        shard.write_bytes(whole)
        assert len(store.read("ETH").quotes) == 1

    def test_other_files_are_none_of_our_business(
        self, store: ShardStore, wire: SimpleNamespace
    ) -> None:
        record(store, wire.bbo(1000))
        folder = store.data_dir / "ETH/prices"
        for name in (
            ".prices_1.parquet.99.tmp",
            "notes.txt",
            "prices_x.parquet",
            "trades_1.parquet",
        ):
            (folder / name).write_text("?")
        assert store.read("ETH").skipped_files == ()

    def test_metadata_with_an_impossible_tick(self, store: ShardStore) -> None:
        table = pa.table(OLD_TRADE).replace_schema_metadata({"tick": "-1"})
        folder = store.data_dir / "ETH/trades"
        folder.mkdir(parents=True)
        pq.write_table(table, folder / "trades_1.parquet")
        assert len(store.read("ETH").skipped_files) == 1


class TestNames:
    """The venue's ``xyz:XYZ100`` in a folder without the colon; recordings of before have it."""

    COIN = "xyz:XYZ100"

    def recorded(self, store: ShardStore, wire: SimpleNamespace, *times_ms: int) -> None:
        recorder = Recorder(store, [self.COIN], None)
        recorder.connected(1.0)
        for time_ms in times_ms:
            recorder.handle(wire.bbo(time_ms, coin=self.COIN), time_ms / 1000)
        recorder.flush()

    def test_a_recording_of_before_is_read_listed_and_gone_on_with(
        self, store: ShardStore, wire: SimpleNamespace
    ) -> None:
        self.recorded(store, wire, 1000, 2000)
        (store.data_dir / "xyz-XYZ100").rename(store.data_dir / self.COIN)
        later = ShardStore(store.data_dir)
        assert later.coins() == [self.COIN]
        assert later.resolve("XYZ-XYZ100/USDC:USDC") == self.COIN
        assert later.folder(self.COIN).name == self.COIN
        assert later.read(self.COIN).quotes.time_ms.tolist() == [1000, 2000]
        assert later.newest_ms(self.COIN) == 2000
        assert len(later.connections(self.COIN)) == 1
        assert later.tail(self.COIN).newer() is not None
        later.prepare(self.COIN)
        self.recorded(later, wire, 3000)
        assert [path.name for path in store.data_dir.iterdir()] == ["xyz-XYZ100"]
        assert later.coins() == [self.COIN]
        assert later.read(self.COIN).quotes.time_ms.tolist() == [1000, 2000, 3000]

    def test_two_folders_of_one_coin_are_no_silent_half(
        self, store: ShardStore, wire: SimpleNamespace
    ) -> None:
        self.recorded(store, wire, 1000)
        (store.data_dir / self.COIN).mkdir()
        with pytest.raises(InputError, match="move the files"):
            store.read(self.COIN)
        with pytest.raises(InputError, match="move the files"):
            self.recorded(store, wire, 2000)

    def test_either_spelling_finds_a_recorded_coin_and_a_wrong_one_gets_the_right_one(
        self, store: ShardStore
    ) -> None:
        for coin in ("kPEPE", "kBONK", self.COIN, "ETH"):
            store.prepare(coin)
        for name in ("kPEPE", "KPEPE", "KPEPE/USDC:USDC", "kpepe"):
            assert store.resolve(name) == "kPEPE"
        with pytest.raises(InputError, match=r"'PEPE' has no recording.*did you mean kPEPE"):
            store.resolve("PEPE")
        with pytest.raises(InputError, match=r"did you mean xyz:XYZ100"):
            store.read("XYZ100")
        store.prepare("KPEPE")
        with pytest.raises(InputError, match="KPEPE and kPEPE"):
            store.resolve("kpepe")


class TestWriting:
    def test_name_is_the_newest_exchange_time_and_never_taken_twice(
        self, store: ShardStore, wire: SimpleNamespace
    ) -> None:
        record(store, wire.bbo(3000), wire.bbo(2000))
        record(store, wire.bbo(3000))
        record(ShardStore(store.data_dir), wire.bbo(3000))
        names = sorted(file.name for file in (store.data_dir / "ETH/prices").iterdir())
        assert names == [f"prices_{ms}.parquet" for ms in (3000, 3001, 3002)]
        assert len(store.read("ETH").quotes) == 4

    def test_failing_rename_leaves_nothing_and_keeps_the_rows(
        self, store: ShardStore, wire: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        recorder = Recorder(store, ["ETH"], None)
        recorder.handle(wire.bbo(1000), 1.0)

        def refuse(*_: object) -> None:
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr("os.replace", refuse)
            with pytest.raises(InputError, match=r"No space left.*--data-dir"):
                recorder.flush()
        assert list((store.data_dir / "ETH/prices").iterdir()) == []
        recorder.flush()
        assert len(store.read("ETH").quotes) == 1

    def test_a_file_in_the_way_of_the_folder(self, tmp_path: Path, wire: SimpleNamespace) -> None:
        (tmp_path / "data").write_text("")
        store = ShardStore(tmp_path / "data")
        with pytest.raises(InputError, match="cannot write"):
            record(store, wire.bbo(1000))
        with pytest.raises(InputError, match="cannot write"):
            store.prepare("ETH")

    def test_table_of_another_shape_is_refused(self, store: ShardStore) -> None:
        with pytest.raises(InputError, match="schema"):
            store.write("ETH", "trades", pa.table(OLD_TRADE))
        with pytest.raises(InputError, match="rows"):
            store.write("ETH", "trades", SCHEMAS["trades"].empty_table())

    def test_leftovers_of_the_dead_are_cleared_and_of_the_living_kept(
        self, store: ShardStore
    ) -> None:
        folder = store.data_dir / "ETH/prices"
        folder.mkdir(parents=True)
        alive = folder / f".prices_1.parquet.{os.getppid()}.tmp"
        dead = folder / ".prices_2.parquet.4194999.tmp"  # above the largest pid
        for path in (alive, dead):
            path.touch()
        store.prepare("ETH")
        assert list(folder.iterdir()) == [alive]

    def test_without_locks_nothing_is_recorded_and_the_reason_is_told(
        self, store: ShardStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A network file system may lock files but no folders: then only merging is missing."""
        folders_only = True

        def refuse(handle: int, _: int) -> None:
            if not folders_only or stat.S_ISDIR(os.fstat(handle).st_mode):
                raise OSError(9, "Bad file descriptor")

        monkeypatch.setattr(fcntl, "flock", refuse)
        with store.recording("ETH"), pytest.raises(InputError, match="neither merged nor deleted"):
            compact_coin(store.data_dir / "ETH", 0)
        folders_only = False
        with (
            pytest.raises(InputError, match=r"recorder.lock' cannot be locked \(Bad file"),
            store.recording("ETH"),
        ):
            pass


class TestFollowing:
    """`RollingWindow`'s tests hold the tail against full reads; here is the journal it reads."""

    def test_new_shards_are_told_without_listing_the_folders(
        self, store: ShardStore, wire: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        record(store, wire.bbo(1_000_000))
        tail = ShardStore(store.data_dir).tail("ETH")
        (first,) = tail.start(0)
        assert [named.name_ms for named in first.every] == [1_000_000]
        monkeypatch.setattr(tail_module, "shard_files", None)
        for ms in (2_000_000, 5_000_000):  # the second in another file of the journal
            record(store, wire.bbo(ms), wire.trades((ms, ms)))
            newer = tail.newer()
            assert newer is not None
            assert [named.name_ms for named in newer.every] == [ms, ms]
        assert tail.newer().every == []

    def test_journal_keeps_the_last_hours_only(
        self, store: ShardStore, wire: SimpleNamespace
    ) -> None:
        for hour in range(10):
            record(store, wire.bbo(hour * 3_600_000))
        kept = sorted(path.name for path in (store.data_dir / "ETH/journal").iterdir())
        assert kept == ["7.txt", "8.txt", "9.txt"]

    def test_a_journal_that_lost_its_place_makes_the_reader_list(
        self, store: ShardStore, wire: SimpleNamespace
    ) -> None:
        record(store, wire.bbo(1_000_000))
        tail = store.tail("ETH")
        list(tail.start(0))
        for damage in (
            lambda file: file.write_text(""),
            lambda file: file.unlink(),
            lambda file: file.write_text(f"{file.read_text()}prices_17"),
            lambda file: file.write_text(f'{file.read_text()}orderbooks_5.parquet {{"tick":nul'),
            lambda file: store.prepare("ETH"),
        ):
            record(store, wire.bbo(2_000_000))
            damage(store.data_dir / "ETH/journal/0.txt")
            newer = tail.newer()
            assert newer is not None
            assert len(newer.every) == 1

    def test_journal_that_cannot_be_written_loses_no_shard(
        self,
        store: ShardStore,
        wire: SimpleNamespace,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        record(store, wire.bbo(1_000_000))
        tail = store.tail("ETH")
        list(tail.start(0))
        journal = store.data_dir / "ETH/journal"
        journal.rename(store.data_dir / "aside")
        journal.write_text("in the way")
        record(store, wire.bbo(2_000_000))
        record(store, wire.bbo(3_000_000))
        assert [str(journal) in record.message for record in caplog.records] == [True]
        journal.unlink()
        (store.data_dir / "aside").rename(journal)
        record(store, wire.bbo(4_000_000))
        newer = tail.newer()
        assert newer is not None
        assert [n.name_ms for n in newer.every] == [2_000_000, 3_000_000, 4_000_000]


class TestTransactionCodes:
    def test_equal_hashes_have_equal_codes_in_any_company(self) -> None:
        first, second = f"0x{1:064x}", f"0x{2:064x}"
        codes = transaction_codes(pa.chunked_array([[first, second, first]]))
        assert codes[0] == codes[2] != codes[1]
        alone = transaction_codes(pa.chunked_array([[first, "0x" + "f" * 90]]))
        assert alone[0] == codes[0]

    def test_codes_are_the_same_on_every_machine(self) -> None:
        """Pinned to a twin in Python's own integers, so to no array order and no hash seed."""

        def mix(x: int) -> int:
            x = (x + 0x9E3779B97F4A7C15) % 2**64
            x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
            x = (x ^ (x >> 27)) * 0x94D049BB133111EB % 2**64
            return x ^ (x >> 31)

        text = f"0x{1:064x}"
        mixed = mix(sum(byte * (mix(i) | 1) for i, byte in enumerate(text.encode())) % 2**64)
        assert transaction_codes(pa.chunked_array([[text]])).tolist() == [mixed - 2**64]

    def test_unknown_hashes_are_zero(self) -> None:
        hashes = pa.chunked_array([[None, "", "0x", f"0x{0:064x}", "0x10"]])
        assert (transaction_codes(hashes) == 0).tolist() == [True, True, True, True, False]

    def test_hashes_that_differ_in_one_digit_do_not_collide(self) -> None:
        hashes = [f"0x{16**digit * value:064x}" for digit in range(64) for value in range(1, 16)]
        codes = transaction_codes(pa.chunked_array([hashes]))
        assert len(np.unique(codes)) == len(hashes)
