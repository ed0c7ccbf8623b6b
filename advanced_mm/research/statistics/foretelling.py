"""Did one-sided order flow foretell the price here?

The rule of thumb: when takers bought far more than they sold the price is about to rise, and the
other way round. Here it is put to the test, at several thresholds and horizons.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from advanced_mm.marketdata.records import Float1D
from advanced_mm.research.candles import Candles
from advanced_mm.research.statistics.series import forward, newey_west, price_series

__all__ = ["Foretelling", "foretelling", "imbalance"]

THRESHOLDS: Final = (0.3, 0.6, 0.9)
HORIZONS: Final = (1, 10, 60)
_FEWEST: Final = 20
_SURE: Final = 1.96


@dataclass(frozen=True)
class Foretelling:
    """What the price did after one-sided flow, compared with after all other candles.

    Attributes
    ----------
    side
        ``buying`` if the imbalance was above the threshold, ``selling`` if below its negative.
    threshold
        Of (bought - sold) / traded, by takers within a candle, 0 to 1.
    horizon_seconds
        How far ahead, counted from the candle's end.
    signals
        Candles with such flow and a known outcome.
    move_bp
        Mean further move of the log price after them, less that after candles with neither such
        buying nor such selling, in bp, upwards positive.
    t
        Its t-statistic by Newey and West, whose errors allow for outcomes that overlap.
    right
        Share of the moves that went in the flow's direction, of those that moved at all.
    price
        Whether of the mid or of the close. A close after buying tends to be an ask, and falls back.
    """

    side: Literal["buying", "selling"]
    threshold: float
    horizon_seconds: int
    signals: int
    move_bp: float
    t: float
    right: float
    price: Literal["mid", "close"]

    @property
    def foretold(self) -> bool | None:
        """Whether the price followed the flow: None if it may be chance (95%)."""
        if abs(self.t) < _SURE:
            return None
        return (self.move_bp > 0) == (self.side == "buying")


def imbalance(candles: Candles) -> Float1D:
    """Return (bought - sold) / traded of each candle, NaN without trades or where unknown."""
    volume = candles.frame["volume"].to_numpy(float)
    bought = candles.frame["taker_buy_volume"].to_numpy(float)
    traded = np.where(volume > 0, volume, np.nan)
    return np.asarray(2 * bought / traded - 1)


def foretelling(
    candles: Candles,
    thresholds: Sequence[float] = THRESHOLDS,
    horizons_seconds: Sequence[int] = HORIZONS,
) -> tuple[Foretelling, ...]:
    """Return what one-sided flow foretold, by threshold, horizon and side.

    Horizons must be whole numbers of candles; if none is, they count candles instead of seconds.
    Empty if the source does not tell who bought. Cases with fewer than 20 signals on either side
    are left out.
    """
    series = price_series(candles)
    flow = imbalance(candles)
    step = candles.step_seconds
    steps = [h // step for h in horizons_seconds if h % step == 0] or list(horizons_seconds)
    observed = np.isfinite(candles.frame["volume"].to_numpy(float))
    if not np.isfinite(flow).any():
        return ()
    found: list[Foretelling] = []
    for ahead in steps:
        move = 1e4 * forward(series.log_price, ahead)
        move[~observed] = np.nan  # what flowed is unknown
        known = np.isfinite(move)
        for threshold in thresholds:
            buying, selling = flow > threshold, flow < -threshold
            counts = [int((known & one).sum()) for one in (buying, selling)]
            if min(counts) < _FEWEST:
                continue
            fit = newey_west(move, np.column_stack((buying, selling)).astype(float), ahead)
            if fit is None:
                continue
            for side, one, sign, place in (
                ("buying", buying, 1, 0),
                ("selling", selling, -1, 1),
            ):
                after = sign * move[known & one]
                moved = np.count_nonzero(after)
                found.append(
                    Foretelling(
                        side=side,  # type: ignore[arg-type]
                        threshold=threshold,
                        horizon_seconds=ahead * step,
                        signals=counts[place],
                        move_bp=float(fit[0][place]),
                        t=float(fit[1][place]),
                        right=float((after > 0).sum() / moved) if moved else float("nan"),
                        price=series.kind,
                    )
                )
    return tuple(found)
