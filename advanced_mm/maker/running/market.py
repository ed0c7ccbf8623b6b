"""What the parts of one market's keeper share."""

from collections.abc import Callable
from dataclasses import dataclass

from advanced_mm.maker.client_ids import ClientIds
from advanced_mm.maker.exchange import MakerExchange, MarketRules, RestingOrder
from advanced_mm.maker.holdings import Holdings
from advanced_mm.maker.own_orders import OwnOrders
from advanced_mm.maker.records import Records
from advanced_mm.maker.setup import MarketSetup
from advanced_mm.quoting.guards import RiskGuards

__all__ = ["Market"]


@dataclass(frozen=True)
class Market:
    """One market, where it is traded, and what is known of its orders.

    Parameters
    ----------
    setup
        How it is set up.
    exchange, rules
        Where it is traded, opened.
    holdings
        The account's.
    ids
        Makes and knows the market's client ids.
    records
        Takes what happens, for the journal.
    clock_ms
        Epoch milliseconds.
    guards
        Of the market and its account.
    orders
        The maker's own.
    """

    setup: MarketSetup
    exchange: MakerExchange
    rules: MarketRules
    holdings: Holdings
    ids: ClientIds
    records: Records
    clock_ms: Callable[[], int]
    guards: RiskGuards
    orders: OwnOrders

    @property
    def symbol(self) -> str:
        """Its symbol."""
        return self.rules.symbol

    def ended(self, order: RestingOrder, why: str) -> None:
        """Tell the journal that an order is off the book."""
        filled = max(order.filled, self.orders.filled_size(order.order_id))
        self.records.ended(order, filled, why)
