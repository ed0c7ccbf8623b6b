"""The shard store: with `writing`, what knows how recordings are laid out on disk.

``<data_dir>/<COIN>/<kind>/<kind>_<epoch ms>.parquet`` (kinds are those of `schemas`, the colon of
``xyz:XYZ100`` becomes a dash, see `coin_folders`). Each file is written under a temporary name,
synced to disk and then renamed. The time in its name is the exchange time of its newest row (older
recorders: the time of the flush), or later if that name was taken. The coin's journal lies beside
the folders of the kinds (see `journal`), and so does the lock of its recorder.
"""

import contextlib
import logging
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import isfinite
from pathlib import Path
from typing import Final

import pyarrow as pa

from advanced_mm.bad_rows import BadRows
from advanced_mm.coin_folders import coin_folder, coins_below
from advanced_mm.errors import InputError
from advanced_mm.file_versions import NewerVersionError
from advanced_mm.instruments import code_of, nearest, resolve_coin
from advanced_mm.marketdata.connection_log import ConnectionEvent, Gap, gaps_of, read_events
from advanced_mm.marketdata.contexts import CONTEXT_COLUMNS, Contexts, read_contexts
from advanced_mm.marketdata.last_trades import last_trades
from advanced_mm.marketdata.listing import ShardFile, shard_files
from advanced_mm.marketdata.merging import merge_shards
from advanced_mm.marketdata.records import Recording
from advanced_mm.marketdata.schemas import (
    DATA_KINDS,
)
from advanced_mm.marketdata.selection import selected_rows
from advanced_mm.marketdata.shards import Shard, ShardGoneError, read_shards
from advanced_mm.marketdata.silence_log import SilenceLog
from advanced_mm.marketdata.tail import CLOCK_MARGIN_MS, ShardTail
from advanced_mm.marketdata.writing import ShardWriting

__all__ = ["ConnectionEvent", "ShardStore"]

logger = logging.getLogger(__name__)

_REPLAY_MARGIN_MS: Final = 3_600_000
"""Rows may be this much older than their file's name (trades replayed on subscribing)."""
_MOST_LISTINGS: Final = 5
"""A folder is listed again if shards were merged or deleted while they were read."""
_FILES_TOGETHER: Final = 60
"""Files parsed at a time: enough to be fast, few enough to limit the memory for their tables."""


