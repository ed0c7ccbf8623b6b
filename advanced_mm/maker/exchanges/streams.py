"""Websocket streams that come back: subscribed, watched for silence, renewed."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any, Final

import ccxt

from advanced_mm.maker.exchange import Event, Reconnected

__all__ = ["HTTP_TIMEOUT_MS", "Streams", "guard_socket"]

logger = logging.getLogger(__name__)

_FIRST_PAUSE_SECONDS: Final = 0.1
_LONGEST_PAUSE_SECONDS: Final = 5.0
_WATCH_SECONDS: Final = 0.25

HTTP_TIMEOUT_MS: Final = 4_000
"""ccxt waits ten seconds for an answer: too long for a maker whose orders rest meanwhile."""


def guard_socket(socket: Any) -> Any:
    """Have a socket of ccxt's closed by a message that cannot be read, and return it.

    ccxt stops to listen there, without a word. What the message told is lost, as with a connection.
    Promises that nobody waits for any more fail in silence when the socket is lost.
    """
    if getattr(socket, "is_guarded", False):
        return socket
    handle = socket.handle_message

    def handle_or_close(message: Any) -> None:
        try:
            handle(message)
        except Exception as error:  # whatever it is, the rest of the stream must come
            logger.warning("%s: a message cannot be read: %r", socket.url, error)
            socket.on_error(ccxt.NetworkError(f"a message cannot be read: {error!r}"[:200]))

    promise = socket.future

    def watched_promise(name: str) -> Any:
        found = promise(name)
        found.add_done_callback(_retrieve)
        return found

    socket.handle_message = handle_or_close
    socket.future = watched_promise
    socket.is_guarded = True
    return socket


def _retrieve(promise: Any) -> None:
    if not promise.cancelled():
        promise.exception()


class Streams:
    """Keeps an exchange's sockets alive and collects what they tell.

    Parameters
    ----------
    name
        The exchange's, for the log.
    client
        A ccxt.pro client.
    subscribe
        Sends all subscriptions and waits for as long as they stand; it ends by an error.
    clock_ms
        Epoch milliseconds.
    silence_seconds
        A socket that says nothing for longer is closed and opened anew.
    book_seconds
        The same for a market of which no book came: its subscription was lost.
    """

    def __init__(
        self,
        name: str,
        client: Any,
        subscribe: Callable[[], Any],
        clock_ms: Callable[[], int],
        silence_seconds: float,
        book_seconds: float,
    ) -> None:
        self._name, self._client = name, client
        self._subscribe, self._clock_ms = subscribe, clock_ms
        self._silence_s, self._book_s = silence_seconds, book_seconds
        self._books: dict[str, float] = {}
        self._told: asyncio.Queue[Event | None] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None
        self._lost = ""
        self._heard: dict[str, float] = {}
        self._pause_s = _FIRST_PAUSE_SECONDS

    def start(self, symbols: Iterable[str]) -> None:
        """Begin to stream, with books of these markets."""
        self._books = dict.fromkeys(symbols, 0.0)
        self._task = asyncio.create_task(self._run(), name=f"streams of {self._name}")

    def tell(self, event: Event) -> None:
        """Pass an event on."""
        self._told.put_nowait(event)

    def heard(self, url: str) -> None:
        """Note that a socket lives; the first word after a loss says that it is back."""
        self._heard[url] = time.monotonic()
        if self._lost and len(self._heard) >= self._sockets():
            lost, self._lost = self._lost, ""
            self._pause_s = _FIRST_PAUSE_SECONDS
            logger.info("%s: the streams are back", self._name)
            self.tell(Reconnected(self._clock_ms(), lost))

    def heard_book(self, symbol: str) -> None:
        """Note that a market's book came from the exchange."""
        self._books[symbol] = time.monotonic()

    def _sockets(self) -> int:
        return max(1, len(self._client.clients))

    async def events(self) -> AsyncIterator[Event]:
        """Yield what was told, until `close`."""
        while (event := await self._told.get()) is not None:
            yield event

    async def close(self) -> None:
        """End the streams."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._told.put_nowait(None)

    async def _run(self) -> None:
        while True:
            self._heard.clear()
            watch = asyncio.create_task(self._watch())
            try:
                await self._subscribe()
                error: BaseException = ccxt.NetworkError("the subscriptions have ended")
            except Exception as caught:  # whatever it is, the streams must come back
                error = caught
                if not isinstance(caught, ccxt.BaseError | OSError | TimeoutError):
                    logger.exception("%s: unexpected error of a stream", self._name)
            finally:
                watch.cancel()
            self._lost = f"{type(error).__name__}: {error}"[:200]
            logger.warning("%s: the streams are lost: %s", self._name, self._lost)
            self._drop(error)
            await asyncio.sleep(self._pause_s)
            self._pause_s = min(2 * self._pause_s, _LONGEST_PAUSE_SECONDS)

    def _drop(self, error: BaseException) -> None:
        """Close all sockets: one that is lost leaves the others' state in doubt as well."""
        for socket in list(self._client.clients.values()):
            socket.on_error(ccxt.NetworkError(f"closed after {error}"[:200]))
        self._client.clients.clear()

    async def _watch(self) -> None:
        """Break off a connection on which nothing is heard."""
        begun = time.monotonic()
        while True:
            await asyncio.sleep(_WATCH_SECONDS)
            now = time.monotonic()
            for url, socket in list(self._client.clients.items()):
                silent = now - max(self._heard.get(url, 0.0), begun)
                if silent > self._silence_s:
                    socket.on_error(ccxt.RequestTimeout(f"silent for {silent:.1f} s"))
            for symbol, at in self._books.items():
                if now - max(at, begun) > self._book_s:
                    self._drop(ccxt.RequestTimeout(f"no book of {symbol} for {self._book_s:g} s"))
                    break
