"""The filters of a spot market: what an order's price, size and value must be."""

from dataclasses import dataclass
from decimal import Decimal

from advanced_mm.markets.market import CoinSpec
from advanced_mm.markets.units import CoinUnits
from advanced_mm.venue.spot.amounts import ATOMS, quote_atoms
from advanced_mm.venue.spot.orders import SpotRefusedError
from advanced_mm.venue.spot.rules import SpotRules

__all__ = ["Filters", "failure"]

FILTER_FAILURE = -1013
MOST_LOTS = 9 * 10**12
HIGHEST_TICKS = 10**7


def failure(name: str) -> SpotRefusedError:
    """Return the refusal of an order that a filter does not let pass."""
    return SpotRefusedError(FILTER_FAILURE, f"Filter failure: {name}")


@dataclass(frozen=True, slots=True)
class Filters:
    """One market's filters.

    Attributes
    ----------
    tick, step
        Price step (quote currency) and size step (base currency).
    """

    units: CoinUnits
    tick: Decimal
    step: Decimal
    rules: SpotRules

    @classmethod
    def of(cls, spec: CoinSpec, units: CoinUnits, rules: SpotRules) -> "Filters":
        """Return the filters of a market."""
        step = Decimal(1).scaleb(-spec.size_decimals)
        return cls(units, Decimal(repr(spec.tick)).normalize(), step, rules)

    @property
    def highest_price(self) -> Decimal:
        """The highest price of PRICE_FILTER."""
        return self.tick * HIGHEST_TICKS

    @property
    def largest_size(self) -> Decimal:
        """The largest size of LOT_SIZE."""
        return min(self.step * MOST_LOTS, Decimal(9_000_000))

    def price(self, price: Decimal) -> int:
        """Return a price in price units.

        Raises
        ------
        SpotRefusedError
            If PRICE_FILTER does not let it pass.
        """
        if not self.tick <= price <= self.highest_price or price % self.tick:
            raise failure("PRICE_FILTER")
        return int(price.scaleb(self.units.price_decimals))

    def lots(self, quantity: Decimal) -> int:
        """Return a size in lots.

        Raises
        ------
        SpotRefusedError
            If LOT_SIZE does not let it pass.
        """
        if not self.step <= quantity <= self.largest_size or quantity % self.step:
            raise failure("LOT_SIZE")
        return int(quantity.scaleb(self.units.size_decimals))

    def check_distance(self, price: int, average: int) -> None:
        """Refuse a price too far from the average one, both in price units.

        Raises
        ------
        SpotRefusedError
            If PERCENT_PRICE_BY_SIDE does not let it pass.
        """
        up, down = self.rules.multiplier_up, self.rules.multiplier_down
        if not average * down <= price <= average * up:
            raise failure("PERCENT_PRICE_BY_SIDE")

    def check_value(self, price: int, lots: int) -> None:
        """Refuse an order whose value, at a price in price units, is too small.

        Raises
        ------
        SpotRefusedError
            If NOTIONAL does not let it pass.
        """
        if quote_atoms(price, lots) < self.rules.minimum_notional * ATOMS:
            raise failure("NOTIONAL")
