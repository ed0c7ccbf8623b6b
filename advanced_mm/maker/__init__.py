"""The asynchronous market maker beside Freqtrade."""

from advanced_mm.maker.limits import Limits
from advanced_mm.maker.maker import Maker
from advanced_mm.maker.setup import MarketSetup

__all__ = ["Limits", "Maker", "MarketSetup"]
