"""Both venues in one process: one clock, one price path, and their faults."""

import asyncio
import re
import shlex
import time
from dataclasses import replace
from pathlib import Path

import aiohttp
import ccxt.pro
import pytest
from eth_account import Account

from advanced_mm.errors import InputError
from advanced_mm.markets.recipes import MarketRecipe
from advanced_mm.markets.synthetic_parameters import SyntheticParameters
from advanced_mm.venue.binance.local import both_venues, spot_venue
from advanced_mm.venue.binance.opening import open_spot, spot_recipes
from advanced_mm.venue.conditions.opening import VenueOptions, market_recipes, open_venue

NOW_MS = 1_800_000_000_000
PAGE = Path(__file__).parents[3] / "docs" / "binance_venue.md"


def test_spot_follows_the_perpetual_at_its_basis():
    venue = open_venue(
        market_recipes(VenueOptions(coins=("SUI",), history_minutes=2), NOW_MS), NOW_MS
    )
    spot = open_spot(venue, basis_percent=0.2)
    perpetual, beside = venue.exchange.venue.markets["SUI"], spot.exchange.venue.markets["SUI"]
    for step in range(1, 20):
        venue.exchange.advance(NOW_MS + 1000 * step)
        spot.exchange.advance(NOW_MS + 1000 * step)
        assert beside.mid - perpetual.mid == pytest.approx(0.005, abs=1e-9)
        assert round(beside.touch.bid / 0.0001, 6).is_integer()
    assert len(beside.candles) == len(perpetual.candles)


def test_coins_that_are_no_assets_are_left_out():
    def recipe(coin):
        parameters = SyntheticParameters.for_coin(coin)
        return MarketRecipe(coin=coin, seed=1, start_ms=NOW_MS, synthetic=parameters)

    recipes = [recipe(coin) for coin in ("kPEPE", "ETH", "xyz:GOLD")]
    assert [one.coin for one in spot_recipes(recipes)] == ["ETH"]
    with pytest.raises(InputError, match="none of the coins"):
        spot_recipes(recipes[::2])
    with pytest.raises(InputError, match="between -10 and 10"):
        spot_recipes(recipes, 11)


async def test_a_hedge_of_spot_on_the_perpetual():
    wallet = Account.create()
    calm = replace(SyntheticParameters.for_coin("SUI"), sigma=0.0)
    now_ms = int(time.time() * 1000)
    recipe = MarketRecipe(coin="SUI", seed=1, start_ms=now_ms, synthetic=calm)
    async with both_venues(recipe) as venues:
        spot = ccxt.pro.binance(venues.spot.ccxt_options())
        perpetual = ccxt.pro.hyperliquid(venues.perpetual_options(wallet.address, wallet.key.hex()))
        try:
            await perpetual.fetch_balance()  # opens the account
            bought = await spot.create_order("SUI/USDC", "market", "buy", 40)
            sold = await perpetual.create_order(
                "SUI/USDC:USDC", "market", "sell", 40, bought["average"]
            )
            assert bought["average"] / sold["average"] == pytest.approx(1.0007, abs=0.0008)
            (position,) = await perpetual.fetch_positions()
            assert (position["side"], position["contracts"]) == ("short", 40)
        finally:
            await spot.close()
            await perpetual.close()


async def test_a_price_gap_strikes_both_and_the_admin_interface_tells():
    async with both_venues("SUI", basis_percent=0) as venues, aiohttp.ClientSession() as session:

        async def post(server, path, **body):
            async with session.post(f"{server.rest_url}/admin/{path}", json=body) as response:
                return response.status, await response.json()

        async def state():
            async with session.get(f"{spot.rest_url}/admin/state") as response:
                return await response.json()

        spot = venues.spot.server
        before = spot.exchange.venue.markets["SUI"].mid
        assert (await post(venues.server, "price_gap", coin="SUI", percent=-10))[0] == 200
        async with asyncio.timeout(30):
            while spot.exchange.venue.markets["SUI"].mid > before * 0.95:
                await asyncio.sleep(0.02)
        assert venues.venue.exchange.venue.markets["SUI"].mid < before * 0.95
        assert (await post(spot, "price_gap", coin="ETH", percent=-10))[0] == 400

        status, opened = await post(spot, "accounts", key="a", secret="b", amounts={"USDC": 7})
        assert (status, opened["value"]) == (200, 7)
        for wrong in (
            {"key": "a", "secret": "b"},
            {"key": "c", "secret": "d", "amounts": {"X": 1}},
        ):
            assert (await post(spot, "accounts", **wrong))[0] == 400
        assert (await post(spot, "faults", kind="halt", coin="SUI"))[1] == {"id": 1}
        told = await state()
        assert told["markets"]["SUIUSDC"]["halted"]
        assert told["faults"][0]["kind"] == "halt"
        assert set(told["accounts"]) == {"paper-key", "a"}
        async with session.delete(f"{spot.rest_url}/admin/faults") as response:
            assert await response.json() == {"cleared": 1}
        assert not (await state())["markets"]["SUIUSDC"]["halted"]


async def test_the_documented_commands_are_understood():
    commands = re.findall(r"^curl (?:.*\\\n)*.*", PAGE.read_text(), re.M)
    assert len(commands) == 4
    async with spot_venue("SUI") as local:
        port = local.server.rest_url.rpartition(":")[2]
        for command in commands:
            words = shlex.split(command.replace("\\\n", " ").replace("8793", port))
            process = await asyncio.create_subprocess_exec(
                *words, "--fail", "--silent", stdout=asyncio.subprocess.PIPE
            )
            out, _ = await process.communicate()
            assert process.returncode == 0 and out, command
