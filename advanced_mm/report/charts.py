"""Charts, described once and drawn by Plotly for a page or by matplotlib for a PNG."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import plotly.graph_objects as go
from matplotlib.figure import Figure
from numpy.typing import NDArray

__all__ = ["Chart", "Series", "chart_to_plotly", "chart_to_png"]

Values = Sequence[float] | NDArray[np.float64] | NDArray[np.int64]
Kind = Literal["line", "step", "points", "bars", "stacked", "histogram"]
Symbol = Literal["circle", "ring", "triangle", "triangle_down", "diamond", "square", "cross"]

COLOURS = (
    "#2563eb",
    "#dc2626",
    "#059669",
    "#d97706",
    "#7c3aed",
    "#0891b2",
    "#64748b",
    "#be185d",
    "#0f172a",
)
_WITH_ERROR_BARS = ("bars", "points")
_BARS_WITH_GAPS = 30
_SIZE_INCHES = (8.0, 4.5)
_DOTS_PER_INCH = 120
_SYMBOLS: dict[Symbol, tuple[str, str, Literal["full", "none"]]] = {
    "circle": ("circle", "o", "full"),
    "ring": ("circle-open", "o", "none"),
    "triangle": ("triangle-up", "^", "full"),
    "triangle_down": ("triangle-down", "v", "full"),
    "diamond": ("diamond-open", "D", "none"),
    "square": ("square-open", "s", "none"),
    "cross": ("x", "x", "full"),
}
"""Plotly's name, matplotlib's marker and its fill style."""


@dataclass(frozen=True)
class Series:
    """A named series: ``y`` against ``x``, or only the sample ``x`` for a histogram.

    ``low`` and ``high`` draw a band around a line, and error bars on bars and points. ``stacked``
    bars of all series are stacked above and below zero; their ``x`` are labels, or times in
    ISO 8601. ``colour`` is an index into ``COLOURS``, by default the series' position in its chart;
    related series share one. ``symbol`` is the marker of points.
    """

    name: str
    x: Values | Sequence[str]
    y: Values = ()
    kind: Kind = "line"
    dashed: bool = False
    low: Values = ()
    high: Values = ()
    colour: int | None = None
    symbol: Symbol = "circle"


@dataclass(frozen=True)
class Chart:
    """A chart with its axes; labels include units. ``marks`` are named vertical lines."""

    title: str
    x_label: str
    y_label: str
    series: Sequence[Series]
    log_y: bool = False
    marks: Sequence[tuple[str, float]] = field(default=())


def chart_to_plotly(chart: Chart) -> go.Figure:
    """Draw the chart for a page, with hover text, zoom and a legend that hides series."""
    figure = go.Figure()
    for number, series in enumerate(chart.series):
        colour = _colour(series, number)
        if len(series.low) and series.kind not in _WITH_ERROR_BARS:
            figure.add_trace(_plotly_band(series, colour))
        figure.add_trace(_plotly_trace(series, colour))
    for name, place in chart.marks:
        figure.add_vline(x=place, line_dash="dot", line_color="#64748b", annotation_text=name)
    figure.update_layout(
        title=chart.title,
        template="plotly_white",
        barmode=_bar_mode(chart),
        bargap=_bar_gap(chart),
        xaxis={"title": chart.x_label, "exponentformat": "power", "automargin": True},
        yaxis={
            "title": chart.y_label,
            "automargin": True,
            "type": "log" if chart.log_y else "linear",
            "exponentformat": "power",
        },
        legend={"orientation": "h", "y": -0.2},
        height=460,
    )
    return figure


def chart_to_png(chart: Chart, path: Path) -> None:
    """Draw the chart into a PNG file.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    figure = Figure(figsize=_SIZE_INCHES, dpi=_DOTS_PER_INCH, layout="constrained")
    axes = figure.subplots()
    bars = [series for series in chart.series if series.kind == "bars"]
    below = above = np.zeros(1)  # where the next stacked bars begin
    for number, series in enumerate(chart.series):
        colour = _colour(series, number)
        style = "--" if series.dashed else "-"
        if series.kind == "bars":
            width = 0.8 / len(bars)
            shift = (bars.index(series) - (len(bars) - 1) / 2) * width
            places = [place + shift for place in range(len(series.x))]
            errors = _reaches(series) if len(series.low) else None
            axes.bar(
                places, series.y, width, yerr=errors, label=series.name, color=colour, capsize=4
            )
            labels = [str(label) for label in series.x]
            axes.set_xticks(range(len(labels)), labels, fontsize="small")
        elif series.kind == "stacked":
            heights = np.asarray(series.y, dtype=np.float64)
            starts = np.where(heights < 0, below, above)
            axes.bar(series.x, heights, 1.0, starts, label=series.name, color=colour)
            below = below + np.minimum(heights, 0.0)
            above = above + np.maximum(heights, 0.0)
        elif series.kind == "histogram":
            axes.hist(series.x, bins=80, density=True, alpha=0.55, label=series.name, color=colour)
        elif series.kind == "points":
            _, marker, filling = _SYMBOLS[series.symbol]
            axes.plot(
                series.x, series.y, marker, label=series.name, color=colour, fillstyle=filling
            )
        elif series.kind == "step":
            axes.step(series.x, series.y, style, where="mid", label=series.name, color=colour)
        else:
            axes.plot(series.x, series.y, style, label=series.name, color=colour)
        if len(series.low) and series.kind == "points":
            axes.errorbar(
                series.x, series.y, _reaches(series), fmt="none", ecolor=colour, capsize=4
            )
        elif len(series.low) and series.kind != "bars":
            axes.fill_between(series.x, series.low, series.high, color=colour, alpha=0.15)
    for name, place in chart.marks:
        axes.axvline(place, linestyle=":", color="#64748b")
        axes.annotate(name, (place, 1.0), xycoords=("data", "axes fraction"), va="bottom")
    axes.set(xlabel=chart.x_label, ylabel=chart.y_label)
    axes.set_title(chart.title, pad=18 if chart.marks else 6)
    axes.set_yscale("log" if chart.log_y else "linear")
    axes.grid(alpha=0.25)
    axes.legend(fontsize="small")
    figure.savefig(path)


