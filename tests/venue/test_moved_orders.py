"""A bot's resting order is moved by one action of the venue, with whatever may go wrong."""

import asyncio
import contextlib
from collections import Counter

import ccxt
import pytest
from freqtrade.persistence import LocalTrade, Order

from advanced_mm.quoting.exchange.moved_orders import MovedOrders
from advanced_mm.quoting.exchange.sure_orders import OrderInDoubtError, SureOrders
from advanced_mm.venue.conditions.faults import DroppedReply, HttpError

PAIR = "ETH/USDC:USDC"
OLD, NEW = 2990.0, 2995.0


class Bot:
    """A client with Freqtrade's records of one trade, whose entry rests."""

    def __init__(self, server, wallet, options):
        self.client = ccxt.hyperliquid(options(server, wallet))
        self.orders = SureOrders(self.client, patience_seconds=1.0)
        self.orders.install()
        self.moves = MovedOrders(self.client, self.orders)
        self.sent = Counter()
        act = self.client.privatePostExchange

        def counted(request):
            if request["action"]["type"] in ("order", "batchModify", "cancel"):
                self.sent[request["action"]["type"]] += 1
            return act(request)

        self.client.privatePostExchange = counted

    def enter(self, amount=0.5, price=OLD):
        made = self.client.create_order(PAIR, "limit", "buy", amount, price, {"timeInForce": "Alo"})
        order = Order.parse_from_ccxt_object(made, PAIR, "buy", amount, price)
        order.status, order.order_type = "open", "limit"
        self.trade = LocalTrade(
            pair=PAIR, open_rate=price, amount=0.0, stake_amount=100.0, fee_open=0.0, fee_close=0.0,
            leverage=1.0, is_short=False, price_precision=0.1, amount_precision=1e-4,
            precision_mode=4, precision_mode_price=4, exchange="hyperliquid",
        )  # fmt: skip
        self.trade.adjust_stop_loss(price, -0.05, initial=True)
        self.trade.orders, order._trade_bt = [order], self.trade
        return order

    def move(self, order, price=NEW):
        return self.moves.move(order, price, -0.05)

    def resting(self):
        return [(one["id"], one["price"]) for one in self.client.fetch_open_orders(PAIR)]


@pytest.fixture
def running(scripted, wallet):
    @contextlib.asynccontextmanager
    async def run():
        async with scripted.faulty() as (market, gateway, server):
            bot = Bot(server, wallet, scripted.ccxt_options)
            await asyncio.to_thread(bot.client.load_markets)
            yield market, gateway, bot

    return run


async def test_one_action_moves_it_and_freqtrade_s_record_with_it(running):
    async with running() as (_, _, bot):
        order = await asyncio.to_thread(bot.enter)
        old, stop = order.order_id, bot.trade.stop_loss
        made = await asyncio.to_thread(bot.move, order)
        assert bot.sent == {"order": 1, "batchModify": 1}
        assert await asyncio.to_thread(bot.resting) == [(order.order_id, NEW)]
        assert made["id"] == order.order_id != old
        assert (order.price, order.ft_price, order.amount, order.filled) == (NEW, NEW, 0.5, 0.0)
        assert order.ft_is_open
        assert bot.trade.orders == [order]
        assert bot.trade.open_rate == NEW
        assert bot.trade.stop_loss == pytest.approx(stop * NEW / OLD, rel=1e-4)
        found = await asyncio.to_thread(bot.client.fetch_order, order.order_id, PAIR)
        assert (found["timeInForce"], found["reduceOnly"]) == ("ALO", False)
        assert found["clientOrderId"].startswith("0x6d6d6164")
        # and down again: the stop follows, as nothing was filled
        await asyncio.to_thread(bot.move, order, OLD - 50)
        assert bot.trade.stop_loss == pytest.approx(stop * (OLD - 50) / OLD, rel=1e-4)


async def test_an_order_filled_in_part_is_left_to_freqtrade(running):
    async with running() as (_, _, bot):
        order = await asyncio.to_thread(bot.enter)
        order.filled = 0.1
        assert await asyncio.to_thread(bot.move, order) is None
        assert bot.sent == {"order": 1}


