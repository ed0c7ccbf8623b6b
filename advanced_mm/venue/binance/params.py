"""The parameters of a request, read as the exchange reads them."""

import re
from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from typing import TypeVar

from advanced_mm.venue.spot.orders import SpotRefusedError

__all__ = ["Params"]

E = TypeVar("E", bound=StrEnum)

_NUMBER = re.compile(r"^([0-9]{1,20})(\.[0-9]{1,20})?$")
_CLIENT_ID = re.compile(r"^[a-zA-Z0-9-_]{1,36}$")
_MOST_DECIMALS = 8


class Params:
    """Parameters by name, as text.

    Every method raises `SpotRefusedError` for what the exchange does not accept.
    """

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values

    def text(self, name: str) -> str | None:
        """Return a parameter; an empty one counts as not sent."""
        return self._values.get(name) or None

    def required(self, name: str) -> str:
        """Return a parameter that must be there."""
        value = self.text(name)
        if value is None:
            raise missing(name)
        return value

    def decimal(self, name: str) -> Decimal | None:
        """Return a number."""
        value = self.text(name)
        if value is None:
            return None
        if not _NUMBER.match(value):
            raise illegal(name, _NUMBER)
        if len(value.partition(".")[2].rstrip("0")) > _MOST_DECIMALS:
            raise SpotRefusedError(-1111, f"Parameter '{name}' has too much precision.")
        return Decimal(value)

    def whole(self, name: str) -> int | None:
        """Return a whole number."""
        value = self.text(name)
        if value is None:
            return None
        if not value.isdecimal() or len(value) > 19:
            raise illegal(name, re.compile("^[0-9]{1,20}$"))
        return int(value)

    def limit(self, default: int, most: int) -> int:
        """Return how many items are asked for."""
        asked = self.whole("limit")
        return min(default if asked is None or asked == 0 else asked, most)

    def client_id(self, name: str) -> str | None:
        """Return a client's name for an order."""
        value = self.text(name)
        if value is not None and not _CLIENT_ID.match(value):
            raise illegal(name, _CLIENT_ID)
        return value

    def choice(self, name: str, choices: type[E], code: int, message: str) -> E | None:
        """Return one of a set of names; another is refused with ``code`` and ``message``."""
        value = self.text(name)
        if value is None:
            return None
        try:
            return choices(value)
        except ValueError:
            raise SpotRefusedError(code, message) from None

    def flag(self, name: str) -> bool:
        """Return a switch, off if it was not sent."""
        return self.text(name) == "true"


def missing(name: str) -> SpotRefusedError:
    """Return the refusal of a request that lacks a parameter."""
    return SpotRefusedError(
        -1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed."
    )


def illegal(name: str, pattern: re.Pattern[str]) -> SpotRefusedError:
    """Return the refusal of a parameter that is not written as it must be."""
    return SpotRefusedError(
        -1100,
        f"Illegal characters found in parameter '{name}'; legal range is '{pattern.pattern}'.",
    )
