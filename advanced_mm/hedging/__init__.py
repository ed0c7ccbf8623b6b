"""Hedges as pure state machines: from what is seen to what is to be done. No I/O, no clock."""

from advanced_mm.hedging.hedge import (
    HedgeState,
    fit,
    freshen,
    new_state,
    restore_state,
    save_state,
    step,
    take_over,
)
from advanced_mm.hedging.market import HedgeMarket
from advanced_mm.hedging.messages import Filled, News, Observation, Wish
from advanced_mm.hedging.settings import HedgeSettings

__all__ = [
    "Filled",
    "HedgeMarket",
    "HedgeSettings",
    "HedgeState",
    "News",
    "Observation",
    "Wish",
    "fit",
    "freshen",
    "new_state",
    "restore_state",
    "save_state",
    "step",
    "take_over",
]
