"""Quoting policies: pure functions from a state of the market to a ladder of orders."""

from advanced_mm.policies.ladder import EMPTY, Ladder, Level
from advanced_mm.policies.policy import Policy
from advanced_mm.policies.state import MarketState

__all__ = ["EMPTY", "Ladder", "Level", "MarketState", "Policy"]
