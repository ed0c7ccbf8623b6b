"""Which hedge position is wanted: pure functions of settings, an observation and the position."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from advanced_mm.hedging.messages import Observation
from advanced_mm.hedging.settings import ActiveSettings, DeltaSettings
from advanced_mm.hedging.sizes import active_hedge_size, delta_target, inventory_share

__all__ = ["NOTHING", "Exposure", "Wanted", "active_wanted", "delta_wanted"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """The trade that would bring the hedge where it should be.

    Parameters
    ----------
    trade
        Signed, base units of the hedge.
    begin
        Whether the deviation is large enough to begin with it; one under way goes on to its target.
    """

    trade: Decimal
    begin: bool


NOTHING: Final = Wanted(Decimal(0), False)


@dataclass(frozen=True, slots=True)
class Exposure:
    """What is held, the hedge's position included, in the maker's market's units.

    Parameters
    ----------
    inventory
        Base currency.
    quote
        Quote currency: what is left of the account's value, so that hedging leaves the value alone.
    price
        The maker's market's mid, quote currency.
    init_iqv_ratio
        The IQV ratio that moves are measured from; None while nothing was held yet.
    """

    inventory: Decimal
    quote: Decimal
    price: Decimal
    init_iqv_ratio: Decimal | None

    @classmethod
    def of(
        cls, seen: Observation, position: Decimal, ratio: Decimal, init_iqv_ratio: Decimal | None
    ) -> "Exposure":
        """Add a hedge position, base units of the hedge, to what an observation holds."""
        hedged = position / ratio
        quote = seen.quote - hedged * seen.mid
        return cls(seen.inventory + hedged, quote, seen.mid, init_iqv_ratio)

    @property
    def move(self) -> Decimal | None:
        """The IQV move ratio, (IQV - initial) / initial.

        None while there is no initial ratio, and when the account is worth nothing.
        """
        if self.init_iqv_ratio is None or self.inventory * self.price + self.quote <= 0:
            return None
        share = inventory_share(self.inventory, self.quote, self.price)
        return share / self.init_iqv_ratio - 1

    def size_to(self, move: Decimal) -> Decimal:
        """Return what must be sold to bring the IQV ratio to this move, base currency."""
        target = (self.init_iqv_ratio or Decimal(0)) * (1 + move)
        return active_hedge_size(self.inventory, self.quote, self.price, target)


def active_wanted(
    settings: ActiveSettings, exposure: Exposure, position: Decimal, ratio: Decimal
) -> Wanted:
    """Return the active hedge's trade: sell above the upper threshold, buy below the lower.

    The thresholds are initial·(1 ± `active_hedge_iqv_ratio`). Without `dual_sided_hedge` a purchase
    is at most what closes a short hedge.
    """
    move, target = exposure.move, settings.target_ratio
    if move is None:
        return NOTHING
    if move > target:
        trade = -exposure.size_to(target) * ratio
    elif move < -target:
        trade = -exposure.size_to(-target) * ratio
        if not settings.dual_sided_hedge:
            trade = min(trade, max(-position, Decimal(0)))
    else:
        return NOTHING
    return Wanted(trade, begin=abs(move) > settings.active_hedge_iqv_ratio)


def delta_wanted(
    settings: DeltaSettings, inventory: Decimal, position: Decimal, ratio: Decimal
) -> Wanted:
    """Return the trade to -ratio·(inventory - target); ``inventory`` excludes the hedge."""
    trade = delta_target(inventory, settings.target_inventory, ratio) - position
    return Wanted(trade, begin=abs(trade) > settings.delta_band)
