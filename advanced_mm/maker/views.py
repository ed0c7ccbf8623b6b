"""What the maker shows of itself, for screens and tests."""

from dataclasses import dataclass

__all__ = ["MarketView"]


@dataclass(frozen=True, slots=True)
class MarketView:
    """One market now.

    Parameters
    ----------
    bids, asks
        Orders at rest, (price, what is left), best first.
    inventory, quote_balance, mid, profit
        Base and quote currency; profit since the start, what is held valued at the mid.
    reason
        Why nothing, or less than the policy's ladder, is quoted; empty when all is.
    fills, requests
        Counted since the start.
    """

    exchange: str
    symbol: str
    policy: str
    bids: tuple[tuple[float, float], ...]
    asks: tuple[tuple[float, float], ...]
    inventory: float
    quote_balance: float
    mid: float | None
    profit: float
    reason: str
    fills: int
    requests: int
