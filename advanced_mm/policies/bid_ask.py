"""Bid-Ask: sizes that grow with the distance from the mid."""

from advanced_mm.policies.bins import WeightedBins
from advanced_mm.policies.curve import DecaySettings

__all__ = ["BidAskPolicy"]

_EPSILON = 1e-6  # keeps the weight of far bins finite


class BidAskPolicy(WeightedBins[DecaySettings]):
    """Values proportional to 1/(decay_rate^(i + 1) + ε), smallest next to the mid.

    For volatile markets, whose large moves it is there to meet. The quote balance is divided in
    quote currency: a bid's size is its share at its own price.
    """

    kind = "bid_ask"
    Settings = DecaySettings
    divides_at = "price"

    def weight(self, i: int) -> float:
        """Return 1/(decay_rate^(i + 1) + ε)."""
        return 1.0 / (self.settings.decay_rate ** (i + 1) + _EPSILON)
