"""Every Hyperliquid request: supported, refused as on Hyperliquid, or unsupported with a reason.

The table is ``venue_requests.yaml``. Every line of it is sent to a running venue over its sockets.
The table names everything the venue answers and everything the TypeScript SDK can request, and
``docs/venue_requests.md`` is generated from it::

    python tests/venue/protocol/test_venue_requests.py > docs/venue_requests.md
"""

import copy
import re
import time
from pathlib import Path
from typing import get_args

import aiohttp
import pytest
import yaml
from eth_account import Account
from hyperliquid.utils import signing as sdk

from advanced_mm.venue.engine.exchange import Exchange
from advanced_mm.venue.engine.rules import Rules
from advanced_mm.venue.protocol.actions.forms import Action
from advanced_mm.venue.protocol.actions.signing import USER_SIGNED
from advanced_mm.venue.server.answers import Answers
from advanced_mm.venue.server.stream import ALL_CHANNELS

TABLE = yaml.safe_load((Path(__file__).parent / "venue_requests.yaml").read_text())
PAGE = Path(__file__).parents[3] / "docs" / "venue_requests.md"
WALLET = Account.from_key("0x" + "21" * 32)
USER, OTHER = WALLET.address.lower(), "0x" + "ee" * 20
ORDER = TABLE["actions"]["order"]["ask"]["orders"][0]
DAY_MS = 86_400_000
XYZ_ASSET = 110_000
KINDS = {
    "list": list,
    "number": int,
    "text": str,
    "truth": bool,
    "null": type(None),
}


def there(section):
    return {name: line for name, line in TABLE[section].items() if "left_out" not in line}


class Client:
    """Sends the table's requests."""

    def __init__(self, http, server):
        self._http, self.server = http, server
        self._last_nonce = 0
        self.known = {"user": USER, "other": OTHER, "agent": "0x" + "a9" * 20}

    def nonce(self):
        self._last_nonce = max(self._last_nonce + 1, int(time.time() * 1000))
        return self._last_nonce

    def filled_in(self, value, **more):
        """Return a request with the names that begin with "$" replaced."""
        known = {**self.known, "now": self.server.exchange.now_ms + 3_000, **more}
        known["soon"] = self.server.exchange.now_ms + 60_000
        if isinstance(value, dict):
            return {name: self.filled_in(one, **more) for name, one in value.items()}
        if isinstance(value, list):
            return [self.filled_in(one, **more) for one in value]
        return known[value[1:]] if isinstance(value, str) and value.startswith("$") else value

    async def post(self, path, body):
        async with self._http.post(self.server.rest_url + path, json=body) as answer:
            return answer.status, await (answer.json() if answer.status == 200 else answer.text())

    async def info(self, kind, **fields):
        return await self.post("/info", {"type": kind, **self.filled_in(fields)})

    async def act(self, action, *, user_signed=False, nonce=None, vault=None, expires=None):
        nonce = self.nonce() if nonce is None else nonce
        action = self.filled_in(action, nonce=nonce)
        if user_signed:
            primary_type, fields = USER_SIGNED[action["type"]]
            sign = sdk.sign_user_signed_action
            signature = sign(WALLET, action, fields, primary_type, False)
        else:
            signature = sdk.sign_l1_action(WALLET, action, vault, nonce, expires, False)
        envelope = {"vaultAddress": vault} if vault else {}
        envelope |= {"expiresAfter": expires} if expires else {}
        body = {"action": action, "nonce": nonce, "signature": signature, **envelope}
        return await self.post("/exchange", body)

    async def hold_something(self):
        """Open an isolated position."""
        taking = {**ORDER, "p": "3100", "t": {"limit": {"tif": "Ioc"}}}
        await self.act({"type": "order", "orders": [taking], "grouping": "na"})

    def learn(self, answer):
        """Store the numbers and addresses that later lines refer to."""
        data = answer["response"].get("data")
        if isinstance(data, str):
            self.known["sub"] = data
        elif isinstance(data, dict) and "statuses" in data:
            for status in data["statuses"]:
                if isinstance(status, dict) and "resting" in status:
                    self.known["oid"] = status["resting"]["oid"]
        elif isinstance(data, dict) and "running" in data["status"]:
            self.known["twap"] = data["status"]["running"]["twapId"]


@pytest.fixture
async def client(scripted):
    rules = Rules(schedule_cancel_volume=0, sub_account_volume=0)
    markets = (scripted.Market(), scripted.Market("xyz:XYZ100"))
    async with (
        scripted.serving(*markets, rules=rules) as server,
        aiohttp.ClientSession() as http,
    ):
        server.exchange.accounts.open(USER)
        yield Client(http, server)


def fits(answer, expected):
    """Return whether an answer is of the table's type, or an object with the table's fields."""
    if isinstance(expected, list):
        return isinstance(answer, dict) and set(expected) <= answer.keys()
    return isinstance(answer, KINDS[expected])


async def test_requests_for_information(client):
    for name, line in TABLE["info"].items():
        status, answer = await client.info(name, **line.get("ask", {}))
        if "left_out" in line:
            assert (status, f"unknown variant `{name}`" in answer) == (422, True), name
        else:
            assert status == 200, (name, answer)
            assert fits(answer, line["answer"]), (name, answer)


async def test_actions(client):
    for name, line in TABLE["actions"].items():
        action = {"type": name, **line.get("ask", {})}
        if "left_out" in line:
            status, answer = await client.act(action)
            assert (status, answer.startswith("Failed to deserialize")) == (422, True), name
            continue
        if line.get("before") == "position":
            await client.hold_something()
        elif line.get("before") == "order":
            before = {"type": "order", "orders": [ORDER], "grouping": "na"}
            client.learn((await client.act(before))[1])
        user_signed = line.get("signed") == "user"
        if user_signed:
            action |= {"hyperliquidChain": "Testnet", "signatureChainId": "0x66eee"}
        status, answer = await client.act(action, user_signed=user_signed)
        assert status == 200, (name, answer)
        assert answer["status"] == "ok", (name, answer)
        assert "error" not in str(answer), (name, answer)
        assert answer["response"]["type"] == line.get("answer", "default"), (name, answer)
        client.learn(answer)


