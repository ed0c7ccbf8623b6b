"""Tick replay: what a bot's decisions would have earned on a recording."""

from advanced_mm.replay.decisions import DecisionTable, fixed_bp, fixed_depth
from advanced_mm.replay.events import ReplayData, load_recording
from advanced_mm.replay.options import QUEUES, FundingRates, Queue, ReplayOptions
from advanced_mm.replay.result import ReplayResult
from advanced_mm.replay.run import replay, replay_range

__all__ = [
    "QUEUES",
    "DecisionTable",
    "FundingRates",
    "Queue",
    "ReplayData",
    "ReplayOptions",
    "ReplayResult",
    "fixed_bp",
    "fixed_depth",
    "load_recording",
    "replay",
    "replay_range",
]
