"""The page's server: its files, and a stream of what is new to each browser that looks."""

import asyncio
import contextlib
import hashlib
import json
import logging
import signal
import socket
import time
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import parse_qs

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from advanced_mm.dashboard.access import COOKIE, Access, Guarded
from advanced_mm.dashboard.watcher import Watcher
from advanced_mm.errors import InputError

__all__ = ["Hub", "application", "serve"]

logger = logging.getLogger(__name__)

T = TypeVar("T")
_Queue = asyncio.Queue[tuple[int, bytes] | None]
"""Messages for one browser with their numbers; None ends the stream."""

_FILES: Final[Mapping[str, tuple[str, str]]] = {
    "/": ("page.html", "text/html; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/pictures.js": ("pictures.js", "text/javascript; charset=utf-8"),
}
_LOGIN: Final = "login.html"
_HIDDEN: Final = b"<p hidden>"
"""Before what the login page says of a wrong token."""
_FREE: Final = ("/login", "/page.css", "/health")
_LOOK_EVERY_S: Final = 0.25
_IDLE_EVERY_S: Final = 5.0
"""While nobody looks, what is new is read now and then, so that the page opens at once."""
_MOST_SHARE: Final = 0.015
"""Of a core, that looking may take."""
_LONGEST_PAUSE_S: Final = 1.0
"""After a look that took long, as the first does, and the one after a journal's day was merged."""
_BEAT_EVERY_S: Final = 2.0
_MOST_WAITING: Final = 50
"""Messages that wait for a slow browser before it has to begin anew."""
_MOST_OF_A_LOGIN: Final = 4096
_RETRY_MS: Final = 1000
_AFTER_WRONG_S: Final = 1.0


class Hub:
    """Looks for what is new, and hands each message to all browsers.

    Everything that reads runs in one thread, one thing after the other, apart from the judging.
    """

    def __init__(self, watcher: Watcher) -> None:
        self._watcher = watcher
        self._reader = ThreadPoolExecutor(1, "reader")
        self._viewers: set[_Queue] = set()
        self._looks = 0  # counted by the reader
        self._wake = asyncio.Event()
        self._ended = False
        self._version = _version()

    async def everything(self) -> bytes:
        """Return the message that a page begins with."""
        return (await self._read(self._everything))[1]

    async def messages(self) -> AsyncIterator[bytes]:
        """Yield everything, then what is new, until the browser leaves or the server ends."""
        queue: _Queue = asyncio.Queue(_MOST_WAITING)
        self._viewers.add(queue)
        self._wake.set()
        try:
            yield f"retry: {_RETRY_MS}\n\n".encode()
            known, whole = await self._read(self._everything)
            yield _event(whole)
            while not self._ended:
                told = await queue.get()
                if told is None:
                    return
                number, message = told
                if number > known:  # else it is in the whole already
                    yield _event(message)
        finally:
            self._viewers.discard(queue)

    async def watch(self) -> None:
        """Look until `close`; an error is logged and the next look is made."""
        told_s = 0.0
        while not self._ended:
            begun_s, took_s = time.monotonic(), 0.0
            try:
                number, news, took_s = await self._read(self._look)
            except Exception:
                logger.exception("the page could not read what is new")
            else:
                if news["desks"] or time.monotonic() - told_s >= _BEAT_EVERY_S:
                    told_s = time.monotonic()
                    self._tell((number, _encoded(news)))
            pause_s = _LOOK_EVERY_S if self._viewers else _IDLE_EVERY_S
            pause_s = max(pause_s, min(took_s / _MOST_SHARE, _LONGEST_PAUSE_S))
            pause_s -= time.monotonic() - begun_s
            self._wake.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), max(pause_s, 0.02))

    async def judge(self) -> None:
        """Judge what was earned, while somebody looks, until `close`."""
        while not self._ended:
            if self._viewers:
                try:
                    await asyncio.to_thread(self._watcher.judge)
                except Exception:
                    logger.exception("what was earned could not be judged")
            await asyncio.sleep(1.0)

    def close(self) -> None:
        """End all streams and the looking."""
        self._ended = True
        self._wake.set()
        for queue in self._viewers:
            _put_last(queue)

    def _look(self) -> tuple[int, Mapping[str, Any], float]:
        begun_s = time.thread_time()
        news = self._watcher.look()
        self._looks += 1
        return self._looks, news, time.thread_time() - begun_s

    def _everything(self) -> tuple[int, bytes]:
        """Return it, and the number of the look that it is from."""
        return self._looks, _encoded(self._watcher.everything() | {"version": self._version})

    async def _read(self, what: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._reader, what)

    def _tell(self, message: tuple[int, bytes]) -> None:
        for queue in tuple(self._viewers):
            try:
                queue.put_nowait(message)
            except asyncio.QueueFull:  # it comes again, and begins with everything
                self._viewers.discard(queue)
                _put_last(queue)


