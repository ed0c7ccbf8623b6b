"""A ladder within the guards: what enlarges a position goes or moves away, the rest stays."""

from collections.abc import Sequence
from dataclasses import replace

from advanced_mm.policies import Ladder, Level
from advanced_mm.quoting.guards import Ruling

__all__ = ["guarded"]


def guarded(
    ladder: Ladder,
    mid: float,
    position: float,
    bid: Ruling,
    ask: Ruling,
    most_value: float | None = None,
) -> Ladder:
    """Return what of a ladder is allowed.

    Parameters
    ----------
    position
        What is held beyond the target, base currency, signed.
    bid, ask
        What the guards say of entries on each side.
    most_value
        Value that a position may have, quote currency; None: any.
    """
    bids = _side(ladder.bids, mid, position, bid, most_value)
    asks = _side(ladder.asks, mid, -position, ask, most_value)
    refused = [one.refusal for one in (bid, ask) if one.refusal is not None]
    reason = ladder.reason
    if refused and (len(bids), len(asks)) != (len(ladder.bids), len(ladder.asks)):
        reason = refused[0]
    return replace(ladder, bids=bids, asks=asks, reason=reason)


def _side(
    levels: Sequence[Level], mid: float, held: float, ruling: Ruling, most_value: float | None
) -> tuple[Level, ...]:
    """``held`` is positive where filling the side would enlarge it."""
    reducing = max(0.0, -held)
    found = []
    room = float("inf") if most_value is None else max(0.0, most_value / mid - max(held, 0.0))
    for level in levels:
        reduces = min(level.size, reducing)
        reducing -= reduces
        opens = 0.0 if ruling.refusal is not None else min(level.size - reduces, room)
        room -= opens
        if reduces > 0:
            # A level that does both is not moved away: its first part must be filled soon.
            found.append(Level(level.price, reduces + opens))
        elif opens > 0:
            price = mid + (level.price - mid) * ruling.widen
            if price > 0:
                found.append(Level(price, opens))
    return tuple(found)
