"""A websocket over aiohttp, as the reconnect policy wants it."""

from typing import Final, Literal, Self

import aiohttp

__all__ = ["WebSocket"]

_CLOSE_TIMEOUT: Final = aiohttp.ClientWSTimeout(ws_close=2.0)


class WebSocket:
    """An aiohttp websocket as a `Transport`."""

    def __init__(self, socket: "aiohttp.ClientWebSocketResponse[Literal[False]]") -> None:
        self._socket = socket

    @classmethod
    async def open(cls, session: aiohttp.ClientSession, url: str) -> Self:
        """Open a connection; raise ConnectionError if that fails."""
        try:
            # Bytes: whoever parses them checks their encoding, and a bad one costs one message.
            opened = await session.ws_connect(url, timeout=_CLOSE_TIMEOUT, decode_text=False)
            return cls(opened)
        except aiohttp.WSServerHandshakeError as error:
            raise ConnectionError(
                f"{url}: the answer is HTTP {error.status}: {error.message}; is the path right? "
                "Hyperliquid's ends with /ws"
            ) from error
        except (aiohttp.ClientError, ValueError) as error:
            raise ConnectionError(f"{url}: {error}") from error

    async def send(self, text: str) -> None:
        """Send one message."""
        try:
            await self._socket.send_str(text)
        except aiohttp.ClientError as error:
            raise ConnectionError(str(error)) from error

    async def receive(self) -> bytes:
        """Wait for one message."""
        message = await self._socket.receive()
        if message.type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
            return bytes(message.data)
        code = self._socket.close_code
        raise ConnectionError(f"the venue closed the connection (code {code})")

    async def close(self) -> None:
        """Close the connection."""
        await self._socket.close()
