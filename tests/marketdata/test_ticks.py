"""The price rule, against prices that trade on the venue."""

import pytest

from advanced_mm.errors import InputError
from advanced_mm.marketdata import price_step


@pytest.mark.parametrize(
    ("price", "size_decimals", "step"),
    [
        (3331.0, 4, 0.1),  # ETH: five figures bind
        (0.2285, 0, 1e-5),  # WLFI
        (97000.0, 5, 1.0),  # BTC
        (123456.0, 5, 1.0),  # whole numbers are valid whatever their figures
        (9999.9, 4, 0.1),
        (10000.0, 4, 1.0),
        (1.5, 3, 1e-3),  # decimals bind: 6 - 3
        (0.0123, 0, 1e-6),
    ],
)
def test_step_is_set_by_figures_or_decimals_whichever_is_coarser(
    price: float, size_decimals: int, step: float
) -> None:
    assert price_step(price, size_decimals) == step


@pytest.mark.parametrize("price", [0.0, -1.0, float("nan"), float("inf")])
def test_impossible_price_is_refused(price: float) -> None:
    with pytest.raises(InputError, match="price"):
        price_step(price, 4)
