"""The bot's websocket in a thread of its own, with an event loop of its own."""

import asyncio
import json
import logging
import threading
from typing import Final
from urllib.parse import urlsplit

import aiohttp

from advanced_mm.errors import InputError
from advanced_mm.eyes.eyes import Eyes
from advanced_mm.marketdata.feed.connection import ConnectionSettings, StayConnected
from advanced_mm.marketdata.feed.web_socket import WebSocket

__all__ = ["CONNECTION", "BackgroundEyes"]

logger = logging.getLogger(__name__)

CONNECTION: Final = ConnectionSettings(
    first_delay_seconds=0.5,
    longest_delay_seconds=15.0,
    open_timeout_seconds=5.0,
    silence_seconds=5.0,
    ping_seconds=20.0,
    pong_seconds=5.0,
    look_seconds=0.5,
)
"""Quicker than a collector's: REST takes over meanwhile, but costs weight."""

_PING: Final = json.dumps({"method": "ping"})


class BackgroundEyes:
    """Keeps `Eyes` connected from `start` to `close`.

    Parameters
    ----------
    url
        ``ws://`` or ``wss://`` address of the venue's websocket.
    eyes
        Gets the messages.
    settings
        Times of the reconnect policy.

    Raises
    ------
    InputError
        If the address is not a websocket address.
    """

    def __init__(self, url: str, eyes: Eyes, settings: ConnectionSettings = CONNECTION) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("ws", "wss") or not parts.hostname:
            raise InputError(f"address {url!r} is not a websocket address: use ws://… or wss://…")
        self.eyes = eyes
        self._url = url
        self._settings = settings
        self._loop = asyncio.new_event_loop()
        self._task: asyncio.Task[None] | None = None
        self._thread = threading.Thread(target=self._run, name="eyes", daemon=True)

    def start(self) -> None:
        """Connect, in the background."""
        self._thread.start()

    def close(self, patience_seconds: float = 5.0) -> None:
        """Disconnect and end the thread; call it once, after `start`."""
        self._loop.call_soon_threadsafe(self._cancel)
        self._thread.join(patience_seconds)

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def _run(self) -> None:
        try:
            self._task = self._loop.create_task(self._stay_connected())
            self._loop.run_until_complete(self._task)
        except asyncio.CancelledError:
            pass
        except Exception:
            # The bot goes on over REST, as the eyes say that they see nothing.
            logger.exception("the bot's websocket ended; books and orders are asked for over REST")
        finally:
            self._loop.close()

    async def _stay_connected(self) -> None:
        async with aiohttp.ClientSession() as session:

            async def open_socket() -> WebSocket:
                return await WebSocket.open(session, self._url)

            await StayConnected(open_socket, self.eyes, _PING, self._settings).run()
