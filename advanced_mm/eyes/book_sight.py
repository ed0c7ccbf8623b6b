"""The newest book of one coin, put together from the touch and the books that the venue sends."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["BookSight"]

Level = dict[str, Any]
"""As on the wire: px and sz are decimal strings, n counts orders."""


@dataclass(frozen=True, slots=True)
class _Seen:
    time_ms: int
    sides: tuple[list[Level], list[Level]]


class BookSight:
    """One coin's touch (``bbo``, on change) and books (``l2Book``: 5 levels often, 20 seldom).

    Each message holds the whole of what it shows, so none depends on another. One that is older
    than what was already seen on its channel is left out.
    """

    def __init__(self) -> None:
        self._touch: _Seen | None = None
        self._near: _Seen | None = None
        self._deep: _Seen | None = None

    @property
    def time_ms(self) -> int | None:
        """Exchange time of the newest message (epoch ms); None before the first."""
        times = [one.time_ms for one in (self._touch, self._near, self._deep) if one is not None]
        return max(times, default=None)

    def touch(self, data: Mapping[str, Any]) -> bool:
        """Take a ``bbo`` message; return whether a best price or the size at it changed.

        Raises
        ------
        KeyError, TypeError, ValueError
            The message is malformed.
        """
        bid, ask = data["bbo"]
        sides = ([] if bid is None else [_checked(bid)], [] if ask is None else [_checked(ask)])
        return self._take("_touch", _Seen(int(data["time"]), sides))

    def book(self, data: Mapping[str, Any], most_levels: int = 5) -> bool:
        """Take an ``l2Book`` message; return whether a best price or the size at it changed.

        A book of more than ``most_levels`` levels is the deep one. Raises like `touch`.
        """
        bids, asks = ([_checked(level) for level in side] for side in data["levels"])
        seen = _Seen(int(data["time"]), (bids, asks))
        deep = not data.get("fast", max(len(bids), len(asks)) <= most_levels)
        return self._take("_deep" if deep else "_near", seen)

    def _take(self, name: str, seen: _Seen) -> bool:
        known: _Seen | None = getattr(self, name)
        if known is not None and seen.time_ms < known.time_ms:
            return False
        before = self._best()
        setattr(self, name, seen)
        return self._best() != before

    def levels(self) -> tuple[list[Level], list[Level]] | None:
        """Return bids and asks, best first, as of `time_ms`; None while a side is unknown.

        The best level is that of the newest message. What lies deeper than the newest book shows is
        from the last one that showed it, some seconds old: good enough to measure a queue.
        """
        sides = tuple(self._side(number) for number in (0, 1))
        if not all(sides):
            return None
        bids, asks = sides
        if float(bids[0]["px"]) >= float(asks[0]["px"]):
            return None
        return bids, asks

    def _side(self, number: int) -> list[Level]:
        sign = 1 if number == 0 else -1
        sources = [
            (one.time_ms, one.sides[number])
            for one in (self._touch, self._near, self._deep)
            if one is not None
        ]
        sources.sort(key=lambda one: one[0], reverse=True)
        joined: list[Level] = []
        for _, levels in sources:
            if not joined:
                if not levels:
                    return []  # the newest message says that this side is empty
                joined = list(levels)
                continue
            deepest = float(joined[-1]["px"])
            joined += [one for one in levels if sign * (deepest - float(one["px"])) > 0]
        return joined

    def _best(self) -> tuple[tuple[str, str] | None, ...]:
        """Return price and size at the touch: the size moves the fair price."""
        sides = (self._side(0), self._side(1))
        return tuple((side[0]["px"], side[0]["sz"]) if side else None for side in sides)


def _checked(level: Mapping[str, Any]) -> Level:
    price, size = float(level["px"]), float(level["sz"])
    if not (math.isfinite(price) and price > 0 and math.isfinite(size) and size >= 0):
        raise ValueError(f"px {level['px']!r}, sz {level['sz']!r}")
    return dict(level)
