"""One page on two sessions or two bots side by side."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from advanced_mm.performance import BreakEven, Parts, Performance, account_change, total_of
from advanced_mm.report.charts import Chart, Series
from advanced_mm.report.page import Card, Headline, Section, Table, write_page
from advanced_mm.report.performance_page import account_sentence, basis_of, iso_times, thinned
from advanced_mm.report.performance_table import (
    PART_LABELS,
    Column,
    compared_break_even_rows,
    figure_text,
    money,
    part_text,
    performance_rows,
    span_text,
)

__all__ = ["Side", "break_even_columns", "side_column", "write_comparison_page"]

_MOST_POINTS: Final = 480


@dataclass(frozen=True)
class Side:
    """One of the two, by its name; ``break_even`` has one for each coin, or none."""

    name: str
    several: Sequence[Performance]
    break_even: Sequence[BreakEven] = ()

    @property
    def parts(self) -> Parts:
        """The sum of its coins."""
        return total_of(one.parts for one in self.several)

    @property
    def start_ms(self) -> int:
        """When its first coin begins."""
        return min(one.record.start_ms for one in self.several)

    @property
    def end_ms(self) -> int:
        """When its last coin ends."""
        return max(one.record.end_ms for one in self.several)


def side_column(side: Side) -> Column:
    """Return its column of the table; averages only where it has a single coin."""
    if len(side.several) == 1:
        (one,) = side.several
        return Column(side.name, one.parts, one.figures, one.truth.line.slope)
    return Column(side.name, side.parts)


def break_even_columns(sides: Sequence[Side]) -> tuple[list[str], list[BreakEven]]:
    """Return the titles and the findings of each side's coins."""
    titles = [
        side.name if len(side.several) == 1 else f"{side.name}: {one.record.coin}"
        for side in sides
        for one in side.several
    ]
    return titles, [found for side in sides for found in side.break_even]


