"""Merging of one coin's shards into one `Recording`, all at once or as they arrive."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from advanced_mm.marketdata.records import Float1D, Int1D, Quotes, Recording, Trades
from advanced_mm.marketdata.shards import PRICE_UNITS, Shard

__all__ = ["TickNotes", "extended", "merge_shards"]

_Columns = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class TickNotes:
    """Price steps of several shards. Shapes (number of shards,).

    ``name_ms`` is the time in the shard's name, ``newest_ms`` that of its newest row, ``tick`` the
    step in its metadata (quote currency, NaN if there is none), ``step`` the greatest common
    divisor of its prices in units of 1 / `PRICE_UNITS`, 0 without prices.
    """

    name_ms: Int1D
    newest_ms: Int1D
    tick: Float1D
    step: Int1D

    @classmethod
    def of(cls, shards: Sequence[tuple[int, Shard]]) -> "TickNotes":
        """Collect the price steps of shards, each given with the time in its name."""
        return cls(
            np.array([name_ms for name_ms, _ in shards], dtype=np.int64),
            np.array([shard.newest_ms for _, shard in shards], dtype=np.int64),
            np.array([np.nan if s.tick is None else s.tick for _, s in shards], dtype=np.float64),
            np.array([shard.step for _, shard in shards], dtype=np.int64),
        )

    def and_(self, later: "TickNotes") -> "TickNotes":
        """Return these notes followed by ``later``."""
        pairs = zip(vars(self).values(), vars(later).values(), strict=True)
        return TickNotes(*(np.concatenate(pair) for pair in pairs))

    def since(self, low_ms: int) -> "TickNotes":
        """Return the notes of the shards named at ``low_ms`` or later."""
        keep = self.name_ms >= low_ms
        return self if keep.all() else TickNotes(*(a[keep] for a in vars(self).values()))

    def price_step(self) -> float:
        """Return the newest tick in the metadata, else the prices' common step, NaN without prices.

        The newest tick is used because the venue's step changes with the price level.
        """
        dated = np.isfinite(self.tick)
        if dated.any():
            newest = self.newest_ms[dated]
            return float(self.tick[dated][newest == newest.max()].max())
        step = int(np.gcd.reduce(self.step)) if len(self.step) else 0
        return step / PRICE_UNITS if step else float("nan")


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
        Shards of ``orderbooks``, ``prices`` and ``trades``, each in order of arrival.
    start_ms, end_ms : int or None
        Rows outside [start_ms, end_ms] (exchange time, both ends included) are dropped.
    skipped_files : tuple of str
        Stored in the recording.

    Returns
    -------
    Recording
        Rows with equal exchange time keep their order of arrival.
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
        tick=TickNotes.of(
            [(0, shard) for group in shards.values() for shard in group]
        ).price_step(),
        skipped_files=skipped_files,
        bad_rows=tuple(
            row for group in shards.values() for shard in group for row in shard.bad_rows
        ),
    )


def extended(earlier: Recording, later: Recording, start_ms: int) -> Recording:
    """Append later shards to an earlier merge and drop rows before ``start_ms``.

    The result equals that of `merge_shards` on all their shards, provided that all copies of a
    trade carry the same exchange time. Only rows from the oldest new row on are sorted again;
    earlier ones are just copied.

    Parameters
    ----------
    earlier, later : Recording
        Results of `merge_shards`; the shards of ``later`` arrived after all those of ``earlier``.
        The tick, the skipped files and the bad rows are taken from ``later``.
    start_ms : int
        Exchange time (ms) of the oldest row kept.
    """
    books = _extended({"time_ms": earlier.book_time_ms}, {"time_ms": later.book_time_ms}, start_ms)
    return Recording(
        coin=earlier.coin,
        quotes=Quotes(**_extended(vars(earlier.quotes), vars(later.quotes), start_ms)),
        trades=Trades(**_extended(vars(earlier.trades), vars(later.trades), start_ms)),
        book_time_ms=books["time_ms"],
        tick=later.tick,
        skipped_files=later.skipped_files,
        bad_rows=later.bad_rows,
    )


def _extended(earlier: _Columns, later: _Columns, start_ms: int) -> _Columns:
    old_ms = earlier["time_ms"]
    low = int(np.searchsorted(old_ms, start_ms, "left"))
    later = _window(later, start_ms, None)
    if not len(later["time_ms"]):
        return {name: array[low:] for name, array in earlier.items()} if low else earlier
    split = max(low, int(np.searchsorted(old_ms, later["time_ms"][0], "left")))
    if split < len(old_ms):
        later = {name: np.concatenate((earlier[name][split:], later[name])) for name in later}
        if "trade_id" in later:
            later = _taken(later, _first_received(later["trade_id"], later["local_s"]))
        later = _window(later, None, None)
    return {name: np.concatenate((earlier[name][low:split], later[name])) for name in later}


def _joined(shards: Sequence[Shard], names: Sequence[str] | Mapping[str, Any]) -> _Columns:
    if not shards:
        whole_numbers = {"time_ms", "side", "trade_id", "transaction"}
        return {
            name: np.empty(0, np.int64 if name in whole_numbers else np.float64) for name in names
        }
    return {name: np.concatenate([shard.columns[name] for shard in shards]) for name in names}


def _first_received(trade_id: Int1D, local_s: Float1D) -> Int1D:
    """Return the position of each trade's earliest receipt, ascending."""
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
