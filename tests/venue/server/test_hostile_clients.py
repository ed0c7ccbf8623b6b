"""Clients that send arbitrary data: the venue answers with an error and keeps running.

- invalid, deeply nested and too large JSON and odd characters, over REST and the websocket;
- how much of it is sent back, and how much may be queued for a client that does not read;
- every request from pages of other sites, or to other host names than this machine's, is refused.
"""

import asyncio
import io
import json

import aiohttp
import pytest

from advanced_mm.venue.protocol.client_json import (
    LARGEST_BYTES,
    LONGEST_QUOTE,
    decode_json,
    shortened,
)
from advanced_mm.venue.server.stream import StreamLimits

DEEP = "[" * 100_000 + "]" * 100_000
USER = "0x" + "1" * 40


@pytest.fixture
async def venue(scripted):
    """(server, session) of a market that does not move."""
    async with scripted.serving(scripted.Market()) as server, aiohttp.ClientSession() as session:
        yield server, session


async def post(venue, path, data):
    server, session = venue
    async with session.post(server.rest_url + path, data=data) as answer:
        return answer.status, await answer.text()


async def lives(venue):
    """Whether the venue still answers, and its markets still run."""
    server, session = venue
    before_ms = server.exchange.now_ms
    async with session.get(server.rest_url + "/health") as answer:
        assert answer.status == 200
    async with asyncio.timeout(20):
        while server.exchange.now_ms <= before_ms:
            await asyncio.sleep(0.01)
    return True


@pytest.mark.parametrize("text", ["", "{", DEEP, "NaN", '{"a": Infinity}', "9" * 5000, b"\xff"])
def test_what_cannot_be_read_is_a_value_error(text):
    with pytest.raises(ValueError):
        decode_json(text)


def test_only_the_beginning_is_quoted_and_always_as_utf_8():
    assert shortened("short") == "short"
    assert shortened("x" * 201) == "x" * LONGEST_QUOTE + "..."
    assert shortened("a\ud800") == "a\\ud800"


@pytest.mark.parametrize("path", ["/info", "/exchange"])
@pytest.mark.parametrize("data", [DEEP, b"\xff\xfe", '{"a": NaN}', "9" * 5000])
async def test_a_body_that_cannot_be_read_is_answered_400(venue, caplog, path, data):
    status, text = await post(venue, path, data)
    assert (status, len(text) < 500) == (400, True)
    assert "Traceback" not in caplog.text
    assert await lives(venue)


@pytest.mark.parametrize("kind", ["x" * 500_000, "\ud800"])
async def test_a_type_that_is_none_comes_back_shortened(venue, kind):
    status, text = await post(venue, "/info", json.dumps({"type": kind}))
    assert (status, len(text) < 500) == (422, True)


async def test_an_action_nested_deeply_is_refused(venue):
    nested = {"a": "[" * 900 + "]" * 900}
    body = json.dumps({"action": nested, "nonce": 1, "signature": {}})
    body = body.replace('"[', "[").replace(']"', "]")
    status, _ = await post(venue, "/exchange", body)
    assert status in (400, 422)
    assert await lives(venue)


async def test_a_body_of_more_than_a_megabyte_is_refused(venue):
    assert (await post(venue, "/info", io.BytesIO(b" " * (LARGEST_BYTES + 1))))[0] == 413
    assert await lives(venue)


@pytest.mark.parametrize(
    "text",
    [
        "x" * 1_000_000,
        DEEP,
        "9" * 5000,
        '{"method": "subscribe", "subscription": ' + "[" * 900 + "]" * 900 + "}",
        json.dumps({"method": "subscribe", "subscription": {"type": "bbo", "coin": "x" * 900_000}}),
        json.dumps({"method": "post", "id": "x" * 900_000}),
        json.dumps({"method": "post", "id": 1, "request": {"type": "info", "payload": "x" * 9000}}),
    ],
)
async def test_a_message_that_is_wrong_is_answered_shortly_and_the_connection_goes_on(venue, text):
    server, session = venue
    async with session.ws_connect(server.ws_url) as socket:
        await socket.send_str(text)
        answer = await socket.receive_str(timeout=20)
        assert json.loads(answer)["channel"] in ("error", "post")
        assert len(answer) < 500
        await socket.send_json({"method": "ping"})
        assert await socket.receive_json(timeout=10) == {"channel": "pong"}
    assert await lives(venue)


