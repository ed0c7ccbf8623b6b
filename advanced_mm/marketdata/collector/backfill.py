"""Asking the venue for trades that were missed: ``recentTrades`` of its REST interface."""

import asyncio
import logging
from collections import deque
from typing import Final

from advanced_mm.bad_rows import BadRows
from advanced_mm.errors import VenueError
from advanced_mm.marketdata.collector.recorder import Recorder, TradesGap
from advanced_mm.marketdata.feed.steady_clock import SteadyClock
from advanced_mm.marketdata.feed.venue_meta import fetch_recent_trades
from advanced_mm.marketdata.feed.wire import decode

__all__ = ["Backfill", "RequestRate"]

logger = logging.getLogger(__name__)

MOST_REQUESTS_A_MINUTE: Final = 15
"""Each weighs 20 and a little for its rows, so a quarter of what the venue allows an address a
minute (1200); the bots on this machine need the rest."""
LOOK_SECONDS: Final = 1.0
TRIES: Final = 3


class RequestRate:
    """Spreads requests so that no minute sees more than ``most``. No clock: times are passed in."""

    def __init__(self, most: int) -> None:
        self._made: deque[float] = deque(maxlen=most)

    def wait(self, now_s: float) -> float:
        """Return how long the next request must wait, seconds; it is assumed to be made then."""
        full = len(self._made) == self._made.maxlen
        seconds = max(self._made[0] + 60.0 - now_s, 0.0) if full else 0.0
        self._made.append(now_s + seconds)
        return seconds


class Backfill:
    """Asks for the trades of each gap that the recorder finds, as far as the venue still has them.

    Parameters
    ----------
    url : str
        Address of the venue's websocket; the REST address is derived from it.
    recorder : Recorder
        Names the gaps and records the trades.
    clock : callable
        The clock of the feed.
    bad_rows : BadRows
        Counts bad rows in the replies.
    """

    def __init__(self, url: str, recorder: Recorder, clock: SteadyClock, bad_rows: BadRows) -> None:
        self._url = url
        self._recorder = recorder
        self._clock = clock
        self._bad_rows = bad_rows
        self._rate = RequestRate(MOST_REQUESTS_A_MINUTE)

    async def run(self) -> None:
        """Fill gaps until cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            by_coin: dict[str, list[TradesGap]] = {}
            for gap in self._recorder.trades_to_fill():
                by_coin.setdefault(gap.coin, []).append(gap)
            for coin, gaps in by_coin.items():
                await self._fill(coin, gaps)

    async def _fill(self, coin: str, gaps: list[TradesGap]) -> None:
        for tries_left in reversed(range(TRIES)):
            await asyncio.sleep(self._rate.wait(self._clock()))
            try:
                told = await fetch_recent_trades(self._url, coin)
                bad_before = self._bad_rows.count("trades")
                rows = decode({"channel": "trades", "data": told}, self._bad_rows) if told else []
            except VenueError as error:
                level = logging.INFO if tries_left else logging.WARNING
                logger.log(level, "%s: trades of a gap cannot be asked for: %s", coin, error)
                continue
            now_s = self._clock()
            whole = self._bad_rows.count("trades") == bad_before
            added = sum(self._recorder.fill(gap, rows, now_s, whole) for gap in gaps)
            logger.info("%s: trades missed in the last gap: the venue still had %d", coin, added)
            return
