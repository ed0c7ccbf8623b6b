"""The pictures of a market: its candles and returns, and eight panels on what a maker asks."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import pandas as pd

from advanced_mm.report.charts import Chart, Series
from advanced_mm.report.research.drawn import Bins
from advanced_mm.report.research.study import BASIS_POINT, Study, spreads_bp
from advanced_mm.research.volume_profile import volume_profile

__all__ = ["PANELS", "Drawing", "Panel"]

_MOST_CANDLES: Final = 300
_MOST_POINTS: Final = 1440
"""A day of seconds is drawn in minutes: the page stays small and the picture the same."""


@dataclass(frozen=True)
class Panel:
    """One picture: its title, what it shows in a sentence, and how it is drawn."""

    title: str
    words: str
    draw: Callable[["Drawing"], Chart]


class Drawing:
    """A market, and the bins in which it is drawn."""

    def __init__(self, study: Study) -> None:
        self.study = study
        self.frame = study.candles.frame
        index, step = self.frame.index, study.candles.step_seconds
        self.bins = Bins(index, step, _MOST_POINTS)
        self.wide = Bins(index, step, _MOST_CANDLES)

    def column(self, name: str) -> pd.Series:
        """Return a column of the report; NaN where it is unknown."""
        return self.study.columns[name]

    def line(self, name: str, values: pd.Series, colour: int, *, right: bool = False) -> Series:
        """Return the mean of each wide bin."""
        return Series(name, self.wide.times, self.wide.mean(values), colour=colour, right=right)

    def band(self, name: str, values: pd.Series, colour: int, *, right: bool = False) -> Series:
        """Return the median of each wide bin, and a band from its 10th to its 90th percentile."""
        low, middle, high = self.wide.quantiles(values, 0.1, 0.5, 0.9)
        return Series(name, self.wide.times, middle, low=low, high=high, colour=colour, right=right)

    def last(self, name: str, values: pd.Series, colour: int, *, right: bool = False) -> Series:
        """Return the last value of each bin."""
        return Series(name, self.bins.times, self.bins.last(values), colour=colour, right=right)

    def chart(self, title: str, series: Sequence[Series], label: str, right: str = "") -> Chart:
        """Return a chart over time of those series that are known at all."""
        shown = [one for one in series if np.isfinite(np.asarray(one.y, np.float64)).any()]
        sides = {one.right for one in shown}
        if sides == {True}:  # nothing is left for the left axis
            return Chart(title, "", right, [replace(one, right=False) for one in shown])
        return Chart(title, "", label, shown, right_label=right if True in sides else "")


def _candles(drawing: Drawing) -> Chart:
    bins, frame = drawing.wide, drawing.frame
    low, high = (bins.quantiles(frame[name], share)[0] for name, share in (("low", 0), ("high", 1)))
    opens, closes = bins.first(frame["open"]), bins.last(frame["close"])
    known = np.isfinite(closes)
    series = Series(
        f"candles of a {bins.words}", bins.times[known], closes[known], kind="candles",
        low=low[known], high=high[known], opens=opens[known],
    )  # fmt: skip
    return drawing.chart(f"Candles of {_a(bins.words)}", [series], "price")


def _returns(drawing: Drawing) -> Chart:
    close = drawing.bins.last(drawing.frame["close"])
    moves = np.diff(np.log(close), prepend=np.nan) / BASIS_POINT
    since = np.log(close / drawing.bins.first(drawing.frame["close"])[0]) * 100
    times, length = drawing.bins.times, drawing.bins.words
    series = [
        Series(f"return of {_a(length)}", times, moves, colour=0),
        Series("since the start", times, since, colour=3, right=True),
    ]
    return drawing.chart("Returns", series, "bp", "%")


def _price(drawing: Drawing) -> Chart:
    upper, lower = (drawing.column(f"bb_{side}_300s") for side in ("upper", "lower"))
    bins = drawing.bins
    series = [
        Series("Bollinger upper", bins.times, bins.last(upper), dashed=True, colour=1),
        Series("lower", bins.times, bins.last(lower), dashed=True, colour=1),
        drawing.last("price", drawing.frame["close"], 0),
        drawing.band("volatility, 300 s", drawing.column("volatility_300s") / BASIS_POINT, 3,
                     right=True),
    ]  # fmt: skip
    return drawing.chart("Price and volatility", series, "price", "bp in 300 s")


def _volume(drawing: Drawing) -> Chart:
    bins = drawing.bins
    volume = Series("volume", bins.times, bins.total(drawing.frame["volume"]), "bars", colour=5)
    ratio = drawing.line("volume by its mean of 300 s", drawing.column("volume_ratio_300s"), 2,
                         right=True)  # fmt: skip
    return drawing.chart("Volume", [volume, ratio], f"base units {_per(bins.words)}", "ratio")


def _score(drawing: Drawing) -> Chart:
    spread = drawing.column("optimal_spread_300s") / BASIS_POINT
    series = [
        drawing.band("score", drawing.column("mm_opportunity_score"), 4),
        drawing.line("rule-of-thumb spread", spread, 1, right=True),
    ]
    return drawing.chart("Opportunity score", series, "points of 100", "bp")


def _flow(drawing: Drawing) -> Chart:
    spread = spreads_bp(drawing.study)
    series = [
        drawing.line("order flow", drawing.column("order_flow_imbalance"), 2),
        drawing.line("high–low range", drawing.column("hl_spread_bps"), 3, right=True),
    ]
    if spread.source != "none":
        series.append(drawing.line(spread.words, pd.Series(spread.values), 7, right=True))
    return drawing.chart("Order flow and spread", series, "taker buys' share less ½", "bp")


def _profile(drawing: Drawing) -> Chart:
    frame = volume_profile(drawing.study.candles).frame
    middle = ((frame["low"] + frame["high"]) / 2).to_numpy()
    share = frame["volume_pct"].to_numpy()
    levels = (
        [Series("volume", share, middle, "levels", colour=5)] if np.isfinite(share).any() else []
    )
    return Chart("Volume by price", "% of the volume", "price", levels)


def _risk(drawing: Drawing) -> Chart:
    distance = drawing.column("adverse_selection_risk") / BASIS_POINT
    series = [
        drawing.band("inventory risk", drawing.column("inventory_risk_300s"), 1),
        drawing.line("distance from the VWAP", distance, 3, right=True),
    ]
    return drawing.chart("Risk", series, "candles of flow", "bp")


def _theoretical(drawing: Drawing) -> Chart:
    series = [
        drawing.last("index of activity", drawing.column("theoretical_pnl_cumsum"), 2),
        drawing.line("its evenness", drawing.column("sharpe_ratio_300s"), 0, right=True),
    ]
    return drawing.chart(
        "Theoretical P&L: no income", series, "quote currency a unit", "mean by deviation"
    )


def _efficiency(drawing: Drawing) -> Chart:
    illiquidity = drawing.column("amihud_illiq_ma") / BASIS_POINT * 1e6
    series = [
        drawing.line("reversals", drawing.column("reversal_rate_300s"), 4),
        drawing.band("Amihud's illiquidity", illiquidity, 1, right=True),
    ]
    return drawing.chart("Efficiency", series, "share of candles", "bp a million of volume")


def _a(length: str) -> str:
    """Name a length with its article: "a minute", "an hour", "5 minutes"."""
    if length[0].isdigit():
        return length
    return f"an {length}" if length == "hour" else f"a {length}"


def _per(length: str) -> str:
    return f"in {_a(length)}"


PANELS: Final = (
    Panel("Candles", "Where the price went.", _candles),
    Panel("Returns", "How it went there; the second line is the sum since the start.", _returns),
    Panel(
        "Price and volatility",
        "The close between Bollinger's bands of 300 s (two deviations), and the deviation of the "
        "price's move in 300 s.",
        _price,
    ),
    Panel("Volume", "What was traded, and how that compares with the last 300 s.", _volume),
    Panel(
        "Opportunity score",
        "A heuristic of 0 to 100 points for conditions that suit a maker, judged only by what was "
        "known at the time; the spread beside it is a rule of thumb, too: look at its course, "
        "not at its level.",
        _score,
    ),
    Panel(
        "Order flow and spread",
        "Above zero takers buy more than they sell. The high–low range of a candle is what the "
        "price covered in it, not a spread.",
        _flow,
    ),
    Panel("Volume by price", "Where the market traded, in fifty buckets of the price.", _profile),
    Panel(
        "Risk",
        "How far the takers' net flow swung in 300 s, and how far the price stood from its mean.",
        _risk,
    ),
    Panel(
        "Theoretical P&L",
        "Half of each candle's range times its trades. Nobody could have earned it: it is an index "
        "of activity, shown because it is often taken for an income.",
        _theoretical,
    ),
    Panel(
        "Efficiency",
        "How often a move was taken back at once, and how far a million of volume moved the price.",
        _efficiency,
    ),
)
