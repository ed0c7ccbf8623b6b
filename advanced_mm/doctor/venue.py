"""The venue: whether it answers, its time, its coins, and what it says of the account."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import requests

from advanced_mm.errors import VenueError
from advanced_mm.marketdata.feed.feed import MAINNET_URL, TESTNET_URL
from advanced_mm.marketdata.feed.venue_meta import fetch_size_decimals, info_address

__all__ = ["Venue", "is_on_this_machine", "venue_address"]

_SECONDS: Final = 5.0


def venue_address(exchange: Mapping[str, Any]) -> str:
    """Return the websocket address of the venue that a bot trades on.

    Parameters
    ----------
    exchange
        The block ``exchange`` of Freqtrade's configuration.
    """
    options = _block(exchange, "ccxt_config")
    api = _block(_block(options, "urls"), "api")
    if isinstance(api.get("public"), str):
        parts = urlsplit(api["public"])
        scheme = "ws" if parts.scheme == "http" else "wss"
        return f"{scheme}://{parts.netloc}{parts.path.rstrip('/')}/ws"
    return TESTNET_URL if options.get("sandbox") else MAINNET_URL


class Venue:
    """Asks a venue, and remembers that it did not answer.

    Parameters
    ----------
    address
        Its websocket's.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self._info = info_address(address)
        self._session = requests.Session()
        if is_on_this_machine(address):
            self._session.trust_env = False  # no proxy for loopback

    def __enter__(self) -> "Venue":
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    def ask(self, kind: str, **values: Any) -> Any:
        """Return the answer to a request of a type.

        Raises
        ------
        VenueError
            It does not answer, or not with JSON.
        """
        try:
            reply = self._session.post(self._info, json={"type": kind, **values}, timeout=_SECONDS)
            reply.raise_for_status()
            return reply.json()
        except requests.RequestException as error:
            why = type(error).__name__
            raise VenueError(f"{self._info} does not answer {kind!r} ({why})") from None

    def coins(self, codes: list[str]) -> list[str]:
        """Return the venue's coins, with those of builder-deployed exchanges if a code may be one.

        Raises
        ------
        VenueError
            It does not answer.
        """
        return sorted(asyncio.run(fetch_size_decimals(self.address, codes)))

    def book_time(self, coin: str) -> float:
        """Return the venue's time of a book, s since the epoch.

        Raises
        ------
        VenueError
            It does not answer, or the answer has no time.
        """
        book = self.ask("l2Book", coin=coin)
        try:
            return float(book["time"]) / 1000
        except (TypeError, LookupError, ValueError):
            raise VenueError(f"{self._info} answers 'l2Book' without a time") from None


def _block(block: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = block.get(name)
    return value if isinstance(value, Mapping) else {}


def is_on_this_machine(address: str) -> bool:
    """Return whether an address is one of loopback, which no proxy reaches."""
    return urlsplit(address).hostname in ("127.0.0.1", "localhost", "::1")
