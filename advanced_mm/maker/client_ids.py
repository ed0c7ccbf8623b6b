"""Client ids that tell whose an order is: of which maker, market and part of it."""

import hashlib
import secrets
from collections.abc import Callable
from typing import Final, Literal

__all__ = ["ANY_MAKER", "ClientIds", "Role"]

Role = Literal["quote", "hedge"]

ANY_MAKER: Final = "0x6d6d616b"
"""Begins the ids of all makers' orders ("mmak"), so that a person can tell them from his own."""

_OWNER_DIGITS: Final = 12
_NUMBER_DIGITS: Final = 12


class ClientIds:
    """Makes and knows the client ids of one market's orders.

    128 bits in hexadecimal, as Hyperliquid demands; Binance takes them as text. The middle names
    the owner, so that a maker that starts again finds its orders, and leaves another's alone.

    Parameters
    ----------
    maker, exchange, symbol
        The owner.
    role
        Quotes and hedges of a market have ids of their own.
    number
        Source of twelve hexadecimal digits, for tests.
    """

    def __init__(
        self,
        maker: str,
        exchange: str,
        symbol: str,
        role: Role = "quote",
        number: Callable[[], str] = lambda: secrets.token_hex(_NUMBER_DIGITS // 2),
    ) -> None:
        owner = hashlib.sha256("\0".join((maker, exchange, symbol, role)).encode()).hexdigest()
        self._prefix = ANY_MAKER + owner[:_OWNER_DIGITS]
        self._number = number

    def new(self) -> str:
        """Return an id that no order has had."""
        return self._prefix + self._number()

    @staticmethod
    def is_makers(client_id: str) -> bool:
        """Return whether an order is of any maker's, whatever its name."""
        return client_id.startswith(ANY_MAKER)

    def owns(self, client_id: str) -> bool:
        """Return whether an order is of this market and role."""
        return client_id.startswith(self._prefix)
