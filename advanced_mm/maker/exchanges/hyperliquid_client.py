"""ccxt.pro's Hyperliquid, with its messages passed on as they come."""

import asyncio
from collections.abc import Callable
from typing import Any, Final

import ccxt
import ccxt.pro

from advanced_mm.maker.exchanges.signing import action_digest
from advanced_mm.maker.exchanges.streams import HTTP_TIMEOUT_MS, guard_socket

__all__ = ["CHANNELS", "HyperliquidClient"]

CHANNELS: Final = frozenset(
    {"l2Book", "bbo", "trades", "orderUpdates", "userFills", "clearinghouseState"}
)
_REPLY_SECONDS: Final = 2.0


class HyperliquidClient(ccxt.pro.hyperliquid):  # type: ignore[misc]
    """Sockets, markets and requests are ccxt's. Three things differ.

    - Messages of the `CHANNELS` go to ``listener`` unparsed: ccxt's books and caches cost more than
      all the rest of a maker.
    - A batch's reply is returned whole. ccxt raises the first order's refusal, and what became of
      the others is lost.
    - Actions are signed by `action_digest`.
    """

    def __init__(self, config: dict[str, Any], listener: Callable[[str, str, Any], None]) -> None:
        super().__init__({"timeout": HTTP_TIMEOUT_MS, **config})
        self._listener = listener

    def client(self, url: str) -> Any:
        """Return the socket of an address."""
        return guard_socket(super().client(url))

    def handle_message(self, client: Any, message: Any) -> None:
        """Pass a message on: to the listener, to the request it answers, or to ccxt."""
        channel = message.get("channel")
        if channel in CHANNELS:
            self._listener(client.url, channel, message["data"])
        elif channel == "post":
            data = message["data"]
            client.resolve(data["response"], str(data["id"]))
        else:
            self._listener(client.url, channel or "", None)
            super().handle_message(client, message)

    def handle_errors(
        self,
        code: Any,
        reason: Any,
        url: Any,
        method: Any,
        headers: Any,
        body: Any,
        response: Any,
        request_headers: Any,
        request_body: Any,
    ) -> Any:
        """Raise ccxt's errors, except of a batch's parts and of an order that is not known."""
        if isinstance(response, dict):
            told = response.get("response")
            parts = isinstance(told, dict) and "statuses" in (told.get("data") or {})
            if parts or response.get("status") == "unknownOid":
                return None
        return super().handle_errors(
            code, reason, url, method, headers, body, response, request_headers, request_body
        )

    def sign_l1_action(
        self,
        action: Any,
        nonce: Any,
        vaultAdress: Any = None,
        expiresAfter: Any = None,
    ) -> Any:
        """Sign an action."""
        if expiresAfter is not None:
            return super().sign_l1_action(action, nonce, vaultAdress, expiresAfter)
        testnet = bool(self.options.get("sandboxMode", False))
        digest = action_digest(action, int(nonce), vaultAdress, testnet=testnet)
        return self.sign_hash(digest, self.privateKey)

    def signed(self, action: Any, nonce: int, vault: str | None) -> dict[str, Any]:
        """Return the request for an action."""
        signature = self.sign_l1_action(action, nonce, vault)
        request: dict[str, Any] = {"action": action, "nonce": nonce, "signature": signature}
        if vault is not None:
            request["vaultAddress"] = vault
        return request

    async def act(self, request: dict[str, Any]) -> Any:
        """Send an action over the socket, or by HTTP while there is none; return its response.

        Raises
        ------
        ccxt.BaseError
            It was refused as a whole (`ccxt.ExchangeError`), or no reply came.
        """
        url = self.urls["api"]["ws"]["public"]
        socket = self.clients.get(url)
        if socket is None or not socket.isConnected or socket.closed():
            reply = await self.privatePostExchange(request)
            return reply["response"]
        wrapped = self.wrap_as_post_action(request)
        number = str(wrapped["requestId"])
        try:
            async with asyncio.timeout(_REPLY_SECONDS):
                reply = await self.watch(url, number, wrapped["request"], number)
        finally:
            socket.subscriptions.pop(number, None)
            socket.futures.pop(number, None)
        payload = reply.get("payload")
        if reply.get("type") == "error" or not isinstance(payload, dict):
            raise ccxt.ExchangeError(f"hyperliquid {payload}")
        if payload.get("status") != "ok":
            raise ccxt.ExchangeError(f"hyperliquid {payload.get('response')}")
        return payload["response"]

    def subscription(self, kind: str, **what: Any) -> Any:
        """Subscribe to a channel; the future ends by the error that ends the connection."""
        url = self.urls["api"]["ws"]["public"]
        name = ":".join(("subscribed", kind, *map(str, what.values())))
        request = {"method": "subscribe", "subscription": {"type": kind, **what}}
        return self.watch(url, name, request, name)
