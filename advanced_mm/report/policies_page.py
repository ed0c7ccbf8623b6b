"""Policies compared on the same markets: outcomes, verdicts, and a page with the ladders drawn."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import numpy as np

from advanced_mm.performance import Figure
from advanced_mm.policies import Ladder
from advanced_mm.replay.figures import covered_part
from advanced_mm.replay.policies import PolicyRun
from advanced_mm.report.charts import Chart, Series
from advanced_mm.report.page import Section, Table, write_page

__all__ = [
    "HEADER",
    "DrawnLadder",
    "Outcome",
    "outcome_rows",
    "verdict_on_market",
    "write_policies_page",
]

HEADER: Final = (
    *("policy", "fills/h", "USDC/h [95%]", "spread", "adverse", "inventory", "fees"),
    "mean |inventory|, % of capital",
)

_PARTS: Final = {
    "spread": "spread captured",
    "adverse": "adverse selection",
    "inventory": "inventory",
    "fees": "fees",
}


@dataclass(frozen=True)
class Outcome:
    """What a policy earned on a market, quote currency per hour with data.

    ``net`` is what was earned beyond holding what the account held at the start; the four parts
    add up to it. ``held`` is the mean distance of the inventory from that at the start, by the
    time, as a share of the capital. ``why_not`` says why there is none.
    """

    market: str
    policy: str
    net: Figure
    spread: float
    adverse: float
    inventory: float
    fees: float
    fills: float
    held: float
    why_not: str = ""

    @classmethod
    def of_run(cls, market: str, policy: str, run: PolicyRun) -> Self:
        """Take the only replay of a run."""
        (queue, result), *_ = run.results.items()
        net = run.figures[queue]["net_per_hour"]
        hours = covered_part(result).observed_seconds / 3600
        parts = result.performance().parts
        spread, adverse, fees = (
            part / hours for part in (parts.spread_captured, parts.adverse_selection, parts.fees)
        )
        capital = np.nan if result.account is None else result.account.capital
        times = np.concatenate([[result.start_ms], result.time_ms, [result.end_ms]])
        moved = np.concatenate([[result.opening.inventory], result.position_after])
        away = np.abs(moved - result.opening.inventory) * result.mids.at(times[:-1])[0]
        seconds = np.diff(times)
        return cls(
            market=market,
            policy=policy,
            net=net,
            spread=spread,
            adverse=adverse,
            inventory=net.value - spread - adverse - fees,
            fees=fees,
            fills=run.figures[queue]["fills_per_hour"].value,
            held=float(np.nansum(away * seconds) / seconds.sum() / capital),
        )

    @classmethod
    def none(cls, market: str, policy: str, why_not: str) -> Self:
        """Say that a policy could not be replayed."""
        no = np.nan
        return cls(market, policy, Figure(no, "USDC per hour"), no, no, no, no, no, no, why_not)


@dataclass(frozen=True)
class DrawnLadder:
    """A policy's ladders at a mid, at the inventory of the start and away from it."""

    policy: str
    mid: float
    ladders: Sequence[tuple[str, Ladder]]


def verdict_on_market(outcomes: Sequence[Outcome]) -> str:
    """Say for one market who earns, and where nobody should quote."""
    filled = [one for one in outcomes if one.fills > 0]
    if not filled:
        return "Undecided: nothing was filled."
    paying = [one.policy for one in filled if one.net.low > 0]
    if paying:
        return f"These pay: {', '.join(paying)}."
    earning = [one.policy for one in filled if one.net.value > 0]
    if earning:
        if not any(np.isfinite(one.net.low) for one in filled):
            return (
                f"Too short to tell luck from skill: {', '.join(earning)} earned something. "
                "Compare a longer time."
            )
        return f"Nothing is shown to pay: {', '.join(earning)} earned something, as chance may."
    if all(one.net.high < 0 for one in filled):
        return "Do not quote here: every policy that was filled loses."
    return "Do not quote here: every policy that was filled lost, some no more than chance does."


def outcome_rows(outcomes: Iterable[Outcome]) -> list[tuple[str, ...]]:
    """Return a row for each policy, with the columns of `HEADER`."""
    return [
        (one.policy, one.why_not, *([""] * 6))
        if one.why_not
        else (
            one.policy,
            _number(one.fills),
            _interval(one.net),
            *(_number(part) for part in (one.spread, one.adverse, one.inventory, one.fees)),
            _number(100 * one.held),
        )
        for one in outcomes
    ]


def write_policies_page(
    path: Path,
    lead: str,
    outcomes: Sequence[Outcome],
    ladders: Sequence[DrawnLadder],
    notes: Sequence[str],
) -> None:
    """Write the page: a section for each market, then the ladders.

    Raises
    ------
    OSError
        The file cannot be written.
    """
    markets = list(dict.fromkeys(one.market for one in outcomes))
    sections = [
        _market_section(number, name, [one for one in outcomes if one.market == name])
        for number, name in enumerate(markets)
    ]
    drawn = Section(
        "ladders",
        "The ladders",
        [
            "Value at rest up to each price: bids left of the mid, asks right of it. A policy that "
            "steers its inventory by prices moves both sides; one that steers by sizes thins one "
            "of them."
        ],
        [chart for one in ladders for chart in _charts(one)],
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    write_page(
        path, "Policies compared", lead, [*sections, drawn, Section("notes", "Notes", notes)]
    )


def _market_section(number: int, name: str, outcomes: Sequence[Outcome]) -> Section:
    known = [one for one in outcomes if not one.why_not]
    names = [one.policy for one in known]
    parts = [
        Series(title, names, [getattr(one, part) for one in known], kind="stacked")
        for part, title in _PARTS.items()
    ]
    table = Table(
        "USDC per hour with data, beyond holding what was held at the start; its four parts add up "
        "to it. In brackets: 95% intervals by drawing blocks of time, where it was long enough.",
        HEADER,
        outcome_rows(outcomes),
    )
    chart = Chart("What it consists of", "policy", "USDC per hour", parts if known else ())
    return Section(f"market{number}", name, [verdict_on_market(outcomes)], [chart], [table])


def _charts(drawn: DrawnLadder) -> list[Chart]:
    series = []
    for colour, (name, ladder) in enumerate(drawn.ladders):
        for side, levels in (("bids", ladder.bids), ("asks", ladder.asks)):
            if not levels:
                continue
            away = [1e4 * (level.price / drawn.mid - 1) for level in levels]
            value = np.cumsum([level.price * level.size for level in levels])
            # A step up at each price, from nothing before the best one.
            up = np.repeat(np.concatenate([[0.0], value]), 2)[1:-1]
            series.append(Series(f"{name}, {side}", np.repeat(away, 2), up, colour=colour))
    return [Chart(drawn.policy, "distance from the mid, bp", "USDC at rest", series)]


def _interval(figure: Figure) -> str:
    text = _number(figure.value)
    if np.isfinite(figure.low) and np.isfinite(figure.high):
        text += f" [{_number(figure.low)}, {_number(figure.high)}]"
    return text


def _number(value: float) -> str:
    if not np.isfinite(value):
        return "–"
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return f"{value + 0.0:.{digits}f}".replace("-", "−")
