"""Messages for Telegram: that nothing is quoted, why, and that it is again."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from advanced_mm.quoting.quoter import kind_of

__all__ = ["REPEAT", "Notices"]

REPEAT: Final = timedelta(minutes=15)
"""A kind of reason is told of a pair at most this often."""

_LONGEST: Final = 500


@dataclass
class _Silence:
    """A time without a quote; ``told`` whether there was a message about it."""

    since: datetime
    told: bool = False


@dataclass
class _Pair:
    silence: _Silence | None = None
    told_at: dict[str, datetime] = field(default_factory=dict)


class Notices:
    """Decides when a person is to be told.

    Parameters
    ----------
    after_seconds
        So long nothing must have been quoted; None: there are no messages.
    """

    def __init__(self, after_seconds: float | None) -> None:
        self._after = None if after_seconds is None else timedelta(seconds=after_seconds)
        self._pairs: dict[str, _Pair] = {}

    def quoting(self, pair: str, now: datetime) -> str | None:
        """A quote of the pair rests or is being sent; return a message if one is due."""
        known = self._pairs.get(pair)
        if known is None or known.silence is None:
            return None
        silence, known.silence = known.silence, None
        if not silence.told:
            return None
        return f"{pair}: quoting again after {_length(now - silence.since)}."

    def silent(self, pair: str, reason: str, now: datetime, *, held: bool) -> str | None:
        """Nothing of the pair is quoted, for that reason; return a message if one is due."""
        if self._after is None:
            return None
        known = self._pairs.setdefault(pair, _Pair())
        if known.silence is None:
            known.silence = _Silence(now)
        kind, lasted = kind_of(reason), now - known.silence.since
        told_at = known.told_at.get(kind)
        if lasted < self._after or (told_at is not None and now - told_at < REPEAT):
            return None
        known.silence.told = True
        known.told_at[kind] = now
        position = " A position is held." if held else ""
        # Telegram reads Markdown, in which the underscores of settings would begin italics.
        words = reason[:_LONGEST].replace("`", "'")
        return f"{pair}: nothing quoted for {_length(lasted)}: `{words}`.{position}"


def _length(span: timedelta) -> str:
    seconds = round(span.total_seconds())
    return f"{seconds} s" if seconds < 120 else f"{seconds // 60} min"
