"""All estimators applied to one coin's window."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from math import nan
from time import perf_counter

import numpy as np

from advanced_mm.calibration.estimators.arrivals import ArrivalEstimator, ArrivalFit
from advanced_mm.calibration.estimators.fair_price import FairPriceEstimator, FairPriceFit
from advanced_mm.calibration.estimators.fill_curve import FillCurveEstimator, FillCurveFit
from advanced_mm.calibration.estimators.fill_impact import (
    DepthProfile,
    FillImpactEstimator,
    FillImpactFit,
)
from advanced_mm.calibration.estimators.impact import ImpactEstimator, ImpactFit
from advanced_mm.calibration.estimators.pareto import ParetoEstimator, ParetoFit
from advanced_mm.calibration.estimators.volatility import VolatilityEstimator
from advanced_mm.calibration.windows.bootstrap import BlockBootstrap
from advanced_mm.calibration.windows.channels import quiet_seconds, silent_channels
from advanced_mm.calibration.windows.estimate import Estimate, Sides, Status, worse, worst_status
from advanced_mm.calibration.windows.window import Window, WindowOptions
from advanced_mm.errors import InputError
from advanced_mm.marketdata.records import Quotes, Recording
from advanced_mm.parameter_files import Settings
from advanced_mm.parameter_files.entries import Anchor
from advanced_mm.parameter_files.settings import FairPrice

__all__ = ["CalibrationOptions", "CoinCalibration", "calibrate"]

MAX_WINDOW_MINUTES = 100_000  # ten weeks; a longer window is a typing error

_WHOLE = 0.95
"""Share from which a window counts as covered, since its first row comes after its start."""

_LAST_ROWS = 100


@dataclass(frozen=True)
class CalibrationOptions:
    """The estimators with their options, and the least covered time required for a fit."""

    min_observed_seconds: float = 300.0
    window: WindowOptions = field(default_factory=WindowOptions)
    arrivals: ArrivalEstimator = field(default_factory=ArrivalEstimator)
    fill_curve: FillCurveEstimator = field(default_factory=FillCurveEstimator)
    impact: ImpactEstimator = field(default_factory=ImpactEstimator)
    fill_impact: FillImpactEstimator = field(default_factory=FillImpactEstimator)
    pareto: ParetoEstimator = field(default_factory=ParetoEstimator)
    volatility: VolatilityEstimator = field(default_factory=VolatilityEstimator)
    fair_price: FairPriceEstimator = field(default_factory=FairPriceEstimator)

    @classmethod
    def bootstrapped(cls, bootstrap: BlockBootstrap | None = None) -> "CalibrationOptions":
        """Return the defaults with bootstrap errors and intervals for all fill curve estimates.

        Arrivals keep Garwood's interval, widened for bursts, and epsilon its HC1 errors.
        """
        drawing = bootstrap or BlockBootstrap()
        return cls(
            fill_curve=FillCurveEstimator(bootstrap=drawing),
            fill_impact=FillImpactEstimator(bootstrap=drawing),
            pareto=ParetoEstimator(bootstrap=drawing),
        )

    def needed_seconds(self, window_seconds: float) -> float:
        """Return the least covered time (seconds) required of a window of ``window_seconds``.

        A window only as long as the requirement never covers it to the last second.
        """
        least = self.min_observed_seconds
        return _WHOLE * least if window_seconds <= least / _WHOLE else least

    def unmerged(self, block_seconds: float | None) -> "CalibrationOptions":
        """Return these options with the merging of orders within blocks of that length undone.

        Only feeds without transaction codes are affected; None disables the correction.

        Raises
        ------
        InputError
            If ``block_seconds`` does not lie between 0 and 1.
        """
        return replace(
            self,
            arrivals=replace(self.arrivals, block_seconds=block_seconds),
            fill_curve=replace(self.fill_curve, block_seconds=block_seconds),
            impact=replace(self.impact, block_seconds=block_seconds),
        )

    def configured(self, settings: Settings) -> "CalibrationOptions":
        """Return these options with what a bot's settings say about its calibration."""
        ahead = self.looking_ahead(settings.fair_price_horizon_seconds)
        return ahead.unmerged(settings.block_seconds)

    def looking_ahead(self, seconds: float) -> "CalibrationOptions":
        """Return these options with the fair price fitted to moves over that time.

        Raises
        ------
        InputError
            If it is shorter than the time between two looks at the book, half a second.
        """
        return replace(self, fair_price=replace(self.fair_price, horizon_ms=round(seconds * 1000)))


@dataclass(frozen=True)
class FairFits:
    """The estimates that depend on whether quotes are set around the mid or the fair price."""

    fill_curve: Sides[FillCurveFit]
    impact: ImpactFit
    fill_impact: FillImpactFit


