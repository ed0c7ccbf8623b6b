"""How a refusal is written: its body and its HTTP status, the same over REST and websocket API."""

from advanced_mm.venue.binance.account_requests import ReplaceFailedError
from advanced_mm.venue.binance.order_views import Json
from advanced_mm.venue.binance.weights import BannedError, LimitedError
from advanced_mm.venue.spot.orders import SpotRefusedError

__all__ = ["FAILED", "error_body", "status_of"]

FAILED: Json = {
    "code": -1001,
    "msg": "Internal error; unable to process your request. Please try again.",
}
"""The body of an answer to a request that a fault has struck."""


def error_body(error: SpotRefusedError) -> Json:
    """Return the body of a refusal."""
    body: dict[str, object] = {"code": error.code, "msg": error.message}
    if isinstance(error, ReplaceFailedError):
        body["data"] = error.data
    return body


def status_of(error: SpotRefusedError) -> int:
    """Return the HTTP status that goes with a refusal."""
    if isinstance(error, BannedError):
        return 418
    if isinstance(error, LimitedError):
        return 429
    if isinstance(error, ReplaceFailedError) and error.partly:
        return 409
    return 401 if error.code in (-2014, -2015) else 400
