"""Impossible rules are rejected."""

import pytest
from pydantic import ValidationError

from advanced_mm.venue.engine.rules import Rules


@pytest.mark.parametrize("share", [-0.01, 1.01, 7, float("nan"), float("inf"), "all"])
def test_the_share_of_cancels_in_front_lies_between_none_and_all(share):
    with pytest.raises(ValidationError, match="cancels_ahead"):
        Rules(cancels_ahead=share)


@pytest.mark.parametrize("share", ["proportional", 0, 0.5, 1])
def test_shares_of_cancels_in_front(share):
    assert Rules(cancels_ahead=share).cancels_ahead == share


def test_trading_with_oneself_must_not_pay():
    assert Rules(maker_fee="-0.0004", taker_fee="0.0004").maker_fee < 0
    with pytest.raises(ValidationError, match="is a rebate larger than"):
        Rules(maker_fee="-0.0005", taker_fee="0.0004")
