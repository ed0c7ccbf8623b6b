"""Access control: only programs on this machine, and pages served by it, may use the venue.

The venue listens on 127.0.0.1, but any page in a browser on this machine can reach it there, by
its address or, through DNS rebinding, by a name of the page's own.
"""

import ipaddress
from urllib.parse import urlsplit

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

__all__ = ["loopback_only"]

LOOPBACK_NAMES = ("127.0.0.1", "localhost", "::1")
REFUSAL = "only this machine may use the venue: address it as 127.0.0.1 or localhost"


@web.middleware
async def loopback_only(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer every other client with status 403."""
    if not _local(request):
        return web.json_response({"error": REFUSAL}, status=403)
    return await handler(request)


def _local(request: web.Request) -> bool:
    """Return whether a request comes from this machine, names it, and is not from a remote page."""
    host, origin = request.headers.get(hdrs.HOST), request.headers.get(hdrs.ORIGIN)
    try:
        loopback = ipaddress.ip_address(request.remote or "").is_loopback
        asked = urlsplit(f"//{host or ''}").hostname
        page = None if origin is None else urlsplit(origin).hostname or ""
    except ValueError:
        return False
    return loopback and asked in LOOPBACK_NAMES and (page is None or page in LOOPBACK_NAMES)
