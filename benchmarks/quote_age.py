"""Cost of leaving quotes resting: profit per unit and orders sent, by minimum quote age.

A maker of one unit on {0, 1} quotes the model's optimal depths, from the market's true parameters,
in the loopback venue's order book, at the end of each level's queue and with fees. As in the
strategy, a quote is replaced if its price is two ticks off and it is older than the minimum age,
checked once a second. In the model quotes follow the mid instantly; the loss measured here is from
quotes that lag behind the price.

    python benchmarks/quote_age.py                        # two minutes
    python benchmarks/quote_age.py --quick
    python benchmarks/quote_age.py --look-seconds 0.1     # ten checks per second, ten minutes
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
from advanced_mm.model import ModelParameters, solve
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

    ``waited`` is how long filled orders had rested, unit-seconds.
    """

    units: float
    profit: float
    orders: int
    minutes: float
    waited: float


class Maker:
    """Account that quotes the bid when flat and the ask when long."""

    def __init__(self, parameters: SyntheticParameters, seed: int, least_age_s: float) -> None:
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
        self.bid_depth, self.ask_depth = optimal_depths(parameters, float(rules.maker_fee))

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
        return Outcome(lots / self.unit, profit, self.orders, minutes, waited / self.unit)


def optimal_depths(parameters: SyntheticParameters, maker_fee: float) -> tuple[float, float]:
    """Return the optimal bid depth when flat and ask depth when long, USDC."""
    truth = parameters.truth()
    value = solve(
        ModelParameters(
            lambda_plus=truth.lambda0_plus,
            lambda_minus=truth.lambda0_minus,
            kappa_plus=truth.kappa_plus,
            kappa_minus=truth.kappa_minus,
            epsilon_plus=truth.epsilon_plus,
            epsilon_minus=truth.epsilon_minus,
            fee=maker_fee * parameters.start_price,
            q_min=0,
            q_max=1,
        )
    )
    return float(value.bid_depth[0]), float(value.ask_depth[1])


def _run(task: tuple[str, float, int, float, float]) -> Outcome:
    market, age_s, seed, minutes, look_s = task
    maker = Maker(SyntheticParameters(**MARKETS[market]), seed, age_s)
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
    tasks = [(m, a, s, minutes, look_s) for m, a, s in product(MARKETS, ages, seeds)]
    with ProcessPoolExecutor() as pool:
        done = list(track(pool.map(_run, tasks), "trading", total=len(tasks)))
    table = Table("market", "min age s", "units/min", "USDC per unit", "waited s", "orders/min")
    for row, (market, age_s) in enumerate(product(MARKETS, ages)):
        table.add_row(market, f"{age_s:g}", *_figures(done[row * len(seeds) :][: len(seeds)]))
    Console().print(table)
    return 0


def _figures(runs: list[Outcome]) -> tuple[str, str, str, str]:
    minutes = sum(one.minutes for one in runs)
    a_unit = np.array([one.profit / max(one.units, 1.0) for one in runs])
    error = a_unit.std(ddof=1) / np.sqrt(len(runs))
    return (
        f"{sum(one.units for one in runs) / minutes:.1f}",
        f"{a_unit.mean():+.3f} ± {error:.3f}",
        f"{sum(one.waited for one in runs) / max(sum(one.units for one in runs), 1.0):.1f}",
        f"{sum(one.orders for one in runs) / minutes:.1f}",
    )


if __name__ == "__main__":
    sys.exit(run(main))
