"""At which prices a market traded."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from advanced_mm.research.candles import Candles

__all__ = ["BUCKETS", "VolumeProfile", "volume_profile"]

BUCKETS: Final = 50
_TOP: Final = 0.2


@dataclass(frozen=True)
class VolumeProfile:
    """Volume by price, over all candles: it describes a day once it is over.

    Attributes
    ----------
    frame
        One row a bucket, from the lowest price: ``low``, ``high`` (its edges, quote currency),
        ``volume`` (base units), ``trades``, ``close`` (mean of its closes, NaN without any),
        ``volume_pct``.
    price_bucket
        Bucket of each candle's close, from 0; −1 for a candle that was not observed.
    concentration_pct
        Share of the volume in the fifth of the buckets with the most of it.
    """

    frame: pd.DataFrame
    price_bucket: npt.NDArray[np.int64]
    concentration_pct: float


def volume_profile(candles: Candles, buckets: int = BUCKETS) -> VolumeProfile:
    """Sum volume and trades by the close's price bucket.

    The buckets are of equal width between the lowest low and the highest high. The lowest price
    belongs to the first bucket (a half-open first bucket would leave it out). A price that never
    moved is in the first bucket. Volumes are NaN if the source does not have them.
    """
    close = candles.frame["close"].to_numpy()
    low, high = np.nanmin(candles.frame["low"]), np.nanmax(candles.frame["high"])
    edges = np.linspace(low, high, buckets + 1)
    known = ~np.isnan(close)
    bucket = np.full(len(close), -1)
    bucket[known] = np.clip(np.searchsorted(edges, close[known], side="left") - 1, 0, buckets - 1)
    frame = pd.DataFrame({"low": edges[:-1], "high": edges[1:]})
    for name in ("volume", "trades"):
        weight = candles.frame[name].to_numpy()[known]
        frame[name] = np.bincount(bucket[known], weight, minlength=buckets)
    count = np.bincount(bucket[known], minlength=buckets)
    total = np.bincount(bucket[known], close[known], minlength=buckets)
    frame["close"] = total / np.where(count, count, np.nan)
    volume = frame["volume"].sum(skipna=False)
    frame["volume_pct"] = 100.0 * frame["volume"] / (volume if volume else np.nan)
    top = frame["volume_pct"].nlargest(round(_TOP * buckets)).sum(min_count=1)
    return VolumeProfile(frame, bucket, float(top))