@dataclass(frozen=True)
class CoinCalibration:
    """Estimates of one coin from one window.

    ``end_ms`` is the exchange time at which the window ends, ``sound_ms`` the newest exchange time
    used in the fit; it is older if some channels are ``silent`` now while others are active.
    ``quiet`` holds, by channel, the seconds of the window in which it was silent. ``mid`` is the
    newest valid mid and ``tick`` the price step (quote currency); ``n`` counts market orders and
    ``n1`` those beyond the touch. ``cost_ms`` is the duration of the fit without reading.
    """

    coin: str
    end_ms: int
    window_seconds: float
    observed_seconds: float
    mid: float
    tick: float
    n: Sides[int]
    n1: Sides[int]
    arrivals: Sides[ArrivalFit]
    fill_curve: Sides[FillCurveFit]
    impact: ImpactFit
    fill_impact: FillImpactFit
    pareto: Sides[ParetoFit]
    volatility: Estimate
    fair_price: FairPriceFit
    cost_ms: float
    clock_offset_s: float = nan
    sound_ms: int = 0
    silent: tuple[str, ...] = ()
    quiet: Mapping[str, float] = field(default_factory=dict)
    anchor: Anchor = "mid"
    fair_fits: FairFits | None = None

    @property
    def around_fair(self) -> "CoinCalibration | None":
        """The calibration of quotes around the fair price; None where sizes foretell nothing.

        What does not depend on the price that quotes are set around is the same.
        """
        fits = self.fair_fits
        if fits is None:
            return None
        return replace(
            self,
            anchor="fair price",
            fair_fits=None,
            fill_curve=fits.fill_curve,
            impact=fits.impact,
            fill_impact=fits.fill_impact,
        )

    def around(self, price: FairPrice) -> "CoinCalibration":
        """Return the estimates that a bot with that setting ``fair_price`` quotes from."""
        fair = self.around_fair if price == "imbalance" else None
        return self if fair is None or fair.status is Status.INSUFFICIENT else fair

    @property
    def kappa_status(self) -> Status:
        """Status of ``kappa.json``'s entry: the worse of the two sides."""
        return self._in_doubt(worst_status(side.kappa for side in self.fill_curve))

    @property
    def lambda_status(self) -> Status:
        """Status of ``lambda.json``'s entry: the worst of lambda and lambda0."""
        return self._in_doubt(
            worst_status([*(s.rate for s in self.arrivals), *(s.lambda0 for s in self.fill_curve)])
        )

    @property
    def epsilon_status(self) -> Status:
        """Status of ``epsilon.json``'s entry: the worst of epsilon and epsilon_fill."""
        return self._in_doubt(worst_status([*self.impact.epsilon, *self.fill_impact.epsilon_fill]))

    @property
    def fair_price_status(self) -> Status:
        """Status of ``fair_price.json``'s entry."""
        return self._in_doubt(self.fair_price.slope.status)

    def _in_doubt(self, status: Status) -> Status:
        """Return at best ``stale`` while a channel is silent."""
        return worse(status, Status.STALE) if self.silent else status

    @property
    def status(self) -> Status:
        """The worst status among the parameters needed for a quote."""
        return worse(self.kappa_status, self.lambda_status, self.epsilon_status)

    @property
    def silence(self) -> str:
        """Silent channels with the seconds of their silence, such as ``bbo 31 s``, or empty."""
        listed = [f"{channel} {seconds:.0f} s" for channel, seconds in self.quiet.items()]
        return ", ".join(listed)

    def rejected(self, reason: str) -> "CoinCalibration":
        """Return the same numbers with every estimate marked insufficient."""

        def reject(estimate: Estimate) -> Estimate:
            return estimate.rejected(reason)

        def reject_line(profile: DepthProfile) -> DepthProfile:
            line = reject(profile.intercept), reject(profile.slope)
            return replace(profile, intercept=line[0], slope=line[1])

        impact, fill_impact = self.impact, self.fill_impact
        return replace(
            self,
            arrivals=self.arrivals.map(lambda f: replace(f, rate=reject(f.rate))),
            fill_curve=self.fill_curve.map(
                lambda f: replace(f, kappa=reject(f.kappa), lambda0=reject(f.lambda0))
            ),
            impact=replace(impact, epsilon=impact.epsilon.map(reject)),
            fill_impact=replace(
                fill_impact,
                epsilon_fill=fill_impact.epsilon_fill.map(reject),
                profile=fill_impact.profile.map(reject_line),
            ),
            pareto=self.pareto.map(
                lambda f: replace(f, alpha=reject(f.alpha), mean=reject(f.mean))
            ),
            volatility=reject(self.volatility),
            fair_price=self.fair_price.rejected(reason),
            fair_fits=None,
        )

    def reasons(self) -> Iterator[str]:
        """Yield the reason for each estimate that is not ``ok``."""
        if self.quiet:
            yield (
                f"silent while other channels were active: {self.silence}; fitted on the "
                f"{self.observed_seconds:.0f} s in which all were active"
            )
        named = {
            "lambda": [s.rate for s in self.arrivals],
            "kappa": [s.kappa for s in self.fill_curve],
            "epsilon": list(self.impact.epsilon),
            "epsilon_fill": list(self.fill_impact.epsilon_fill),
        }
        for name, pair in named.items():
            for sign, estimate in zip("+-", pair, strict=True):
                if estimate.reason:
                    yield f"{name}{sign} {estimate.status}: {estimate.reason}"


