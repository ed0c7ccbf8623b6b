"""Detection of channels that fall silent while the socket is alive. No clock and no network.

Silence is measured only while other messages arrive, so a stalled connection makes no channel look
silent. Only new data count as a message: a channel that repeats old data after resubscribing has
answered, but is still silent.
"""

import enum
import logging
import random
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, fields
from math import inf
from typing import Final

import numpy as np

from advanced_mm.errors import InputError
from advanced_mm.marketdata.connection_log import CHANNELS
from advanced_mm.marketdata.feed.policy import Backoff
from advanced_mm.marketdata.records import Recording
from advanced_mm.marketdata.silence import heard_gaps, silence_limit

__all__ = ["CHANNELS", "Remedy", "SilentChannel", "SpokenAgain", "Watchdog", "WatchdogSettings"]

logger = logging.getLogger(__name__)

_GAPS_KEPT: Final = 2000
_STEP_SECONDS: Final = 3.0  # a longer pause of the whole socket counts as this long
_OTHER_CLOCK_MS: Final = 60_000  # a time further back than this: the venue's clock was reset


@dataclass(frozen=True)
class WatchdogSettings:
    """Times of the watchdog, all in seconds and positive.

    Attributes
    ----------
    least_seconds : float
        Shorter silences are ignored, however regular the channel is.
    first_word_seconds : float
        Time allowed for the first message after subscribing.
    first_retry_seconds, longest_retry_seconds : float
        Delay before the second remedy, and the cap on the later delays, which double; both before
        jitter. A channel that was not silent for the longest delay starts over.
    """

    least_seconds: float = 5.0
    first_word_seconds: float = 15.0
    first_retry_seconds: float = 15.0
    longest_retry_seconds: float = 600.0

    def __post_init__(self) -> None:
        for one in fields(self):
            value = getattr(self, one.name)
            if not 0.0 < value < inf:
                raise InputError(f"{one.name} is {value!r}, must be a positive number of seconds")


class Remedy(enum.Enum):
    """What to do about a silent channel."""

    WAIT = enum.auto()
    SUBSCRIBE = enum.auto()
    RECONNECT = enum.auto()


@dataclass(frozen=True)
class SilentChannel:
    """A silent channel and the remedy due now.

    ``begins`` is true when the silence is first detected; ``newest_ms`` is the exchange time of the
    channel's last message, None if there was none; ``seconds`` is the length of the silence so far.
    """

    coin: str
    channel: str
    seconds: float
    newest_ms: int | None
    begins: bool
    remedy: Remedy

    def __str__(self) -> str:
        return f"{self.coin}: {self.channel} silent for {self.seconds:.0f} s"


@dataclass(frozen=True)
class SpokenAgain:
    """The end of a silence.

    ``seconds`` is its length; ``newest_ms`` the exchange time of the last message before it, None
    if there was none.
    """

    coin: str
    channel: str
    seconds: float
    newest_ms: int | None


@dataclass
class _Channel:
    coin: str
    name: str
    backoff: Backoff
    gaps: deque[float] = field(default_factory=lambda: deque(maxlen=_GAPS_KEPT))
    newest_ms: int | None = None
    heard_at: float = 0.0  # on the watchdog's clock
    heard_s: float = 0.0  # local time
    spoken: bool = False  # on this connection
    silent: bool = False
    remedies: int = 0
    answered: bool = False  # the last remedy brought an answer, but no new data
    due_s: float = -inf
    ended_s: float = -inf


