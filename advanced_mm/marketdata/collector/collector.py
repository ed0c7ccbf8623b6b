"""The collector: feed, recorder, flush timer and a shutdown without data loss."""

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Awaitable, Callable, Collection, Iterable
from functools import partial
from typing import Final

from advanced_mm.bad_rows import BadRows
from advanced_mm.errors import InputError, VenueError
from advanced_mm.instruments import code_of, folder_of, is_coin_name
from advanced_mm.marketdata.collector.backfill import Backfill
from advanced_mm.marketdata.collector.recorder import TRADES_KNOWN, Recorder
from advanced_mm.marketdata.collector.status import CollectorNumbers, Status
from advanced_mm.marketdata.collector.tidying import tidy_regularly
from advanced_mm.marketdata.collector.writer import ShardWriter
from advanced_mm.marketdata.durable import is_full
from advanced_mm.marketdata.feed.feed import HyperliquidFeed
from advanced_mm.marketdata.feed.policy import Backoff, ConnectionSettings
from advanced_mm.marketdata.feed.steady_clock import SteadyClock
from advanced_mm.marketdata.feed.venue_meta import coins_among, fetch_size_decimals, is_spot
from advanced_mm.marketdata.feed.watchdog import Watchdog, WatchdogSettings
from advanced_mm.marketdata.records import Recording
from advanced_mm.marketdata.store import ShardStore
from advanced_mm.marketdata.ticks import price_step
from advanced_mm.marketdata.upkeep.retention import Retention

__all__ = ["Collector"]

logger = logging.getLogger(__name__)

_CHECKS_PER_FLUSH: Final = 10
_PAST_MS: Final = 20 * 60_000  # recording from which the channels' rates are learned at the start
_OLDEST_PAST_SECONDS: Final = 3600.0
_META_RETRY_SECONDS: Final = (1.0, 60.0)
_FINISH_SECONDS: Final = 8.0
"""Patience at the end with a disk that is slow; supervisors kill after 10 s."""
_CANCEL_SECONDS: Final = 0.5
_ANEW_SECONDS: Final = 60.0
_FULL_SECONDS: Final = 1.0
_BAD_ROWS_LOG_SECONDS: Final = 60.0
"""Interval at which dropped rows are logged."""


