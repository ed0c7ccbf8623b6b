"""The actions that are kept for closing, apart so that it can be known without ccxt."""

from typing import Final

__all__ = ["RESERVED_REQUESTS"]

RESERVED_REQUESTS: Final = 300
"""With fewer left nothing is opened: closing takes requests too."""