async def test_an_acknowledgement_holds_what_the_venue_has_understood(venue):
    server, session = venue
    asked = {"type": "allMids", "coin": "x" * 100_000, "more": [1]}
    async with session.ws_connect(server.ws_url) as socket:
        await socket.send_json({"method": "subscribe", "subscription": asked})
        answer = await socket.receive_json(timeout=10)
        assert answer["data"]["subscription"] == {"type": "allMids"}
        await socket.send_json({"method": "subscribe", "subscription": asked})
        async with asyncio.timeout(20):
            while answer["channel"] != "error":
                answer = await socket.receive_json()
        assert len(answer["data"]) < 500


async def test_a_message_of_more_than_a_megabyte_ends_the_connection(venue):
    server, session = venue
    async with session.ws_connect(server.ws_url) as socket:
        await socket.send_str("x" * (LARGEST_BYTES + 1))
        answer = await socket.receive(timeout=20)
        assert answer.type is aiohttp.WSMsgType.CLOSE
        assert answer.data == aiohttp.WSCloseCode.MESSAGE_TOO_BIG
    assert await lives(venue)


async def test_a_client_that_does_not_read_is_cut_off_at_some_bytes(scripted, caplog):
    limits = StreamLimits(queue_bytes=2_000_000)
    async with (
        scripted.serving(scripted.Market(), limits=limits) as server,
        aiohttp.ClientSession() as session,
    ):
        server.exchange.venue.markets["ETH"].make_up_past(5000, seed=1)
        candles = {"coin": "ETH", "interval": "1m", "startTime": 0}
        request = {"type": "info", "payload": {"type": "candleSnapshot", "req": candles}}
        async with session.ws_connect(server.ws_url) as socket:
            asked = 0
            while "cannot keep up" not in caplog.text:  # an answer has 0.7 MB
                asked += 1
                assert asked < 60
                await socket.send_json({"method": "post", "id": asked, "request": request})
                await asyncio.sleep(0)
        assert await lives((server, session))


FOREIGN = [
    {"Host": "evil.example"},
    {"Host": "127.0.0.1.evil.example:80"},
    {"Host": "[127.0.0.1"},
    {"Origin": "https://evil.example"},
    {"Origin": "http://localhost.evil.example"},
    {"Origin": "null"},
]
OWN = [{}, {"Host": "localhost:1234"}, {"Host": "127.0.0.1"}, {"Origin": "http://localhost:3000"}]


@pytest.mark.parametrize(
    ("headers", "refused"), [(one, True) for one in FOREIGN] + [(one, False) for one in OWN]
)
async def test_only_this_machine_and_its_pages_are_answered(venue, headers, refused):
    server, session = venue
    state = {"type": "clearinghouseState", "user": USER}
    for method, path, body in (
        ("POST", "/info", state), ("POST", "/exchange", {}), ("GET", "/health", None),
        ("GET", "/nowhere", None),
    ):  # fmt: skip
        url = server.rest_url + path
        async with session.request(method, url, json=body, headers=headers) as answer:
            assert (answer.status == 403) == refused
            assert ("only this machine" in await answer.text()) == refused
    assert (server.exchange.accounts.get(USER) is None) == refused
    if refused:
        with pytest.raises(aiohttp.WSServerHandshakeError) as handshake:
            await session.ws_connect(server.ws_url, headers=headers)
        assert handshake.value.status == 403
    else:
        async with session.ws_connect(server.ws_url, headers=headers) as socket:
            await socket.send_json({"method": "ping"})
            assert await socket.receive_json(timeout=10) == {"channel": "pong"}


async def test_a_request_without_a_name_is_refused(venue):
    server, _ = venue
    host, port = server.rest_url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"GET /health HTTP/1.0\r\n\r\n")
    assert b" 403 " in await reader.readline()
    writer.close()
    await writer.wait_closed()
