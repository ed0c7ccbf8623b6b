"""Assess a journal or a database, with its mids and refits."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

from advanced_mm.errors import InputError
from advanced_mm.journal.folders import JOURNAL_FOLDER
from advanced_mm.journal.reader import damaged_sentence
from advanced_mm.marketdata import ShardStore
from advanced_mm.parameter_files.history import HISTORY_FOLDER, CalibrationHistory
from advanced_mm.performance.assess import Performance, assess
from advanced_mm.performance.from_freqtrade import freqtrade_records
from advanced_mm.performance.from_journal import journal_records
from advanced_mm.performance.mids import HORIZON_S, MidSource, RecordedMids, SeenMids
from advanced_mm.performance.records import Record

__all__ = ["Wanted", "judge_database", "judge_journal"]

Track = Callable[[Sequence[int], str], Iterable[int]]


def _quietly(steps: Sequence[int], title: str) -> Iterable[int]:
    return steps


@dataclass(frozen=True)
class Wanted:
    """The part of a record to assess.

    ``coin`` in any spelling and ``bot`` restrict it to one of each; ``since_ms`` and ``until_ms``
    (epoch milliseconds, both included) to a stretch of time. ``data_dir`` has the recording, if
    there is one. ``track`` shows progress over its parts, ``reading`` that reading is under way.
    """

    coin: str | None = None
    bot: str | None = None
    since_ms: int | None = None
    until_ms: int | None = None
    horizon_s: float = HORIZON_S
    data_dir: Path | None = None
    track: Track = _quietly
    reading: Callable[[], AbstractContextManager[object]] = nullcontext


def judge_journal(folder: Path, wanted: Wanted) -> list[Performance]:
    """Assess a journal, coin by coin.

    Parameters
    ----------
    folder : Path
        The journal's, or the one beside whose parameter files it lies (``user_data``).
    wanted
        Which part of it.

    Raises
    ------
    InputError
        There is no journal, what is asked for is not in it, or there are no fills.
    """
    journal = folder / JOURNAL_FOLDER if (folder / JOURNAL_FOLDER).is_dir() else folder
    unread: list[str] = []
    records = journal_records(
        journal, wanted.coin, wanted.since_ms, wanted.until_ms, wanted.bot, unread
    )
    history = CalibrationHistory(journal.parent / HISTORY_FOLDER)
    return _judged(records, wanted, history, f"the journal {str(journal)!r}", unread)


def judge_database(database: Path, wanted: Wanted) -> list[Performance]:
    """Assess Freqtrade's database, coin by coin.

    Raises
    ------
    InputError
        The file is no such database, the coin is not in it, or there are no fills.
    """
    records = freqtrade_records(database, wanted.coin, wanted.since_ms, wanted.until_ms)
    return _judged(records, wanted, None, f"the database {str(database)!r}", [])


def _judged(
    records: Iterable[Record],
    wanted: Wanted,
    history: CalibrationHistory | None,
    where: str,
    unread: list[str],
) -> list[Performance]:
    """Judge each record; ``unread`` has the files without a record once all have been taken."""
    found: list[Performance] = []
    waiting = iter(records)
    while True:
        with wanted.reading():
            record = next(waiting, None)
        if record is None:
            break
        found.append(assess(record, _sources(record, wanted), history, wanted.horizon_s))
    skipped = list(dict.fromkeys(unread + [name for one in found for name in one.record.skipped]))
    if not any(one.parts.fills for one in found):
        asked = "" if wanted.since_ms is None and wanted.until_ms is None else " in that time"
        of_coin = "" if wanted.coin is None else f" of {wanted.coin}"
        damage = f" Skipped as damaged: {'; '.join(skipped)}." if skipped else ""
        raise InputError(
            f"There are no fills{of_coin}{asked} in {where}: nothing to report.{damage}"
        )
    traded = [one for one in found if one.parts.fills]
    first = traded[0].record
    missing = [name for name in skipped if name not in first.skipped]
    notes = [*first.notes, *map(damaged_sentence, missing)]
    traded[0] = replace(
        traded[0], record=replace(first, skipped=[*first.skipped, *missing], notes=notes)
    )
    return traded


def _sources(record: Record, wanted: Wanted) -> list[MidSource]:
    """The recording where there is one of the coin, then what the bot saw."""
    sources: list[MidSource] = []
    if wanted.data_dir is not None and wanted.data_dir.is_dir():
        store = ShardStore(wanted.data_dir)
        try:
            coin = store.resolve(record.coin)
        except InputError:
            pass  # another coin is recorded there
        else:
            sources.append(RecordedMids(store, coin, wanted.track))
    return [*sources, SeenMids(record.seen)]
