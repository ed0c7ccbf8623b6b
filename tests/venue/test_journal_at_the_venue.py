"""Quotes sent to the venue, its refusals and the queues: from the order to the report."""

import asyncio
from datetime import UTC, datetime
from types import SimpleNamespace

import ccxt
import pytest

from advanced_mm.journal import JournalWriter
from advanced_mm.performance import account_change
from advanced_mm.performance.judge import Wanted, judge_journal
from advanced_mm.quoting import Quote, Touch, queue_ahead
from advanced_mm.quoting.journaling.account_records import AccountRecords
from advanced_mm.quoting.journaling.trade_journal import TradeJournal

PAIR = "ETH/USDC:USDC"
MID = 3000.5


class Bot:
    """The bot's journal in front of ccxt's client, as Freqtrade's exchange object uses it."""

    def __init__(self, client, folder):
        self.client, self.orders = client, []
        exchange = SimpleNamespace(
            create_order=self._create,
            cancel_order_with_result=lambda order, pair, _: client.cancel_order(order, pair),
            amount_to_precision=lambda pair, amount: float(
                client.amount_to_precision(pair, amount)
            ),
        )
        records = AccountRecords(client)
        records.install()
        self.journal = TradeJournal(
            JournalWriter(folder, "bot"), "bot", exchange, records, lambda: 0.0
        )
        self.journal.install()
        self.exchange = exchange

    def _create(self, *, pair, ordertype, side, amount, rate):
        made = self.client.create_order(pair, ordertype, side, amount, rate, {"postOnly": True})
        self.orders.append(SimpleNamespace(order_id=made["id"], ft_order_side=side))
        return made

    def loop(self):
        trade = SimpleNamespace(pair=PAIR, open_orders=self.orders)
        self.journal.saw("ETH", Touch(MID - 0.5, MID + 0.5, datetime.now(UTC)))
        self.journal.at_loop({PAIR: "ETH"}, [trade])

    def quote(self, side, price):
        """Send a quote as the strategy does, with what rests at its price."""
        depth = abs(price - MID)
        ahead = queue_ahead(self.client.fetch_order_book(PAIR), side, price)
        quote = Quote(side, 0, price, MID, depth, 0.1, "r1", edge=0.2)
        self.journal.agreed(PAIR, "ETH", quote, price, 0.0, None, None, ahead)
        self.exchange.create_order(
            pair=PAIR,
            ordertype="limit",
            side="buy" if side == "bid" else "sell",
            amount=0.1,
            rate=price,
        )


async def test_refused_quotes_and_queues_reach_the_report(scripted, wallet, tmp_path):
    market = scripted.Market(bid=3000.0, ask=3001.0)
    async with scripted.serving(market) as server:
        client = ccxt.hyperliquid(scripted.ccxt_options(server, wallet))
        await asyncio.to_thread(client.load_markets)
        bot = Bot(client, tmp_path / "journal")
        await asyncio.to_thread(bot.loop)
        await asyncio.to_thread(bot.quote, "bid", 3000.0)  # behind 1.0
        await asyncio.to_thread(bot.quote, "ask", 3001.0)  # behind 1.0
        await asyncio.to_thread(bot.quote, "bid", 3000.2)  # the first at its price
        await asyncio.to_thread(bot.quote, "ask", 3000.8)  # the first at its price
        with pytest.raises(ccxt.InvalidOrder):
            await asyncio.to_thread(bot.quote, "bid", 3001.5)  # would take
        market.trade(3000.0, 9.0, -1)
        market.trade(3001.0, 0.5, 1)  # the queue keeps the order behind it from its turn

        async def three_fills():
            return len(await asyncio.to_thread(client.fetch_my_trades, PAIR)) == 3

        await scripted.until(three_fills)
        for number in (0, 2, 3):
            order = bot.orders[number].order_id
            one = SimpleNamespace(order_id=order, safe_filled=0.1, status="closed")
            bot.journal.order_filled("ETH", None, one)
        bot.orders = bot.orders[1:2]
        await asyncio.to_thread(bot.loop)
        await asyncio.to_thread(bot.journal.close, lambda: [])
    (one,) = judge_journal(tmp_path, Wanted())
    quotes = one.record.quotes
    assert quotes.refused.tolist() == [False, False, False, False, True]
    assert quotes.queue_ahead.tolist() == [1.0, 1.0, 0.0, 0.0, 0.0]
    assert quotes.filled.tolist() == [0.1, 0.0, 0.1, 0.1, 0.0]
    assert one.figures["quotes_sent"].value == 4
    assert one.figures["quotes_refused"].value == 1
    assert one.figures["fill_rate"].value == 0.75
    groups = [(group.name.partition(",")[0], group.fills) for group in one.splits["queue ahead"]]
    assert groups == [("low", 2), ("high", 1)]
    assert one.parts.spread_captured == pytest.approx(0.1 * (0.5 + 0.3 + 0.3))
    assert account_change([one]).unexplained == pytest.approx(0, abs=1e-6)
