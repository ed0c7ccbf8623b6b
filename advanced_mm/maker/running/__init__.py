"""The running maker: one market's ladder kept at rest, and all markets of one process."""

from advanced_mm.maker.running.keeper import Keeper
from advanced_mm.maker.running.maker import Maker

__all__ = ["Keeper", "Maker"]
