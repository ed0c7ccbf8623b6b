"""What happened: one store of typed events, written by a bot, a maker or a replay."""

from advanced_mm.journal.events import (
    EVENTS,
    BadRowsCounted,
    ClockJumped,
    Event,
    Fill,
    Funding,
    Look,
    QuoteEnded,
    QuoteSent,
    RefusalChanged,
    RequestsUsed,
)

__all__ = [
    "EVENTS",
    "BadRowsCounted",
    "ClockJumped",
    "Event",
    "Fill",
    "Funding",
    "Look",
    "QuoteEnded",
    "QuoteSent",
    "RefusalChanged",
    "RequestsUsed",
]
