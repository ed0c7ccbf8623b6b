"""Margin tables: one tier per coin for all sizes; numbered by the coin's maximum leverage."""

from collections.abc import Iterable

from advanced_mm.markets.market import CoinSpec
from advanced_mm.venue.protocol.messages.wire_views import Json

__all__ = ["margin_table", "margin_tables"]


def margin_table(max_leverage: int) -> dict[str, Json]:
    """Return the table of coins with this maximum leverage."""
    return {
        "description": "",
        "marginTiers": [{"lowerBound": "0.0", "maxLeverage": max_leverage}],
    }


def margin_tables(specs: Iterable[CoinSpec]) -> list[Json]:
    """Return the tables of these coins with their numbers."""
    leverages = sorted({spec.max_leverage for spec in specs})
    return [[leverage, margin_table(leverage)] for leverage in leverages]
