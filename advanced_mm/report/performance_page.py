"""One page on what a session earned: the answer first, then the reasons, then the model's word."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np

from advanced_mm.marketdata.records import Float1D, Int1D
from advanced_mm.performance import (
    Account,
    BreakEven,
    Figure,
    Parts,
    Performance,
    account_change,
    total_of,
)
from advanced_mm.report.charts import Chart, Series
from advanced_mm.report.page import Card, Headline, Section, Table, write_page
from advanced_mm.report.performance_table import (
    FIGURE_NAMES,
    PART_LABELS,
    break_even_rows,
    figure_text,
    money,
    part_text,
    span_text,
)

__all__ = [
    "PageInput",
    "account_sentence",
    "basis_of",
    "headline_of",
    "iso_times",
    "performance_sections",
    "thinned",
    "write_performance_page",
]

_MOST_POINTS: Final = 240
_MOST_FILLS_DRAWN: Final = 3000
_SIGNS: Final = {1: "bought", -1: "sold"}
_PART_COLOURS: Final = dict(zip(PART_LABELS, (2, 1, 4, 3, 5), strict=True))
_LARGEST_GAP: Final = 1e-6  # USDC
_MEANINGS: Final = {
    "gross_profit": "change of equity before fees",
    "net_profit": "change of equity",
    "net_per_turnover": "change of equity by Σ price·size",
    "spread_per_fill": "mean distance from the mid at the fill, weighted by value",
    "adverse_per_fill": "mean move of the mid by the horizon; negative is against us",
    "edge_per_fill": "what a fill is worth after the horizon, fees paid",
    "fill_rate": "quotes filled at least in part, of those that rested",
    "fill_rate_by_size": "size filled, of the size that rested",
    "spread_efficiency": "spread captured, of the depth quoted when it was decided",
    "quote_uptime": "share of the time with a quote resting",
    "requests_per_fill": "actions the venue counted, by fills",
    "order_age_at_fill": "from sending an order to its fill",
    "win_rate": "round trips (from flat to flat) with a profit after fees",
    "holding_time": "length of a round trip",
    "inventory_duration": "from flat until flat again",
    "sharpe": "mean by deviation of whole minutes' profit, times √525 600 (a year of minutes)",
    "sortino": "the same by the root mean square of losses alone",
    "max_drawdown": "largest fall of the equity below an earlier high",
    "longest_drawdown": "longest time below an earlier high",
}


@dataclass(frozen=True)
class PageInput:
    """What the page is made from; ``break_even`` has one for each coin, or none."""

    several: Sequence[Performance]
    horizon_s: float
    break_even: Sequence[BreakEven] = ()


def write_performance_page(path: Path, data: PageInput) -> None:
    """Write the page, and its folder if needed.

    Raises
    ------
    OSError
        The file cannot be written.
    """
    several = data.several
    start = min(one.record.start_ms for one in several)
    end = max(one.record.end_ms for one in several)
    first, last = (datetime.fromtimestamp(t / 1000, UTC) for t in (start, end))
    coins = ", ".join(one.record.coin for one in several)
    bots = ", ".join(dict.fromkeys(bot.name for one in several for bot in one.record.bots))
    path.parent.mkdir(parents=True, exist_ok=True)
    write_page(
        path,
        f"Performance: {coins}",
        f"{bots}, {first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M} UTC. Amounts in USDC.",
        performance_sections(data),
        headline_of(several, data.horizon_s),
    )


def headline_of(several: Sequence[Performance], horizon_s: float) -> Headline:
    """Answer "did it earn, and why" in two sentences and six numbers."""
    parts = total_of(one.parts for one in several)
    start = min(one.record.start_ms for one in several)
    end = max(one.record.end_ms for one in several)
    earned = parts.equity_change
    word = "It earned" if earned > 0 else "It lost" if earned < 0 else "It came out even:"
    amount = money(abs(earned)).lstrip("+")
    fills = f"{parts.fills:,} fill{'s' if parts.fills != 1 else ''}"
    skipped = len({name for one in several for name in one.record.skipped})
    damaged = f"{skipped} damaged day file{'s' if skipped != 1 else ''} skipped"
    note = f" ({damaged})" if skipped else ""
    return Headline(
        verdict=f"{word} {amount} USDC in {span_text(end - start)}, with {fills}{note}.",
        why=f"{_why(parts, horizon_s)} {_by_chance(several)}".strip(),
        cards=[
            Card(PART_LABELS["spread_captured"], part_text(parts, "spread_captured"),
                 "distance from the mid", parts.spread_captured),
            Card(PART_LABELS["adverse_selection"], part_text(parts, "adverse_selection"),
                 f"the mid's move within {horizon_s:g} s", parts.adverse_selection),
            Card(PART_LABELS["inventory"], money(parts.inventory),
                 "the mid's move after that", parts.inventory),
            Card("fees and funding", money(parts.fees + parts.funding),
                 f"funding {money(parts.funding)}", parts.fees + parts.funding),
            _edge_card(several),
            _promise_card(several),
        ],
        amount=earned,
    )  # fmt: skip


def _why(parts: Parts, horizon_s: float) -> str:
    """Name what brought money and what took it, the largest first."""
    names = dict(PART_LABELS)
    names["adverse_selection"] = f"adverse selection within {horizon_s:g} s"
    ranked = sorted(parts.parts.items(), key=lambda item: -abs(item[1]))
    gains = [f"{names[n]} {money(v)}" for n, v in ranked if v > 0]
    costs = [f"{names[n]} {money(v)}" for n, v in ranked if v < 0]
    told = [f"Gains: {', '.join(gains)}."] if gains else []
    if costs:
        told.append(f"Losses: {', '.join(costs)}.")
    return " ".join(told) or "No part moved."


def _by_chance(several: Sequence[Performance]) -> str:
    """Say whether a single coin's profit could be nothing but luck."""
    if len(several) != 1:
        return ""
    minute = several[0].figures["profit_per_minute"]
    if not np.isfinite(minute.low):
        return "The session is too short to rule out chance."
    if minute.low <= 0 <= minute.high:
        return "Judged by its minutes, this may be chance."
    return "Judged by its minutes, this is more than chance."


