"""A client from another ecosystem, unmodified: the TypeScript SDK runs against the venue.

It goes through its requests for information, the life of orders, TWAPs, money and keys, and its
subscriptions, over real sockets (``node/client.mjs``). What it was told is then

- compared, name by name and type by type, with what the SDK says Hyperliquid tells: its own type
  declarations, checked by the TypeScript compiler;
- looked at for what it means.

Needs Node 20 or newer with npm, and npm's registry the first time; skipped where one is missing.
"""

import asyncio
import json
import shutil
import subprocess
import time
from collections import defaultdict
from itertools import pairwise
from pathlib import Path

import pytest

pytestmark = pytest.mark.node

CLIENT = Path(__file__).parent / "node" / "client.mjs"
SPEED = 100.0
HOUR_S = 3600
AFTER_THE_HOUR_MS = 300_000
"""When the market opens, so that no funding is paid during the run, at whatever time that is."""


class Told:
    """What the client was told: the lines of its file."""

    def __init__(self, path):
        self.lines = [json.loads(line) for line in path.read_text().splitlines()]
        self.by_name = defaultdict(list)
        for line in self.lines:
            self.by_name[line["kind"], line["name"]].append(line)

    def all(self, kind, name, **given):
        """What was told under a name, to a question with these fields."""
        return [
            line
            for line in self.by_name[kind, name]
            if not given or given.items() <= (line["given"] or [{}])[0].items()
        ]

    def last(self, kind, name, **given):
        return self.all(kind, name, **given)[-1]["data"]

    def errors(self, kind):
        """What failed, and why, in order."""
        own = (line for line in self.lines if line["kind"] == kind and "error" in line)
        return [(line["name"], line["error"]) for line in own]


@pytest.fixture(scope="session")
def told(node_modules, scripted, tmp_path_factory):
    """The client's run, once for all tests."""
    out = tmp_path_factory.mktemp("typescript") / "told.jsonl"

    async def serve():
        start_ms = int(time.time()) // HOUR_S * HOUR_S * 1000 + AFTER_THE_HOUR_MS
        markets = (
            scripted.Market(start_ms=start_ms),
            scripted.Market("xyz:XYZ100", start_ms=start_ms),
        )
        async with scripted.serving(*markets, speed=SPEED) as server:
            shutil.copy(CLIENT, node_modules / "client.mjs")
            key = "0x" + "21" * 32
            client = await asyncio.create_subprocess_exec(
                "node", "client.mjs", server.rest_url, server.ws_url, key, str(out),
                cwd=node_modules, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
            )  # fmt: skip
            try:
                async with asyncio.timeout(200):
                    text, _ = await client.communicate()
            finally:
                if client.returncode is None:
                    client.kill()
                    await client.wait()
            assert client.returncode == 0, text.decode()

    asyncio.run(serve())
    result = Told(out)
    assert result.lines[-1]["kind"] == "done"
    return result


TYPES = {
    "info": ("@nktkas/hyperliquid/api/info", "Response"),
    "exchange": ("@nktkas/hyperliquid/api/exchange", "SuccessResponse"),
    "event": ("@nktkas/hyperliquid/api/subscription", "Event"),
}


YOUNGER = {"assetToFundingClamp"}
"""Fields of Hyperliquid's that this version of the SDK does not declare yet."""


def known(value):
    if isinstance(value, dict):
        return {name: known(one) for name, one in value.items() if name not in YOUNGER}
    return [known(one) for one in value] if isinstance(value, list) else value


def shape(value):
    """What a value is made of, so that not every book of a thousand is compiled."""
    if isinstance(value, dict):
        return tuple((name, shape(one)) for name, one in sorted(value.items()))
    if isinstance(value, list):
        return ("list", tuple(sorted({repr(shape(one)) for one in value})))
    return type(value).__name__


