"""What `benchmarks/strategy.py` measured of each bot: the table, and the limits to keep."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from rich.table import Table

from advanced_mm.performance.intervals import Figure
from benchmarks.answered_calls import Call
from benchmarks.resting_value import PARTS, Worth

__all__ = ["MOST_AGE_S", "Limit", "Outcome", "limits", "table"]

HOUR_S: Final = 3600
MOST_BEYOND_LATENCY_S, MOST_AGE_S, MOST_WEIGHT, LEAST_SHARE = 0.15, 0.35, 0.5, 0.85


@dataclass(frozen=True)
class Outcome:
    """What was measured of one bot; ages in seconds, ``weight`` and ``actions`` a minute.

    ``worth`` is beside the promise of quotes that are replaced at `MOST_AGE_S`, the same for all;
    ``own`` beside that of the age the bot's settings count, ``quote_age``. ``at_once`` is what an
    instant maker is promised, quote currency per unit and second.
    """

    calls: Sequence[Call]
    ages: Sequence[float]
    quote_age: float
    weight: float
    actions: float
    worth: Worth
    own: Worth
    at_once: float
    income: Figure
    edge: Figure
    orders: float
    minutes: float

    @property
    def beyond(self) -> float:
        """Median of the time from call to order beyond the venue's latency, s."""
        return _median([one.seconds - one.way for one in self.calls])

    def to_json(self) -> dict[str, Any]:
        """Plain values; shares of the promise, money USDC."""
        worth, hourly = self.worth, HOUR_S
        return {
            "minutes": self.minutes,
            "call_to_order_s": _quantiles([one.seconds for one in self.calls]),
            "call_to_order_beyond_latency_s": _quantiles(
                [one.seconds - one.way for one in self.calls]
            ),
            "calls": len(self.calls),
            "age_of_fills_s": _quantiles(self.ages),
            "fills": len(self.ages),
            "rest_weight_a_minute": self.weight,
            "actions_a_minute": self.actions,
            "orders_a_minute": self.orders,
            "value_an_hour_a_unit": worth.value * hourly,
            "promised_an_hour_a_unit": worth.promised * hourly,
            "promised_at_once_an_hour_a_unit": self.at_once * hourly,
            "share_of_promise": worth.share,
            "own_age_s": self.quote_age,
            "promised_with_own_age_an_hour_a_unit": self.own.promised * hourly,
            "share_with_own_age": self.own.share,
            "lost": {part: worth.lost[part] / worth.promised for part in PARTS},
            "dead_after": {why: v / worth.promised for why, v in worth.dead_after.items()},
            "mean_depth": worth.depth,
            "resting": worth.resting,
            "income_an_hour": self.income.to_json(),
            "edge_per_fill": self.edge.to_json(),
        }


def _median(values: Sequence[float]) -> float:
    return float(np.median(values)) if len(values) else float("nan")


def _quantiles(values: Sequence[float]) -> dict[str, float | None]:
    names = {"median": 0.5, "90%": 0.9}
    return {
        name: float(np.quantile(values, share)) if len(values) else None
        for name, share in names.items()
    }


@dataclass(frozen=True)
class Limit:
    """A limit that the strategy keeps or misses."""

    what: str
    value: float
    limit: float
    at_most: bool = True

    @property
    def kept(self) -> bool:
        """Whether the value is within the limit; one that is not known is not."""
        return self.value <= self.limit if self.at_most else self.value >= self.limit

    def told(self) -> str:
        """One line."""
        word = "at most" if self.at_most else "at least"
        verdict = "kept" if self.kept else "missed"
        return f"{verdict}: {self.what} {self.value:.3g}, {word} {self.limit:.3g}"


def limits(outcomes: Mapping[str, Outcome]) -> list[Limit]:
    """Compare the strategy with what it has to keep."""
    one = outcomes["strategy"]
    return [
        Limit("from call to order beyond the latency, median s", one.beyond, MOST_BEYOND_LATENCY_S),
        Limit("age of filled quotes, median s", _median(one.ages), MOST_AGE_S),
        Limit("REST weight a minute", one.weight, MOST_WEIGHT * outcomes["REST"].weight),
        Limit(
            f"share of the promise at {MOST_AGE_S:g} s", one.worth.share, LEAST_SHARE, at_most=False
        ),
        Limit(
            f"share of the promise at {one.quote_age:g} s, the settings' age",
            one.own.share,
            LEAST_SHARE,
            at_most=False,
        ),
    ]


ROWS: Mapping[str, Callable[[Outcome], str]] = {
    "minutes": lambda one: f"{one.minutes:.1f}",
    "call to order, s: median (90%)": lambda one: _with_tail([c.seconds for c in one.calls]),
    "  beyond the latency": lambda one: _with_tail([c.seconds - c.way for c in one.calls]),
    "  calls": lambda one: str(len(one.calls)),
    "age of filled quotes, s: median (90%)": lambda one: _with_tail(one.ages),
    "fills": lambda one: str(len(one.ages)),
    "REST weight a minute": lambda one: f"{one.weight:.0f}",
    "orders a minute": lambda one: f"{one.orders:.1f}",
    "actions a minute": lambda one: f"{one.actions:.1f}",
    "mean depth decided, USDC": lambda one: f"{one.worth.depth:.3f}",
    "time with a quote": lambda one: f"{one.worth.resting:.1%}",
    "worth of the resting quote, USDC an hour a unit": lambda one: (
        f"{one.worth.value * HOUR_S:.0f}"
    ),
    f"  promised, age of {MOST_AGE_S:g} s": lambda one: f"{one.worth.promised * HOUR_S:.0f}",
    "  promised, age of the settings": lambda one: (
        f"{one.own.promised * HOUR_S:.0f} ({one.quote_age:g} s)"
    ),
    "  promised an instant maker": lambda one: f"{one.at_once * HOUR_S:.0f}",
    "share of an instant maker's": lambda one: f"{one.worth.value / one.at_once:.1%}",
    "share at the settings' age": lambda one: f"{one.own.share:.1%}",
    f"share at an age of {MOST_AGE_S:g} s": lambda one: f"{one.worth.share:.1%}",
    **{
        f"  lost: {part}": lambda one, part=part: (  # type: ignore[misc]
            f"{one.worth.lost[part] / one.worth.promised:+.1%}"
        )
        for part in PARTS
    },
    "income, USDC an hour": lambda one: _with_interval(one.income, 0),
    "edge per fill, bp": lambda one: _with_interval(one.edge, 2),
}


def _with_tail(values: Sequence[float]) -> str:
    return f"{_median(values):.3f} ({np.quantile(values, 0.9):.3f})" if len(values) else "-"


def _with_interval(figure: Figure, digits: int) -> str:
    known = np.isfinite(figure.low)
    interval = f" ({figure.low:+.{digits}f} to {figure.high:+.{digits}f})" if known else ""
    return f"{figure.value:+.{digits}f}{interval}"


def table(outcomes: Mapping[str, Outcome]) -> Table:
    """Return the figures side by side."""
    shown = Table()
    for heading in ("", *outcomes):
        shown.add_column(heading, no_wrap=True)
    for name, cell in ROWS.items():
        shown.add_row(name, *(cell(one) for one in outcomes.values()))
    return shown
