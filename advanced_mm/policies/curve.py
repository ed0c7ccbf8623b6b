"""Curve: sizes that fall with the distance from the mid."""

from pydantic import Field

from advanced_mm.policies.bins import BinSettings, WeightedBins

__all__ = ["CurvePolicy", "DecaySettings"]


class DecaySettings(BinSettings):
    """Settings of bins whose sizes change from bin to bin."""

    decay_rate: float = Field(
        0.95,
        gt=0.1,
        lt=1,
        description="size of a bin relative to the neighbour on its larger side",
    )


class CurvePolicy(WeightedBins[DecaySettings]):
    """Sizes max_size·decay_rate^i, largest next to the mid: for calm markets."""

    kind = "curve"
    Settings = DecaySettings

    def weight(self, i: int) -> float:
        """Return decay_rate^i."""
        return self.settings.decay_rate**i
