"""Actions a day against the value kept, by tolerance and least age of a quote; and within a budget.

A maker of one unit on {0, 1} keeps one quote at the model's best depth from a fair price that moves
as a Brownian motion. It looks twenty times a second, and replaces the quote once it has lost more
than the tolerance of its value, by one action that is 50 ms on its way; a filled one by one of the
other side. The value kept is the mean of lambda exp(-kappa delta) (delta - epsilon - c + dh) of
what rests over its greatest value: losses are what the tolerance leaves, the way, and the tick.

The second table spends a budget: 10 000 actions and one for each USDC traded, as a fresh address
has, with the bot's own widening of the tolerance (`RequestBudget`).

    python benchmarks/requotes.py              # some minutes
    python benchmarks/requotes.py --quick
"""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import exp
from typing import Any, Final

import numpy as np
from rich.console import Console
from rich.table import Table

from advanced_mm.cli import run
from advanced_mm.model import kept
from advanced_mm.quoting.exchange.request_budget import RequestBudget

FRESH: Final = 10_000
DAY_S: Final = 86_400
TOLERANCES: Final = (1.0, 2.0, 5.0, 10.0, 20.0)
AGES_S: Final = (0.0, 0.2, 0.5, 1.0)
STAKES: Final = (20.0, 50.0, 100.0)


@dataclass(frozen=True)
class Market:
    """What decides: all lengths in mean reaches 1/kappa.

    ``volatility`` is sigma kappa, per square root of a second; ``tick`` kappa times the tick;
    ``rate`` the fills a second of a quote at its best depth.
    """

    volatility: float
    tick: float
    rate: float


MARKETS: Final = {
    "ETH-like (sigma 0.4, kappa 2, tick 0.1)": Market(0.8, 0.2, 0.05),
    "calm (sigma 0.2, kappa 1, tick 0.1)": Market(0.2, 0.1, 0.02),
}


@dataclass(frozen=True)
class Rules:
    """How a quote is replaced: tolerance (percent), least age, look and way (seconds)."""

    tolerance_percent: float = 5.0
    least_age_s: float = 0.2
    look_s: float = 0.05
    way_s: float = 0.05


@dataclass(frozen=True)
class Outcome:
    """One run: share of the value kept, actions and fills a day, and the least budget left."""

    kept: float
    actions: float
    fills: float
    left: int | None


class Address:
    """The client of an address with a budget: answers ``userRateLimit`` and tells the time."""

    def __init__(self) -> None:
        self.now = 0.0
        self.used, self.traded = 0, 0.0

    @property
    def left(self) -> int:
        """Actions left."""
        return FRESH + int(self.traded) - self.used

    def privatePostExchange(self, request: Any) -> None:
        """Take an action."""

    def handle_public_address(self, name: str, params: Any) -> tuple[str, Any]:
        """Return an address."""
        return "0x1", params

    def publicPostInfo(self, request: Any) -> dict[str, int]:
        """Return the budget."""
        return {"nRequestsUsed": self.used, "nRequestsCap": FRESH + int(self.traded)}


