"""A window of records, where it was observed, and the statistics common to all estimators."""

from advanced_mm.calibration.windows.blocks import TimeBlocks, block_covariance
from advanced_mm.calibration.windows.bootstrap import BlockBootstrap
from advanced_mm.calibration.windows.channels import ChannelHole
from advanced_mm.calibration.windows.coverage import Stretches
from advanced_mm.calibration.windows.estimate import Estimate, Sides, Status
from advanced_mm.calibration.windows.mid_path import MidPath
from advanced_mm.calibration.windows.window import MarketOrders, Window, WindowOptions

__all__ = [
    "BlockBootstrap",
    "ChannelHole",
    "Estimate",
    "MarketOrders",
    "MidPath",
    "Sides",
    "Status",
    "Stretches",
    "TimeBlocks",
    "Window",
    "WindowOptions",
    "block_covariance",
]