def _plotly_trace(series: Series, colour: str) -> go.Scatter | go.Bar | go.Histogram:
    errors = None
    if len(series.low) and series.kind in _WITH_ERROR_BARS:
        below, above = (reach.tolist() for reach in _reaches(series))
        errors = {"type": "data", "symmetric": False, "array": above, "arrayminus": below}
    if series.kind == "stacked":
        return go.Bar(
            x=list(series.x), y=list(series.y), name=series.name, marker_color=colour,
            marker_line_width=0,
        )  # fmt: skip
    if series.kind == "bars":
        labels = [str(label).replace("\n", "<br>") for label in series.x]
        return go.Bar(
            x=labels, y=list(series.y), name=series.name, marker_color=colour, error_y=errors
        )
    if series.kind == "histogram":
        return go.Histogram(
            x=list(series.x),
            name=series.name,
            marker_color=colour,
            opacity=0.55,
            histnorm="probability density",
            nbinsx=120,
        )
    return go.Scatter(
        x=list(series.x),
        y=list(series.y),
        name=series.name,
        mode="markers" if series.kind == "points" else "lines",
        line={
            "color": colour,
            "dash": "dash" if series.dashed else "solid",
            "shape": "hvh" if series.kind == "step" else "linear",
        },
        marker={"color": colour, "symbol": _SYMBOLS[series.symbol][0], "size": 7},
        error_y=errors,
    )


def _bar_mode(chart: Chart) -> str:
    kinds = {series.kind for series in chart.series}
    if "stacked" in kinds:
        return "relative"
    return "overlay" if "histogram" in kinds else "group"


def _bar_gap(chart: Chart) -> float | None:
    """Stacked bars that are many touch each other."""
    counts = [len(series.x) for series in chart.series if series.kind == "stacked"]
    if not counts:
        return None
    return 0.0 if max(counts) > _BARS_WITH_GAPS else 0.2


def _colour(series: Series, place: int) -> str:
    return COLOURS[(place if series.colour is None else series.colour) % len(COLOURS)]


def _reaches(series: Series) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return how far the interval reaches below and above each value; 0 if unknown."""
    value, low, high = (
        np.asarray(v, dtype=np.float64) for v in (series.y, series.low, series.high)
    )
    return np.nan_to_num(value - low), np.nan_to_num(high - value)


def _plotly_band(series: Series, colour: str) -> go.Scatter:
    return go.Scatter(
        x=[*series.x, *reversed(series.x)],
        y=[*series.high, *reversed(series.low)],
        mode="lines",
        fill="toself",
        fillcolor=colour,
        opacity=0.15,
        line={"width": 0},
        hoverinfo="skip",
        showlegend=False,
        name=f"{series.name} (95%)",
    )
