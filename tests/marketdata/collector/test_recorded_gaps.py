"""What a recorder lists as missing, what it asks for, and the contexts it records.

- a lost connection is a gap of each channel, of trades only as far as the venue does not tell them
  again; what is asked for afterwards shortens it;
- damaged messages, silent channels and the time between two runs are gaps too;
- recordings of version 1 have neither gaps nor contexts and are read all the same.
"""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from advanced_mm.errors import InputError
from advanced_mm.marketdata import ConnectionEvent, Gap, ShardStore
from advanced_mm.marketdata.collector.recorder import Recorder, TradesGap
from advanced_mm.marketdata.compaction import compact_coin
from advanced_mm.marketdata.feed.wire import decode
from advanced_mm.marketdata.schemas import SCHEMAS


def tables(store: ShardStore, kind: str) -> list[dict[str, Any]]:
    files = sorted((store.data_dir / "ETH" / kind).iterdir())
    return [row for file in files for row in pq.ParquetFile(file).read().to_pylist()]


class TestGaps:
    """The connection log lists, channel by channel, what may be missing."""

    @staticmethod
    def subscribe(recorder: Recorder, wire: SimpleNamespace, ms: int, *replay: Any) -> None:
        recorder.connected(ms / 1000)
        recorder.handle(wire.trades(*(replay or [(ms - 50, ms)])), ms / 1000)
        recorder.handle(wire.book(ms), ms / 1000)
        recorder.handle(wire.book(ms, 20), ms / 1000)
        recorder.handle(wire.bbo(ms - 20), ms / 1000)

    @staticmethod
    def push(recorder: Recorder, wire: SimpleNamespace, ms: int) -> None:
        recorder.handle(wire.trades((ms, ms)), ms / 1000)
        recorder.handle(wire.bbo(ms), ms / 1000)
        recorder.handle(wire.book(ms), ms / 1000)

    def recorded(self, store: ShardStore, wire: SimpleNamespace) -> Recorder:
        recorder = Recorder(store, ["ETH", "BTC"], None)
        self.subscribe(recorder, wire, 10_000)
        self.push(recorder, wire, 11_000)
        recorder.handle(wire.bbo(11_000, coin="BTC"), 11.0)
        return recorder

    def test_a_lost_connection_whose_replay_reaches_back_loses_no_trade(
        self, store: ShardStore, wire: SimpleNamespace
    ) -> None:
        recorder = self.recorded(store, wire)
        recorder.disconnected(11.0, "broken")
        self.subscribe(recorder, wire, 14_000, (11_000, 11_000), (12_500, 12_500))
        self.push(recorder, wire, 14_500)
        recorder.flush()
        assert store.gaps("ETH") == (
            Gap("bbo", 11_000, 14_500, "broken"),
            Gap("l2Book", 11_000, 14_500, "broken"),
        )
        assert store.gaps("ETH", 14_501) == ()
        assert recorder.trades_to_fill() == []
        assert store.read("ETH").trades.trade_id.tolist() == [10_000, 11_000, 12_500, 14_500]

    def test_trades_that_the_replay_lacks_are_asked_for_and_recorded_once(
        self, store: ShardStore, wire: SimpleNamespace
    ) -> None:
        recorder = self.recorded(store, wire)
        recorder.disconnected(11.0, "broken")
        self.subscribe(recorder, wire, 14_000, (13_500, 13_500))
        self.push(recorder, wire, 14_500)
        (gap,) = recorder.trades_to_fill()
        assert gap == TradesGap("ETH", 11_000, 14_500)
        told = [(ms, ms) for ms in (15_000, 14_500, 13_500, 12_800, 12_300)]
        assert recorder.fill(gap, decode(wire.trades(*told)), 15.1) == 2
        recorder.flush()
        assert [gap for gap in store.gaps("ETH") if gap.channel == "trades"] == [
            Gap("trades", 11_000, 12_300, "broken")  # at 12 300 there may have been more
        ]
        rows = {row["trade_id"]: row for row in tables(store, "trades")}
        assert sorted(rows, key=int) == ["10000", "11000", "12300", "12800", "13500", "14500"]
        assert [tid for tid, row in rows.items() if row["backfilled"]] == ["12300", "12800"]
        assert [tid for tid, row in rows.items() if row["snapshot"]] == ["10000", "13500"]

    @pytest.mark.parametrize("told", [[(11_000, 11_000), (12_300, 12_300)], [(9_000, 9_000)]])
    def test_recent_trades_that_reach_back_close_the_gap(
        self, store: ShardStore, wire: SimpleNamespace, told: list[tuple[int, int]]
    ) -> None:
        recorder = self.recorded(store, wire)
        recorder.disconnected(11.0, "broken")
        self.subscribe(recorder, wire, 14_000, (13_500, 13_500))
        self.push(recorder, wire, 14_500)
        (gap,) = recorder.trades_to_fill()
        recorder.fill(gap, decode(wire.trades(*told)), 15.1, without_break=False)
        recorder.flush()
        assert "trades" in {gap.channel for gap in store.gaps("ETH")}  # one of them was unsound
        recorder.fill(gap, decode(wire.trades(*told)), 15.1)
        recorder.flush()
        assert "trades" not in {gap.channel for gap in store.gaps("ETH")}

    def test_a_damaged_message_leaves_a_gap_of_its_coin(
        self, store: ShardStore, wire: SimpleNamespace
    ) -> None:
        recorder = self.recorded(store, wire)
        recorder.damaged({"ETH", "DOGE"}, "half a frame")
        self.push(recorder, wire, 11_500)
        recorder.handle(wire.bbo(11_500, coin="BTC"), 11.5)
        recorder.flush()
        assert {(gap.channel, gap.start_ms, gap.end_ms) for gap in store.gaps("ETH")} == {
            (channel, 11_000, 11_500) for channel in ("bbo", "trades", "l2Book")
        }
        assert store.gaps("BTC") == ()

    def test_a_damaged_replay_does_not_close_the_gap(
        self, store: ShardStore, wire: SimpleNamespace
    ) -> None:
        recorder = self.recorded(store, wire)
        recorder.disconnected(11.0, "broken")
        recorder.connected(14.0)
        recorder.damaged({"ETH"}, "a print was unsound")
        recorder.handle(wire.trades((11_000, 11_000), (12_500, 12_500)), 14.0)
        recorder.handle(wire.bbo(13_900), 14.0)
        self.push(recorder, wire, 14_500)
        assert recorder.trades_to_fill() == [TradesGap("ETH", 11_000, 14_500)]

    def test_a_recorder_that_is_ended_in_doubt_lists_the_gap_so_far(
        self, store: ShardStore, wire: SimpleNamespace
    ) -> None:
        recorder = self.recorded(store, wire)
        recorder.disconnected(11.0, "broken")
        self.subscribe(recorder, wire, 14_000, (13_500, 13_500))
        recorder.disconnected(14.0, "stopped")
        recorder.flush()
        assert {(gap.channel, gap.start_ms, gap.end_ms) for gap in store.gaps("ETH")} == {
            (channel, 11_000, 14_000) for channel in ("bbo", "trades", "l2Book")
        }

    def test_a_recorder_started_again_knows_what_it_has(
        self, store: ShardStore, wire: SimpleNamespace
    ) -> None:
        self.recorded(store, wire).flush()
        recorder = Recorder(store, ["ETH"], None)
        recorder.resume("ETH", store.newest_by_kind("ETH"), store.last_trades("ETH", 100))
        self.subscribe(recorder, wire, 14_000, (11_000, 11_000), (12_500, 12_500))
        self.push(recorder, wire, 14_500)
        recorder.flush()
        assert [row["trade_id"] for row in tables(store, "trades")] == [
            "10000", "11000", "12500", "14500",
        ]  # fmt: skip
        assert {gap.channel for gap in store.gaps("ETH")} == {"bbo", "l2Book"}

    def test_a_silent_channel_leaves_a_gap_of_its_own(
        self, store: ShardStore, wire: SimpleNamespace
    ) -> None:
        recorder = Recorder(store, ["ETH"], None)
        recorder.connected(1000.0)
        wire.speak(recorder, 1000, 60)
        recorder.handle(wire.trades((1_080_900, 1_080_900)), 1081.2)
        recorder.flush()
        (gap,) = store.gaps("ETH")
        assert (gap.channel, gap.start_ms, gap.end_ms) == ("trades", 1_059_600, 1_080_900)


