"""Where candles come from: our own recordings, files, and the exchanges that ccxt knows."""

from advanced_mm.research.sources.exchange import CandleCache, exchange_candles, exchange_named
from advanced_mm.research.sources.files import candles_from_file
from advanced_mm.research.sources.recording import recorded_candles

__all__ = [
    "CandleCache",
    "candles_from_file",
    "exchange_candles",
    "exchange_named",
    "recorded_candles",
]
