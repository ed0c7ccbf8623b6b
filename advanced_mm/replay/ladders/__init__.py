"""Policies' ladders, many orders a side, replayed on recorded ticks."""

from advanced_mm.replay.ladders.run import LadderOptions, replay_ladder, run_ladder
from advanced_mm.replay.ladders.sight import FairPrices

__all__ = ["FairPrices", "LadderOptions", "replay_ladder", "run_ladder"]
