"""Keeping a connection, driven by a fake one in hundredths of seconds.

Behaviours: a lost connection is replaced; silence ends even a live one; pings are sent and must be
answered; many messages are spread over time; listener errors propagate.
"""

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from advanced_mm.errors import VenueError
from advanced_mm.marketdata.feed import policy
from advanced_mm.marketdata.feed.connection import ConnectionSettings, Heard, StayConnected
from tests.skipped_time import in_skipped_time

QUICK = ConnectionSettings(
    first_delay_seconds=0.01,
    longest_delay_seconds=0.02,
    open_timeout_seconds=0.05,
    silence_seconds=0.2,
    ping_seconds=0.05,
    pong_seconds=0.05,
    connections_a_minute=1000,
)


class FakeTransport:
    """Sends the messages on its list, one per hundredth of a second; then is silent or breaks."""

    def __init__(self, said: Sequence[str], breaks: bool = False, answers: bool = True) -> None:
        self.said = list(said)
        self.breaks = breaks
        self.answers = answers
        self.sent: list[str] = []
        self.closed = False

    async def send(self, text: str) -> None:
        self.sent.append(text)
        if text == "ping" and self.answers:
            self.said.insert(0, "pong")

    async def receive(self) -> str:
        while not self.said:
            if self.breaks:
                raise ConnectionResetError("broken")
            await asyncio.sleep(0.005)
        await asyncio.sleep(0.01)
        return self.said.pop(0)

    async def close(self) -> None:
        self.closed = True


class FakeListener:
    def __init__(self) -> None:
        self.heard: list[str] = []
        self.reasons: list[str] = []
        self.wanted: list[str | OSError] = []

    def opened(self) -> Sequence[str]:
        return ["subscribe"]

    def received(self, text: str) -> Heard:
        self.heard.append(text)
        if text == "refuse":
            raise VenueError("no such coin")
        return {"data": Heard.DATA, "pong": Heard.PONG}.get(text, Heard.OTHER)

    def look(self) -> Sequence[str]:
        wanted = self.wanted.pop(0) if self.wanted else None
        if isinstance(wanted, OSError):
            raise wanted
        return [] if wanted is None else [wanted]

    def closed(self, reason: str) -> None:
        self.reasons.append(reason)


class Line:
    """Opens the given transports one after the other, then cannot be reached."""

    def __init__(self, *transports: FakeTransport) -> None:
        self.transports = list(transports)
        self.tries: list[float] = []

    async def __call__(self) -> FakeTransport:
        self.tries.append(asyncio.get_running_loop().time())
        if not self.transports:
            raise ConnectionRefusedError("nobody there")
        return self.transports.pop(0)


async def run_until(
    line: Callable[[], object],
    listener: FakeListener,
    done: Callable[[], bool],
    settings: ConnectionSettings = QUICK,
) -> None:
    running = asyncio.create_task(
        StayConnected(line, listener, "ping", settings, random.Random(1)).run()  # type: ignore[arg-type]
    )
    async with asyncio.timeout(5):
        while not done() and not running.done():
            await asyncio.sleep(0.005)
    running.cancel()
    (end,) = await asyncio.gather(running, return_exceptions=True)
    if not isinstance(end, asyncio.CancelledError):
        raise end


@in_skipped_time
async def test_lost_connection_is_made_again_and_subscribed_again() -> None:
    first, second = FakeTransport(["data"], breaks=True), FakeTransport(["data", "data"])
    listener = FakeListener()
    await run_until(Line(first, second), listener, lambda: listener.heard.count("data") == 3)
    assert first.sent[0] == second.sent[0] == "subscribe"
    assert first.closed and second.closed
    assert listener.reasons == ["broken", "stopped"]


@in_skipped_time
async def test_silent_connection_is_given_up_though_pings_are_answered() -> None:
    silent = FakeTransport(["data", "chat"])
    listener = FakeListener()
    await run_until(Line(silent), listener, lambda: bool(listener.reasons))
    assert listener.reasons == ["no data for 0.2 s"]
    assert listener.heard.count("pong") >= 2
    assert silent.closed


@in_skipped_time
async def test_chatter_that_is_no_data_does_not_calm_the_watchdog() -> None:
    chatting = FakeTransport(["chat"] * 1000)
    listener = FakeListener()
    await run_until(Line(chatting), listener, lambda: bool(listener.reasons))
    assert listener.reasons == ["no data for 0.2 s"]


@in_skipped_time
async def test_data_keeps_a_connection_beyond_the_silence_limit() -> None:
    listener = FakeListener()
    await run_until(
        Line(FakeTransport(["data"] * 1000)), listener, lambda: len(listener.heard) >= 40
    )
    assert listener.reasons == ["stopped"]


@in_skipped_time
async def test_unanswered_ping_ends_the_connection() -> None:
    deaf = FakeTransport(["data"] * 1000, answers=False)
    listener = FakeListener()
    await run_until(Line(deaf), listener, lambda: bool(listener.reasons))
    assert listener.reasons == ["no answer to a ping for 0.05 s"]
    assert deaf.sent == ["subscribe", "ping"]


@in_skipped_time
async def test_hanging_open_is_cut_short() -> None:
    async def hang() -> FakeTransport:
        tries.append(1)
        await asyncio.sleep(60)
        raise AssertionError

    tries: list[int] = []
    await run_until(hang, FakeListener(), lambda: len(tries) == 2)


@in_skipped_time
async def test_no_more_attempts_than_allowed_while_nobody_answers() -> None:
    line, started = Line(), asyncio.get_running_loop().time()
    settings = replace(QUICK, connections_a_minute=3)
    await run_until(
        line,
        FakeListener(),
        lambda: asyncio.get_running_loop().time() > started + 0.3,
        settings,
    )
    assert len(line.tries) == 3


@in_skipped_time
async def test_many_subscriptions_are_spread_over_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """While they are sent, data are received."""
    monkeypatch.setattr(policy, "MESSAGES_AT_ONCE", 3)
    monkeypatch.setattr(policy, "MESSAGES_A_SECOND", 50.0)
    transport, listener = FakeTransport(["data"] * 1000), FakeListener()
    listener.opened = lambda: [f"subscribe {n}" for n in range(9)]  # type: ignore[method-assign]
    started = asyncio.get_running_loop().time()
    settings = replace(QUICK, ping_seconds=5.0)
    await run_until(Line(transport), listener, lambda: len(transport.sent) == 9, settings)
    assert 6 / 50 <= asyncio.get_running_loop().time() - started < 0.2
    assert transport.sent == [f"subscribe {n}" for n in range(9)]
    assert len(listener.heard) >= 5


@in_skipped_time
async def test_listener_error_ends_the_run_and_closes() -> None:
    transport = FakeTransport(["refuse"])
    listener = FakeListener()
    with pytest.raises(VenueError, match="no such coin"):
        await run_until(Line(transport), listener, lambda: False)
    assert transport.closed


@in_skipped_time
async def test_what_the_listener_wants_goes_out_and_its_complaint_ends_the_connection() -> None:
    """A silent channel is resubscribed, or the connection is dropped because of it."""
    first, second = FakeTransport(["data"] * 200), FakeTransport(["data"] * 200)
    listener = FakeListener()
    listener.wanted = ["anew", ConnectionError("trades of ETH silent")]
    settings = replace(QUICK, look_seconds=0.03)
    await run_until(Line(first, second), listener, lambda: bool(second.sent), settings)
    assert [text for text in first.sent if text != "ping"] == ["subscribe", "anew"]
    assert listener.reasons[0] == "trades of ETH silent"
    assert first.closed
    assert second.sent[0] == "subscribe"
