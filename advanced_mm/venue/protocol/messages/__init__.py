"""The engine's state in Hyperliquid's wire format; numbers are strings."""

from advanced_mm.venue.protocol.messages.account_views import AccountViews
from advanced_mm.venue.protocol.messages.market_views import MarketViews
from advanced_mm.venue.protocol.messages.wire_views import Json

__all__ = ["AccountViews", "Json", "MarketViews"]
