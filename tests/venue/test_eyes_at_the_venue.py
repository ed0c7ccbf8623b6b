"""The bot's websocket over real sockets, with the venue's faults: what is answered, and by whom."""

import asyncio
import contextlib
import json
import time
from collections import Counter

import ccxt
import pytest

from advanced_mm.eyes import BackgroundEyes, Eyes
from advanced_mm.marketdata.feed.connection import ConnectionSettings
from advanced_mm.quoting.exchange.sparing import SparingClient
from advanced_mm.venue.conditions.faults import (
    CutConnections,
    DelayedMessages,
    DroppedMessages,
    DuplicatedMessages,
    Silence,
)

PAIR = "ETH/USDC:USDC"
BOOK = {"type": "l2Book", "coin": "ETH"}
QUICK = ConnectionSettings(
    first_delay_seconds=0.1, longest_delay_seconds=0.2, silence_seconds=4.0, look_seconds=0.1
)


class Bot:
    """A ccxt client that sends what its eyes cannot answer, and counts what it sends."""

    def __init__(self, server, wallet, options):
        self.client = ccxt.hyperliquid(options(server, wallet))
        self.eyes = Eyes(["ETH"], wallet.address)
        self.stream = BackgroundEyes(server.ws_url, self.eyes, QUICK)
        self.sent = Counter()
        fetch = self.client.fetch

        def counted(url, method="GET", headers=None, body=None):
            asked = json.loads(body)
            self.sent[asked.get("type") or asked["action"]["type"]] += 1
            return fetch(url, method, headers, body)

        self.client.fetch = counted
        SparingClient(self.client, sight=self.eyes).install()

    def order(self, price, side="buy", amount=0.5):
        return self.client.create_order(
            PAIR, "limit", side, amount, price, {"timeInForce": "Alo", "clientOrderId": cloid()}
        )["id"]

    def fills_seen(self):
        asked = {"type": "userFillsByTime", "user": self.client.walletAddress}
        return self.eyes.answer({**asked, "startTime": self.began_ms})

    def quote(self):
        """The age (s) of the book that a quote would be made from, when it was asked for."""
        asked_s = time.time()
        return asked_s - self.client.fetch_order_book(PAIR)["timestamp"] / 1000


def cloid():
    cloid.last += 1
    return f"0x{cloid.last:032x}"


cloid.last = 0


@pytest.fixture
def running(scripted, wallet):
    """A venue, its gateway for faults, and a bot that sees."""

    @contextlib.asynccontextmanager
    async def run():
        async with scripted.faulty() as (market, gateway, server):
            bot = Bot(server, wallet, scripted.ccxt_options)
            await asyncio.to_thread(bot.client.load_markets)
            bot.stream.start()
            try:
                await scripted.until(lambda: bot.eyes.healthy)

                def knows_fills():
                    bot.began_ms = server.exchange.now_ms
                    return bot.fills_seen() is not None

                await scripted.until(knows_fills)
                bot.sent.clear()
                yield market, gateway, bot
            finally:
                await asyncio.to_thread(bot.stream.close)

    return run


async def test_books_orders_and_account_are_answered_without_a_request(running, scripted):
    async with running() as (market, _, bot):
        market.quote(3010.0, 3011.0)
        await scripted.until(lambda: bot.eyes.answer(BOOK)["levels"][0][0]["px"] == "3010.0")
        book = await asyncio.to_thread(bot.client.fetch_order_book, PAIR)
        assert (book["bids"][0][0], book["asks"][0][0]) == (3010.0, 3011.0)
        assert len(book["bids"]) == 20
        oid = await asyncio.to_thread(bot.order, 3010.5)
        seen = await asyncio.to_thread(bot.client.fetch_order, oid, PAIR)
        assert (seen["status"], seen["timeInForce"], seen["filled"]) == ("open", "ALO", 0.0)
        market.trade(3010.5, 0.2, -1)
        await scripted.until(lambda: bot.eyes.own_changes == 1)
        part = await asyncio.to_thread(bot.client.fetch_order, oid, PAIR)
        assert (part["status"], part["filled"], part["remaining"]) == ("open", 0.2, 0.3)
        await asyncio.to_thread(bot.client.cancel_order, oid, PAIR)
        ended = await asyncio.to_thread(bot.client.fetch_order, oid, PAIR)
        assert (ended["status"], ended["filled"]) == ("canceled", 0.2)
        held = await asyncio.to_thread(bot.client.fetch_positions)
        assert [(one["symbol"], one["contracts"]) for one in held] == [(PAIR, 0.2)]
        assert bot.sent.keys() <= {"approveBuilderFee", "order", "cancel"}


