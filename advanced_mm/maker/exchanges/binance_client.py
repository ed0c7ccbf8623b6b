"""ccxt.pro's Binance, with its messages passed on as they come."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final

import ccxt
import ccxt.pro

from advanced_mm.maker.exchanges.streams import HTTP_TIMEOUT_MS, guard_socket

__all__ = ["BinanceClient"]

_REPLY_SECONDS: Final = 2.0
_OPEN_SECONDS: Final = 5.0
_REMEMBERED: Final = 500
"""Numbers of the latest requests, whose replies may still come."""
_KEEP_ALIVE_MS: Final = 2_000
"""A quiet market says nothing: whether the socket lives, a ping tells."""


class BinanceClient(ccxt.pro.binance):  # type: ignore[misc]
    """Sockets, markets, signatures and requests are ccxt's; messages are not parsed by it.

    Parameters
    ----------
    config
        Of ccxt.
    on_stream
        Gets a market stream's name and its data.
    on_account
        Gets an event of the account.
    """

    def __init__(
        self,
        config: dict[str, Any],
        on_stream: Callable[[str, Any], None],
        on_account: Callable[[Any], None],
    ) -> None:
        streaming = {"keepAlive": _KEEP_ALIVE_MS}
        super().__init__({"streaming": streaming, "timeout": HTTP_TIMEOUT_MS, **config})
        self._on_stream, self._on_account = on_stream, on_account
        self._asked: deque[str] = deque(maxlen=_REMEMBERED)

    @property
    def api_url(self) -> str:
        """The websocket API's, for orders and the account's events."""
        return str(self.urls["api"]["ws"]["ws-api"]["spot"])

    @property
    def stream_url(self) -> str:
        """The market streams', each message with its stream's name."""
        return str(self.urls["api"]["ws"]["spot"]).removesuffix("/ws") + "/stream"

    def client(self, url: str) -> Any:
        """Return the socket of an address."""
        return guard_socket(super().client(url))

    def handle_message(self, client: Any, message: Any) -> None:
        """Pass a message on: to a listener, to the request it answers, or to ccxt."""
        if "stream" in message:
            self._on_stream(message["stream"], message["data"])
            return
        event = message.get("event")
        if event is not None:
            if event.get("e") == "eventStreamTerminated":
                client.on_error(ccxt.NetworkError("the account's stream has ended"))
            else:
                self._on_account(event)
            return
        number = str(message.get("id"))
        if number not in self._asked:
            super().handle_message(client, message)
        elif number in client.futures:  # a reply told twice, or too late, answers nobody
            client.resolve(message, number)

    async def ask(self, method: str, params: dict[str, Any]) -> Any:
        """Send a signed request over the websocket API and return its reply, good or bad."""
        url = self.api_url
        number = str(self.request_id(url))
        self._asked.append(number)
        message = {"id": number, "method": method, "params": self.sign_params(params)}
        try:
            async with asyncio.timeout(_REPLY_SECONDS):
                return await self.watch(url, number, message, number)
        finally:
            socket = self.clients.get(url)
            if socket is not None:
                socket.subscriptions.pop(number, None)
                socket.futures.pop(number, None)

    @property
    def has_api_socket(self) -> bool:
        """Whether the websocket API is connected."""
        socket = self.clients.get(self.api_url)
        return socket is not None and socket.isConnected and not socket.closed()

    async def stream_until_lost(self, streams: Sequence[str], *, account: bool) -> None:
        """Subscribe to market streams and, with ``account``, to its events.

        It ends by the error that ends them.

        Raises
        ------
        ccxt.BaseError
            A connection was lost, or a subscription refused.
        """
        urls = [self.stream_url]
        async with asyncio.timeout(_OPEN_SECONDS):
            if account:
                urls.append(self.api_url)
                await self._subscribe_account()
            number = self.request_id(self.stream_url)
            self._asked.append(str(number))
            request = {"method": "SUBSCRIBE", "params": list(streams), "id": number}
            reply = await self.watch(self.stream_url, str(number), request, str(number))
        if reply.get("error"):
            raise ccxt.BadRequest(f"binance {reply['error']}")
        lost = [self.clients[url].future("lost") for url in urls]
        await asyncio.gather(*lost)

    async def _subscribe_account(self) -> None:
        try:
            await self.ensure_user_data_stream_ws_subscribe_signature("spot")
        except KeyError as error:  # ccxt's, over the error that it was about to raise
            raise ccxt.NetworkError(f"no stream of the account: {error.__context__}") from error
