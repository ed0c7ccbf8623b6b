"""The maker's file: read, validated, and turned into a maker's parts."""

from advanced_mm.maker.config.keys import KEY_VARIABLES, ExchangeKind, keys_of
from advanced_mm.maker.config.read import MakerConfig, read_config
from advanced_mm.maker.config.settings import (
    DrySettings,
    ExchangeSettings,
    MakerSettings,
    MarketSettings,
)

__all__ = [
    "KEY_VARIABLES",
    "DrySettings",
    "ExchangeKind",
    "ExchangeSettings",
    "MakerConfig",
    "MakerSettings",
    "MarketSettings",
    "keys_of",
    "read_config",
]