class TestContexts:
    def test_figures_are_recorded_and_read_by_time_and_column(
        self, store: ShardStore, wire: SimpleNamespace
    ) -> None:
        recorder = Recorder(store, ["ETH", "@107"], None)
        for second, funding in enumerate(("0.0001", "0.0002", "-0.0003")):
            ctx = {"funding": funding, "openInterest": "5.5", "oraclePx": "100", "markPx": "101"}
            message = {"channel": "activeAssetCtx", "data": {"coin": "ETH", "ctx": ctx}}
            recorder.handle(message, 10.0 + second)
            recorder.handle(wire.bbo(1000 * (second + 1)), 10.0 + second)
        spot = {"coin": "@107", "ctx": {"markPx": "2.0", "midPx": None, "dayNtlVlm": "7"}}
        recorder.handle({"channel": "activeSpotAssetCtx", "data": spot}, 10.0)
        recorder.flush()
        found = store.contexts("ETH")
        assert found.funding is not None and found.oracle_price is not None
        assert found.funding.tolist() == [0.0001, 0.0002, -0.0003]
        assert found.oracle_price.tolist() == [100.0] * 3
        assert found.local_s.tolist() == [10.0, 11.0, 12.0]
        assert found.time_ms.tolist() == [10_000, 1000, 2000]  # first of all: the local time
        assert found.premium is not None and np.isnan(found.premium).all()
        part = store.contexts("ETH", 1000, 1500, columns=["funding"])
        assert (part.funding.tolist(), part.mark_price) == ([0.0002], None)  # type: ignore[union-attr]
        assert store.contexts("@107").day_volume_quote.tolist() == [7.0]  # type: ignore[union-attr]
        with pytest.raises(InputError, match="no figure 'fundin'"):
            store.contexts("ETH", columns=["fundin"])

    def test_small_files_of_contexts_are_merged(
        self, store: ShardStore, wire: SimpleNamespace
    ) -> None:
        recorder = Recorder(store, ["ETH"], None)
        for second in range(1, 4):
            ctx = {"markPx": str(100 + second), "funding": "0.0001"}
            recorder.handle(wire.bbo(1000 * second), second)
            message = {"channel": "activeAssetCtx", "data": {"coin": "ETH", "ctx": ctx}}
            recorder.handle(message, second)
            recorder.flush()
        before = store.contexts("ETH")
        compact_coin(store.data_dir / "ETH", 10_000)
        assert len(list(store.data_dir.glob("ETH/contexts/*.parquet"))) == 1
        after = store.contexts("ETH")
        for name, column in vars(before).items():
            np.testing.assert_array_equal(column, getattr(after, name))

    def test_a_recording_of_version_1_has_none_and_its_log_and_trades_are_read(
        self, store: ShardStore
    ) -> None:
        def old(kind: str, names: list[str], **columns: list[Any]) -> None:
            schema = pa.schema([SCHEMAS[kind].field(name) for name in names])
            schema = schema.with_metadata({"coin": "ETH", "schema_version": "1"})
            folder = store.data_dir / "ETH" / kind
            folder.mkdir(parents=True)
            pq.write_table(pa.table(columns, schema=schema), folder / f"{kind}_1000.parquet")

        names = ["timestamp", "price", "size", "side", "trade_id", "exchange_timestamp"]
        old(
            "trades", names, timestamp=[1.0], price=[5.0], size=[1.0], side=["buy"],
            trade_id=["7"], exchange_timestamp=[1000],
        )  # fmt: skip
        old(
            "connections", ["timestamp", "event", "detail", "exchange_timestamp"],
            timestamp=[1.0], event=["gap"], detail=["no data for 4.0 s"], exchange_timestamp=[990],
        )  # fmt: skip
        assert store.read("ETH").trades.trade_id.tolist() == [7]
        assert store.connections("ETH") == [ConnectionEvent(1.0, "gap", "no data for 4.0 s", 990)]
        assert store.gaps("ETH") == ()  # that version does not say until when
        assert len(store.contexts("ETH")) == 0
        assert store.last_trades("ETH", 10) == {7: 1000}
        assert store.newest_by_kind("ETH") == {"trades": 1000}
