"""Cost of leaving quotes resting: profit per unit and orders sent, by minimum quote age.

A maker of one unit on {0, 1} quotes the model's optimal depths, from the market's true parameters,
in the loopback venue's order book, at the end of each level's queue and with fees. As in the
strategy, a quote is replaced if its price is two ticks off and it is older than the minimum age,
checked once a second. Each row is traded twice: at the depths of a maker whose quotes follow the
mid at once, and at those that count the age. Beside what a unit earned stands what the model
expects of a fill at these depths, without the age and with it.

    python benchmarks/quote_age.py                        # six minutes
    python benchmarks/quote_age.py --quick
    python benchmarks/quote_age.py --look-seconds 0.1     # ten checks per second, half an hour
"""

import argparse
import sys
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from advanced_mm.cli import run
from advanced_mm.errors import InputError
from advanced_mm.markets.synthetic import SyntheticMarket, SyntheticParameters
from advanced_mm.model import QuoteAge, SideProblem, problem_of, solve
from advanced_mm.price_grid import PriceGrid
from advanced_mm.venue.engine.exchange import Exchange
from advanced_mm.venue.engine.orders import OrderRequest, TimeInForce
from advanced_mm.venue.engine.rules import Rules

START_MS = 1_790_000_000_000
MAKER = "0x" + "a" * 40
REQUOTE_TICKS = 2
AGES_S = (1.0, 2.0, 5.0, 15.0)
MARKETS: Mapping[str, Mapping[str, Any]] = {
    "default, sigma 1": {},
    "sigma 0.4, as ETH": {"sigma": 0.4},
    "calm": {"sigma": 0.4, "lambda_plus": 0.6, "lambda_minus": 0.6, "jump_minimum": 0.1},
}


@dataclass(frozen=True)
class Outcome:
    """One run: units bought and sold, profit after fees (USDC), orders sent, minutes.

    ``waited`` is how long filled orders had rested, unit-seconds; ``expected`` the model's profit
    of a fill (USDC, mean of the two sides) of quotes that follow at once, and of this age.
    """

    units: float
    profit: float
    orders: int
    minutes: float
    waited: float
    expected: tuple[float, float]


class Maker:
    """Account that quotes the bid when flat and the ask when long."""

    def __init__(
        self, parameters: SyntheticParameters, seed: int, least_age_s: float, priced_s: float = 0.0
    ) -> None:
        rules = Rules()
        self.exchange = Exchange([SyntheticMarket(parameters, START_MS, seed)], rules)
        self.account = self.exchange.accounts.open(MAKER)
        self.coin = parameters.coin
        self.book = self.exchange.books[self.coin]
        self.least_age_ms = least_age_s * 1000
        self.tick = parameters.tick
        self.grid = PriceGrid(parameters.size_decimals, parameters.tick)
        self.unit = self.book.units.lots(1.0)
        self.orders = 0
        fee = float(rules.maker_fee)
        self.bid_depth, self.ask_depth = optimal_depths(parameters, fee, priced_s)
        self.expected = (
            expected_edge(parameters, fee, 0.0, self.bid_depth, self.ask_depth),
            expected_edge(parameters, fee, least_age_s, self.bid_depth, self.ask_depth),
        )

    def look(self) -> None:
        """One loop of the bot."""
        units = self.book.units
        position = self.account.positions.get(self.coin)
        held = position.lots if position else 0
        mid = units.price(self.book.mark)
        is_buy = held == 0
        wanted = (
            self.grid.bid(mid, self.bid_depth) if is_buy else self.grid.ask(mid, self.ask_depth)
        )
        for order in self.exchange.open_orders(MAKER):
            off = abs(units.price(order.request.price) - wanted) / self.tick
            young = self.exchange.now_ms - order.placed_ms < self.least_age_ms
            if order.request.is_buy == is_buy and (young or off < REQUOTE_TICKS - 1e-6):
                return
            self.exchange.cancel(MAKER, [(self.coin, order.oid)])
        request = OrderRequest(
            self.coin, is_buy, units.price_units(wanted), held or self.unit, tif=TimeInForce.ALO
        )
        self.exchange.place(MAKER, [request])
        self.orders += 1

    def trade(self, minutes: float, loop_ms: int) -> Outcome:
        """Quote for ``minutes``, checking the market every ``loop_ms``."""
        money = self.exchange.margin.value(self.account)
        while self.exchange.now_ms < START_MS + minutes * 60_000:
            self.exchange.advance(self.exchange.now_ms + loop_ms)
            self.exchange.take_events()
            self.look()
        profit = (self.exchange.margin.value(self.account) - money) / 1e6
        fills = self.exchange.fills(MAKER)
        lots = sum(fill.lots for fill in fills)
        waited = sum(fill.lots * fill.waited_ms for fill in fills) / 1000
        return Outcome(
            lots / self.unit, profit, self.orders, minutes, waited / self.unit, self.expected
        )


