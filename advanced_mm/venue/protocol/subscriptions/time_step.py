"""A step of the market, as seen by the channels that publish it."""

from collections.abc import Mapping
from dataclasses import dataclass

from advanced_mm.markets.market import MarketUpdate

__all__ = ["CADENCE_GRID_MS", "Message", "Step"]

Message = Mapping[str, object]
"""A websocket message before it is encoded as JSON."""

CADENCE_GRID_MS = 500
"""All cadences are multiples of this; a venue that steps to each multiple misses none."""


@dataclass(frozen=True, slots=True)
class Step:
    """The market went from ``previous_ms`` to ``now_ms`` (market time); ``updates`` by coin."""

    previous_ms: int
    now_ms: int
    updates: Mapping[str, list[MarketUpdate]]

    def crosses(self, cadence_ms: int) -> bool:
        """Return whether a multiple of ``cadence_ms`` lies in (previous_ms, now_ms]."""
        return self.now_ms // cadence_ms > self.previous_ms // cadence_ms
