"""What bots and makers write down: their journals and Freqtrade's database."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from advanced_mm.doctor.lines import Line, fault, ok, unchecked, warning
from advanced_mm.doctor.patient import Patient
from advanced_mm.file_versions import NewerVersionError
from advanced_mm.journal import NoJournalError, QuoteSent, read_journal

__all__ = ["examine_database", "examine_journal"]

_DAY_MS: Final = 86_400_000
_NEEDED: Final = {
    "trades": {"id", "pair", "is_short", "fee_open", "funding_fees"},
    "orders": {"ft_trade_id", "ft_order_side", "ft_amount", "ft_price", "order_filled_date"},
}
"""Columns without which Freqtrade migrates a database at its start, and reports cannot read it."""


def examine_journal(folder: Path, writer: str, now: float) -> Iterator[Line]:
    """Read the newest day of a journal, as its writer does at its start.

    Parameters
    ----------
    folder, writer
        Where it lies, and who writes it: ``"the bot"``.
    now
        The machine's time, s since the epoch.
    """
    if not folder.exists():
        yield ok("journal", f"{folder} will be made by {writer}")
        return
    since_ms = round(now * 1000) - _DAY_MS
    try:
        journal = read_journal(folder, since_ms=since_ms, columns={QuoteSent: ("order",)})
    except NewerVersionError as error:
        text, _, remedy = str(error).partition(": ")
        yield fault("journal", text, remedy)
        return
    except NoJournalError as error:
        yield ok("journal", str(error).rstrip("."))
        return
    except OSError as error:
        yield fault("journal", f"{folder} cannot be read ({error.strerror})", "fix its permissions")
        return
    found = journal.notes.sentences()
    if found:
        remedy = "move a damaged file away; the rest is read all the same"
        yield warning("journal", f"{folder}: {' '.join(found).rstrip('.')}", remedy)
    else:
        quotes = journal.table(QuoteSent).num_rows
        yield ok("journal", f"{folder}: {quotes} quotes of the newest day")


def examine_database(patient: Patient) -> Iterator[Line]:
    """Check that Freqtrade's database can be read, and whose version it is."""
    address = patient.config.get("db_url")
    if not address:
        name = "tradesv3.dryrun.sqlite" if not patient.live else "tradesv3.sqlite"
        address = f"sqlite:///{name}"
    try:
        url = make_url(str(address))
    except ArgumentError:
        remedy = 'write it as "sqlite:///user_data/trades.sqlite"'
        yield fault("database", "db_url is no address of a database", remedy)
        return
    if url.get_backend_name() != "sqlite" or not url.database:
        yield unchecked("database", f"only SQLite files are looked into, not {url.drivername}")
        return
    yield _sqlite(Path(url.database))


def _sqlite(path: Path) -> Line:
    if not path.exists():
        if not path.parent.is_dir():
            return fault("database", f"there is no folder {path.parent}", f"mkdir -p {path.parent}")
        return ok("database", f"{path} will be made by Freqtrade")
    try:
        connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
        try:
            (state,) = connection.execute("PRAGMA quick_check(1)").fetchone()
            columns = {
                table: {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}
                for table in _NEEDED
            }
        finally:
            connection.close()
    except sqlite3.Error as error:
        return fault("database", f"{path} cannot be read ({error})", _restore(path))
    if state != "ok":
        return fault("database", f"{path} is damaged ({state})", _restore(path))
    lacking = [
        f"{table}.{name}"
        for table, needed in _NEEDED.items()
        for name in sorted(needed - columns[table])
    ]
    if not any(columns.values()):
        return ok("database", f"{path} is empty; Freqtrade makes its tables at its start")
    if lacking:
        return warning(
            "database",
            f"{path} is of an older Freqtrade: it lacks {', '.join(lacking)}",
            f"copy it, then start the bot, which migrates it: cp {path} {path}.old",
        )
    return ok("database", f"{path} can be read")


def _restore(path: Path) -> str:
    return f"move it away (mv {path} {path}.damaged), and close open positions by hand"
