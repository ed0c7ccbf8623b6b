"""The websocket: clients, their subscriptions and the messages sent to them."""

import asyncio
import json
import logging
from collections import defaultdict, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from aiohttp import ClientConnectionResetError, WSCloseCode, WSMsgType, web

from advanced_mm.venue.engine.orders import AccountEvent, OrderEvent
from advanced_mm.venue.protocol.client_json import LARGEST_BYTES, decode_json, shortened
from advanced_mm.venue.protocol.gateway_protocol import GatewayProtocol, OutgoingLine, client_name
from advanced_mm.venue.protocol.info_routing import RejectedRequest, UnknownCoinError
from advanced_mm.venue.protocol.subscriptions.channels import (
    CHANNELS,
    InvalidSubscriptionError,
    Subscription,
    WithFields,
)
from advanced_mm.venue.protocol.subscriptions.time_step import Message, Step
from advanced_mm.venue.protocol.subscriptions.user_channels import USER_CHANNELS
from advanced_mm.venue.server.answers import Answers

__all__ = ["Client", "StreamHub", "StreamLimits"]

logger = logging.getLogger(__name__)

ALL_CHANNELS: Mapping[str, WithFields] = {**CHANNELS, **USER_CHANNELS}
LONGEST_TURN_S = 0.002  # how long messages are queued before other tasks get a turn
CLOSING_S = 1.0  # how long to wait for a client when the venue closes a connection


@dataclass(frozen=True, slots=True)
class StreamLimits:
    """When a connection is closed.

    Attributes
    ----------
    idle_s
        Real seconds without a message to the client after which its connection is closed.
    queue_messages, queue_bytes
        The most that may be queued for a client. A client that exceeds it is disconnected;
        otherwise the venue's memory would grow without bound and the client would see ever older
        data.
    """

    idle_s: float = 60.0
    queue_messages: int = 20_000
    queue_bytes: int = 16 << 20


class Client:
    """One connection: a bounded queue and the task that empties it."""

    def __init__(
        self,
        socket: web.WebSocketResponse,
        request: web.Request,
        limits: StreamLimits,
        gateway: OutgoingLine | None,
    ) -> None:
        self.name = client_name(request)
        self._socket = socket
        self._transport = request.transport
        self._limits = limits
        self._gateway = gateway
        self._queue: deque[str] = deque()
        self._queued_bytes = 0
        self._late: deque[str] = deque()
        self._waiting = asyncio.Event()

    def send(self, texts: Iterable[str]) -> None:
        """Queue the messages that the gateway lets through, delayed ones when they are due."""
        if self._gateway is None:
            self._enqueue(texts)
            return
        for text in texts:
            for delay_s, out in self._gateway.outgoing(self.name, text):
                if delay_s > 0 or self._late:
                    self._late.append(out)
                    asyncio.get_running_loop().call_later(delay_s, self._enqueue_late)
                else:
                    self._enqueue((out,))

    def _enqueue_late(self) -> None:
        """Queue the first message that is late: whichever timer is first, none overtakes."""
        self._enqueue((self._late.popleft(),))

    def _enqueue(self, texts: Iterable[str]) -> None:
        """Queue messages; disconnect a client that cannot keep up."""
        if self._transport is None:
            return
        for text in texts:
            self._queue.append(text)
            self._queued_bytes += len(text)  # encoded messages are ASCII
        self._waiting.set()
        if (
            len(self._queue) > self._limits.queue_messages
            or self._queued_bytes > self._limits.queue_bytes
        ):
            logger.warning("client %s cannot keep up: disconnected", self.name)
            self.cut()

    def cut(self) -> None:
        """Drop the connection; a handshake would wait behind what the client does not read."""
        if self._transport is not None:
            self._transport.abort()
        self._transport = None
        self._queue.clear()
        self._queued_bytes = 0

    async def write(self) -> None:
        """Send what is queued until the connection ends or has been idle too long."""
        try:
            while True:
                while self._queue:
                    text = self._queue.popleft()
                    self._queued_bytes -= len(text)
                    await self._socket.send_str(text)
                    if self._gateway is not None:
                        self._gateway.sent(self.name, text)
                self._waiting.clear()
                async with asyncio.timeout(self._limits.idle_s):
                    await self._waiting.wait()
        except TimeoutError:
            logger.info("client %s was idle for %g s: closed", self.name, self._limits.idle_s)
            await self._socket.close(message=b"idle")
        except ClientConnectionResetError:
            logger.debug("client %s disconnected during a write", self.name)


