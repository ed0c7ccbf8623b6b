"""What the exchange published: records, the shard store, the websocket feed, the collector."""

from advanced_mm.marketdata.records import Quotes, Recording, Trades
from advanced_mm.marketdata.store import ConnectionEvent, ShardStore

__all__ = ["ConnectionEvent", "Quotes", "Recording", "ShardStore", "Trades"]