async def test_one_filled_before_is_refused_and_left_as_it_is(running):
    async with running() as (market, _, bot):
        order = await asyncio.to_thread(bot.enter, 0.5, 3000.5)
        old = order.order_id
        market.trade(3000.5, 5.0, -1)
        await asyncio.sleep(0.1)
        with pytest.raises(ccxt.ExchangeError, match="canceled or filled"):
            await asyncio.to_thread(bot.move, order)
        assert (order.order_id, order.ft_price, order.ft_is_open) == (old, 3000.5, True)
        assert bot.orders.doubt is None


async def test_a_part_filled_on_the_way_leaves_both_in_the_books(running):
    async with running() as (market, _, bot):
        order = await asyncio.to_thread(bot.enter, 0.5, 3000.5)
        old = order.order_id
        market.trade(3000.5, 0.2, -1)  # Freqtrade does not know yet
        await asyncio.sleep(0.1)
        made = await asyncio.to_thread(bot.move, order, 3000.2)
        first, second = bot.trade.orders
        assert (first.order_id, first.ft_price, first.ft_is_open) == (old, 3000.5, True)
        assert (second.order_id, second.price, second.amount) == (made["id"], 3000.2, 0.5)
        assert second.ft_is_open
        ended = await asyncio.to_thread(bot.client.fetch_order, old, PAIR)
        assert (ended["status"], ended["filled"]) == ("canceled", 0.2)


async def test_a_price_that_would_take_is_refused(running):
    async with running() as (_, _, bot):
        order = await asyncio.to_thread(bot.enter)
        old = order.order_id
        with pytest.raises(ccxt.InvalidOrder, match="immediately matched"):
            await asyncio.to_thread(bot.move, order, 3002.0)
        assert (order.order_id, order.ft_price) == (old, OLD)
        assert bot.orders.doubt is None
        await asyncio.to_thread(bot.client.fetch_order, old, PAIR)  # which says what became of it


async def test_a_lost_reply_is_found_out_about(running):
    async with running() as (_, gateway, bot):
        order = await asyncio.to_thread(bot.enter)
        gateway.faults.set(DroppedReply(requests=["batchModify"], count=1))
        made = await asyncio.to_thread(bot.move, order)
        assert await asyncio.to_thread(bot.resting) == [(made["id"], NEW)]
        assert order.order_id == made["id"]


async def test_a_move_that_never_arrived_changes_nothing(running):
    async with running() as (_, gateway, bot):
        order = await asyncio.to_thread(bot.enter)
        old = order.order_id
        gateway.faults.set(HttpError(requests=["batchModify"], count=1, status=502))
        with pytest.raises(ccxt.BaseError):
            await asyncio.to_thread(bot.move, order)
        assert await asyncio.to_thread(bot.resting) == [(old, OLD)]
        assert (order.order_id, bot.orders.doubt) == (old, None)


async def test_in_doubt_nothing_else_moves_and_the_new_order_is_withdrawn(running):
    async with running() as (_, gateway, bot):
        order = await asyncio.to_thread(bot.enter)
        gateway.faults.set(DroppedReply(requests=["batchModify"], count=1))
        silence = HttpError(requests=["orderStatus", "noop"])
        gateway.faults.set(silence)
        with pytest.raises(OrderInDoubtError):
            await asyncio.to_thread(bot.move, order)
        assert bot.orders.doubt is not None
        assert await asyncio.to_thread(bot.move, order) is None
        gateway.faults.clear()
        await asyncio.to_thread(bot.orders.tend)
        assert bot.orders.doubt is None
        assert await asyncio.to_thread(bot.resting) == []


async def test_a_senseless_answer_about_the_old_order_leaves_both_in_the_books(running):
    """An order that the books lack would rest until the next check of the account."""
    async with running() as (_, _, bot):
        order = await asyncio.to_thread(bot.enter)
        bot.client.fetch_order = lambda *_: [][0]
        made = await asyncio.to_thread(bot.move, order)
        assert [one.order_id for one in bot.trade.orders] == [order.order_id, made["id"]]
