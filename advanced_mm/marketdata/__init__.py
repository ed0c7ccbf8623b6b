"""Market data from the exchange: records and the shard store.

What is heard is in `feed`, what writes it down in `collector`; code that only reads recordings then
does not load the network library.
"""

from advanced_mm.marketdata.connection_log import ConnectionEvent, Gap
from advanced_mm.marketdata.contexts import Contexts
from advanced_mm.marketdata.records import Quotes, Recording, Trades
from advanced_mm.marketdata.store import ShardStore
from advanced_mm.marketdata.ticks import price_step

__all__ = [
    "ConnectionEvent",
    "Contexts",
    "Gap",
    "Quotes",
    "Recording",
    "ShardStore",
    "Trades",
    "price_step",
]
