"""One trial: a stretch of the recording replayed with given settings."""

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np

from advanced_mm.calibration.windows.coverage import Stretches
from advanced_mm.parameter_files import Settings
from advanced_mm.parameter_files.history import CalibrationHistory
from advanced_mm.replay.as_of import decision_table
from advanced_mm.replay.backtest import Backtest
from advanced_mm.replay.decisions import DecisionTable
from advanced_mm.replay.options import Queue, ReplayOptions
from advanced_mm.replay.result import ReplayResult
from advanced_mm.replay.run import replay
from advanced_mm.replay.summary import covered_between, profit_by_piece
from advanced_mm.replay.sweeps.folds import Span
from advanced_mm.replay.sweeps.objectives import Outcome

__all__ = ["Job", "Source", "backtest_of", "evaluate", "outcome_of"]

_BY_THE_MAKER: Final = (
    *("min_quote_age_seconds", "requote_ticks", "max_quote_age_seconds"),
    *("max_book_age_seconds", "fee_rate"),
)
"""Settings that the maker reads; `_table_key` tells which of them the table reads too."""
_TABLES_KEPT: Final = 64


@dataclass(frozen=True)
class Source:
    """What is replayed, the same for all trials; a worker loads it once.

    Attributes
    ----------
    data_dir, coin, history
        The recording, and the folder of its refits.
    since_ms, until_ms
        Exchange ms; None is all of the recording.
    stake
        Of an order, quote currency.
    look_ms, latency_ms
        See `ReplayOptions`.
    """

    data_dir: Path
    coin: str
    history: Path
    since_ms: int | None = None
    until_ms: int | None = None
    stake: float = 100.0
    look_ms: int = 1000
    latency_ms: float = 50.0


@dataclass(frozen=True)
class Job:
    """A stretch to be replayed with some settings under one assumption about the queue."""

    source: Source
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
    options = replace(
        ReplayOptions.of_settings(
            job.settings,
            size=backtest.order_size(job.source.stake),
            look_ms=job.source.look_ms,
            latency_ms=job.source.latency_ms,
        ),
        start_ms=job.span.start_ms,
        end_ms=job.span.end_ms,
    )
    table = _table(job.source, _table_settings(job.settings).model_dump_json(), job.span)
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
    )


def _table_settings(settings: Settings) -> Settings:
    """The settings without what only the maker reads, so that tables are shared."""
    fields = Settings.model_fields
    defaults = {name: fields[name].default for name in _BY_THE_MAKER if name != "fee_rate"}
    return settings.model_copy(update=defaults)


def outcome_of(result: ReplayResult) -> Outcome:
    """Return what a replay earned, minute by minute, and what it held and quoted."""
    _, hours, net = profit_by_piece(result)
    equity = np.concatenate([[0.0], np.cumsum(net)])
    return Outcome(
        net=net,
        hours=float(hours.sum()),
        drawdown=float(np.max(np.maximum.accumulate(equity) - equity)),
        at_limits=_at_limits_hours(result),
        quotes=len(result.quotes),
        filled=len(np.unique(result.fills["quote"])),
        fills=len(result.fills),
    )


def _at_limits_hours(result: ReplayResult) -> float:
    """Hours with data at the highest or lowest inventory, unless that is none."""
    covered: Stretches = covered_between(result.data, result.start_ms, result.end_ms)
    size = result.options.size
    units = np.rint(np.concatenate([[0.0], result.position_after]) / size)
    low, high = result.decisions.q_min, result.decisions.q_max
    limited = ((units >= high) & (high > 0)) | ((units <= low) & (low < 0))
    times = np.concatenate([[result.start_ms], result.time_ms, [result.end_ms]])
    spent = np.diff(covered.covered_ms(times))
    return float(spent[limited].sum()) / 3_600_000