def write_comparison_page(path: Path, sides: Sequence[Side], horizon_s: float) -> None:
    """Write the page of two sides, and its folder if needed.

    Raises
    ------
    OSError
        The file cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    names = " and ".join(side.name for side in sides)
    lead = f"{' '.join(_lead(side) for side in sides)} Amounts in USDC."
    write_page(
        path,
        f"Performance: {names}",
        lead,
        _sections(sides, horizon_s),
        _headline(sides, horizon_s),
    )


def _lead(side: Side) -> str:
    (begin,) = iso_times(np.array([side.start_ms]))
    coins = ", ".join(one.record.coin for one in side.several)
    return (
        f"{side.name}: {coins}, {side.parts.fills:,} fills in "
        f"{span_text(side.end_ms - side.start_ms)} from {begin[:16].replace('T', ' ')} UTC."
    )


def _headline(sides: Sequence[Side], horizon_s: float) -> Headline:
    """Say which earned more, and which part makes the difference."""
    first, second = (side.parts for side in sides)
    gap = first.equity_change - second.equity_change
    better, worse = sides if gap >= 0 else tuple(reversed(sides))
    told = "; ".join(f"{s.name}: {money(s.parts.equity_change)} USDC" for s in sides)
    gaps = {name: getattr(better.parts, name) - getattr(worse.parts, name) for name in PART_LABELS}
    name, most = max(gaps.items(), key=lambda item: item[1])
    why = "Both earned the same."
    if gap:
        why = f"{better.name} earned {money(abs(gap)).lstrip('+')} USDC more"
        why += f", most of it by {PART_LABELS[name]} ({money(most)})." if most > 0 else "."
    cards = [
        Card(
            label,
            part_text(first, part),
            f"{sides[1].name}: {part_text(second, part)}",
            getattr(first, part),
        )
        for part, label in PART_LABELS.items()
    ]
    cards.append(Card("fills", f"{first.fills:,}", f"{sides[1].name}: {second.fills:,}"))
    return Headline(
        verdict=f"{told}.",
        why=f"{why} Below, {sides[0].name} in bold; adverse selection within {horizon_s:g} s.",
        cards=cards,
        amount=0.0,
    )


def _sections(sides: Sequence[Side], horizon_s: float) -> list[Section]:
    sections = [_equity(sides), _parts(sides)]
    if all(len(side.several) == 1 for side in sides):
        sections += [_markouts(sides), _truth(sides, horizon_s)]
    sections.append(_figures(sides))
    if any(side.break_even for side in sides):
        titles, found = break_even_columns(sides)
        table = Table(
            "Both sides of a trade, basis points; fixed costs are spread over each one's turnover",
            ["cost", *titles],
            compared_break_even_rows(found),
        )
        sections.append(Section("break_even", "The least spread that pays", [], tables=[table]))
    told = []
    for side in sides:
        told.append(f"{side.name}: {account_sentence(account_change(side.several))}")
        told += [sentence for one in side.several for sentence in basis_of(one)]
    sections.append(Section("basis", "What this rests on", list(dict.fromkeys(told))))
    return sections


def _equity(sides: Sequence[Side]) -> Section:
    """Both on one axis of time where they ran at once, else from the start of each."""
    first, second = sides
    at_once = first.start_ms < second.end_ms and second.start_ms < first.end_ms
    series = []
    for number, side in enumerate(sides):
        for one in side.several:
            path = one.path
            shown = thinned(len(path.time_ms), _MOST_POINTS)
            times = path.time_ms[shown]
            name = side.name if len(side.several) == 1 else f"{side.name}: {one.record.coin}"
            x = iso_times(times) if at_once else (times - side.start_ms) / 3_600_000
            series.append(Series(name, x, path.equity[shown], colour=number))
    x_label = "UTC" if at_once else "hours since the start of each"
    chart = Chart("Change of equity", x_label, "USDC since the start", series)
    return Section("equity", "How the equity went", [], [chart])


def _parts(sides: Sequence[Side]) -> Section:
    labels = ["equity", *PART_LABELS.values()]
    series = [
        Series(
            side.name,
            labels,
            [side.parts.equity_change, *side.parts.parts.values()],
            "bars",
            colour=number,
        )
        for number, side in enumerate(sides)
    ]
    text = "The five parts of each add up to its change of equity."
    chart = Chart("Parts of the change of equity", "", "USDC", series)
    return Section("parts", "Where the money came from", [text], [chart])


def _markouts(sides: Sequence[Side]) -> Section:
    series = []
    for number, side in enumerate(sides):
        rows = [row for row in side.several[0].markouts if np.isfinite(row.edge.value)]
        if rows:
            series.append(
                Series(
                    side.name,
                    [f"{row.horizon_s:g} s" for row in rows],
                    [row.edge.value for row in rows],
                    "bars",
                    low=[row.edge.low for row in rows],
                    high=[row.edge.high for row in rows],
                    colour=number,
                )
            )
    chart = Chart("What a fill is worth, after fees", "after the fill", "basis points", series)
    text = "With 95% intervals. Below zero, fills lose."
    return Section("markouts", "What the market took back", [text], [chart])


def _truth(sides: Sequence[Side], horizon_s: float) -> Section:
    series, ends = [], []
    for number, side in enumerate(sides):
        bins = side.several[0].truth.deciles
        if bins:
            ends += [bins[0].expected, bins[-1].expected]
            series.append(
                Series(
                    side.name,
                    [row.expected for row in bins],
                    [row.realised.value for row in bins],
                    "points",
                    low=[row.realised.low for row in bins],
                    high=[row.realised.high for row in bins],
                    colour=number,
                )
            )
    if ends:
        line = np.array([min(ends), max(ends)])
        series.append(Series("realised = expected", line, line, dashed=True, colour=6))
    chart = Chart(
        f"Edge of a fill: expected, and realised after {horizon_s:g} s",
        "expected, basis points",
        "realised, basis points",
        series,
    )
    text = [
        f"{side.name}: expected {figure_text(truth.expected)}, realised "
        f"{figure_text(truth.realised)}, slope {figure_text(truth.line.slope)}."
        for side in sides
        for truth in [side.several[0].truth]
    ]
    return Section("model", "Did the model tell the truth?", text, [chart])


def _figures(sides: Sequence[Side]) -> Section:
    rows = [
        [row.label.strip(), *row.cells]
        for row in performance_rows([side_column(side) for side in sides])
    ]
    caption = "In brackets the 95% interval, by drawing blocks of time"
    table = Table(caption, ["", *(side.name for side in sides)], rows)
    return Section("figures", "Figures", [], tables=[table])
