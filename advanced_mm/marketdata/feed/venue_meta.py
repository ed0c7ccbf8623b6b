"""Coin metadata and recent trades from the venue's REST interface."""

import contextlib
import logging
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

import aiohttp

from advanced_mm.bad_rows import BadRows
from advanced_mm.errors import VenueError
from advanced_mm.instruments import code_of, nearest, resolve_coin

__all__ = [
    "coins_among",
    "fetch_recent_trades",
    "fetch_size_decimals",
    "info_address",
    "is_spot",
]

logger = logging.getLogger(__name__)

_TIMEOUT: Final = aiohttp.ClientTimeout(total=10.0)
_MOST_DECIMALS: Final = 6
_EXAMPLES: Final = 3


def info_address(websocket_url: str) -> str:
    """Return the ``/info`` address for a websocket address (``wss://host/ws``)."""
    parts = urlsplit(websocket_url)
    scheme = {"ws": "http", "wss": "https"}[parts.scheme]
    return urlunsplit((scheme, parts.netloc, f"{parts.path.removesuffix('/ws')}/info", "", ""))


def is_spot(coin: str) -> bool:
    """Return whether a coin is a spot pair such as ``@107``; lists of perpetuals omit these."""
    return coin.startswith("@")


async def fetch_size_decimals(
    websocket_url: str, wanted: Iterable[str] = (), bad_rows: BadRows | None = None
) -> dict[str, int | None]:
    """Fetch ``szDecimals`` of the venue's perpetuals.

    Parameters
    ----------
    websocket_url : str
        Address of the venue's websocket; the REST address is derived from it.
    wanted : iterable of str
        Coins to look for, in any spelling. Builder-deployed exchanges are queried only if one of
        these coins could be theirs or is found nowhere else.
    bad_rows : BadRows or None
        Counts invalid entries; with None they are logged.

    Returns
    -------
    dict
        Size decimals by coin, None if invalid, for the main exchange and for the other exchanges
        that were queried.

    Raises
    ------
    VenueError
        If the venue does not answer, or its answer is malformed.
    """
    address = info_address(websocket_url)
    codes = {code_of(name) for name in wanted if not is_spot(name)}
    async with aiohttp.ClientSession(timeout=_TIMEOUT) as session:
        known = await _decimals(session, address, "", bad_rows)
        if not (absent := codes - set(map(code_of, known))):
            return known
        theirs = {code.partition("-")[0] for code in absent if "-" in code}
        # A name without an exchange prefix is wrong; other lists then only improve the error text.
        with contextlib.nullcontext() if theirs else contextlib.suppress(VenueError):
            dexs = await _dexs(session, address)
            for dex in dexs:
                if dex.upper() in theirs:
                    known |= await _decimals(session, address, dex, bad_rows)
            if absent - set(map(code_of, known)):
                for dex in dexs:
                    if dex.upper() not in theirs:
                        known |= await _decimals(session, address, dex, bad_rows)
    return known


async def fetch_recent_trades(websocket_url: str, coin: str) -> list[Any]:
    """Fetch a coin's recent trades, as messages of channel ``trades`` carry them.

    The request weighs 20, and a little more for its rows.

    Raises
    ------
    VenueError
        If the venue does not answer, or its answer is no list.
    """
    address = info_address(websocket_url)
    async with aiohttp.ClientSession(timeout=_TIMEOUT) as session:
        reply = await _ask(session, address, {"type": "recentTrades", "coin": coin})
    if not isinstance(reply, list):
        raise VenueError(f"{address} sent a malformed recentTrades reply: {str(reply)[:80]!r}")
    return reply


def coins_among(names: Iterable[str], known: Mapping[str, int | None], url: str) -> tuple[str, ...]:
    """Resolve names in any spelling to the venue's coins, without duplicates.

    Raises
    ------
    VenueError
        If the venue has no such coin; the message suggests the nearest one.
    InputError
        If a name matches several coins of the venue.
    """
    codes = set(map(code_of, known))
    coins = []
    for name in names:
        if is_spot(name):
            coins.append(name)
        elif code_of(name) in codes:
            coins.append(resolve_coin(name, known, f"the venue at {url}"))
        else:
            meant = nearest(name, known)
            hint = (
                f"did you mean {' or '.join(meant)}"
                if meant
                else f"it has {len(known)} coins, such as {', '.join(list(known)[:_EXAMPLES])}"
            )
            raise VenueError(
                f"the venue at {url} has no coin {name!r}: check the spelling ({hint})"
            )
    return tuple(dict.fromkeys(coins))


async def _dexs(session: aiohttp.ClientSession, address: str) -> list[str]:
    """Return the names of the builder-deployed exchanges; the main one is null in the list."""
    reply = await _ask(session, address, {"type": "perpDexs"})
    try:
        return [str(dex["name"]) for dex in reply if dex is not None]
    except (KeyError, TypeError) as error:
        raise VenueError(f"{address} sent a malformed perpDexs reply: {error!r}") from error


async def _decimals(
    session: aiohttp.ClientSession, address: str, dex: str, bad_rows: BadRows | None
) -> dict[str, int | None]:
    reply = await _ask(session, address, {"type": "meta", **({"dex": dex} if dex else {})})
    try:
        universe = list(reply["universe"])
    except (KeyError, TypeError) as error:
        raise VenueError(f"{address} sent a malformed meta reply: {error!r}") from error
    faults = BadRows()
    known = dict(_size_decimals(universe, faults))
    if faults.total and bad_rows is None:
        logger.warning("%s: %s", address, faults)
    elif bad_rows is not None:
        bad_rows.take(faults)
    return known


def _size_decimals(universe: Iterable[Any], faults: BadRows) -> Iterator[tuple[str, int | None]]:
    """Yield each named coin with its decimals, None if they are invalid."""
    for coin in universe:
        name = coin.get("name") if isinstance(coin, dict) else None
        if not isinstance(name, str):
            faults.add("meta", f"no name in {coin!r}")
            continue
        decimals = coin.get("szDecimals")
        sound = isinstance(decimals, int) and 0 <= decimals <= _MOST_DECIMALS
        if not sound:
            faults.add("meta", f"szDecimals {decimals!r} of {name}")
        yield name, decimals if sound else None


async def _ask(session: aiohttp.ClientSession, address: str, request: Mapping[str, str]) -> Any:
    try:
        async with session.post(address, json=request) as reply:
            reply.raise_for_status()
            return await reply.json()
    except (aiohttp.ClientError, TimeoutError) as error:
        raise VenueError(f"{address} does not answer: {error or 'no reply in time'}") from error
    except ValueError as error:
        kind = request["type"]
        raise VenueError(f"{address} sent a {kind} reply that is not JSON: {error}") from error
