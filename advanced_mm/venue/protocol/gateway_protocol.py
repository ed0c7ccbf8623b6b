"""The interface for rate limits and faults between the venue and its clients.

The server and the stream depend only on this; `conditions.gateway.Gateway` implements it. A
websocket client is identified by its name, unique among open connections ("127.0.0.1:50514").
"""

from collections.abc import Iterable
from typing import Protocol

from aiohttp import web
from aiohttp.typedefs import Middleware

__all__ = ["GatewayProtocol", "OutgoingLine", "client_name"]


def client_name(request: web.Request) -> str:
    """Return the name of a request's connection: address and port."""
    transport = request.transport
    peer = None if transport is None else transport.get_extra_info("peername")
    return f"{request.remote}:0" if peer is None else f"{peer[0]}:{peer[1]}"


class OutgoingLine(Protocol):
    """What messages to a client pass on their way."""

    def sent(self, client: str, text: str) -> None:
        """Record that a message has been written to a client."""
        ...

    def outgoing(self, client: str, text: str) -> Iterable[tuple[float, str]]:
        """Return the deliveries of a message: (delay in real seconds, text), none if dropped.

        Delivery times never decrease from message to message, so ``loop.call_later`` keeps order.
        """
        ...


class GatewayProtocol(OutgoingLine, Protocol):
    """Rate limits and faults; without a gateway (None) there are neither."""

    @property
    def middleware(self) -> Middleware:
        """Middleware of the whole application; it also wraps a websocket's entire lifetime."""
        ...

    def add_routes(self, app: web.Application, server: object) -> None:
        """Add the admin interface and background tasks to the application."""
        ...

    def incoming(self, client: str) -> str | None:
        """Count a websocket client's message; return an error message if there are too many.

        Call it for every message before processing it. Like those of `subscribe` and `post`, the
        error message is sent to the client on channel ``error``.
        """
        ...

    def subscribe(self, client: str, subscription: str, user: str | None) -> str | None:
        """Count a valid subscription; return an error message if there are too many.

        If None is returned, it counts, by its text, until `unsubscribe` or the connection's end.
        ``user`` is the account it is about, None for market data.
        """
        ...

    def delisted(self, coin: str) -> bool:
        """Return whether subscriptions to a coin are refused as invalid."""
        ...

    def unsubscribe(self, client: str, subscription: str) -> None:
        """Release a subscription that has ended."""
        ...

    def post(self, client: str) -> str | None:
        """Count a posted request; return an error message if too many are in flight.

        If None is returned, it counts until its reply is `sent`, or dropped by `outgoing`.
        """
        ...

    def spend(self, address: str, requests: int, *, cancels: bool) -> str | None:
        """Charge an action to an address's budget; return an error message if it is exhausted.

        Call it once the signer is known, before the action is executed. If None is returned, the
        account's ``requests_used`` has been increased by ``requests``.
        """
        ...
