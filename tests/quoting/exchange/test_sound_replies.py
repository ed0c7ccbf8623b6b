"""A bad row of the venue's reply costs itself; ccxt, which would raise at it, does not see it.

- each kind of reply: exactly the good rows go on, the bad ones are counted;
- a good reply is passed on as it is; a coin told badly keeps its place in meta and trades no more;
- through the clients of a bot, so that neither fills nor candles end it.
"""

import asyncio
import copy
from typing import Any

import ccxt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from advanced_mm.bad_rows import BadRows
from advanced_mm.quoting.exchange.sound_replies import judge_replies, sound_reply
from advanced_mm.quoting.exchange.sparing import SparingClient

TIME = 1_790_000_000_000
PAIR = "ETH/USDC:USDC"
FILL = {
    "coin": "ETH", "px": "3000.0", "sz": "0.5", "side": "B", "time": TIME, "startPosition": "0.0",
    "dir": "Open Long", "closedPnl": "0.0", "hash": "0x" + "a" * 64, "oid": 7, "crossed": False,
    "fee": "0.1", "tid": 5, "feeToken": "USDC",
}  # fmt: skip
ORDER = {
    "coin": "ETH", "side": "B", "limitPx": "3000.0", "sz": "0.5", "oid": 7, "timestamp": TIME,
    "origSz": "0.5", "cloid": None, "orderType": "Limit", "tif": "Alo", "reduceOnly": False,
    "triggerPx": "0.0", "isTrigger": False, "children": [], "triggerCondition": "N/A",
}  # fmt: skip
CANDLE = {
    "t": TIME, "T": TIME + 59_999, "s": "ETH", "i": "1m",
    "o": "3000.0", "h": "3001.0", "l": "2999.0", "c": "3000.5", "v": "1.0", "n": 1,
}  # fmt: skip
POSITION = {
    "type": "oneWay",
    "position": {
        "coin": "ETH", "szi": "0.5", "entryPx": "3000.0", "positionValue": "1500.0",
        "unrealizedPnl": "0.0", "returnOnEquity": "0.0", "liquidationPx": None,
        "marginUsed": "1500.0", "maxLeverage": 25,
        "leverage": {"type": "isolated", "value": 1, "rawUsd": "1.0"},
    },
}  # fmt: skip
PAYMENT = {
    "time": TIME,
    "hash": "0x0",
    "delta": {"type": "funding", "coin": "ETH", "usdc": "-0.1", "szi": "0.5", "fundingRate": "0"},
}
LEVEL = {"px": "3000.0", "sz": "1.0", "n": 1}
COIN = {"name": "ETH", "szDecimals": 4, "maxLeverage": 25}
CONTEXT = {"markPx": "3000.0", "midPx": "3000.0", "funding": "0.0", "dayNtlVlm": "1.0"}

ROWS = {
    "userFills": (FILL, ["coin", "px", "sz", "time", "fee"]),
    "userFillsByTime": (FILL, ["px", "sz"]),
    "openOrders": (ORDER, ["limitPx", "sz", "timestamp"]),
    "frontendOpenOrders": (ORDER, ["limitPx", "sz", "origSz"]),
    "candleSnapshot": (CANDLE, ["t", "o", "h", "l", "c", "v"]),
    "userFunding": (PAYMENT, ["time", "delta.usdc"]),
}
BAD = ["NaN", "Infinity", "abc", [], {}]


def spoilt(row: dict[str, Any], field: str, value: Any) -> dict[str, Any]:
    row = copy.deepcopy(row)
    *path, last = field.split(".")
    target = row
    for part in path:
        target = target[part]
    target[last] = value
    return row


@st.composite
def lists(draw: st.DrawFn) -> tuple[str, list[Any], list[Any]]:
    """A type of request, its reply, and the good rows of it."""
    kind = draw(st.sampled_from(sorted(ROWS)))
    row, fields = ROWS[kind]
    reply, good = [], []
    for _ in range(draw(st.integers(0, 8))):
        if draw(st.booleans()):
            reply.append(dict(row))
            good.append(reply[-1])
        elif draw(st.booleans()):
            field = draw(st.sampled_from(fields))
            reply.append(
                spoilt(row, field, draw(st.sampled_from(BAD if field != "coin" else [None])))
            )
        else:
            reply.append(draw(st.sampled_from([None, 7, "row", [], {}])))
    return kind, reply, good


@given(lists())
def test_exactly_the_good_rows_go_on_and_the_others_are_counted(case) -> None:
    kind, reply, good = case
    bad_rows = BadRows()
    found = sound_reply({"type": kind}, reply, bad_rows)
    assert found == good
    assert all(one is other for one, other in zip(found, good, strict=True))
    assert bad_rows.total == len(reply) - len(good)
    if len(reply) == len(good):
        assert found is reply


