"""A moved order in Freqtrade's real books, where callbacks get a copy of the trade."""

import contextlib
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from freqtrade.persistence import Order, Trade, init_db
from freqtrade.strategy.strategy_wrapper import strategy_safe_wrapper

from advanced_mm.quoting.exchange.moved_orders import MovedOrders

PAIR = "ETH/USDC:USDC"


@pytest.fixture
def books():
    init_db("sqlite://")
    trade = Trade(
        pair=PAIR, stake_amount=3000.0, amount=0.0, amount_requested=1.0, open_rate=3000.0,
        open_rate_requested=3000.0, open_date=datetime.now(UTC), fee_open=0.0, fee_close=0.0,
        is_open=True, exchange="hyperliquid", base_currency="ETH", stake_currency="USDC",
        leverage=1.0, price_precision=0.1, amount_precision=1e-4, precision_mode=4,
        precision_mode_price=4,
    )  # fmt: skip
    trade.orders.append(
        Order(
            ft_order_side="buy", ft_pair=PAIR, ft_is_open=True, ft_amount=1.0, ft_price=3000.0,
            order_id="old", status="open", order_type="limit", side="buy", price=3000.0,
            amount=1.0, filled=0.0, remaining=1.0, order_date=datetime.now(UTC),
        )
    )  # fmt: skip
    trade.adjust_stop_loss(3000.0, -0.05, initial=True)
    Trade.session.add(trade)
    Trade.commit()
    yield
    with contextlib.suppress(AttributeError):
        Trade.session.remove()


def moved(ended):
    """Move it as Freqtrade's loop does, through the wrapper that copies the trade."""
    client = SimpleNamespace(fetch_order=lambda number, pair: ended)
    moves = MovedOrders(client, SimpleNamespace(replace_order=lambda *_: {"id": "new"}))

    def callback(trade, order):
        return moves.move(order, 3030.0, -0.05)

    trade = Trade.get_open_trades()[0]
    strategy_safe_wrapper(callback)(trade=trade, order=trade.orders[0])
    Trade.commit()
    Trade.session.expire_all()
    return Trade.get_open_trades()[0]


def test_a_stop_is_counted_from_the_price_it_was_moved_to(books):
    trade = moved({"status": "canceled", "filled": 0.0})
    assert [(one.order_id, one.price) for one in trade.orders] == [("new", 3030.0)]
    assert (trade.open_rate, trade.open_rate_requested) == (3030.0, 3030.0)
    assert trade.stop_loss == trade.initial_stop_loss == pytest.approx(3030.0 * 0.95)
    # Freqtrade counts it again once filled. Counted from the old price, it would rise: "trailing".
    filled = trade.orders[0]
    filled.filled = filled.amount = 1.0
    filled.average, filled.status, filled.ft_is_open = 3030.0, "closed", False
    trade.recalc_trade_from_orders()
    assert not trade.is_stop_loss_trailing


def test_an_order_in_doubt_and_the_new_one_are_both_in_the_books(books):
    trade = moved({"status": "canceled", "filled": 0.4})
    assert [one.order_id for one in trade.orders] == ["old", "new"]
    assert [one.order_id for one in trade.open_orders] == ["old", "new"]
