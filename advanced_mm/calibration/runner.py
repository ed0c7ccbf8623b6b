"""The refit that repeats: read the window, fit, publish, every few seconds in one process.

Importing scipy costs more than a hundred refits, so the process stays alive. A coin that cannot be
fitted is logged and does not stop the others; a data dir that is not there yet is waited for.
"""

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import cast

import schedule

from advanced_mm.calibration.calibrate import CoinCalibration, calibrate
from advanced_mm.calibration.publish import last_published, parameter_set
from advanced_mm.errors import AdvancedMMError, InputError
from advanced_mm.marketdata.store import ShardStore
from advanced_mm.parameter_files import ParameterFiles, ParameterSet, Settings

__all__ = ["PeriodicRunner", "RunnerOptions"]

logger = logging.getLogger(__name__)

_NAP_SECONDS = 0.2  # how soon a stop is noticed


@dataclass(frozen=True)
class RunnerOptions:
    """Which coins to fit, on what window, how often.

    ``max_data_age_seconds`` is the oldest newest row a fresh fit may rest on. ``market_clock``
    counts that age against the newest exchange time seen on any coin, for a market that runs faster
    than the clock.

    Raises
    ------
    InputError
        If there are no coins, or a length of time is not positive.
    """

    coins: tuple[str, ...]
    window_minutes: float = 30.0
    interval_seconds: float = 15.0
    max_data_age_seconds: float = 30.0
    market_clock: bool = False

    def __post_init__(self) -> None:
        if not self.coins:
            raise InputError("no coin to fit; name one with --crypto or configure a pair")
        for name in ("window_minutes", "interval_seconds", "max_data_age_seconds"):
            if not getattr(self, name) > 0:
                raise InputError(f"{name} = {getattr(self, name)!r} must be positive")


class PeriodicRunner:
    """Refits every coin on a schedule and publishes the parameter files.

    Parameters
    ----------
    options, settings
        What to fit and the problem to solve from it.
    store
        Where the collector writes; it keeps parsed shards, so a refit reads only new ones.
    files
        Where the entries go.
    wall_clock
        Seconds since the epoch.
    """

    def __init__(
        self,
        options: RunnerOptions,
        settings: Settings,
        store: ShardStore,
        files: ParameterFiles,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self.options = options
        self.settings = settings
        self._store = store
        self._files = files
        self._wall_clock = wall_clock
        self._newest_seen_ms = 0
        self._good: dict[str, ParameterSet | None] = {}
        self._complaints: dict[str, str] = {}
        self._stopping = False

    def stop(self) -> None:
        """End ``run`` after the refit in hand; safe to call from a signal handler."""
        self._stopping = True

    def run(self) -> None:
        """Refit now and then every ``interval_seconds``, until ``stop``."""
        scheduler = schedule.Scheduler()
        interval = cast(int, self.options.interval_seconds)  # typed whole, fractions work as well
        scheduler.every(interval).seconds.do(self.refit_all)
        self.refit_all()
        while not self._stopping:
            scheduler.run_pending()
            time.sleep(min(_NAP_SECONDS, max(scheduler.idle_seconds or 0.0, 0.0)))

    def run_once(self) -> None:
        """Refit each coin once.

        Raises
        ------
        AdvancedMMError
            The first coin's error, after all coins have been tried.
        """
        errors = self.refit_all()
        if errors:
            raise errors[0]

    def refit_all(self) -> list[AdvancedMMError]:
        """Refit every coin, publish those that could be fitted, return the errors of the others."""
        ready: dict[str, ParameterSet] = {}
        errors: list[AdvancedMMError] = []
        for coin in self._coins_until_stopped():
            try:
                ready[coin] = self._refit(coin)
            except AdvancedMMError as error:
                errors.append(error)
                self._complain(coin, str(error))
            except (ArithmeticError, ValueError, OSError) as error:
                logger.exception("%s: refit failed", coin)
                errors.append(AdvancedMMError(f"{coin}: refit failed: {error}"))
        if ready:
            try:
                self._files.publish(ready)
            except (AdvancedMMError, OSError) as error:
                logger.error("nothing published: %s", error)
                errors.append(AdvancedMMError(f"nothing published: {error}"))
            else:
                self._good.update(ready)
        return errors

    def _coins_until_stopped(self) -> Iterator[str]:
        for coin in self.options.coins:
            if self._stopping:
                return
            yield coin

    def _refit(self, coin: str) -> ParameterSet:
        """Read, fit and solve one coin."""
        started = time.perf_counter()
        newest = self._store.newest_ms(coin)
        if newest is None:
            raise InputError(f"{coin}: no rows recorded yet; waiting for the collector")
        start_ms = newest - round(self.options.window_minutes * 60_000)
        recording = self._store.read(coin, start_ms, newest)
        read_ms = (time.perf_counter() - started) * 1e3
        fitted = calibrate(recording, window_minutes=self.options.window_minutes, end_ms=newest)
        calibration = self._judged_by_age(fitted)
        if coin not in self._good:
            self._good[coin] = last_published(self._files, coin)
        published_at = datetime.fromtimestamp(self._wall_clock(), UTC)
        entries = parameter_set(calibration, self.settings, self._good[coin], published_at)
        total_ms = (time.perf_counter() - started) * 1e3
        self._report(calibration, entries, read_ms, total_ms - read_ms)
        return entries

    def _judged_by_age(self, calibration: CoinCalibration) -> CoinCalibration:
        """Reject a fit whose newest row is too old to quote from."""
        self._newest_seen_ms = max(self._newest_seen_ms, calibration.end_ms)
        wall_ms = self._wall_clock() * 1000
        now_ms = self._newest_seen_ms if self.options.market_clock else wall_ms
        age = (now_ms - calibration.end_ms) / 1000
        if age <= self.options.max_data_age_seconds:
            return calibration
        limit = self.options.max_data_age_seconds
        return calibration.rejected(f"newest row is {age:.0f} s old, at most {limit:g} s allowed")

    def _complain(self, coin: str, message: str) -> None:
        """Warn once while the trouble stays the same."""
        level = logging.DEBUG if self._complaints.get(coin) == message else logging.WARNING
        logger.log(level, "%s", message)
        self._complaints[coin] = message

    def _report(
        self, calibration: CoinCalibration, entries: ParameterSet, read_ms: float, fit_ms: float
    ) -> None:
        self._complaints.pop(calibration.coin, None)
        lambda_, kappa, epsilon = entries.lambda_, entries.kappa, entries.epsilon
        logger.info(
            "%s lambda %s kappa %s epsilon_fill %s status %s cost %.1f ms after %.1f ms reading",
            calibration.coin,
            _pair(lambda_.lambda_plus, lambda_.lambda_minus),
            _pair(kappa.kappa_plus, kappa.kappa_minus),
            _pair(epsilon.epsilon_fill_plus, epsilon.epsilon_fill_minus),
            "/".join(dict.fromkeys(e.status for e in (lambda_, kappa, epsilon))),
            fit_ms,
            read_ms,
        )
        for reason in calibration.reasons():
            logger.debug("%s %s", calibration.coin, reason)


def _pair(plus: float | None, minus: float | None) -> str:
    return "/".join("-" if value is None else f"{value:.4g}" for value in (plus, minus))
