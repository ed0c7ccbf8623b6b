"""What only the venue knows: its coins and time, whose key it is, and what the account has left."""

import asyncio
import contextlib
import time
from types import SimpleNamespace

import pytest
from eth_account import Account

from advanced_mm.doctor.venue import venue_address
from tests.venue.conftest import ScriptedMarket, serving

KEY = "0x" + "1f" * 32
AGENT = Account.from_key(KEY).address.lower()
OWNER = "0x" + "ab" * 20


def at(setup, server, **environment):
    """Let the set-up trade on a venue, with the real time."""
    rest = server.rest_url
    urls = {"api": {"public": rest, "private": rest}}
    setup.overlay(exchange={"ccxt_config": {"urls": urls}})
    setup.on(now=time.time, environment=environment)
    return setup


@contextlib.asynccontextmanager
async def examined_at(setup, **environment):
    """The set-up at a venue, and what the doctor says of it there."""
    async with serving(ScriptedMarket("ETH"), ScriptedMarket("kPEPE", 3.0, 3.1)) as server:
        at(setup, server, **environment)

        async def look(check):
            lines = await asyncio.to_thread(setup.lines, offline=False)
            return [line for line in lines if line.check == check]

        yield SimpleNamespace(look=look, server=server)


async def test_a_coin_that_the_venue_does_not_have_is_named_with_the_one_that_was_meant(setup):
    async with examined_at(setup) as venue:
        (coin,) = await venue.look("coins")
        assert coin.level == "ok"
        setup.overlay(exchange={"pair_whitelist": ["PEPE/USDC:USDC"]})
        (coin,) = await venue.look("coins")
        (rest,) = await venue.look("recordings, parameters")
        assert await venue.look("recordings") == await venue.look("parameters") == []
    assert coin.level == "fault"
    assert "has no coin 'PEPE'; did you mean kPEPE" in coin.text
    assert coin.remedy == "correct exchange.pair_whitelist"
    # Nobody is told to record it.
    assert (rest.level, rest.text) == ("unchecked", "PEPE is not traded")


@pytest.mark.parametrize(
    ("seconds", "level", "said"),
    [
        (0, "ok", "agrees"),
        (30, "fault", "ahead of the venue's: nothing is quoted"),
        (-30, "fault", "behind the venue's: nothing is quoted"),
        (3, "warning", "ahead of"),
    ],
)
async def test_a_clock_that_is_off(setup, seconds, level, said):
    async with examined_at(setup) as venue:
        setup.on(now=lambda: time.time() + seconds)
        (clock,) = await venue.look("clock")
    assert clock.level == level
    assert said in clock.text
    assert bool(clock.remedy) == (level != "ok")
    if abs(seconds) == 30:
        assert abs(float(clock.text.split()[0]) - 30) < 2


async def test_a_venue_that_does_not_answer_is_said_once_and_what_depends_on_it_not_checked(setup):
    async with serving(ScriptedMarket("ETH")) as server:
        at(setup, server)
    lines = await asyncio.to_thread(setup.lines, offline=False)
    (venue,) = [line for line in lines if line.check == "venue"]
    assert venue.level == "warning"
    assert server.rest_url in venue.text
    assert [line.check for line in lines if line.level == "unchecked"] == [
        "clock", "coins", "keys, account and requests"
    ]  # fmt: skip


async def test_the_account_of_a_live_bot(setup):
    setup.configs.append("config.live.json")
    environment = {
        "FREQTRADE__EXCHANGE__WALLET_ADDRESS": OWNER,
        "FREQTRADE__EXCHANGE__PRIVATE_KEY": KEY,
    }
    async with examined_at(setup, **environment) as venue:
        _, foreign = await venue.look("keys")
        assert foreign.level == "fault"
        assert "the key may not sign for 0xabab…abab" in foreign.text
        signers = venue.server.answers.requests.signers
        signers.approve_agent(OWNER, AGENT, "bot", most_named=3)
        assert [line.level for line in await venue.look("keys")] == ["ok", "ok"]
        (requests,) = await venue.look("requests")
        assert (requests.level, requests.text) == ("ok", "10000 of 10000 left")
        (unit,) = await venue.look("unit")
        assert unit.text.startswith("a unit is 9500.00 USDC")
        (bots,) = await venue.look("two bots")
        assert bots.level == "ok"
        account = venue.server.exchange.accounts.open(OWNER)
        account.requests_used = 9_000
        assert (await venue.look("requests"))[0].level == "warning"
        account.requests_used = 9_900
        (requests,) = await venue.look("requests")
        assert requests.level == "fault"
        assert "100 of 10000 left" in requests.text
        setup.overlay(stake_amount=20_000)
        (unit,) = await venue.look("unit")
        assert unit.level == "fault"
        assert "but the account has 9500.00 for trading" in unit.text


def test_where_a_bot_trades():
    assert venue_address({}) == "wss://api.hyperliquid.xyz/ws"
    assert "testnet" in venue_address({"ccxt_config": {"sandbox": True}})
    urls = {"api": {"public": "http://127.0.0.1:8792/"}}
    assert venue_address({"ccxt_config": {"urls": urls}}) == "ws://127.0.0.1:8792/ws"
