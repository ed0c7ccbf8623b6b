"""Where the money came from, exactly: spread, adverse selection, inventory, fees, funding.

A fill of signed size ``s·z`` at price ``p``, with the mid at ``m`` just before it and ``m_h`` after
the horizon, changes the equity of an account that is valued at ``M`` in the end by

    s·z·(M − p) − fee  =  s·z·(m − p)      spread captured
                       +  s·z·(m_h − m)    adverse selection, mostly negative
                       +  s·z·(M − m_h)    inventory
                       −  fee

Summed over fills the last two are Σ q·Δmid, whatever path the position took: partial fills, flips
and fills of one moment need no case of their own. The opening position's move is inventory.

Without a known mid a fill's price stands in for it: nothing of it counts as spread. Without a known
markout nothing counts as adverse selection. Both then are part of the inventory, and are counted.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from advanced_mm.marketdata.records import Float1D
from advanced_mm.performance.records import Fills

__all__ = ["Attribution", "FillParts", "Parts", "attribute", "fill_parts", "total_of"]


@dataclass(frozen=True)
class Parts:
    """The change of equity and what it consists of, quote currency; the five simply add up to it.

    ``turnover`` is Σ price·size. ``with_mid`` and ``with_markout`` count the fills whose mid and
    whose move until the horizon are known.
    """

    equity_change: float
    spread_captured: float
    adverse_selection: float
    inventory: float
    fees: float
    funding: float
    turnover: float
    fills: int
    with_mid: int
    with_markout: int

    @property
    def parts(self) -> dict[str, float]:
        """The five that add up."""
        return {name: getattr(self, name) for name in PART_NAMES}


PART_NAMES = ("spread_captured", "adverse_selection", "inventory", "fees", "funding")


@dataclass(frozen=True)
class FillParts:
    """The parts of each fill, quote currency; shapes (n,).

    ``fees`` are negative where they were paid. ``known_mid`` and ``known_markout`` are 1 or 0.
    """

    spread: Float1D
    adverse: Float1D
    inventory: Float1D
    fees: Float1D
    known_mid: Float1D
    known_markout: Float1D

    @property
    def total(self) -> Float1D:
        """Each fill's change of equity until the end."""
        return self.spread + self.adverse + self.inventory + self.fees


@dataclass(frozen=True)
class Attribution:
    """One account's parts, of each fill and together."""

    by_fill: FillParts
    parts: Parts


def fill_parts(fills: Fills, mid: Float1D, mid_after: Float1D, end_mark: float) -> FillParts:
    """Split what each fill earned until the end.

    Parameters
    ----------
    fills
        Shape (n,).
    mid, mid_after
        The mid before each fill and after the horizon, NaN where it is not known; shape (n,).
    end_mark
        The price that the account is valued at in the end.
    """
    signed = fills.signed_size
    known_mid = np.isfinite(mid)
    known_after = known_mid & np.isfinite(mid_after)
    at_fill = np.where(known_mid, mid, fills.price)
    after = np.where(known_after, mid_after, at_fill)
    return FillParts(
        spread=signed * (at_fill - fills.price),
        adverse=signed * (after - at_fill),
        inventory=signed * (end_mark - after),
        fees=-fills.fee,
        known_mid=known_mid.astype(np.float64),
        known_markout=known_after.astype(np.float64),
    )


def attribute(
    fills: Fills,
    mid: Float1D,
    mid_after: Float1D,
    end_mark: float,
    *,
    opening: float = 0.0,
    start_mark: float = 0.0,
    funding: float = 0.0,
) -> Attribution:
    """Split one account's change of equity.

    Parameters
    ----------
    fills, mid, mid_after, end_mark
        As in `fill_parts`.
    opening, start_mark
        Position at the start, base currency, and the price it was valued at; the price plays no
        part without a position.
    funding
        Funding received, quote currency; negative where it was paid.

    Returns
    -------
    Attribution
        Its ``equity_change`` is that of a plain account of cash and position, not the sum of the
        parts; the two agree but for rounding.
    """
    by_fill = fill_parts(fills, mid, mid_after, end_mark)
    signed = fills.signed_size
    closing = math.fsum([opening, *signed])
    cash = math.fsum([*(-signed * fills.price), *by_fill.fees, funding])
    parts = Parts(
        equity_change=math.fsum([cash, closing * end_mark, -opening * start_mark]),
        spread_captured=math.fsum(by_fill.spread),
        adverse_selection=math.fsum(by_fill.adverse),
        inventory=math.fsum([*by_fill.inventory, opening * (end_mark - start_mark)]),
        fees=math.fsum(by_fill.fees),
        funding=funding,
        turnover=math.fsum(fills.price * fills.size),
        fills=len(fills),
        with_mid=int(by_fill.known_mid.sum()),
        with_markout=int(by_fill.known_markout.sum()),
    )
    return Attribution(by_fill, parts)


def total_of(several: Iterable[Parts]) -> Parts:
    """Add up the parts of accounts or coins."""
    rows = list(several)
    sums: dict[str, Any] = {
        field.name: math.fsum(getattr(row, field.name) for row in rows) for field in fields(Parts)
    }
    for name in ("fills", "with_mid", "with_markout"):
        sums[name] = int(sums[name])
    return Parts(**sums)
