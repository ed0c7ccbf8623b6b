"""The admin interface over real sockets: what it reports and sets, and which clients it refuses."""

import contextlib
import json
from dataclasses import replace

import aiohttp
import pytest

from advanced_mm.markets.clock import MarketClock
from advanced_mm.markets.recipes import MarketRecipe
from advanced_mm.markets.synthetic import SyntheticParameters
from advanced_mm.venue.conditions.gateway import Gateway
from advanced_mm.venue.conditions.opening import open_venue
from advanced_mm.venue.conditions.saved_state import load_state
from advanced_mm.venue.engine.orders import OrderRequest, TimeInForce
from advanced_mm.venue.server.admin import Admin
from advanced_mm.venue.server.server import PaperServer

START_MS = 1_790_000_000_000
USER = "0x" + "1" * 40


@contextlib.asynccontextmanager
async def administered(save_to=None, journaled=True, coins=("ETH",)):
    calm = {"sigma": 0.0, "lambda_plus": 0.0, "lambda_minus": 0.0}
    recipes = tuple(
        MarketRecipe(
            coin=coin,
            seed=1,
            start_ms=START_MS,
            synthetic=replace(SyntheticParameters.for_coin(coin), **calm),
        )
        for coin in coins
    )
    venue = open_venue(recipes, START_MS + 1000, journaled=journaled)
    gateway = Gateway(venue.exchange, add_admin=Admin(venue, save_to).add)
    server = PaperServer(venue.exchange, MarketClock(START_MS + 1000), gateway=gateway)
    await server.start()
    try:
        async with aiohttp.ClientSession(server.rest_url) as session:
            yield venue, gateway, session
    finally:
        await server.stop()


async def ask(session, method, path, body=None, **options):
    data = body if isinstance(body, str) or body is None else json.dumps(body)
    async with session.request(method, path, data=data, **options) as answer:
        return answer.status, await answer.json()


async def test_the_state_shows_orders_in_their_queues():
    async with administered() as (venue, _, session):
        venue.exchange.accounts.open(USER).requests_used = 3
        request = OrderRequest("ETH", True, 299_990, 10_000, tif=TimeInForce.ALO)
        (outcome,) = venue.exchange.place(USER, [request])
        await ask(session, "POST", "/info", {"type": "meta"})
        status, state = await ask(session, "GET", "/admin/state")
        assert status == 200
        assert state["markets"]["ETH"]["mid"] == venue.exchange.venue.markets["ETH"].mid
        account = state["accounts"][USER]
        assert (account["usdc"], account["requests_used"]) == ("10000.0", 3)
        (order,) = account["orders"]
        assert (order["oid"], order["price"], order["side"]) == (outcome.order.oid, "2999.9", "B")
        assert order["ahead"] == order["ahead_at_start"] == 5.0  # the level of the market
        assert state["limits"]["rest"]["127.0.0.1"]["weight"] == 20
        assert state["limits"]["on"] == {"rest": True, "websocket": True, "address": True}
        assert state["faults"] == []


@pytest.mark.parametrize("cross", [True, False])
async def test_the_state_tells_an_account_s_value_and_cash(cross):
    async with administered() as (venue, _, session):
        venue.exchange.update_leverage(USER, "ETH", cross, 1)
        venue.exchange.place(
            USER, [OrderRequest("ETH", True, 310_000, 10_000, tif=TimeInForce.IOC)]
        )
        (fill,) = venue.exchange.accounts.get(USER).fills
        _, state = await ask(session, "GET", "/admin/state")
        account = state["accounts"][USER]
        assert account["positions"] == {"ETH": "1.0"}
        paid = fill.price / 100 + fill.fee / 1e6
        assert float(account["cash"]) == pytest.approx(10_000 - paid, abs=1e-9)
        mark = venue.exchange.margin.mark("ETH") / 100
        assert float(account["value"]) == pytest.approx(10_000 - paid + mark, abs=1e-9)


