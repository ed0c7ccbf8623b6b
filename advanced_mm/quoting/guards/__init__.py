"""Guards: when to stay out, or further away, whatever the parameters say.

Each guard is a small class or function of what was seen and of the time it is given. All act on
entries alone: an order that reduces a position keeps resting and is replaced as ever. Parameters
that are stale or toxic, too little edge and a book in doubt are the quoter's own refusals.
"""

from advanced_mm.quoting.guards.account import AccountGuard, AccountMark
from advanced_mm.quoting.guards.flow import MarketOrder
from advanced_mm.quoting.guards.position import room
from advanced_mm.quoting.guards.risk_guards import GuardChange, RiskGuards
from advanced_mm.quoting.guards.spread import narrow_round_trip
from advanced_mm.quoting.guards.verdict import Ruling, Verdict

__all__ = [
    "AccountGuard",
    "AccountMark",
    "GuardChange",
    "MarketOrder",
    "RiskGuards",
    "Ruling",
    "Verdict",
    "narrow_round_trip",
    "room",
]
