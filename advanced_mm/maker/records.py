"""What a maker tells the journal of one market, so that it is judged as a bot is."""

from collections.abc import Callable
from decimal import Decimal
from typing import Literal

from advanced_mm import journal as j
from advanced_mm.maker.exchange import Fill, FundingPayment, MarketRules, RestingOrder
from advanced_mm.maker.holdings import currencies
from advanced_mm.policies import MarketState
from advanced_mm.quoting.guards import AccountMark, GuardChange

__all__ = ["Records", "coin_name"]


def coin_name(rules: MarketRules) -> str:
    """Return a market's name in the journal: a perpetual's coin, a spot market's two currencies."""
    base, quote = currencies(rules.symbol)
    return f"{base}_{quote}" if rules.spot else base


class Records:
    """Writes the events of one market.

    Parameters
    ----------
    writer
        None: nothing is written.
    bot
        The market's name among the journal's writers.
    clock_ms
        Epoch milliseconds.
    """

    def __init__(
        self,
        writer: j.JournalWriter | None,
        bot: str,
        rules: MarketRules,
        clock_ms: Callable[[], int],
    ) -> None:
        self.bot, self.coin = bot, coin_name(rules)
        self._writer = writer
        self._spot = rules.spot
        self._clock_ms = clock_ms
        self._sent_ms: dict[str, int] = {}
        self._refusal = ""

    def sent(
        self, order: RestingOrder, state: MarketState, tick: float, position: float, unit: float
    ) -> None:
        """An order was accepted; ``position`` is beyond the target, ``unit`` a size to count it."""
        if self._writer is None:
            return
        now = self._clock_ms()
        self._sent_ms[order.order_id] = now
        sign = 1 if order.side == "buy" else -1
        fair = state.anchor
        self._writer.record(
            j.QuoteSent(
                time_ms=now,
                coin=self.coin,
                bot=self.bot,
                order=order.order_id,
                side="bid" if sign > 0 else "ask",
                price=float(order.price),
                size=float(order.left),
                mid=state.mid,
                bid=state.bid,
                ask=state.ask,
                depth=sign * (fair - float(order.price)),
                fair_price=fair if fair != state.mid else None,
                tick=tick,
                inventory=state.inventory,
                units=round(position / unit),
                purpose="exit" if position * sign < 0 else "entry",
                volatility=state.volatility * state.mid,
            )
        )

    def knows(self, order: RestingOrder) -> bool:
        """Return whether an order was recorded as sent and not as ended."""
        return order.order_id in self._sent_ms

    def ended(self, order: RestingOrder, filled: Decimal, why: str) -> None:
        """An order is off the book; those that nobody knows were recorded as ended before."""
        sent = self._sent_ms.pop(order.order_id, None)
        if self._writer is None or sent is None:
            return
        outcome: Literal["filled", "partial", "cancelled"] = "cancelled"
        if filled >= order.size:
            outcome = "filled"
        elif filled > 0:
            outcome = "partial"
        now = self._clock_ms()
        self._writer.record(
            j.QuoteEnded(
                time_ms=now,
                coin=self.coin,
                bot=self.bot,
                order=order.order_id,
                outcome=outcome,
                why=why,
                filled_size=float(filled),
                age_seconds=max(0.0, (now - sent) / 1000),
            )
        )

    def filled(self, fill: Fill, state: MarketState | None, inventory: float | None) -> None:
        """An order was filled; ``inventory`` is what is held after it, where that is known."""
        if self._writer is None:
            return
        fee = fill.fee
        base, quote = currencies(fill.symbol)
        if fill.fee_currency == base:
            fee *= fill.price
        elif fill.fee_currency != quote:
            fee = Decimal(0)  # a third currency's, whose price is not ours to know
        sent = self._sent_ms.get(fill.order_id)
        rested = None if sent is None else max(0.0, (fill.time_ms - sent) / 1000)
        self._writer.record(
            j.Fill(
                time_ms=fill.time_ms,
                coin=self.coin,
                bot=self.bot,
                fill=fill.fill_id,
                order=fill.order_id,
                side="bid" if fill.side == "buy" else "ask",
                price=float(fill.price),
                size=float(fill.size),
                fee=float(fee),
                liquidity="maker" if fill.maker else "taker",
                rested_seconds=rested,
                mid=None if state is None else state.mid,
                bid=None if state is None else state.bid,
                ask=None if state is None else state.ask,
                position_after=inventory,
            )
        )

    def funded(self, paid: FundingPayment, position: float) -> None:
        """Funding was paid on a position."""
        if self._writer is not None:
            self._writer.record(
                j.Funding(
                    time_ms=paid.time_ms,
                    coin=self.coin,
                    bot=self.bot,
                    amount=float(paid.amount),
                    position=position,
                )
            )

    def refused(self, reason: str) -> None:
        """Why nothing is quoted from now on; an empty reason ends it."""
        kind = reason.partition(":")[0]
        if kind == self._refusal:
            return
        self._refusal = kind
        if self._writer is not None:
            self._writer.record(
                j.RefusalChanged(
                    time_ms=self._clock_ms(),
                    coin=self.coin,
                    bot=self.bot,
                    kind=kind,
                    reason=reason or None,
                )
            )

    def guard(self, change: GuardChange) -> None:
        """A guard acts from now on, or no longer."""
        if self._writer is None:
            return
        verdict = change.verdict
        does: Literal["pause", "widen", "over"] = "over" if verdict is None else verdict.severity
        sides: Literal["bid", "ask", "both"] = "both"
        if verdict is not None and len(verdict.sides) == 1:
            (sides,) = verdict.sides
        self._writer.record(
            j.GuardChanged(
                time_ms=self._clock_ms(),
                coin=self.coin,
                bot=self.bot,
                guard=change.guard,
                does=does,
                sides=sides,
                widen=1.0 if verdict is None else verdict.widen,
                reason=None if verdict is None else verdict.reason,
            )
        )

    def marked(self, mark: AccountMark, bot: str) -> None:
        """Note where the guards of the account stand, under a name of the market's own."""
        if self._writer is not None:
            paused = mark.paused_at
            self._writer.record(
                j.AccountMarked(
                    time_ms=self._clock_ms(),
                    coin="",
                    bot=bot,
                    profit=mark.profit,
                    peak=mark.peak,
                    day_start=mark.day_start,
                    paused_ms=None if paused is None else round(paused.timestamp() * 1000),
                )
            )

    def look(
        self, what: Literal["start", "minute", "end"], state: MarketState, *, venue: bool
    ) -> None:
        """Note the state; ``venue``: the exchange itself has confirmed it."""
        if self._writer is None:
            return
        self._writer.record(
            j.Look(
                time_ms=self._clock_ms(),
                coin=self.coin,
                bot=self.bot,
                what=what,
                position=state.inventory,
                source="venue" if venue else "books",
                mid=state.mid,
                bid=state.bid,
                ask=state.ask,
                mark=state.mid,
                cash=state.quote_balance,
                equity=state.equity,
            )
        )
