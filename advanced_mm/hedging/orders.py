"""An order of a hedge, from the request to the last fill.

================  =======================================================================
phase             meaning
================  =======================================================================
``sent``          requested; no reply yet
``resting``       the exchange has it
``cancelling``    its cancel was requested
``doubt``         the reply was lost; it is looked up until it is found or certainly absent
``ended``         off the book, but not every fill the exchange counts has been told yet
================  =======================================================================

An order without any further news is dropped (None): refused, absent, or ended with all its fills.
While it is kept, nothing else is sent for its purpose.
"""

from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from typing import Final

from advanced_mm.hedging.market import Side
from advanced_mm.hedging.messages import (
    Accepted,
    Cancel,
    Doubted,
    Ended,
    Filled,
    LookUp,
    NotFound,
    OrderNews,
    Refused,
    Wish,
)

__all__ = ["ClientIds", "HedgeOrder", "Kind", "Phase"]

_LOOK_AGAIN_MS: Final = 2_000
_LOOK_AT_RESTING_MS: Final = 60_000
"""In case the stream lost an update without saying so."""


class Kind(StrEnum):
    """What kind of order it is."""

    LIMIT = "limit"
    MARKET = "market"
    TRIGGER = "trigger"


class Phase(StrEnum):
    """Where an order is on its way; see the module."""

    SENT = "sent"
    RESTING = "resting"
    CANCELLING = "cancelling"
    DOUBT = "doubt"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class ClientIds:
    """Unique client ids of one machine: a beginning of its own, and a number.

    Parameters
    ----------
    prefix
        27 characters: ``0x`` and hexadecimal digits, which no other machine's ids begin with.
    following
        Number of the next order; ids have 128 bits, as Hyperliquid demands and Binance accepts.
    """

    prefix: str
    following: int = 0

    def take(self) -> tuple[str, "ClientIds"]:
        """Return a new client id, and the numbering that goes on from it."""
        client_id = f"{self.prefix}{self.following:07x}"
        return client_id, replace(self, following=self.following + 1)

    def owns(self, client_id: str) -> bool:
        """Return whether this machine, in this run or one it was restored from, made the id."""
        return client_id.lower().startswith(self.prefix)


@dataclass(frozen=True, slots=True)
class HedgeOrder:
    """An order; see the module.

    Parameters
    ----------
    price
        Limit or trigger price, quote currency; of a market order the price it was decided at.
    sent_ms, looked_ms
        When it was sent, and when something about it was last asked or learnt.
    filled
        Sum of the fills told, base currency.
    told_filled
        What the exchange counted when it ended; None before.
    """

    client_id: str
    kind: Kind
    side: Side
    size: Decimal
    price: Decimal
    sent_ms: int
    looked_ms: int
    phase: Phase = Phase.SENT
    filled: Decimal = Decimal(0)
    told_filled: Decimal | None = None

    @property
    def left(self) -> Decimal:
        """What is still to be traded, base currency."""
        return self.size - self.filled

    def after(self, news: OrderNews) -> "HedgeOrder | None":
        """Return the order after news about it; a fill must not have been counted before."""
        order = replace(self, looked_ms=max(self.looked_ms, news.time_ms))
        match news:
            case Accepted():
                known = order.phase in (Phase.CANCELLING, Phase.ENDED)
                return order if known else replace(order, phase=Phase.RESTING)
            case Refused():
                return order if order.filled else None
            case Doubted():
                sent = order.phase is Phase.SENT
                return replace(order, phase=Phase.DOUBT) if sent else order
            case NotFound():
                return None
            case Filled():
                unsure = order.phase in (Phase.SENT, Phase.DOUBT)
                phase = Phase.RESTING if unsure else order.phase
                return replace(order, filled=order.filled + news.size, phase=phase)._settled()
            case Ended():
                told = max(news.filled, order.told_filled or Decimal(0))
                return replace(order, phase=Phase.ENDED, told_filled=told)._settled()
            case _:
                return order

    def _settled(self) -> "HedgeOrder | None":
        if self.filled >= self.size:
            return None
        return None if self.told_filled is not None and self.filled >= self.told_filled else self

    def due(self, now_ms: int) -> bool:
        """Return whether it should be looked up."""
        waits = self.phase is Phase.RESTING and self.kind is not Kind.MARKET
        patience = _LOOK_AT_RESTING_MS if waits else _LOOK_AGAIN_MS
        return now_ms >= self.looked_ms + patience

    def look_up(self, now_ms: int) -> "tuple[HedgeOrder, list[Wish]]":
        """Ask what became of the order; a cancel that may have been lost is asked for again."""
        again: list[Wish] = [Cancel(self.client_id)] if self.phase is Phase.CANCELLING else []
        return replace(self, looked_ms=now_ms), [*again, LookUp(self.client_id)]

    def cancel(self, now_ms: int) -> "tuple[HedgeOrder, list[Wish]]":
        """Ask for the order's cancel."""
        order = replace(self, phase=Phase.CANCELLING, looked_ms=now_ms)
        return order, [Cancel(self.client_id)]
