"""Charts, described once and drawn by Plotly for a page, or by ``pictures`` for a PNG."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

__all__ = [
    "COLOURS",
    "DARK_COLOURS",
    "FELL",
    "ROSE",
    "Chart",
    "Series",
    "chart_to_plotly",
    "colour_of",
    "is_times",
    "reaches",
]

Values = Sequence[float] | NDArray[np.float64] | NDArray[np.int64]
Times = NDArray[np.datetime64]
Kind = Literal["line", "step", "points", "bars", "stacked", "histogram", "candles", "levels"]
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
DARK_COLOURS = (
    "#60a5fa",
    "#f87171",
    "#34d399",
    "#fbbf24",
    "#a78bfa",
    "#22d3ee",
    "#94a3b8",
    "#f472b6",
    "#e2e8f0",
)
"""The same on a dark ground, in their order."""
_WITH_ERROR_BARS = ("bars", "points")
_TICKS_OF_TIME = [
    {"dtickrange": [None, 60_000], "value": "%H:%M:%S\n%b %-d"},
    {"dtickrange": [60_000, 86_400_000], "value": "%H:%M\n%b %-d"},
    {"dtickrange": [86_400_000, "M1"], "value": "%b %-d\n%Y"},
]
"""Short enough to stand beside each other on a telephone."""
_BARS_WITH_GAPS = 30
_FEW_DECADES = 2
ROSE, FELL = COLOURS[2], COLOURS[1]
_SYMBOLS: dict[Symbol, str] = {
    "circle": "circle",
    "ring": "circle-open",
    "triangle": "triangle-up",
    "triangle_down": "triangle-down",
    "diamond": "diamond-open",
    "square": "square-open",
    "cross": "x",
}


@dataclass(frozen=True)
class Series:
    """A named series: ``y`` against ``x``, or only the sample ``x`` for a histogram.

    ``low`` and ``high`` draw a band around a line, and error bars on bars and points. ``stacked``
    bars of all series are stacked above and below zero; their ``x`` are labels, or times in
    ISO 8601. ``candles`` are drawn from ``opens``, ``low``, ``high`` and their closes ``y``;
    ``levels`` are bars that lie: of length ``x`` at the height ``y``. ``colour`` is an index into
    ``COLOURS``, by default the series' position in its chart; related series share one. ``symbol``
    is the marker of points. A series on the ``right`` axis has a scale of its own.

    Equally spaced times (``datetime64``, UTC) take no space in a page, and their values half of
    what others take: seven digits.
    """

    name: str
    x: Values | Sequence[str] | Times
    y: Values = ()
    kind: Kind = "line"
    dashed: bool = False
    low: Values = ()
    high: Values = ()
    colour: int | None = None
    symbol: Symbol = "circle"
    opens: Values = ()
    right: bool = False


@dataclass(frozen=True)
class Chart:
    """A chart with its axes; labels include units. ``marks`` are named vertical lines.

    ``right_label`` is the label of the right axis, if a series is drawn against it.
    """

    title: str
    x_label: str
    y_label: str
    series: Sequence[Series]
    log_y: bool = False
    marks: Sequence[tuple[str, float]] = field(default=())
    right_label: str = ""

    @property
    def over_time(self) -> bool:
        """Whether the horizontal axis is one of times."""
        return any(is_times(series.x) for series in self.series)


def chart_to_plotly(chart: Chart) -> go.Figure:
    """Draw the chart for a page, with hover text, zoom and a legend that hides series."""
    figure = go.Figure()
    for number, series in enumerate(chart.series):
        colour = colour_of(series, number)
        if len(series.low) and series.kind not in (*_WITH_ERROR_BARS, "candles"):
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
    if chart.log_y:
        figure.update_yaxes(dtick=_log_ticks(chart))
    if chart.right_label:
        figure.update_layout(
            yaxis2={
                "title": chart.right_label,
                "automargin": True,
                "overlaying": "y",
                "side": "right",
                "tickmode": "auto",
                "showgrid": False,
                "zeroline": False,
                "exponentformat": "power",
            }
        )
    if chart.over_time:
        figure.update_xaxes(
            type="date",
            rangeslider_visible=False,
            nticks=5,
            tickangle=0,
            tickformatstops=_TICKS_OF_TIME,
        )
    named = any(series.kind == "stacked" for series in chart.series)
    if chart.over_time or chart.right_label or named:  # above the picture, clear of its ticks
        figure.update_layout(legend={"y": 1.02, "yanchor": "bottom"})
    if chart.over_time or any(series.kind == "levels" for series in chart.series):
        figure.update_layout(height=340)
    return figure


def _log_ticks(chart: Chart) -> str | int:
    """Return Plotly's distance of ticks: powers of 10, with 2 and 5 between them if few."""
    values = np.concatenate(
        [np.empty(0), *(np.asarray(series.y, np.float64) for series in chart.series)]
    )
    above = values[values > 0]
    decades = np.log10(above.max() / above.min()) if len(above) else 0.0
    return "D2" if decades < _FEW_DECADES else 1


