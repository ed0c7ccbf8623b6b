"""The engine of the loopback spot exchange: wallets, orders, filters, on the other venue's books.

Markets, queues and matching are `venue.engine`'s; here is what differs: an account holds amounts of
assets, free or locked by orders, instead of margin and positions.
"""

from advanced_mm.venue.spot.exchange import SpotExchange
from advanced_mm.venue.spot.orders import SpotRequest
from advanced_mm.venue.spot.rules import SpotRules

__all__ = ["SpotExchange", "SpotRequest", "SpotRules"]
