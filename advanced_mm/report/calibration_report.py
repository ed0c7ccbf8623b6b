"""The calibration report: one page on what a recording says about a coin, and how reliably."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from advanced_mm.calibration import (
    CalibrationOptions,
    CoinCalibration,
    Estimate,
    Window,
    calibrate,
)
from advanced_mm.calibration.toxicity import (
    COMPETITIVE_FROM,
    TOXIC_FROM,
    UNPROFITABLE_FROM,
    Economics,
    SideEconomics,
    economics,
)
from advanced_mm.errors import InputError
from advanced_mm.marketdata import Recording
from advanced_mm.marketdata.records import Float1D
from advanced_mm.markets.recorded_books import RecordedBooks
from advanced_mm.parameter_files.settings import FairPrice
from advanced_mm.report import calibration_panels as panels
from advanced_mm.report.charts import Chart, Series, Symbol
from advanced_mm.report.fair_price_panel import fair_price
from advanced_mm.report.page import Section, Table

Track = Callable[[Sequence[float], str], Iterable[float]]

__all__ = ["ReportInput", "report_sections"]

WINDOW_LENGTHS_MINUTES = (5.0, 10.0, 15.0, 30.0, 60.0, 120.0)
REFITS_OVER_TIME = 40
REGIME_LINES = (
    ("toxic from 2", TOXIC_FROM, 1),
    ("unprofitable from 1.5", UNPROFITABLE_FROM, 3),
    ("competitive from 1", COMPETITIVE_FROM, 2),
)  # red, orange, green of `charts.COLOURS`
MOST_DRAWN = 1_500  # published refits; a page with all refits of a month would be 100 MB
PARAMETERS = {
    "lambda": "λ (market orders per second)",
    "lambda0": "λ₀ (fills per second at depth 0)",
    "kappa": "κ (1 / quote currency)",
    "epsilon": "ε per market order (quote currency)",
    "epsilon_fill": "ε_fill (quote currency)",
}
"""The parameters drawn over time, with their axis labels, by key in the parameter files."""
_FILE_OF = {
    "lambda": "lambda",
    "lambda0": "lambda",
    "kappa": "kappa",
    "epsilon": "epsilon",
    "epsilon_fill": "epsilon",
}
_STATUS_SYMBOLS: dict[str, Symbol] = {
    "pooled": "ring",
    "bound": "triangle",
    "misfit": "diamond",
    "stale": "square",
    "insufficient": "cross",
}
_STATUS_MARKS = (
    "Bands are 95% intervals. Points mark estimates that are not ok: rings are pooled with the "
    "other side, triangles are upper bounds, diamonds are curves that fail their goodness-of-fit "
    "test, squares are stale; a cross on the axis means that there was no estimate."
)


@dataclass(frozen=True)
class ReportInput:
    """The report's input.

    ``fee_rate`` is the maker fee as a share of the price; ``history`` the coin's published refits
    in the columns of ``parameter_files.history``; ``quote_age_seconds`` the age at which quotes are
    replaced, ``fair_price`` the price that they are set around (setting of that name).
    """

    recording: Recording
    books: RecordedBooks
    window_minutes: float
    fee_rate: float
    options: CalibrationOptions
    history: pa.Table
    quote_age_seconds: float = 0.0
    fair_price: FairPrice = "imbalance"


def report_sections(data: ReportInput, track: Track) -> list[Section]:
    """Fit the recording and describe the fits; ``track`` shows progress over the repeated fits.

    Raises
    ------
    InputError
        If the recording is empty.
    """
    fitted = calibrate(data.recording, window_minutes=data.window_minutes, options=data.options)
    start_ms = fitted.end_ms - round(data.window_minutes * 60_000)
    window = Window.of(data.recording, start_ms, fitted.end_ms, data.options.window)
    terms = {"fee_rate": data.fee_rate, "quote_age_seconds": data.quote_age_seconds}
    used = fitted.around(data.fair_price)
    worth = economics(used, **terms)
    return [
        panels.estimates_table(fitted),
        toxicity_gauge(used, worth, data.fee_rate, data.quote_age_seconds),
        panels.reach_survival(window, fitted),
        panels.fill_impact(fitted),
        fair_price(window, fitted, data.options, **terms),
        panels.regression_residuals(window, data.options.impact),
        panels.jump_tail(window, fitted),
        panels.order_sizes(window.orders),
        panels.book_depth(data.books, start_ms, fitted.end_ms),
        against_window_length(data, track),
        over_time(data, track),
        published(data.history),
        panels.coverage(window),
    ]


def toxicity_gauge(
    fitted: CoinCalibration, found: Economics, fee_rate: float, quote_age_seconds: float = 0.0
) -> Section:
    """Show kappa*epsilon and kappa*epsilon_fill by regime, and what a fill earns."""
    names = ["κ·ε per order +", "κ·ε per order −", "κ·ε_fill +", "κ·ε_fill −"]
    estimates = [
        found.sides.plus.kappa_epsilon,
        found.sides.minus.kappa_epsilon,
        found.sides.plus.kappa_epsilon_fill,
        found.sides.minus.kappa_epsilon_fill,
    ]
    known = [(n, e) for n, e in zip(names, estimates, strict=True) if np.isfinite(e.value)]
    count = len(known)
    series = [
        Series(
            "toxicity, 95% interval",
            [n for n, _ in known],
            [e.value for _, e in known],
            "bars",
            low=[e.low for _, e in known],
            high=[e.high for _, e in known],
        ),
        *(
            Series(name, [n for n, _ in known], [at] * count, dashed=True, colour=colour)
            for name, at, colour in REGIME_LINES
        ),
    ]
    chart = Chart(
        "Toxicity: below 1 profitable, 1 to 2 competitive, 2 and above toxic",
        "",
        "toxicity (dimensionless)",
        series if known else [],
    )
    worth = [_side_cells(side) for side in found.sides]
    table = Table(
        "What each side alone earns after fee and adverse move, at the best measured depth "
        "(quote currency; income per hour for one unit of the base currency)",
        ["", *(name for _, _, name in panels.SIDES)],
        [[name, *(cells[name] for cells in worth)] for name in worth[0]],
    )
    paragraphs = [
        "Toxicity compares the adverse move of a fill with the depth scale 1/κ. The number that "
        "decides is the edge: the depth earned, less the move after a fill at that depth, less the "
        "fee.",
        f"Quotes are set around the {fitted.anchor}. They are taken to rest for "
        f"{quote_age_seconds:g} s: the depth earned is that left when the mid has moved meanwhile, "
        "about κσ²t less than the one decided on.",
        f"The fee is {panels.number(1e4 * fee_rate)} bp of the mid of {fitted.mid:.7g}: "
        f"{panels.number(found.fee)} per fill and unit (quote currency).",
        *_judgement(found, fitted.anchor),
    ]
    return Section("toxicity", "Toxicity and income", paragraphs, [chart], [table])


def _judgement(found: Economics, anchor: str) -> Iterator[str]:
    """State in words whether to quote, or why this cannot be told."""
    bot = found.bot
    income = f"{interval(bot.income_per_hour)} per hour and unit (quote currency)"
    if not bot.income_per_hour.usable:
        missing = [
            f"{name}, {side.expected_edge.reason}"
            for (_, _, name), side in zip(panels.SIDES, found.sides, strict=True)
            if not side.expected_edge.usable
        ]
        yield f"There is not enough data to tell what quoting earns: {'; '.join(missing)}."
        return
    depths = (
        f"with the ask at {panels.number(bot.ask_depth)} and the bid at "
        f"{panels.number(bot.bid_depth)} from the {anchor}"
    )
    if not bot.no_depth_pays:
        yield f"A bot that holds 0 or 1 unit is expected to earn {income}, {depths}."
        if bot.income_per_hour.low <= 0:
            yield "Its interval includes a loss."
    else:
        yield f"A bot that holds 0 or 1 unit is expected to lose, {depths}: {income}."
        if bot.income_per_hour.high > 0:
            yield "Its interval includes a gain."
        if found.no_depth_pays:
            yield "No measured depth pays: do not quote this market at this fee."
        else:
            yield "One side has a depth that pays, but a round trip has none: do not quote here."
    yield (
        "These depths account for a move that grows with the depth, but are limited to the depths "
        "that were measured. With epsilon_source fill_slope the bot does the same, without that "
        "limit; by default it uses one ε_fill for every depth. Either way it opens no position if "
        "a round trip at its depths is expected to earn less than min_edge_bp."
    )


def _side_cells(side: SideEconomics) -> dict[str, str]:
    """Return one side's cells of the table, by row name."""
    return {
        "κ·ε per order": interval(side.kappa_epsilon),
        "κ·ε_fill": interval(side.kappa_epsilon_fill),
        "regime": side.regime_text or "–",
        "optimal depth": (
            "none (∞): b is 1 or more"
            if np.isinf(side.optimal_depth)
            else panels.number(side.optimal_depth)
        ),
        "deepest measured": panels.number(side.measured_depth),
        "depth of edge and income": panels.number(side.depth),
        "edge per fill": interval(side.expected_edge),
        "income per hour": interval(side.income_per_hour),
        "verdict": _side_verdict(side),
    }


