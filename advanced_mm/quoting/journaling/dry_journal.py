"""In a dry run: fills, funding and money for the journal, as Freqtrade has them in its books."""

from collections.abc import Iterable, Mapping
from typing import Any

from advanced_mm.quoting.journaling.account_records import OwnFill
from advanced_mm.quoting.journaling.journal_memory import Books, JournalMemory

__all__ = ["DryJournal"]


class DryJournal:
    """Tells what Freqtrade has booked of a dry run."""

    def __init__(self, memory: JournalMemory) -> None:
        self.memory = memory
        self._filled: set[str] = set()
        self._funding: dict[object, float] = {}

    def filled(self, coin: str, trade: Any, order: Any) -> None:
        """Tell of an order that filled; Freqtrade may say so more than once."""
        name = str(order.order_id)
        if name in self._filled:
            return
        self._filled.add(name)
        at, size, price = order.order_filled_utc, float(order.safe_filled), float(order.safe_price)
        fill = OwnFill(
            time_ms=self.memory.now_ms() if at is None else round(at.timestamp() * 1000),
            coin=coin,
            number=name,
            order=name,
            buys=order.ft_order_side == "buy",
            price=price,
            size=size,
            fee=size * price * _fee_rate(trade, order),
            crossed=False,
            position_before=0.0,
        )
        # A closed trade keeps its amount.
        position = _held(trade) if trade.is_open else 0.0
        self.memory.tell_fill(fill, "maker" if name in self.memory.sent else None, position)

    def funding_of(self, coin: str, trade: Any) -> None:
        """Tell by how much a trade's funding has changed."""
        total = float(trade.funding_fees or 0.0)
        # What a trade had when it was first seen, at the start, is in the cash of the first look.
        change = total - self._funding.get(trade.id, total)
        self._funding[trade.id] = total
        if change:
            self.memory.tell_funding(self.memory.now_ms(), coin, change, _held(trade))

    def look(self, money: float, trades: Iterable[Any], coins: Mapping[str, str]) -> Books:
        """What the books say now.

        Parameters
        ----------
        money
            What the run started with and has earned with closed trades, quote currency.
        trades
            Freqtrade's open trades.
        coins
            The venue's name of each pair.
        """
        now, positions = self.memory.now_ms(), dict.fromkeys(self.memory.coins, 0.0)
        for trade in trades:
            money += float(trade.funding_fees or 0.0)
            coin = coins.get(trade.pair, trade.pair)
            for order in trade.orders:
                size, price = float(order.safe_filled), float(order.safe_price)
                if order.ft_is_open or not size:
                    continue
                signed = size if order.ft_order_side == "buy" else -size
                money -= signed * price + size * price * _fee_rate(trade, order)
                positions[coin] = positions.get(coin, 0.0) + signed
        touches = {coin: one.touch_before(now) for coin, one in self.memory.coins.items()}
        marks = {coin: touch.mid for coin, touch in touches.items() if touch is not None}
        valued = all(coin in marks for coin, held in positions.items() if held)
        worth = sum(held * marks[coin] for coin, held in positions.items() if held and valued)
        return Books("books", now, positions, marks, money, money + worth if valued else None)


def _held(trade: Any) -> float:
    return -float(trade.amount) if trade.is_short else float(trade.amount)


def _fee_rate(trade: Any, order: Any) -> float:
    enters = order.ft_order_side == trade.entry_side
    return float((trade.fee_open if enters else trade.fee_close) or 0.0)
