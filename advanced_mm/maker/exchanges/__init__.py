"""The maker's exchanges, over ccxt.pro."""

from advanced_mm.maker.exchanges.binance import BinanceSpotExchange
from advanced_mm.maker.exchanges.hyperliquid import HyperliquidExchange

__all__ = ["BinanceSpotExchange", "HyperliquidExchange"]
