"""What a Freqtrade bot does and what becomes of it, told to the journal.

The strategy calls this at its turns; what Freqtrade does between them (sending an order, cancelling
it) is seen by standing in front of its exchange object. With real orders the fills, the funding and
the money are the venue's own records (`account_records`), in a dry run Freqtrade's.
"""

import functools
import logging
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Concatenate, Final, ParamSpec

import ccxt

from advanced_mm.errors import InputError
from advanced_mm.instruments import dex_of
from advanced_mm.journal import (
    BadRowsCounted,
    Fill,
    Funding,
    JournalWriter,
    Look,
    QuoteEnded,
    QuoteSent,
    RefusalChanged,
    RequestsUsed,
    read_journal,
)
from advanced_mm.parameter_files import ParameterSet
from advanced_mm.quoting.account_records import HOUR_MS, AccountRecords, OwnFill
from advanced_mm.quoting.edge import Side, toxicity, toxicity_regime
from advanced_mm.quoting.quoter import Quote, Refusal, Touch, kind_of

__all__ = ["Books", "TradeJournal", "dry_books", "queue_ahead"]

logger = logging.getLogger(__name__)

LOOK_EVERY_MS: Final = 60_000
LOOK_AGAIN_MS: Final = 5_000
FILLS_EVERY_MS: Final = 15_000  # weight 20, and only where something was filled
EARLIER_RUN_MS: Final = 86_400_000
"""So long a bot may have been down for its fills of that time to be told when it is back."""
OLDEST_MID_MS: Final = 60_000
GOING_MS: Final = 60_000
"""So long Freqtrade may take from asking for consent to sending the order."""
LATE_FUNDING_MS: Final = 600_000
FIRST_FUNDING_MS: Final = 20_000
REMEMBERED: Final = 1000
LAST_TRIES: Final = 3
"""A venue that does not answer at the end is asked so often; its client spaces the questions."""

P = ParamSpec("P")


@dataclass(frozen=True)
class Books:
    """What a bot's own books say, for a dry run: cash as `Look` counts it, positions by coin."""

    cash: float | None
    positions: Mapping[str, float]


@dataclass
class _Sent:
    """An order that was sent to rest."""

    coin: str
    pair: str
    side: Side
    size: float
    sent_ms: int
    why: str = "cancelled by Freqtrade"
    filled: float = 0.0
    ended: bool = False


@dataclass
class _Coin:
    """What is remembered of a coin."""

    touches: deque[tuple[int, Touch]] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    positions: deque[tuple[int, float]] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    refusal: str | None = None
    """The kind of the last one since a quote was sent."""


def _never_stops_trading(
    method: Callable[Concatenate["TradeJournal", P], None],
) -> Callable[Concatenate["TradeJournal", P], None]:
    """What goes wrong in the journal is said once, and nothing more."""

    @functools.wraps(method)
    def guarded(self: "TradeJournal", *args: P.args, **kwargs: P.kwargs) -> None:
        try:
            method(self, *args, **kwargs)
        except Exception as error:
            self._tell_fault(method.__name__, error)

    return guarded  # type: ignore[return-value]


