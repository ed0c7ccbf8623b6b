"""What the exchange published: records, the shard store, the websocket feed, the collector.

``feed.HyperliquidFeed`` and ``collector.Collector`` are imported from their modules, so that those
who only read recordings do not load the network library.
"""

from advanced_mm.marketdata.recorder import Recorder
from advanced_mm.marketdata.records import Quotes, Recording, Trades
from advanced_mm.marketdata.store import ConnectionEvent, ShardStore
from advanced_mm.marketdata.ticks import price_step

__all__ = [
    "ConnectionEvent",
    "Quotes",
    "Recorder",
    "Recording",
    "ShardStore",
    "Trades",
    "price_step",
]
