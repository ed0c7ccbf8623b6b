"""No entry shortly before a position would pay funding."""

from datetime import datetime, timedelta
from typing import Final

from advanced_mm.quoting.guards.verdict import Verdict

__all__ = ["FUNDING", "funding_verdict"]

FUNDING: Final = "funding"


def funding_verdict(
    rate: float | None, most_bp: float | None, seconds: float, now: datetime
) -> Verdict | None:
    """Return why one side must not be opened before the next full hour; None if both may.

    Parameters
    ----------
    rate
        Of the hour, as a share of the position's value; positive where longs pay. None: unknown.
    most_bp
        Funding that a new position may pay, bp of its value; None: any.
    seconds
        Time before the payment in which it counts. Whoever opens earlier has the hour's time to
        close, and most positions are closed within minutes.
    """
    if rate is None or most_bp is None or abs(rate) * 1e4 <= most_bp:
        return None
    hour = now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    left = (hour - now).total_seconds()
    if left > seconds:
        return None
    payer = "long" if rate > 0 else "short"
    return Verdict(
        FUNDING,
        f"funding: a {payer} position pays {abs(rate) * 1e4:.2f} bp in {left:.0f} s, at most "
        f"{most_bp:g} bp allowed",
        sides=frozenset({"bid" if rate > 0 else "ask"}),
    )
