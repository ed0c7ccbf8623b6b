"""What a policy sees: market, inventory and time."""

import math
from dataclasses import dataclass

from advanced_mm.errors import InputError

__all__ = ["MarketState"]


@dataclass(frozen=True, slots=True)
class MarketState:
    """The market and the maker's account at one moment.

    Parameters
    ----------
    time_ms
        The exchange's time, ms.
    bids, asks
        The book, (price in quote currency, size in base currency), best first; neither is empty.
    inventory
        What is held, base currency: a perpetual's position (negative when short), a spot account's
        balance.
    quote_balance
        Quote currency: a spot account's balance; a perpetual account's equity less the position's
        value, so that inventory value and quote balance add up to the equity on both.
    volatility
        Standard deviation of log returns, per square root of a second; NaN while unknown.
    usual_volatility
        The same over the long window, to compare with; NaN while unknown.
    fair_price
        Where the mid is expected soon, quote currency; NaN where nobody estimates it.
    large_trade_ms
        The exchange's time of the last large market order, ms; None before the first.

    Raises
    ------
    InputError
        A side of the book is empty, its best price is not a positive number, or the inventory is
        not a number. Callers quote nothing without a book that has both sides.
    """

    time_ms: int
    bids: tuple[tuple[float, float], ...]
    asks: tuple[tuple[float, float], ...]
    inventory: float = 0.0
    quote_balance: float = 0.0
    volatility: float = math.nan
    usual_volatility: float = math.nan
    fair_price: float = math.nan
    large_trade_ms: int | None = None

    def __post_init__(self) -> None:
        for name, side in (("bids", self.bids), ("asks", self.asks)):
            if not side:
                raise InputError(f"{name} are empty: a policy needs a book with both sides.")
            if not 0.0 < side[0][0] < math.inf:
                raise InputError(f"{name} begin at {side[0][0]!r}, which is not a price above 0.")
        if not math.isfinite(self.inventory):
            raise InputError(f"inventory = {self.inventory!r} must be a number.")

    @property
    def bid(self) -> float:
        """Best bid, quote currency."""
        return self.bids[0][0]

    @property
    def ask(self) -> float:
        """Best ask, quote currency."""
        return self.asks[0][0]

    @property
    def mid(self) -> float:
        """Midway between best bid and best ask, quote currency."""
        return (self.bid + self.ask) / 2

    @property
    def anchor(self) -> float:
        """The fair price where it is known, else the mid, quote currency."""
        return self.fair_price if math.isfinite(self.fair_price) else self.mid

    @property
    def equity(self) -> float:
        """Inventory at the mid and quote balance, quote currency."""
        return self.inventory * self.mid + self.quote_balance

    @property
    def imbalance(self) -> float:
        """(bid size - ask size) / (bid size + ask size) over the levels given, -1 to 1."""
        bid = sum(size for _, size in self.bids)
        ask = sum(size for _, size in self.asks)
        return (bid - ask) / (bid + ask) if bid + ask > 0.0 else 0.0
