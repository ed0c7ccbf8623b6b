"""The research page: the answer first, then the hours, the pictures, and the words behind them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from advanced_mm.report.charts import Chart, Series
from advanced_mm.report.page import Card, Headline, Section, Table, write_page
from advanced_mm.report.pictures import charts_to_png
from advanced_mm.report.research.expected import expected_table
from advanced_mm.report.research.hours import by_hour, heat_map
from advanced_mm.report.research.insights import insights_of
from advanced_mm.report.research.panels import PANELS, Drawing
from advanced_mm.report.research.study import Figures, Study, figures_of, labelled
from advanced_mm.report.research.tested import tested_tables
from advanced_mm.report.research.words import Insight, number, seconds_text, share
from advanced_mm.research.columns import COLUMNS
from advanced_mm.research.volatility import volatility_percentiles

__all__ = ["research_sections", "write_research_page", "write_research_picture"]

_FIGURES: Final = {
    "price": "mean price",
    "spread_bp": "spread, bp",
    "tick_bp": "tick, bp",
    "volatility_bp": "σ, bp/√s",
    "volume_per_day": "volume a day, quote currency",
    "trades_per_day": "trades a day",
    "quiet": "candles without a trade",
    "taker_buy": "bought by takers",
}
_SHARES: Final = ("quiet", "taker_buy")
_MOST_PICTURED: Final = 4


def write_research_page(path: Path, studies: Sequence[Study]) -> None:
    """Write the page on one market or several, and its folder if needed.

    Raises
    ------
    OSError
        The file cannot be written.
    """
    studies = labelled(studies)
    figures = [figures_of(study) for study in studies]
    start, end = min(one.start for one in figures), max(one.end for one in figures)
    names = ", ".join(study.name for study in studies)
    fees = ", ".join(f"{fee:g}" for fee in dict.fromkeys(study.fee_bp for study in studies))
    path.parent.mkdir(parents=True, exist_ok=True)
    write_page(
        path,
        f"Market research: {names}",
        f"{start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC. The maker fee is {fees} bp a fill. "
        "Prices and volumes are in the quote currency; a bp is 0.01% of the price.",
        research_sections(studies),
        _headline(studies, figures),
    )


def write_research_picture(path: Path, studies: Sequence[Study]) -> None:
    """Draw the pictures of one market, or of several side by side, into a PNG.

    Raises
    ------
    OSError
        The file cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    charts = [chart for chart in _pictures(labelled(studies)) if chart.series]
    charts_to_png(charts, path, columns=max(2, min(len(studies), _MOST_PICTURED)))


def research_sections(studies: Sequence[Study]) -> list[Section]:
    """Return the sections of the page."""
    studies, several = labelled(studies), len(studies) > 1
    return [
        Section(
            "insights",
            "What the data say",
            _notes(studies),
            tables=[
                *([_comparison(studies)] if several else []),
                *(_insight_table(study, insights_of(study)) for study in studies),
            ],
        ),
        Section(
            "hours",
            "When: the hours of the day",
            ["Each column is coloured from its least value to its largest, palely if these hardly "
             "differ. Volume and trades are averages of the days there are."],
            charts=_hour_charts(studies) if several else [],
            tables=[heat_map(study) for study in studies],
            side_by_side=True,
        ),
        Section(
            "pictures",
            "The market in pictures",
            ["Times are UTC. A line with a band stands for many candles: their median, from the "
             "10th to the 90th percentile."],
            _pictures(studies),
            [Table("", ["picture", "what it shows"], [[p.title, p.words] for p in PANELS])],
            side_by_side=True,
        ),
        Section(
            "pnl",
            "Theoretical P&L, and what our model expects",
            ["The theoretical P&L is half of each candle's range at every trade, without fees: "
             "nobody earns it. What is expected comes from the model, calibrated on the trades of "
             "the same time, after the fee and the price's move against each fill; both in turn "
             "is a bot that buys and sells one stake in turn. The model needs recorded trades: "
             "for other sources only the theoretical P&L stands here."],
            tables=[table for study in studies if (table := expected_table(study)) is not None],
        ),
        Section(
            "volatility",
            "How large the swings are",
            ["Deviation of the price's move in each window, basis points; not annualised."],
            tables=[_percentiles(study) for study in studies],
        ),
        Section(
            "tests",
            "What is more than chance",
            ["Order flow is of takers, bought less sold by what was traded in a candle; the move "
             "is the price's after it, less that after candles without such flow. A t beyond ±2 is "
             "hardly chance, but of so many rows one in twenty is."],
            tables=[
                table
                for study in studies
                if study.tested is not None
                for table in tested_tables(study.name, study.tested)
            ],
        ),
        Section(
            "words",
            "What the columns mean",
            ["All of them are in the files of --parquet; those of --csv are the ones of a "
             "well-known notebook, with its mistakes repaired."],
            tables=[_columns_table()],
        ),
        Section(
            "more",
            "What next",
            ["This report describes a market; it does not know what your quotes would earn. For "
             "coins that you have recorded, the screener ranks them by what the calibrated model "
             "expects, with the same spread and volatility as here:",
             " python scripts/market_screener.py",
             "And the replay tells what a bot's settings would have earned on the recording:",
             " python scripts/replay_backtest.py --crypto ETH"],
        ),
    ]  # fmt: skip