def optimal_depths(
    parameters: SyntheticParameters, maker_fee: float, age_s: float = 0.0
) -> tuple[float, float]:
    """Return the optimal bid depth when flat and ask depth when long, USDC.

    ``age_s`` is the age at which quotes are replaced; 0: they follow the mid at once.
    """
    fee = maker_fee * parameters.start_price
    age = QuoteAge(age_s, volatility(parameters))
    ask, bid = (age.effective(side, fee) for side in sides_of(parameters))
    value = solve(
        problem_of(
            ask,
            bid,
            fee=fee,
            q_min=0,
            q_max=1,
        )
    )
    return float(value.bid_depth[0]), float(value.ask_depth[1])


def expected_edge(
    parameters: SyntheticParameters, maker_fee: float, age_s: float, bid: float, ask: float
) -> float:
    """Return what a fill is expected to earn after the fee, USDC, mean of the two sides.

    Prices are rounded away from the mid, by half a tick on average.
    """
    age, half = QuoteAge(age_s, volatility(parameters)), parameters.tick / 2
    buy, sell = sides_of(parameters)
    earned = (age.edge(buy, ask + half) + age.edge(sell, bid + half)) / 2
    return earned - maker_fee * parameters.start_price


def volatility(parameters: SyntheticParameters) -> float:
    """Return the mid's volatility with the jumps, which are Pareto: E J^2 = a m^2 / (a - 2)."""
    p, truth = parameters, parameters.truth()
    least = p.tick if p.jump_minimum is None else p.jump_minimum
    square = p.jump_alpha * least**2 / (p.jump_alpha - 2)
    jumps = (
        truth.lambda0_plus * p.jump_probability_plus
        + truth.lambda0_minus * p.jump_probability_minus
    )
    return float(np.sqrt(p.sigma**2 + jumps * square))


def sides_of(parameters: SyntheticParameters) -> tuple[SideProblem, SideProblem]:
    truth = parameters.truth()
    return (
        SideProblem(truth.lambda0_plus, truth.kappa_plus, truth.epsilon_plus),
        SideProblem(truth.lambda0_minus, truth.kappa_minus, truth.epsilon_minus),
    )


def _run(task: tuple[str, float, bool, int, float, float]) -> Outcome:
    market, age_s, priced, seed, minutes, look_s = task
    priced_s = max(age_s, look_s) if priced else 0.0
    maker = Maker(SyntheticParameters(**MARKETS[market]), seed, age_s, priced_s)
    return maker.trade(minutes, round(look_s * 1000))


def main(argv: list[str] | None = None) -> int:
    """Print the table; exit code 0."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--quick", action="store_true", help="10 minutes of 2 seeds instead of 30 of 8"
    )
    parser.add_argument(
        "--look-seconds",
        type=float,
        default=1.0,
        help="time between checks of the market, 0.05 to 1 (default: %(default)g)",
    )
    options = parser.parse_args(argv)
    look_s = options.look_seconds
    if not 0.05 <= look_s <= 1:
        raise InputError(f"--look-seconds is {look_s:g}, must be 0.05 to 1.")
    minutes, seeds = (10.0, range(2)) if options.quick else (30.0, range(8))
    ages = AGES_S if look_s == 1 else (look_s, *AGES_S)
    cases = list(product(MARKETS, ages, (False, True)))
    tasks = [(*case, seed, minutes, look_s) for case in cases for seed in seeds]
    with ProcessPoolExecutor() as pool:
        done = list(track(pool.map(_run, tasks), "trading", total=len(tasks)))
    table = Table(
        *("market", "min age s", "age in depths", "units/min", "USDC per unit"),
        *("expected at once", "with age", "waited s", "orders/min"),
    )
    for row, (market, age_s, priced) in enumerate(cases):
        runs = done[row * len(seeds) :][: len(seeds)]
        table.add_row(market, f"{age_s:g}", "yes" if priced else "no", *_figures(runs))
    Console().print(table)
    return 0


def _figures(runs: list[Outcome]) -> tuple[str, ...]:
    minutes = sum(one.minutes for one in runs)
    a_unit = np.array([one.profit / max(one.units, 1.0) for one in runs])
    error = a_unit.std(ddof=1) / np.sqrt(len(runs))
    return (
        f"{sum(one.units for one in runs) / minutes:.1f}",
        f"{a_unit.mean():+.3f} ± {error:.3f}",
        *(f"{edge:+.3f}" for edge in runs[0].expected),
        f"{sum(one.waited for one in runs) / max(sum(one.units for one in runs), 1.0):.1f}",
        f"{sum(one.orders for one in runs) / minutes:.1f}",
    )


if __name__ == "__main__":
    sys.exit(run(main))
