"""Sizes and prices of hedges, as formulas."""

from decimal import Decimal

__all__ = [
    "active_hedge_size",
    "delta_target",
    "inventory_share",
    "passive_hedge_size",
    "stop_price",
    "trigger_price",
]


def inventory_share(inventory: Decimal, quote: Decimal, price: Decimal) -> Decimal:
    """Return the IQV ratio, i·p / (i·p + q): the inventory's share of the account's value.

    Raises
    ------
    ZeroDivisionError
        The account is worth nothing.
    """
    value = inventory * price
    if value + quote == 0:
        raise ZeroDivisionError("the account is worth nothing")
    return value / (value + quote)


def active_hedge_size(
    inventory: Decimal, quote: Decimal, price: Decimal, target: Decimal
) -> Decimal:
    """Return x = i - N·(i + q/p): what must be sold to bring the IQV ratio to N.

    Selling x at p leaves the value i·p + q as it is, so ((i - x)·p) / (i·p + q) = N.

    Parameters
    ----------
    inventory, quote, price
        i, q and p: base currency, quote currency, quote currency per unit.
    target
        N, the inventory's share of the value afterwards.

    Returns
    -------
    Decimal
        Base currency; negative where -x must be bought.
    """
    return inventory - target * (inventory + quote / price)


def passive_hedge_size(inventory: Decimal, proportion: Decimal, ratio: Decimal) -> Decimal:
    """Return the size of a trigger order, base units of the hedge, for either sign of inventory."""
    return abs(inventory) * proportion * ratio


def delta_target(inventory: Decimal, target_inventory: Decimal, ratio: Decimal) -> Decimal:
    """Return the hedge position that offsets all inventory beyond its target.

    Parameters
    ----------
    inventory, target_inventory
        Base units of the maker's market.
    ratio
        Base units of the hedge for one unit of inventory.

    Returns
    -------
    Decimal
        -ratio·(inventory - target), signed base units of the hedge.
    """
    return -ratio * (inventory - target_inventory)


def trigger_price(price: Decimal, ratio: Decimal, direction: int) -> Decimal:
    """Return price·(1 + ratio) for the long trigger (+1), price·(1 - ratio) for the short (-1)."""
    return price * (1 + direction * ratio)


def stop_price(entry: Decimal, ratio: Decimal, direction: int) -> Decimal:
    """Return entry·(1 - ratio) for a long hedge (+1), entry·(1 + ratio) for a short one (-1)."""
    return entry * (1 - direction * ratio)
