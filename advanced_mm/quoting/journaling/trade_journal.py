"""What a Freqtrade bot does and what becomes of it, told to the journal.

The strategy calls this at its turns; what Freqtrade does between them is seen by standing in front
of its exchange object (`sent_quotes`). With real orders the fills, the funding and the money are
the venue's own records (`account_journal`), in a dry run Freqtrade's (`dry_journal`).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from advanced_mm.journal import AccountMarked, BadRowsCounted, GuardChanged, JournalWriter
from advanced_mm.parameter_files import ParameterSet
from advanced_mm.quoting.guards import AccountMark, GuardChange
from advanced_mm.quoting.journaling.account_journal import AccountJournal
from advanced_mm.quoting.journaling.account_records import AccountRecords
from advanced_mm.quoting.journaling.dry_journal import DryJournal
from advanced_mm.quoting.journaling.journal_memory import JournalMemory, harmless
from advanced_mm.quoting.journaling.sent_quotes import SentQuotes
from advanced_mm.quoting.quoter import Quote, Refusal, Touch, kind_of

__all__ = ["TradeJournal"]

LOOK_EVERY_MS: Final = 60_000
LOOK_AGAIN_MS: Final = 5_000
LAST_TRIES: Final = 3
"""A venue that does not answer at the end is asked so often; its client spaces the questions."""


class TradeJournal:
    """Tells the journal of one bot. Nothing that goes wrong here reaches the bot.

    Parameters
    ----------
    writer
        The journal; `close` closes it.
    bot
        The bot's name.
    exchange
        Freqtrade's exchange object, which `install` changes.
    records
        The venue's records of the account, installed; None in a dry run.
    money
        Tells, in a dry run, what it started with and has earned with closed trades.
    """

    def __init__(
        self,
        writer: JournalWriter,
        bot: str,
        exchange: Any,
        records: AccountRecords | None,
        money: Callable[[], float],
    ) -> None:
        self.memory = JournalMemory(writer, bot)
        self._quotes = SentQuotes(self.memory, exchange)
        self._account = None if records is None else AccountJournal(self.memory, records)
        self._dry = DryJournal(self.memory)
        self._money = money
        self._pairs: dict[str, str] = {}
        self._look_due_ms = self._mark_due_ms = 0
        self._paused_ms: int | None = None
        self._looked = self._taken = False

    def install(self) -> None:
        """Stand in front of the exchange; with real orders, find where an earlier run ended."""
        self._quotes.install()
        if self._account is not None:
            self._account.find_earlier_run()

    @harmless
    def saw(self, coin: str, touch: Touch) -> None:
        """A look at a coin's book."""
        self.memory.coin(coin).touches.append((round(touch.at.timestamp() * 1000), touch))

    @harmless
    def refused(self, coin: str, reason: str) -> None:
        """Nothing is quoted; told where the kind of reason is new since the last quote."""
        self.memory.refused(coin, kind_of(reason), reason)

    @harmless
    def bad_rows(self, told: str) -> None:
        """Something was left out of lists."""
        now, bot = self.memory.now_ms(), self.memory.bot
        self.memory.writer.record(BadRowsCounted(time_ms=now, coin="", bot=bot, told=told))

    @harmless
    def guard_changed(self, change: GuardChange) -> None:
        """A guard objects to entries from now on, or no longer."""
        verdict = change.verdict
        sides = None if verdict is None or len(verdict.sides) > 1 else next(iter(verdict.sides))
        self.memory.writer.record(
            GuardChanged(
                time_ms=self.memory.now_ms(),
                coin=change.coin,
                bot=self.memory.bot,
                guard=change.guard,
                does="over" if verdict is None else verdict.severity,
                sides=sides or "both",
                widen=1.0 if verdict is None else verdict.widen,
                reason=None if verdict is None else verdict.reason,
            )
        )

    @harmless
    def marked(self, mark: AccountMark) -> None:
        """What the account's guards must know after a restart; told once a minute, or at once.

        At once where a pause begins or ends.
        """
        now, paused = self.memory.now_ms(), mark.paused_at
        paused_ms = None if paused is None else round(paused.timestamp() * 1000)
        if now < self._mark_due_ms and paused_ms == self._paused_ms:
            return
        self._mark_due_ms, self._paused_ms = now + LOOK_EVERY_MS, paused_ms
        self.memory.writer.record(
            AccountMarked(
                time_ms=now,
                coin="",
                bot=self.memory.bot,
                profit=mark.profit,
                peak=mark.peak,
                day_start=mark.day_start,
                paused_ms=paused_ms,
            )
        )

    @harmless
    def agreed(
        self,
        pair: str,
        coin: str,
        quote: Quote,
        price: float,
        position: float,
        touch: Touch | None,
        parameters: ParameterSet | None,
        ahead: float | None,
    ) -> None:
        """Freqtrade may send a quote; it becomes an event when it does.

        Parameters
        ----------
        pair, coin
            The market, in both spellings.
        quote, price
            What was decided, and the price after Freqtrade's own checks.
        position
            What the bot holds, signed, base currency.
        touch, parameters, ahead
            What it was decided on, and the size that rests before it, as far as they are known.
        """
        self._quotes.agreed(pair, coin, quote, price, position, touch, parameters, ahead)

    @harmless
    def will_cancel(self, order: str, resting: float, wanted: Quote | Refusal) -> None:
        """Freqtrade is told to cancel an order, which rests at that price."""
        self._quotes.will_cancel(order, resting, wanted)

    @harmless
    def moved(self, pair: str, old: str, new: Mapping[str, Any], *, ended: bool) -> None:
        """An order was replaced at the venue by one that was agreed to; ``new`` as in ccxt.

        ``ended``: it is known that nothing of the old one was filled.
        """
        self._quotes.moved(pair, old, new, ended=ended)

    @harmless
    def kept(
        self, order: str, resting: float, wanted: Quote | Refusal, tolerance_percent: float
    ) -> None:
        """A look at an order, which rests at that price, has left it there.

        ``tolerance_percent`` is the share of its value that it may have lost.
        """
        self._quotes.kept(order, resting, wanted, tolerance_percent)

    @harmless
    def order_filled(self, coin: str, trade: Any, order: Any) -> None:
        """Freqtrade has booked an order that filled, in whole or in part."""
        filled = float(order.safe_filled)
        if filled <= 0:
            return
        if self._account is not None:
            self._account.something_filled()
        else:
            self._dry.filled(coin, trade, order)
            self._dry.funding_of(coin, trade)
        self._quotes.booked(str(order.order_id), filled, whole=order.status == "closed")

    @harmless
    def at_loop(self, coins: Mapping[str, str], trades: Sequence[Any]) -> None:
        """What is due at the start of a loop.

        Parameters
        ----------
        coins
            The venue's name of each pair that is traded or held.
        trades
            Freqtrade's open trades.
        """
        self._pairs |= coins
        for coin in coins.values():
            self.memory.coin(coin)
        self._take(trades)
        if self.look_is_due:
            self._look("minute" if self._looked else "start", trades)

    @property
    def look_is_due(self) -> bool:
        """Whether the next `at_loop` looks at the account: fresh books are welcome before."""
        return self.memory.now_ms() >= self._look_due_ms

    def close(self, trades: Callable[[], Sequence[Any]]) -> None:
        """A last look, and what is on record by then; call it when the bot ends."""
        for _ in range(LAST_TRIES):
            self._look_at_the_end(trades)
            self._take_at_the_end(trades)  # what the look may have shown to be missing
            if not self._looked and self._taken:
                break
        self.memory.writer.close()

    @harmless
    def _look_at_the_end(self, trades: Callable[[], Sequence[Any]]) -> None:
        if self._looked:
            self._look("end", trades())
            self._looked = False

    @harmless
    def _take_at_the_end(self, trades: Callable[[], Sequence[Any]]) -> None:
        if not self._taken:
            self._take(trades(), last=True)
            self._taken = True

    def _take(self, trades: Sequence[Any], *, last: bool = False) -> None:
        """Take in what Freqtrade and the venue have on record."""
        self._quotes.end_the_gone({str(one.order_id) for t in trades for one in t.open_orders})
        if self._account is not None:
            self._account.take(last=last)
            return
        for trade in trades:
            if trade.pair in self._pairs:
                self._dry.funding_of(self._pairs[trade.pair], trade)

    def _look(self, what: str, trades: Sequence[Any]) -> None:
        now = self.memory.now_ms()
        self._look_due_ms = now + LOOK_AGAIN_MS  # unless it succeeds
        if self._account is not None:
            books = self._account.look()
        else:
            books = self._dry.look(self._money(), trades, self._pairs)
        self.memory.tell_look(what, books)
        self._look_due_ms = now + LOOK_EVERY_MS
        self._looked = True
