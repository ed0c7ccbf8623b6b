"""Lists of fills in Hyperliquid's wire format, aggregated on request."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import groupby

from advanced_mm.markets.units import CoinUnits
from advanced_mm.venue.engine.orders import Fill
from advanced_mm.venue.protocol.messages.order_messages import fill_data
from advanced_mm.venue.protocol.messages.wire_views import Json, decimal_text

__all__ = ["fills_data"]


def fills_data(
    fills: Iterable[Fill], units: Mapping[str, CoinUnits], aggregate: bool = False
) -> list[Json]:
    """Return fills in wire format.

    With ``aggregate``, an aggressive order's fills of the same time are merged into one, with their
    mean price and the first one's number. Fills of a resting order stay separate.
    """
    if not aggregate:
        return [fill_data(one, units[one.coin]) for one in fills]
    return [_together(list(same), units) for _, same in groupby(fills, key=_order_taking)]


def _order_taking(fill: Fill) -> tuple[int, ...]:
    return (fill.oid, fill.time_ms) if fill.crossed else (fill.oid, fill.time_ms, fill.tid)


def _together(fills: list[Fill], units: Mapping[str, CoinUnits]) -> dict[str, Json]:
    first = min(fills, key=lambda one: one.tid)
    unit = units[first.coin]
    if len(fills) == 1:
        return fill_data(first, unit)
    lots = sum(one.lots for one in fills)
    whole = replace(
        first,
        lots=lots,
        fee=sum(one.fee for one in fills),
        builder_fee=sum(one.builder_fee for one in fills),
        closed_pnl=sum(one.closed_pnl for one in fills),
    )
    mean = unit.price(1) * sum(one.lots * one.price for one in fills) / lots
    return {**fill_data(whole, unit), "px": decimal_text(mean)}
