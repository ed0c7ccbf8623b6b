"""The replies of /exchange, in Hyperliquid's wire format; numbers are strings."""

from collections.abc import Iterable, Sequence
from typing import Literal

from advanced_mm.markets.units import CoinUnits
from advanced_mm.venue.engine.exchange import Grouping
from advanced_mm.venue.engine.orders import Order, Outcome
from advanced_mm.venue.protocol.messages.wire_views import Json, decimal_text

__all__ = [
    "cancel_statuses",
    "done",
    "order_statuses",
    "refused",
    "settled",
    "statuses_reply",
]

NO_MATCH = "Order could not immediately match against any resting orders."


def done(kind: str = "default", data: Json = None) -> dict[str, Json]:
    """Build the reply to an executed action, with optional ``data``."""
    response: dict[str, Json] = {"type": kind}
    if data is not None:
        response["data"] = data
    return {"status": "ok", "response": response}


def refused(sentence: str) -> dict[str, Json]:
    """Build the reply to a refused action."""
    return {"status": "err", "response": sentence}


def settled(error: str | None) -> dict[str, Json]:
    """Build the reply to an action that was executed (None) or refused with an error."""
    return done() if error is None else refused(error)


def statuses_reply(kind: Literal["order", "cancel"], statuses: Sequence[Json]) -> dict[str, Json]:
    """Build the reply to an executed batch, with a status for each part."""
    return done(kind, {"statuses": statuses})


def order_statuses(
    outcomes: Iterable[Outcome],
    assets: Iterable[int],
    units: Iterable[CoinUnits | None],
    grouping: Grouping,
) -> list[Json]:
    """Return the statuses of new or modified orders; ``assets`` and ``units`` are the orders'.

    The status of a group's child is a plain string: it waits for its parent or its trigger.
    """
    statuses: list[Json] = []
    waiting = "waitingForFill" if grouping == "normalTpsl" else "waitingForTrigger"
    for outcome, asset, unit in zip(outcomes, assets, units, strict=True):
        order = outcome.order
        if order is None or unit is None:
            statuses.append({"error": f"{outcome.error} asset={asset}"})
        elif grouping != "na" and order.request.trigger is not None:
            statuses.append(waiting)
        elif not order.status.ended:
            statuses.append({"resting": _number(order)})
        elif outcome.average_price is None:
            # It met only the account's own orders, which were removed instead.
            statuses.append({"error": f"{NO_MATCH} asset={asset}"})
        else:
            filled = {
                "totalSz": unit.size_text(order.filled),
                "avgPx": decimal_text(outcome.average_price),
            }
            statuses.append({"filled": {**filled, **_number(order)}})
    return statuses


def cancel_statuses(outcomes: Iterable[Outcome], assets: Iterable[int]) -> list[Json]:
    """Return the statuses of cancels."""
    return [
        "success" if outcome.error is None else {"error": f"{outcome.error} asset={asset}"}
        for outcome, asset in zip(outcomes, assets, strict=True)
    ]


def _number(order: Order) -> dict[str, Json]:
    number: dict[str, Json] = {"oid": order.oid}
    if order.request.cloid is not None:
        number["cloid"] = order.request.cloid
    return number