async def test_answers_are_the_venue_s_own_to_the_letter(running, scripted):
    async with running() as (market, _, bot):
        filled = await asyncio.to_thread(bot.order, 3000.5)
        market.trade(3000.0, 0.5, -1)
        await scripted.until(lambda: bot.eyes.own_changes >= 1)
        resting = await asyncio.to_thread(bot.order, 2999.5)
        user = bot.client.walletAddress
        venue = ccxt.hyperliquid({"urls": bot.client.urls, "enableRateLimit": False})
        for oid in (filled, resting):
            request = {"type": "orderStatus", "user": user, "oid": int(oid)}
            told = await asyncio.to_thread(venue.publicPostInfo, request)
            seen = bot.eyes.answer(request)
            assert seen["order"]["status"] == told["order"]["status"]
            parsed = [bot.client.parse_order(one["order"]) for one in (seen, told)]
            for one in parsed:
                del one["info"]
            assert parsed[0] == parsed[1]
        request = {"type": "clearinghouseState", "user": user}
        told = await asyncio.to_thread(venue.publicPostInfo, request)
        assert bot.eyes.answer(request)["assetPositions"] == told["assetPositions"]
        request = {"type": "userFillsByTime", "user": user, "startTime": bot.began_ms}
        told = await asyncio.to_thread(venue.publicPostInfo, request)
        assert [one["oid"] for one in told] == [int(filled)]
        assert bot.fills_seen() == told


@pytest.mark.parametrize(
    "fault",
    [
        Silence(),
        CutConnections(refuse=True),
        DelayedMessages(milliseconds=5000),
        DroppedMessages(channels=("bbo", "l2Book")),
    ],
    ids=lambda fault: fault.kind,
)
async def test_rest_takes_over_within_two_seconds_and_hands_back(running, scripted, fault):
    async with running() as (market, gateway, bot):
        gateway.set_fault(fault)
        ages = []
        while bot.sent["l2Book"] == 0:  # until then each is of what was seen
            ages.append(await asyncio.to_thread(bot.quote))
            await asyncio.sleep(0.05)
        for _ in range(5):
            ages.append(await asyncio.to_thread(bot.quote))
            await asyncio.sleep(0.1)
        assert max(ages) < 2.0
        # What happens meanwhile is told by REST.
        oid = await asyncio.to_thread(bot.order, 3000.5)
        market.trade(3000.0, 0.5, -1)

        async def filled():
            order = await asyncio.to_thread(bot.client.fetch_order, oid, PAIR)
            return order["status"] == "closed" and order["filled"] == 0.5

        await scripted.until(filled)
        assert bot.sent["orderStatus"] >= 1
        gateway.faults.clear()
        await scripted.until(lambda: bot.eyes.healthy)
        bot.sent.clear()
        await asyncio.to_thread(bot.client.fetch_order_book, PAIR)
        assert bot.sent["l2Book"] == 0


async def test_fills_told_twice_count_once(running, scripted):
    async with running() as (market, gateway, bot):
        gateway.set_fault(DuplicatedMessages())
        oid = await asyncio.to_thread(bot.order, 3000.5)
        for size in (0.1, 0.2):
            before = bot.eyes.own_changes
            market.trade(3000.5, size, -1)
            await scripted.until(lambda before=before: bot.eyes.own_changes > before)
        await asyncio.sleep(0.2)  # the second telling
        assert bot.eyes.own_changes == 2
        seen = await asyncio.to_thread(bot.client.fetch_order, oid, PAIR)
        assert seen["filled"] == pytest.approx(0.3)
        for _ in range(20):  # eyes that heard nothing for a moment let the venue be asked
            await scripted.until(lambda: bot.eyes.healthy)
            bot.sent.clear()
            fills = await asyncio.to_thread(bot.client.fetch_my_trades, PAIR, bot.began_ms)
            if not bot.sent:
                break
        assert [one["amount"] for one in fills] == [0.1, 0.2]
        assert not bot.sent


async def test_a_fill_while_the_connection_is_down_is_not_lost(running, scripted):
    """The order's end was never told; the connection is back before anyone noticed."""
    async with running() as (market, gateway, bot):
        oid = await asyncio.to_thread(bot.order, 3000.5)
        await asyncio.to_thread(bot.client.fetch_order, oid, PAIR)
        gateway.set_fault(CutConnections(refuse=True, seconds=0.3))
        await scripted.until(lambda: not bot.eyes.healthy)
        market.trade(3000.0, 0.5, -1)
        await scripted.until(lambda: bot.eyes.healthy)
        order = await asyncio.to_thread(bot.client.fetch_order, oid, PAIR)
        assert (order["status"], order["filled"]) == ("closed", 0.5)


@pytest.mark.parametrize("lost", ["orderUpdates", "userFills"])
async def test_a_message_lost_on_a_healthy_connection_is_noticed(running, scripted, lost):
    """Fills and remaining size contradict each other: the venue decides."""
    async with running() as (market, gateway, bot):
        oid = await asyncio.to_thread(bot.order, 3000.5)
        await asyncio.to_thread(bot.client.fetch_order, oid, PAIR)
        gateway.set_fault(DroppedMessages(channels=(lost,)))
        bot.sent.clear()
        before = bot.eyes.own_changes
        market.trade(3000.0, 0.5, -1)
        await scripted.until(lambda: bot.eyes.own_changes > before)
        order = await asyncio.to_thread(bot.client.fetch_order, oid, PAIR)
        assert (order["status"], order["filled"]) == ("closed", 0.5)
        assert bot.sent["orderStatus"] == 1
