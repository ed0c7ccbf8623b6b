"""What clients send, as JSON: how much of it is taken in, and how much is said back to them.

Clients may send anything at all. Whatever cannot be read is a `ValueError`, never something else,
and no answer repeats more than the beginning of it.
"""

import json
from typing import NoReturn

__all__ = ["LARGEST_BYTES", "decode_json", "shortened"]

LARGEST_BYTES = 1 << 20
"""Of one body or websocket message: four times an action of 1000 orders, which is the longest."""

LONGEST_QUOTE = 200  # characters


def decode_json(text: str | bytes) -> object:
    """The value that a client sent.

    Raises
    ------
    ValueError
        If it is no JSON: NaN and Infinity are none, nor is what is nested too deeply to be read.
    """
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def shortened(text: str) -> str:
    """The beginning of what a client sent, as it may be sent back: every character as UTF-8."""
    if len(text) > LONGEST_QUOTE:
        text = text[:LONGEST_QUOTE] + "..."
    return text.encode("utf-8", "backslashreplace").decode()


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")
