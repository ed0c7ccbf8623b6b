"""What candles prove: whether prices revert or trend, what foretells them, and who follows whom."""

from advanced_mm.research.statistics.foretelling import Foretelling, foretelling
from advanced_mm.research.statistics.hurst import Hurst, hurst_exponent
from advanced_mm.research.statistics.pair import Pair, compare
from advanced_mm.research.statistics.series import PriceSeries, price_series
from advanced_mm.research.statistics.spread import (
    LeastSpread,
    SpreadBursts,
    least_spread,
    spread_bursts,
)
from advanced_mm.research.statistics.variance_ratio import VarianceRatio, variance_ratios

__all__ = [
    "Foretelling",
    "Hurst",
    "LeastSpread",
    "Pair",
    "PriceSeries",
    "SpreadBursts",
    "VarianceRatio",
    "compare",
    "foretelling",
    "hurst_exponent",
    "least_spread",
    "price_series",
    "spread_bursts",
    "variance_ratios",
]
