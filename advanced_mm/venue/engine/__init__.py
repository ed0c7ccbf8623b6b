"""The matching engine of the loopback venue: orders, queues, accounts, margin and clearing.

It does no I/O and is driven by the caller's clock. Money, prices and sizes are whole numbers (see
`advanced_mm.markets.units`), so that every fill balances exactly.
"""

from advanced_mm.venue.engine.accounts import Account, Accounts, Leverage, Position
from advanced_mm.venue.engine.command_log import LoggedExchange
from advanced_mm.venue.engine.exchange import Exchange, Grouping
from advanced_mm.venue.engine.orders import (
    Fill,
    Order,
    OrderEvent,
    OrderRequest,
    OrderStatus,
    Outcome,
    TimeInForce,
    Trigger,
)
from advanced_mm.venue.engine.rules import Rules
from advanced_mm.venue.engine.trading_record import trading_record

__all__ = [
    "Account",
    "Accounts",
    "Exchange",
    "Fill",
    "Grouping",
    "Leverage",
    "LoggedExchange",
    "Order",
    "OrderEvent",
    "OrderRequest",
    "OrderStatus",
    "Outcome",
    "Position",
    "Rules",
    "TimeInForce",
    "Trigger",
    "trading_record",
]