class TradeJournal:
    """Tells the journal of one bot.

    Parameters
    ----------
    writer
        The journal; `close` closes it.
    bot
        The bot's name.
    exchange
        Freqtrade's exchange object, whose ``create_order`` and ``cancel_order_with_result`` are
        changed by `install`.
    records
        The venue's records of the account, installed; None in a dry run.
    """

    def __init__(
        self, writer: JournalWriter, bot: str, exchange: Any, records: AccountRecords | None
    ) -> None:
        self._writer = writer
        self._bot = bot
        self._exchange = exchange
        self._records = records
        self._coins: dict[str, _Coin] = {}
        self._going: dict[str, QuoteSent] = {}
        self._sent: dict[str, _Sent] = {}
        self._filled: set[str] = set()
        self._funding: dict[object, float] = {}
        self._requests: tuple[int, int] | None = None
        self._unnamed = 0
        self._look_due_ms = self._fills_due_ms = 0
        self._looked = False
        self._fills_missing = False
        self._settled_hour_ms = 0
        self._faults: set[str] = set()

    def install(self) -> None:
        """Stand in front of the exchange; with real orders, find where an earlier run ended."""
        self._create_order = self._exchange.create_order
        self._cancel_order = self._exchange.cancel_order_with_result
        self._exchange.create_order = self._send
        self._exchange.cancel_order_with_result = self._cancel
        self._find_earlier_run()

    # ---- what the strategy tells

    @_never_stops_trading
    def saw(self, coin: str, touch: Touch) -> None:
        """A look at a coin's book."""
        self._coin(coin).touches.append((round(touch.at.timestamp() * 1000), touch))

    @_never_stops_trading
    def refused(self, coin: str, reason: str) -> None:
        """Nothing is quoted; told where the kind of reason is new since the last quote."""
        known, kind = self._coin(coin), kind_of(reason)
        if known.refusal != kind:
            known.refusal = kind
            self._refusal_changed(coin, kind, reason)

    @_never_stops_trading
    def bad_rows(self, told: str) -> None:
        """Something was left out of lists."""
        now = self._writer.now_ms()
        self._writer.record(BadRowsCounted(time_ms=now, coin="", bot=self._bot, told=told))

    @_never_stops_trading
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
        """Freqtrade may send this quote at this price; it becomes an event when it does.

        ``position`` is what the bot holds, base currency, ``ahead`` what rests before the quote.
        """
        value = volatility = None
        if parameters is not None and parameters.calibration_id == quote.calibration_id:
            value = toxicity(parameters, quote.side)
            volatility = parameters.epsilon.sigma
        closes = "exit" if quote.calibration_id is not None else "at_touch"
        self._going[pair] = QuoteSent(
            time_ms=self._writer.now_ms(),
            coin=coin,
            bot=self._bot,
            order="",
            side=quote.side,
            price=price,
            size=0.0,
            mid=quote.mid,
            bid=None if touch is None else touch.bid,
            ask=None if touch is None else touch.ask,
            depth=quote.depth,
            tick=quote.tick,
            inventory=position,
            units=quote.inventory,
            calibration_id=quote.calibration_id,
            expected_edge=quote.edge,
            toxicity=value,
            regime=None if value is None else toxicity_regime(value),
            volatility=volatility,
            purpose="entry" if quote.inventory == 0 else closes,  # type: ignore[arg-type]
            queue_ahead=ahead,
        )

    @_never_stops_trading
    def will_cancel(self, order: str, resting: float, wanted: Quote | Refusal) -> None:
        """Freqtrade is told to cancel a quote."""
        sent = self._sent.get(order)
        if sent is None:
            return
        if isinstance(wanted, Refusal):
            sent.why = wanted.reason
        else:
            off = abs(resting - wanted.price) / wanted.tick
            sent.why = f"replaced: {off:.1f} ticks off"

    @_never_stops_trading
    def order_filled(self, coin: str, trade: Any, order: Any) -> None:
        """Freqtrade has booked an order that filled, in whole or in part."""
        filled, name = float(order.safe_filled), str(order.order_id)
        if filled <= 0:
            return
        if self._records is None:
            self._dry_fill(coin, trade, order, name, filled)
            self._funding_of(coin, trade)
        else:
            self._fills_missing = True
        sent = self._sent.get(name)
        if sent is not None:
            whole = order.status == "closed"
            sent.filled = max(sent.filled, filled)
            self._end(name, sent, "filled" if whole else sent.why)

    @_never_stops_trading
    def at_loop(
        self, coins: Mapping[str, str], trades: Iterable[Any], books: Callable[[], Books]
    ) -> None:
        """What is due at the start of a loop.

        Parameters
        ----------
        coins
            The venue's name of each pair that is traded or held.
        trades
            Freqtrade's open trades.
        books
            Tells, in a dry run, the cash and the positions.
        """
        trades = list(trades)
        self._end_the_gone({str(one.order_id) for trade in trades for one in trade.open_orders})
        for trade in trades:
            if self._records is None and trade.pair in coins:
                self._funding_of(coins[trade.pair], trade)
        for coin in coins.values():
            self._coin(coin)
        self._take_records(self._writer.now_ms())
        if self.look_is_due:
            self._look("minute" if self._looked else "start", books)

    @property
    def look_is_due(self) -> bool:
        """Whether the next `at_loop` looks at the account: fresh books are welcome before."""
        return self._writer.now_ms() >= self._look_due_ms

    def close(self, trades: Callable[[], Iterable[Any]], books: Callable[[], Books]) -> None:
        """A last look, and what the venue has on record by then; call it when the bot ends."""
        self._end_all(trades)
        for _ in range(LAST_TRIES):
            self._at_end(books)
            if not self._looked:
                break
        self._writer.close()

    @_never_stops_trading
    def _end_all(self, trades: Callable[[], Iterable[Any]]) -> None:
        self._end_the_gone({str(one.order_id) for trade in trades() for one in trade.open_orders})

    @_never_stops_trading
    def _at_end(self, books: Callable[[], Books]) -> None:
        if self._records is not None and self._records.since_ms is not None:
            self._fills_missing, self._fills_due_ms = True, 0
            self._take_records(self._writer.now_ms(), last=True)
        if self._looked:
            self._look("end", books)
            self._looked = False

    # ---- in front of Freqtrade's exchange

    def _send(self, **order: Any) -> Any:
        """Freqtrade's ``create_order``."""
        going = self._going.pop(str(order.get("pair")), None)
        sent_ms = self._writer.now_ms()
        try:
            made = self._create_order(**order)
        except Exception as error:
            self._was_refused(going, order, error, sent_ms)
            raise
        self._was_sent(going, order, made, sent_ms)
        return made

    @_never_stops_trading
    def _was_sent(
        self, going: QuoteSent | None, order: Mapping[str, Any], made: Any, sent_ms: int
    ) -> None:
        if going is None or not _is_of(going, order, sent_ms):
            return
        name = str(made["id"])
        event = replace(
            going,
            order=name,
            size=float(made.get("amount") or self._rounded(order)),
            price=float(made.get("price") or order["rate"]),
        )
        self._sent[name] = _Sent(event.coin, order["pair"], event.side, event.size, sent_ms)
        if len(self._sent) > REMEMBERED:
            del self._sent[next(iter(self._sent))]
        self._writer.record(event)
        if self._coin(event.coin).refusal is not None:
            self._coin(event.coin).refusal = None
            self._refusal_changed(event.coin, "", None)

    def _rounded(self, order: Mapping[str, Any]) -> float:
        """The size as Freqtrade has rounded it for the venue."""
        return float(self._exchange.amount_to_precision(order["pair"], order["amount"]))

    @_never_stops_trading
    def _was_refused(
        self, going: QuoteSent | None, order: Mapping[str, Any], error: Exception, sent_ms: int
    ) -> None:
        if going is None or not _is_of(going, order, sent_ms):
            return
        self._unnamed += 1
        event = replace(
            going, order=f"refused-{sent_ms}-{self._unnamed}", size=self._rounded(order)
        )
        self._writer.record(event)
        now = self._writer.now_ms()
        self._writer.record(
            QuoteEnded(
                time_ms=now,
                coin=event.coin,
                bot=self._bot,
                order=event.order,
                outcome="refused",
                why=str(error)[:200],
                filled_size=0.0,
                age_seconds=(now - sent_ms) / 1000,
            )
        )

    def _cancel(self, order_id: str, pair: str, amount: float) -> Any:
        """Freqtrade's ``cancel_order_with_result``."""
        result = self._cancel_order(order_id, pair, amount)
        self._was_cancelled(str(order_id), result)
        return result

    @_never_stops_trading
    def _was_cancelled(self, name: str, result: Mapping[str, Any]) -> None:
        sent = self._sent.get(name)
        # What was filled of it Freqtrade books next, and tells.
        gone = result.get("status") in ("canceled", "cancelled", "expired")
        if sent is not None and gone and not float(result.get("filled") or 0.0):
            self._end(name, sent, sent.why)

    # ---- quotes, fills and funding

    def _end_the_gone(self, open_orders: Collection[str]) -> None:
        """End the quotes that are in Freqtrade's books no more."""
        for name, sent in list(self._sent.items()):
            if not sent.ended and name not in open_orders:
                self._end(name, sent, "gone from Freqtrade's books")

    def _end(self, name: str, sent: _Sent, why: str) -> None:
        if sent.ended:
            return
        sent.ended = True
        now = self._writer.now_ms()
        if sent.filled >= sent.size * (1 - 1e-9):
            outcome = "filled"
        else:
            outcome = "partial" if sent.filled else "cancelled"
        self._writer.record(
            QuoteEnded(
                time_ms=now,
                coin=sent.coin,
                bot=self._bot,
                order=name,
                outcome=outcome,  # type: ignore[arg-type]
                why=why,
                filled_size=sent.filled,
                age_seconds=(now - sent.sent_ms) / 1000,
            )
        )

    def _dry_fill(self, coin: str, trade: Any, order: Any, name: str, filled: float) -> None:
        if name in self._filled:
            return
        self._filled.add(name)
        at = order.order_filled_utc
        time_ms = self._writer.now_ms() if at is None else round(at.timestamp() * 1000)
        price, buys = float(order.safe_price), order.ft_order_side == "buy"
        enters = order.ft_order_side == trade.entry_side
        rate = (trade.fee_open if enters else trade.fee_close) or 0.0
        sent = self._sent.get(name)
        held = -float(trade.amount) if trade.is_short else float(trade.amount)
        self._fill(
            OwnFill(
                time_ms=time_ms,
                coin=coin,
                number=name,
                order=name,
                buys=buys,
                price=price,
                size=filled,
                fee=filled * price * rate,
                crossed=False,
                position_before=0.0,
            ),
            "maker" if sent is not None else None,
            # A closed trade keeps its amount.
            held if enters or trade.is_open else 0.0,
        )

    def _fill(self, fill: OwnFill, liquidity: str | None, position: float) -> None:
        sent, touch = self._sent.get(fill.order), self._touch_before(fill.coin, fill.time_ms)
        self._coin(fill.coin).positions.append((fill.time_ms, position))
        self._writer.record(
            Fill(
                time_ms=fill.time_ms,
                coin=fill.coin,
                bot=self._bot,
                fill=fill.number,
                order=fill.order,
                side="bid" if fill.buys else "ask",
                price=fill.price,
                size=fill.size,
                fee=fill.fee,
                liquidity=liquidity,  # type: ignore[arg-type]
                rested_seconds=(
                    None if sent is None else max(0.0, (fill.time_ms - sent.sent_ms) / 1000)
                ),
                mid=None if touch is None else touch.mid,
                bid=None if touch is None else touch.bid,
                ask=None if touch is None else touch.ask,
                position_after=position,
            )
        )

    def _funding_of(self, coin: str, trade: Any) -> None:
        """Tell by how much a trade's funding has changed, in a dry run."""
        total = float(trade.funding_fees or 0.0)
        # What a trade had when it was first seen, at the start, is in the cash of the first look.
        change = total - self._funding.get(trade.id, total)
        self._funding[trade.id] = total
        if change:
            held = -float(trade.amount) if trade.is_short else float(trade.amount)
            now = self._writer.now_ms()
            self._writer.record(
                Funding(time_ms=now, coin=coin, bot=self._bot, amount=change, position=held)
            )

    def _take_records(self, now: int, *, last: bool = False) -> None:
        """Tell what the venue has on record, and ask for what it may have."""
        records = self._records
        if records is None or records.since_ms is None:
            return
        if self._fills_missing and now >= self._fills_due_ms:
            self._fills_due_ms = now + FILLS_EVERY_MS
            self._fills_missing = not records.ask_fills()
            if last:
                records.ask_requests()
        if self._funding_is_due(now, last):
            records.ask_funding()
        fills, payments = records.news(self._coins.keys())
        for fill in fills:
            self._fill(fill, "taker" if fill.crossed else "maker", fill.position_after)
            if (sent := self._sent.get(fill.order)) is not None:
                sent.filled += 0.0 if sent.ended else fill.size
        for one in payments:
            self._writer.record(
                Funding(
                    time_ms=one.time_ms,
                    coin=one.coin,
                    bot=self._bot,
                    amount=one.amount,
                    position=one.position,
                )
            )
        if records.requests is not None and records.requests != self._requests:
            self._requests = records.requests
            used, allowed = records.requests
            self._writer.record(
                RequestsUsed(time_ms=now, coin="", bot=self._bot, used=used, allowed=allowed)
            )

    def _funding_is_due(self, now: int, last: bool) -> bool:
        """Whether a position was held over the last full hour whose payment is not known yet."""
        hour = now - now % HOUR_MS
        records = self._records
        assert records is not None and records.since_ms is not None
        if hour <= max(self._settled_hour_ms, records.since_ms):
            return False
        held = any(self._position_at(coin, hour) for coin in self._coins)
        if not held or records.newest_funding_ms >= hour or now > hour + LATE_FUNDING_MS:
            self._settled_hour_ms = hour
            return False
        return last or (now >= hour + FIRST_FUNDING_MS and now >= self._look_due_ms)

    def _position_at(self, coin: str, time_ms: int) -> float:
        before = [held for at, held in self._coins[coin].positions if at <= time_ms]
        return before[-1] if before else 0.0

    # ---- looks

    def _look(self, what: str, books: Callable[[], Books]) -> None:
        now = self._writer.now_ms()
        self._look_due_ms = now + LOOK_AGAIN_MS
        if self._records is None:
            self._look_at_books(what, now, books())
        else:
            self._look_at_account(what, self._records)
        self._look_due_ms = now + LOOK_EVERY_MS
        self._looked = True

    def _look_at_books(self, what: str, now: int, books: Books) -> None:
        mids = {coin: self._touch_before(coin, now) for coin in self._coins}
        equity = books.cash
        for coin, held in books.positions.items():
            touch = mids.get(coin)
            if held:
                known = equity is not None and touch is not None
                equity = equity + held * touch.mid if known else None  # type: ignore
        for coin in self._coins:
            touch, held = mids[coin], books.positions.get(coin, 0.0)
            self._record_look(what, now, coin, touch, held, "books", books.cash, equity, None)

    def _look_at_account(self, what: str, records: AccountRecords) -> None:
        states = records.ask_states(self._coins)
        if records.since_ms is None:
            records.since_ms = min(state.time_ms for state in states.values())
        for coin, one in self._coins.items():
            state = states[dex_of(coin)]
            held = state.positions.get(coin, 0.0)
            if not one.positions:
                one.positions.append((state.time_ms, held))
            elif abs(one.positions[-1][1] - held) > 1e-9 * max(1.0, abs(held)):
                self._fills_missing = True  # something was filled that we have not heard of
            self._record_look(
                what,
                state.time_ms,
                coin,
                self._touch_before(coin, state.time_ms),
                held,
                "venue",
                state.cash,
                state.equity,
                state.marks.get(coin),
            )

    def _record_look(
        self,
        what: str,
        time_ms: int,
        coin: str,
        touch: Touch | None,
        position: float,
        source: str,
        cash: float | None,
        equity: float | None,
        mark: float | None,
    ) -> None:
        self._writer.record(
            Look(
                time_ms=time_ms,
                coin=coin,
                bot=self._bot,
                what=what,  # type: ignore[arg-type]
                position=position,
                source=source,  # type: ignore[arg-type]
                mid=None if touch is None else touch.mid,
                bid=None if touch is None else touch.bid,
                ask=None if touch is None else touch.ask,
                mark=touch.mid if mark is None and source == "books" and touch else mark,
                cash=cash,
                equity=equity,
            )
        )

    # ---- small things

    def _coin(self, coin: str) -> _Coin:
        return self._coins.setdefault(coin, _Coin())

    def _touch_before(self, coin: str, time_ms: int) -> Touch | None:
        for at, touch in reversed(self._coin(coin).touches):
            if at <= time_ms:
                return touch if time_ms - at <= OLDEST_MID_MS else None
        return None

    def _refusal_changed(self, coin: str, kind: str, reason: str | None) -> None:
        now = self._writer.now_ms()
        self._writer.record(
            RefusalChanged(time_ms=now, coin=coin, bot=self._bot, kind=kind, reason=reason)
        )

    @_never_stops_trading
    def _find_earlier_run(self) -> None:
        """Go on where this bot's last run ended, so that fills meanwhile are told, and once."""
        if self._records is None:
            return
        since = self._writer.now_ms() - EARLIER_RUN_MS
        try:
            journal = read_journal(self._writer.folder, since_ms=since)
        except InputError:  # the first run
            return
        looks = [one for one in journal.events(Look) if isinstance(one, Look)]
        ends = [one.time_ms for one in looks if one.bot == self._bot and one.source == "venue"]
        if ends:
            self._records.since_ms = max(ends)
            self._fills_missing = True
            told = journal.events(Fill)
            self._records.seen |= {one.fill for one in told if isinstance(one, Fill)}

    def _tell_fault(self, where: str, error: Exception) -> None:
        text = f"journal: {where.strip('_')}: {error!r}"[:300]
        if text not in self._faults:
            self._faults.add(text)
            expected = isinstance(error, ccxt.BaseError)
            logger.warning("%s", text, exc_info=None if expected else error)


