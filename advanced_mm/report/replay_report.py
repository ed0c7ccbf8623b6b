"""What a replay says and how sure it is: verdict, table, notes and page."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
from rich.table import Table as TerminalTable

from advanced_mm.performance import Figure, Performance
from advanced_mm.performance.as_json import performance_json
from advanced_mm.replay import Queue
from advanced_mm.replay.backtest import Backtest
from advanced_mm.replay.figures import TOO_SHORT_HOURS, covered_part, replay_notes
from advanced_mm.replay.policies import PolicyRun
from advanced_mm.replay.result import ReplayResult
from advanced_mm.report.page import Card, Headline, Section, Table, write_page
from advanced_mm.report.performance_page import PageInput, basis_of, performance_sections
from advanced_mm.report.performance_table import Column, span_text

__all__ = [
    "ReplayReport",
    "notes_of",
    "replay_columns",
    "replay_json",
    "replay_table",
    "verdict_of",
    "write_replay_page",
]

QUEUE_NAMES: Final[Mapping[Queue, str]] = {
    "front": "front of the queue",
    "model": "modelled place in the queue",
    "back": "back of the queue",
}
_MOST_HOLES: Final = 10
_FIGURES: Final = ("fills_per_hour", "net_bp_per_fill", "net_per_hour")
_HEADER: Final = ("policy", "mean depth", "queue", "fills per hour", "net bp per fill", "USDC/h")


@dataclass(frozen=True)
class ReplayReport:
    """A replay with what is to be told of it.

    ``runs`` has the policy asked for first, then those it is compared with; ``judged`` the
    performance of the first, by queue; ``horizon_s`` is that of adverse selection.
    """

    backtest: Backtest
    runs: Sequence[PolicyRun]
    judged: Mapping[Queue, Performance]
    horizon_s: float

    @property
    def asked(self) -> PolicyRun:
        """The policy asked for."""
        return self.runs[0]


def verdict_of(report: ReplayReport) -> str:
    """Say in one or two sentences whether it pays, and whether that is known at all."""
    told = _verdict(report.asked, report.judged)
    if len(report.runs) > 1:
        told += " " + _verdict_of_all(report.runs)
    if report.backtest.hours < TOO_SHORT_HOURS:
        told = (
            f"Too short: {60 * report.backtest.hours:.0f} minutes of data say little about a "
            f"strategy; record at least an hour. So far: {told}"
        )
    return told


def _verdict(run: PolicyRun, judged: Mapping[Queue, Performance]) -> str:
    lows = [one["net_per_hour"].low for one in run.figures.values()]
    highs = [one["net_per_hour"].high for one in run.figures.values()]
    if not run.fills:
        return f"Nothing was filled. {_kept_away(judged[run.best])}".strip()
    if min(lows) > 0:
        return f"It pays, {_wherever(run)}: {_range(run)}."
    if max(highs) < 0:
        return f"It does not pay, {_wherever(run)}: {_range(run)}."
    if not np.isfinite([*lows, *highs]).all():
        return f"Undecided: {_range(run)}; there is too little time for an interval."
    return f"Undecided: {_range(run)}; zero lies within what chance and the queue explain."


def _wherever(run: PolicyRun) -> str:
    if len(run.results) > 1:
        return "whatever its place in the queue"
    return f"at the {QUEUE_NAMES[run.best]}"


def _range(run: PolicyRun) -> str:
    """Net per hour from the worst place in the queue to the best, and what chance adds to that."""
    found = [figures["net_per_hour"] for figures in run.figures.values()]
    low, high = (_number(bound(one.value for one in found)) for bound in (min, max))
    told = f"{low if low == high else f'{low} to {high}'} USDC per hour"
    least, most = min(one.low for one in found), max(one.high for one in found)
    if np.isfinite([least, most]).all():
        told += f" (95%: {_number(least)} to {_number(most)})"
    return told


def _verdict_of_all(runs: Sequence[PolicyRun]) -> str:
    paying, earning = [], []
    for run in runs:
        found = [one["net_per_hour"] for one in run.figures.values()]
        if run.fills and min(one.low for one in found) > 0:
            paying.append(run.name)
        if max(one.value for one in found) > 0:
            earning.append(run.name)
    if paying:
        return f"Of all compared, these pay whatever the place in the queue: {', '.join(paying)}."
    if not earning:
        return "Nothing pays: none of the policies compared earned anything."
    return (
        f"Nothing is shown to pay: {', '.join(earning)} earned something at the most favourable "
        "place in the queue, but no more than chance explains at another."
    )


def _kept_away(one: Performance) -> str:
    away = [(kind, share) for kind, share in one.resting.without.items() if share > 0.005]
    if not away:
        return ""
    listed = ", ".join(f"{kind} {share:.0%}" for kind, share in away[:3])
    return f"No quote rested for {1 - one.resting.any_quote:.0%} of the time: {listed}."


def notes_of(report: ReplayReport) -> list[str]:
    """Say what the numbers rest on and what they cannot know, a sentence or two each."""
    backtest, run = report.backtest, report.asked
    result = run.results[run.best]
    options, coin = result.options, backtest.data.coin
    start, end = _utc(backtest.start_ms), _utc(backtest.end_ms)
    delay = "measured latencies"
    if options.latencies_ms is None:
        delay = f"{options.latency_ms:g} ms"
    told = [
        f"{coin} from {start:%Y-%m-%d %H:%M:%S} to {end:%Y-%m-%d %H:%M:%S} UTC. "
        f"{_trading(result)}, a look every {options.look_ms / 1000:g} s, {delay} to place and to "
        f"cancel, a maker fee of {1e4 * options.fee_rate:g} bp.",
    ]
    if backtest.warm_up_s >= 1:
        told.append(
            f"The first {span_text(round(1000 * backtest.warm_up_s))} are left out: no usable "
            "parameters had been published."
        )
    general = replay_notes(result)
    if backtest.hours < TOO_SHORT_HOURS:
        general = general[1:]  # the verdict says so
    told += [*general, *_holes(backtest.holes), *_queue_notes(run)]
    return told


def _trading(result: ReplayResult) -> str:
    """Say how large the orders are, or what a ladder's account has at the start."""
    account, opening, coin = result.account, result.opening, result.data.coin
    if account is None:
        return f"Orders of {result.options.size:g} {coin}"
    if account.spot:
        return f"A spot account of {opening.cash:.2f} USDC and {opening.inventory:g} {coin}"
    bound = f"a position of at most {account.leverage * account.capital:g} USDC"
    return f"A perpetual account of {account.capital:g} USDC with {bound}"


