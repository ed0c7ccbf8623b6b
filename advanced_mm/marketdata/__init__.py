"""Market data from the exchange: records, the shard store, the websocket feed, the collector.

Import ``feed.HyperliquidFeed`` and ``collector.Collector`` from their modules; code that only reads
recordings then does not load the network library.
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
