"""Other people's files into shards: each line once, however often an import runs or is killed."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, pairwise
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from advanced_mm.bad_rows import BadRows
from advanced_mm.errors import InputError
from advanced_mm.marketdata.importing.archive import HOUR_MS, BookLines, TradeLines
from advanced_mm.marketdata.importing.csv_files import CsvColumns
from advanced_mm.marketdata.importing.ledger import Ledger
from advanced_mm.marketdata.importing.rows import Row, Rows, quote_rows, table_of
from advanced_mm.marketdata.journal import ShardJournal
from advanced_mm.marketdata.listing import shard_files
from advanced_mm.marketdata.schemas import DATA_KINDS
from advanced_mm.marketdata.sharing.locations import Location
from advanced_mm.marketdata.store import ShardStore

__all__ = ["Importer", "Result"]

FROM: Final = "imported_from"
LINES: Final = "imported_lines"
_EXCHANGE: Final = {"local_time": "exchange_timestamp"}
_DERIVED: Final = {"derived": "best bid and offer of the orderbooks"}
_ROWS_A_SHARD: Final = 200_000


@dataclass
class Result:
    """What an import brought for one coin and kind.

    ``read`` and ``known`` count files read and files of which everything was imported before;
    ``missing`` names those that do not exist; times are the exchange's (ms), None without rows.
    ``widest_s`` is the largest of the files' medians of the time between rows, seconds.
    """

    rows: int = 0
    read: int = 0
    known: int = 0
    missing: list[str] = field(default_factory=list)
    first_ms: int | None = None
    last_ms: int | None = None
    widest_s: float = 0.0

    def add(self, rows: Sequence[Row]) -> None:
        """Count rows written."""
        times = [int(row["exchange_timestamp"]) for row in rows]
        self.rows += len(rows)
        gaps = sorted(b - a for a, b in pairwise(sorted(times)))
        self.widest_s = max(self.widest_s, gaps[len(gaps) // 2] / 1000.0 if gaps else 0.0)
        self.first_ms = min([*times, *([] if self.first_ms is None else [self.first_ms])])
        self.last_ms = max([*times, *([] if self.last_ms is None else [self.last_ms])])


class Importer:
    """Writes the rows of files into one data directory.

    Parameters
    ----------
    data_dir : Path
        Folder with one folder per coin.
    ledger : Ledger
        Its open ledger.
    bad_rows : BadRows
        Counts what is skipped in files of the archive.
    """

    def __init__(self, data_dir: Path, ledger: Ledger, bad_rows: BadRows) -> None:
        self._data_dir = data_dir
        self._ledger = ledger
        self._bad_rows = bad_rows
        self.results: dict[tuple[str, str], Result] = {}
        """By coin and kind, in order of appearance."""

    def result(self, coin: str, kind: str) -> Result:
        """Return the result of a coin and kind so far."""
        return self.results.setdefault((coin, kind), Result())

    def books(self, archive: Location, name: str, coin: str) -> None:
        """Import a coin's L2 snapshots of an hour, and the quotes derived from them.

        Raises
        ------
        InputError, LocationError
            The file or the data directory cannot be used.
        """
        self._archive_file(archive, name, [coin], BookLines)

    def trades(self, archive: Location, name: str, coins: Sequence[str]) -> None:
        """Import the coins' trades of an hour.

        Raises
        ------
        InputError, LocationError
            The file or the data directory cannot be used.
        """
        self._archive_file(archive, name, coins, TradeLines)

    def csv(self, location: Location, name: str, coin: str, *, derive_quotes: bool = False) -> None:
        """Import a CSV file, hour by hour. A last line without an end is left for the next time.

        Parameters
        ----------
        location, name
            The file; ``name`` is empty if the location is the file itself.
        coin
            Its coin at the venue; empty if the column ``symbol`` says it.
        derive_quotes
            Make quotes of the best bid and offer of snapshots, as there is no file of prices.

        Raises
        ------
        InputError, LocationError
            The file or the data directory cannot be used.
        """
        source, size = location.below(name) if name else location.url, location.size(name)
        with location.opened(name) as file:
            lines = _complete(file)
            columns = CsvColumns.of(source, next(lines, (1, b""))[1])
            second = next(lines, None)
            first = None if second is None else columns.row(*second)
            coin = coin or (first[1] if first else "")
            if not coin:
                raise InputError(f"{source} names no coin; pass --crypto with its name.")
            known = self._resumed(source, coin, ("prices", columns.kind))
            rows = ((n, *columns.row(n, line)) for n, line in chain([second or (0, b"")], lines)
                    if n > known)  # fmt: skip
            result, done = self.result(coin, columns.kind), known
            for last, hour in _hours(rows, coin, source):
                found: Rows = {(coin, columns.kind): hour}
                if derive_quotes and columns.kind == "orderbooks":
                    found[coin, "prices"] = [row for book in hour for row in quote_rows(book)]
                self._write(source, [coin], done + 1, last, found, {})
                done = last
            self._ledger.done(source, coin, done, size)
            result.read += done > known
            result.known += done == known

    def _archive_file(
        self,
        archive: Location,
        name: str,
        coins: Sequence[str],
        reader: type[BookLines] | type[TradeLines],
    ) -> None:
        source = archive.below(name)
        size = archive.size(name) if any(self._begun(source, coin) for coin in coins) else None
        from_line: dict[int, list[str]] = {}
        for coin in coins:
            known = self._ledger.progress(source, coin)
            if known.lines and known.writing is None and known.size == size:
                self.result(coin, reader.kind).known += 1
            else:
                lines = self._resumed(source, coin, DATA_KINDS)
                from_line.setdefault(lines, []).append(coin)
        for known_lines, wanted in from_line.items():
            taken = reader(wanted, self._bad_rows, source)
            number = known_lines
            try:
                size = archive.size(name)
                with archive.opened(name) as file:
                    for number, line in _complete(file):
                        if number > known_lines:
                            taken.take(number, line)
            except FileNotFoundError:
                for coin in wanted:
                    self.result(coin, reader.kind).missing.append(source)
                continue
            self._write(source, wanted, known_lines + 1, number, taken.finish(), _EXCHANGE)
            for coin in wanted:
                self._ledger.done(source, coin, number, size)
                self.result(coin, reader.kind).read += 1

    def _begun(self, source: str, coin: str) -> bool:
        return self._ledger.progress(source, coin).lines > 0

    def _write(
        self,
        source: str,
        coins: Sequence[str],
        first: int,
        last: int,
        rows: Rows,
        notes: Mapping[str, str],
    ) -> None:
        """Write the rows of a file's lines from ``first`` to ``last`` and note them as imported."""
        store = ShardStore(self._data_dir)  # a new one: its file names need not follow the last
        for coin in coins:
            own = {kind: found for (name, kind), found in rows.items() if name == coin and found}
            if own:
                self._ledger.begin(source, coin, first)
            for kind, found in own.items():
                about = {FROM: source, LINES: f"{first}-{last}", **notes}
                if kind == "prices" and "orderbooks" in own:
                    about |= _DERIVED
                store.write(coin, kind, table_of(coin, kind, found, about))
                self.result(coin, kind).add(found)
            self._ledger.done(source, coin, last, None)

    def _resumed(self, source: str, coin: str, kinds: Iterable[str]) -> int:
        """Return the lines in shards, after removing shards of an interrupted import."""
        known = self._ledger.progress(source, coin)
        if known.writing is not None:
            self._remove_begun(source, coin, kinds, known.writing)
            self._ledger.done(source, coin, known.lines, None)
        return known.lines

    def _remove_begun(self, source: str, coin: str, kinds: Iterable[str], line: int) -> None:
        folder = ShardStore(self._data_dir).folder(coin)
        for kind in kinds:
            for file in shard_files(folder, kind):
                try:
                    metadata = pq.read_schema(file.path).metadata or {}
                except (pa.ArrowException, OSError):
                    continue
                lines = metadata.get(LINES.encode(), b"").decode()
                if metadata.get(FROM.encode()) == source.encode() and lines.partition("-")[
                    0
                ] == str(line):
                    Path(file.path).unlink(missing_ok=True)
        ShardJournal(folder).ask_to_list()


def _complete(lines: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    """Yield numbered lines without their ends, except a last one that has none."""
    for number, line in enumerate(lines, 1):
        if line.endswith(b"\n"):
            yield number, line.rstrip(b"\r\n")


def _hours(
    rows: Iterable[tuple[int, Row, str]], coin: str, source: str
) -> Iterator[tuple[int, list[Row]]]:
    """Yield numbered rows hour by hour, with the number of the last one.

    Rows of the same local time stay together: two of them may be the sides of one quote.
    """
    together: list[Row] = []
    last = 0
    for number, row, symbol in rows:
        if symbol not in ("", coin):
            raise InputError(
                f"{source} line {number}: column symbol is {symbol!r}, but the file is of "
                f"{coin}; give each coin a file of its own."
            )
        if together and row["timestamp"] != together[-1]["timestamp"]:
            before = together[-1]["exchange_timestamp"] // HOUR_MS
            if row["exchange_timestamp"] // HOUR_MS != before or len(together) >= _ROWS_A_SHARD:
                yield last, together
                together = []
        together.append(row)
        last = number
    if together:
        yield last, together
