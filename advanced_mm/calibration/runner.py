"""Periodic refits: roll the windows, fit and publish every few seconds in one process.

Importing scipy takes longer than a hundred refits, so the process stays alive and keeps each coin's
rows in memory: a refit reads only new rows. A coin that cannot be fitted is logged and does not
stop the others; a missing data folder is waited for.
"""

import logging
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from math import inf, isfinite, nan

import schedule

from advanced_mm.bad_rows import BadRows
from advanced_mm.calibration.adaptive import AdaptiveWindow, WindowRows
from advanced_mm.calibration.calibrate import CalibrationOptions, CoinCalibration
from advanced_mm.calibration.publish import (
    PublishedSets,
    RefitHistory,
    last_published,
    parameter_set,
)
from advanced_mm.calibration.rolling import RollingWindow
from advanced_mm.calibration.windows.channels import ALL_CHANNELS
from advanced_mm.calibration.windows.estimate import Status
from advanced_mm.errors import AdvancedMMError, InputError
from advanced_mm.free_memory import give_back_memory
from advanced_mm.marketdata.store import ShardStore
from advanced_mm.parameter_files import ParameterSet, Settings

__all__ = ["PeriodicRunner", "RunnerOptions"]

logger = logging.getLogger(__name__)

_NAP_SECONDS = 0.2  # how soon a stop is noticed
_CLOCKS_APART_SECONDS = 8.0  # messages take up to 2 s


@dataclass(frozen=True)
class RunnerOptions:
    """Coins to fit, window and interval.

    ``coins`` are names in any spelling (the venue's, ccxt's code or a pair); they are resolved to
    recorded coins once there is a recording. ``max_window_minutes`` limits the window of a coin
    with too little data in the usual one; if it is below ``window_minutes``, windows are not grown.
    ``max_data_age_seconds`` is the greatest age of the newest row for a fit to count as fresh.
    ``market_clock`` measures that age against the newest exchange time of any coin, for a market
    that runs faster than the clock.

    Raises
    ------
    InputError
        If there are no coins, or a length of time is not positive.
    """

    coins: tuple[str, ...]
    window_minutes: float = 30.0
    max_window_minutes: float = 360.0
    interval_seconds: float = 15.0
    max_data_age_seconds: float = 30.0
    market_clock: bool = False

    def __post_init__(self) -> None:
        if not self.coins:
            raise InputError("no coin to fit: name one with --crypto or configure a pair")
        for name in (
            "window_minutes",
            "max_window_minutes",
            "interval_seconds",
            "max_data_age_seconds",
        ):
            if not 0 < getattr(self, name) < inf:
                raise InputError(f"{name} is {getattr(self, name)!r}, must be positive and finite")


