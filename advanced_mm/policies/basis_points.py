"""A spread in basis points of the mid with a skew: several levels, widened by what is seen."""

import math
from typing import ClassVar, Self

from pydantic import Field, model_validator

from advanced_mm.policies.ladder import Ladder, Level
from advanced_mm.policies.settings import PolicySettings
from advanced_mm.policies.sides import Room, side_of
from advanced_mm.policies.state import MarketState

__all__ = ["BasisPointsPolicy", "BasisPointsSettings", "LevelSettings"]

_BASIS_POINT = 1e-4
_MS_PER_SECOND = 1000.0


class LevelSettings(PolicySettings):
    """One level beside the first."""

    offset_bps: float = Field(gt=0, le=5000, description="distance from the mid, bp")
    size: float = Field(gt=0, description="size of its orders, base currency")


class BasisPointsSettings(PolicySettings):
    """Spread, skew, levels and what changes them."""

    spread_bps: float = Field(20.0, gt=0, le=5000, description="total spread, bp of the mid")
    max_inventory: float = Field(
        10.0, gt=0, description="inventory at which the side that adds to it is empty, base"
    )
    order_size: float = Field(1.0, gt=0, description="size of an order, base currency")
    target_inventory: float = Field(
        0.0, description="inventory that counts as none: what spot begins with, base currency"
    )
    skew_factor: float = Field(
        0.001,
        ge=0,
        le=0.5,
        description="how far both prices move against the inventory at max_inventory, share of the "
        "price",
    )
    levels: tuple[LevelSettings, ...] = Field(
        (),
        max_length=50,
        description="in place of spread_bps and order_size: offset_bps and size of each level",
    )
    volatility_spread: bool = Field(
        False, description="whether distances are multiplied by volatility / usual volatility"
    )
    least_multiplier: float = Field(
        0.5, gt=0, le=1, description="least factor that volatility_spread gives"
    )
    most_multiplier: float = Field(
        5.0, ge=1, description="greatest factor that volatility_spread gives"
    )
    imbalance_from: float = Field(
        0.2, ge=0, le=1, description="imbalance of the book beyond which imbalance_shift acts"
    )
    imbalance_shift: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="share by which asks are moved away and bids nearer while buyers outweigh, and "
        "the other way round",
    )
    cooldown_seconds: float = Field(
        0.0, ge=0, le=3600, description="nothing rests for so long after a large trade"
    )
    update_freq: int = Field(
        1, ge=1, description="quotes are renewed every so many bars (bar_seconds)"
    )
    bar_seconds: float = Field(
        0.0, ge=0, le=86400, description="length of a bar; 0: quotes follow each look at the book"
    )

    @model_validator(mode="after")
    def _bars_have_a_length(self) -> Self:
        if self.update_freq > 1 and self.bar_seconds == 0.0:
            raise ValueError(
                f"update_freq = {self.update_freq} counts bars, but bar_seconds is 0: set it, or "
                "leave update_freq at 1"
            )
        return self


class BasisPointsPolicy:
    """Prices mid·(1 ± offset)·(1 - skew_factor·inventory / max_inventory).

    The skew moves bid and ask the same way: down when long, so that an ask is the more likely to be
    lifted and a bid the less. The mid of the book is the anchor. The inventory may be negative, as
    a perpetual's.
    """

    kind: ClassVar[str] = "basis_points"
    Settings = BasisPointsSettings

    def __init__(self, settings: BasisPointsSettings) -> None:
        self.settings = settings
        rows = sorted((level.offset_bps, level.size) for level in settings.levels)
        self._levels = rows or [(settings.spread_bps / 2.0, settings.order_size)]
        self.update_seconds = settings.update_freq * settings.bar_seconds

    @property
    def name(self) -> str:
        """The policy's name."""
        return self.kind

    def ladder(self, state: MarketState) -> Ladder:
        """Return the levels of both sides; nothing during the cooldown after a large trade."""
        wanted = self.settings
        large = state.large_trade_ms
        if large is not None:
            left = wanted.cooldown_seconds - (state.time_ms - large) / _MS_PER_SECOND
            if left > 0.0:
                return Ladder(reason=f"cooldown after a large trade, {left:.1f} s left")
        factor = self._volatility_factor(state)
        if math.isnan(factor):
            return Ladder(reason="the volatility is not known yet")
        held = state.inventory - wanted.target_inventory
        room = Room.around(held, wanted.max_inventory)
        share = min(max(held / wanted.max_inventory, -1.0), 1.0)
        price = state.mid * (1.0 - wanted.skew_factor * share)
        shift = self._shift(state)
        bids = self._side(price, -1, factor * (1.0 - shift), room.to_buy)
        asks = self._side(price, 1, factor * (1.0 + shift), room.to_sell)
        return room.ladder(bids, asks)

    def _side(self, price: float, sign: int, factor: float, room: float) -> tuple[Level, ...]:
        unit = sign * factor * _BASIS_POINT
        orders = ((price * (1.0 + unit * offset), size) for offset, size in self._levels)
        return side_of(orders, sign, room)

    def _volatility_factor(self, state: MarketState) -> float:
        wanted = self.settings
        if not wanted.volatility_spread:
            return 1.0
        now, usual = state.volatility, state.usual_volatility
        if math.isnan(now) or math.isnan(usual):
            return math.nan
        if usual == 0.0:  # no move in the long window: what the weighted figure still has is old
            return 1.0
        return min(max(now / usual, wanted.least_multiplier), wanted.most_multiplier)

    def _shift(self, state: MarketState) -> float:
        wanted = self.settings
        if not wanted.imbalance_shift:
            return 0.0
        imbalance = state.imbalance
        if abs(imbalance) <= wanted.imbalance_from:
            return 0.0
        return math.copysign(wanted.imbalance_shift, imbalance)
