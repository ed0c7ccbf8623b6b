"""The window of a thin coin: as long as its gates need, as short as its data allow."""

import logging
import math
from dataclasses import dataclass

from advanced_mm.calibration.calibrate import CalibrationOptions, CoinCalibration, calibrate
from advanced_mm.calibration.rolling import RollingWindow, last_minutes
from advanced_mm.errors import InputError
from advanced_mm.marketdata.records import Recording

__all__ = ["AdaptiveWindow", "needed_growth"]

logger = logging.getLogger(__name__)

_LOOK_EVERY = 8
"""Fits between two looks whether a grown window may shrink: each look costs a fit."""
_SPARE = 1.5
"""A window shrinks to half when this much less than half would do, so it does not flap."""
_MOST_BYTES = 4_000_000
"""More rows of one coin than this are not read: its quotes are dense, its orders few."""


def needed_growth(calibration: CoinCalibration, options: CalibrationOptions) -> float:
    """Return by what factor the window must grow, at steady rates, until the gates are met.

    The gates are those of counts: covered time, and on each side the market orders that epsilon
    needs and those beyond the touch that kappa needs. Significance is no gate here, or a market
    without adverse selection would never have enough. Infinite where there is nothing to count.
    """
    needed = options.needed_seconds(calibration.window_seconds)
    gates = [(needed, calibration.observed_seconds)]
    gates += [(float(options.impact.min_orders), float(n)) for n in calibration.n]
    gates += [(float(options.fill_curve.min_walked), float(n1)) for n1 in calibration.n1]
    return max(need / found if found > 0 else math.inf for need, found in gates)


@dataclass
class AdaptiveWindow:
    """Fits one coin on ``base_minutes``, or on the shortest longer window that meets the gates.

    A window that held too little is doubled, at once as often as the rates ask for, up to
    ``max_minutes`` or 4 MB of rows and not beyond the recording's start, and its length is
    remembered. Now and then
    a third of a grown window is tried; where that meets the gates the window is halved.

    Parameters
    ----------
    rolling : RollingWindow
        The coin's rows; it is told how many to hold.
    base_minutes, max_minutes : float
        The window of a coin with enough data, and the longest. A longest below the base means that
        windows are not grown.
    options : CalibrationOptions, optional
        The estimators and their gates.
    """

    rolling: RollingWindow
    base_minutes: float
    max_minutes: float
    options: CalibrationOptions | None = None

    def __post_init__(self) -> None:
        self.minutes = self.base_minutes
        self._fits_since_look = 0

    def fit(self, *, may_grow: bool = True) -> CoinCalibration:
        """Take in new rows and fit.

        Parameters
        ----------
        may_grow : bool
            Whether there is time to read more of the past now.

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
        """Return the window that the gates ask for, the present one where none helps."""
        growth, minutes = self._growth(calibration), self.minutes
        if growth <= 1 or not self.rolling.has_older_rows(minutes):
            return minutes
        affordable = minutes * _MOST_BYTES / max(self.rolling.held_bytes, 1)
        while minutes < min(growth * self.minutes, self.max_minutes):
            longer = min(2 * minutes, self.max_minutes)
            if longer > affordable:
                logger.debug(
                    "%s: %g minutes hold too little, and twice as many are more rows than are read",
                    self.rolling.coin,
                    minutes,
                )
                break
            minutes = longer
        return max(self.minutes, minutes)

    def _shrink_if_enough(self, recording: Recording) -> None:
        """Halve a grown window, for the fits to come, where well under half meets the gates."""
        self._fits_since_look += 1
        if self.minutes <= self.base_minutes or self._fits_since_look < _LOOK_EVERY:
            return
        self._fits_since_look = 0
        half = max(self.minutes / 2, self.base_minutes)
        if self._growth(self._fit(recording, half / _SPARE)) <= 1:
            self.minutes = half