def _side_verdict(side: SideEconomics) -> str:
    if not side.expected_edge.usable:
        return "not enough data to tell"
    if side.no_depth_pays:
        return "no measured depth pays"
    return "pays" if side.expected_edge.low > 0 else "may pay: the interval includes a loss"


def against_window_length(data: ReportInput, track: Track) -> Section:
    """Show the estimates against the length of the window they were fitted on."""
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
    charts, tracks = _parameter_charts(lengths, "window (minutes)", fits)
    paragraphs = [
        "Longer windows are more precise but include older data. If the estimates drift beyond "
        "their bands as the window grows, the market has changed within the window.",
        _STATUS_MARKS,
    ]
    title = "Estimates by the window's length"
    tables = [_status_table("Statuses of the fits, shortest window first", tracks)]
    return Section("lengths", title, paragraphs, charts, tables)


def over_time(data: ReportInput, track: Track) -> Section:
    """Show the estimates that refits along the recording would have found."""
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
    charts, tracks = _parameter_charts(minutes, "minutes before the newest row", fits)
    table = _status_table(
        f"Statuses of {len(fits)} refits on {window:.0f} minutes each, oldest first", tracks
    )
    paragraphs = [
        "Each point is a fit to data up to that time.",
        _STATUS_MARKS,
    ]
    return Section("over_time", "Estimates over time", paragraphs, charts, [table])


