"""What an exchange refuses of an order, whoever sends it."""

from decimal import Decimal

from advanced_mm.maker.exchange import MarketRules, OrderRefusedError, OrderRequest
from advanced_mm.price_grid import PriceGrid

__all__ = ["check_filters"]


def check_filters(
    request: OrderRequest, rules: MarketRules, reference: Decimal, resting: int
) -> None:
    """Check an order's form against the market's filters.

    ``reference`` is the price that its value is counted at, ``resting`` how many orders rest.

    Raises
    ------
    OrderRefusedError
        It breaks a filter.
    """
    for price in (request.price, request.trigger_price):
        if price is not None and not _on_grid(price, rules):
            raise OrderRefusedError(f"price {price} is not on the market's price grid")
    if request.size % rules.size_step or request.size < rules.min_size or request.size <= 0:
        raise OrderRefusedError(
            f"size {request.size} is not a multiple of {rules.size_step} of at least "
            f"{rules.min_size}"
        )
    value = request.size * reference
    if value < rules.min_value and not request.reduce_only:
        raise OrderRefusedError(f"value {value} is below the least of {rules.min_value}")
    rests = request.price is not None or request.trigger_price is not None
    if rests and resting >= rules.max_orders:
        raise OrderRefusedError(f"{resting} orders are at rest, the most there may be")


def _on_grid(price: Decimal, rules: MarketRules) -> bool:
    if rules.price_step is not None:
        return price % rules.price_step == 0
    grid = PriceGrid(rules.size_decimals or 0)
    return Decimal(repr(grid.bid(float(price), 0.0))) == price