async def test_faults_are_set_listed_and_cleared():
    async with administered() as (_, gateway, session):
        body = {"kind": "latency", "milliseconds": 1, "requests": ["/info"], "seconds": 60}
        assert await ask(session, "POST", "/admin/faults", body) == (200, {"id": 1})
        assert (await ask(session, "POST", "/admin/faults", {"kind": "maintenance"}))[1]["id"] == 2
        await ask(session, "POST", "/info", {"type": "meta"})
        _, state = await ask(session, "GET", "/admin/state")
        assert state["post_only"]
        latency = state["faults"][0]
        assert (latency["kind"], latency["struck"]) == ("latency", 1)
        assert 0 < latency["seconds_left"] <= 60
        assert await ask(session, "DELETE", "/admin/faults/1") == (200, {"cleared": 1})
        assert await ask(session, "DELETE", "/admin/faults/1") == (200, {"cleared": 0})
        assert await ask(session, "DELETE", "/admin/faults") == (200, {"cleared": 1})
        assert gateway.faults.active == []


async def test_accounts_are_opened():
    async with administered() as (venue, _, session):
        body = {"address": USER.upper().replace("X", "x"), "play_money": "2.5",
                "sub_accounts": [{"name": "a", "play_money": 7}, {"name": "b"}]}  # fmt: skip
        status, money = await ask(session, "POST", "/admin/accounts", body)
        subs = venue.exchange.accounts.subs(USER)
        assert status == 200
        assert money == {USER: "2.5", subs[0]: "7.0", subs[1]: "0.0"}
        status, answer = await ask(session, "POST", "/admin/accounts", body)
        assert (status, "already exists" in answer["error"]) == (400, True)
        status, money = await ask(session, "POST", "/admin/accounts", {"address": "0x" + "2" * 40})
        assert money == {"0x" + "2" * 40: "10000.0"}


async def test_orders_are_counted_beyond_those_that_the_venue_remembers():
    async with administered() as (venue, _, session):
        exchange = venue.exchange
        far = OrderRequest("ETH", True, 290_000, 10_000, tif=TimeInForce.ALO)
        crossing = OrderRequest("ETH", True, 310_000, 10_000, tif=TimeInForce.ALO)
        for _ in range(2_100):
            (outcome,) = exchange.place(USER, [far])
            exchange.cancel(USER, [("ETH", outcome.order.oid)])
        exchange.place(USER, [crossing, far])
        exchange.place(USER, [OrderRequest("ETH", True, 310_000, 100, tif=TimeInForce.IOC)])
        status, record = await ask(session, "GET", f"/admin/accounts/{USER}")
        assert status == 200
        found = [record["orders"][name] for name in ("placed", "filled", "cancelled")]
        assert found == [2_102, 1, 2_100]
        assert record["orders"]["post_only_refused"] == 1


async def test_the_price_jumps_and_fills_what_it_jumps_over_at_its_own_price():
    async with administered() as (venue, _, session):
        exchange = venue.exchange
        request = OrderRequest("ETH", True, 295_000, 10_000, tif=TimeInForce.ALO)
        exchange.place(USER, [request])
        status, answer = await ask(
            session, "POST", "/admin/price_gap", {"coin": "ETH", "percent": -5}
        )
        assert (status, answer["time"] > START_MS) == (200, True)
        exchange.advance(answer["time"])
        (fill,) = exchange.fills(USER)
        assert (fill.price, fill.lots, fill.crossed) == (295_000, 10_000, False)
        mid = exchange.venue.markets["ETH"].mid
        assert mid == pytest.approx(2850, rel=1e-4)
        assert exchange.venue.markets["ETH"].book(1).bids[0].price == pytest.approx(mid - 0.05)
        _, state = await ask(session, "GET", "/admin/state")
        assert state["markets"]["ETH"]["gaps"] == [[answer["time"], -5.0]]
        status, answer = await ask(
            session, "POST", "/admin/price_gap", {"coin": "ETH", "percent": -99.9}
        )
        assert (status, "smaller gap" in answer["error"]) == (400, True)


