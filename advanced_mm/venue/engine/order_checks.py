"""Checks of an order's form (tick, lot, minimum value, distance), with the venue's messages."""

from decimal import Decimal

from advanced_mm.markets.units import MICROS_PER_USDC, CoinUnits
from advanced_mm.venue.engine.orders import OrderRequest
from advanced_mm.venue.engine.rules import Rules
from advanced_mm.venue.engine.triggers import wakes_rising

__all__ = ["form_error", "is_tick", "most_open_orders", "to_tick", "trigger_wakes"]

SIGNIFICANT_FIGURES = 5
FARTHEST_PERCENT = 95
OPEN_ORDERS, MOST_OPEN_ORDERS = 1_000, 5_000
VOLUME_A_MORE: int = 5_000_000 * MICROS_PER_USDC  # traded, for each open order beyond 1000


def form_error(
    request: OrderRequest, units: CoinUnits, mark: int, held: int, rules: Rules
) -> str | None:
    """Return the venue's error message for an invalid order, None if it is valid.

    Parameters
    ----------
    request
        The order.
    units
        The coin's units.
    mark
        Reference price, price units.
    held
        The account's position, signed lots. A reduce-only order that closes all of it is exempt
        from the minimum value.
    rules
        The venue's rules, which set the minimum value.
    """
    if request.lots <= 0:
        return "Order has zero size."
    if request.price <= 0:
        return "Order has invalid price."
    prices = [request.price] if request.trigger is None else [request.price, request.trigger.price]
    if not all(is_tick(price, units) for price in prices):
        return "Price must be divisible by tick size."
    if request.trigger is not None and request.trigger.price <= 0:
        return "Invalid TP/SL price."
    if 100 * abs(request.price - mark) > FARTHEST_PERCENT * mark:
        return "Order price cannot be more than 95% away from the reference price"
    closes = request.reduce_only and request.lots >= abs(held)
    if request.twap_id is not None:  # the minimum applies to the whole TWAP
        return None
    least = rules.minimum_value * MICROS_PER_USDC
    if not closes and request.price * request.lots < least:
        return f"Order must have minimum value of ${_plain(rules.minimum_value)}."
    return None


def most_open_orders(volume: int, request: OrderRequest) -> int:
    """Return how many open orders an account may have, by traded volume (micro-USDC)."""
    if request.reduce_only or request.trigger is not None:
        return OPEN_ORDERS
    return min(MOST_OPEN_ORDERS, OPEN_ORDERS + volume // VOLUME_A_MORE)


def is_tick(price: int, units: CoinUnits) -> bool:
    """Return whether a price (price units) is an integer or has at most five figures."""
    if price % 10**units.price_decimals == 0:
        return True
    return len(str(abs(price)).rstrip("0")) <= SIGNIFICANT_FIGURES


def to_tick(price: int, units: CoinUnits, *, up: bool) -> int:
    """Round a price to a valid tick, upwards if ``up``, else downwards."""
    finest = max(0, len(str(price)) - SIGNIFICANT_FIGURES)
    step = int(10 ** min(finest, units.price_decimals))
    return -(-price // step) * step if up else price // step * step


def trigger_wakes(request: OrderRequest, mark: int) -> bool:
    """Return whether the mark has reached an order's trigger price."""
    trigger = request.trigger
    if trigger is None:
        return False
    return mark >= trigger.price if wakes_rising(request) else mark <= trigger.price


def _plain(value: Decimal) -> str:
    return f"{value.normalize():f}"