def dry_books(money: float, trades: Iterable[Any], coins: Mapping[str, str]) -> Books:
    """Cash and positions of a dry run.

    Parameters
    ----------
    money
        What it started with and has earned with closed trades, quote currency.
    trades
        Freqtrade's open trades.
    coins
        The venue's name of each pair.
    """
    positions: dict[str, float] = {}
    for trade in trades:
        money += float(trade.funding_fees or 0.0)
        held = 0.0
        for order in trade.orders:
            filled, enters = float(order.safe_filled), order.ft_order_side == trade.entry_side
            if order.ft_is_open or not filled:
                continue
            signed = filled if order.ft_order_side == "buy" else -filled
            rate = (trade.fee_open if enters else trade.fee_close) or 0.0
            price = float(order.safe_price)
            money -= signed * price + filled * price * rate
            held += signed
        coin = coins.get(trade.pair, trade.pair)
        positions[coin] = positions.get(coin, 0.0) + held
    return Books(money, positions)


def _is_of(going: QuoteSent, order: Mapping[str, Any], sent_ms: int) -> bool:
    """Whether an order is the quote that was agreed to, and not a stop or a person's order."""
    side = "buy" if going.side == "bid" else "sell"
    if order.get("ordertype") != "limit":
        return False
    near = abs(float(order["rate"]) - going.price) <= 0.01 * going.tick
    return order["side"] == side and near and sent_ms - going.time_ms <= GOING_MS


def queue_ahead(book: Mapping[str, Any] | None, side: Side, price: float) -> float | None:
    """Size resting at a price in a book (ccxt's form), before us; None beyond what it shows."""
    levels = (book or {}).get("bids" if side == "bid" else "asks")
    if not levels:
        return None
    deepest = levels[-1][0]
    if price < deepest if side == "bid" else price > deepest:
        return None
    return float(sum(size for at, size, *_ in levels if abs(at - price) <= 1e-9 * price))