def calibrate(
    recording: Recording,
    *,
    window_minutes: float,
    end_ms: int | None = None,
    options: CalibrationOptions | None = None,
) -> CoinCalibration:
    """Fit every parameter on the last ``window_minutes`` of a recording.

    Parameters
    ----------
    recording
        One coin's rows; those outside the window are ignored.
    window_minutes
        Length of the window.
    end_ms
        Exchange time at which the window ends; by default that of the newest row.

    Raises
    ------
    InputError
        If the recording has no rows, or the window's length is not positive or too long.
    """
    started = perf_counter()
    options = options or CalibrationOptions()
    newest = _newest_ms(recording)
    if newest is None:
        raise InputError(f"{recording.coin}: the recording has no rows; run the collector first")
    if not 0 < window_minutes <= MAX_WINDOW_MINUTES:
        raise InputError(
            f"the window is {window_minutes:g} minutes, must be above 0 and at most "
            f"{MAX_WINDOW_MINUTES}"
        )
    end = newest if end_ms is None else min(end_ms, newest)
    window = Window.of(recording, end - round(window_minutes * 60_000), end, options.window)
    calibration = _fit(window, options, end, window_minutes * 60.0)
    needed = options.needed_seconds(calibration.window_seconds)
    if window.observed_seconds < needed:
        calibration = calibration.rejected(
            f"{window.observed_seconds:.0f} s covered, {needed:g} s needed"
        )
    return replace(
        calibration,
        clock_offset_s=_clock_offset_s(recording.quotes),
        cost_ms=(perf_counter() - started) * 1e3,
    )


def _newest_ms(recording: Recording) -> int | None:
    """Return the newest exchange time, for rows in any order."""
    times = (recording.quotes.time_ms, recording.trades.time_ms, recording.book_time_ms)
    return max((int(t.max()) for t in times if len(t)), default=None)


def _clock_offset_s(quotes: Quotes) -> float:
    """Return the median of local minus exchange time (seconds) over the last quotes."""
    apart = quotes.local_s[-_LAST_ROWS:] - quotes.time_ms[-_LAST_ROWS:] / 1000
    known = apart[np.isfinite(apart)]
    return float(np.median(known)) if len(known) else nan


def _fit(
    window: Window, options: CalibrationOptions, end_ms: int, window_seconds: float
) -> CoinCalibration:
    silent = silent_channels(window.holes)
    sound_ms = int(window.stretches.end_ms[-1]) if silent and len(window.stretches) else end_ms
    fill_curve, fill_impact = options.fill_curve.fit(window), options.fill_impact.fit(window)
    fair_price = options.fair_price.fit(window)
    return CoinCalibration(
        coin=window.coin,
        end_ms=end_ms,
        sound_ms=sound_ms,
        silent=silent,
        quiet=quiet_seconds(window.holes, window.heard),
        window_seconds=window_seconds,
        observed_seconds=window.observed_seconds,
        mid=window.path.last,
        tick=window.tick,
        n=window.sides.map(len),
        n1=window.sides.map(lambda orders: int((orders.reach >= 1).sum())),
        arrivals=options.arrivals.fit(window),
        fill_curve=fill_curve,
        impact=options.impact.fit(window),
        fill_impact=fill_impact,
        pareto=options.pareto.fit(window),
        volatility=options.volatility.fit(window),
        fair_price=fair_price,
        cost_ms=0.0,
        fair_fits=_around_fair(window, options, (fill_curve, fill_impact), fair_price.beta),
    )


def _around_fair(
    window: Window,
    options: CalibrationOptions,
    of_mid: tuple[Sides[FillCurveFit], FillImpactFit],
    beta: float,
) -> FairFits | None:
    """Fit what depends on it around the fair price; None where that is the mid."""
    fill_curve, fill_impact = of_mid
    if beta == 0 or not all(side.kappa.usable for side in fill_curve):
        return None
    around = window.around(beta, fill_curve.map(lambda side: side.kappa.value))
    return FairFits(
        options.fill_curve.fit(around),
        options.impact.fit(around),
        options.fill_impact.fit_around(around, fill_impact),
    )