def published(history: pa.Table) -> Section:
    """Show the refits published by the runner, with bands and statuses."""
    title = "Published refits"
    if history.num_rows == 0:
        return Section("published", title, ["The runner has published nothing for this coin yet."])
    drawn = np.unique(np.linspace(0, history.num_rows - 1, MOST_DRAWN).astype(np.int64))
    columns = history.take(drawn).to_pydict()
    newest = columns["published_at"][-1]
    hours = [(at - newest).total_seconds() / 3600 for at in columns["published_at"]]
    charts = []
    for name, label in PARAMETERS.items():
        pair = [_published_track(f"{name}{sign}", hours, columns) for sign in "+-"]
        charts.append(_track_chart(label, "hours before the newest refit", pair))
    rows = []
    for file in ("lambda", "kappa", "epsilon", "value_function"):
        rows.append([file, _counted(history[f"{file}_status"].to_pylist())])
    table = Table(f"Statuses of {history.num_rows} refits", ["file", "refits by status"], rows)
    found = "The estimates as the bot read them from its files, over at most a week."
    if len(drawn) < history.num_rows:
        found += f" One in {history.num_rows / len(drawn):.1f} is drawn."
    paragraphs = [found, _STATUS_MARKS]
    return Section("published", title, paragraphs, charts, [table])


