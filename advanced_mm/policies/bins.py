"""Ladders of bins that hold an inventory's share of the account at a target by their sizes alone.

Base class of the policies Spot, Curve and Bid-Ask, and of one's own. Orders lie at mid ± i·bin_step
within a price range; their sizes divide what the account holds, and the side that would lead
farther from the target share is made smaller, at last empty.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar, Generic, Literal, Self, TypeVar

from pydantic import Field, model_validator

from advanced_mm.policies.iqv import (
    buy_size_multiplier,
    iqv_move_ratio,
    iqv_ratio,
    sell_size_multiplier,
)
from advanced_mm.policies.ladder import Ladder, Level
from advanced_mm.policies.settings import PolicySettings
from advanced_mm.policies.state import MarketState

__all__ = ["BinSettings", "Bins", "BinsPolicy", "WeightedBins"]

Bins = Mapping[str, Sequence[tuple[float, float]]]
"""``{"bids": [(price, size), …], "asks": [(price, size), …]}``, each best first."""

_BASIS_POINT = 1e-4
_ROUNDING = 1e-9  # a range of three steps has three bins, although 0.3 / 0.1 < 3 in binary
_MOST_BINS = 1000


class BinSettings(PolicySettings):
    """Price range, spacing and limits of the inventory's share."""

    price_up_pct_limit: float = Field(
        0.02, gt=0, le=0.5, description="farthest ask, share of the mid above it (0.02 is 2%)"
    )
    price_down_pct_limit: float = Field(
        0.02, gt=0, le=0.5, description="farthest bid, share of the mid below it (0.02 is 2%)"
    )
    bin_step: float = Field(
        20.0,
        ge=0.001,
        le=5000,
        description="distance between orders and of the first from the mid, bp",
    )
    init_iqv_ratio: float = Field(
        0.5, gt=0, lt=1, description="target share of the inventory's value in the account's"
    )
    iqv_up_limit: float = Field(
        0.6, gt=0, description="relative move of that share at which no bid is left"
    )
    iqv_down_limit: float = Field(
        -0.6, lt=0, ge=-1, description="relative move of that share at which no ask is left"
    )
    inventory_rb_iqv_ratio: float = Field(
        0.3, ge=0, description="relative move of that share from which on bids get smaller"
    )
    quote_rb_iqv_ratio: float = Field(
        -0.3, le=0, description="relative move of that share from which on asks get smaller"
    )
    live_order_nums: int = Field(
        100,
        ge=2,
        le=2 * _MOST_BINS,
        description="most orders of both sides together; those nearest to the mid rest",
    )
    min_order_size: float = Field(
        0.0, ge=0, description="smaller orders are left out, base currency"
    )
    max_order_size: float | None = Field(
        None, gt=0, description="larger orders are cut to this, base currency; null: no limit"
    )
    perpetual_inventory: float = Field(
        0.0,
        ge=0,
        description="inventory that a perpetual's position of 0 counts as, base currency: so much "
        "may be sold short; 0 on spot, and where only long positions are wanted",
    )

    @model_validator(mode="after")
    def _limits_in_order(self) -> Self:
        if self.inventory_rb_iqv_ratio >= self.iqv_up_limit:
            raise ValueError(
                f"inventory_rb_iqv_ratio = {self.inventory_rb_iqv_ratio:g} must be below "
                f"iqv_up_limit = {self.iqv_up_limit:g}: lower the first or raise the second"
            )
        if self.quote_rb_iqv_ratio <= self.iqv_down_limit:
            raise ValueError(
                f"quote_rb_iqv_ratio = {self.quote_rb_iqv_ratio:g} must be above iqv_down_limit = "
                f"{self.iqv_down_limit:g}: raise the first or lower the second"
            )
        if self.max_order_size is not None and self.max_order_size < self.min_order_size:
            raise ValueError(
                f"max_order_size = {self.max_order_size:g} must not be below min_order_size = "
                f"{self.min_order_size:g}"
            )
        for name in ("price_up_pct_limit", "price_down_pct_limit"):
            bins = self._bins_within(getattr(self, name))
            if not 1 <= bins <= _MOST_BINS:
                raise ValueError(
                    f"{name} = {getattr(self, name):g} holds {bins} steps of bin_step = "
                    f"{self.bin_step:g} bp, but 1 to {_MOST_BINS} are possible: change one of them"
                )
        return self

    def _bins_within(self, share: float) -> int:
        return math.floor(share / (self.bin_step * _BASIS_POINT) + _ROUNDING)

    @property
    def ask_bin_nums(self) -> int:
        """Bins above the mid."""
        return self._bins_within(self.price_up_pct_limit)

    @property
    def bid_bin_nums(self) -> int:
        """Bins below the mid."""
        return self._bins_within(self.price_down_pct_limit)

    @property
    def bins_a_side(self) -> int:
        """The most orders that rest on one side."""
        return self.live_order_nums // 2


S = TypeVar("S", bound=BinSettings)


