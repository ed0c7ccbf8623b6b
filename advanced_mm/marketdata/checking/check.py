"""The check of one coin's recording, a day and kind at a time so that memory stays bounded."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from advanced_mm.errors import InputError
from advanced_mm.marketdata.checking.coverage import (
    HOLE_MS,
    covered_share,
    find_holes,
)
from advanced_mm.marketdata.checking.findings import CoinFindings, KindFindings
from advanced_mm.marketdata.checking.rows import (
    CHECKED_COLUMNS,
    TradeIds,
    crossed,
    duplicates,
    live_rows,
    row_codes,
    sound,
    stretches,
    timeless,
)
from advanced_mm.marketdata.compaction import DAY_MS
from advanced_mm.marketdata.connection_log import ConnectionEvent, gaps_of
from advanced_mm.marketdata.lag import lags_ms
from advanced_mm.marketdata.listing import ShardFile, shard_files
from advanced_mm.marketdata.records import Int1D
from advanced_mm.marketdata.schemas import DATA_KINDS, KINDS, check_columns, check_version
from advanced_mm.marketdata.silence_log import SilenceLog
from advanced_mm.marketdata.store import ShardStore
from advanced_mm.marketdata.tail import CLOCK_MARGIN_MS

__all__ = ["Check"]

_TIMES: Final = ("timestamp", "exchange_timestamp")
_EVENT_COLUMNS: Final = (
    "event",
    "detail",
    "channel",
    "from_exchange_timestamp",
    "to_exchange_timestamp",
)


class Check:
    """Checks one coin's recording in `steps`, which a progress bar can show, then `findings`.

    Parameters
    ----------
    store : ShardStore
        Store with the recording.
    coin : str
        The coin's name at the venue.
    since_ms : int or None
        Leave out files whose newest rows are older than this, and holes that end before it; None
        checks everything.

    Raises
    ------
    InputError
        If the coin is not recorded, or a folder cannot be read.
    """

    def __init__(self, store: ShardStore, coin: str, since_ms: int | None = None) -> None:
        self._since_ms = since_ms
        self._folder = store.folder(coin)
        self._coin = coin
        self._found = CoinFindings(coin)
        self._events: list[ConnectionEvent] = []
        self._trade_ids = TradeIds.none()
        self._perhaps_told_again: list[tuple[Int1D, Int1D]] = []
        self._steps: list[tuple[str, list[ShardFile]]] = []
        try:
            for kind in KINDS:
                files = shard_files(self._folder, kind, since_ms or 0)
                if files:
                    self._found.kinds[kind] = KindFindings(kind)
                days = groupby(files, key=lambda file: file.name_ms // DAY_MS)
                self._steps += [(kind, list(day)) for _, day in days]
        except OSError as error:
            raise InputError(
                f"recording {str(self._folder)!r} cannot be read ({error.strerror}): "
                "fix the permissions"
            ) from error

    def __len__(self) -> int:
        """Return the number of steps."""
        return len(self._steps)

    def steps(self) -> Iterator[None]:
        """Check one day of one kind for each item taken."""
        for kind, files in self._steps:
            self._check_day(self._found.kinds[kind], files)
            yield

    def findings(self) -> CoinFindings:
        """Return what was found, after all steps."""
        found, kinds = self._found, self._found.kinds
        spans = [span for kind in DATA_KINDS if kind in kinds for span in kinds[kind].stretches]
        spans = spans or self._perhaps_told_again  # a recording of nothing but unmarked trades
        try:
            silences = SilenceLog(self._folder).between(self._since_ms, None)
        except InputError:  # a later version, which is listed as unreadable
            silences = ()
        found.holes = find_holes(spans, self._events, gaps_of(self._events), silences)
        found.events.update(event.event for event in self._events)
        if spans:
            first_ms = min(int(starts[0]) for starts, _ in spans)
            last_ms = max(int(ends[-1]) for _, ends in spans)
            for kind in kinds:
                if kind in DATA_KINDS:
                    kinds[kind].coverage = covered_share(kind, first_ms, last_ms, found.holes)
        return found

    def _check_day(self, found: KindFindings, files: Sequence[ShardFile]) -> None:
        tables = [self._read(found, file) for file in files]
        read = [table for table in tables if table is not None and table.num_rows]
        if not read:
            return
        table = pa.concat_tables(read, promote_options="permissive").combine_chunks()
        ends = np.cumsum([part.num_rows for part in read])
        found.rows += table.num_rows
        if found.kind == "connections":
            self._check_events(found, table)
            return
        good = sound(table, found.kind)
        found.bad_rows += int((~good & ~timeless(table, found.kind)).sum())
        _note_times(found, table.filter(pa.array(good)))
        if found.kind in CHECKED_COLUMNS:
            self._check_rows(found, table, good, ends)

    def _check_rows(
        self, found: KindFindings, table: pa.Table, good: NDArray[np.bool_], ends: Int1D
    ) -> None:
        file_of_row = np.repeat(np.arange(len(ends)), np.diff(ends, prepend=0))[good]
        table = table.filter(pa.array(good))
        if not table.num_rows:
            return
        live = live_rows(table, found.kind)
        again = np.zeros(table.num_rows, dtype=np.bool_)
        if found.kind == "trades":
            again, differs = self._trade_ids.compare(table)
            found.conflicts += int(differs.sum())
            found.duplicates += int((again & live & ~differs).sum())
            found.told_again += int((again & ~live & ~differs).sum())
        else:
            found.duplicates += int(duplicates(row_codes(table)).sum())
        found.crossed += crossed(table, found.kind)
        found.lags.add(lags_ms(table.filter(pa.array(~again))))
        time_ms = table["exchange_timestamp"].to_numpy()
        local_s = table["timestamp"].to_numpy()
        if live.any():
            found.stretches.append(stretches(time_ms[live], HOLE_MS))
        elif found.kind == "trades":
            self._perhaps_told_again.append(stretches(time_ms, HOLE_MS))
        for group in _in_one_order(table, found.kind):
            chosen = live & group
            found.out_of_order += int((np.diff(time_ms[chosen]) < 0).sum())
            same_file = np.diff(file_of_row[chosen]) == 0
            found.clock_back += int(((np.diff(local_s[chosen]) < 0) & same_file).sum())

    def _read(self, found: KindFindings, file: ShardFile) -> pa.Table | None:
        found.files += 1
        path = Path(file.path)
        try:
            raw = path.read_bytes()
            found.bytes += len(raw)
            with pq.ParquetFile(pa.BufferReader(raw), pre_buffer=False) as parquet:
                schema = parquet.schema_arrow
                version = check_version(schema)
                check_columns(found.kind, schema)
                self._check_coin(schema)
                wanted = (*_TIMES, *CHECKED_COLUMNS.get(found.kind, _EVENT_COLUMNS))
                names = [name for name in wanted if schema.get_field_index(name) >= 0]
                table = parquet.read(columns=names, use_threads=False)
        except FileNotFoundError:  # merged into a later file, or deleted, since it was listed
            found.files -= 1
            return None
        except (pa.ArrowException, OSError, InputError) as error:
            text = str(error)
            found.unreadable[file.path] = text.splitlines()[0] if text else type(error).__name__
            return None
        if not table.num_rows:
            found.unreadable[file.path] = "has no rows"
            return None
        found.versions[version] += 1
        newest_ms = pc.max(table["exchange_timestamp"]).as_py()
        if newest_ms is not None and newest_ms > file.name_ms + CLOCK_MARGIN_MS:
            found.misnamed.append(file.path)
        return table.replace_schema_metadata(None)

    def _check_coin(self, schema: pa.Schema) -> None:
        named = (schema.metadata or {}).get(b"coin")
        if named is not None and named.decode(errors="replace") != self._coin:
            raise InputError(f"is a recording of {named.decode(errors='replace')!r}")

    def _check_events(self, found: KindFindings, table: pa.Table) -> None:
        rows = table.to_pylist()
        good = [
            row
            for row in rows
            if row["event"] is not None
            and row["timestamp"] is not None
            and np.isfinite(row["timestamp"])
        ]
        found.bad_rows += len(rows) - len(good)
        self._events += [
            ConnectionEvent(
                row["timestamp"],
                row["event"],
                row["detail"] or "",
                row["exchange_timestamp"],
                row.get("channel"),
                row.get("from_exchange_timestamp"),
                row.get("to_exchange_timestamp"),
            )
            for row in good
        ]
        _note_times(found, table)


def _note_times(found: KindFindings, table: pa.Table) -> None:
    times = table["exchange_timestamp"].drop_null().to_numpy()
    if not len(times):
        return
    low, high = int(times.min()), int(times.max())
    found.first_ms = low if found.first_ms is None else min(found.first_ms, low)
    found.last_ms = high if found.last_ms is None else max(found.last_ms, high)


def _in_one_order(table: pa.Table, kind: str) -> list[NDArray[np.bool_]]:
    """Return the rows of each stream that keeps its order: books come at two cadences."""
    every = np.ones(table.num_rows, dtype=np.bool_)
    if kind != "orderbooks" or "fast" not in table.column_names:
        return [every]
    fast = np.asarray(table["fast"].fill_null(False).to_numpy(), dtype=np.bool_)
    return [fast, ~fast]