def _edge_card(several: Sequence[Performance]) -> Card:
    if len(several) != 1:
        parts = total_of(one.parts for one in several)
        share = f"{parts.with_markout / parts.fills:.0%} with a markout" if parts.fills else ""
        return Card("fills", f"{parts.fills:,}", share)
    edge = several[0].figures["edge_per_fill"]
    return Card("edge realised", _short(edge.value), _bounds(edge.low, edge.high),
                _sure(edge.low, edge.high))  # fmt: skip


def _promise_card(several: Sequence[Performance]) -> Card:
    if len(several) != 1:
        parts = total_of(one.parts for one in several)
        return Card("turnover", f"{parts.turnover:,.0f}", "USDC")
    truth = several[0].truth
    note = "by the model, of the same fills"
    if truth.expected.n != several[0].parts.fills:
        note = f"by the model, of {truth.expected.n:,}; these: {_short(truth.realised.value)}"
    return Card("edge expected", _short(truth.expected.value), note)


def _short(value: float) -> str:
    return f"{value:+.2f} bp".replace("-", "−") if np.isfinite(value) else "not known"


def _bounds(low: float, high: float) -> str:
    if not np.isfinite(low):
        return "too few for an interval"
    return f"95%: {low:+.2f} to {high:+.2f}".replace("-", "−")


def _sure(low: float, high: float) -> float:
    """A sign where the interval leaves no doubt of it."""
    return 1.0 if low > 0 else -1.0 if high < 0 else 0.0


def account_sentence(account: Account | None) -> str:
    """Return what the accounts themselves show."""
    if account is None:
        return "The equity of the accounts is not known at both ends."
    if abs(account.unexplained) <= _LARGEST_GAP:
        return f"The accounts agree: {account.change:+.6f} USDC by their own figures.".replace(
            "-", "−"
        )
    return (
        f"The accounts show {account.change:+.6f} USDC by their own figures, "
        f"{account.unexplained:+.6f} more than what is explained here: other coins, transfers, or "
        "unrecorded fills."
    ).replace("-", "−")