def interval(estimate: Estimate) -> str:
    """Format an estimate with its 95% interval."""
    if not (estimate.usable and np.isfinite(estimate.value)):
        return "–"
    low, high = panels.number(estimate.low), panels.number(estimate.high)
    return f"{panels.number(estimate.value)} [{low}, {high}]"


@dataclass(frozen=True)
class _Track:
    """One parameter's estimates along ``x``, NaN if there was none; shapes (n,)."""

    name: str
    x: Float1D
    value: Float1D
    low: Float1D
    high: Float1D
    status: Sequence[str]


def _parameter_charts(
    x: Sequence[float], x_label: str, fits: Sequence[CoinCalibration]
) -> tuple[list[Chart], list[_Track]]:
    charts, tracks = [], []
    for name, label in PARAMETERS.items():
        pairs = [panels.named_estimates(fit)[name] for fit in fits]
        pair = [
            _fitted_track(f"{name}+", x, [estimates.plus for estimates in pairs]),
            _fitted_track(f"{name}−", x, [estimates.minus for estimates in pairs]),
        ]
        charts.append(_track_chart(label, x_label, pair))
        tracks += pair
    return charts, tracks


def _fitted_track(name: str, x: Sequence[float], estimates: Sequence[Estimate]) -> _Track:
    value, low, high = np.array(
        [(e.value, e.low, e.high) if e.usable else (np.nan,) * 3 for e in estimates]
    ).T
    return _Track(name, np.array(x), value, low, high, [str(e.status) for e in estimates])


def _published_track(
    name: str, hours: Sequence[float], columns: Mapping[str, Sequence[Any]]
) -> _Track:
    """Return one parameter of the history; ``name`` is its key in the files."""
    value, low, high = (
        np.array(columns[f"{name}{end}"], dtype=np.float64) for end in ("", "_low", "_high")
    )
    # The files omit an interval end that is not above zero.
    low = np.where(np.isfinite(value), np.nan_to_num(low), np.nan)
    high = np.where(np.isfinite(high), high, value)
    of_file = columns[f"{_FILE_OF[name[:-1]]}_status"]
    statuses = [
        "insufficient" if np.isnan(number) else "stale" if whole == "stale" else own or whole
        for number, whole, own in zip(value, of_file, columns[f"{name}_status"], strict=True)
    ]
    return _Track(name, np.array(hours), value, low, high, statuses)


def _track_chart(label: str, x_label: str, pair: Sequence[_Track]) -> Chart:
    """Draw both sides with their bands, and marks where the status is not ok.

    Without any estimate the chart has no series.
    """
    series = []
    for colour, track in enumerate(pair):
        known = np.isfinite(track.value)
        if known.any():
            x, value, low, high = (
                each[known] for each in (track.x, track.value, track.low, track.high)
            )
            series.append(Series(track.name, x, value, low=low, high=high, colour=colour))
        status = np.array(track.status)
        for name, symbol in _STATUS_SYMBOLS.items():
            marked = status == name
            if marked.any():
                height = np.nan_to_num(track.value[marked])
                mark = f"{track.name} {name}"
                series.append(
                    Series(mark, track.x[marked], height, "points", colour=colour, symbol=symbol)
                )
    nothing = not any(np.isfinite(track.value).any() for track in pair)
    return Chart(label, x_label, label, [] if nothing else series)


def _status_table(caption: str, tracks: Sequence[_Track]) -> Table:
    """Count the statuses of each parameter; ``tracks`` holds two of each, + and −."""
    pairs = zip(PARAMETERS, tracks[::2], tracks[1::2], strict=True)
    rows = [[name, _counted(plus.status), _counted(minus.status)] for name, plus, minus in pairs]
    return Table(caption, ["status: fits", "+", "−"], rows)


def _counted(statuses: Sequence[str]) -> str:
    return ", ".join(f"{s}: {statuses.count(s)}" for s in dict.fromkeys(statuses))


def _first_ms(recording: Recording) -> int:
    times = [t for t in (recording.quotes.time_ms, recording.book_time_ms) if len(t)]
    return min((int(t[0]) for t in times), default=0)