class PeriodicRunner:
    """Refits every coin on a schedule and publishes the parameter files.

    Parameters
    ----------
    options, settings
        What to fit, and the problem to solve with the result.
    store
        Store that the collector writes to.
    files
        The parameter files, to which refits are published.
    history
        History that each refit is added to before it is published; None for no history.
    wall_clock
        Returns seconds since the epoch.
    rows
        Returns the rows of a coin that a refit reads, by default a `RollingWindow` of the store.
    filled_age
        Returns the mean age (seconds) of a coin's filled quotes and their number; None if there
        are none.
    """

    def __init__(
        self,
        options: RunnerOptions,
        settings: Settings,
        store: ShardStore,
        files: PublishedSets,
        history: RefitHistory | None = None,
        wall_clock: Callable[[], float] = time.time,
        rows: Callable[[str], WindowRows] | None = None,
        filled_age: Callable[[str], tuple[float, int] | None] = lambda _: None,
    ) -> None:
        self.options = options
        self.settings = settings
        self._files = files
        self._history = history
        self._wall_clock = wall_clock
        self._filled_age = filled_age
        self._newest_seen_ms = 0
        self._store = store
        self._rows = rows or (lambda coin: RollingWindow(store, coin, options.window_minutes))
        self._coins: dict[str, str] = {}
        """Recorded coin by requested name, once known."""
        self._windows: dict[str, AdaptiveWindow] = {}
        self._good: dict[str, ParameterSet | None] = {}
        self.on_published: Callable[[ParameterSet, float, float], None] | None = None
        """Told of each refit that was published, the seconds that it took, and by how much this
        machine's clock is ahead of the venue's (NaN: not known)."""
        self.on_errors: Callable[[int], None] | None = None
        """Told how many errors a round had, where there were any."""
        self._costs: dict[str, tuple[float, float]] = {}
        """Seconds and clock offset of each coin's newest refit."""
        self._warned: dict[str, str] = {}
        self._stopping = False

    def stop(self) -> None:
        """End ``run`` after the current refit; safe to call from a signal handler."""
        self._stopping = True

    def run(self) -> None:
        """Refit immediately and then every ``interval_seconds``, until ``stop``.

        Rounds are scheduled on the monotonic clock: local time repeats an hour when summer time
        ends, and any wall clock may be set back. Rounds missed by one that took too long are
        skipped.
        """
        rounds = schedule.Scheduler()
        refit = _MonotonicJob(self.options.interval_seconds, rounds)
        refit.do(self._round)
        while not self._stopping:
            wait = refit.seconds_left
            if wait > 0:
                time.sleep(min(_NAP_SECONDS, wait))
            else:
                rounds.run_pending()
        self._end_history()

    def run_once(self) -> None:
        """Refit each coin once, without a time limit.

        Raises
        ------
        AdvancedMMError
            The first coin's error, after all coins have been tried.
        """
        errors = self.refit_all(hurried=False)
        give_back_memory()
        self._end_history()
        if errors:
            raise errors[0]

    def refit_all(self, *, hurried: bool = True) -> list[AdvancedMMError]:
        """Refit every coin, publish those that could be fitted and return the errors of the others.

        A round that takes longer than an interval (the first one with many coins) publishes its
        results so far once per interval. ``hurried`` rounds stop growing windows after half an
        interval and leave that to later rounds.
        """
        ready: dict[str, ParameterSet] = {}
        errors: list[AdvancedMMError] = []
        tried: set[str] = set()
        began = published = time.monotonic()
        for name in self._names_until_stopped():
            now = time.monotonic()
            if ready and now - published > self.options.interval_seconds:
                errors += self._publish(ready)
                ready, published = {}, now
            may_grow = not hurried or now - began < self.options.interval_seconds / 2
            try:
                coin = self._coin(name)
                if coin not in tried:  # a coin may have been named twice
                    tried.add(coin)
                    ready[coin] = self._refit(coin, may_grow)
            except AdvancedMMError as error:
                errors.append(error)
                self._warn_once(self._coins.get(name, name), str(error))
            except (ArithmeticError, ValueError, OSError) as error:
                logger.exception("%s: refit failed", name)
                errors.append(AdvancedMMError(f"{name}: refit failed: {error}"))
        errors += self._publish(ready)
        if errors and self.on_errors is not None:
            self.on_errors(len(errors))
        return errors

    def _round(self) -> None:
        self.refit_all()
        give_back_memory()

    def _publish(self, ready: Mapping[str, ParameterSet]) -> list[AdvancedMMError]:
        """Write the entries to the history, then to the files; return the errors."""
        if not ready:
            return []
        errors: list[AdvancedMMError] = []
        if self._history is not None:
            try:
                self._history.append(ready)
            except InputError as error:
                self._warn_once("history", str(error))
                errors.append(error)
        try:
            self._files.publish(ready)
        except (AdvancedMMError, OSError) as error:
            logger.error("nothing published: %s", error)
            return [*errors, AdvancedMMError(f"nothing published: {error}")]
        self._good.update(ready)
        if self.on_published is not None:
            for coin, entries in ready.items():
                self.on_published(entries, *self._costs[coin])
        return errors

    def _end_history(self) -> None:
        if self._history is not None:
            try:
                self._history.merge()
            except (InputError, OSError) as error:
                logger.error("history: new rows could not be merged into the day files: %s", error)

    def _names_until_stopped(self) -> Iterator[str]:
        for name in self.options.coins:
            if self._stopping:
                return
            yield name

    def _coin(self, name: str) -> str:
        """Return the recorded coin for a name, and follow it from now on."""
        coin = self._coins.get(name)
        if coin is None:
            coin = self._coins[name] = self._store.resolve(name)
            self._warned.pop(name, None)
            if coin != name:
                logger.info("%s: listed by the venue as %s", name, coin)
        if coin not in self._windows:
            options = self.options
            self._windows[coin] = AdaptiveWindow(
                self._rows(coin),
                options.window_minutes,
                options.max_window_minutes,
                CalibrationOptions().configured(self.settings),
            )
        return coin

    def _refit(self, coin: str, may_grow: bool) -> ParameterSet:
        """Read one coin's new rows, fit and solve."""
        started = time.perf_counter()
        fitted = self._windows[coin].fit(may_grow=may_grow)
        calibration = self._judged_by_age(fitted)
        if coin not in self._good:
            self._good[coin] = last_published(self._files, coin)
        published_at = datetime.fromtimestamp(self._wall_clock(), UTC)
        grown = fitted.window_seconds > self.options.window_minutes * 60
        entries = parameter_set(
            calibration,
            self.settings,
            self._good[coin],
            published_at,
            window_grown=grown,
            filled_age=self._age_of_fills(coin),
        )
        took = time.perf_counter() - started
        offset = nan if self.options.market_clock else fitted.clock_offset_s
        self._costs[coin] = (took, offset)
        self._report(calibration, entries, took * 1e3)
        return entries

    def _age_of_fills(self, coin: str) -> tuple[float, int] | None:
        """Return the measured age; a journal that cannot be read does not stop the refit."""
        try:
            return self._filled_age(coin)
        except (AdvancedMMError, ValueError, OSError) as error:
            self._warn_once("journal", f"the age of filled quotes cannot be read: {error}")
            return None

    def _judged_by_age(self, calibration: CoinCalibration) -> CoinCalibration:
        """Reject a fit whose newest row is too old for quoting.

        If other coins have newer rows, all channels of this coin count as silent. Exchange times
        are first converted to this machine's clock with the offset seen in the recording: the two
        clocks may differ by minutes.
        """
        self._newest_seen_ms = max(self._newest_seen_ms, calibration.end_ms)
        behind = (self._newest_seen_ms - calibration.end_ms) / 1000
        if behind > self.options.max_data_age_seconds:  # other coins have newer rows
            calibration = replace(calibration, silent=ALL_CHANNELS)
        if self.options.market_clock:
            age = behind
        else:
            offset = calibration.clock_offset_s
            age = self._wall_clock() - calibration.end_ms / 1000
            if isfinite(offset):
                age -= offset
                self._watch_clocks(calibration.coin, offset)
        if age <= self.options.max_data_age_seconds:
            return calibration
        limit = self.options.max_data_age_seconds
        return calibration.rejected(f"newest row is {age:.0f} s old, at most {limit:g} s allowed")

    def _watch_clocks(self, coin: str, ahead_s: float) -> None:
        """Warn if this machine's clock and the venue's disagree: the bot may then not quote."""
        about = f"{coin} clock"
        if abs(ahead_s) <= _CLOCKS_APART_SECONDS:
            self._warned.pop(about, None)
            return
        side = "ahead of" if ahead_s > 0 else "behind"
        late = ", or its messages arrive late" if ahead_s > 0 else ""
        self._warn_once(
            about,
            f"{coin}: this machine's clock is about {abs(ahead_s):.0f} s {side} the venue's{late}; "
            "set the clock (timedatectl set-ntp true), or the bot may refuse to quote because the "
            "book seems old or from the future",
        )

    def _warn_once(self, about: str, message: str, detail: str = "") -> None:
        """Warn once until the message about the subject changes, apart from numbers and details."""
        kind = re.sub(r"[\d.]+", "#", message)
        level = logging.DEBUG if self._warned.get(about) == kind else logging.WARNING
        logger.log(level, "%s%s", message, detail)
        self._warned[about] = kind

    def _report(self, calibration: CoinCalibration, entries: ParameterSet, total_ms: float) -> None:
        self._warned.pop(calibration.coin, None)
        used = entries.around(self.settings.fair_price)  # what the bot quotes from
        lambda_, kappa, epsilon = used.lambda_, used.kappa, used.epsilon
        around = "" if used.anchor == "mid" else f" around the {used.anchor}"
        bad_rows = self._windows[calibration.coin].rolling.bad_rows
        self._report_bad_rows(calibration.coin, bad_rows)
        not_heard = f" (not heard: {calibration.silence})" if calibration.quiet else ""
        logger.info(
            "%s lambda %s kappa %s epsilon_fill %s%s beta %s status %s window %g min "
            "observed %.0f s%s cost %.1f ms (fit %.1f ms)%s",
            calibration.coin,
            _pair(lambda_.lambda_plus, lambda_.lambda_minus),
            _pair(kappa.kappa_plus, kappa.kappa_minus),
            _pair(epsilon.epsilon_fill_plus, epsilon.epsilon_fill_minus),
            around,
            _beta(entries),
            "/".join(dict.fromkeys(e.status for e in (lambda_, kappa, epsilon))),
            calibration.window_seconds / 60,
            calibration.observed_seconds,
            not_heard,
            total_ms,
            calibration.cost_ms,
            f", {bad_rows}" if bad_rows.total else "",
        )
        self._report_silence(calibration)
        for reason in calibration.reasons():
            logger.debug("%s %s", calibration.coin, reason)
        self._report_insufficient(calibration)

    def _report_bad_rows(self, coin: str, bad_rows: BadRows) -> None:
        """Warn about bad rows in the window, once until there are none."""
        about = f"{coin} rows"
        if bad_rows.total:
            self._warn_once(about, f"{coin}: dropped from its shards", f": {bad_rows}")
        else:
            self._warned.pop(about, None)

    def _report_silence(self, calibration: CoinCalibration) -> None:
        """Warn once when channels of a coin fall silent and once when all are active again."""
        about, coin = f"{calibration.coin} channels", calibration.coin
        if calibration.silent:
            channels = ", ".join(calibration.silent)
            since = datetime.fromtimestamp(calibration.sound_ms / 1000, UTC)
            self._warn_once(
                about,
                f"{coin}: nothing received on {channels} since {since:%H:%M:%S} UTC while other "
                "channels are active; the newest data are in doubt, so no position is opened",
            )
        elif self._warned.pop(about, None) is not None:
            logger.warning("%s: all channels are active again", coin)

    def _report_insufficient(self, calibration: CoinCalibration) -> None:
        """Warn why a coin cannot be fitted now, once per kind of reason."""
        about = f"{calibration.coin} fit"
        if calibration.status is not Status.INSUFFICIENT:
            self._warned.pop(about, None)
            return
        missing = next(why for why in calibration.reasons() if Status.INSUFFICIENT.value in why)
        self._warn_once(about, f"{calibration.coin}: no new fit can be published: {missing}")


