"""A spread in price, moved against the inventory, wider and smaller where the market is in stress.

The SimpleMarketMaker of textbooks, with its rules for spread and size.
"""

import math

from pydantic import Field

from advanced_mm.policies.ladder import Ladder
from advanced_mm.policies.settings import PolicySettings
from advanced_mm.policies.sides import Room, side_of
from advanced_mm.policies.state import MarketState

__all__ = ["SimplePolicy", "SimpleSettings"]


class SimpleSettings(PolicySettings):
    """Spread, skew, sizes and what counts as stress."""

    base_spread: float = Field(0.1, ge=0, description="least total spread, quote currency")
    risk_multiplier: float = Field(
        0.0,
        ge=0,
        description="spread added for each quote currency that the mid moves in a second by the "
        "measured volatility: 2 adds twice that move",
    )
    risk_aversion: float = Field(
        0.0001,
        ge=0,
        description="how far both prices move down for each base currency held, quote currency",
    )
    base_size: float = Field(1000.0, gt=0, description="size of an order, base currency")
    max_inventory: float = Field(
        1000.0, gt=0, description="inventory at which only the closing side rests, base currency"
    )
    target_inventory: float = Field(
        0.0, description="inventory that counts as none: what spot begins with, base currency"
    )
    inventory_threshold: float = Field(
        0.5,
        ge=0,
        le=1,
        description="share of max_inventory above which inventory_penalty and inventory_size act",
    )
    inventory_penalty: float = Field(
        0.0, ge=0, description="spread added beyond inventory_threshold, quote currency"
    )
    inventory_size: float = Field(
        0.5, gt=0, le=1, description="factor on sizes beyond inventory_threshold"
    )
    volatile_from: float = Field(
        2.0, gt=0, description="volatile: the volatility is this many times the usual"
    )
    volatile_size: float = Field(
        0.7, gt=0, le=1, description="factor on sizes while the market is volatile"
    )
    low_liquidity_size: float = Field(
        0.0,
        ge=0,
        description="low liquidity: less than this lies in the book as seen, base currency, both "
        "sides together; 0: never",
    )
    stress_multiplier: float = Field(
        2.0, ge=1, description="factor on the spread while it is volatile or liquidity is low"
    )


class SimplePolicy:
    """One order a side at anchor - risk_aversion·inventory ± spread/2.

    The anchor is the fair price, or the mid where nobody estimates one. The inventory moves both
    prices and, beyond the threshold, widens the spread by a price; it is never itself a distance.
    While the volatility is unknown nothing is quoted if the spread needs it, and the market does
    not count as volatile. The inventory may be negative, as a perpetual's.
    """

    kind = "simple"
    Settings = SimpleSettings
    update_seconds = 0.0

    def __init__(self, settings: SimpleSettings) -> None:
        self.settings = settings

    @property
    def name(self) -> str:
        """The policy's name."""
        return self.kind

    def ladder(self, state: MarketState) -> Ladder:
        """Return one order a side; at the limit only the one that leads back."""
        wanted = self.settings
        held = state.inventory - wanted.target_inventory
        half = self.spread(state, held) / 2.0
        if math.isnan(half):
            return Ladder(reason="the volatility is not known yet")
        if half <= 0.0:
            return Ladder(reason="the spread is 0: set base_spread or risk_multiplier")
        price, size = state.anchor - wanted.risk_aversion * held, self.size(state, held)
        room = Room.around(held, wanted.max_inventory)
        bids = side_of([(price - half, size)], -1, room.to_buy)
        asks = side_of([(price + half, size)], 1, room.to_sell)
        return room.ladder(bids, asks)

    def spread(self, state: MarketState, held: float) -> float:
        """Return the total spread (quote currency) with so much held beyond the target."""
        wanted = self.settings
        spread = wanted.base_spread
        if wanted.risk_multiplier:
            spread += wanted.risk_multiplier * state.volatility * state.mid
        if self._much(held):
            spread += wanted.inventory_penalty
        thin = wanted.low_liquidity_size and self._depth(state) < wanted.low_liquidity_size
        return spread * wanted.stress_multiplier if thin or self._volatile(state) else spread

    def size(self, state: MarketState, held: float) -> float:
        """Return the size of an order (base currency) with so much held beyond the target."""
        wanted = self.settings
        size = wanted.base_size * (wanted.inventory_size if self._much(held) else 1.0)
        return size * (wanted.volatile_size if self._volatile(state) else 1.0)

    def _much(self, held: float) -> bool:
        return abs(held) > self.settings.inventory_threshold * self.settings.max_inventory

    def _volatile(self, state: MarketState) -> bool:
        usual = state.usual_volatility  # 0: no move in the long window, the rest is old
        return usual > 0.0 and state.volatility >= self.settings.volatile_from * usual

    @staticmethod
    def _depth(state: MarketState) -> float:
        return sum(size for side in (state.bids, state.asks) for _, size in side)