async def test_subscriptions(client, scripted):
    for name, line in TABLE["subscriptions"].items():
        url = client.server.ws_url
        async with aiohttp.ClientSession() as http, http.ws_connect(url) as socket:
            asked = {"type": name, **client.filled_in(line.get("ask", {}))}
            await socket.send_json({"method": "subscribe", "subscription": asked})
            first = await socket.receive_json(timeout=10)
            if "left_out" in line:
                assert first["channel"] == "error", (name, first)
                assert first["data"].startswith("Invalid subscription"), name
                continue
            assert first["channel"] == "subscriptionResponse", (name, first)
            if "answer" not in line:
                continue
            await client.hold_something()
            while True:
                message = await socket.receive_json(timeout=10)
                if message["channel"] == line.get("channel", name):
                    break
            assert fits(message["data"], line["answer"]), (name, message)


def sentence(answer):
    """Return the error message of a refusal, wherever it is in the answer."""
    if answer["status"] == "err":
        return answer["response"]
    data = answer["response"]["data"]
    (status,) = data["statuses"] if "statuses" in data else [data["status"]]
    return status["error"]


@pytest.mark.parametrize("line", TABLE["refusals"], ids=lambda line: line["what"])
async def test_refusals(client, line):
    if "send" in line:
        action = line["send"]
    else:
        wire = {**copy.deepcopy(ORDER), **line.get("order", {})}
        if wire.pop("asset", None) == "xyz":
            wire |= {"a": XYZ_ASSET}
        action = {"type": "order", "orders": [wire], "grouping": "na", **line.get("action", {})}
    options = {"vault": line.get("vault")}
    now_ms = client.nonce()
    if line.get("expires") == "past":
        options["expires"] = now_ms - 1
    nonces = {"old": now_ms - 3 * DAY_MS, "early": now_ms + 2 * DAY_MS, "repeated": now_ms}
    options["nonce"] = nonces.get(line.get("nonce"))
    if line.get("nonce") == "repeated":
        await client.act(action, **options)
    status, answer = await client.act(action, **options)
    assert status == 200, answer
    assert re.search(line["says"], sentence(answer)), answer


def test_the_table_names_all_that_is_answered(scripted):
    answers = Answers(Exchange([scripted.Market()], Rules()), lambda: 0)
    assert set(answers.info_types) == there("info").keys()
    assert {kind_of(form) for form in forms(Action)} == there("actions").keys()
    assert ALL_CHANNELS.keys() == there("subscriptions").keys()
    reasons = {line["left_out"] for section in SECTIONS for line in TABLE[section].values()
               if "left_out" in line}  # fmt: skip
    assert reasons == TABLE["reasons"].keys()


def forms(union):
    for one in get_args(union):
        yield from forms(one) if get_args(one) else [one]


def kind_of(form):
    return get_args(form.model_fields["type"].annotation)[0]


@pytest.mark.node
async def test_the_table_names_all_that_the_typescript_sdk_asks(node_modules):
    methods = node_modules / "node_modules" / "@nktkas" / "hyperliquid" / "esm" / "api"
    for section, folder in (
        ("info", "info"), ("actions", "exchange"), ("subscriptions", "subscription"),
    ):  # fmt: skip
        names = {file.stem for file in (methods / folder / "_methods").glob("*.js")}
        assert len(names) > 20
        assert names <= TABLE[section].keys(), section


SECTIONS = {
    "info": "Requests for information",
    "actions": "Actions",
    "subscriptions": "Subscriptions",
}


def page():
    """Return the table as a page."""
    lines = [
        "# The loopback venue, request by request",
        "",
        "The requests that Hyperliquid documents, and what the loopback venue does with each. This",
        "page is generated from `tests/venue/protocol/venue_requests.yaml`; a test sends each line",
        "to a running venue. Answers have the types that `@nktkas/hyperliquid` declares.",
    ]
    for section, title in SECTIONS.items():
        lines += ["", f"## {title}", "", "| request | status | notes |", "| --- | --- | --- |"]
        for name, line in TABLE[section].items():
            if "left_out" in line:
                state, note = "not supported", TABLE["reasons"][line["left_out"]]
            else:
                state, note = "supported", line.get("note", "")
            lines.append(f"| `{name}` | {state} | {note} |")
    lines += [
        "",
        "Unsupported requests are answered like unknown ones: HTTP 422, or `Invalid",
        "subscription` on channel `error`.",
        "",
        "## Refusals, with Hyperliquid's messages",
        "",
        "| request | answer |",
        "| --- | --- |",
    ]
    for line in TABLE["refusals"]:
        words = re.sub(r"\\(.)", r"\1", line["says"].strip("^$"))
        words = words.replace("[0-9a-f]{40}", "…").replace("[0-9]+", "…").replace("0x0+ee", "0x…")
        words = re.sub(r"\[0-9\]", "…", words)
        lines.append(f"| {line['what']} | {words.replace(' asset=0', '')} |")
    lines += ["", "## Known differences", ""]
    lines += [f"- {difference}" for difference in TABLE["differences"]]
    return "\n".join(lines) + "\n"


def test_the_page_is_made_of_the_table():
    assert PAGE.read_text() == page(), f"outdated; run: python {Path(__file__).name} > {PAGE.name}"


if __name__ == "__main__":
    print(page(), end="")  # noqa: T201
