"""A dry exchange: live books and trades of a real one, orders and balances made up honestly."""

from advanced_mm.maker.dry.account import DryFunds, Fees
from advanced_mm.maker.dry.exchange import DryExchange

__all__ = ["DryExchange", "DryFunds", "Fees"]
