"""What trades on the loopback venue when nobody else does: synthetic and replayed markets, candles.

`synthetic.SyntheticMarket` and `replay.ReplayMarket` are imported from their modules, so that
reading recorded books does not load the compiler of the synthetic market.
"""

from advanced_mm.markets.coin_figures import KNOWN_COINS, CoinFigures, figures_of, named_coins
from advanced_mm.markets.coin_markets import CoinMarket, DayFigures, TimedPrint, Venue
from advanced_mm.markets.market import (
    Book,
    CoinSpec,
    Level,
    MarketSource,
    MarketUpdate,
    Print,
    Quote,
)

__all__ = [
    "KNOWN_COINS",
    "Book",
    "CoinFigures",
    "CoinMarket",
    "CoinSpec",
    "DayFigures",
    "Level",
    "MarketSource",
    "MarketUpdate",
    "Print",
    "Quote",
    "TimedPrint",
    "Venue",
    "figures_of",
    "named_coins",
]
