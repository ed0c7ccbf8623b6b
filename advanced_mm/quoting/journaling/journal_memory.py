"""What those who tell the journal share: where to tell it, and what they remember of each coin."""

import functools
import logging
from bisect import bisect_right
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Concatenate, Final, ParamSpec, Protocol, TypeVar

import ccxt

from advanced_mm.journal import Fill, Funding, JournalWriter, Look, RefusalChanged
from advanced_mm.journal.events import Liquidity
from advanced_mm.quoting.edge import Side
from advanced_mm.quoting.journaling.account_records import OwnFill
from advanced_mm.quoting.quoter import Touch

__all__ = ["Books", "CoinMemory", "JournalMemory", "SentQuote", "harmless"]

logger = logging.getLogger(__name__)

REMEMBERED: Final = 1000
OLDEST_MID_MS: Final = 60_000


class _Remembers(Protocol):
    memory: "JournalMemory"


P = ParamSpec("P")
Self = TypeVar("Self", bound=_Remembers)


def harmless(method: Callable[Concatenate[Self, P], None]) -> Callable[Concatenate[Self, P], None]:
    """Let what goes wrong in the journal be said once in the log, and never stop the trading."""

    @functools.wraps(method)
    def guarded(self: Self, /, *args: P.args, **kwargs: P.kwargs) -> None:
        try:
            method(self, *args, **kwargs)
        except Exception as error:
            self.memory.tell_fault(method.__name__, error)

    return guarded


@dataclass
class SentQuote:
    """An order that was sent to rest; ``why`` it will have ended.

    ``right_ms`` are the times of the looks that found its price right, the first that decided it.
    """

    coin: str
    side: Side
    size: float
    sent_ms: int
    right_ms: list[int]
    why: str = "cancelled by Freqtrade"
    filled: float = 0.0
    ended: bool = False

    def age_at(self, time_ms: int) -> float:
        """Seconds since the last look by then that found its price right."""
        before = bisect_right(self.right_ms, time_ms) - 1
        return max(0.0, (time_ms - self.right_ms[max(before, 0)]) / 1000)


@dataclass
class CoinMemory:
    """The newest looks at a coin's book and positions, each with its time in milliseconds."""

    touches: deque[tuple[int, Touch]] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    positions: deque[tuple[int, float]] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    refusal: str | None = None
    """The kind of the last one since a quote was sent."""

    def touch_before(self, time_ms: int) -> Touch | None:
        """The last look at the book by then, None where that was more than a minute before."""
        for at, touch in reversed(self.touches):
            if at <= time_ms:
                return touch if time_ms - at <= OLDEST_MID_MS else None
        return None

    def position_at(self, time_ms: int) -> float:
        """Signed position then, base currency, as far as it is remembered."""
        before = [held for at, held in self.positions if at <= time_ms]
        return before[-1] if before else 0.0


@dataclass(frozen=True)
class Books:
    """Whose figures, and what they say: cash and equity as `Look` counts them.

    ``positions`` and ``marks`` are by coin.
    """

    source: Any
    time_ms: int
    positions: dict[str, float]
    marks: dict[str, float]
    cash: float | None
    equity: float | None


@dataclass
class JournalMemory:
    """Writes events of one bot, filled up with what is remembered."""

    writer: JournalWriter
    bot: str
    coins: dict[str, CoinMemory] = field(default_factory=dict)
    sent: dict[str, SentQuote] = field(default_factory=dict)
    _faults: set[str] = field(default_factory=set)

    def now_ms(self) -> int:
        """The bot's clock, epoch milliseconds."""
        return self.writer.now_ms()

    def coin(self, coin: str) -> CoinMemory:
        """What is remembered of a coin."""
        return self.coins.setdefault(coin, CoinMemory())

    def remember(self, name: str, quote: SentQuote) -> None:
        """Remember an order by its id; the oldest is forgotten."""
        self.sent[name] = quote
        if len(self.sent) > REMEMBERED:
            del self.sent[next(iter(self.sent))]

    def refused(self, coin: str, kind: str, reason: str) -> None:
        """Nothing is quoted; told where the kind of reason is new since the last quote."""
        if self.coin(coin).refusal != kind:
            self.coin(coin).refusal = kind
            self._tell_refusal(coin, kind, reason)

    def quoting_again(self, coin: str) -> None:
        """A quote was sent."""
        if self.coin(coin).refusal is not None:
            self.coin(coin).refusal = None
            self._tell_refusal(coin, "", None)

    def _tell_refusal(self, coin: str, kind: str, reason: str | None) -> None:
        now = self.now_ms()
        self.writer.record(
            RefusalChanged(time_ms=now, coin=coin, bot=self.bot, kind=kind, reason=reason)
        )

    def tell_fill(self, fill: OwnFill, liquidity: Liquidity | None, position: float) -> None:
        """Tell of a fill; ``position`` is the one after it."""
        quote, known = self.sent.get(fill.order), self.coin(fill.coin)
        rested = None if quote is None else max(0.0, (fill.time_ms - quote.sent_ms) / 1000)
        touch = known.touch_before(fill.time_ms)
        known.positions.append((fill.time_ms, position))
        self.writer.record(
            Fill(
                time_ms=fill.time_ms,
                coin=fill.coin,
                bot=self.bot,
                fill=fill.number,
                order=fill.order,
                side="bid" if fill.buys else "ask",
                price=fill.price,
                size=fill.size,
                fee=fill.fee,
                liquidity=liquidity,
                rested_seconds=rested,
                age_seconds=None if quote is None else quote.age_at(fill.time_ms),
                mid=None if touch is None else touch.mid,
                bid=None if touch is None else touch.bid,
                ask=None if touch is None else touch.ask,
                position_after=position,
            )
        )

    def tell_funding(self, time_ms: int, coin: str, amount: float, position: float) -> None:
        """Tell of a payment, positive where it was received."""
        self.writer.record(
            Funding(time_ms=time_ms, coin=coin, bot=self.bot, amount=amount, position=position)
        )

    def tell_look(self, what: Any, books: Books) -> None:
        """Tell of a look at the account: ``start``, ``minute`` or ``end``."""
        for coin, known in self.coins.items():
            touch = known.touch_before(books.time_ms)
            self.writer.record(
                Look(
                    time_ms=books.time_ms,
                    coin=coin,
                    bot=self.bot,
                    what=what,
                    source=books.source,
                    position=books.positions.get(coin, 0.0),
                    mid=None if touch is None else touch.mid,
                    bid=None if touch is None else touch.bid,
                    ask=None if touch is None else touch.ask,
                    mark=books.marks.get(coin),
                    cash=books.cash,
                    equity=books.equity,
                )
            )

    def tell_fault(self, where: str, error: Exception) -> None:
        """Say in the log, once, what went wrong; a venue that does not answer is no fault."""
        text = f"journal: {where.strip('_')}: {error!r}"[:300]
        if text not in self._faults:
            self._faults.add(text)
            expected = isinstance(error, ccxt.BaseError)
            logger.warning("%s", text, exc_info=None if expected else error)
