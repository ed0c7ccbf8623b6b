"""What was earned and why, as one table for the terminal."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from rich.table import Table
from rich.text import Text

from advanced_mm.performance import BreakEven, Figure, Parts, Performance, total_of

__all__ = [
    "FIGURE_NAMES",
    "PART_LABELS",
    "Column",
    "Row",
    "bp_text",
    "break_even_rows",
    "break_even_table",
    "columns_of",
    "compared_break_even_rows",
    "compared_break_even_table",
    "figure_text",
    "money",
    "part_text",
    "performance_rows",
    "performance_table",
    "span_text",
]

_NOTHING: Final = 1e-9
"""Less than this is what rounding leaves of a sum, in every unit that figures have."""

PART_LABELS: Final[Mapping[str, str]] = {
    "spread_captured": "spread captured",
    "adverse_selection": "adverse selection",
    "inventory": "inventory",
    "fees": "fees",
    "funding": "funding",
}

FIGURE_NAMES: Final[Mapping[str, str]] = {
    "gross_profit": "before fees",
    "net_profit": "net",
    "net_per_hour": "net per hour",
    "net_per_turnover": "net per turnover",
    "spread_per_fill": "spread captured",
    "adverse_per_fill": "adverse selection",
    "fee_per_fill": "fees",
    "edge_per_fill": "edge (the sum of these three)",
    "quotes_sent": "quotes sent",
    "quotes_refused": "refused",
    "fill_rate": "fill rate",
    "fill_rate_by_size": "fill rate by size",
    "spread_efficiency": "spread efficiency",
    "quote_uptime": "quote uptime",
    "requests_per_fill": "requests per fill",
    "order_age_at_fill": "order age at fill",
    "maker_share": "filled as maker",
    "round_trips": "round trips",
    "win_rate": "won",
    "average_win": "average win",
    "average_loss": "average loss",
    "holding_time": "holding time",
    "max_inventory": "largest inventory",
    "time_at_max_inventory": "time at it",
    "time_flat": "time flat",
    "inventory_duration": "time until flat again",
    "turnover": "turnover",
    "turnover_of_capital": "turnover of capital",
    "profit_per_minute": "profit per minute",
    "sharpe": "Sharpe",
    "sortino": "Sortino",
    "max_drawdown": "largest drawdown",
    "longest_drawdown": "longest drawdown",
}
"""What each figure is called, in the order of the report."""

_BLOCKS: Final = (
    ("profit, USDC", ("net_per_hour", "net_per_turnover", "profit_per_minute")),
    ("of one fill", ("spread_per_fill", "adverse_per_fill", "fee_per_fill", "edge_per_fill")),
    (
        "quoting",
        ("quotes_sent", "fill_rate", "spread_efficiency", "quote_uptime", "requests_per_fill",
         "order_age_at_fill"),
    ),
    ("round trips", ("round_trips", "win_rate", "average_win", "average_loss", "holding_time")),
    ("inventory", ("max_inventory", "time_at_max_inventory", "time_flat", "inventory_duration")),
    (
        "risk",
        ("turnover", "turnover_of_capital", "sharpe", "sortino", "max_drawdown",
         "longest_drawdown"),
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Column:
    """One coin, one bot or a total: its parts, and figures where it has any of its own."""

    title: str
    parts: Parts
    figures: Mapping[str, Figure] = field(default_factory=dict)
    slope: Figure | None = None


def columns_of(several: Sequence[Performance]) -> list[Column]:
    """Return a column a coin, and the total of several."""
    columns = [
        Column(one.record.coin, one.parts, one.figures, one.truth.line.slope) for one in several
    ]
    if len(several) > 1:
        columns.append(Column("total", total_of(one.parts for one in several)))
    return columns


@dataclass(frozen=True)
class Row:
    """One line of the table. A ``heading`` has no cells and starts a new block."""

    label: str
    cells: Sequence[str]
    heading: bool = False


def performance_rows(columns: Sequence[Column]) -> list[Row]:
    """Return the lines of the table; figures that no column knows are left out."""
    parts = [column.parts for column in columns]
    rows = [Row("equity", [f"{money(p.equity_change)} USDC" for p in parts])]
    for name, label in PART_LABELS.items():
        rows.append(Row(f"  {label}", [part_text(p, name) for p in parts]))
    rows += [
        Row("fills", [str(p.fills) for p in parts]),
        Row("  with a mid", [_share(p.with_mid, p.fills) for p in parts]),
        Row("  with a markout", [_share(p.with_markout, p.fills) for p in parts]),
    ]
    for block, names in _BLOCKS:
        shown = [name for name in names if any(_known(c.figures.get(name)) for c in columns)]
        if shown:
            rows.append(Row(block, [""] * len(columns), heading=True))
        for name in shown:
            cells = [figure_text(c.figures.get(name)) for c in columns]
            rows.append(Row(f"  {FIGURE_NAMES[name]}", cells))
    if any(_known(c.slope) for c in columns):
        rows.append(Row("the model", [""] * len(columns), heading=True))
        rows.append(Row("  realised per expected edge", [figure_text(c.slope) for c in columns]))
    return rows


def performance_table(columns: Sequence[Column], title: str, horizon_s: float) -> Table:
    """Lay the columns side by side; intervals hold with 95%."""
    table = Table(title=title, title_justify="left", caption_justify="left")
    table.caption = (
        f"In brackets: 95% intervals. Adverse selection: what the mid moved against fills in "
        f"{horizon_s:g} s. The five parts add up to the change of equity."
    )
    table.add_column("")
    for column in columns:
        table.add_column(Text(column.title), justify="right")
    equity, *others = performance_rows(columns)
    tones = [_tone(column.parts.equity_change) for column in columns]
    coloured = [Text(cell, tone) for cell, tone in zip(equity.cells, tones, strict=True)]
    table.add_row(equity.label, *coloured, style="bold")
    for row in others:
        if row.heading:
            table.add_section()
        cells = [Text(cell) for cell in row.cells]
        table.add_row(row.label, *cells, style="dim" if row.heading else None)
    return table


def break_even_table(found: BreakEven, coin: str) -> Table:
    """The costs, of one side and of both."""
    table = Table(
        title=Text(f"The least spread that pays: {coin}, basis points"), title_justify="left"
    )
    for name in ("cost", "one side", "both sides", ""):
        table.add_column(name, justify="left" if name in ("cost", "") else "right")
    *costs, least, captured = break_even_rows(found)
    for cells in costs:
        table.add_row(*map(Text, cells))
    table.add_section()
    table.add_row(*least, style="bold")
    table.add_row(*captured)
    return table


def break_even_rows(found: BreakEven) -> list[list[str]]:
    """Return cost, one side, both sides (bp) and origin; last the least spread and the captured."""
    rows = [
        [cost.name, bp_text(cost.one_side_bp), bp_text(2 * cost.one_side_bp), cost.origin]
        for cost in found.costs
    ]
    least, captured = found.least_spread_bp, found.captured_bp
    verdict = {True: "pays", False: "does not pay", None: "not known"}[found.pays]
    rows.append(["least spread", bp_text(least / 2), bp_text(least), ""])
    rows.append(["captured", bp_text(captured / 2), bp_text(captured), verdict])
    return rows


def compared_break_even_rows(several: Sequence[BreakEven]) -> list[list[str]]:
    """Return a line for each cost of both sides of a trade, bp; a cell for each of ``several``."""
    tables = [break_even_rows(found) for found in several]
    names = dict.fromkeys(row[0] for table in tables for row in table[:-2])
    cells = [{row[0]: row[2] for row in table} for table in tables]
    rows = [
        [name, *(own.get(name, "–") for own in cells)]
        for name in (*names, "least spread", "captured")
    ]
    return [*rows, ["", *(table[-1][3] for table in tables)]]


def compared_break_even_table(titles: Sequence[str], several: Sequence[BreakEven]) -> Table:
    """The costs of both sides of a trade, side by side."""
    table = Table(
        title="The least spread that pays: both sides of a trade, basis points",
        title_justify="left",
    )
    table.add_column("cost")
    for title in titles:
        table.add_column(Text(title), justify="right")
    *costs, least, captured, verdict = compared_break_even_rows(several)
    for cells in costs:
        table.add_row(*map(Text, cells))
    table.add_section()
    table.add_row(*least, style="bold")
    table.add_row(*captured)
    table.add_row(*verdict)
    return table


def figure_text(figure: Figure | None) -> str:
    """A figure with its unit and interval, shares in percent; a dash where it is not known."""
    if figure is None or not np.isfinite(figure.value):
        return "–"
    factor, unit = (100.0, "%") if figure.unit == "share" else (1.0, f" {figure.unit}")
    if figure.unit.startswith("per year"):
        unit = ""
    whole = figure.unit in ("quotes", "trips")
    text = f"{figure.value:.0f}" if whole else _number(factor * figure.value)
    if whole:
        unit = ""
    if np.isfinite(figure.low) and np.isfinite(figure.high):
        text += f" [{_number(factor * figure.low)}, {_number(factor * figure.high)}]"
    return (text + unit).rstrip()


def money(amount: float) -> str:
    """USDC with a sign: cents where there are many, more digits where there are few."""
    digits = 2 if abs(amount) >= 10 else 4
    return f"{amount:+.{digits}f}".replace("-", "−") if round(amount, digits) else "0"


def part_text(parts: Parts, name: str) -> str:
    """Return a part in USDC; a dash if the mids it takes are unknown."""
    needs = {"spread_captured": parts.with_mid, "adverse_selection": parts.with_markout}
    if parts.fills and not needs.get(name, 1):
        return "–"
    return money(getattr(parts, name))


def span_text(milliseconds: int) -> str:
    """A length of time in words."""
    minutes = milliseconds / 60_000
    if minutes < 120:
        return f"{minutes:.0f} minutes" if minutes >= 2 else f"{minutes * 60:.0f} seconds"
    hours = minutes / 60
    return f"{hours:.1f} hours" if hours < 48 else f"{hours / 24:.1f} days"


def _number(value: float) -> str:
    if abs(value) < _NOTHING:
        return "0"
    if abs(value) >= 1000:
        return f"{value:,.0f}".replace("-", "−")
    return f"{value:.3g}".replace("-", "−")


def bp_text(value: float) -> str:
    """Basis points with two digits; a dash where they are not known."""
    return f"{value:.2f}".replace("-", "−") if np.isfinite(value) else "–"


def _tone(amount: float) -> str:
    return "green" if amount > 0 else "red" if amount < 0 else ""


def _share(count: int, total: int) -> str:
    return f"{count / total:.0%}" if total else "–"


def _known(figure: Figure | None) -> bool:
    return figure is not None and bool(np.isfinite(figure.value))