def typescript(lines):
    """A program that says of each answer that it has the type the SDK declares for it."""
    imports, values, seen = defaultdict(set), [], set()
    for line in lines:
        if line["kind"] not in TYPES or "error" in line:
            continue
        module, ending = TYPES[line["kind"]]
        data = known(line["data"])
        name = line["name"][0].upper() + line["name"][1:] + ending
        key = (module, name, shape(data))
        if key in seen:
            continue
        seen.add(key)
        alias = f"{line['kind']}_{name}"
        imports[module].add(f"{name} as {alias}")
        values.append(f"const v{len(values)}: {alias} = {json.dumps(data)};")
    head = [
        f'import type {{ {", ".join(sorted(names))} }} from "{module}";'
        for module, names in imports.items()
    ]
    return "\n".join([*head, *values, "export {};"]) + "\n", len(values)


def test_every_answer_is_of_the_type_that_the_sdk_declares(told, node_modules):
    text, count = typescript(told.lines)
    assert count > 100
    (node_modules / "answers.ts").write_text(text)
    command = [
        "node", "node_modules/typescript/bin/tsc", "--noEmit", "--strict", "--skipLibCheck",
        "--target", "es2022", "--lib", "es2022,dom", "--module", "nodenext", "answers.ts",
    ]  # fmt: skip
    done = subprocess.run(
        command, cwd=node_modules, capture_output=True, text=True, timeout=250, check=False
    )
    assert done.stdout[-3000:] == ""
    assert done.returncode == 0


def test_nothing_fails_but_what_hyperliquid_refuses(told):
    assert told.errors("info") == told.errors("event") == []
    gone = "Order was never placed, already canceled, or filled. asset=0"
    assert [(name, words.split(" $")[0]) for name, words in told.errors("exchange")] == [
        ("cancel", f"cancel 0: {gone}"),
        ("order", "order 0: Price must be divisible by tick size. asset=0"),
        ("order", "order 0: Order must have minimum value of"),
        (
            "order",
            "order 0: Post only order would have immediately matched, bbo was 3000@3000.3. asset=0",
        ),
        (
            "scheduleCancel",
            "Cannot set scheduled cancel time until enough volume traded. Required:",
        ),
        ("twapCancel", "TWAP was never placed, already canceled, or filled."),
        ("twapOrder", "TWAP order value too small. Min is"),
        ("usdClassTransfer", "Insufficient balance for token transfer"),
        ("createSubAccount", "Cannot create sub-accounts until enough volume traded. Required:"),
        ("cancel", f"cancel 0: {gone}"),
    ]


def test_the_life_of_orders_is_told_alike_by_requests_and_subscriptions(told):
    history = told.last("info", "historicalOrders")
    asked = {one["order"]["oid"]: one["status"] for one in history}
    heard = {}
    for event in told.all("event", "orderUpdates"):
        heard |= {one["order"]["oid"]: one["status"] for one in event["data"]}
    assert heard == asked
    kinds = {one["order"]["orderType"] for one in history}
    assert kinds == {"Limit", "Market", "Stop Market", "Take Profit Market", "Twap Slice"}
    named = {one["order"]["cloid"]: one["order"]["limitPx"] for one in history}
    named.pop(None)
    assert named == {
        f"0xc0ffee{n:026x}": price for n, price in ((1, "2980.0"), (2, "2981.0"), (3, "2982.0"))
    }
    last = told.all("event", "openOrders", dex="xyz")[-1]["data"]
    assert (last["dex"], [one["limitPx"] for one in last["orders"]]) == ("xyz", ["2950.0"])


def test_fills_of_one_order_at_one_time_are_one_where_that_is_asked_for(told):
    *_, apart, together = (line["data"] for line in told.all("info", "userFills"))
    largest = max(together, key=lambda fill: float(fill["sz"]))
    parts = [fill for fill in apart if fill["oid"] == largest["oid"]]
    assert (largest["sz"], len(parts)) == ("2.5", 3)
    value = sum(float(one["sz"]) * float(one["px"]) for one in parts)
    assert float(largest["px"]) == pytest.approx(value / 2.5)
    for name in ("fee", "closedPnl"):
        assert float(largest[name]) == pytest.approx(sum(float(one[name]) for one in parts))
    times = [fill["time"] for fill in told.last("info", "userFillsByTime", reversed=True)]
    assert times == sorted(times, reverse=True) != sorted(times)


