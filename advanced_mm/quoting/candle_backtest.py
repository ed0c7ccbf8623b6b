"""What a backtest on candles needs beside the quoter: past parameters, a touch, and what to say."""

import logging
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from advanced_mm.bad_rows import BadRows
from advanced_mm.errors import InputError
from advanced_mm.parameter_files import ParameterFiles, Settings
from advanced_mm.parameter_files.history import (
    HISTORY_FOLDER,
    RECALIBRATED_FOLDER,
    CalibrationHistory,
)
from advanced_mm.price_grid import PriceGrid
from advanced_mm.quoting.history_feed import HistoryFeed
from advanced_mm.quoting.parameter_feed import ParameterFeed
from advanced_mm.quoting.quoter import Touch

__all__ = ["CandleBacktest", "caveats"]

logger = logging.getLogger(__name__)

_ON_GRID: Final = 1e-6
"""A price this share of a tick from the grid is on it; the rest is a float's error."""


class CandleBacktest:
    """Prices candles with the parameters of their time, or with fixed ones where that is allowed.

    A coin's history is the one made afterwards of a recording if there is one, otherwise that of
    the runner.

    Parameters
    ----------
    settings
        ``backtest_parameters`` decides, ``max_published_age_seconds`` says what is too old.
    folder
        Folder of the parameter files and of the histories.
    """

    def __init__(self, settings: Settings, folder: Path, bad_rows: BadRows) -> None:
        self._settings = settings
        self._files = ParameterFiles(folder, bad_rows)
        folders = (folder / RECALIBRATED_FOLDER, folder / HISTORY_FOLDER)
        self._histories = [CalibrationHistory(path) for path in folders]

    @property
    def fixed(self) -> bool:
        """Whether all candles are priced with the parameters published last."""
        return self._settings.backtest_parameters == "published"

    def feed(self, coin: str) -> ParameterFeed | HistoryFeed:
        """Return the source of a coin's parameters."""
        if self.fixed:
            return ParameterFeed(self._files, coin)
        return HistoryFeed(self._history(coin), coin)

    def require(self, coins: Iterable[str]) -> str:
        """Return what the candles are priced with, in words.

        Raises
        ------
        InputError
            A coin has no history; the message names the command that makes one.
        ParameterFileError
            All candles are to be priced with published parameters, and a coin has none.
        """
        if self.fixed:
            for coin in coins:
                self._files.read(coin)
            return (
                "market_making.backtest_parameters = published: all candles are priced with the "
                "parameters published last, which know the candles' future"
            )
        sources = []
        for coin in coins:
            history = self._history(coin)
            if history.newest_day(coin) is None:
                raise InputError(f"{coin} has no calibration history: {self._remedy(coin)}")
            sources.append(f"{history.directory} ({coin})")
        return (
            "each candle is priced with the parameters published by then, from "
            f"{', '.join(sources)}"
        )

    def require_overlap(self, coin: str, starts: NDArray[np.datetime64]) -> None:
        """Log which share of the candles that start then (UTC) has fresh parameters.

        Raises
        ------
        InputError
            None has.
        """
        if self.fixed or not len(starts):
            return
        age = self._settings.max_published_age_seconds
        history = self._history(coin)
        fresh = int(HistoryFeed(history, coin).fresh(starts, age).sum())
        first, last = (str(bound.astype("datetime64[m]")) for bound in (starts[0], starts[-1]))
        if not fresh:
            raise InputError(
                f"{coin}: {history.directory} has no parameters for the candles from {first} to "
                f"{last} UTC: {self._remedy(coin)}"
            )
        logger.info(
            "%s: %d of %d candles have parameters published within %g s; there are no entries on "
            "the others",
            coin,
            fresh,
            len(starts),
            age,
        )

    def see(
        self, feed: ParameterFeed | HistoryFeed, grid: PriceGrid, rate: float, now: datetime
    ) -> tuple[Touch, datetime]:
        """Return the touch that a rate stands for, and the time to decide at.

        A candle knows no spread, so the touch is the prices of the grid next to the rate, which is
        taken for the mid. Fixed parameters are used as if it were always the time they were
        published at, or they would be too old or from the future.
        """
        if isinstance(feed, HistoryFeed):
            feed.move_to(now)
        else:
            now = feed.latest().kappa.published_at
        tick = grid.tick(rate)
        steps = rate / tick
        on_grid = abs(steps - round(steps)) < _ON_GRID
        bid = round(steps - 1) if on_grid else np.floor(steps)
        half = rate - bid * tick
        return Touch(bid=rate - half, ask=rate + half, at=now), now

    def _history(self, coin: str) -> CalibrationHistory:
        made, kept = self._histories
        return kept if made.newest_day(coin) is None else made

    def _remedy(self, coin: str) -> str:
        return (
            "make one of the recording with `python scripts/recalibrate_recording.py --crypto "
            f"{coin}`, or set market_making.backtest_parameters to published to price all candles "
            "with the parameters published last, which know their future."
        )


def caveats(kind: str | None, commands: Sequence[str]) -> tuple[str, str]:
    """Return the two lines that are said at the start and at the end of a backtest.

    Parameters
    ----------
    kind
        Of the candles, None if they are not of a recording.
    commands
        Of the replay, one for each coin.
    """
    if kind is None:
        reached = (
            "where an order is filled if a candle's range has its price; "
            "scripts/recording_to_freqtrade.py makes candles of a recording"
        )
    else:
        other = "through" if kind == "touch" else "touch"
        reached = (
            f"on {kind!r} candles; a run on {other!r} ones shows what the fill rule alone changes"
        )
    return (
        "A backtest on candles makes at most one entry a minute, fills orders whole, and knows no "
        f"queue and no latency, {reached}.",
        f"For the same quotes on every recorded tick, with all of these: {'; '.join(commands)}",
    )
