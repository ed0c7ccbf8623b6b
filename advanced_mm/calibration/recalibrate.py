"""Refits over a recording, afterwards: what the runner would have published, moment by moment."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import numpy as np
from numpy.typing import NDArray

from advanced_mm.calibration.recorded_rows import RecordedRows, RowsAsOf
from advanced_mm.calibration.runner import PeriodicRunner, RunnerOptions
from advanced_mm.calibration.windows.estimate import Status
from advanced_mm.coin_folders import writable_coin_folder
from advanced_mm.errors import InputError
from advanced_mm.file_versions import check_version
from advanced_mm.marketdata.store import ShardStore
from advanced_mm.parameter_files import MissingParametersError, ParameterSet, Settings
from advanced_mm.parameter_files.files import write_json_atomically
from advanced_mm.parameter_files.history import CalibrationHistory
from advanced_mm.parameter_files.history_rows import parameter_set_of

__all__ = ["ORIGIN_VERSION", "Recalibration", "RecalibrationPlan", "recalibrate"]

_TOGETHER: Final = 240
"""Refits written at a time."""
_NOTE: Final = "made_from.json"
"""Beside a coin's refits: what they were made from, so that two kinds are never mixed."""
ORIGIN_VERSION: Final = 1
"""Of that note: raised when refits are made so differently that new ones cannot join old."""
_FITTED_WITH: Final = ("window_minutes", "max_window_minutes", "block_seconds")
_ORDER: Final = [status.value for status in Status]

Int1D = NDArray[np.int64]
Track = Callable[[Sequence[int]], Iterable[int]]


@dataclass(frozen=True)
class RecalibrationPlan:
    """Which refits to make.

    ``since_ms`` and ``until_ms`` bound the moments, epoch milliseconds on the local clock; None
    means from the first row received to the last. ``step_seconds`` lie between two moments, which
    are multiples of it. ``market_clock`` counts a row as received at its exchange time, for a
    recording of a market that ran faster than the clock.

    Raises
    ------
    InputError
        ``step_seconds`` is not at least one millisecond.
    """

    since_ms: int | None = None
    until_ms: int | None = None
    step_seconds: float = 15.0
    market_clock: bool = False

    def __post_init__(self) -> None:
        if not 0.001 <= self.step_seconds < float("inf"):
            raise InputError(f"the step is {self.step_seconds:g} s, must be at least 0.001 s")

    @property
    def step_ms(self) -> int:
        """Time between two moments, ms."""
        return round(self.step_seconds * 1000)


@dataclass(frozen=True)
class Recalibration:
    """What was made.

    ``since_ms`` and ``until_ms`` are the first and the last moment, epoch milliseconds; ``made``
    counts new refits, ``kept`` those that were there already, ``failed`` the moments at which
    nothing could be published. ``statuses`` counts the new refits by their worst status.
    """

    coin: str
    since_ms: int
    until_ms: int
    made: int
    kept: int
    failed: int
    statuses: Mapping[str, int]


def recalibrate(
    store: ShardStore,
    coin: str,
    settings: Settings,
    history: CalibrationHistory,
    plan: RecalibrationPlan,
    track: Track = lambda moments: moments,
) -> Recalibration:
    """Add the refits of a recording to a history; those it has already are not made again.

    Each is made by the `PeriodicRunner`, from the rows known at its moment and no others. After a
    moment that was already there, the runner starts as a live one does after a pause: with the
    usual window, and with the last good values from the history.

    Parameters
    ----------
    store, coin
        The recording.
    settings
        Windows, block length and the problem to solve.
    history
        Where the refits go.
    plan
        The moments.
    track
        Wraps the moments to be made, to show progress.

    Raises
    ------
    InputError
        The coin has no recording, or no rows in the time asked for; the history was made with
        other settings or from another recording, or cannot be written.
    """
    longest_ms = round(max(settings.window_minutes, settings.max_window_minutes) * 60_000)
    first = None if plan.since_ms is None else plan.since_ms - longest_ms
    rows = RecordedRows(store, coin, first, plan.until_ms, market_clock=plan.market_clock)
    moments = _moments(rows, plan)
    _note_origin(store, coin, settings, history, plan)
    there = _known_moments(history, coin, moments)
    missing = moments[~np.isin(moments, there)]
    writer = _Writer(history)
    rounds = _Rounds(store, rows, settings, history, writer, plan)
    try:
        for moment in track(missing.tolist()):
            rounds.refit(int(moment))
    finally:
        writer.flush()
    history.merge()
    return Recalibration(
        coin=coin,
        since_ms=int(moments[0]),
        until_ms=int(moments[-1]),
        made=writer.made,
        kept=len(moments) - len(missing),
        failed=len(missing) - writer.made,
        statuses=dict(sorted(writer.statuses.items())),
    )


