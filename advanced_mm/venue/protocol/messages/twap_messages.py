"""TWAPs in Hyperliquid's wire format, for /info and the websocket; numbers are strings."""

from advanced_mm.markets.units import CoinUnits, micros_text
from advanced_mm.venue.engine.orders import Fill
from advanced_mm.venue.engine.twap_orders import Twap, TwapEvent, TwapStatus
from advanced_mm.venue.protocol.messages.order_messages import fill_data
from advanced_mm.venue.protocol.messages.wire_views import Json

__all__ = ["part_data", "twap_entry", "twap_state"]


def twap_state(twap: Twap, units: CoinUnits) -> dict[str, Json]:
    """Return a TWAP's parameters and progress."""
    request = twap.request
    trigger: dict[str, Json] | None = None
    if request.trigger_price is not None:
        trigger = {"px": units.price_text(request.trigger_price), "above": request.trigger_above}
    stop = None if request.stop_price is None else units.price_text(request.stop_price)
    return {
        "coin": twap.coin,
        "user": twap.account,
        "side": "B" if request.is_buy else "A",
        "sz": units.size_text(request.lots),
        "executedSz": units.size_text(twap.executed_lots),
        "executedNtl": micros_text(twap.executed_value),
        "minutes": request.minutes,
        "reduceOnly": request.reduce_only,
        "randomize": request.randomize,
        "timestamp": twap.placed_ms,
        "trigger": trigger,
        "stopPx": stop,
    }


def twap_entry(event: TwapEvent, units: CoinUnits) -> dict[str, Json]:
    """Return a TWAP's status change, as listed by ``twapHistory``; its time is in seconds."""
    status: dict[str, Json] = {"status": str(event.twap.status)}
    if event.twap.status is TwapStatus.ERROR:
        status["description"] = event.error
    return {
        "time": event.time_ms // 1000,
        "state": twap_state(event.twap, units),
        "status": status,
        "twapId": event.twap.twap_id,
    }


def part_data(fill: Fill, units: CoinUnits) -> dict[str, Json]:
    """Return a fill of a TWAP's part, as in ``userTwapSliceFills``."""
    return {"fill": fill_data(fill, units), "twapId": fill.twap_id}
