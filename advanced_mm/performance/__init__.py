"""What a record of fills earned, and why: attribution, markouts and figures."""

from advanced_mm.performance.assess import Account, Performance, account_change, assess
from advanced_mm.performance.attribution import Parts, attribute, total_of
from advanced_mm.performance.break_even import BreakEven, StatedCosts, break_even
from advanced_mm.performance.intervals import Figure
from advanced_mm.performance.mids import HORIZON_S, MidSource, RecordedMids, SeenMids
from advanced_mm.performance.records import BotSpan, Fills, Observations, Quotes, Record, Refusals
from advanced_mm.performance.running import (
    EarnedSoFar,
    LatestFill,
    RunningPerformance,
    earned_until,
)

__all__ = [
    "HORIZON_S",
    "Account",
    "BotSpan",
    "BreakEven",
    "EarnedSoFar",
    "Figure",
    "Fills",
    "LatestFill",
    "MidSource",
    "Observations",
    "Parts",
    "Performance",
    "Quotes",
    "Record",
    "RecordedMids",
    "Refusals",
    "RunningPerformance",
    "SeenMids",
    "StatedCosts",
    "account_change",
    "assess",
    "attribute",
    "break_even",
    "earned_until",
    "total_of",
]
