"""Spot: the same size in every bin of the price range."""

from advanced_mm.policies.bins import BinSettings, WeightedBins

__all__ = ["SpotPolicy"]


class SpotPolicy(WeightedBins[BinSettings]):
    """Equal sizes over the whole range: little to look after, for any market."""

    kind = "spot"

    def weight(self, i: int) -> float:
        """Return 1, whatever the bin."""
        return 1.0
