"""Charts drawn by matplotlib into a PNG, for a document or a machine without a browser."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure

from advanced_mm.report.charts import (
    FELL,
    ROSE,
    Chart,
    Series,
    Symbol,
    colour_of,
    is_times,
    reaches,
)

__all__ = ["chart_to_png", "charts_to_png"]

_SIZE_INCHES = (8.0, 4.5)
_DOTS_PER_INCH = 120
_MARKERS: dict[Symbol, tuple[str, Literal["full", "none"]]] = {
    "circle": ("o", "full"),
    "ring": ("o", "none"),
    "triangle": ("^", "full"),
    "triangle_down": ("v", "full"),
    "diamond": ("D", "none"),
    "square": ("s", "none"),
    "cross": ("x", "full"),
}
"""matplotlib's marker and its fill style."""


def chart_to_png(chart: Chart, path: Path) -> None:
    """Draw the chart into a PNG file.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    charts_to_png([chart], path, columns=1)


def charts_to_png(charts: Sequence[Chart], path: Path, columns: int = 2) -> None:
    """Draw charts into one PNG file, row by row.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    rows = -(-len(charts) // columns)
    width, height = _SIZE_INCHES
    size = (width * columns, height * rows)
    figure = Figure(figsize=size, dpi=_DOTS_PER_INCH, layout="constrained")
    places = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, chart in zip(places, charts, strict=False):
        _draw(axes, chart)
    for axes in places[len(charts) :]:
        axes.set_axis_off()
    figure.savefig(path)


def _draw(left: Axes, chart: Chart) -> None:
    right = left.twinx() if chart.right_label else left
    _draw_bars(left, chart)
    for number, series in enumerate(chart.series):
        if series.kind not in ("bars", "stacked"):
            _draw_one(right if series.right else left, series, colour_of(series, number))
    for name, place in chart.marks:
        left.axvline(place, linestyle=":", color="#64748b")
        left.annotate(name, (place, 1.0), xycoords=("data", "axes fraction"), va="bottom")
    left.set(xlabel=chart.x_label, ylabel=chart.y_label)
    left.set_title(chart.title, pad=18 if chart.marks else 6)
    left.set_yscale("log" if chart.log_y else "linear")
    left.grid(alpha=0.25)
    if chart.over_time:
        ticks: Any = AutoDateLocator(maxticks=8)  # type: ignore[no-untyped-call]
        left.xaxis.set_major_locator(ticks)
        left.xaxis.set_major_formatter(ConciseDateFormatter(ticks))  # type: ignore[no-untyped-call]
    handles, names = left.get_legend_handles_labels()
    if chart.right_label:
        right.set_ylabel(chart.right_label)
        more = right.get_legend_handles_labels()
        handles, names = handles + more[0], names + more[1]
    if handles:
        right.legend(handles, names, fontsize="small")


def _draw_bars(axes: Axes, chart: Chart) -> None:
    """Draw bars beside each other, and stacked ones above and below zero."""
    bars = [series for series in chart.series if series.kind == "bars"]
    below = above = np.zeros(1)  # where the next stacked bars begin
    for number, series in enumerate(chart.series):
        colour = colour_of(series, number)
        if series.kind == "stacked":
            heights = np.asarray(series.y, dtype=np.float64)
            starts = np.where(heights < 0, below, above)
            axes.bar(series.x, heights, 1.0, starts, label=series.name, color=colour)
            below = below + np.minimum(heights, 0.0)
            above = above + np.maximum(heights, 0.0)
        elif series.kind == "bars" and is_times(series.x):
            x: Any = series.x  # one shape: a thousand bars of their own take a second
            axes.fill_between(
                x, 0, series.y, step="mid", label=series.name, color=colour, linewidth=0
            )
        elif series.kind == "bars":
            width = 0.8 / len(bars)
            shift = (bars.index(series) - (len(bars) - 1) / 2) * width
            places = [place + shift for place in range(len(series.x))]
            errors = reaches(series) if len(series.low) else None
            axes.bar(
                places, series.y, width, yerr=errors, label=series.name, color=colour, capsize=4
            )
            labels = [str(label) for label in series.x]
            axes.set_xticks(range(len(labels)), labels, fontsize="small")


def _draw_one(axes: Axes, series: Series, colour: str) -> None:
    style = "--" if series.dashed else "-"
    if series.kind == "candles":
        _draw_candles(axes, series)
        return
    if series.kind == "levels":
        gaps = np.diff(series.y)
        thickness = gaps.min() if len(gaps) else 0.8
        axes.barh(series.y, series.x, thickness, label=series.name, color=colour)
    elif series.kind == "histogram":
        axes.hist(series.x, bins=80, density=True, alpha=0.55, label=series.name, color=colour)
    elif series.kind == "points":
        marker, filling = _MARKERS[series.symbol]
        axes.plot(series.x, series.y, marker, label=series.name, color=colour, fillstyle=filling)
    elif series.kind == "step":
        axes.step(series.x, series.y, style, where="mid", label=series.name, color=colour)
    else:
        axes.plot(series.x, series.y, style, label=series.name, color=colour)
    if len(series.low) and series.kind == "points":
        axes.errorbar(series.x, series.y, reaches(series), fmt="none", ecolor=colour, capsize=4)
    elif len(series.low):
        axes.fill_between(series.x, series.low, series.high, color=colour, alpha=0.15)


def _draw_candles(axes: Axes, series: Series) -> None:
    """Draw a line from low to high and a thicker one from open to close, green if it rose."""
    opens, closes, low, high = (
        np.asarray(values, dtype=np.float64)
        for values in (series.opens, series.y, series.low, series.high)
    )
    for these, colour in ((closes >= opens, ROSE), (closes < opens, FELL)):
        places = np.asarray(series.x)[these]
        axes.vlines(places, low[these], high[these], colors=colour, linewidth=0.5)
        axes.vlines(places, opens[these], closes[these], colors=colour, linewidth=1.5)