def _headline(studies: Sequence[Study], figures: Sequence[Figures]) -> Headline:
    if len(studies) > 1:
        ranked = sorted(
            zip(studies, figures, strict=True),
            key=lambda pair: -np.nan_to_num(pair[1].spread_bp - 2 * pair[0].fee_bp, nan=-1e9),
        )
        best, its = ranked[0]
        left = its.spread_bp - 2 * best.fee_bp
        verdict = f"{best.name} leaves the most after two fees: {_left(best, its)}."
        if left < 0:
            verdict = f"No spread covers two fees; {best.name} comes closest: {_left(best, its)}."
        why = " ".join(f"{study.name}: {_left(study, found)}." for study, found in ranked[1:])
        return Headline(verdict, why, [_card(s, f) for s, f in ranked], float(min(left, 0)))
    study, found = studies[0], figures[0]
    insights = insights_of(study)
    others = [one.sentence for one in insights if one.topic == "volatility"][:1]
    spread = next(one for one in insights if one.topic == "spread")
    return Headline(
        spread.sentence,
        " ".join(others),
        [
            Card("spread", f"{number(found.spread_bp)} bp", _source(found)),
            Card("σ", f"{number(found.volatility_bp)} bp/√s", "move of a second"),
            Card("tick", f"{number(found.tick_bp)} bp", "the least spread"),
            Card("volume a day", number(found.volume_per_day), "quote currency"),
            Card("trades a day", number(found.trades_per_day), f"{100 * found.quiet:.0f}% quiet"),
            Card("bought by takers", share(found.taker_buy), "of the volume"),
        ],
        amount=spread.amount,
    )


def _left(study: Study, figures: Figures) -> str:
    left = figures.spread_bp - 2 * study.fee_bp
    if not np.isfinite(left):
        return "its spread is unknown"
    return f"spread {number(figures.spread_bp)} bp, less two fees {left:+.2f} bp"


def _card(study: Study, figures: Figures) -> Card:
    sigma = f"σ {number(figures.volatility_bp)} bp/√s"
    return Card(study.name, f"{number(figures.spread_bp)} bp", f"{_source(figures)}; {sigma}")


def _source(figures: Figures) -> str:
    return {"quotes": "mean of the quotes", "Roll": "Roll's estimate", "tick": "one tick",
            "none": "unknown"}[figures.spread_source]  # fmt: skip


def _notes(studies: Sequence[Study]) -> list[str]:
    several = len(studies) > 1
    found = []
    for study in studies:
        name = f"{study.candles.name}: " if several else ""
        rows, filled = len(study.candles.frame), study.candles.missing
        step = study.candles.step_seconds
        text = f"{name}{rows:,} candles of {step} s"
        if filled:
            text += f", {filled:,} of them ({100 * filled / rows:.1f}%) filled in without trades"
        found.append(" ".join([f"{text}.", *study.candles.notes]))
    return found


def _insight_table(study: Study, insights: Sequence[Insight]) -> Table:
    rows = [[one.topic, one.sentence] for one in insights]
    return Table(study.name, ["about", "what the data say"], rows)


def _comparison(studies: Sequence[Study]) -> Table:
    figures = [vars(figures_of(study)) for study in studies]
    rows = [
        [label, *(share(one[key]) if key in _SHARES else number(one[key]) for one in figures)]
        for key, label in _FIGURES.items()
    ]
    rows.insert(2, ["spread from", *(str(one["spread_source"]) for one in figures)])
    return Table("The markets side by side", ["", *(study.name for study in studies)], rows)


def _hour_charts(studies: Sequence[Study]) -> list[Chart]:
    found = []
    whole = [by_hour(study) for study in studies]
    every = sorted({int(hour) for hours in whole for hour in hours.index})
    for key, title, label in (
        ("spread_bp", "Spread by the hour", "bp"),
        ("volatility_bp", "Volatility by the hour", "bp/√s"),
    ):
        series = []
        for study, hours in zip(studies, whole, strict=True):
            if hours[key].notna().any():
                labels = [f"{hour:02d}" for hour in every]
                values = hours[key].reindex(every).tolist()
                series.append(Series(study.name, labels, values, "bars"))
        found.append(Chart(title, "hour, UTC", label, series))
    return found


def _pictures(studies: Sequence[Study]) -> list[Chart]:
    """Return the panels; those of several markets stand beside each other, panel by panel."""
    drawings = [Drawing(study) for study in studies]
    charts = []
    for panel in PANELS:
        for drawing in drawings:
            chart = panel.draw(drawing)
            name = f"{drawing.study.name}: " if len(studies) > 1 else ""
            charts.append(
                Chart(
                    f"{name}{chart.title}", chart.x_label, chart.y_label, chart.series,
                    right_label=chart.right_label,
                )
            )  # fmt: skip
    return charts


def _percentiles(study: Study) -> Table:
    found = volatility_percentiles(study.columns) * 1e4
    header = [study.name, *map(str, found.columns)]
    rows = [
        [seconds_text(seconds), *map(number, row)]
        for seconds, row in zip(found.index, found.to_numpy().tolist(), strict=True)
    ]
    return Table("", header, rows)


def _columns_table() -> Table:
    names: dict[tuple[str, str], list[str]] = {}
    for column in COLUMNS.values():
        words = f"{column.meaning} {column.formula}. {column.note}".strip()
        alike = names.setdefault((words, column.unit), [])
        window = f"_{column.window_seconds}s"  # of those that differ only in it: once in full
        alike.append(window if alike and column.name.endswith(window) else column.name)
    rows = [[", ".join(alike), *words] for words, alike in names.items()]
    return Table("", ["column", "meaning, formula and what to beware of", "unit"], rows)