class StreamHub:
    """All websocket clients of the venue.

    Parameters
    ----------
    answers
        Answers posted requests.
    limits
        When a connection is closed.
    gateway
        Limits and faults between the venue and its clients; None for none.
    """

    def __init__(
        self,
        answers: Answers,
        limits: StreamLimits | None = None,
        gateway: GatewayProtocol | None = None,
    ) -> None:
        self._answers = answers
        self._venue = answers.exchange.venue
        self._limits = limits or StreamLimits()
        self._gateway = gateway
        self._clients: dict[Client, web.WebSocketResponse] = {}
        self._subscribers: dict[str, dict[Subscription, set[Client]]] = {
            kind: {} for kind in ALL_CHANNELS
        }

    @property
    def clients(self) -> int:
        """Number of open connections."""
        return len(self._clients)

    async def publish(self, step: Step) -> None:
        """Queue each subscriber's messages about a step of the market.

        Other tasks get a turn in between: the books of many coins are due at the same moment, and
        an order should not wait until all of them are queued.
        """
        self.publish_events()
        # A client that subscribes meanwhile already got the state after this step, so skip it.
        audience = [
            (subscription, tuple(clients))
            for subscriptions in self._subscribers.values()
            for subscription, clients in subscriptions.items()
        ]
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        for subscription, clients in audience:
            left = self._subscribers[subscription.type].get(subscription, set())
            still_there = [client for client in clients if client in left]
            self._send(still_there, self._messages(subscription, step))
            if loop.time() - began_s > LONGEST_TURN_S:
                await asyncio.sleep(0)
                began_s = loop.time()

    def _messages(self, subscription: Subscription, step: Step) -> list[Message]:
        """Return the messages of a step for a subscription."""
        kind = subscription.type
        if kind in CHANNELS:
            return CHANNELS[kind].on_step(self._answers.views.markets, subscription, step)
        return USER_CHANNELS[kind].on_step(self._answers.views, subscription, step)

    def publish_events(self) -> None:
        """Queue account events since the last call for the subscribers of the accounts."""
        by_account: defaultdict[str, list[AccountEvent]] = defaultdict(list)
        for event in self._answers.exchange.take_events():
            owner = event.order.account if isinstance(event, OrderEvent) else event.account
            by_account[owner].append(event)
        if not by_account:
            return
        for kind, channel in USER_CHANNELS.items():
            for subscription, clients in self._subscribers[kind].items():
                if events := by_account.get(subscription.user):
                    self._send(
                        clients, channel.on_events(self._answers.views, subscription, events)
                    )

    @staticmethod
    def _send(clients: Iterable["Client"], messages: Iterable[Message]) -> None:
        texts = [_encode(message) for message in messages]
        if texts:
            for client in clients:
                client.send(texts)

    async def handle(self, request: web.Request) -> web.WebSocketResponse:
        """Serve one connection until it ends."""
        socket = web.WebSocketResponse(
            compress=False, timeout=CLOSING_S, max_msg_size=LARGEST_BYTES
        )
        await socket.prepare(request)
        client = Client(socket, request, self._limits, self._gateway)
        self._clients[client] = socket
        writer = asyncio.create_task(client.write())
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    client.send([_encode(reply) for reply in self._replies(client, message.data)])
                    self.publish_events()
                    await asyncio.sleep(0)  # let other clients have a turn
        finally:
            writer.cancel()
            del self._clients[client]
            self._forget(client)
        return socket

    async def close(self) -> None:
        """Close all connections, also those of clients that do not read."""
        await asyncio.gather(*(self._close(*one) for one in self._clients.items()))

    @staticmethod
    async def _close(client: Client, socket: web.WebSocketResponse) -> None:
        try:
            async with asyncio.timeout(2 * CLOSING_S):
                await socket.close(code=WSCloseCode.GOING_AWAY, message=b"venue shuts down")
        except TimeoutError:
            client.cut()

    def _replies(self, client: Client, text: str) -> list[Message]:
        """Return the replies to a client's message."""
        if self._gateway is not None and (refusal := self._gateway.incoming(client.name)):
            return [_error(refusal)]
        request = _decode(text)
        method = request.get("method")
        if method == "ping":
            return [{"channel": "pong"}]
        if method == "post" and isinstance(request.get("id"), int):
            if self._gateway is not None and (refusal := self._gateway.post(client.name)):
                return [_error(refusal)]
            return [self._post(request)]
        if method in ("subscribe", "unsubscribe") and "subscription" in request:
            return self._subscription(client, str(method), request["subscription"])
        return [_error(f"Error parsing JSON into valid websocket request: {shortened(text)}")]

    def _subscription(self, client: Client, method: str, raw: object) -> list[Message]:
        """Begin or end a subscription; return the acknowledgement and any initial messages."""
        try:
            subscription = Subscription.parse(raw, self._venue, ALL_CHANNELS)
        except InvalidSubscriptionError:
            return [_error(f"Invalid subscription {_quoted(raw)}")]
        kind = subscription.type
        clients = self._subscribers[kind].get(subscription, set())
        if (client in clients) == (method == "subscribe"):
            return [_error(f"Already {method}d: {_quoted(raw)}")]
        acknowledgement = {
            "channel": "subscriptionResponse",
            "data": {"method": method, "subscription": _understood(raw, kind)},
        }
        if method == "unsubscribe":
            self._remove(client, subscription)
            if self._gateway is not None:
                self._gateway.unsubscribe(client.name, str(subscription))
            return [acknowledgement]
        if self._gateway is not None:
            if self._gateway.delisted(subscription.coin):
                return [_error(f"Invalid subscription {_quoted(raw)}")]
            user = subscription.user or None
            if refusal := self._gateway.subscribe(client.name, str(subscription), user):
                return [_error(refusal)]
        self._subscribers[kind].setdefault(subscription, set()).add(client)
        views = self._answers.views
        if kind in CHANNELS:
            return [acknowledgement, *CHANNELS[kind].on_subscribe(views.markets, subscription)]
        views.account(subscription.user)
        return [acknowledgement, *USER_CHANNELS[kind].on_subscribe(views, subscription)]

    def _post(self, request: Mapping[str, object]) -> Message:
        """Answer an /info or /exchange request posted on the websocket."""
        inner = request.get("request")
        posted = inner if isinstance(inner, dict) else {}
        kind, body = posted.get("type"), posted.get("payload")
        try:
            if kind == "info":
                answer = self._answers.info(body)
                asked = body.get("type") if isinstance(body, dict) else None
                payload: object = {"type": asked, "data": answer}
            elif kind == "action":
                payload = self._answers.action(body)
            else:
                raise RejectedRequest("unknown variant of `type`")
        except RejectedRequest as error:
            kind = "error"
            reason = shortened(str(error))
            payload = f"422 Failed to deserialize the JSON body into the target type: {reason}"
        except UnknownCoinError:
            kind, payload = "error", "500 null"
        response = {"type": kind, "payload": payload}
        return {"channel": "post", "data": {"id": request["id"], "response": response}}

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


_encode = json.JSONEncoder(separators=(",", ":")).encode  # json.dumps would create one per message


def _decode(text: str) -> dict[str, object]:
    """Return the object in a client's message, an empty one if there is none."""
    try:
        decoded = decode_json(text)
    except ValueError:
        return {}
    return decoded if isinstance(decoded, dict) else {}


def _understood(raw: object, kind: str) -> dict[str, object]:
    """Return a subscription as sent, without the fields its kind does not know."""
    sent = raw if isinstance(raw, dict) else {}
    return {name: sent[name] for name in ("type", *ALL_CHANNELS[kind].fields) if name in sent}


def _quoted(raw: object) -> str:
    """Return the beginning of a subscription as JSON."""
    try:
        return shortened(_encode(raw))
    except RecursionError:
        return "(nested too deeply)"


def _error(text: str) -> Message:
    return {"channel": "error", "data": text}