class BinsPolicy(ABC, Generic[S]):
    """Base of policies in bins: inherit and write `compute_current_bins`.

    The mid of the book is the anchor. A perpetual is treated as a spot account: only what is held
    is sold, so that a position is never turned, and only the quote balance (equity less the
    position's value) is spent, so that nothing is bought on leverage. With
    ``perpetual_inventory`` it may be sold short by that much.
    """

    kind: ClassVar[str] = "bins"
    Settings: ClassVar[type[BinSettings]] = BinSettings
    update_seconds: ClassVar[float] = 0.0

    def __init__(self, settings: S) -> None:
        self.settings = settings

    @property
    def name(self) -> str:
        """The policy's name."""
        return self.kind

    @abstractmethod
    def compute_current_bins(
        self, current_price: float, cur_inventory_amount: float, cur_quote_amount: float
    ) -> Ladder | Bins:
        """Return the ladder for a mid (quote currency), an inventory (base) and a quote balance.

        A mapping with the lists ``bids`` and ``asks`` of (price, size) will do as well; a size of 0
        is left out.
        """

    def ladder(self, state: MarketState) -> Ladder:
        """Return the ladder around the mid of the book."""
        held = state.inventory + self.settings.perpetual_inventory
        equity = held * state.mid + state.quote_balance
        if equity <= 0.0:
            return _worthless(equity)
        return self._checked(self.compute_current_bins(state.mid, held, state.quote_balance))

    def compute_iqv_move_ratio(
        self, current_price: float, cur_inventory_amount: float, cur_quote_amount: float
    ) -> float:
        """Return the relative move of the inventory's share from its target."""
        share = iqv_ratio(cur_inventory_amount * current_price, cur_quote_amount)
        return iqv_move_ratio(share, self.settings.init_iqv_ratio)

    def compute_buy_size_multiplier(self, move: float) -> float:
        """Return the factor (0 to 1) on bids at a relative move of the inventory's share."""
        wanted = self.settings
        return buy_size_multiplier(move, wanted.inventory_rb_iqv_ratio, wanted.iqv_up_limit)

    def compute_sell_size_multiplier(self, move: float) -> float:
        """Return the factor (0 to 1) on asks at a relative move of the inventory's share."""
        wanted = self.settings
        return sell_size_multiplier(move, wanted.quote_rb_iqv_ratio, wanted.iqv_down_limit)

    @staticmethod
    def _checked(bins: Ladder | Bins) -> Ladder:
        if isinstance(bins, Ladder):
            return bins
        bids, asks = (
            tuple(Level(price, size) for price, size in bins[side] if size != 0.0)
            for side in ("bids", "asks")
        )
        empty = [name for name, levels in (("bids", bids), ("asks", asks)) if not levels]
        return Ladder(bids, asks, "; ".join(f"no {name}: no bin has a size" for name in empty))


class WeightedBins(BinsPolicy[S]):
    """Bins whose sizes follow from fixed weights.

    A side's weights are divided by their sum over the whole price range, also where
    ``live_order_nums`` lets only the nearest orders rest: sizes do not depend on it, and balances
    are never exceeded.
    """

    def __init__(self, settings: S) -> None:
        super().__init__(settings)
        self._below = self._side(settings.bid_bin_nums, -1.0)
        self._above = self._side(settings.ask_bin_nums, 1.0)

    divides_at: ClassVar[Literal["mid", "price"]] = "mid"
    """Where the quote balance is turned into base currency: all of it at the mid, which leaves a
    little over and makes bids the mirror of asks, or each bin's share at the bin's own price."""

    @abstractmethod
    def weight(self, i: int) -> float:
        """Return the weight of bin i, 0 next to the mid."""

    def _side(self, bins: int, sign: float) -> tuple[tuple[float, float], ...]:
        """Return (price / mid, share of the side's capacity) of the orders that may rest."""
        weights = [self.weight(i) for i in range(bins)]
        total = math.fsum(weights)
        step = sign * self.settings.bin_step * _BASIS_POINT
        near = weights[: self.settings.bins_a_side]
        return tuple((1.0 + (i + 1) * step, weight / total) for i, weight in enumerate(near))

    def compute_current_bins(
        self, current_price: float, cur_inventory_amount: float, cur_quote_amount: float
    ) -> Ladder:
        """Return the ladder for a mid (quote currency), an inventory (base) and a quote balance."""
        equity = cur_inventory_amount * current_price + cur_quote_amount
        if equity <= 0.0:
            return _worthless(equity)
        move = self.compute_iqv_move_ratio(current_price, cur_inventory_amount, cur_quote_amount)
        buy = max(cur_quote_amount, 0.0) * self.compute_buy_size_multiplier(move)
        sell = max(cur_inventory_amount, 0.0) * self.compute_sell_size_multiplier(move)
        at_mid = self.divides_at == "mid"
        bids = self._levels(
            (current_price * at, share * buy / (current_price if at_mid else current_price * at))
            for at, share in self._below
        )
        asks = self._levels((current_price * at, share * sell) for at, share in self._above)
        return Ladder(bids, asks, self._why(move, bids, asks))

    def _levels(self, orders: Iterable[tuple[float, float]]) -> tuple[Level, ...]:
        least, most = self.settings.min_order_size, self.settings.max_order_size
        levels = []
        for price, size in orders:
            if most is not None and size > most:
                size = most
            if size > 0.0 and size >= least:
                levels.append(Level(price, size))
        return tuple(levels)

    def _why(self, move: float, bids: tuple[Level, ...], asks: tuple[Level, ...]) -> str:
        """Say why a side is empty."""
        wanted, reasons = self.settings, []
        if not bids:
            reasons.append(
                f"no bids: the inventory's share moved by {move:+.0%}, limit "
                f"{wanted.iqv_up_limit:+.0%}"
                if move >= wanted.iqv_up_limit
                else "no bids: the quote balance is too small"
            )
        if not asks:
            reasons.append(
                f"no asks: the inventory's share moved by {move:+.0%}, limit "
                f"{wanted.iqv_down_limit:+.0%}"
                if move <= wanted.iqv_down_limit
                else "no asks: the inventory is too small"
            )
        return "; ".join(reasons)


def _worthless(equity: float) -> Ladder:
    return Ladder(reason=f"the account is worth {equity:g}: nothing can be divided")
