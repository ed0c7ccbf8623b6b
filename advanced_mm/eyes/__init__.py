"""What a bot sees over a websocket of its own, and how long it waits for something to see."""

from advanced_mm.eyes.background import BackgroundEyes
from advanced_mm.eyes.eyes import Eyes, Health
from advanced_mm.eyes.loop_wait import LoopWait

__all__ = ["BackgroundEyes", "Eyes", "Health", "LoopWait"]
