"""Who may read the page: which names it answers to, and the token."""

import hashlib
import hmac
import ipaddress
from collections.abc import Collection
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from advanced_mm.errors import InputError

__all__ = ["Access", "Guarded", "is_loopback"]

_SHORTEST_TOKEN: Final = 16
_LOCAL_NAMES: Final = frozenset({"localhost"})
_HEADERS: Final = {
    # Nothing is loaded from elsewhere, nothing is run that is not a file of this page.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "connect-src 'self'; img-src data:; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    # With "no-referrer" a browser would name no origin when the form with the token is sent.
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


def is_loopback(host: str) -> bool:
    """Return whether an address to listen at is reached from this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host in _LOCAL_NAMES


class Access:
    """What is demanded of a request.

    Parameters
    ----------
    host
        The address listened at.
    token
        None: none is demanded.
    names
        Host names by which the page is reached, beside addresses and ``localhost``.

    Raises
    ------
    InputError
        Others than this machine could read the page without a token, or the token is short.
    """

    def __init__(self, host: str, token: str | None = None, names: Collection[str] = ()) -> None:
        if token is None and not is_loopback(host):
            raise InputError(
                f"--host {host} is reached from other machines: set MM_DASHBOARD_TOKEN, or name a "
                "file with --token-file; make a token with "
                "`python -c 'import secrets; print(secrets.token_urlsafe())'`."
            )
        if token is not None and len(token) < _SHORTEST_TOKEN:
            raise InputError(
                f"the dashboard's token has {len(token)} characters; use {_SHORTEST_TOKEN} or more."
            )
        self._token = token
        self._names = _LOCAL_NAMES | {name.lower() for name in names} | {host.lower()}

    @property
    def cookie(self) -> str:
        """What a browser that gave the token has in its cookie: not the token itself."""
        return hmac.new((self._token or "").encode(), b"live page", hashlib.sha256).hexdigest()

    def is_token(self, given: str) -> bool:
        """Return whether this is the token."""
        return self._token is not None and _same(given, self._token)

    def knows(self, headers: Headers) -> bool:
        """Return whether a request came with the token, or none is demanded."""
        if self._token is None:
            return True
        kind, _, given = headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer" and self.is_token(given.strip()):
            return True
        cookies = cookie_parser(headers.get("cookie", ""))
        return _same(cookies.get(COOKIE, ""), self.cookie)

    def answers_to(self, headers: Headers) -> bool:
        """Return whether a request names this page as its host.

        A page of another site can have its own name lead here (DNS rebinding) and would then be
        allowed to read all; an address cannot be made to lead elsewhere.
        """
        host = _without_port(headers.get("host", ""))
        try:
            ipaddress.ip_address(host.strip("[]"))
        except ValueError:
            return host.lower() in self._names
        return True

    def comes_from_here(self, headers: Headers) -> bool:
        """Return whether a request is not one that a page of another site makes."""
        origin = headers.get("origin")
        if origin is not None and origin.partition("://")[2] != headers.get("host"):
            return False
        site = headers.get("sec-fetch-site", "none")
        opened = headers.get("sec-fetch-mode") == "navigate"  # a link to the page: it reads nothing
        return site in ("none", "same-origin") or opened


COOKIE: Final = "mm_dashboard"


class Guarded:
    """An application that is reached only by those who may; every answer has the headers."""

    def __init__(self, app: ASGIApp, access: Access, free: Collection[str]) -> None:
        self._app, self._access, self._free = app, access, free

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
            await send(message)

        refused = self._refused(scope)
        await (refused or self._app)(scope, receive, send_with_headers)

    def _refused(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        if not self._access.answers_to(headers):
            return PlainTextResponse(
                "This name is not one of the page's: start it with --name to allow it.\n", 421
            )
        if not self._access.comes_from_here(headers):
            return PlainTextResponse("Pages of other sites may not read this one.\n", 403)
        if scope["path"] in self._free or self._access.knows(headers):
            return None
        if scope["path"] == "/" and "authorization" not in headers:
            return Response(status_code=303, headers={"Location": "/login"})
        return PlainTextResponse(
            "A token is needed: Authorization: Bearer …\n", 401, {"WWW-Authenticate": "Bearer"}
        )


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode(), wanted.encode())


def _without_port(host: str) -> str:
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdigit() and not name.endswith(":") else host
