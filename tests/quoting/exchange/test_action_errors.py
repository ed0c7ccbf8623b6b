"""Which actions count as errors of the exchange."""

import ccxt
import pytest

from advanced_mm.quoting.exchange.action_errors import ActionErrors

PAIR = "ETH/USDC:USDC"


class Client:
    def __init__(self):
        self.error = None

    def create_order(self, symbol, kind, side, amount, price, params):
        if self.error is not None:
            raise self.error
        return {"id": "1", "symbol": symbol, "price": price}

    def cancel_order(self, order_id, symbol, params=None):
        if self.error is not None:
            raise self.error
        return {"id": order_id, "symbol": symbol}


@pytest.fixture
def client():
    return Client()


@pytest.fixture
def seen(client):
    seen = []
    ActionErrors(
        client, lambda pair, why: seen.append((pair, why)), lambda: seen.append("worked")
    ).install()
    return seen


def act(client):
    for call in (
        lambda: client.create_order(PAIR, "limit", "buy", 1.0, 3000.0, {}),
        lambda: client.cancel_order("1", PAIR),
        lambda: client.cancel_order(order_id="1", symbol=PAIR),
    ):
        try:
            yield call()
        except ccxt.BaseError as error:
            yield error


def test_what_works_is_passed_on(client, seen):
    assert [one["symbol"] for one in act(client)] == [PAIR] * 3
    assert seen == ["worked"] * 3


@pytest.mark.parametrize(
    ("error", "counts"),
    [
        (ccxt.RequestTimeout("timed out"), True),
        (ccxt.InvalidOrder("Trading is halted."), True),
        (ccxt.InsufficientFunds("Insufficient margin to place order."), True),
        (ccxt.InvalidOrder("Post only order would have immediately matched, bbo was 1@2."), False),
    ],
)
def test_errors_are_raised_all_the_same_and_post_only_refusals_do_not_count(
    client, seen, error, counts
):
    client.error = error
    assert list(act(client)) == [error] * 3
    assert seen == [(PAIR, str(error))] * (3 if counts else 0)


def test_an_order_that_is_gone_shows_that_the_venue_works(client, seen):
    client.error = ccxt.OrderNotFound("never placed, already canceled, or filled")
    assert list(act(client)) == [client.error] * 3
    assert seen == ["worked"] * 3