def performance_sections(data: PageInput) -> list[Section]:
    """Describe each coin, and what the numbers rest on."""
    sections: list[Section] = []
    for number, one in enumerate(data.several):
        coin = one.record.coin
        key = f"coin{number}"
        name = f"{coin}: " if len(data.several) > 1 else ""
        sections += [
            _equity(one, f"{key}_equity", name),
            _markouts(one, f"{key}_markouts", name),
            _truth(one, f"{key}_model", name),
            _trades(one, f"{key}_trades", name),
            _hours(one, f"{key}_hours", name),
            _figures(one, f"{key}_figures", name),
            _splits(one, f"{key}_splits", name),
        ]
        if data.break_even:
            sections.append(_break_even(data.break_even[number], f"{key}_break_even", name))
    sections.append(_basis(data))
    return sections


def _equity(one: Performance, key: str, name: str) -> Section:
    path = one.path
    n = len(path.time_ms)
    bars = np.arange(1, max(n - 1, 2), max(n // _MOST_POINTS, 1))  # evenly; the ends may not be
    times = iso_times(path.time_ms[bars])
    series = [
        Series(label, times, path.parts[part][bars], "stacked", colour=_PART_COLOURS[part])
        for part, label in PART_LABELS.items()
    ]
    shown = thinned(n, 4 * _MOST_POINTS)
    series.append(Series("equity", iso_times(path.time_ms[shown]), path.equity[shown], colour=8))
    chart = Chart("Change of equity and its parts", "UTC", "USDC since the start", series)
    text = (
        "The bars stack the parts, gains above zero and losses below; the line is their sum. "
        "A fill's adverse selection is drawn at the fill."
    )
    return Section(key, f"{name}Where the money came from", [text], [chart])


def _markouts(one: Performance, key: str, name: str) -> Section:
    rows = [row for row in one.markouts if np.isfinite(row.move.value)]
    labels = [f"{row.horizon_s:g} s" for row in rows]
    moves = Series(
        "the mid's move after a fill", labels, [row.move.value for row in rows], "bars",
        low=[row.move.low for row in rows], high=[row.move.high for row in rows], colour=1,
    )  # fmt: skip
    spread = one.figures["spread_per_fill"].value
    edges = Series(
        "what the fill is then worth, after fees", labels, [row.edge.value for row in rows],
        "bars", low=[row.edge.low for row in rows], high=[row.edge.high for row in rows], colour=2,
    )  # fmt: skip
    chart = Chart("Markouts", "after the fill", "basis points", [moves, edges] if rows else [])
    table = Table(
        "Basis points of the price, weighted by value, with 95% intervals",
        ["after", "the mid moved", "edge", "fills"],
        [
            [f"{row.horizon_s:g} s", _bare(row.move), _bare(row.edge),
             f"{row.share:.0%}" if np.isfinite(row.share) else "–"]
            for row in one.markouts
        ],
    )  # fmt: skip
    captured = (
        f"{spread:.2f} bp of spread".replace("-", "−")
        if np.isfinite(spread)
        else "an unknown spread"
    )
    text = (
        f"A fill captures {captured.replace('-', '−')}; then the market answers. Below zero, the "
        "mid moved against the fill. Where the second bar ends below zero, fills lose."
    )
    return Section(key, f"{name}What the market took back", [text], [chart], [table])


def _bare(figure: Figure) -> str:
    """A figure under a caption that names its unit."""
    return figure_text(replace(figure, unit=""))


def _truth(one: Performance, key: str, name: str) -> Section:
    truth = one.truth
    title = f"{name}Did the model tell the truth?"
    if not truth.deciles:
        text = "Too few fills have both an expected edge and a markout."
        return Section(key, title, [text, *_fill_law_text(one)], _law_charts(one))
    expected = [row.expected for row in truth.deciles]
    realised = [row.realised for row in truth.deciles]
    ends = np.array([min(expected), max(expected)])
    slope, intercept = truth.line.slope, truth.line.intercept
    series = [
        Series("realised, with 95% interval", expected, [r.value for r in realised], "points",
               low=[r.low for r in realised], high=[r.high for r in realised], colour=0),
        Series("realised = expected", ends, ends, dashed=True, colour=6),
    ]  # fmt: skip
    if np.isfinite(slope.value):
        series.append(Series("fitted", ends, intercept.value + slope.value * ends, colour=0))
    horizon = one.marks.horizon_s
    chart = Chart(
        f"Edge of a fill: expected, and realised after {horizon:g} s",
        "expected, basis points", "realised, basis points", series,
    )  # fmt: skip
    text = (
        f"Expected {figure_text(truth.expected)}, realised {figure_text(truth.realised)}. "
        f"Slope {figure_text(slope)}, 1 for a model that ranks fills correctly; intercept "
        f"{figure_text(intercept)}, 0 for one that is right on average."
    )
    table = Table(
        "Realised on expected edge, by what is counted as realised",
        ["after", "slope", "intercept"],
        [
            [f"{h:g} s", figure_text(line.slope), figure_text(line.intercept)]
            for h, line in truth.lines.items()
        ],
    )
    return Section(key, title, [text, *_fill_law_text(one)], [chart, *_law_charts(one)], [table])


def _fill_law_text(one: Performance) -> list[str]:
    told = []
    if one.truth.depths:
        told.append(
            "Below: how often quotes filled while they rested, by their depth, against the "
            "published λ₀·exp(−κδ) of the same quotes; and what fills of older quotes lost of "
            "their depth, against the rule κσ²t."
        )
    return told


def _law_charts(one: Performance) -> list[Chart]:
    depths, ages = one.truth.depths, one.truth.ages
    charts = []
    if depths:
        x = [row.depth_bp for row in depths]
        observed = [row.observed for row in depths]
        series = [
            Series("observed, with 95% interval", x, [o.value for o in observed], "points",
                   low=[o.low for o in observed], high=[o.high for o in observed], colour=0)
        ]  # fmt: skip
        law = [row.expected for row in depths]
        if np.isfinite(law).any():
            series.append(Series("published λ₀·exp(−κδ)", x, law, dashed=True, colour=1))
        charts.append(
            Chart("Fills per second of resting", "depth, basis points", "per second", series)
        )
    if ages:
        labels = [f"{row.age_s:.1f} s" for row in ages]
        lost = [row.lost for row in ages]
        series = [
            Series("lost of the depth", labels, [v.value for v in lost], "bars",
                   low=[v.low for v in lost], high=[v.high for v in lost], colour=1)
        ]  # fmt: skip
        rule = [row.expected for row in ages]
        if np.isfinite(rule).any():
            series.append(Series("κσ²t", labels, rule, "bars", colour=6))
        charts.append(
            Chart("What a quote's age costs", "mean age at the fill", "basis points", series)
        )
    return charts


def _trades(one: Performance, key: str, name: str) -> Section:
    path, fills = one.path, one.record.fills
    shown = thinned(len(path.time_ms), 4 * _MOST_POINTS)
    mid = one.marks.grid_mid[shown]
    series = [Series("mid", iso_times(path.time_ms[shown]), mid, colour=6)]
    kept = thinned(len(fills), _MOST_FILLS_DRAWN)
    for sign, symbol, colour in ((1, "triangle", 2), (-1, "triangle_down", 1)):
        own = kept[fills.sign[kept] == sign]
        if len(own):
            series.append(
                Series(_SIGNS[sign], iso_times(fills.time_ms[own]), fills.price[own], "points",
                       colour=colour, symbol=symbol)  # type: ignore[arg-type]
            )  # fmt: skip
    prices = Chart("Fills on the price", "UTC", "USDC", series)
    position = path.position[shown]
    held = Chart(
        "Inventory", "UTC", one.record.coin,
        [Series("position", iso_times(path.time_ms[shown]), position, "step", colour=4)],
    )  # fmt: skip
    return Section(key, f"{name}Fills and inventory", [], [prices, held])


def _hours(one: Performance, key: str, name: str) -> Section:
    hours = one.hours[-200:]
    labels = [hour.name for hour in hours]
    series = [
        Series(label, labels, [hour.parts[part] for hour in hours], "stacked",
               colour=_PART_COLOURS[part])
        for part, label in PART_LABELS.items()
    ]  # fmt: skip
    text = "The parts of each hour add up to its change of equity, and the hours to the whole."
    chart = Chart("Parts by hour", "hour, UTC", "USDC", series)
    return Section(key, f"{name}By the hour", [text], [chart])


def _figures(one: Performance, key: str, name: str) -> Section:
    rows = [
        [_explained(figure), figure_text(value)]
        for figure, value in one.figures.items()
        if np.isfinite(value.value)
    ]
    resting = one.resting
    without = [[reason, f"{share:.1%}"] for reason, share in resting.without.items()]
    without = [["a bid resting", f"{resting.bid:.1%}"], ["an ask resting", f"{resting.ask:.1%}"],
               *without]  # fmt: skip
    return Section(
        key, f"{name}Figures", [],
        tables=[
            Table("In brackets the 95% interval, by drawing blocks of time",
                  ["figure", "value"], rows),
            Table("Share of the time with a quote, and without one by the reason",
                  ["", "share"], without),
        ],
    )  # fmt: skip


def _explained(figure: str) -> str:
    name, meaning = FIGURE_NAMES[figure], _MEANINGS.get(figure)
    return name if meaning is None else f"{name}: {meaning}"


def _splits(one: Performance, key: str, name: str) -> Section:
    tables = [
        Table(
            f"By {way}",
            [way, "fills", "spread", "adverse", "fees", "edge, bp"],
            [
                [g.name, f"{g.fills:,}", money(g.spread_captured),
                 money(g.adverse_selection), money(g.fees), _bare(g.edge)]
                for g in groups
            ],
        )
        for way, groups in one.splits.items()
    ]  # fmt: skip
    text = (
        "Inventory is left out here: what the market did after the horizon is not the doing of one "
        "kind of fill. Of more than twenty groups those with the most fills are shown."
    )
    return Section(key, f"{name}The same fills in groups", [text], tables=tables)


def _break_even(found: BreakEven, key: str, name: str) -> Section:
    table = Table(
        f"Basis points; fixed costs at {found.monthly_turnover:,.0f} USDC of turnover a month",
        ["cost", "one side", "both sides", ""],
        break_even_rows(found),
    )
    return Section(key, f"{name}The least spread that pays", [], tables=[table])


def _basis(data: PageInput) -> Section:
    """What the numbers rest on, and what is missing."""
    told = [account_sentence(account_change(data.several))]
    for one in data.several:
        told += basis_of(one)
    return Section("basis", "What this rests on", told)


def basis_of(one: Performance) -> list[str]:
    """Say where one coin's numbers come from and what is missing."""
    coin, parts = one.record.coin, one.parts
    sources = ", ".join(f"{name} {share:.0%}" for name, share in one.mid_sources().items())
    after = f"{parts.with_markout / parts.fills:.0%}" if parts.fills else "none"
    return [
        f"{coin}, from {one.record.source}. Mids at the fills: {sources or 'none'}. Fills with a "
        f"markout after {one.marks.horizon_s:g} s: {after}; the others count as inventory alone.",
        *one.notes,
    ]


def thinned(n: int, most: int) -> Int1D:
    """Return at most so many places of ``n``, evenly, with both ends."""
    if n <= most:
        return np.arange(n)
    return np.unique(np.linspace(0, n - 1, most).astype(np.int64))


def iso_times(times_ms: Int1D | Float1D) -> list[str]:
    """Return times in UTC, as Plotly reads them."""
    return [
        datetime.fromtimestamp(t / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]
        for t in times_ms.tolist()
    ]
