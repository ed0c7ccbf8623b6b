"""A market to quote in."""

import pytest

from advanced_mm.policies import MarketState


@pytest.fixture
def market():
    """Build a state around a mid with a touch of 2 bp; anything else may be given."""

    def build(mid=100.0, **fields):
        book = {"bids": ((mid * 0.9999, 1.0),), "asks": ((mid * 1.0001, 1.0),)}
        return MarketState(
            **{"time_ms": 0, "inventory": 0.0, "quote_balance": 0.0, **book} | fields
        )

    return build
