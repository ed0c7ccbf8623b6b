"""Shards of one coin merged into one `Recording`."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from advanced_mm.marketdata.records import Float1D, Int1D, Quotes, Recording, Trades
from advanced_mm.marketdata.shards import PRICE_UNITS, Shard

__all__ = ["merge_shards"]

_Columns = dict[str, NDArray[Any]]


def merge_shards(
    coin: str,
    shards: Mapping[str, Sequence[Shard]],
    start_ms: int | None,
    end_ms: int | None,
    skipped_files: tuple[str, ...],
) -> Recording:
    """Join the shards of each kind, drop replayed trades and sort by exchange time.

    Parameters
    ----------
    coin : str
        The coin's name at the venue.
    shards : Mapping
        For each of ``orderbooks``, ``prices`` and ``trades`` its shards in order of arrival.
    start_ms, end_ms : int or None
        Rows outside [start_ms, end_ms] (exchange time, both ends included) are left out.
    skipped_files : tuple of str
        Passed on to the recording.

    Returns
    -------
    Recording
        Rows of equal exchange time keep their order of arrival.
    """
    books = _joined(shards["orderbooks"], ("time_ms",))
    quotes = _joined(shards["prices"], Quotes.__dataclass_fields__)
    trades = _joined(shards["trades"], Trades.__dataclass_fields__)
    trades = _taken(trades, _first_received(trades["trade_id"], trades["local_s"]))
    return Recording(
        coin=coin,
        quotes=Quotes(**_window(quotes, start_ms, end_ms)),
        trades=Trades(**_window(trades, start_ms, end_ms)),
        book_time_ms=_window(books, start_ms, end_ms)["time_ms"],
        tick=_tick(shards),
        skipped_files=skipped_files,
    )


def _joined(shards: Sequence[Shard], names: Sequence[str] | Mapping[str, Any]) -> _Columns:
    if not shards:
        whole_numbers = {"time_ms", "side", "trade_id", "transaction"}
        return {
            name: np.empty(0, np.int64 if name in whole_numbers else np.float64) for name in names
        }
    return {name: np.concatenate([shard.columns[name] for shard in shards]) for name in names}


def _first_received(trade_id: Int1D, local_s: Float1D) -> Int1D:
    """Return the positions, ascending, of each trade's earliest receipt."""
    by_receipt = np.argsort(local_s, kind="stable")
    _, first = np.unique(trade_id[by_receipt], return_index=True)
    return np.sort(by_receipt[first])


def _window(columns: _Columns, start_ms: int | None, end_ms: int | None) -> _Columns:
    """Sort stably by exchange time and cut to the window."""
    time_ms = columns["time_ms"]
    order = np.argsort(time_ms, kind="stable")
    low = 0 if start_ms is None else np.searchsorted(time_ms, start_ms, "left", sorter=order)
    high = None if end_ms is None else np.searchsorted(time_ms, end_ms, "right", sorter=order)
    return _taken(columns, order[low:high])


def _taken(columns: _Columns, positions: Int1D) -> _Columns:
    return {name: array[positions] for name, array in columns.items()}


def _tick(shards: Mapping[str, Sequence[Shard]]) -> float:
    """Return the newest tick in the metadata, else the prices' common step, NaN without prices.

    The newest, because the venue's step changes with the price level.
    """
    dated = [
        (shard.newest_ms, shard.tick)
        for group in shards.values()
        for shard in group
        if shard.tick is not None
    ]
    if dated:
        return max(dated)[1]
    steps = [shard.step for group in shards.values() for shard in group]
    step = int(np.gcd.reduce(steps)) if steps else 0
    return step / PRICE_UNITS if step else float("nan")
