"""The collector: feed to recorder, a flush timer, and an end that loses nothing."""

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Iterable
from typing import Final

from advanced_mm.errors import VenueError
from advanced_mm.marketdata.connection import Backoff, ConnectionSettings
from advanced_mm.marketdata.feed import HyperliquidFeed
from advanced_mm.marketdata.recorder import Recorder
from advanced_mm.marketdata.store import ShardStore
from advanced_mm.marketdata.ticks import price_step
from advanced_mm.marketdata.venue_meta import fetch_size_decimals

__all__ = ["Collector"]

logger = logging.getLogger(__name__)

_CHECKS_PER_FLUSH: Final = 10
_META_RETRY_SECONDS: Final = (1.0, 60.0)
_TELL_SECONDS: Final = 60.0
"""Longest time that bad rows are left out untold."""


class Collector:
    """Records some coins of a venue into a store.

    Parameters
    ----------
    store : ShardStore
        Where the shards go.
    coins : iterable of str
        Names as the venue spells them.
    url : str
        ``ws://`` or ``wss://`` address of the venue.
    flush_seconds : float
        Longest time a row waits in memory.
    settings : ConnectionSettings or None
        Times of the reconnect policy.

    Raises
    ------
    InputError
        If an argument cannot be used.
    """

    def __init__(
        self,
        store: ShardStore,
        coins: Iterable[str],
        url: str,
        flush_seconds: float = 5.0,
        settings: ConnectionSettings | None = None,
    ) -> None:
        self._store = store
        self._recorder = Recorder(store, coins, ticks=None, flush_seconds=flush_seconds)
        self._feed = HyperliquidFeed(url, self._recorder.coins, self._recorder, settings)
        self._check_seconds = flush_seconds / _CHECKS_PER_FLUSH
        self._size_decimals: dict[str, int] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Record until ``stop`` is set; what came until then is on disk afterwards.

        Raises
        ------
        VenueError
            If the venue does not know a coin.
        InputError
            If the disk refuses.
        """
        for coin in self._recorder.coins:
            self._store.prepare(coin)
        jobs = [
            asyncio.create_task(self._feed.run()),
            asyncio.create_task(self._flush_regularly()),
            asyncio.create_task(self._learn_decimals()),
            asyncio.create_task(self._tell_bad_rows()),
            asyncio.create_task(_wait(stop)),
        ]
        try:
            await _first_end(jobs)
        finally:
            self._flush()
            logger.info("stopped, everything received is on disk; %s", self._recorder.bad_rows)

    async def _flush_regularly(self) -> None:
        while True:
            await asyncio.sleep(self._check_seconds)
            if self._recorder.flush_due(time.time() + self._check_seconds):
                self._flush()

    async def _tell_bad_rows(self) -> None:
        while True:
            await asyncio.sleep(_TELL_SECONDS)
            news = self._recorder.bad_rows.news()
            if news is not None:
                logger.warning("left out of the venue's messages so far: %s", news)

    def _flush(self) -> None:
        for coin, decimals in self._size_decimals.items():
            mid = self._recorder.mid(coin)
            if mid is not None:
                self._recorder.set_tick(coin, price_step(mid, decimals))
        self._recorder.flush()

    async def _learn_decimals(self) -> None:
        """Ask for the coins' size decimals until the venue answers, then sleep for good."""
        backoff = Backoff(*_META_RETRY_SECONDS, random.Random())
        while True:
            try:
                known = await fetch_size_decimals(self._feed.url, self._recorder.bad_rows)
                break
            except VenueError as error:
                logger.warning("shards carry no tick for now: %s", error)
                await asyncio.sleep(backoff.next_delay())
        for coin in self._recorder.coins:
            decimals = known.get(coin)
            if decimals is not None:
                self._size_decimals[coin] = decimals
            elif coin in known:
                logger.warning("shards of %s carry no tick: the venue's meta has none for it", coin)
            elif coin.isalnum():
                raise VenueError(
                    f"the venue at {self._feed.url} has no coin {coin!r}: check the spelling "
                    f"({len(known)} coins there, such as {', '.join(list(known)[:3])})"
                )
            else:  # spot pairs and other dexes are not in the list of the venue's own perpetuals
                logger.warning(
                    "shards of %s carry no tick: the venue's meta does not list it", coin
                )
        await asyncio.Event().wait()


async def _wait(stop: asyncio.Event) -> None:
    await stop.wait()


async def _first_end(jobs: list[asyncio.Task[None]]) -> None:
    """Wait until one job ends, end the others, and raise the first error."""
    try:
        done, _ = await asyncio.wait(jobs, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for job in jobs:
            job.cancel()
        await asyncio.gather(*jobs, return_exceptions=True)
    for job in done:
        with contextlib.suppress(asyncio.CancelledError):
            job.result()
