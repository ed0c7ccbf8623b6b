"""A recording of a venue on which a bot trades calibrates as the market without the bot.

The bot's quotes, 1 USDC away and replaced every few seconds, are run over by the price repeatedly.
Recordings of the market with and without the bot are calibrated and compared.
"""

import pytest

from advanced_mm.calibration import calibrate
from advanced_mm.marketdata import ShardStore
from advanced_mm.marketdata.collector.recorder import Recorder
from advanced_mm.markets.market import Book, MarketUpdate
from advanced_mm.markets.synthetic import SyntheticMarket, SyntheticParameters
from advanced_mm.venue.conditions.history import lay_history
from advanced_mm.venue.engine.exchange import Exchange
from advanced_mm.venue.engine.orders import OrderRequest, TimeInForce
from advanced_mm.venue.engine.rules import Rules

START_MS = 1_790_000_000_000
MINUTES = 15
BOT = "0x" + "b0" * 20
DEPTH, SIZE = 100, 1_000  # 1 USDC and 0.1 ETH, in the venue's units
TICK = 10


class Traded:
    """The published market of a venue on which a bot replaces both its quotes periodically."""

    def __init__(self, rules: Rules, every_ms: int | None) -> None:
        market = SyntheticMarket(SyntheticParameters(), START_MS, seed=3)
        self.exchange = Exchange([market], rules)
        self.exchange.accounts.open(BOT, 10**15)
        self.spec = market.spec
        self._every_ms = every_ms
        self._next_ms = START_MS

    @property
    def now_ms(self) -> int:
        return self.exchange.now_ms

    @property
    def mid(self) -> float:
        return self.exchange.books["ETH"].mid

    def book(self, levels: int) -> Book:
        return self.exchange.venue.markets["ETH"].book(levels)

    def advance(self, until_ms: int) -> list[MarketUpdate]:
        updates = []
        while self._every_ms is not None and self._next_ms <= until_ms:
            updates += self.exchange.advance(self._next_ms)["ETH"]
            self._quote()
            self._next_ms += self._every_ms
        return updates + self.exchange.advance(until_ms)["ETH"]

    def _quote(self) -> None:
        orders = self.exchange.open_orders(BOT)
        self.exchange.cancel(BOT, [("ETH", order.oid) for order in orders])
        mark = self.exchange.books["ETH"].mark
        for is_buy, price in ((True, mark - DEPTH), (False, mark + DEPTH)):
            price = price // TICK * TICK
            request = OrderRequest("ETH", is_buy, price, SIZE, tif=TimeInForce.ALO)
            assert self.exchange.place(BOT, [request])[0].error is None


def fit(folder, rules, every_ms):
    """Return the estimates by name, and how often the bot was filled."""
    market = Traded(rules, every_ms)
    recorder = Recorder(ShardStore(folder), ["ETH"], {"ETH": market.spec.tick})
    lay_history(market, recorder, START_MS + MINUTES * 60_000)
    found = calibrate(ShardStore(folder).read("ETH"), window_minutes=MINUTES)
    estimates = {
        f"{name} {side}": getattr(pair, side)
        for side in ("plus", "minus")
        for name, pair in {
            "lambda": _of(found.arrivals, "rate"),
            "kappa": _of(found.fill_curve, "kappa"),
            "lambda0": _of(found.fill_curve, "lambda0"),
            "epsilon": found.impact.epsilon,
        }.items()
    }
    return estimates, len(market.exchange.fills(BOT))


def _of(sides, name):
    return type(sides)(*(getattr(one, name) for one in sides))


def largest_shift(folder, rules, every_ms):
    """Return all estimates' differences, in widths of their 95% intervals; and the fills."""
    without, _ = fit(folder / "without", rules, None)
    found, fills = fit(folder / "with", rules, every_ms)
    return max(
        abs(found[name].value - one.value) / (one.high - one.low) for name, one in without.items()
    ), fills


@pytest.mark.parametrize("every_ms", [1_000, 15_000])
def test_a_bot_leaves_what_is_recorded_of_the_market_as_it_was(tmp_path, every_ms):
    shift, fills = largest_shift(tmp_path, Rules(), every_ms)
    assert fills > 60
    assert shift < 0.02


def test_printed_run_overs_would_count_as_market_orders(tmp_path):
    shift, _ = largest_shift(tmp_path, Rules(print_run_overs=True), 1_000)
    assert shift > 1
