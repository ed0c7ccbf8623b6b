"""What a record of fills earned, and why: attribution, markouts and figures."""

from advanced_mm.performance.assess import Account, Performance, account_change, assess
from advanced_mm.performance.attribution import Parts, attribute, total_of
from advanced_mm.performance.break_even import BreakEven, StatedCosts, break_even
from advanced_mm.performance.intervals import Figure
from advanced_mm.performance.mids import MidSource, RecordedMids, SeenMids
from advanced_mm.performance.records import BotSpan, Fills, Observations, Quotes, Record, Refusals

__all__ = [
    "Account",
    "BotSpan",
    "BreakEven",
    "Figure",
    "Fills",
    "MidSource",
    "Observations",
    "Parts",
    "Performance",
    "Quotes",
    "Record",
    "RecordedMids",
    "Refusals",
    "SeenMids",
    "StatedCosts",
    "account_change",
    "assess",
    "attribute",
    "break_even",
    "total_of",
]
