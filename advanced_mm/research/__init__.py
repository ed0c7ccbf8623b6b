"""Which market, and when: candles of any market and what a market maker reads from them.

`sources` fetches or builds the candles, `statistics` tests what they show.
"""

from advanced_mm.research.candles import CANDLE_COLUMNS, QUOTE_COLUMNS, Candles

__all__ = ["CANDLE_COLUMNS", "QUOTE_COLUMNS", "Candles"]
