"""Shards parsed together give the same as each parsed alone."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advanced_mm.errors import InputError
from advanced_mm.marketdata.schemas import SCHEMAS, shard_metadata
from advanced_mm.marketdata.shards import Shard, read_shards, shard_of

# Few values, so that rows of two files often look like the sides of one update.
quote_rows = st.lists(
    st.tuples(st.sampled_from([1.0, 2.0]), st.sampled_from(["bid", "ask"]), st.sampled_from([7, 8]))
)
trade_rows = st.lists(
    st.tuples(
        st.sampled_from([1.0, 2.0]), st.sampled_from(["buy", "sell"]), st.sampled_from([7, 8])
    )
)
ticks = st.sampled_from([0.1, 0.1, None, 1.0])


def table(kind: str, rows: list[tuple[float, str, int]], tick: float | None) -> pa.Table:
    n = len(rows)
    columns = {
        "timestamp": [local_s for local_s, _, _ in rows],
        "price": [100.0 + 0.5 * i for i in range(n)],
        "size": [1.0] * n,
        "side": [side for _, side, _ in rows],
        "trade_id": [str(i) for i in range(n)],
        "exchange_timestamp": [ms for _, _, ms in rows],
        "hash": [f"0x{i // 2:064x}" for i in range(n)],
        "snapshot": [False] * n,
        "position": list(range(n)),
        "backfilled": [False] * n,
    }
    schema = SCHEMAS[kind].with_metadata(shard_metadata("ETH", tick))
    return pa.table({name: columns[name] for name in schema.names}, schema=schema)


def written(folder: Path, tables: list[pa.Table | bytes]) -> list[str]:
    paths = [folder / f"{i}.parquet" for i in range(len(tables))]
    for path, content in zip(paths, tables, strict=True):
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            pq.write_table(content, path)
    return [str(path) for path in paths]


def assert_each_as_alone(paths: list[str], kind: str) -> list[Shard | InputError]:
    together = read_shards(paths, kind)
    for path, found in zip(paths, together, strict=True):
        (alone,) = read_shards([path], kind)
        if isinstance(alone, InputError):
            assert str(found) == str(alone)
            continue
        assert isinstance(found, Shard)
        assert (found.newest_ms, found.tick, found.step) == (
            alone.newest_ms,
            alone.tick,
            alone.step,
        )
        assert found.columns.keys() == alone.columns.keys()
        for name, column in alone.columns.items():
            np.testing.assert_array_equal(found.columns[name], column, err_msg=name)
    return together


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(quote_rows, ticks), min_size=1, max_size=5))
def test_quotes_of_many_files_are_those_of_each(tmp_path_factory, files) -> None:
    folder = tmp_path_factory.mktemp("quotes", numbered=True)
    paths = written(folder, [table("prices", rows, tick) for rows, tick in files])
    assert_each_as_alone(paths, "prices")


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(trade_rows, ticks), min_size=1, max_size=5))
def test_trades_of_many_files_are_those_of_each(tmp_path_factory, files) -> None:
    folder = tmp_path_factory.mktemp("trades", numbered=True)
    paths = written(folder, [table("trades", rows, tick) for rows, tick in files])
    assert_each_as_alone(paths, "trades")


def test_sides_of_two_files_are_no_update(tmp_path: Path) -> None:
    bid, ask = ([(1.0, side, 7)] for side in ("bid", "ask"))
    paths = written(tmp_path, [table("prices", rows, 0.1) for rows in (bid, ask)])
    for shard in read_shards(paths, "prices"):
        assert isinstance(shard, Shard)
        assert np.isnan([shard.columns["bid"], shard.columns["ask"]]).sum() == 1


updates = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(1, 30), st.integers(1, 30)),
    min_size=1,
    max_size=12,
    unique_by=lambda update: update[:2],
)


def quotes_table(rows: list[tuple[int, int, str, float]], tick: float | None = 0.1) -> pa.Table:
    """Rows of exchange time, local time, side and price."""
    schema = SCHEMAS["prices"].with_metadata(shard_metadata("ETH", tick))
    columns = {
        "timestamp": [float(local_s) for _, local_s, _, _ in rows],
        "price": [price for _, _, _, price in rows],
        "size": [price / 100 for _, _, _, price in rows],
        "side": [side for _, _, side, _ in rows],
        "exchange_timestamp": [ms for ms, _, _, _ in rows],
    }
    return pa.table({name: columns[name] for name in schema.names}, schema=schema)


@settings(deadline=None)
@given(updates, st.randoms(use_true_random=False))
def test_rows_copied_and_shuffled_are_the_same_quotes(made, random) -> None:
    """The two sides of an update are paired by their times, whatever lies between them."""
    rows = [
        row
        for ms, local_s, bid, width in sorted(made)
        for row in ((ms, local_s, "bid", 100.0 + bid), (ms, local_s, "ask", 100.0 + bid + width))
    ]
    (clean,) = _shards([quotes_table(rows)])
    assert np.isfinite([clean.columns["bid"], clean.columns["ask"]]).all()
    mixed = rows + random.choices(rows, k=random.randint(0, len(rows)))
    random.shuffle(mixed)
    (found,) = _shards([quotes_table(mixed)])
    assert quotes_of(found) == quotes_of(clean)


def quotes_of(shard: Shard) -> set[tuple[float, ...]]:
    return set(zip(*(column.tolist() for column in shard.columns.values()), strict=True))


def _shards(tables: list[pa.Table]) -> list[Shard]:
    return [shard_of(one, "prices") for one in tables]


@pytest.mark.parametrize("impossible", [1e12, 1e300, 3343.123456, -0.03, 0.0, float("nan")])
def test_one_impossible_price_does_not_set_the_step(impossible: float) -> None:
    """Not positive, nowhere near the others, or of more figures than a price of the venue has."""
    prices = [3343.1, 3343.6, 3342.9, 3343.4, impossible]
    rows = [(i, i, "bid", price) for i, price in enumerate(prices)]
    (shard,) = _shards([quotes_table(rows, tick=None)])
    assert shard.step == 10_000_000  # 0.1


def test_a_step_finer_than_the_venue_s_is_believed_where_it_is_the_rule() -> None:
    rows = [(i, i, "bid", 3343.0 + i * 0.005) for i in range(1, 10)]
    (shard,) = _shards([quotes_table(rows, tick=None)])
    assert shard.step == 500_000


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (b"PAR1", "not a readable Parquet file"),
        (table("prices", [], 0.1), "has no rows"),
        (table("prices", [(1.0, "both", 7)], 0.1), "expected 'bid' or 'ask'"),
        (table("prices", [(1.0, "bid", None)], 0.1), "empty values"),
        (table("prices", [(1.0, "bid", 7)], -1.0), "must be a positive number"),
        (table("prices", [(1.0, "bid", 7)], 0.1).drop_columns("size"), "'size' is missing"),
    ],
)
def test_a_bad_file_is_refused_alone(tmp_path: Path, bad: pa.Table | bytes, message: str) -> None:
    good = table("prices", [(1.0, "bid", 7), (1.0, "ask", 7)], 0.1)
    first, refused, last = assert_each_as_alone(written(tmp_path, [good, bad, good]), "prices")
    assert isinstance(refused, InputError)
    assert message in str(refused)
    assert isinstance(first, Shard)
    assert isinstance(last, Shard)
