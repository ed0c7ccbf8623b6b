"""This machine's clock against the venue's."""

from collections.abc import Callable
from typing import Final

from advanced_mm.doctor.lines import Line, fault, ok, warning
from advanced_mm.doctor.venue import Venue

__all__ = ["examine_clock"]

_BEHIND_SECONDS: Final = 0.5
_AHEAD_SECONDS: Final = 1.75
"""Books are up to a second old where the clock is right; a bot whose book looks older than this
asks over REST instead of using its websocket."""
_OFF_SECONDS: Final = 5.0
"""From here on, parameters or data are taken for those of the future, or for too old."""
_SET: Final = "switch time synchronization on: timedatectl set-ntp true"


def examine_clock(venue: Venue, coin: str, now: Callable[[], float]) -> Line:
    """Compare the clock with the time of a book, as the bot will see it.

    Raises
    ------
    VenueError
        The venue does not answer.
    """
    before = now()
    told = venue.book_time(coin)
    ahead = (before + now()) / 2 - told
    apart = abs(ahead)
    if -_BEHIND_SECONDS <= ahead <= _AHEAD_SECONDS:
        return ok("clock", f"agrees with the venue's: a book looks {max(ahead, 0):.1f} s old")
    text = f"{apart:.1f} s {'ahead of' if ahead > 0 else 'behind'} the venue's"
    if apart >= _OFF_SECONDS:
        return fault("clock", f"{text}: nothing is quoted", _SET)
    return warning("clock", f"{text}: the bot's websocket looks late, quotes are late too", _SET)
