"""Notes on order books: equal to what a reader finds in the file, empty if it would fail."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from advanced_mm.marketdata.book_notes import book_note, shard_of_note
from advanced_mm.marketdata.schemas import SCHEMAS, shard_metadata
from advanced_mm.marketdata.shards import shard_of


def books(times: list[int | None], tick: float | None) -> pa.Table:
    columns = {field.name: pa.nulls(len(times), field.type) for field in SCHEMAS["orderbooks"]}
    columns["exchange_timestamp"] = pa.array(times, pa.int64())
    schema = SCHEMAS["orderbooks"].with_metadata(shard_metadata("ETH", tick))
    return pa.table(columns, schema=schema)


@given(
    st.lists(st.integers(0, 10**8), min_size=1, max_size=20),
    st.none() | st.floats(0, exclude_min=True, allow_infinity=False),
)
def test_a_note_holds_what_the_file_does(times: list[int], tick: float | None) -> None:
    table = books(times, tick)
    read, told = shard_of(table, "orderbooks"), shard_of_note(book_note(table))
    assert told is not None
    np.testing.assert_array_equal(told.columns["time_ms"], read.columns["time_ms"])
    assert told.columns.keys() == read.columns.keys()
    assert (told.newest_ms, told.tick, told.step) == (read.newest_ms, read.tick, read.step)


@pytest.mark.parametrize("table", [books([], 0.1), books([5, None], 0.1), books([5], -0.1)])
def test_nothing_is_noted_of_a_file_that_will_be_refused(table: pa.Table) -> None:
    assert book_note(table) == ""


@pytest.mark.parametrize("cut", range(1, 30))
def test_a_torn_note_tells_nothing(cut: int) -> None:
    note = book_note(books([5, 1_790_000_000_000], 0.1))
    assert shard_of_note(note[:-cut] + "trades_7.parquet") is None
    assert shard_of_note(note[:-cut]) is None


@pytest.mark.parametrize("note", ["7", "null", "[]", '{"tick":0.1}', '{"tick":"x","time_ms":[1]}'])
def test_other_json_is_no_note(note: str) -> None:
    assert shard_of_note(note) is None