class ShardStore(ShardWriting):
    """Reads and writes the shards in one data directory.

    Nothing that was read is kept in memory. To read a window repeatedly, follow it with `tail`,
    which reads only new shards.

    Parameters
    ----------
    data_dir : Path
        Folder with one folder per coin. It need not exist before the first `write`.
    """

    def __init__(self, data_dir: Path) -> None:
        super().__init__(Path(data_dir))
        self._unreadable: set[str] = set()

    def coins(self) -> list[str]:
        """Return the venue's names of the recorded coins, sorted.

        Raises
        ------
        InputError
            If the data directory does not exist.
        """
        try:
            return coins_below(self.data_dir)
        except OSError as error:
            raise InputError(
                f"data directory {str(self.data_dir)!r} cannot be read ({error.strerror}): "
                "record first with scripts/hyperliquid_data_collector.py or pass another --data-dir"
            ) from error

    def resolve(self, name: str) -> str:
        """Return the recorded coin for a name in any spelling.

        Parameters
        ----------
        name : str
            The venue's name, ccxt's code or a Freqtrade pair.

        Raises
        ------
        InputError
            If the data directory does not exist, or none or several recorded coins match.
        """
        coins = self.coins()
        if code_of(name) not in map(code_of, coins):
            raise self._not_recorded(name)
        return resolve_coin(name, coins, f"the recording in {str(self.data_dir)!r}")

    def folder(self, coin: str) -> Path:
        """Return the folder of a recorded coin.

        Raises
        ------
        InputError
            If the data directory or the coin's folder does not exist.
        """
        folder = coin_folder(self.data_dir, coin)
        if not folder.is_dir():
            raise self._not_recorded(coin)
        return folder

    def read(self, coin: str, start_ms: int | None = None, end_ms: int | None = None) -> Recording:
        """Read a coin's records.

        Parameters
        ----------
        coin : str
            The coin's name at the venue.
        start_ms, end_ms : int or None
            Exchange time (ms), both ends included; None leaves that end open. Trades replayed more
            than an hour after ``end_ms`` are not searched for.

        Returns
        -------
        Recording
            One row per ``trade_id`` (the earliest received), sorted stably by exchange time. Shards
            that cannot be read are listed in ``skipped_files`` and logged once; bad rows of the
            others are dropped, counted in ``bad_rows`` and logged.

        Raises
        ------
        InputError
            If the data directory or the coin's folder does not exist, or a shard was written by a
            later version of this program.
        """
        folder = self.folder(coin)
        shards: dict[str, list[Shard]] = {}
        skipped: list[str] = []
        low = 0 if start_ms is None else start_ms - CLOCK_MARGIN_MS
        high = sys.maxsize if end_ms is None else end_ms + _REPLAY_MARGIN_MS
        for kind in DATA_KINDS:
            for _ in range(_MOST_LISTINGS):
                files = shard_files(folder, kind, low, high)
                parsed = dict(zip(files, self._shards(kind, files), strict=True))
                unread = [file.path for file, shard in parsed.items() if shard is None]
                there = [path for path in unread if Path(path).exists()]
                if there == unread:
                    break  # otherwise some were merged or deleted meanwhile
            shards[kind] = [shard for shard in parsed.values() if shard is not None]
            skipped += there
        recording = merge_shards(coin, shards, start_ms, end_ms, tuple(skipped))
        if recording.bad_rows:
            logger.warning("%s: dropped from its shards: %s", coin, BadRows(recording.bad_rows))
        return replace(recording, silences=SilenceLog(folder).between(start_ms, end_ms))

    def rows(
        self,
        coin: str,
        kind: str,
        start_ms: int | None = None,
        end_ms: int | None = None,
        columns: Sequence[str] | None = None,
    ) -> Iterator[pa.Table]:
        """Yield a coin's rows as recorded, in order of arrival, opening only the files needed.

        Nothing is dropped: trades that the venue replayed appear again, and rows may come twice if
        a compaction merges their files at this very moment.

        Parameters
        ----------
        coin, kind : str
            Coin, and a key of `schemas.SCHEMAS`.
        start_ms, end_ms : int or None
            Exchange time (ms), both ends included; None leaves that end open. As for `read`, trades
            replayed more than an hour after ``end_ms`` are not searched for.
        columns : sequence of str or None
            Columns wanted, in this order; by default all. Those that a file lacks are null.

        Raises
        ------
        InputError
            If the coin is not recorded, the kind or a column is unknown, or a file cannot be read.
        """
        low = 0 if start_ms is None else start_ms - CLOCK_MARGIN_MS
        high = sys.maxsize if end_ms is None else end_ms + _REPLAY_MARGIN_MS
        return selected_rows(self.folder(coin), kind, (low, high), (start_ms, end_ms), columns)

    def newest_name_ms(self, coin: str) -> int | None:
        """Return the newest time (ms) in the name of a coin's data shards, None if there are none.

        Raises
        ------
        InputError
            If the data directory or the coin's folder does not exist.
        """
        folder = self.folder(coin)
        listed = [shard_files(folder, kind)[-1:] for kind in DATA_KINDS]
        return max((file.name_ms for files in listed for file in files), default=None)

    def newest_ms(self, coin: str) -> int | None:
        """Return the exchange time (ms) of the coin's newest row, None if there is none.

        Raises
        ------
        InputError
            If the data directory or the coin's folder does not exist.
        """
        folder = self.folder(coin)
        newest: int | None = None
        for kind in DATA_KINDS:
            for file in reversed(shard_files(folder, kind)):
                if newest is not None and file.name_ms + CLOCK_MARGIN_MS < newest:
                    break
                (shard,) = self._shards(kind, [file])
                if shard is not None:
                    newest = max(newest or 0, shard.newest_ms)
        return newest

    def oldest_ms(self, coin: str) -> int | None:
        """Return the exchange time (ms) of the coin's oldest row, None if there is none.

        Rows of its first files are read: files are named by their newest row.

        Raises
        ------
        InputError
            If the data directory or the coin's folder does not exist.
        """
        folder = self.folder(coin)
        named = [file.name_ms for kind in DATA_KINDS for file in shard_files(folder, kind)[:1]]
        first = self.read(coin, None, min(named, default=0))
        columns = (first.quotes.time_ms, first.trades.time_ms, first.book_time_ms)
        return min((int(times[0]) for times in columns if len(times)), default=None)

    def newest_by_kind(self, coin: str) -> dict[str, int]:
        """Return the exchange time (ms) of the newest row of each kind of data that has rows.

        Raises
        ------
        InputError
            If the data directory or the coin's folder does not exist.
        """
        newest: dict[str, int] = {}
        for kind in DATA_KINDS:
            for file in reversed(shard_files(self.folder(coin), kind)):
                (shard,) = self._shards(kind, [file])
                if shard is not None:
                    newest[kind] = shard.newest_ms
                    break
        return newest

    def tail(self, coin: str) -> ShardTail:
        """Return a follower of the coin's shards.

        Raises
        ------
        InputError
            If the data directory or the coin's folder does not exist.
        """
        return ShardTail(self.folder(coin), self._shards)

    def silence_log(self, coin: str) -> SilenceLog:
        """Return a follower of the coin's silences in the connection log.

        Raises
        ------
        InputError
            If the data directory or the coin's folder does not exist.
        """
        return SilenceLog(self.folder(coin))

    def connections(self, coin: str) -> list[ConnectionEvent]:
        """Return the coin's connection log in order, empty if the recording has none.

        Raises
        ------
        InputError
            If the data directory or the coin's folder does not exist, or a log file cannot be read
            or was written by a later version of this program.
        """
        for _ in range(_MOST_LISTINGS):
            with contextlib.suppress(FileNotFoundError):  # merged or deleted meanwhile
                return self._connections(coin)
        return self._connections(coin)

    def _connections(self, coin: str) -> list[ConnectionEvent]:
        events: list[ConnectionEvent] = []
        for file in shard_files(self.folder(coin), "connections"):
            try:
                rows = read_events(file.path)
            except FileNotFoundError:
                raise
            except (pa.ArrowException, OSError, InputError) as error:
                raise InputError(f"connection log {file.path!r} cannot be read: {error}") from error
            good = [row for row in rows if _is_event(row)]
            if len(good) < len(rows):
                bad = len(rows) - len(good)
                logger.warning("%s: dropped %d bad connections rows", file.path, bad)
            events += good
        return sorted(events, key=lambda event: event.local_s)

    def gaps(
        self, coin: str, start_ms: int | None = None, end_ms: int | None = None
    ) -> tuple[Gap, ...]:
        """Return the periods in which the coin's rows may be missing, as the recorder listed them.

        Parameters
        ----------
        coin : str
            The coin's name at the venue.
        start_ms, end_ms : int or None
            Only gaps that overlap these exchange times (ms), both included.

        Raises
        ------
        InputError
            As `connections`.
        """
        return gaps_of(self.connections(coin), start_ms, end_ms)

    def contexts(
        self,
        coin: str,
        start_ms: int | None = None,
        end_ms: int | None = None,
        columns: Sequence[str] = CONTEXT_COLUMNS,
    ) -> Contexts:
        """Return the coin's funding, open interest, oracle and mark prices over time.

        Parameters
        ----------
        coin : str
            The coin's name at the venue.
        start_ms, end_ms : int or None
            Exchange times (ms), both included; None leaves that end open.
        columns : sequence of str
            The figures wanted, names of `Contexts`. Recordings of version 1 have none.

        Raises
        ------
        InputError
            If the data directory or the coin's folder does not exist, a figure is unknown, or a
            shard was written by a later version of this program.
        """
        if unknown := set(columns) - set(CONTEXT_COLUMNS):
            raise InputError(
                f"contexts have no figure {', '.join(sorted(map(repr, unknown)))}: "
                f"choose from {', '.join(CONTEXT_COLUMNS)}"
            )
        low = 0 if start_ms is None else start_ms - CLOCK_MARGIN_MS
        high = sys.maxsize if end_ms is None else end_ms + CLOCK_MARGIN_MS
        for _ in range(_MOST_LISTINGS):
            paths = [file.path for file in shard_files(self.folder(coin), "contexts", low, high)]
            found, faults = read_contexts(paths, columns, start_ms, end_ms)
            if all(Path(path).exists() for path in paths):
                break  # otherwise some were merged or deleted meanwhile
        for fault in faults:
            logger.warning("shard skipped: %s", fault)
        return found

    def last_trades(self, coin: str, most: int) -> dict[int, int]:
        """Return about the ``most`` newest trades, oldest first: exchange times (ms) by trade id.

        A coin without a recording has none.
        """
        return last_trades(coin_folder(self.data_dir, coin), most)

    def _not_recorded(self, name: str) -> InputError:
        coins = self.coins()
        recorded = f"recorded: {', '.join(coins) or 'none'}"
        if meant := nearest(name, coins):
            recorded += f"; did you mean {' or '.join(meant)}"
        return InputError(
            f"coin {name!r} has no recording in {str(self.data_dir)!r} ({recorded}): "
            "record it with scripts/hyperliquid_data_collector.py or check the name"
        )

    def _shards(self, kind: str, files: Sequence[ShardFile]) -> list[Shard | None]:
        """Parse files of one kind; return None and warn once for each that cannot be used."""
        shards: list[Shard | None] = []
        for first in range(0, len(files), _FILES_TOGETHER):
            part = files[first : first + _FILES_TOGETHER]
            for file, shard in zip(part, read_shards([f.path for f in part], kind), strict=True):
                if isinstance(shard, NewerVersionError):
                    raise InputError(f"{file.path}: {shard}")
                if isinstance(shard, ShardGoneError):
                    shards.append(None)
                elif isinstance(shard, InputError):
                    level = logging.DEBUG if file.path in self._unreadable else logging.WARNING
                    logger.log(level, "%s: shard skipped: %s", file.path, shard)
                    self._unreadable.add(file.path)
                    shards.append(None)
                else:
                    shards.append(shard)
        return shards


def _is_event(row: ConnectionEvent) -> bool:
    return row.local_s is not None and isfinite(row.local_s) and isinstance(row.event, str)
