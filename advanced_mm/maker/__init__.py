"""The asynchronous market maker beside Freqtrade."""

from advanced_mm.maker.limits import Limits
from advanced_mm.maker.setup import MarketSetup

__all__ = ["Limits", "MarketSetup"]