@pytest.mark.parametrize("other", [None, [], {}, 7, "error", {"levels": None}, [[], []]])
@pytest.mark.parametrize("kind", [*ROWS, "clearinghouseState", "l2Book", "metaAndAssetCtxs", "x"])
def test_what_is_no_list_of_rows_is_passed_on(kind: str, other: Any) -> None:
    bad_rows = BadRows()
    passed = sound_reply({"type": kind}, other, bad_rows)
    assert passed == ([] if isinstance(other, list) and kind in ROWS else other)


@pytest.mark.parametrize("value", BAD)
def test_levels_and_positions_are_judged_one_by_one(value: Any) -> None:
    bad_rows = BadRows()
    book = {"coin": "ETH", "time": TIME, "levels": [[LEVEL, spoilt(LEVEL, "px", value)], [LEVEL]]}
    assert sound_reply({"type": "l2Book"}, book, bad_rows)["levels"] == [[LEVEL], [LEVEL]]
    for field in ("szi", "entryPx", "marginUsed"):
        account = {"assetPositions": [spoilt(POSITION, f"position.{field}", value), POSITION]}
        found = sound_reply({"type": "clearinghouseState"}, account, bad_rows)
        assert found["assetPositions"] == [POSITION]
    assert (bad_rows.count("book"), bad_rows.count("positions")) == (1, 3)


def a_client() -> ccxt.hyperliquid:
    client = ccxt.hyperliquid({"walletAddress": "0x" + "1" * 40})
    client.set_markets([client.parse_market({**COIN, "markPx": "3000.0", "baseId": 0})])
    return client


@pytest.mark.parametrize("value", ["NaN", "abc", None])
def test_ccxt_reads_fills_and_positions_beside_bad_ones(value: Any) -> None:
    """Alone it raises what Freqtrade does not catch."""
    client, bad_position = a_client(), spoilt(POSITION, "position.szi", "NaN")
    replies = {
        "userFills": [spoilt(FILL, "time", value), FILL],
        "frontendOpenOrders": [ORDER, spoilt(ORDER, "sz", "NaN")],
        "clearinghouseState": {"assetPositions": [bad_position, POSITION]},
    }
    client.publicPostInfo = lambda request: replies[request["type"]]
    for ask in (client.fetch_my_trades, client.fetch_open_orders, client.fetch_positions):
        with pytest.raises((TypeError, ValueError)):
            ask()
    spared = SparingClient(client)
    spared.install()
    assert [fill["amount"] for fill in client.fetch_my_trades()] == [0.5]
    assert [order["amount"] for order in client.fetch_open_orders()] == [0.5]
    assert [position["contracts"] for position in client.fetch_positions()] == [0.5]
    assert spared.bad_rows.total == 3
    assert "1 bad fills row (last: " in str(spared.bad_rows)


def test_a_coin_told_badly_keeps_its_place_and_trades_no_more() -> None:
    client, bad_rows = a_client(), BadRows()
    reply = [
        {"universe": [{**COIN, "szDecimals": None}, None, {**COIN, "name": "SOL"}]},
        [CONTEXT, CONTEXT, {**CONTEXT, "markPx": "3.5"}],
    ]
    with pytest.raises((TypeError, ccxt.ExchangeError)):
        client.publicPostInfo = lambda request: copy.deepcopy(reply)
        client.fetch_swap_markets()
    client.publicPostInfo = lambda request: sound_reply(request, copy.deepcopy(reply), bad_rows)
    first, second, sol = client.fetch_swap_markets()
    assert (first["active"], second["active"]) == (False, False)
    assert (sol["symbol"], int(sol["baseId"]), sol["active"]) == ("SOL/USDC:USDC", 2, True)
    assert bad_rows.count("meta") == 2
    good = [{"universe": [COIN]}, [CONTEXT]]
    assert sound_reply({"type": "metaAndAssetCtxs"}, good, bad_rows) is good
    nan = [{"universe": [COIN]}, [{**CONTEXT, "markPx": "NaN"}]]
    assert sound_reply({"type": "metaAndAssetCtxs"}, nan, bad_rows)[1] == [{}]


def test_the_candles_of_the_asynchronous_client_are_judged_too() -> None:
    client, bad_rows = a_client(), BadRows()

    async def ask(request: dict[str, Any]) -> list[Any]:
        return [CANDLE, spoilt(CANDLE, "o", "NaN"), None, spoilt(CANDLE, "t", TIME + 60_000)]

    client.publicPostInfo = ask
    judge_replies(client, bad_rows)
    bars = asyncio.run(client.publicPostInfo({"type": "candleSnapshot"}))
    assert [bar["t"] for bar in bars] == [TIME, TIME + 60_000]
    assert bad_rows.count("candles") == 2
