"""What a bot sees over a websocket of its own, and how long it waits for something to see."""

from advanced_mm.eyes.background import BackgroundEyes
from advanced_mm.eyes.eyes import OLDEST_BOOK_SECONDS, Eyes, Health
from advanced_mm.eyes.loop_wait import LoopWait, takes_over_pacing

__all__ = [
    "OLDEST_BOOK_SECONDS",
    "BackgroundEyes",
    "Eyes",
    "Health",
    "LoopWait",
    "takes_over_pacing",
]
