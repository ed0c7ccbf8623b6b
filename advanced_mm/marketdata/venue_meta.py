"""What the venue's REST side says about its coins."""

from typing import Final
from urllib.parse import urlsplit, urlunsplit

import aiohttp

from advanced_mm.errors import VenueError

__all__ = ["fetch_size_decimals", "info_address"]

_TIMEOUT: Final = aiohttp.ClientTimeout(total=10.0)


def info_address(websocket_url: str) -> str:
    """Derive the address of ``/info`` from that of the websocket (``wss://host/ws``)."""
    parts = urlsplit(websocket_url)
    scheme = {"ws": "http", "wss": "https"}[parts.scheme]
    return urlunsplit((scheme, parts.netloc, f"{parts.path.removesuffix('/ws')}/info", "", ""))


async def fetch_size_decimals(websocket_url: str) -> dict[str, int]:
    """Ask the venue for ``szDecimals`` of each perpetual.

    Parameters
    ----------
    websocket_url : str
        Address of the venue's websocket; the REST address follows from it.

    Returns
    -------
    dict
        Decimals of the size by coin.

    Raises
    ------
    VenueError
        If the venue does not answer, or not as it should.
    """
    address = info_address(websocket_url)
    try:
        async with (
            aiohttp.ClientSession(timeout=_TIMEOUT) as session,
            session.post(address, json={"type": "meta"}) as reply,
        ):
            reply.raise_for_status()
            universe = (await reply.json())["universe"]
            return {str(coin["name"]): int(coin["szDecimals"]) for coin in universe}
    except (aiohttp.ClientError, TimeoutError) as error:
        raise VenueError(f"{address} does not answer: {error or 'no reply in time'}") from error
    except (KeyError, TypeError, ValueError) as error:
        raise VenueError(f"{address} sent a meta reply that is not one: {error!r}") from error