class Watchdog:
    """Learns each channel's rate and chooses a remedy when a silence is too long to be chance.

    Parameters
    ----------
    coins : iterable of str
        Coins whose channels (`CHANNELS`) are watched.
    settings : WatchdogSettings or None
        Times of the watchdog; None for the defaults.
    rng : random.Random or None
        Source of the jitter.
    """

    def __init__(
        self,
        coins: Iterable[str],
        settings: WatchdogSettings | None = None,
        rng: random.Random | None = None,
    ) -> None:
        self._settings = times = settings or WatchdogSettings()
        rng = rng or random.Random()
        self._channels = {
            (coin, name): _Channel(
                coin, name, Backoff(times.first_retry_seconds, times.longest_retry_seconds, rng)
            )
            for coin in coins
            for name in CHANNELS
        }
        self._left_alone: set[str] = set()  # coins of which a new connection told nothing either
        self._clock = 0.0  # seconds in which messages arrived
        self._heard_s: float | None = None

    def learn(self, recording: Recording) -> None:
        """Learn a coin's rates from an earlier recording, in addition to the messages so far.

        A coin that is not watched is ignored.
        """
        times = dict(
            zip(
                CHANNELS,
                (recording.quotes.time_ms, recording.trades.time_ms, recording.book_time_ms),
                strict=True,
            )
        )
        every = np.sort(np.concatenate(list(times.values())))
        for name, time_ms in times.items():
            channel = self._channels.get((recording.coin, name))
            if channel is not None:
                gaps = heard_gaps(time_ms, every, round(1000 * _STEP_SECONDS)).tolist()
                channel.gaps = deque([*gaps, *channel.gaps], maxlen=_GAPS_KEPT)

    def connected(self, now_s: float) -> None:
        """Note a new connection, which resubscribes every channel: a remedy for silent ones."""
        self._heard_s = now_s
        for channel in self._channels.values():
            channel.spoken, channel.answered, channel.heard_at = False, False, self._clock
            if channel.silent:
                self._treated(channel, now_s)
            else:
                channel.heard_s = now_s

    def disconnected(self) -> None:
        """Note the end of the connection: no messages are expected now."""
        self._heard_s = None

    def heard(self, coin: str, name: str, time_ms: int, now_s: float) -> SpokenAgain | None:
        """Note a message whose newest row has exchange time ``time_ms``.

        Returns
        -------
        SpokenAgain or None
            The silence it ends, if any.
        """
        if self._heard_s is None:
            return None
        self._clock += min(max(now_s - self._heard_s, 0.0), _STEP_SECONDS)
        self._heard_s = now_s
        channel = self._channels.get((coin, name))
        if channel is None:
            return None
        newest_ms = channel.newest_ms
        if newest_ms is not None and 0 <= newest_ms - time_ms < _OTHER_CLOCK_MS:
            channel.answered = True
            return None
        if channel.spoken:
            channel.gaps.append(self._clock - channel.heard_at)
        silent_s, was_silent = now_s - channel.heard_s, channel.silent
        channel.newest_ms, channel.heard_at, channel.heard_s = time_ms, self._clock, now_s
        channel.spoken, channel.silent = True, False
        self._left_alone.discard(coin)
        if not was_silent:
            return None
        channel.ended_s = now_s
        channel.due_s = min(channel.due_s, now_s + self._settings.first_retry_seconds)
        logger.warning("%s: %s active again after %.0f s of silence", coin, name, silent_s)
        return SpokenAgain(coin, name, silent_s, newest_ms)

    def look(self, now_s: float) -> list[SilentChannel]:
        """Return the silences that are new or need a remedy now.

        Each remedy is returned once and assumed to be carried out; each silence is logged once,
        when it begins.
        """
        return [] if self._heard_s is None else list(self._found(now_s))

    def _found(self, now_s: float) -> Iterator[SilentChannel]:
        for channel in self._channels.values():
            begins = not channel.silent and self._falls_silent(channel, now_s)
            if not channel.silent or (now_s < channel.due_s and not begins):
                continue
            yield SilentChannel(
                channel.coin,
                channel.name,
                now_s - channel.heard_s,
                channel.newest_ms,
                begins,
                self._remedy(channel, now_s),
            )

    def _falls_silent(self, channel: _Channel, now_s: float) -> bool:
        """Return whether a channel is silent for longer than chance explains, and mark it so."""
        times, silent_s = self._settings, self._clock - channel.heard_at
        if silent_s < times.least_seconds:
            return False
        limit = silence_limit(channel.gaps)
        if not (channel.spoken or channel.answered):
            limit = (
                times.first_word_seconds if limit == inf else max(limit, times.first_word_seconds)
            )
        if silent_s <= limit:
            return False
        if now_s - channel.ended_s > times.longest_retry_seconds:
            channel.backoff.reset()
        channel.silent, channel.remedies = True, 0
        logger.warning(
            "%s: %s silent for %.1f s while other channels are active, longer than chance explains "
            "(limit %.1f s); resubscribing",
            channel.coin,
            channel.name,
            now_s - channel.heard_s,
            max(limit, times.least_seconds),
        )
        return True

    def _remedy(self, channel: _Channel, now_s: float) -> Remedy:
        """Return the next remedy: resubscribe and reconnect in turn.

        A subscription that has answered works, so it is no reason to drop the connection. Neither
        are the trades of a coin for which none ever arrived: there may be none. A coin of which
        nothing comes on any channel costs the others one connection, not more: it may no longer
        be traded.
        """
        if now_s < channel.due_s:
            return Remedy.WAIT
        in_vain = channel.remedies % 2 == 1 and not channel.answered
        exists = channel.name != "trades" or channel.newest_ms is not None
        self._treated(channel, now_s)
        if not (in_vain and exists) or channel.coin in self._left_alone:
            return Remedy.SUBSCRIBE
        if all(self._channels[channel.coin, name].silent for name in CHANNELS):
            self._left_alone.add(channel.coin)
            logger.warning(
                "%s: silent on all channels; if a new connection does not help, it may no longer "
                "be traded: it is asked for now and then, and the other coins go on",
                channel.coin,
            )
        return Remedy.RECONNECT

    @staticmethod
    def _treated(channel: _Channel, now_s: float) -> None:
        channel.remedies += 1
        channel.answered = False
        channel.due_s = now_s + channel.backoff.next_delay()
