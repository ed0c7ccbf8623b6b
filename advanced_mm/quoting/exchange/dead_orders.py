"""Orders that ended without a fill, found so that they can be taken out of Freqtrade's books.

A quote that is replaced leaves such an order behind, and Freqtrade keeps it: it reads all orders of
an open trade in each of several queries a loop, and copies them for each callback. The loops of a
position that is offered for hours would take longer and longer, and memory would fill with copies.
No amount, price, fee or profit is derived from them, and the journal tells of each.
"""

from collections.abc import Callable, Collection, Iterable
from typing import Any, Final

__all__ = ["KEPT", "DeadOrders", "forget_dry_orders", "is_dead"]

KEPT: Final = 10
"""So many of an open trade stay, the newest; they are dropped when there are twice as many."""
KEPT_DRY: Final = 100
"""So many orders of a dry run stay in its exchange's memory, ended or not."""

_WITHOUT_FILL: Final = ("canceled", "cancelled", "expired", "rejected")
_ENDED: Final = (*_WITHOUT_FILL, "closed")


def is_dead(trade: Any, order: Any) -> bool:
    """Whether one of a trade's orders was a limit order, has ended, and is known to be unfilled.

    One that fees or funding were booked on stays. So do a stop, and an order of which it is not
    known how much was filled.
    """
    return bool(
        not order.ft_is_open
        and order.status in _WITHOUT_FILL
        and order.filled is not None
        and order.filled == 0
        and order.order_type == "limit"
        and order.ft_order_side in (trade.entry_side, trade.exit_side)
        and not order.funding_fee
        and not order.ft_fee_base
    )


class DeadOrders:
    """Finds the dead orders of trades that are open, and of those that have closed meanwhile.

    Parameters
    ----------
    trades_of
        Returns Freqtrade's trades with some ids, as far as they exist.
    """

    def __init__(self, trades_of: Callable[[Collection[int]], Iterable[Any]]) -> None:
        self._trades_of = trades_of
        self._open: set[int] = set()
        self.closed: list[Any] = []
        """Trades that were open at the call before the last, and were closed at the last."""

    def find(self, trades: Collection[Any]) -> list[Any]:
        """Return the orders to drop; call it in every loop.

        Of a trade that is open now the newest stay, and its first entry, whose amount is the unit
        of a position in layers (`layers`). Trades that closed before the first call keep theirs.

        Parameters
        ----------
        trades
            All that are open, as in Freqtrade's database and not as its callbacks get them.
        """
        still_open = {int(trade.id) for trade in trades}
        gone = self._open - still_open
        # If the database cannot be asked now, the next call asks for the same trades.
        self.closed = list(self._trades_of(gone)) if gone else []
        self._open = still_open
        found: list[Any] = []
        for trade in trades:
            dead = _dead_of(trade)
            if len(dead) > 2 * KEPT:
                found += dead[:-KEPT]
        for trade in self.closed:
            found += _dead_of(trade)
        return found


def forget_dry_orders(exchange: Any) -> None:
    """Drop what Freqtrade's exchange remembers of the ended orders of a dry run, but the newest.

    It never does; of those that are asked for later it reads the database.
    """
    known: dict[str, Any] = getattr(exchange, "_dry_run_open_orders", {})
    if len(known) > 2 * KEPT_DRY:
        for name, order in list(known.copy().items())[:-KEPT_DRY]:
            if order["status"] in _ENDED:
                known.pop(name, None)


def _dead_of(trade: Any) -> list[Any]:
    """Return a trade's dead orders, the oldest first, without its first entry."""
    first = next((one for one in trade.orders if one.ft_order_side == trade.entry_side), None)
    return [one for one in trade.orders if one is not first and is_dead(trade, one)]
