"""Quoting policies: pure functions from a state of the market to a ladder of orders."""

from advanced_mm.policies.bins import BinSettings, BinsPolicy
from advanced_mm.policies.build import KINDS, build, settings_of
from advanced_mm.policies.iqv import iqv_move_ratio, iqv_ratio
from advanced_mm.policies.ladder import EMPTY, Ladder, Level
from advanced_mm.policies.policy import Policy
from advanced_mm.policies.settings import PolicySettings
from advanced_mm.policies.sides import within_balances
from advanced_mm.policies.state import MarketState
from advanced_mm.policies.volatility import Volatility, VolatilityEstimator, VolatilitySettings

__all__ = [
    "EMPTY",
    "KINDS",
    "BinSettings",
    "BinsPolicy",
    "Ladder",
    "Level",
    "MarketState",
    "Policy",
    "PolicySettings",
    "Volatility",
    "VolatilityEstimator",
    "VolatilitySettings",
    "build",
    "iqv_move_ratio",
    "iqv_ratio",
    "settings_of",
    "within_balances",
]
