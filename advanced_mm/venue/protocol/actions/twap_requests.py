"""Execution of TWAP orders and their cancels. See `requests`."""

from advanced_mm.markets.units import CoinUnits
from advanced_mm.venue.engine.exchange import Exchange
from advanced_mm.venue.engine.twap_orders import TwapRequest
from advanced_mm.venue.protocol.actions import forms
from advanced_mm.venue.protocol.actions.replies import done
from advanced_mm.venue.protocol.messages.wire_views import Json

__all__ = ["cancel_twap", "place_twap"]


def place_twap(
    exchange: Exchange, account: str, coin: str, action: forms.TwapOrder
) -> dict[str, Json]:
    """Start a TWAP in a coin; a refusal is part of the reply."""
    request = _request(coin, exchange.books[coin].units, action)
    twap = request if isinstance(request, str) else exchange.place_twap(account, request)
    if isinstance(twap, str):
        return done("twapOrder", {"status": {"error": twap}})
    return done("twapOrder", {"status": {"running": {"twapId": twap.twap_id}}})


def cancel_twap(
    exchange: Exchange, account: str, coin: str, action: forms.TwapCancel
) -> dict[str, Json]:
    """Cancel a TWAP; a refusal is part of the reply."""
    error = exchange.cancel_twap(account, coin, action.t)
    return done("twapCancel", {"status": "success" if error is None else {"error": error}})


def _request(coin: str, units: CoinUnits, action: forms.TwapOrder) -> TwapRequest | str:
    """Return the request in whole numbers, or the error message."""
    twap, details = action.twap, action.details
    trigger = None if details is None else details.t
    stop = None if details is None else details.s
    try:
        lots = units.parse_lots(twap.s)
    except ValueError:
        return "Order has invalid size."
    try:
        return TwapRequest(
            coin=coin,
            is_buy=twap.b,
            lots=lots,
            minutes=twap.m,
            reduce_only=twap.r,
            randomize=twap.t,
            trigger_price=None if trigger is None else units.parse_price(trigger.p),
            trigger_above=trigger is None or trigger.a,
            stop_price=None if stop is None else units.parse_price(stop),
        )
    except ValueError:
        return "Price must be divisible by tick size."