def _plotly_trace(series: Series, colour: str) -> Any:
    errors = None
    if len(series.low) and series.kind in _WITH_ERROR_BARS:
        below, above = (reach.tolist() for reach in reaches(series))
        errors = {"type": "data", "symmetric": False, "array": above, "arrayminus": below}
    if series.kind == "candles":
        return go.Candlestick(
            x=_plotly_times(series.x),
            open=_small(series.opens),
            high=_small(series.high),
            low=_small(series.low),
            close=_small(series.y),
            name=series.name,
            increasing={"line": {"color": ROSE, "width": 1}},
            decreasing={"line": {"color": FELL, "width": 1}},
        )
    if series.kind == "levels":
        return go.Bar(
            x=_small(series.x), y=_small(series.y), orientation="h", name=series.name,
            marker_color=colour, marker_line_width=0,
        )  # fmt: skip
    if is_times(series.x):
        common = {
            **_plotly_grid(series.x), "y": _small(series.y), "name": series.name,
            "yaxis": "y2" if series.right else "y",
        }  # fmt: skip
        if series.kind == "bars":
            return go.Bar(**common, marker_color=colour, marker_line_width=0)
        style = {"color": colour, "dash": "dash" if series.dashed else "solid", "width": 1.5}
        return go.Scatter(**common, mode="lines", line=style)
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
        marker={"color": colour, "symbol": _SYMBOLS[series.symbol], "size": 7},
        error_y=errors,
        yaxis="y2" if series.right else "y",
    )


def _bar_mode(chart: Chart) -> str:
    kinds = {series.kind for series in chart.series}
    if "stacked" in kinds:
        return "relative"
    return "overlay" if "histogram" in kinds else "group"


def _bar_gap(chart: Chart) -> float | None:
    """Stacked bars that are many touch each other."""
    counts = [
        len(series.x)
        for series in chart.series
        if series.kind in ("stacked", "levels") or (series.kind == "bars" and is_times(series.x))
    ]
    if not counts:
        return None
    return 0.0 if max(counts) > _BARS_WITH_GAPS else 0.2


def colour_of(series: Series, place: int) -> str:
    """Return the colour of the series at that place of its chart."""
    return COLOURS[(place if series.colour is None else series.colour) % len(COLOURS)]


def reaches(series: Series) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return how far the interval reaches below and above each value; 0 if unknown."""
    value, low, high = (
        np.asarray(v, dtype=np.float64) for v in (series.y, series.low, series.high)
    )
    return np.nan_to_num(value - low), np.nan_to_num(high - value)


def is_times(values: object) -> bool:
    """Return whether a series runs over ``datetime64``."""
    return isinstance(values, np.ndarray) and values.dtype.kind == "M"


def _plotly_times(values: object) -> list[str]:
    """Return times as Plotly reads them, to the minute if they are whole minutes."""
    times = np.asarray(values, dtype="M8[s]")
    whole = (times == times.astype("M8[m]")).all()
    return list(np.datetime_as_string(times, unit="m" if whole else "s"))


def _plotly_grid(values: object) -> dict[str, Any]:
    """Return equally spaced times by their start and step, others as they are."""
    times = np.asarray(values, dtype="M8[ms]")
    steps = np.diff(times).astype(np.int64)
    if len(steps) and (steps == steps[0]).all():
        return {"x0": str(times[0]), "dx": int(steps[0])}
    return {"x": _plotly_times(times)}


def _small(values: object) -> NDArray[np.float32]:
    return np.asarray(values, dtype=np.float32)


def _plotly_band(series: Series, colour: str) -> go.Scatter:
    x: Any = series.x
    y: Any
    low, high = (np.asarray(values, dtype=np.float64) for values in (series.low, series.high))
    if is_times(x):
        x, y = _outlines(np.asarray(x), low, high)
    else:
        x, y = [*x, *reversed(x)], [*high, *low[::-1]]
    return go.Scatter(
        x=x,
        y=y,
        yaxis="y2" if series.right else "y",
        mode="lines",
        fill="toself",
        fillcolor=colour,
        opacity=0.15,
        line={"width": 0},
        hoverinfo="skip",
        showlegend=False,
        name=f"{series.name} (95%)",
    )


def _outlines(
    times: Times, low: NDArray[np.float64], high: NDArray[np.float64]
) -> tuple[list[str | None], NDArray[np.float32]]:
    """Return the outline of each stretch of a band that is known, with a gap between them."""
    known = np.isfinite(low) & np.isfinite(high)
    edges = np.flatnonzero(np.diff(np.concatenate(([False], known, [False])).astype(np.int8)))
    x: list[str | None] = []
    y: list[NDArray[np.float64]] = []
    for begin, end in edges.reshape(-1, 2):
        along = _plotly_times(times[begin:end])
        x += [*along, *reversed(along), None]
        y += [high[begin:end], low[begin:end][::-1], np.array([np.nan])]
    return x[:-1], _small(np.concatenate([np.empty(0), *y])[:-1])