async def test_names_with_a_colon_and_money_at_builder_deployed_exchanges():
    coin = "xyz:XYZ100"
    async with administered(coins=("kPEPE", coin)) as (venue, _, session):
        plan = {"address": USER, "play_money": 500, "dex_money": {"xyz": 100}}
        assert await ask(session, "POST", "/admin/accounts", plan) == (200, {USER: "500.0"})
        _, state = await ask(session, "GET", "/admin/state")
        account = state["accounts"][USER]
        assert (account["usdc"], account["dex_usdc"]) == ("500.0", {"xyz": "100.0"})
        _, record = await ask(session, "GET", f"/admin/accounts/{USER}")
        assert record["money"]["value"] == 600
        late = {"address": USER, "dex_abstraction": True}
        status, answer = await ask(session, "POST", "/admin/accounts", late)
        assert (status, "already exists" in answer["error"]) == (400, True)
        gap = {"coin": coin, "percent": -2}
        status, answer = await ask(session, "POST", "/admin/price_gap", gap)
        assert status == 200
        venue.exchange.advance(answer["time"])
        assert venue.exchange.venue.markets[coin].mid == pytest.approx(24_500, rel=1e-3)
        halt = {"kind": "halt", "coin": coin}
        assert (await ask(session, "POST", "/admin/faults", halt))[0] == 200
        _, state = await ask(session, "GET", "/admin/state")
        assert (state["markets"][coin]["halted"], state["markets"]["kPEPE"]["halted"]) == (
            True, False
        )  # fmt: skip


async def test_the_venue_is_saved(tmp_path):
    file = tmp_path / "venue.json"
    async with administered(save_to=file) as (venue, _, session):
        venue.exchange.place(USER, [OrderRequest("ETH", True, 295_000, 10_000)])
        status, answer = await ask(session, "POST", "/admin/save")
        assert (status, answer["file"]) == (200, str(file))
        assert load_state(file).summary[USER]["orders"]
        other = tmp_path / "other.json"
        assert (await ask(session, "POST", "/admin/save", {"file": str(other)}))[0] == 200
        assert other.is_file()
    async with administered() as (_, _, session):
        assert (await ask(session, "POST", "/admin/save"))[0] == 400
    async with administered(journaled=False) as (_, _, session):
        status, answer = await ask(session, "POST", "/admin/save", {"file": str(file)})
        assert (status, "keeps no journal" in answer["error"]) == (400, True)


@pytest.mark.parametrize(
    ("path", "body", "sentence"),
    [
        ("/admin/faults", {"kind": "rain"}, "rain"),
        (
            "/admin/faults",
            {"kind": "halt", "coin": "DOGE"},
            "'DOGE' is not traded here: give one of ETH",
        ),
        ("/admin/faults", {"kind": "http_error", "status": 200}, "status = 200"),
        ("/admin/faults", {"kind": "latency"}, "milliseconds is missing"),
        ("/admin/faults", {"kind": "cut", "probability": 2}, "probability = 2"),
        ("/admin/faults", "{", "body"),
        ("/admin/faults", "[]", "body"),
        ("/admin/accounts", {"address": "me"}, "address = 'me'"),
        (
            "/admin/accounts",
            {"address": USER, "dex_money": {"xyz": 1}},
            "'xyz' is not a builder-deployed exchange of this venue (it has: none)",
        ),
        ("/admin/price_gap", {"coin": "DOGE", "percent": 1}, "coin is 'DOGE', must be one of ETH"),
        ("/admin/price_gap", {"coin": "ETH", "percent": -100}, "percent = -100"),
        ("/admin/save", {"folder": "x"}, "folder = 'x'"),
    ],
)
async def test_wrong_bodies_are_explained(path, body, sentence):
    async with administered() as (_, _, session):
        status, answer = await ask(session, "POST", path, body)
        assert status == 400
        assert sentence in answer["error"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 403),
        ({"Host": "127.0.0.1.evil.example:80"}, 403),
        ({"Host": "localhost:1234"}, 200),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://localhost:3000"}, 200),
    ],
)
async def test_foreign_names_and_pages_are_refused(headers, status):
    async with administered() as (_, gateway, session):
        for method, path, body in (
            ("GET", "/admin/state", None),
            ("POST", "/admin/faults", {"kind": "maintenance"}),
            ("DELETE", "/admin/faults", None),
        ):
            found, _ = await ask(session, method, path, body, headers=headers)
            assert found == status
            if status == 403:
                assert gateway.faults.active == []
