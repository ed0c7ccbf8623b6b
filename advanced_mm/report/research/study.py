"""A market under study: its candles and columns, and the few figures that everything quotes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np
import pandas as pd

from advanced_mm.marketdata.records import Float1D
from advanced_mm.report.research.tested import Tested
from advanced_mm.report.screener import CoinScreen
from advanced_mm.research.candles import Candles

__all__ = [
    "BASIS_POINT",
    "Figures",
    "Spread",
    "Study",
    "figures_of",
    "labelled",
    "mids",
    "spreads_bp",
]

BASIS_POINT: Final = 1e-4
SpreadSource = Literal["quotes", "Roll", "tick", "none"]


@dataclass(frozen=True)
class Study:
    """Candles of one market, their columns (same index) and the fee they are judged by.

    ``fee_bp`` is the maker fee in basis points of the price; ``screened`` what the screener says of
    the coin on ``stake`` (quote currency), if there is a recording. ``label`` stands for the
    market's name where that is long.
    """

    candles: Candles
    columns: pd.DataFrame
    fee_bp: float
    screened: CoinScreen | None = None
    stake: float = 1000.0
    tested: Tested | None = None
    label: str = ""

    @property
    def name(self) -> str:
        """The market's name, as a heading shows it."""
        return self.label or self.candles.name


@dataclass(frozen=True)
class Spread:
    """The spread of each candle, basis points, shape (n,), and how it is known."""

    values: Float1D
    source: SpreadSource

    @property
    def words(self) -> str:
        """What this spread is, for a sentence."""
        return {
            "quotes": "spread",
            "Roll": "spread by Roll's estimate",
            "tick": "least possible spread",
            "none": "spread",
        }[self.source]


@dataclass(frozen=True)
class Figures:
    """What one asks first of a market; NaN where the source does not say.

    ``spread_bp`` is the mean spread and ``volatility_bp`` the standard deviation of the mid's (or,
    without quotes, the close's) one-second move, both basis points and as the screener has them;
    volumes in the quote currency; ``quiet`` the share of known candles without a trade;
    ``taker_buy`` the buyers' share of the volume.
    """

    start: pd.Timestamp
    end: pd.Timestamp
    price: float
    spread_bp: float
    spread_source: SpreadSource
    tick_bp: float
    volatility_bp: float
    volume_per_day: float
    trades_per_day: float
    quiet: float
    taker_buy: float


def labelled(studies: Sequence[Study]) -> list[Study]:
    """Leave out the sources, as in ``ETH (Hyperliquid recording)``, where names differ without."""
    if len(studies) == 1:
        return list(studies)
    short = [study.candles.name.split(" (")[0] for study in studies]
    if len(set(short)) < len(short):
        return list(studies)
    return [replace(study, label=name) for study, name in zip(studies, short, strict=True)]


def mids(candles: Candles) -> Float1D:
    """Return the mid at the end of each candle; the close where a source has no quotes."""
    frame = candles.frame
    if "bid" in frame and frame["bid"].notna().any():
        return np.asarray((frame["bid"] + frame["ask"]) / 2, dtype=np.float64)
    return np.asarray(frame["close"], dtype=np.float64)


def spreads_bp(study: Study) -> Spread:
    """Return the best that is known of the spread: of the quotes, Roll's estimate, or the tick."""
    frame = study.candles.frame
    price = mids(study.candles)
    if "spread" in frame and frame["spread"].notna().any():
        return Spread(frame["spread"].to_numpy(np.float64) / price / BASIS_POINT, "quotes")
    roll = study.columns.get("roll_spread")
    if roll is not None and (roll > 0).any():
        return Spread(roll.to_numpy(np.float64) / BASIS_POINT, "Roll")
    if study.candles.tick:
        return Spread(study.candles.tick / price / BASIS_POINT, "tick")
    return Spread(np.full(len(frame), np.nan), "none")


def figures_of(study: Study) -> Figures:
    """Return the figures of a market."""
    candles, frame = study.candles, study.candles.frame
    step = candles.step_seconds
    price, spread = mids(candles), spreads_bp(study)
    known = frame["close"].notna().to_numpy()
    days = known.sum() * step / 86_400
    volume = frame["quote_volume"].to_numpy(np.float64)
    if not np.isfinite(volume).any():
        volume = (frame["volume"] * frame["close"]).to_numpy(np.float64)
    bought = frame["taker_buy_volume"].sum(min_count=1)
    typical = mean(price)
    return Figures(
        start=frame.index[0],
        end=frame.index[-1] + pd.Timedelta(seconds=step),
        price=typical,
        spread_bp=mean(spread.values),
        spread_source=spread.source,
        tick_bp=(candles.tick or np.nan) / typical / BASIS_POINT,
        volatility_bp=volatility_bp(price, step),
        volume_per_day=total(volume) / days if days else np.nan,
        trades_per_day=total(frame["trades"].to_numpy(np.float64)) / days if days else np.nan,
        quiet=float((frame["volume"].to_numpy()[known] == 0).mean()) if known.any() else np.nan,
        taker_buy=float(bought / frame["volume"].sum()) if frame["volume"].sum() > 0 else np.nan,
    )


def volatility_bp(price: Float1D, step_seconds: int) -> float:
    """Return the standard deviation of the price's move in one second, basis points."""
    moves = np.diff(price)
    moves = moves[np.isfinite(moves)]
    if len(moves) < 2:
        return float("nan")
    return float(moves.std() / np.sqrt(step_seconds) / mean(price) / BASIS_POINT)


def mean(values: Float1D) -> float:
    """Return the mean of what is known, NaN if nothing is."""
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else float("nan")


def total(values: Float1D) -> float:
    """Return the sum of what is known, NaN if nothing is."""
    known = values[np.isfinite(values)]
    return float(known.sum()) if len(known) else float("nan")
