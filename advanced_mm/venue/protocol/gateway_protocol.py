"""What may stand between the venue and its clients: rate limits and faults.

The server and the stream know only this; `conditions.gateway.Gateway` is the implementation that
limits and fails. A client of the websocket is known by its name, unique among the open connections
("127.0.0.1:50514").
"""

from collections.abc import Iterable
from typing import Protocol

from aiohttp import web
from aiohttp.typedefs import Middleware

__all__ = ["GatewayProtocol", "client_name"]


def client_name(request: web.Request) -> str:
    """The name of the connection a request came by: address and port."""
    transport = request.transport
    peer = None if transport is None else transport.get_extra_info("peername")
    return f"{request.remote}:0" if peer is None else f"{peer[0]}:{peer[1]}"


class GatewayProtocol(Protocol):
    """Limits and faults, as server, stream and requests use them; None in its place: neither."""

    @property
    def middleware(self) -> Middleware:
        """Middleware of the whole application; a websocket is inside it for its whole life."""
        ...

    def add_routes(self, app: web.Application, server: object) -> None:
        """Add the admin interface and what must run beside the application."""
        ...

    def incoming(self, client: str) -> str | None:
        """A websocket client has sent something; a sentence if it is one message too many.

        Call it for every message before anything is done about it. This sentence, as those of
        `subscribe` and `post`, goes back on channel ``error``.
        """
        ...

    def subscribe(self, client: str, subscription: str, user: str | None) -> str | None:
        """A subscription that the venue serves is to begin; a sentence if it is one too many.

        Where the answer is None it counts, by its text, until `unsubscribe` or the connection's
        end. ``user`` is the account it is about, None for market data.
        """
        ...

    def unsubscribe(self, client: str, subscription: str) -> None:
        """A subscription has ended."""
        ...

    def post(self, client: str) -> str | None:
        """A client has posted a request; a sentence if there are too many under way.

        Where the answer is None it counts until its reply was `sent`, or dropped by `outgoing`.
        """
        ...

    def sent(self, client: str, text: str) -> None:
        """A message has been written to a client."""
        ...

    def outgoing(self, client: str, text: str) -> Iterable[tuple[float, str]]:
        """What becomes of a message to a client: (delay in real seconds, text), none if dropped.

        A later message never gets an earlier time, so that ``loop.call_later`` keeps the order.
        """
        ...

    def spend(self, address: str, requests: int, *, cancels: bool) -> str | None:
        """Whether ``address`` may send an action of so many orders or cancels; a sentence if not.

        Call it once the signer is known, before the action is executed. Where the answer is None
        the account's ``requests_used`` has grown by ``requests``.
        """
        ...
