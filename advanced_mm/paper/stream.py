"""The websocket: clients, their subscriptions, and the messages that go out to them."""

import asyncio
import json
import logging
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from aiohttp import ClientConnectionResetError, WSCloseCode, WSMsgType, web

from advanced_mm.paper.channels import (
    CHANNELS,
    InvalidSubscriptionError,
    Message,
    Step,
    Subscription,
)
from advanced_mm.paper.venue import Venue

__all__ = ["StreamHub", "StreamLimits"]

logger = logging.getLogger(__name__)

CLOSING_S = 1.0  # how long a client is waited for when the venue ends a connection


@dataclass(frozen=True, slots=True)
class StreamLimits:
    """When a connection ends.

    Attributes
    ----------
    idle_s
        Real seconds after which a connection is closed to which nothing was sent.
    queue_messages
        Messages that may wait for a client. One that lets more pile up is disconnected, as it
        would otherwise make the venue grow without bound and see an ever older market.
    """

    idle_s: float = 60.0
    queue_messages: int = 20_000


class Client:
    """One connection: a bounded queue and the task that empties it."""

    def __init__(self, socket: web.WebSocketResponse, request: web.Request, limits: StreamLimits):
        self.name = str(request.remote)
        self._socket = socket
        self._transport = request.transport
        self._limits = limits
        self._queue: deque[str] = deque()
        self._waiting = asyncio.Event()

    def send(self, texts: Iterable[str]) -> None:
        """Queue messages; a client that cannot keep up is cut off at once."""
        if self._transport is None:
            return
        self._queue.extend(texts)
        self._waiting.set()
        if len(self._queue) > self._limits.queue_messages:
            logger.warning("client %s does not keep up: disconnected", self.name)
            # No closing handshake: it would wait behind the messages that the client does not read.
            self._transport.abort()
            self._transport = None
            self._queue.clear()

    async def write(self) -> None:
        """Send what is queued until the connection ends or has been idle too long."""
        try:
            while True:
                while self._queue:
                    await self._socket.send_str(self._queue.popleft())
                self._waiting.clear()
                async with asyncio.timeout(self._limits.idle_s):
                    await self._waiting.wait()
        except TimeoutError:
            logger.info("client %s was idle for %g s: closed", self.name, self._limits.idle_s)
            await self._socket.close(message=b"idle")
        except ClientConnectionResetError:
            logger.debug("client %s went away while it was written to", self.name)


class StreamHub:
    """All websocket clients of the venue.

    Parameters
    ----------
    venue
        The markets.
    limits
        When a connection ends.
    """

    def __init__(self, venue: Venue, limits: StreamLimits | None = None) -> None:
        self._venue = venue
        self._limits = limits or StreamLimits()
        self._clients: dict[Client, web.WebSocketResponse] = {}
        self._subscribers: dict[str, dict[Subscription, set[Client]]] = {
            kind: {} for kind in CHANNELS
        }

    @property
    def clients(self) -> int:
        """Open connections."""
        return len(self._clients)

    def publish(self, step: Step) -> None:
        """Queue what a step of the market means to each subscriber."""
        for kind, subscriptions in self._subscribers.items():
            for subscription, clients in subscriptions.items():
                messages = CHANNELS[kind].on_step(self._venue, subscription, step)
                if messages:
                    texts = [_encode(message) for message in messages]
                    for client in clients:
                        client.send(texts)

    async def handle(self, request: web.Request) -> web.WebSocketResponse:
        """Serve one connection until it ends."""
        socket = web.WebSocketResponse(compress=False, timeout=CLOSING_S)
        await socket.prepare(request)
        client = Client(socket, request, self._limits)
        self._clients[client] = socket
        writer = asyncio.create_task(client.write())
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    client.send(_encode(reply) for reply in self._replies(client, message.data))
        finally:
            writer.cancel()
            del self._clients[client]
            self._forget(client)
        return socket

    async def close(self) -> None:
        """Say goodbye to all clients."""
        await asyncio.gather(
            *(
                socket.close(code=WSCloseCode.GOING_AWAY, message=b"venue stops")
                for socket in self._clients.values()
            )
        )

    def _replies(self, client: Client, text: str) -> list[Message]:
        """What the client gets for a message of its own."""
        request = _decode(text)
        method = request.get("method")
        if method == "ping":
            return [{"channel": "pong"}]
        if method not in ("subscribe", "unsubscribe") or "subscription" not in request:
            return [_error(f"Error parsing JSON into valid websocket request: {text}")]
        raw = request["subscription"]
        try:
            subscription = Subscription.parse(raw, self._venue)
        except InvalidSubscriptionError:
            return [_error(f"Invalid subscription {_encode(raw)}")]
        clients = self._subscribers[subscription.type].get(subscription, set())
        if (client in clients) == (method == "subscribe"):
            return [_error(f"Already {method}d: {_encode(raw)}")]
        acknowledgement = {
            "channel": "subscriptionResponse",
            "data": {"method": method, "subscription": raw},
        }
        if method == "unsubscribe":
            self._remove(client, subscription)
            return [acknowledgement]
        self._subscribers[subscription.type].setdefault(subscription, set()).add(client)
        first = CHANNELS[subscription.type].on_subscribe(self._venue, subscription)
        return [acknowledgement, *first]

    def _remove(self, client: Client, subscription: Subscription) -> None:
        subscriptions = self._subscribers[subscription.type]
        subscriptions[subscription].discard(client)
        if not subscriptions[subscription]:
            del subscriptions[subscription]

    def _forget(self, client: Client) -> None:
        for subscriptions in self._subscribers.values():
            for subscription in [
                key for key, clients in subscriptions.items() if client in clients
            ]:
                self._remove(client, subscription)


def _encode(message: object) -> str:
    return json.dumps(message, separators=(",", ":"))


def _decode(text: str) -> dict[str, object]:
    """The object in a client's message, an empty one if there is none."""
    try:
        decoded = json.loads(text)
    except json.JSONDecodeError:
        return {}
    return decoded if isinstance(decoded, dict) else {}


def _error(text: str) -> Message:
    return {"channel": "error", "data": text}
