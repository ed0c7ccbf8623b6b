"""Auto: Curve in calm, Bid-Ask in volatile markets, Spot in between."""

import math
from typing import Self

from pydantic import Field, model_validator

from advanced_mm.policies.bid_ask import BidAskPolicy
from advanced_mm.policies.bins import BinsPolicy
from advanced_mm.policies.curve import CurvePolicy, DecaySettings
from advanced_mm.policies.ladder import Ladder
from advanced_mm.policies.spot import SpotPolicy
from advanced_mm.policies.state import MarketState

__all__ = ["AutoPolicy", "AutoSettings"]


class AutoSettings(DecaySettings):
    """Settings of the shapes, and when which one is taken."""

    vol_lower_threshold: float = Field(
        6e-5, ge=0, description="Curve below this volatility, per square root of a second"
    )
    vol_upper_threshold: float = Field(
        2.5e-4, gt=0, description="Bid-Ask above this volatility, per square root of a second"
    )

    @model_validator(mode="after")
    def _thresholds_in_order(self) -> Self:
        if self.vol_lower_threshold > self.vol_upper_threshold:
            raise ValueError(
                f"vol_lower_threshold = {self.vol_lower_threshold:g} must not be above "
                f"vol_upper_threshold = {self.vol_upper_threshold:g}: exchange or change them"
            )
        return self


class AutoPolicy(BinsPolicy[AutoSettings]):
    """Curve below ``vol_lower_threshold``, Bid-Ask above ``vol_upper_threshold``, else Spot.

    While the volatility is unknown it is Spot, which suits any market.
    """

    kind = "auto"
    Settings = AutoSettings

    def __init__(self, settings: AutoSettings) -> None:
        super().__init__(settings)
        self._curve = CurvePolicy(settings)
        self._spot = SpotPolicy(settings)
        self._bid_ask = BidAskPolicy(settings)

    def shape(self, volatility: float) -> CurvePolicy | SpotPolicy | BidAskPolicy:
        """Return the policy for a volatility (per √second, NaN while unknown)."""
        if volatility < self.settings.vol_lower_threshold:
            return self._curve
        return self._bid_ask if volatility > self.settings.vol_upper_threshold else self._spot

    def compute_current_bins(
        self,
        current_price: float,
        cur_inventory_amount: float,
        cur_quote_amount: float,
        volatility: float = math.nan,
    ) -> Ladder:
        """Return the ladder of the shape that the volatility asks for."""
        shape = self.shape(volatility)
        return shape.compute_current_bins(current_price, cur_inventory_amount, cur_quote_amount)

    def ladder(self, state: MarketState) -> Ladder:
        """Return the ladder around the mid of the book."""
        return self.shape(state.volatility).ladder(state)
