"""Orders that were sent to rest, from Freqtrade's consent to their end."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any, Final

from advanced_mm.journal import QuoteEnded, QuoteSent
from advanced_mm.journal.events import Outcome, Purpose
from advanced_mm.parameter_files import ParameterSet
from advanced_mm.quoting.edge import toxicity, toxicity_regime
from advanced_mm.quoting.journaling.journal_memory import JournalMemory, SentQuote, harmless
from advanced_mm.quoting.quoter import Quote, Refusal, Touch

__all__ = ["SentQuotes"]

GOING_MS: Final = 60_000
"""So long Freqtrade may take from asking for consent to sending the order."""


class SentQuotes:
    """Stands in front of Freqtrade's exchange object and tells what becomes of each quote.

    Only there an order's id is known as soon as it is sent, and that the venue refused it.

    Parameters
    ----------
    memory
        Where to tell it.
    exchange
        Freqtrade's; its ``create_order`` and ``cancel_order_with_result`` are changed by `install`.
    """

    def __init__(self, memory: JournalMemory, exchange: Any) -> None:
        self.memory = memory
        self._exchange = exchange
        self._going: dict[str, QuoteSent] = {}
        self._unnamed = 0

    def install(self) -> None:
        """Take the place of the exchange's own methods."""
        self._create_order = self._exchange.create_order
        self._cancel_order = self._exchange.cancel_order_with_result
        self._exchange.create_order = self._send
        self._exchange.cancel_order_with_result = self._cancel

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
        """Freqtrade may send this quote at this price; see `TradeJournal.agreed`."""
        value = volatility = None
        if parameters is not None and parameters.calibration_id == quote.calibration_id:
            value = toxicity(parameters, quote.side)
            volatility = parameters.epsilon.sigma
        self._going[pair] = QuoteSent(
            time_ms=self.memory.now_ms(),
            coin=coin,
            bot=self.memory.bot,
            order="",
            side=quote.side,
            price=price,
            size=0.0,
            mid=quote.mid,
            bid=None if touch is None else touch.bid,
            ask=None if touch is None else touch.ask,
            depth=quote.depth,
            fair_price=quote.fair_price,
            widened=quote.widened,
            tick=quote.tick,
            inventory=position,
            units=quote.inventory,
            calibration_id=quote.calibration_id,
            expected_edge=quote.edge,
            toxicity=value,
            regime=None if value is None else toxicity_regime(value),
            volatility=volatility,
            purpose=_purpose(quote),
            queue_ahead=ahead,
        )

    def will_cancel(self, order: str, resting: float, wanted: Quote | Refusal) -> None:
        """Freqtrade is told to cancel an order, which rests at that price."""
        quote = self.memory.sent.get(order)
        if quote is None:
            return
        if isinstance(wanted, Refusal):
            quote.why = wanted.reason
        else:
            quote.why = f"replaced: {abs(resting - wanted.price) / wanted.tick:.1f} ticks off"

    def moved(self, pair: str, old: str, new: Mapping[str, Any], *, ended: bool) -> None:
        """An order was replaced at the venue without Freqtrade: `agreed` before, now done.

        One that has not ``ended`` for certain does so when Freqtrade books it.
        """
        going, quote = self._going.pop(pair, None), self.memory.sent.get(old)
        if quote is not None and ended:
            self._end(old, quote, quote.why)
        if going is not None:
            self._begin(going, new, self.memory.now_ms())

    def kept(
        self, order: str, resting: float, wanted: Quote | Refusal, tolerance_percent: float
    ) -> None:
        """Freqtrade leaves an order at that price; where that is right it is as if new."""
        quote = self.memory.sent.get(order)
        if quote is None or isinstance(wanted, Refusal):
            return
        # Right is the wanted price, and any within the tolerance. A quote too near is filled more
        # often, but it also loses its value sooner than one too far away and is replaced sooner:
        # what kept quotes are off costs their fills nothing on average, and what these have lost of
        # the depth is what the mid moved since this look. Only where an order beyond the tolerance
        # is kept, being too young, its age goes on.
        known = wanted.kappa > 0
        if abs(resting - wanted.price) <= wanted.tick / 2 or (
            known and wanted.value_lost(resting) <= tolerance_percent / 100
        ):
            quote.right_ms.append(self.memory.now_ms())

    def booked(self, order: str, filled: float, *, whole: bool) -> None:
        """Freqtrade has booked an order's end of which something was filled."""
        quote = self.memory.sent.get(order)
        if quote is not None:
            quote.filled = max(quote.filled, filled)
            self._end(order, quote, "filled" if whole else quote.why)

    def end_the_gone(self, open_orders: Collection[str]) -> None:
        """End the quotes that are in Freqtrade's books no more."""
        for order, quote in list(self.memory.sent.items()):
            if not quote.ended and order not in open_orders:
                self._end(order, quote, "gone from Freqtrade's books")

    def _send(self, **order: Any) -> Any:
        """Freqtrade's ``create_order``."""
        going = self._going.pop(str(order.get("pair")), None)
        sent_ms = self.memory.now_ms()
        try:
            made = self._create_order(**order)
        except Exception as error:
            self._was_refused(going, order, error, sent_ms)
            raise
        self._was_sent(going, order, made, sent_ms)
        return made

    @harmless
    def _was_sent(
        self, going: QuoteSent | None, order: Mapping[str, Any], made: Any, sent_ms: int
    ) -> None:
        if going is None or not _is_of(going, order, sent_ms):
            return
        size = float(made.get("amount") or self._rounded(order))
        price = float(made.get("price") or order["rate"])
        self._begin(going, {"id": made["id"], "amount": size, "price": price}, sent_ms)

    def _begin(self, going: QuoteSent, made: Mapping[str, Any], sent_ms: int) -> None:
        name, size, price = str(made["id"]), float(made["amount"]), float(made["price"])
        self.memory.remember(
            name, SentQuote(going.coin, going.side, size, sent_ms, [going.time_ms])
        )
        self.memory.writer.record(replace(going, order=name, size=size, price=price))
        self.memory.quoting_again(going.coin)

    @harmless
    def _was_refused(
        self, going: QuoteSent | None, order: Mapping[str, Any], error: Exception, sent_ms: int
    ) -> None:
        if going is None or not _is_of(going, order, sent_ms):
            return
        self._unnamed += 1
        name, size = f"refused-{sent_ms}-{self._unnamed}", self._rounded(order)
        self.memory.writer.record(replace(going, order=name, size=size))
        quote = SentQuote(going.coin, going.side, size, sent_ms, [going.time_ms])
        self._end(name, quote, str(error)[:200], "refused")

    def _rounded(self, order: Mapping[str, Any]) -> float:
        """The size as Freqtrade has rounded it for the venue."""
        return float(self._exchange.amount_to_precision(order["pair"], order["amount"]))

    def _cancel(self, order_id: str, pair: str, amount: float) -> Any:
        """Freqtrade's ``cancel_order_with_result``."""
        result = self._cancel_order(order_id, pair, amount)
        self._was_cancelled(str(order_id), result)
        return result

    @harmless
    def _was_cancelled(self, order: str, result: Mapping[str, Any]) -> None:
        quote = self.memory.sent.get(order)
        # What was filled of it Freqtrade books next, and tells.
        gone = result.get("status") in ("canceled", "cancelled", "expired")
        if quote is not None and gone and not float(result.get("filled") or 0.0):
            self._end(order, quote, quote.why)

    def _end(self, order: str, quote: SentQuote, why: str, outcome: Outcome | None = None) -> None:
        if quote.ended:
            return
        quote.ended = True
        now = self.memory.now_ms()
        self.memory.writer.record(
            QuoteEnded(
                time_ms=now,
                coin=quote.coin,
                bot=self.memory.bot,
                order=order,
                outcome=outcome or _outcome(quote),
                why=why,
                filled_size=quote.filled,
                age_seconds=(now - quote.sent_ms) / 1000,
            )
        )


def _purpose(quote: Quote) -> Purpose:
    if quote.is_entry:
        return "entry"
    return "at_touch" if quote.calibration_id is None else "exit"


def _outcome(quote: SentQuote) -> Outcome:
    if quote.filled >= quote.size * (1 - 1e-9):
        return "filled"
    return "partial" if quote.filled else "cancelled"


def _is_of(going: QuoteSent, order: Mapping[str, Any], sent_ms: int) -> bool:
    """Whether an order is the quote that was agreed to, and not a stop or a person's order."""
    if order.get("ordertype") != "limit":
        return False
    side = "buy" if going.side == "bid" else "sell"
    near = abs(float(order["rate"]) - going.price) <= 0.01 * going.tick
    return order["side"] == side and near and sent_ms - going.time_ms <= GOING_MS