class Collector:
    """Records some coins of a venue into a store.

    Parameters
    ----------
    store : ShardStore
        Store to write to.
    coins : iterable of str
        Names in any spelling (``kPEPE``, ``KPEPE/USDC:USDC``); they are resolved to the venue's own
        names, under which coins are subscribed and recorded.
    url : str
        ``ws://`` or ``wss://`` address of the venue.
    flush_seconds : float
        Longest time a row stays in memory.
    settings : ConnectionSettings or None
        Times of the reconnect policy.
    watchdog : WatchdogSettings or None
        Times after which a channel counts as silent.
    retention : Retention or None
        How much of the recording is kept, by default all of it.
    upkeep_seconds : float
        Interval at which past hours are merged into one file each and old shards deleted.
    status_seconds : float
        Interval of the status line in the log.

    Raises
    ------
    InputError
        If an argument is invalid.
    """

    def __init__(
        self,
        store: ShardStore,
        coins: Iterable[str],
        url: str,
        flush_seconds: float = 5.0,
        settings: ConnectionSettings | None = None,
        watchdog: WatchdogSettings | None = None,
        retention: Retention | None = None,
        upkeep_seconds: float = 600.0,
        status_seconds: float = 15.0,
    ) -> None:
        self._store = store
        self._status = Status()
        self._writer = ShardWriter(store, on_written=self._status.written)
        self._retention = retention or Retention()
        self._upkeep_seconds = upkeep_seconds
        self._status_seconds = status_seconds
        self._url = url
        self._flush_seconds = flush_seconds
        self._settings = settings
        self._watchdog = watchdog
        self._names = tuple(map(_checked, coins))
        self._known: dict[str, int | None] | None = None
        self._unlisted: tuple[str, ...] = ()
        self._bad_rows = BadRows()
        self._clock = SteadyClock()
        self._size_decimals: dict[str, int] = {}
        self._open(self._names)
        self._check_seconds = flush_seconds / _CHECKS_PER_FLUSH

    async def run(self, stop: asyncio.Event) -> bool:
        """Record until ``stop`` is set, then write everything received to disk.

        A disk that can no longer be written is waited for; see `writer`.

        Returns
        -------
        bool
            False if not everything received is on disk.

        Raises
        ------
        VenueError
            If the venue knows none of the coins, or not one that was never recorded here; the
            message suggests the nearest one.
        InputError
            If the folder cannot be written at the start, a name matches several coins, or a coin
            is already being recorded there. A disk that is full is waited for.
        """
        try:
            self._store.check_writable()
        except InputError as error:
            if not is_full(error.__cause__):
                raise
            logger.error("%s", error)
        await _first_end(
            [asyncio.create_task(self._find_coins()), asyncio.create_task(_wait(stop))]
        )
        if stop.is_set():
            return True
        coins = self._recorder.coins
        with contextlib.ExitStack() as held:
            await _first_end(
                [asyncio.create_task(self._hold(held)), asyncio.create_task(_wait(stop))]
            )
            if stop.is_set():
                return True
            logger.info("writing below %s", self._store.data_dir)
            await _first_end(
                [asyncio.create_task(self._resume()), asyncio.create_task(_wait(stop))]
            )
            backfill = Backfill(self._url, self._recorder, self._clock, self._bad_rows)
            jobs = [
                asyncio.create_task(self._feed.run()),
                asyncio.create_task(self._flush_regularly()),
                asyncio.create_task(self._learn_decimals()),
                asyncio.create_task(_wait(stop)),
                *(
                    asyncio.create_task(_dispensable(job))
                    for job in (
                        backfill.run,
                        self._log_bad_rows,
                        self._log_status,
                        self._learn_rates,
                        partial(
                            tidy_regularly,
                            self._store.data_dir,
                            coins,
                            self._retention,
                            self._upkeep_seconds,
                        ),
                    )
                ),
            ]
            try:
                await _first_end(jobs)
            finally:
                complete = await self._finish()
        return complete

    def numbers(self) -> CollectorNumbers:
        """Return what was done since the start; any thread may ask."""
        recorder = self._recorder
        return self._status.numbers(recorder.messages, recorder.unwritten_rows, self._writer.state)

    async def _hold(self, held: contextlib.ExitStack) -> None:
        """Keep other recorders from the coins until ``held`` ends; wait for a disk that is full.

        Coins that were recorded before need no space for that: their data then wait in memory.
        """
        said = False
        while True:
            try:
                with contextlib.ExitStack() as attempt:
                    for coin in self._recorder.coins:
                        attempt.enter_context(self._store.recording(coin))
                    held.push(attempt.pop_all())
                return
            except InputError as error:
                if not is_full(error.__cause__):
                    raise
                if not said:
                    logger.error("%s; nothing is recorded until there is space", error)
                said = True
            await asyncio.sleep(_FULL_SECONDS)

    async def _finish(self) -> bool:
        """Write what is in memory; return whether everything received is on disk."""
        self._flush()
        complete = await asyncio.to_thread(self._writer.close, _FINISH_SECONDS)
        state = self._writer.state
        if complete:
            logger.info("stopped; everything received is on disk; %s", self._bad_rows)
        else:
            logger.error(
                "stopped; %d rows are not on disk: %s",
                state.rows + state.dropped_rows,
                state.problem or "the disk could not be written for too long",
            )
        return complete

    def _open(self, coins: Iterable[str]) -> None:
        coins = tuple(dict.fromkeys(coins))
        self._recorder = Recorder(
            self._writer,
            coins,
            ticks=None,
            flush_seconds=self._flush_seconds,
            watchdog=Watchdog(coins, self._watchdog),
            bad_rows=self._bad_rows,
        )
        self._feed = HyperliquidFeed(
            self._url,
            self._recorder.coins,
            self._recorder,
            self._settings,
            self._clock,
            self._bad_rows,
        )

    async def _find_coins(self) -> None:
        """Resolve the names to the venue's coins.

        While the venue does not answer, names in its own spelling are used unchanged: its websocket
        refuses wrong ones, and they are compared with its list once that arrives. Other spellings
        have to wait for the list.
        """
        backoff = Backoff(*_META_RETRY_SECONDS, random.Random())
        while True:
            try:
                self._known = await fetch_size_decimals(self._url, self._names, self._bad_rows)
                break
            except VenueError as error:
                if all(map(is_coin_name, self._names)):
                    logger.warning("coin names are not checked yet: %s", error)
                    return
                names = ", ".join(name for name in self._names if not is_coin_name(name))
                logger.warning("%s: waiting for the venue to resolve the name: %s", names, error)
                await asyncio.sleep(backoff.next_delay())
        self._note_unlisted(self._known)
        listed = self._known | dict.fromkeys(self._unlisted)
        coins = coins_among(self._names, listed, self._url)
        if coins != self._recorder.coins:
            self._open(coins)
            logger.info("%s: listed by the venue as %s", ", ".join(self._names), ", ".join(coins))

    def _note_unlisted(self, known: Collection[str]) -> None:
        """Note and name the coins that have a recording here but are not on the venue's list.

        One of many that was delisted must not keep the others from being recorded: it is still
        asked for, and left out where the venue refuses it. If the venue lists none of the coins,
        it is rather the wrong venue.
        """
        wanted = set(map(code_of, self._names))
        listed = set(map(code_of, known)) | {code for code in wanted if is_spot(code)}
        if not wanted & listed:
            return
        found = self._recorded(wanted - listed)
        for coin in found:
            logger.error(
                "%s: the venue at %s does not list it any more; the other coins go on. It is still "
                "asked for: take it out of --crypto if it was delisted",
                coin,
                self._url,
            )
        self._unlisted = tuple(found)

    def _recorded(self, codes: Collection[str]) -> list[str]:
        """Return the coins with these codes of which there is data."""
        store = self._store
        coins = store.coins() if codes and store.data_dir.is_dir() else []
        return [c for c in coins if code_of(c) in codes and store.newest_name_ms(c) is not None]

    async def _resume(self) -> None:
        """Tell the recorder where its coins' recordings ended, before anything is heard."""
        ends = await asyncio.gather(
            *(asyncio.to_thread(self._end_of, coin) for coin in self._recorder.coins)
        )
        for coin, (newest_ms, trades) in zip(self._recorder.coins, ends, strict=True):
            if newest_ms:
                self._recorder.resume(coin, newest_ms, trades)

    def _end_of(self, coin: str) -> tuple[dict[str, int], dict[int, int]]:
        """Return when each kind of a coin's rows ends (exchange ms), and its last trades."""
        try:
            newest_ms = self._store.newest_by_kind(coin)
            return newest_ms, self._store.last_trades(coin, TRADES_KNOWN)
        except (InputError, OSError) as error:
            logger.warning("%s: trades told again will be recorded twice: %s", coin, error)
            return {}, {}

    async def _flush_regularly(self) -> None:
        while True:
            await asyncio.sleep(self._check_seconds)
            if self._recorder.flush_due(self._clock() + self._check_seconds):
                self._flush()

    async def _log_status(self) -> None:
        began = time.monotonic()
        while True:
            await asyncio.sleep(self._status_seconds)
            now = time.monotonic()
            recorder = self._recorder
            line = self._status.line(
                now - began, recorder.messages, recorder.unwritten_rows, self._writer.state
            )
            logger.info("%s", line)
            began = now

    async def _log_bad_rows(self) -> None:
        while True:
            await asyncio.sleep(_BAD_ROWS_LOG_SECONDS)
            news = self._bad_rows.news()
            if news is not None:
                logger.warning("dropped from the venue's messages so far: %s", news)

    def _flush(self) -> None:
        for coin, decimals in self._size_decimals.items():
            mid = self._recorder.mid(coin)
            if mid is not None:
                self._recorder.set_tick(coin, price_step(mid, decimals))
        self._recorder.flush()

    async def _learn_decimals(self) -> None:
        """Ask for the coins' size decimals until the venue answers, then sleep forever."""
        backoff = Backoff(*_META_RETRY_SECONDS, random.Random())
        known, level = self._known, logging.WARNING
        while known is None:
            try:
                known = await fetch_size_decimals(self._url, self._recorder.coins, self._bad_rows)
                self._note_unlisted(known)
            except VenueError as error:
                logger.log(level, "shards are written without a tick for now: %s", error)
                level = logging.DEBUG  # once is enough: the connection's own errors are logged
                await asyncio.sleep(backoff.next_delay())
        for coin in self._recorder.coins:
            decimals = known.get(coin)
            if decimals is not None:
                self._size_decimals[coin] = decimals
            elif coin in self._unlisted:
                pass  # named already
            elif coin in known:
                logger.warning(
                    "%s: shards are written without a tick: szDecimals is invalid in the venue's "
                    "meta",
                    coin,
                )
            elif is_spot(coin):
                logger.warning(
                    "%s: shards are written without a tick: the venue's meta lists no spot pairs",
                    coin,
                )
            else:
                (meant,) = coins_among([coin], known, self._url)
                raise VenueError(
                    f"the venue at {self._url} has no coin {coin!r}: did you mean {meant}"
                )
        await asyncio.Event().wait()

    async def _learn_rates(self) -> None:
        """Learn each coin's rates from the last minutes of its recording, then sleep forever."""
        for coin in self._recorder.coins:
            past = await asyncio.to_thread(self._past, coin)
            if past is not None:
                self._recorder.learn(past)
        await asyncio.Event().wait()

    def _past(self, coin: str) -> Recording | None:
        """Read the end of a coin's recording, None if it is old or cannot be read."""
        try:
            newest_ms = self._store.newest_ms(coin)
            if newest_ms is None or newest_ms < 1000 * (time.time() - _OLDEST_PAST_SECONDS):
                return None
            return self._store.read(coin, newest_ms - _PAST_MS)
        except (InputError, OSError) as error:
            logger.warning("%s: message rates are learned from scratch: %s", coin, error)
            return None


def _checked(name: str) -> str:
    """Return the name if it can be a coin's, raise InputError otherwise."""
    if not is_coin_name(code_of(name).replace("-", ":", 1)):
        folder_of(name)  # raises the error
    return name


async def _wait(stop: asyncio.Event) -> None:
    await stop.wait()


async def _dispensable(job: Callable[[], Awaitable[None]]) -> None:
    """Run a job without which the recording can go on: an error is logged, and it starts anew."""
    while True:
        try:
            await job()
        except Exception:  # whatever it is, it must not cost market data
            logger.exception("an error of the program; the recording goes on")
        await asyncio.sleep(_ANEW_SECONDS)


async def _first_end(jobs: list[asyncio.Task[None]]) -> None:
    """Wait until one job ends, cancel the others and raise the first error."""
    try:
        done, _ = await asyncio.wait(jobs, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for job in jobs:
            job.cancel()
        await asyncio.wait(jobs, timeout=_CANCEL_SECONDS)
        for job in jobs:
            job.cancel()  # one that still waits for the venue, as to close a connection
        await asyncio.gather(*jobs, return_exceptions=True)
    for job in done:
        with contextlib.suppress(asyncio.CancelledError):
            job.result()
