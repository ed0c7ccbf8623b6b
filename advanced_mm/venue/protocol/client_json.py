"""JSON sent by clients: size limits, decoding, and quoting in replies.

Clients may send arbitrary data. Unreadable input always raises `ValueError`, and replies quote
only its beginning.
"""

import json
from typing import NoReturn

__all__ = ["LARGEST_BYTES", "decode_json", "shortened"]

LARGEST_BYTES = 1 << 20
"""Maximum size of a body or websocket message: four times the longest action, 1000 orders."""

LONGEST_QUOTE = 200  # characters


def decode_json(text: str | bytes) -> object:
    """Decode a client's JSON.

    Raises
    ------
    ValueError
        If it is not valid JSON (NaN and Infinity are not), or nested too deeply.
    """
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def shortened(text: str) -> str:
    """Return the beginning of a client's text, with characters invalid in UTF-8 escaped."""
    if len(text) > LONGEST_QUOTE:
        text = text[:LONGEST_QUOTE] + "..."
    return text.encode("utf-8", "backslashreplace").decode()


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not valid in JSON")