class _MonotonicJob(schedule.Job):
    """A job due immediately and then every ``seconds``, on the monotonic clock.

    ``schedule`` itself counts from the end of the last run, in local time: rounds would drift, and
    stop for an hour when summer time ends. Runs missed by one that took too long are skipped.
    """

    def __init__(self, seconds: float, scheduler: schedule.Scheduler) -> None:
        super().__init__(seconds, scheduler)  # type: ignore[arg-type]  # fractions are fine
        self.unit = "seconds"
        self._every_seconds = seconds
        self._due = time.monotonic()

    @property
    def seconds_left(self) -> float:
        """Time until the job is due, zero or less once it is."""
        return self._due - time.monotonic()

    @property
    def should_run(self) -> bool:
        return self.seconds_left <= 0

    def run(self) -> object:
        result: object = super().run()  # type: ignore[no-untyped-call]
        late = max(-self.seconds_left, 0.0)
        self._due += self._every_seconds * (late // self._every_seconds + 1)
        return result


def _beta(entries: ParameterSet) -> str:
    fitted, mid = entries.fair_price, entries.kappa.mid
    return "unknown" if fitted is None or mid is None else fitted.in_bp(mid)


def _pair(plus: float | None, minus: float | None) -> str:
    return "/".join("-" if value is None else f"{value:.4g}" for value in (plus, minus))
