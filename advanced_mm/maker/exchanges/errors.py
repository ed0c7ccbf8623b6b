"""ccxt's errors in the maker's words."""

import ccxt

from advanced_mm.errors import InputError
from advanced_mm.maker.exchange import (
    OrderDoubtError,
    OrderGoneError,
    OrderRefusedError,
    WouldTakeError,
)

__all__ = ["as_read_error", "as_request_error", "is_gone", "refusal"]

_TOO_LATE = ("post only", "immediately match", "would immediately")
_GONE = ("cannot modify canceled or filled", "never placed, already canceled, or filled")
_NEVER_DONE = (ccxt.RateLimitExceeded, ccxt.DDoSProtection, ccxt.InvalidNonce)
"""Answers of the exchange that say that nothing was done, though ccxt counts them as failures."""


def refusal(text: str) -> OrderRefusedError:
    """Return the refusal that an exchange's sentence means."""
    lower = text.lower()
    if any(one in lower for one in _TOO_LATE):
        return WouldTakeError(text)
    return OrderGoneError(text) if any(one in lower for one in _GONE) else OrderRefusedError(text)


def is_gone(error: Exception) -> bool:
    """Return whether a refusal says that the order is not on the book."""
    return isinstance(error, OrderGoneError)


def as_request_error(error: BaseException) -> Exception:
    """Return what became of a request for orders that ended in an error."""
    if isinstance(error, OrderRefusedError | OrderDoubtError):
        return error
    told = f"{type(error).__name__}: {error}"[:300]
    if isinstance(error, _NEVER_DONE):
        return OrderRefusedError(told)
    if isinstance(error, ccxt.OperationFailed | TimeoutError | OSError):
        return OrderDoubtError(told)
    if isinstance(error, ccxt.BaseError):
        return refusal(told)
    return OrderDoubtError(told)


def as_read_error(error: BaseException, name: str) -> Exception:
    """Return what an error of a question is to the maker."""
    if isinstance(error, ccxt.AuthenticationError):
        return InputError(
            f"{name} does not accept the keys: {str(error)[:200]}. Check the environment."
        )
    told = f"{type(error).__name__}: {str(error)[:200]}"
    if isinstance(error, ccxt.NetworkError | TimeoutError | OSError):
        return ConnectionError(
            f"{name} does not answer ({told}); check the network, and its url in the maker's file"
        )
    return ConnectionError(f"{name}: {told}")
