"""What a maker may do in a market, whatever its policy wants."""

import math
from dataclasses import dataclass, fields, replace

from advanced_mm.errors import InputError
from advanced_mm.policies import MarketState

__all__ = ["Limits"]

_SHARES = frozenset({"max_daily_loss", "max_drawdown", "price_band"})
_MAY_BE_ZERO = frozenset(
    {
        "price_tolerance_bp",
        "size_tolerance",
        "min_market_spread_bp",
        "min_quote_age_seconds",
        "max_funding_bp",
        "funding_pause_seconds",
    }
)


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Limits of one market; None, where it is allowed, switches a guard off.

    Parameters
    ----------
    capital
        What the market may use of the account, quote currency: the policy, the hedge and the limits
        of losses see no more; None: all of it.
    max_position_value
        Value of what is held beyond `target_inventory`, either way, quote currency.
    target_inventory
        What is held when the maker is neutral, base currency: 0 on a perpetual; on a spot market
        what it keeps to sell from.
    max_orders_a_side
        Levels at rest on a side.
    max_daily_loss, max_drawdown
        Shares of the market's equity; see `advanced_mm.quoting.guards.account`.
    max_book_age_seconds
        Quotes are pulled when the newest book is older.
    price_tolerance_bp, size_tolerance
        An order at rest whose price is off by no more (bp of the price), and whose size by no more
        (share of the size wanted), keeps its place in the queue.
    min_quote_age_seconds
        Shortest time between two rounds of changes.
    volatility_limit, volatility_seconds
        Multiple of the usual volatility at which nothing is opened, and the time it is taken over.
    large_order_multiple, flow_cooldown_seconds
        A market order of so many times the mean size is large; how long its side is then avoided.
    min_market_spread_bp
        Nothing is opened in a market with a narrower spread.
    price_band, price_band_seconds
        Move of the price, a share, within that time, at which nothing is opened.
    max_errors_in_a_row, error_pause_seconds
        After so many errors of the exchange nothing is opened for a while.
    max_funding_bp, funding_pause_seconds
        Funding of the hour, bp of its value, that a new position on a perpetual may pay; one that
        pays more is not opened for so long before the payment. None: any.
    dead_mans_switch_seconds
        After so long without a word of the maker the exchange cancels all orders, where it can.

    Raises
    ------
    InputError
        A limit is out of range.
    """

    capital: float | None = None
    max_position_value: float | None = None
    target_inventory: float = 0.0
    max_orders_a_side: int = 50
    max_daily_loss: float | None = 0.03
    max_drawdown: float | None = 0.05
    max_book_age_seconds: float = 3.0
    price_tolerance_bp: float = 0.0
    size_tolerance: float = 0.1
    min_quote_age_seconds: float = 0.0
    volatility_limit: float | None = 2.0
    volatility_seconds: float = 10.0
    large_order_multiple: float | None = 20.0
    flow_cooldown_seconds: float = 5.0
    min_market_spread_bp: float = 0.0
    price_band: float | None = 0.05
    price_band_seconds: float = 300.0
    max_errors_in_a_row: int | None = 5
    error_pause_seconds: float = 60.0
    dead_mans_switch_seconds: float | None = 30.0
    max_funding_bp: float | None = 0.5
    funding_pause_seconds: float = 120.0

    def __post_init__(self) -> None:
        for one in fields(self):
            value = getattr(self, one.name)
            if value is None or one.name == "target_inventory":
                continue
            zero = value == 0 and one.name in _MAY_BE_ZERO
            if not (math.isfinite(value) and (value > 0 or zero)):
                raise InputError(f"limits: {one.name} = {value!r} must be a positive number.")
            if one.name in _SHARES and value >= 1:
                raise InputError(f"limits: {one.name} = {value!r} is a share: it must be below 1.")
        if not math.isfinite(self.target_inventory):
            raise InputError(f"limits: target_inventory = {self.target_inventory!r} is no number.")
        switch = self.dead_mans_switch_seconds
        if switch is not None and switch < 6:
            raise InputError(
                f"limits: dead_mans_switch_seconds = {switch:g} must be at least 6: Hyperliquid "
                "takes no time that is less than 5 s ahead."
            )

    def quote_balance(self, quote_balance: float, inventory_value: float) -> float:
        """Return the part of a quote balance that `capital` leaves beside the inventory's value."""
        if self.capital is None:
            return quote_balance
        return min(quote_balance, self.capital - inventory_value)

    def within_capital(self, state: MarketState) -> MarketState:
        """Return what the policy sees of the account."""
        left = self.quote_balance(state.quote_balance, state.inventory * state.mid)
        return replace(state, quote_balance=left)