def _moments(rows: RecordedRows, plan: RecalibrationPlan) -> Int1D:
    """Return the multiples of the step in the time asked for, within the recording."""
    step = plan.step_ms
    first_ms, last_ms = rows.first_ms, rows.last_ms
    if first_ms is not None and last_ms is not None:
        low = first_ms if plan.since_ms is None else max(plan.since_ms, first_ms)
        high = last_ms if plan.until_ms is None else min(plan.until_ms, last_ms)
        moments = np.arange(-(-low // step), high // step + 1, dtype=np.int64) * step
        if len(moments):
            return moments
    raise InputError(
        f"{rows.coin}: no rows were recorded in the time asked for: record first with "
        "scripts/hyperliquid_data_collector.py or correct --since and --until"
    )


def _known_moments(history: CalibrationHistory, coin: str, moments: Int1D) -> Int1D:
    start, end = (_utc(int(moment)) for moment in (moments[0], moments[-1]))
    published = history.read(coin, start, end)["published_at"]
    known: Int1D = published.to_numpy().astype("datetime64[ms]").astype(np.int64)
    return known


class _Writer:
    """Collects refits and adds them to the history, many at a time."""

    def __init__(self, history: CalibrationHistory) -> None:
        self._history = history
        self._waiting: list[ParameterSet] = []
        self.made = 0
        self.statuses: dict[str, int] = {}

    def append(self, sets: Mapping[str, ParameterSet]) -> None:
        """Add one refit of the coin."""
        for one in sets.values():
            self._waiting.append(one)
            self.made += 1
            status = _worst(one)
            self.statuses[status] = self.statuses.get(status, 0) + 1
        if len(self._waiting) >= _TOGETHER:
            self.flush()

    def flush(self) -> None:
        """Write what has been collected."""
        waiting, self._waiting = self._waiting, []
        self._history.extend(waiting)

    def merge(self) -> None:
        """Write what has been collected: the history is merged at the end."""
        self.flush()


class _InMemory:
    """The parameter files of a bot that nobody runs: the newest set, kept in memory."""

    def __init__(self, before: ParameterSet | None) -> None:
        self._set = before

    def read(self, coin: str) -> ParameterSet:
        """Return the newest set; raise MissingParametersError if there is none."""
        if self._set is None:
            raise MissingParametersError(f"{coin}: nothing published yet")
        return self._set

    def publish(self, sets: Mapping[str, ParameterSet]) -> None:
        """Replace the set."""
        for one in sets.values():
            self._set = one


class _Rounds:
    """Refits at given moments, by a runner that is started anew after each pause."""

    def __init__(
        self,
        store: ShardStore,
        rows: RecordedRows,
        settings: Settings,
        history: CalibrationHistory,
        writer: _Writer,
        plan: RecalibrationPlan,
    ) -> None:
        self._store = store
        self._rows = rows
        self._settings = settings
        self._history = history
        self._writer = writer
        self._plan = plan
        self._now_ms = 0
        self._runner: PeriodicRunner | None = None

    def refit(self, moment_ms: int) -> None:
        if self._runner is None or moment_ms - self._now_ms != self._plan.step_ms:
            self._runner = self._started(moment_ms)
        self._now_ms = moment_ms
        self._runner.refit_all(hurried=False)

    def _started(self, moment_ms: int) -> PeriodicRunner:
        settings, coin = self._settings, self._rows.coin
        self._writer.flush()
        options = RunnerOptions(
            coins=(coin,),
            window_minutes=settings.window_minutes,
            max_window_minutes=settings.max_window_minutes,
            interval_seconds=self._plan.step_seconds,
            market_clock=self._plan.market_clock,
        )
        return PeriodicRunner(
            options,
            settings,
            self._store,
            _InMemory(_newest_before(self._history, coin, moment_ms)),
            self._writer,
            self._clock,
            lambda _: RowsAsOf(self._rows, settings.window_minutes, self._clock),
        )

    def _clock(self) -> float:
        return self._now_ms / 1000


def _newest_before(history: CalibrationHistory, coin: str, moment_ms: int) -> ParameterSet | None:
    (row,) = history.parameters_at(coin, [moment_ms - 1]).to_pylist()
    if row["calibration_id"] is None:
        return None
    with suppress(ValueError):
        return parameter_set_of(coin, row)
    return None


def _note_origin(
    store: ShardStore,
    coin: str,
    settings: Settings,
    history: CalibrationHistory,
    plan: RecalibrationPlan,
) -> None:
    """Write down what the history is made of, or refuse to mix it with something else.

    Raises
    ------
    InputError
        The history holds other refits, or cannot be written.
    """
    origin = {
        "data_dir": str(store.data_dir.resolve()),
        "step_seconds": plan.step_seconds,
        "market_clock": plan.market_clock,
        **{name: getattr(settings, name) for name in _FITTED_WITH},
    }
    try:
        history.directory.mkdir(parents=True, exist_ok=True)
        note = writable_coin_folder(history.directory, coin) / _NOTE
        if note.exists():
            found = json.loads(note.read_text(encoding="utf-8"))
        elif history.newest_day(coin) is None:
            note.parent.mkdir(exist_ok=True)
            write_json_atomically(note, {"version": ORIGIN_VERSION, **origin})
            return
        else:
            raise InputError(
                f"{str(note.parent)!r} holds refits that were not made from a recording: name "
                "another folder with --history"
            )
    except OSError as error:
        raise InputError(
            f"calibration history {str(history.directory)!r} cannot be written "
            f"({error.strerror or error}): correct its permissions or name another with --history"
        ) from error
    except ValueError as error:
        raise InputError(f"{str(note)!r} cannot be read ({error}): delete its folder") from error
    version = check_version(found.get("version"), ORIGIN_VERSION, repr(str(note)))
    if version != ORIGIN_VERSION:
        raise InputError(
            f"{str(note.parent)!r} was made by an earlier version of this program: delete this "
            "folder to make it anew, or name another with --history"
        )
    for name, value in origin.items():
        if found.get(name) != value:
            raise InputError(
                f"{str(note.parent)!r} was made with {name} {found.get(name)!r}, not {value!r}: "
                "delete this folder to make it anew, or name another with --history"
            )


def _worst(parameters: ParameterSet) -> str:
    return max((entry.status for entry in parameters.entries[:3]), key=_ORDER.index)


def _utc(moment_ms: int) -> datetime:
    return datetime.fromtimestamp(moment_ms / 1000, UTC)