def _holes(holes: Sequence[tuple[int, int]]) -> Iterator[str]:
    """List the times without data, the longest if there are many."""
    if not holes:
        return
    longest = sorted(holes, key=lambda hole: hole[0] - hole[1])[:_MOST_HOLES]
    listed = ", ".join(
        f"{_utc(low):%Y-%m-%d %H:%M:%S} for {(high - low) / 1000:.0f} s"
        for low, high in sorted(longest)
    )
    more = len(holes) - len(longest)
    yield f"Without data: {listed}{f' and {more} shorter times' if more else ''}."


def _queue_notes(run: PolicyRun) -> Iterator[str]:
    """Say what the guess at the queue is worth, and how many fills no trade confirms."""
    shares = [figures["by_book"].value for figures in run.figures.values()]
    shares = [share for share in shares if np.isfinite(share)]
    if not shares:  # no fills, or none within the time with data
        return
    low, high = f"{min(shares):.0%}", f"{max(shares):.0%}"
    yield (
        f"Of the turnover, {low if low == high else f'{low} to {high}'} was filled because the "
        "opposite best price reached the order, without a recorded trade there."
    )
    if len(run.results) > 1:
        best, worst = (run.figures[q]["net_per_hour"].value for q in (run.best, run.worst))
        yield (
            f"The place in the queue alone moves the result between {_number(worst)} USDC per hour "
            f"({QUEUE_NAMES[run.worst]}) and {_number(best)} ({QUEUE_NAMES[run.best]})."
        )


def replay_table(runs: Sequence[PolicyRun], title: str) -> TerminalTable:
    """Lay out policies and queue assumptions; intervals hold with 95%."""
    table = TerminalTable(title=title, title_justify="left", caption_justify="left")
    table.caption = (
        "In brackets: 95% intervals by drawing blocks of time. Net: change of equity at the mid, "
        "after fees. All of the time with data."
    )
    for name in _HEADER:
        table.add_column(name, justify="left" if name in ("policy", "queue") else "right")
    for run in runs:
        for row in _rows(run):
            table.add_row(*row)
        table.add_section()
    return table


def replay_columns(report: ReplayReport) -> list[Column]:
    """Return a column of the performance table for each queue assumption."""
    return [
        Column(QUEUE_NAMES[queue], one.parts, one.figures, one.truth.line.slope)
        for queue, one in report.judged.items()
    ]


