"""Hyperopt's objective by tick replay: what the epoch's settings would have earned, less risk."""

import inspect
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from freqtrade.constants import Config
from freqtrade.exceptions import OperationalException
from freqtrade.optimize.hyperopt import IHyperOptLoss
from pandas import DataFrame

from advanced_mm.errors import AdvancedMMError, InputError
from advanced_mm.markets.candle_notes import NOTES_FILE, CandleNotes
from advanced_mm.parameter_files.history import RECALIBRATED_FOLDER
from advanced_mm.replay import Queue
from advanced_mm.replay.sweeps import (
    Conditions,
    Job,
    Outcome,
    Source,
    Span,
    backtest_of,
    evaluate,
)

RISK_WEIGHT = 1.0
DRAWDOWN_WEIGHT = 1.0
QUEUE: Queue = "model"
LOOK_MS = 1000
LATENCY_MS = 50.0
MINUTE = timedelta(minutes=1)


class TickReplayHyperOptLoss(IHyperOptLoss):
    """Minus what the tick replay earned after a charge for risk, percent of the starting balance.

    The recording that the candles were made of (``scripts/recording_to_freqtrade.py``) is replayed
    from the first candle to the last, with the settings of the epoch, the parameters published by
    each moment (``scripts/recalibrate_recording.py``) and orders of the candle backtest's median
    stake. Its P&L is charged one standard deviation of what the price alone would have given to the
    positions held, and its largest drawdown.

    The candle backtest still runs before each epoch, and must make at least ``--min-trades``
    trades; its result counts for nothing.
    """

    @staticmethod
    def hyperopt_loss_function(
        *,
        results: DataFrame,
        trade_count: int,
        min_date: datetime,
        max_date: datetime,
        config: Config,
        processed: dict[str, DataFrame],
        backtest_stats: dict[str, Any],
        starting_balance: float,
        **kwargs: Any,
    ) -> float:
        """Return the loss; smaller is better."""
        strategy = strategy_of_caller()
        stake = float(results["stake_amount"].median()) if trade_count else 0.0
        try:
            outcomes = [
                replayed(config, strategy, pair, stake, min_date, max_date) for pair in processed
            ]
        except AdvancedMMError as error:
            raise OperationalException(str(error)) from error
        loss = -100.0 * sum(worth(outcome) for outcome in outcomes) / starting_balance
        return loss + 0.0  # -0.0, of settings that quote nothing, is printed as 0


def worth(outcome: Outcome) -> float:
    """Return the net P&L less the charge for risk, quote currency."""
    charge = RISK_WEIGHT * outcome.inventory_risk + DRAWDOWN_WEIGHT * outcome.drawdown
    return float(outcome.net.sum()) - charge


def replayed(
    config: Config, strategy: Any, pair: str, stake: float, start: datetime, end: datetime
) -> Outcome:
    """Replay the recording of a pair's candles with the strategy's settings of this epoch.

    Raises
    ------
    InputError
        The candles were not made from a recording, or it has no history of parameters.
    """
    notes = CandleNotes.read(Path(config["datadir"]))
    if notes is None or pair not in notes.pairs:
        raise InputError(
            f"TickReplayHyperOptLoss: {Path(config['datadir']) / NOTES_FILE} names no recording of "
            f"{pair}; make its candles with scripts/recording_to_freqtrade.py."
        )
    made_of = notes.pairs[pair]
    folder = strategy.settings.parameter_folder(Path(config["user_data_dir"]))
    first, last = (round(moment.timestamp() * 1000) for moment in (start, end + MINUTE))
    source = Source(
        data_dir=Path(made_of.data_dir),
        coin=made_of.coin,
        history=folder / RECALIBRATED_FOLDER,
        since_ms=first,
        until_ms=last,
    )
    backtest = backtest_of(source)
    mid = backtest.mids.at(backtest.start_ms) or float(backtest.mids.mid[0])
    settings = strategy.tuned_settings(mid)
    span = Span(backtest.start_ms, backtest.end_ms)
    conditions = Conditions(stake, LOOK_MS, LATENCY_MS)
    return evaluate(Job(source, conditions, settings, span, QUEUE))


def strategy_of_caller() -> Any:
    """Return the strategy whose parameters Freqtrade has set for this epoch.

    A loss function is not given it. Its caller, Freqtrade's ``HyperOptimizer``, has it, in this
    process.

    Raises
    ------
    OperationalException
        The caller is something else.
    """
    frame = inspect.currentframe()
    while frame is not None:
        caller = frame.f_locals.get("self")
        strategy = getattr(getattr(caller, "backtesting", None), "strategy", None)
        if strategy is not None:
            if hasattr(strategy, "tuned_settings"):
                return strategy
            raise OperationalException(
                f"TickReplayHyperOptLoss needs the strategy Market_Making, not {strategy}."
            )
        frame = frame.f_back
    raise OperationalException(
        "TickReplayHyperOptLoss: this version of Freqtrade calls the loss from somewhere else "
        "than its HyperOptimizer, so that the epoch's parameters are not known."
    )