def application(access: Access, hub: Hub) -> ASGIApp:
    """Return the page's application."""

    async def file(request: Request) -> Response:
        name, kind = _FILES[request.url.path]
        return Response(_content(name), media_type=kind)

    async def state(_: Request) -> Response:
        return Response(await hub.everything(), media_type="application/json")

    async def events(_: Request) -> Response:
        return StreamingResponse(hub.messages(), media_type="text/event-stream")

    async def login(request: Request) -> Response:
        if request.method == "GET":
            return Response(_content(_LOGIN), media_type="text/html; charset=utf-8")
        given = parse_qs((await _body(request)).decode("utf-8", "replace")).get("token", [""])[0]
        if not access.is_token(given):
            await asyncio.sleep(_AFTER_WRONG_S)
            page = _content(_LOGIN).replace(_HIDDEN, b"<p>")
            return Response(page, 401, media_type="text/html; charset=utf-8")
        answer = RedirectResponse("/", 303)
        answer.set_cookie(
            COOKIE,
            access.cookie,
            httponly=True,
            samesite="strict",
            secure=request.url.scheme == "https",
        )
        return answer

    async def health(_: Request) -> Response:
        return Response("ok\n", media_type="text/plain")

    app = Starlette(
        routes=[
            *(Route(path, file) for path in _FILES),
            Route("/state", state),
            Route("/events", events),
            Route("/health", health),
            Route("/login", login, methods=["GET", "POST"]),
        ]
    )
    return Guarded(app, access, _FREE)


def serve(
    watcher: Watcher, access: Access, host: str, port: int, announce: Callable[[str], None]
) -> None:
    """Serve until SIGINT, SIGTERM or SIGHUP; ``announce`` is told the address once it listens.

    Raises
    ------
    InputError
        The address cannot be listened at.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((host, port))
        except OSError as error:
            raise InputError(
                f"--host {host} --port {port} cannot be listened at ({error.strerror}): another "
                "program may do; choose another port, or 0 for any."
            ) from None
        asyncio.run(_serve(watcher, access, listening, announce))


async def _serve(
    watcher: Watcher, access: Access, listening: socket.socket, announce: Callable[[str], None]
) -> None:
    hub = Hub(watcher)
    config = uvicorn.Config(
        application(access, hub),
        log_level="warning",
        access_log=False,
        server_header=False,
        lifespan="off",
        ws="none",
        timeout_graceful_shutdown=2,
    )
    server = _Server(config)

    def end() -> None:
        hub.close()
        server.should_exit = True

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, end)
    host, port = listening.getsockname()[:2]
    named = f"[{host}]" if ":" in host else host
    listening.listen()
    announce(f"http://{named}:{port}/")
    tasks = [asyncio.create_task(hub.watch()), asyncio.create_task(hub.judge())]
    await server.serve(sockets=[listening])
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


class _Server(uvicorn.Server):
    """Leaves the signals to `_serve`, which ends the streams first."""

    @contextlib.contextmanager
    def capture_signals(self):  # type: ignore[no-untyped-def]
        """Do nothing."""
        yield


async def _body(request: Request) -> bytes:
    """Return the beginning of what was sent: all of it if it is a token."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _MOST_OF_A_LOGIN:
            break
    return body[:_MOST_OF_A_LOGIN]


def _put_last(queue: _Queue) -> None:
    """End a stream, whatever waits in it."""
    while not queue.empty():
        queue.get_nowait()
    queue.put_nowait(None)


def _event(message: bytes) -> bytes:
    return b"data: " + message + b"\n\n"


def _encoded(message: Mapping[str, object]) -> bytes:
    return json.dumps(message, separators=(",", ":"), allow_nan=False).encode()


def _content(name: str) -> bytes:
    return (Path(__file__).parent / name).read_bytes()


def _version() -> str:
    """Return what differs when the page's files do: a page that is older then loads itself anew."""
    together = b"".join(_content(name) for name, _ in _FILES.values())
    return hashlib.sha256(together).hexdigest()[:12]
