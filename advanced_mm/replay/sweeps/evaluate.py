"""One trial: a stretch of the recording replayed with given settings."""

import hashlib
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from advanced_mm.coin_folders import coin_folder
from advanced_mm.marketdata.records import Float1D, Int1D
from advanced_mm.parameter_files import Settings
from advanced_mm.parameter_files.history import CalibrationHistory
from advanced_mm.replay.as_of import decision_table
from advanced_mm.replay.backtest import Backtest
from advanced_mm.replay.decisions import DecisionTable
from advanced_mm.replay.figures import covered_part, profit_by_piece
from advanced_mm.replay.options import Queue, ReplayOptions
from advanced_mm.replay.result import ReplayResult
from advanced_mm.replay.run import replay
from advanced_mm.replay.sweeps.folds import Span
from advanced_mm.replay.sweeps.objectives import Outcome

__all__ = ["Conditions", "Job", "Source", "backtest_of", "evaluate", "outcome_of"]

_BY_THE_MAKER: Final = (
    *("min_quote_age_seconds", "requote_loss_percent", "requote_ticks"),
    *("max_quote_age_seconds", "max_book_age_seconds"),
)
"""Settings that the maker reads and the table does not."""
_TABLES_KEPT: Final = 64
_MINUTE_MS: Final = 60_000


@dataclass(frozen=True)
class Source:
    """What is replayed, the same for all trials; a process loads it once.

    Attributes
    ----------
    data_dir, coin, history
        The recording, and the folder of its refits.
    since_ms, until_ms
        Exchange ms; None is all of the recording.
    key
        Of the files' names and sizes and the refits' times: what was loaded before is loaded again
        if they have changed.
    """

    data_dir: Path
    coin: str
    history: Path
    since_ms: int | None = None
    until_ms: int | None = None
    key: str = field(default="", init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", self._key())

    def _key(self) -> str:
        digest = hashlib.sha256()
        for path in sorted(coin_folder(self.data_dir, self.coin).glob("[!r]*/*.parquet")):
            digest.update(f"{path.parent.name}/{path.name} {path.stat().st_size}\n".encode())
        for path in sorted(coin_folder(self.history, self.coin).glob("*.*")):
            digest.update(f"{path.name} {path.stat().st_size} {path.stat().st_mtime_ns}\n".encode())
        return digest.hexdigest()[:16]


@dataclass(frozen=True)
class Conditions:
    """How orders trade: stake of an order (quote currency), rhythm, latency of orders and books."""

    stake: float = 100.0
    look_ms: int = 1000
    latency_ms: float = 50.0


@dataclass(frozen=True)
class Job:
    """A stretch to be replayed with some settings under one assumption about the queue."""

    source: Source
    conditions: Conditions
    settings: Settings
    span: Span
    queue: Queue


def evaluate(job: Job) -> Outcome:
    """Replay a stretch; the recording and decisions on it are kept for the next trial.

    Raises
    ------
    InputError
        The recording or its history cannot be used.
    """
    backtest = backtest_of(job.source)
    options = ReplayOptions.of_settings(
        job.settings,
        size=backtest.order_size(job.conditions.stake),
        look_ms=job.conditions.look_ms,
        latency_ms=job.conditions.latency_ms,
        feed_latency_ms=job.conditions.latency_ms,
        start_ms=job.span.start_ms,
        end_ms=job.span.end_ms,
    )
    decided = _of_the_table(options.with_age(job.settings))
    table = _table(job.source, decided.model_dump_json(), job.span)
    return outcome_of(replay(backtest.data, table, options, job.queue))


@lru_cache(maxsize=2)
def backtest_of(source: Source) -> Backtest:
    """Load a recording and its refits, once in each process.

    Raises
    ------
    InputError
        There are none.
    """
    return Backtest.load(
        source.data_dir,
        source.coin,
        CalibrationHistory(source.history),
        source.since_ms,
        source.until_ms,
    )


@lru_cache(maxsize=_TABLES_KEPT)
def _table(source: Source, settings: str, span: Span) -> DecisionTable:
    backtest = backtest_of(source)
    assert backtest.refits is not None
    return decision_table(
        backtest.refits,
        Settings.model_validate_json(settings),
        backtest.mids,
        span.start_ms,
        span.end_ms,
        backtest.data.grid,
    )


def _of_the_table(settings: Settings) -> Settings:
    """The settings without what only the maker reads, so that tables are shared."""
    fields = Settings.model_fields
    return settings.model_copy(update={name: fields[name].default for name in _BY_THE_MAKER})


def outcome_of(result: ReplayResult) -> Outcome:
    """Return what a replay earned, minute by minute, and what it held and quoted."""
    start, hours, net = profit_by_piece(result, _MINUTE_MS)
    equity = np.concatenate([[0.0], np.cumsum(net)])
    position = np.concatenate([[0.0], result.position_after])
    times = np.concatenate([[result.start_ms], result.time_ms, [result.end_ms]])
    held = np.diff(covered_part(result).covered_ms(times)) / _MINUTE_MS
    return Outcome(
        net=net,
        hours=float(hours.sum()),
        drawdown=float(np.max(np.maximum.accumulate(equity) - equity)),
        at_limits=float(held[_at_limit(result, position)].sum()) / 60,
        inventory_risk=_minute_deviation(result, start)
        * float(np.sqrt(np.sum(position**2 * held))),
        quotes=len(result.quotes),
        filled=len(np.unique(result.fills["quote"])),
        fills=len(result.fills),
    )


def _at_limit(result: ReplayResult, position: Float1D) -> NDArray[np.bool_]:
    """Whether each position is the highest or lowest allowed, unless that is none."""
    units = np.rint(position / result.options.size)
    low, high = result.decisions.q_min, result.decisions.q_max
    return np.asarray(((units >= high) & (high > 0)) | ((units <= low) & (low < 0)))


def _minute_deviation(result: ReplayResult, start_ms: Int1D) -> float:
    """The standard deviation of the mid's change from minute to minute, quote currency."""
    together = np.diff(start_ms) == _MINUTE_MS
    mid, _ = result.mids.at(start_ms)
    changes = np.diff(mid)[together]
    changes = changes[np.isfinite(changes)]
    return float(np.std(changes)) if len(changes) > 1 else 0.0
