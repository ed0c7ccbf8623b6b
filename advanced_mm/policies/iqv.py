"""How far the inventory's share of the account has moved from its target, and what that allows."""

__all__ = ["buy_size_multiplier", "iqv_move_ratio", "iqv_ratio", "sell_size_multiplier"]


def iqv_ratio(inventory_value: float, quote_value: float) -> float:
    """Return the inventory's share of the account, value / (value + quote), both quote currency.

    It is not the quotient of the two. On a perpetual it is negative for a short position and above
    1 for a position worth more than the account.

    Raises
    ------
    ZeroDivisionError
        The account is worth nothing.
    """
    return inventory_value / (inventory_value + quote_value)


def iqv_move_ratio(ratio: float, init_iqv_ratio: float) -> float:
    """Return the share's relative distance from its target, (ratio - init) / init.

    0 is on target, -1 is without inventory; it is not the quotient of the two.
    """
    return (ratio - init_iqv_ratio) / init_iqv_ratio


def buy_size_multiplier(move: float, rebalance: float, limit: float) -> float:
    """Return the factor on bids: 1 up to ``rebalance``, falling linearly to 0 at ``limit``."""
    return min(1.0, max(0.0, (limit - move) / (limit - rebalance)))


def sell_size_multiplier(move: float, rebalance: float, limit: float) -> float:
    """Return the factor on asks: 1 down to ``rebalance``, falling linearly to 0 at ``limit``.

    The mirror of `buy_size_multiplier`: ``limit`` lies below ``rebalance``.
    """
    return min(1.0, max(0.0, (move - limit) / (rebalance - limit)))
