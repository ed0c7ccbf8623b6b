"""What the venue's REST side says about its coins."""

from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

import aiohttp

from advanced_mm.bad_rows import BadRows
from advanced_mm.errors import VenueError

__all__ = ["fetch_size_decimals", "info_address"]

_TIMEOUT: Final = aiohttp.ClientTimeout(total=10.0)
_MOST_DECIMALS: Final = 6


def info_address(websocket_url: str) -> str:
    """Derive the address of ``/info`` from that of the websocket (``wss://host/ws``)."""
    parts = urlsplit(websocket_url)
    scheme = {"ws": "http", "wss": "https"}[parts.scheme]
    return urlunsplit((scheme, parts.netloc, f"{parts.path.removesuffix('/ws')}/info", "", ""))


async def fetch_size_decimals(websocket_url: str, bad_rows: BadRows) -> dict[str, int | None]:
    """Ask the venue for ``szDecimals`` of each perpetual.

    Parameters
    ----------
    websocket_url : str
        Address of the venue's websocket; the REST address follows from it.
    bad_rows : BadRows
        Counts what it tells badly.

    Returns
    -------
    dict
        Decimals of the size by coin, None where the venue tells them badly.

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
            universe = list((await reply.json())["universe"])
    except (aiohttp.ClientError, TimeoutError) as error:
        raise VenueError(f"{address} does not answer: {error or 'no reply in time'}") from error
    except (KeyError, TypeError, ValueError) as error:
        raise VenueError(f"{address} sent a meta reply that is not one: {error!r}") from error
    return _size_decimals(universe, bad_rows)


def _size_decimals(universe: list[Any], bad_rows: BadRows) -> dict[str, int | None]:
    known: dict[str, int | None] = {}
    for coin in universe:
        name = coin.get("name") if isinstance(coin, dict) else None
        if not isinstance(name, str):
            bad_rows.add("meta", f"no name in {coin!r}")
            continue
        decimals = coin.get("szDecimals")
        if isinstance(decimals, int) and 0 <= decimals <= _MOST_DECIMALS:
            known[name] = decimals
        else:
            bad_rows.add("meta", f"szDecimals {decimals!r} of {name}")
            known[name] = None
    return known
