"""Who listens to what: market data streams, and the users' own."""

import asyncio
import json
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from advanced_mm.venue.binance.order_views import OrderViews
from advanced_mm.venue.binance.streams import MarketStreams, StreamName
from advanced_mm.venue.protocol.subscriptions.time_step import Message, Step
from advanced_mm.venue.server.stream import Client
from advanced_mm.venue.spot.exchange import SpotExchange
from advanced_mm.venue.spot.orders import Execution, SpotRefusedError
from advanced_mm.venue.spot.wallets import SpotAccount

__all__ = ["Hub", "Listener", "encode"]

LONGEST_TURN_S = 0.002  # how long messages are queued before other tasks get a turn
MOST_STREAMS = 1_024

encode = json.JSONEncoder(separators=(",", ":")).encode  # json.dumps would create one per message


@dataclass(eq=False, slots=True)
class Listener:
    """A connection and what it listens to.

    ``combined`` wraps each message with the name of its stream. ``users`` are the accounts it is
    told of, by the number of the subscription.
    """

    client: Client
    combined: bool = False
    names: dict[str, StreamName | None] = field(default_factory=dict)
    users: dict[int, str] = field(default_factory=dict)
    raw_users: set[str] = field(default_factory=set)
    """Accounts it is told of by a listen key: events come as they are."""
    given: int = 0

    def send(self, message: Message) -> None:
        """Queue a message."""
        self.client.send([encode(message)])


class Hub:
    """All connections that listen.

    Parameters
    ----------
    exchange
        The engine.
    streams
        Makes the messages of market data.
    views
        Writes those of accounts.
    """

    def __init__(self, exchange: SpotExchange, streams: MarketStreams, views: OrderViews) -> None:
        self._exchange = exchange
        self._streams = streams
        self._views = views
        self._audience: dict[str, tuple[StreamName, dict[Listener, None]]] = {}
        self._listeners: dict[Listener, None] = {}
        self.listen_keys: dict[str, str] = {}
        """API keys by listen key."""

    @property
    def listeners(self) -> int:
        """Number of connections."""
        return len(self._listeners)

    def join(self, listener: Listener) -> None:
        """Add a connection."""
        self._listeners[listener] = None

    def leave(self, listener: Listener) -> None:
        """Forget a connection that has ended."""
        self.unsubscribe(listener, list(listener.names))
        self._listeners.pop(listener, None)

    # Subscriptions

    def subscribe(self, listener: Listener, names: Sequence[str]) -> None:
        """Subscribe to streams; like the exchange, accept names that no stream has.

        A listen key is the name of its account's stream.

        Raises
        ------
        SpotRefusedError
            If there would be too many.
        """
        if len(listener.names) + len(names) > MOST_STREAMS:
            raise SpotRefusedError(2, f"Invalid request: more than {MOST_STREAMS} streams")
        for text in names:
            if (key := self.listen_keys.get(text)) is not None:
                listener.raw_users.add(key)
            name = StreamName.parse(text)
            if name is not None and name.symbol not in self._exchange.markets:
                name = None
            listener.names[text] = name
            if name is not None:
                self._audience.setdefault(text, (name, {}))[1][listener] = None
                self._streams.begin(name)

    def unsubscribe(self, listener: Listener, names: Iterable[str]) -> None:
        """End subscriptions; those that do not exist are ignored."""
        for text in names:
            name = listener.names.pop(text, None)
            if name is None:
                continue
            audience = self._audience[text][1]
            audience.pop(listener, None)
            if not audience:
                del self._audience[text]
                self._streams.end(name)

    def follow(self, listener: Listener, account: SpotAccount) -> int:
        """Tell a connection of an account's events; return the subscription's number."""
        number, listener.given = listener.given, listener.given + 1
        listener.users[number] = account.key
        return number

    def listen_key(self, account: SpotAccount) -> str:
        """Return an account's listen key, a new one if it has none."""
        for text, key in self.listen_keys.items():
            if key == account.key:
                return text
        text = secrets.token_hex(30)
        self.listen_keys[text] = account.key
        return text

    # Messages

    async def publish(self, step: Step) -> None:
        """Queue the messages of a step of the markets; other tasks get a turn in between."""
        self.publish_events()
        numbers = self._streams.number(step)
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        for name, _ in list(self._audience.values()):
            if name.text not in self._audience:  # the last listener has left meanwhile
                continue
            for message in self._streams.messages(name, step, numbers):
                plain = encode(message)
                wrapped = f'{{"stream":"{name.text}","data":{plain}}}'
                for listener in list(self._audience[name.text][1]):
                    listener.client.send([wrapped if listener.combined else plain])
            if loop.time() - began_s > LONGEST_TURN_S:
                await asyncio.sleep(0)
                began_s = loop.time()

    def publish_events(self) -> None:
        """Queue account events since the last call for those who follow the accounts."""
        for event in self._exchange.take_events():
            message = (
                self._views.execution_report(event)
                if isinstance(event, Execution)
                else self._views.account_position(event)
            )
            for listener in self._listeners:
                if event.account in listener.raw_users:
                    listener.send(message)
                for number, key in listener.users.items():
                    if key == event.account:
                        listener.send({"subscriptionId": number, "event": message})
