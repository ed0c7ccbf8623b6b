"""Ladders of orders of one size, at distances that depend on what is held.

Base class of the policies of papers: they say how far from the price to quote at an inventory of q
units. Further levels are the quotes after one, two, … fills: the second bid lies where the first
would lie with one unit more.
"""

import math
from abc import ABC, abstractmethod
from typing import ClassVar, Generic, NamedTuple, Self, TypeVar

from pydantic import Field, model_validator

from advanced_mm.policies.ladder import Ladder
from advanced_mm.policies.settings import PolicySettings
from advanced_mm.policies.sides import Room, side_of
from advanced_mm.policies.state import MarketState

__all__ = ["Depths", "MeasuredSettings", "UnitPolicy", "UnitSettings", "linear_depths"]


class UnitSettings(PolicySettings):
    """Size of an order, and what may be held."""

    order_size: float = Field(gt=0, description="size of an order, one unit, base currency")
    max_inventory: float = Field(
        gt=0, description="farthest that the inventory may be from its target, base currency"
    )
    target_inventory: float = Field(
        0.0, description="inventory that counts as none: what spot begins with, base currency"
    )
    long_only: bool = Field(False, description="whether the inventory never falls below its target")
    levels: int = Field(
        1, ge=1, le=50, description="orders a side: the quotes now, after one fill, after two, …"
    )

    @model_validator(mode="after")
    def _holds_an_order(self) -> Self:
        if self.max_inventory < self.order_size:
            raise ValueError(
                f"max_inventory = {self.max_inventory:g} must hold at least one order of "
                f"order_size = {self.order_size:g}: raise the first or lower the second"
            )
        return self


class MeasuredSettings(UnitSettings):
    """Settings of policies that need a volatility, an aversion to risk and how fills thin out."""

    gamma: float = Field(
        gt=0, description="absolute risk aversion of the paper, per quote currency of wealth"
    )
    kappa: float = Field(
        gt=0, description="decay of the fill intensity with the distance, per quote currency"
    )
    volatility: float | None = Field(
        None,
        ge=0,
        description="volatility of the mid, per square root of a second; null: as measured",
    )

    @property
    def unit_gamma(self) -> float:
        """γ for inventories in orders and depths a unit of base currency.

        The papers trade one unit at a time. Here a fill earns depth·order_size, and a position of q
        orders moves by q·order_size·σ: both γ's are met with γ·order_size.
        """
        return self.gamma * self.order_size

    def sigma(self, state: MarketState) -> float:
        """Return the volatility of the mid, quote currency per √second; NaN while unknown."""
        relative = state.volatility if self.volatility is None else self.volatility
        return relative * state.mid if 0.0 <= relative < math.inf else math.nan


class Depths(NamedTuple):
    """Distances of a ladder's orders from the price, quote currency, best first, each side."""

    bids: list[float]
    asks: list[float]


def linear_depths(half: float, skew: float, units: float, levels: int) -> Depths:
    """Return half + skew·q for bids and half - skew·q for asks, q moved on by a unit a level."""
    steps = range(levels)
    return Depths(
        [half + skew * (units + i) for i in steps], [half - skew * (units - i) for i in steps]
    )


S = TypeVar("S", bound=UnitSettings)


class UnitPolicy(ABC, Generic[S]):
    """Base of policies that quote orders of one size: inherit and write `depths`.

    The fair price is the anchor, or the mid where nobody estimates one. The inventory may be
    negative, as a perpetual's. The last order of a side is cut to what may still be held.
    """

    kind: ClassVar[str]
    Settings: ClassVar[type[UnitSettings]]
    update_seconds: ClassVar[float] = 0.0

    def __init__(self, settings: S) -> None:
        self.settings = settings

    @property
    def name(self) -> str:
        """The policy's name."""
        return self.kind

    @abstractmethod
    def depths(self, state: MarketState, units: float) -> Depths | str:
        """Return how far to quote with so many units above the target, or why not at all."""

    def ladder(self, state: MarketState) -> Ladder:
        """Return the ladder around the fair price."""
        wanted = self.settings
        held = state.inventory - wanted.target_inventory
        depths = self.depths(state, held / wanted.order_size)
        if isinstance(depths, str):
            return Ladder(reason=depths)
        anchor, size = state.anchor, wanted.order_size
        room = Room.around(held, wanted.max_inventory, long_only=wanted.long_only)
        bids = side_of(
            ((anchor - depth, size) for depth in depths.bids if depth < math.inf), -1, room.to_buy
        )
        asks = side_of(
            ((anchor + depth, size) for depth in depths.asks if depth < math.inf), 1, room.to_sell
        )
        return room.ladder(bids, asks)