def test_a_twap_is_executed_in_parts_that_tell_whose_they_are(told):
    history = told.last("info", "twapHistory")
    told_of = [(one["twapId"], one["status"]["status"]) for one in reversed(history)]
    assert told_of == [
        (1, "activated"), (2, "activated"), (2, "terminated"), (3, "waitingForTrigger"),
        (1, "finished"),
    ]  # fmt: skip
    whole = next(one["state"] for one in history if one["status"]["status"] == "finished")
    assert (whole["sz"], whole["executedSz"]) == ("1.1", "1.1")
    parts = [one for one in told.last("info", "userTwapSliceFills") if one["twapId"] == 1]
    assert sum(float(one["fill"]["sz"]) for one in parts) == pytest.approx(1.1)
    times = [one["fill"]["time"] for one in parts]
    assert {later - sooner for later, sooner in pairwise(times)} == {30_000}
    assert len(parts) == 11
    for one in parts:
        assert one["fill"]["hash"] == "0x" + "0" * 64
        assert (one["fill"]["twapId"], one["fill"]["dir"]) == (1, "Close Long")
    heard = [
        one
        for event in told.all("event", "userTwapSliceFills")
        for one in event["data"]["twapSliceFills"]
    ]
    assert [one for one in reversed(heard) if one["twapId"] == 1] == parts
    running = max(len(event["data"]["states"]) for event in told.all("event", "twapStates"))
    assert running == 2


def test_money_goes_where_it_was_sent(told):
    spot = [line["data"]["balances"] for line in told.all("info", "spotClearinghouseState")]
    assert [balances[0]["total"] for balances in spot if balances][:2] == ["100.5", "100.0"]
    ledger = [line["delta"] for line in told.last("info", "userNonFundingLedgerUpdates")]
    assert [line["type"] for line in ledger] == [
        "deposit", "accountClassTransfer", "accountClassTransfer", "internalTransfer", "withdraw",
        "send",
    ]  # fmt: skip
    assert (ledger[4]["usdc"], ledger[4]["fee"]) == ("4.0", "1.0")
    periods = dict(told.last("info", "portfolio"))
    fees = sum(float(fill["fee"]) for fill in told.last("info", "userFills"))
    gain = sum(float(fill["closedPnl"]) for fill in told.last("info", "userFills"))
    state = told.all("info", "clearinghouseState")[-1]["data"]
    (entry,) = state["assetPositions"]
    gain += float(entry["position"]["unrealizedPnl"])
    bought = 10 * 0.0005  # requests
    assert float(periods["allTime"]["pnlHistory"][-1][1]) == pytest.approx(gain - fees - bought)
    limits = told.last("info", "userRateLimit")
    assert limits["nRequestsUsed"] > 0


def test_coarser_books_lie_on_coarser_steps_and_hold_the_same_sizes(told):
    assert told.all("info", "l2Book", nSigFigs=4)[0]["data"]["spread"] == "0.1"
    steps = {2: 100.0, 3: 10.0, 4: 1.0, 5: 0.1}
    for figures, step in steps.items():
        book = told.all("info", "l2Book", nSigFigs=figures)[0]["data"]
        for side in book["levels"]:
            assert side
            for level in side:
                assert float(level["px"]) / step == pytest.approx(round(float(level["px"]) / step))
        bids, asks = ([float(level["px"]) for level in side] for side in book["levels"])
        assert bids[0] <= 3000.0
        assert asks[0] >= 3000.1


def test_every_subscription_is_heard(told):
    heard = {line["name"] for line in told.lines if line["kind"] == "event"}
    asked = {
        "activeAssetCtx", "activeAssetData", "allDexsAssetCtxs", "allDexsClearinghouseState",
        "allMids", "assetCtxs", "bbo", "candle", "clearinghouseState", "fastAssetCtxs", "l2Book",
        "openOrders", "orderUpdates", "spotState", "trades", "twapStates", "userEvents",
        "userFills", "userFundings", "userHistoricalOrders", "userNonFundingLedgerUpdates",
        "userTwapHistory", "userTwapSliceFills", "webData3",
    }  # fmt: skip
    assert heard == asked
    events = {name for line in told.all("event", "userEvents") for name in line["data"]}
    assert events == {"fills", "twapHistory", "twapSliceFills"}