def simulate(
    market: Market, rules: Rules, seconds: float, seed: int = 0, stake: float | None = None
) -> Outcome:
    """Trade for some time; with a ``stake`` (USDC) on a fresh address's budget.

    While the budget refuses, nothing rests and no value is kept.
    """
    address = Address()
    budget = RequestBudget(address, lambda: address.now)
    value, fills, least_left = 0.0, 0, FRESH
    tolerance = rules.tolerance_percent / 100
    away, price = -1.0, None  # a bid, and the price that rests
    coming: tuple[float, float] | None = None  # when, and at which price
    sent_s, count = -1e9, 0
    second, refused = 0.0, False
    for moment, fair, chance in _looks(market, rules, seconds, seed):
        if stake is not None and moment >= second:
            second, address.now = second + 1, moment
            budget.look()
            tolerance = budget.tolerance_percent(rules.tolerance_percent) / 100
            refused = away < 0 and budget.refusal() is not None
            least_left = min(least_left, address.left)
            if refused and price is not None:  # an entry is withdrawn
                price, coming, address.used, count = None, None, address.used + 1, count + 1
        if coming is not None and moment >= coming[0] - 1e-9:
            price, coming = coming[1], None
        if price is not None:
            off = away * (price - fair)
            value += kept(off, 0.0)
            if chance < market.rate * rules.look_s * exp(-max(off, -5.0)):
                fills, price, coming, away = fills + 1, None, None, -away
                address.traded += stake or 0.0
                sent_s = -1e9
                refused = away < 0 and stake is not None and budget.refusal() is not None
        if coming is not None or refused or moment - sent_s < rules.least_age_s - 1e-9:
            continue
        wanted = np.ceil(fair / market.tick) * market.tick if away > 0 else (
            np.floor(fair / market.tick) * market.tick
        )  # fmt: skip
        if price is not None:
            if abs(price - wanted) < 1e-9:
                continue
            best = kept(away * (wanted - fair), 0.0)
            if 1 - kept(away * (price - fair), 0.0) / best <= tolerance:
                continue
        coming, sent_s, count = (moment + rules.way_s, float(wanted)), moment, count + 1
        if stake is not None:
            address.used += 1
            address.now = moment
            budget.count(1)
    looks = int(seconds / rules.look_s)
    days = seconds / DAY_S
    left = None if stake is None else min(least_left, address.left)
    return Outcome(value / looks, count / days, fills / days, left)


def _looks(
    market: Market, rules: Rules, seconds: float, seed: int
) -> Iterator[tuple[float, float, float]]:
    """Yield time, fair price and a uniform number for each look, an hour drawn at a time."""
    random, fair, start = np.random.default_rng(seed), 0.0, 0
    looks, chunk = int(seconds / rules.look_s), 72_000
    while start < looks:
        n = min(chunk, looks - start)
        steps = market.volatility * np.sqrt(rules.look_s) * random.standard_normal(n)
        path = fair + np.cumsum(steps)
        times = (np.arange(start, start + n) * rules.look_s).tolist()
        yield from zip(times, path.tolist(), random.random(n).tolist(), strict=True)
        fair, start = float(path[-1]), start + n


def main(arguments: list[str] | None = None) -> int:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--quick", action="store_true", help="minutes in place of hours")
    options = parser.parse_args(arguments)
    console = Console(width=100)
    for name, market in MARKETS.items():
        table = Table(title=f"{name}: value kept, and actions a day")
        table.add_column("tolerance")
        for age in AGES_S:
            table.add_column(f"age {age:g} s", justify="right")
        for tolerance in TOLERANCES:
            cells = []
            for age in AGES_S:
                rules = Rules(tolerance, age)
                found = simulate(market, rules, 300 if options.quick else 7200)
                cells.append(f"{found.kept:.1%}  {found.actions:,.0f}")
            table.add_row(f"{tolerance:g}%", *cells)
        console.print(table)
    table = Table(title="a fresh address, 24 hours")
    for column in ("market", "order, USDC", "value kept", "actions", "fills", "least left"):
        table.add_column(column, justify="right")
    for name, market in MARKETS.items():
        for stake in STAKES:
            seconds = 3600 if options.quick else DAY_S
            found = simulate(market, replace(Rules(), look_s=0.1, way_s=0.1), seconds, 1, stake)
            table.add_row(
                name.split(" (")[0], f"{stake:g}", f"{found.kept:.1%}",
                f"{found.actions * seconds / DAY_S:,.0f}", f"{found.fills * seconds / DAY_S:,.0f}",
                f"{found.left:,}",
            )  # fmt: skip
    console.print(table)
    return 0


if __name__ == "__main__":
    sys.exit(run(main))
