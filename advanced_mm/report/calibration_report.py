"""The calibration report: one page on what a recording says about a coin, and how surely."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from advanced_mm.calibration import (
    CalibrationOptions,
    CoinCalibration,
    Estimate,
    Sides,
    Window,
    calibrate,
)
from advanced_mm.calibration.toxicity import (
    COMPETITIVE_FROM,
    TOXIC_FROM,
    UNPROFITABLE_FROM,
    Economics,
    economics,
)
from advanced_mm.errors import InputError
from advanced_mm.marketdata import Recording
from advanced_mm.paper.recorded_books import RecordedBooks
from advanced_mm.report import calibration_panels as panels
from advanced_mm.report.charts import Chart, Series
from advanced_mm.report.page import Section, Table

Track = Callable[[Sequence[float], str], Iterable[float]]

__all__ = ["ReportInput", "report_sections"]

WINDOW_LENGTHS_MINUTES = (5.0, 10.0, 15.0, 30.0, 60.0, 120.0)
REFITS_OVER_TIME = 40
_UNITS = {
    "kappa": "κ (1 / quote currency)",
    "lambda": "λ (market orders per second)",
    "epsilon_fill": "ε_fill (quote currency)",
}


@dataclass(frozen=True)
class ReportInput:
    """What the report is made from.

    ``fee_rate`` is the maker fee as a share of the price; ``history`` the coin's published refits,
    columns as ``parameter_files.history`` reads them.
    """

    recording: Recording
    books: RecordedBooks
    window_minutes: float
    fee_rate: float
    options: CalibrationOptions
    history: pa.Table


def report_sections(data: ReportInput, track: Track) -> list[Section]:
    """Fit and describe; ``track`` shows progress over the repeated fits.

    Raises
    ------
    InputError
        The recording is empty.
    """
    fitted = calibrate(data.recording, window_minutes=data.window_minutes, options=data.options)
    start_ms = fitted.end_ms - round(data.window_minutes * 60_000)
    window = Window.of(data.recording, start_ms, fitted.end_ms, data.options.window)
    return [
        panels.estimates_table(fitted),
        toxicity_gauge(fitted, economics(fitted, fee_rate=data.fee_rate)),
        panels.reach_survival(window, fitted),
        panels.fill_impact(fitted),
        panels.regression_residuals(window, data.options.impact),
        panels.jump_tail(window, fitted),
        panels.order_sizes(window.orders),
        panels.book_depth(data.books),
        against_window_length(data, track),
        over_time(data, track),
        published(data.history),
        panels.coverage(window),
    ]


def toxicity_gauge(fitted: CoinCalibration, found: Economics) -> Section:
    """kappa*epsilon and kappa*epsilon_fill against the three regimes, and what a fill earns."""
    names = ["κ·ε per order +", "κ·ε per order −", "κ·ε_fill +", "κ·ε_fill −"]
    estimates = [
        found.sides.plus.kappa_epsilon,
        found.sides.minus.kappa_epsilon,
        found.sides.plus.kappa_epsilon_fill,
        found.sides.minus.kappa_epsilon_fill,
    ]
    known = [(n, e) for n, e in zip(names, estimates, strict=True) if np.isfinite(e.value)]
    count = len(known)
    chart = Chart(
        "Toxicity: below 1 profitable, 1 to 2 competitive, 2 and above toxic",
        "",
        "toxicity (dimensionless)",
        [
            Series(
                "toxicity, 95% interval",
                [n for n, _ in known],
                [e.value for _, e in known],
                "bars",
                low=[e.low for _, e in known],
                high=[e.high for _, e in known],
            ),
            Series("toxic from 2", [n for n, _ in known], [TOXIC_FROM] * count),
            Series("unprofitable from 1.5", [n for n, _ in known], [UNPROFITABLE_FROM] * count),
            Series(
                "competitive from 1", [n for n, _ in known], [COMPETITIVE_FROM] * count, dashed=True
            ),
        ],
    )
    rows = []
    for (_, _, name), side in zip(panels.SIDES, found.sides, strict=True):
        rows.append(
            [
                name,
                interval(side.kappa_epsilon_fill),
                str(side.regime or "–"),
                panels.number(side.optimal_depth),
                interval(side.expected_edge),
                interval(side.income_per_hour),
            ]
        )
    table = Table(
        "What a side earns at its optimal depth, after fee and with the impact slope "
        "(quote currency; income per hour for one unit of the base currency)",
        ["side", "κ·ε_fill", "regime", "optimal depth", "edge per fill", "income per hour"],
        rows,
    )
    both = interval(found.income_per_hour)
    paragraphs = [
        "Toxicity compares what a fill costs in adverse moves with the depth scale 1/κ. The number "
        "that decides is the edge: depth earned, less the move that comes with a fill that deep, "
        "less the fee.",
        f"The bot that holds 0 or 1 unit is expected to earn {both} per hour and "
        "unit (quote currency).",
        "No depth pays: do not quote here." if found.bot.no_depth_pays else "Some depth pays.",
    ]
    return Section("toxicity", "Toxicity and income", paragraphs, [chart], [table])


def against_window_length(data: ReportInput, track: Track) -> Section:
    """The estimates against the length of the window they were fitted on."""
    newest, oldest = data.recording.newest_ms, _first_ms(data.recording)
    if newest is None:
        raise InputError(f"{data.recording.coin}: the recording is empty; record it first.")
    recorded = (newest - oldest) / 60_000
    whole = min(recorded, WINDOW_LENGTHS_MINUTES[-1])
    lengths = [*(m for m in WINDOW_LENGTHS_MINUTES if m < whole), max(whole, 1.0)]
    fits = [
        calibrate(data.recording, window_minutes=m, options=data.options)
        for m in track(lengths, "window lengths")
    ]
    charts = _parameter_charts(lengths, "window (minutes)", fits)
    paragraphs = [
        "Longer windows are surer and older. Where the estimates drift with the length beyond "
        "their bands, the market has changed within the window.",
    ]
    return Section("lengths", "Estimates by the window's length", paragraphs, charts)


def over_time(data: ReportInput, track: Track) -> Section:
    """The estimates as refits would have found them along the recording."""
    newest, oldest = data.recording.newest_ms, _first_ms(data.recording)
    if newest is None:
        raise InputError(f"{data.recording.coin}: the recording is empty; record it first.")
    span = newest - oldest
    window = min(data.window_minutes, span / 60_000 / 2)
    ends = np.linspace(oldest + span / 2, newest, REFITS_OVER_TIME).astype(np.int64).tolist()
    fits = [
        calibrate(data.recording, window_minutes=window, end_ms=int(end), options=data.options)
        for end in track(ends, "refits over time")
    ]
    minutes = [(end - newest) / 60_000 for end in ends]
    charts = _parameter_charts(minutes, "minutes before the newest row", fits)
    counted: dict[str, int] = {}
    for fit in fits:
        counted[str(fit.status)] = counted.get(str(fit.status), 0) + 1
    table = Table(
        f"Verdicts of {len(fits)} refits on {window:.0f} minutes each",
        ["status", "refits"],
        [[status, str(count)] for status, count in counted.items()],
    )
    paragraphs = ["Each point is a fit that looks at nothing newer than itself."]
    return Section("over_time", "Estimates over time", paragraphs, charts, [table])


def published(history: pa.Table) -> Section:
    """What the runner published, with bands and statuses."""
    title = "Published refits"
    if history.num_rows == 0:
        return Section("published", title, ["The runner has published nothing for this coin yet."])
    columns = history.to_pydict()
    newest = columns["published_at"][-1]
    hours = np.array([(at - newest).total_seconds() / 3600 for at in columns["published_at"]])
    charts = []
    for name, label in _UNITS.items():
        series = []
        for sign in "+-":
            value, low, high = (
                np.array(columns[f"{name}{sign}{end}"], dtype=np.float64)
                for end in ("", "_low", "_high")
            )
            known = np.isfinite(value) & np.isfinite(low) & np.isfinite(high)
            series.append(
                Series(
                    f"{name}{sign}", hours[known], value[known], low=low[known], high=high[known]
                )
            )
        shown = [one for one in series if len(one.x)]
        charts.append(Chart(label, "hours before the newest refit", label, shown))
    rows = []
    for file in ("lambda", "kappa", "epsilon", "value_function"):
        statuses = columns[f"{file}_status"]
        counts = ", ".join(f"{s}: {statuses.count(s)}" for s in dict.fromkeys(statuses))
        rows.append([file, counts])
    table = Table(f"Statuses of {history.num_rows} refits", ["file", "refits by status"], rows)
    return Section("published", title, ["As the bot found them in its files."], charts, [table])


def interval(estimate: Estimate) -> str:
    """An estimate with its 95% interval."""
    if not np.isfinite(estimate.value):
        return "–"
    low, high = panels.number(estimate.low), panels.number(estimate.high)
    return f"{panels.number(estimate.value)} [{low}, {high}]"


def _parameter_charts(
    x: Sequence[float], x_label: str, fits: Sequence[CoinCalibration]
) -> list[Chart]:
    charts = []
    for name, label in _UNITS.items():
        pairs: list[Sides[Estimate]] = [panels.named_estimates(fit)[name] for fit in fits]
        series = [
            _with_band(f"{name}{sign}", x, [getattr(pair, side) for pair in pairs])
            for sign, side in (("+", "plus"), ("−", "minus"))
        ]
        charts.append(Chart(label, x_label, label, [s for s in series if len(s.x)]))
    return charts


def _with_band(name: str, x: Sequence[float], estimates: Sequence[Estimate]) -> Series:
    usable = [(at, e) for at, e in zip(x, estimates, strict=True) if e.usable]
    return Series(
        name,
        [at for at, _ in usable],
        [e.value for _, e in usable],
        low=[e.low for _, e in usable],
        high=[e.high for _, e in usable],
    )


def _first_ms(recording: Recording) -> int:
    times = [t for t in (recording.quotes.time_ms, recording.book_time_ms) if len(t)]
    return min((int(t[0]) for t in times), default=0)