def replay_json(report: ReplayReport) -> dict[str, Any]:
    """Return everything as plain values; what is not known is null."""
    backtest, asked = report.backtest, report.asked
    told: dict[str, Any] = {
        "coin": backtest.data.coin,
        "policy": asked.name,
        "since": _utc(backtest.start_ms).isoformat(),
        "until": _utc(backtest.end_ms).isoformat(),
        "hours": backtest.hours,
        "too_short": backtest.hours < TOO_SHORT_HOURS,
        "warm_up_seconds": backtest.warm_up_s,
        "share_without_data": backtest.share_without_data,
        "without_data": [
            {"start": _utc(low).isoformat(), "seconds": (high - low) / 1000}
            for low, high in backtest.holes
        ],
        "horizon_seconds": report.horizon_s,
        "verdict": verdict_of(report),
        "notes": notes_of(report),
        "mean_depth_bp": asked.mean_depth_bp,
        "queues": {
            queue: performance_json(one) | _figures_json(asked, queue)
            for queue, one in report.judged.items()
        },
    }
    if len(report.runs) > 1:
        told["compare"] = [
            {
                "policy": run.name,
                "mean_depth_bp": run.mean_depth_bp,
                "queues": {queue: _figures_json(run, queue) for queue in run.figures},
            }
            for run in report.runs
        ]
    return told


def write_replay_page(path: Path, report: ReplayReport) -> None:
    """Write the range over the queue, then the performance report of one replay.

    That is the one by the queue model, or the first asked for without it.

    Raises
    ------
    OSError
        The file cannot be written.
    """
    backtest = report.backtest
    queue: Queue = "model" if "model" in report.judged else report.asked.best
    shown = PageInput([report.judged[queue]], report.horizon_s)
    figures = report.asked.figures[queue]
    start, end = _utc(backtest.start_ms), _utc(backtest.end_ms)
    range_section = Section(
        "range",
        "The range",
        [*notes_of(report), f"The sections below are the replay at the {QUEUE_NAMES[queue]}."],
        tables=[
            Table(
                "In brackets: 95% intervals by drawing blocks of time.",
                _HEADER,
                [row for run in report.runs for row in _rows(run)],
            )
        ],
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    write_page(
        path,
        f"Replay: {backtest.data.coin}",
        f"{report.asked.name}, {start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC. "
        "Amounts in USDC.",
        [range_section, *performance_sections(shown)],
        Headline(
            verdict_of(report),
            " ".join(basis_of(report.judged[queue])[1:]),
            _cards(backtest.hours, figures, QUEUE_NAMES[queue]),
            figures["net_per_hour"].value,
        ),
    )


def _figures_json(run: PolicyRun, queue: Queue) -> dict[str, float | None]:
    """Return the figures with their ``_low`` and ``_high``; what is not known is null."""
    hours = covered_part(run.results[queue]).observed_seconds / 3600
    told: dict[str, float | None] = {"hours_covered": hours}
    for name in _FIGURES:
        figure = run.figures[queue][name]
        for suffix, number in (("", figure.value), ("_low", figure.low), ("_high", figure.high)):
            told[name + suffix] = float(number) if np.isfinite(number) else None
    return told


def _cards(hours: float, figures: Mapping[str, Figure], queue: str) -> list[Card]:
    net = figures["net_per_hour"]
    return [
        Card("hours with data", f"{hours:.2f}"),
        Card("fills per hour", _numbers(figures["fills_per_hour"]), queue),
        Card("net bp per fill", _numbers(figures["net_bp_per_fill"]), queue),
        Card("USDC per hour", _numbers(net), queue, net.value),
    ]


def _rows(run: PolicyRun) -> list[tuple[str, ...]]:
    depth = run.mean_depth_bp
    rows: list[tuple[str, ...]] = []
    for queue, figures in run.figures.items():
        first = not rows
        rows.append(
            (
                run.name if first else "",
                ("–" if depth is None else f"{depth:.2f} bp") if first else "",
                queue,
                *(_numbers(figures[name]) for name in _FIGURES),
            )
        )
    return rows


def _numbers(figure: Figure) -> str:
    """A number and its interval without the unit."""
    if not np.isfinite(figure.value):
        return "–"
    text = _number(figure.value)
    if np.isfinite(figure.low) and np.isfinite(figure.high):
        text += f" [{_number(figure.low)}, {_number(figure.high)}]"
    return text


def _number(value: float) -> str:
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return f"{round(value, digits) + 0.0:.{digits}f}".replace("-", "−")  # no −0.00


def _utc(time_ms: int) -> datetime:
    return datetime.fromtimestamp(time_ms / 1000, UTC)
