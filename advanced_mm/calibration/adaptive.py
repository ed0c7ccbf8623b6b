"""Windows of thin coins: grown until the gates are met, shrunk when less data suffice."""

import logging
import math
from dataclasses import dataclass
from typing import Protocol

from advanced_mm.bad_rows import BadRows
from advanced_mm.calibration.calibrate import CalibrationOptions, CoinCalibration, calibrate
from advanced_mm.calibration.rolling import last_minutes
from advanced_mm.errors import InputError
from advanced_mm.marketdata.records import Recording

__all__ = ["AdaptiveWindow", "WindowRows", "needed_growth"]

logger = logging.getLogger(__name__)

_LOOK_EVERY = 8
"""Fits between checks whether a grown window may shrink; each check costs a fit."""
_SPARE = 1.5
"""A window is halved if half of it divided by this would suffice, so that it does not oscillate."""
_MOST_BYTES = 4_000_000
"""Limit on the rows of one coin: it may have dense quotes but few orders."""


class WindowRows(Protocol):
    """A coin's newest minutes: a `RollingWindow`, or a recording as it was known at a moment."""

    coin: str
    minutes: float
    keep_minutes: float

    def update(self) -> Recording:
        """Return the rows of the last ``minutes``, including new ones."""

    def has_older_rows(self, minutes: float) -> bool:
        """Return whether there are rows older than the last ``minutes``."""

    @property
    def bad_rows(self) -> BadRows:
        """Rows that were dropped."""

    @property
    def held_bytes(self) -> int:
        """Size of the rows in memory, bytes."""


def needed_growth(calibration: CoinCalibration, options: CalibrationOptions) -> float:
    """Return the factor by which the window must grow, at steady rates, to meet the gates.

    Only gates on counts are used: covered time and, on each side, the market orders needed for
    epsilon and those beyond the touch needed for kappa. Significance is not a gate here, because a
    market without adverse selection would never reach it. Infinite if a count is 0.
    """
    needed = options.needed_seconds(calibration.window_seconds)
    gates = [(needed, calibration.observed_seconds)]
    gates += [(float(options.impact.min_orders), float(n)) for n in calibration.n]
    gates += [(float(options.fill_curve.min_walked), float(n1)) for n1 in calibration.n1]
    return max(need / found if found > 0 else math.inf for need, found in gates)


@dataclass
class AdaptiveWindow:
    """Fits one coin on ``base_minutes``, or on the shortest longer window that meets the gates.

    A window with too little data is doubled, as often at once as the rates require, up to
    ``max_minutes``, 4 MB of rows or the recording's start, and keeps its length. Every few fits a
    third of a grown window is tried; if that meets the gates, the window is halved.

    Parameters
    ----------
    rolling : WindowRows
        The coin's rows; its length is set here.
    base_minutes, max_minutes : float
        Window of a coin with enough data, and the longest window. If the longest is below the base,
        windows are not grown.
    options : CalibrationOptions, optional
        The estimators and their gates.
    """

    rolling: WindowRows
    base_minutes: float
    max_minutes: float
    options: CalibrationOptions | None = None

    def __post_init__(self) -> None:
        self.minutes = self.base_minutes
        self._fits_since_look = 0

    def fit(self, *, may_grow: bool = True) -> CoinCalibration:
        """Read new rows and fit.

        Parameters
        ----------
        may_grow : bool
            Whether there is time to read older rows now.

        Raises
        ------
        InputError
            If the recording is missing, has no rows yet or cannot be fitted at all.
        """
        recording = self.rolling.update()
        if recording.newest_ms is None:
            raise InputError(
                f"{self.rolling.coin}: no rows recorded yet; waiting for the collector"
            )
        calibration = self._fit(recording, self.minutes)
        while may_grow and (longer := self._longer(calibration)) > self.minutes:
            self.minutes = self.rolling.minutes = longer
            self._fits_since_look = 0
            recording = self.rolling.update()
            calibration = self._fit(recording, self.minutes)
        self._shrink_if_enough(recording)
        self.rolling.minutes = self.minutes
        wanting = self._growth(calibration) > 1 and self.rolling.held_bytes < _MOST_BYTES
        self.rolling.keep_minutes = min(2 * self.minutes, self.max_minutes) if wanting else 0.0
        return calibration

    def _fit(self, recording: Recording, minutes: float) -> CoinCalibration:
        return calibrate(
            last_minutes(recording, minutes), window_minutes=minutes, options=self.options
        )

    def _growth(self, calibration: CoinCalibration) -> float:
        return needed_growth(calibration, self.options or CalibrationOptions())

    def _longer(self, calibration: CoinCalibration) -> float:
        """Return the window (minutes) that the gates require, the current one if none helps."""
        growth, minutes = self._growth(calibration), self.minutes
        if growth <= 1 or not self.rolling.has_older_rows(minutes):
            return minutes
        affordable = minutes * _MOST_BYTES / max(self.rolling.held_bytes, 1)
        while minutes < min(growth * self.minutes, self.max_minutes):
            longer = min(2 * minutes, self.max_minutes)
            if longer > affordable:
                logger.debug(
                    "%s: %g minutes hold too little data, twice as many exceed the limit on rows",
                    self.rolling.coin,
                    minutes,
                )
                break
            minutes = longer
        return max(self.minutes, minutes)

    def _shrink_if_enough(self, recording: Recording) -> None:
        """Halve a grown window for the next fits if well under half meets the gates."""
        self._fits_since_look += 1
        if self.minutes <= self.base_minutes or self._fits_since_look < _LOOK_EVERY:
            return
        self._fits_since_look = 0
        half = max(self.minutes / 2, self.base_minutes)
        if self._growth(self._fit(recording, half / _SPARE)) <= 1:
            self.minutes = half
