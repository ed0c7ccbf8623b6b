"""A small bot of quoter and guards trades on the venue's engine through the rough scenarios.

Time is simulated. Each test compares what the bot let rest with what it should not have, computed
afterwards from the path of the mids, the parameters and the account:

- no guard is late by more than two looks;
- no position exceeds its limit;
- no order rests from stale parameters;
- what reduces the position stays.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from advanced_mm.markets.units import CoinUnits
from advanced_mm.parameter_files import Settings
from advanced_mm.price_grid import PriceGrid
from advanced_mm.quoting import Quote, Quoter, Touch, guarded_decision
from advanced_mm.quoting.guards import MarketOrder, RiskGuards, room
from advanced_mm.quoting.inventory import Asked
from advanced_mm.venue.conditions.opening import open_venue
from advanced_mm.venue.conditions.scenario import load_scenario
from advanced_mm.venue.engine.orders import OrderRequest, TimeInForce
from advanced_mm.venue.engine.rules import Rules

SCENARIOS = Path(__file__).parents[2] / "scenarios"
START_MS = 1_790_000_000_000
MAKER = "0x" + "a1" * 20
SIZE, CAPITAL = 1.0, 10_000.0
LATEST = 2
"""Looks."""


@dataclass
class Seen:
    """The state after one look; entries and exits are of the orders that rest then."""

    second: float
    mid: float
    book_age: float
    sigma: float | None
    toxicity: float
    published_age: float
    position: float
    profit: float
    entry: bool
    exit: bool
    quoted_age: float | None
    active: tuple[str, ...]


@dataclass
class Feed:
    served: object = None

    def latest(self):
        return self.served


@dataclass
class Bot:
    """Looks once a second; published parameters are the market's own, and sigma what was seen."""

    name: str
    make_set: object
    settings: Settings = field(default_factory=Settings)
    toxic_from: float = 0.0
    runner_dead: tuple[float, float] = (np.inf, np.inf)
    unreachable: tuple[float, float] = (np.inf, np.inf)
    path: list[Seen] = field(default_factory=list)

    def __post_init__(self):
        # Near quotes, so that there are fills.
        self.settings = self.settings.model_copy(update={"quote_age_seconds": 0.0})
        scenario = load_scenario(SCENARIOS / f"{self.name}.yaml")
        short = scenario.model_copy(update={"history_minutes": 1.0})
        (recipe,) = short.recipes(START_MS)
        rules = Rules(play_money=int(CAPITAL), schedule_cancel_volume=0)
        self.exchange = open_venue((recipe,), START_MS, rules).exchange
        self.truth = recipe.synthetic.truth()
        self.units, self.grid = CoinUnits(recipe.synthetic.size_decimals), PriceGrid(4, 0.1)
        self.account = self.exchange.accounts.open(MAKER)
        self.feed, self.guards = Feed(), RiskGuards(self.settings)
        self.quoter = Quoter(self.settings, self.feed, self.grid)
        self.order, self.quote, self.switch_due = None, None, -np.inf
        self.touch, self.published, self.most = None, -np.inf, 0.0
        self.buys_first = self.settings.q_max > 0

    def run(self, seconds):
        for second in range(seconds):
            for part in range(10):
                updates = self.exchange.advance(START_MS + second * 1000 + part * 100)["ETH"]
                self.hear(updates)
                self.most = max(self.most, abs(self.position))
            self.look(float(second))
        return self.path

    @property
    def position(self):
        held = self.account.positions.get("ETH")
        return 0.0 if held is None else self.units.size(held.lots)

    @property
    def profit(self):
        return self.exchange.margin.value(self.account) / 1e6 - CAPITAL

    def hear(self, updates):
        self.guards.traded(
            "ETH",
            [MarketOrder(u.time_ms, p.side > 0, p.size) for u in updates for p in u.prints],
        )

    def publish(self, second, now):
        if second - self.published < 15 or self.runner_dead[0] <= second < self.runner_dead[1]:
            return
        mids = [one.mid for one in self.path]
        sigma = 1.2 if len(mids) < 20 else float(np.sqrt(np.mean(np.diff(mids) ** 2)))
        poison = 1.0 if second >= self.toxic_from else 0.1
        self.published = second
        self.feed.served = self.make_set(
            f"r{second:.0f}", published_at=now, fitted_at=now, sigma=sigma,
            kappa_plus=self.truth.kappa_plus, kappa_minus=self.truth.kappa_minus,
            lambda0_plus=self.truth.lambda0_plus, lambda0_minus=self.truth.lambda0_minus,
            epsilon_fill_plus=poison * self.truth.epsilon_plus,
            epsilon_fill_minus=poison * self.truth.epsilon_minus,
        )  # fmt: skip

    def look(self, second):
        now = datetime.fromtimestamp((START_MS + second * 1000 + 900) / 1000, UTC)
        reachable = not self.unreachable[0] <= second < self.unreachable[1]
        self.publish(second, now)
        if reachable:
            book = self.exchange.books["ETH"].book(1)
            bid, ask = book.bids[0], book.asks[0]
            at = datetime.fromtimestamp(book.time_ms / 1000, UTC)
            self.touch = Touch(bid.price, ask.price, at, bid.size, ask.size)
            self.guards.account.saw(self.profit, CAPITAL, now)
            if second >= self.switch_due:
                due_ms = self.exchange.now_ms + int(1000 * self.settings.dead_mans_switch_seconds)
                assert self.exchange.schedule_cancel(MAKER, due_ms) is None
                self.switch_due = second + self.settings.dead_mans_switch_seconds / 2
        if self.order is not None and self.exchange.order(MAKER, self.order).status.ended:
            self.order = None
        wanted = self.wanted(now)
        if self.order is not None:
            order = self.exchange.order(MAKER, self.order)
            closing = order.request.is_buy != self.buys_first
            resting = self.units.price(order.request.price)
            if closing != (self.position != 0) or self.quoter.is_outdated(resting, 5.0, wanted):
                self.act(reachable, now, lambda: self.cancel())
                wanted = self.wanted(now)
        if self.order is None and isinstance(wanted, Quote):
            self.act(reachable, now, lambda: self.place(wanted))
        self.note(second, now)

    def wanted(self, now):
        inventory = round(np.sign(self.position))
        side = "bid" if self.buys_first == (inventory == 0) else "ask"
        held = self.position * self.touch.mid
        opening = "bid" if self.buys_first else "ask"
        asked = Asked(side, inventory, opens=inventory == 0)
        return guarded_decision(
            self.guards, self.quoter, "ETH", asked, opening, self.touch, held, now
        )

    def act(self, reachable, now, action):
        if not reachable:
            self.guards.failed("order", "ETH", "timed out", now)
            return
        self.guards.errors.worked("order")
        action()

    def cancel(self):
        self.exchange.cancel(MAKER, [("ETH", self.order)])
        self.order = None

    def place(self, quote):
        free = room(self.position * quote.price, self.settings.max_position_value)
        size = abs(self.position) or min(SIZE, free / quote.price)
        request = OrderRequest(
            "ETH", quote.side == "bid", self.units.price_units(quote.price), self.units.lots(size),
            tif=TimeInForce.ALO, reduce_only=self.position != 0,
        )  # fmt: skip
        (outcome,) = self.exchange.place(MAKER, [request])
        if outcome.error is None and outcome.order.resting:
            self.order, self.quote = outcome.order.oid, quote
            self.quoted = self.published

    def note(self, second, now):
        market = self.exchange.books["ETH"]
        rests = self.exchange.open_orders(MAKER)
        served = self.feed.served
        from_parameters = rests and self.quote.calibration_id is not None
        self.path.append(
            Seen(
                second=second,
                mid=market.mid,
                book_age=(now - self.touch.at).total_seconds(),
                sigma=served.epsilon.sigma,
                toxicity=served.kappa.kappa_plus * served.epsilon.epsilon_fill_plus,
                published_age=second - self.published,
                position=self.position,
                profit=self.profit,
                entry=any(one.request.is_buy == self.buys_first for one in rests),
                exit=any(one.request.is_buy != self.buys_first for one in rests),
                quoted_age=second - self.quoted if from_parameters else None,
                active=tuple(one.guard for one in self.guards.active("ETH")),
            )
        )


def latest(forbidden, path):
    """The most looks in a row after which an entry still rests although it was forbidden."""
    late = most = 0
    for wrong, one in zip(forbidden, path, strict=True):
        late = late + 1 if wrong and one.entry else 0
        most = max(most, late)
    return most


def column(path, name):
    return np.array([getattr(one, name) for one in path], dtype=float)


def forbidden(path, settings):
    """Look by look, whether a position must not be opened, by guard, from the path alone."""
    mids, sigma = column(path, "mid"), column(path, "sigma")
    moves = np.diff(mids, prepend=mids[0]) ** 2
    n = int(settings.volatility_seconds)
    unseen = np.maximum(0, n - np.arange(len(mids))) * sigma**2
    sums = np.array([moves[max(0, k - n + 1) : k + 1].sum() for k in range(len(mids))]) + unseen
    before = np.array([mids[max(0, k - 300)] for k in range(len(mids))])
    profit = column(path, "profit")
    peak = np.maximum.accumulate(profit)
    fallen = (peak - profit) / (CAPITAL + peak)
    return {
        "volatility": np.sqrt(sums / n) / sigma >= (settings.volatility_limit or np.inf),
        "band": np.abs(mids / before - 1) >= 0.8 * (settings.price_band or np.inf),
        "toxic": column(path, "toxicity") >= settings.toxicity_limit,
        "stale": column(path, "published_age") > settings.max_published_age_seconds,
        "loss": -profit >= settings.max_daily_loss * CAPITAL,
        "drawdown": np.maximum.accumulate(fallen >= settings.max_drawdown),  # for an hour
    }


def check(bot):
    """What holds in every scenario; returns how long an entry was forbidden, by guard."""
    path, settings = bot.path, bot.settings
    reasons = forbidden(path, settings)
    for name, wrong in reasons.items():
        assert latest(wrong, path) <= LATEST, name
    assert bot.most <= SIZE
    ages = [one.quoted_age for one in path if one.quoted_age is not None]
    assert max(ages) <= settings.max_published_age_seconds + LATEST
    return {name: int(wrong.sum()) for name, wrong in reasons.items()}


def test_a_flash_crash_finds_no_entry_and_every_exit(make_set):
    bot = Bot("flash_crash", make_set)
    path = bot.run(80)
    seconds = check(bot)
    assert seconds["volatility"] > 5
    crash = [one for one in path if 56 <= one.second <= 64]  # after a gap of 3%
    assert all("volatility" in one.active and not one.entry for one in crash)
    held = [one for one in path if one.active and one.position > 0]
    assert held
    assert np.mean([one.exit for one in held]) > 0.8
    before = [one for one in path if 5 <= one.second < 40]
    assert np.mean([one.entry or one.position > 0 for one in before]) > 0.6


def test_in_a_toxic_market_nothing_is_opened_within_a_look(make_set):
    bot = Bot("toxic_flow", make_set, Settings(min_edge_bp=None), toxic_from=45.0)
    path = bot.run(90)
    assert check(bot)["toxic"] > 40
    assert any(one.entry for one in path if one.second < 45)
    assert not any(one.entry for one in path if one.second > 46)


def test_a_trend_is_quoted_within_the_limits(make_set):
    """The bot sells first, so that the rise runs against it."""
    bot = Bot("trending", make_set, Settings(q_min=-1, q_max=0))
    path = bot.run(120)
    check(bot)
    assert np.mean([bool(one.active) for one in path]) < 0.2
    assert len({one.position for one in path}) > 1
    assert all(one.exit for one in path if one.active and one.position)


def test_losses_stop_entries_at_their_limit(make_set):
    """Without the guards on the market a position is held through the crash."""
    settings = Settings(
        volatility_limit=None, price_band=None, large_order_multiple=None,
        max_daily_loss=0.003, max_drawdown=0.004,
    )  # fmt: skip
    bot = Bot("flash_crash", make_set, settings)
    path = bot.run(75)
    seconds = check(bot)
    assert seconds["loss"] > 5
    assert seconds["drawdown"] > 5
    assert not path[-1].entry
    assert {"daily_loss", "drawdown"} <= set(path[-1].active)


def test_when_the_runner_dies_entries_go_and_the_exit_moves_to_the_touch(make_set):
    bot = Bot("trending", make_set, runner_dead=(10.0, 110.0))
    path = bot.run(125)
    assert check(bot)["stale"] > 30
    dead = [one for one in path if 68 <= one.second < 110]
    assert not any(one.entry or one.quoted_age is not None for one in dead)
    assert any(one.entry for one in path if one.second > 112)


@pytest.mark.parametrize("begin", [18.0, 30.0])  # while an entry rests, and an exit
def test_in_an_outage_nothing_rests_from_stale_parameters(make_set, begin):
    """The venue does not answer: what rests is cancelled by its switch, before it is stale."""
    end = begin + 90
    bot = Bot("trending", make_set, runner_dead=(begin, end), unreachable=(begin, end))
    path = bot.run(200)
    check(bot)
    rests = {one.second for one in path if one.entry or one.exit}
    assert {begin, begin + 1, begin + 2} <= rests
    assert not any(begin + 31 <= second < end for second in rests)
    assert any("errors" in one.active for one in path if one.second < end)
    assert max(rests) > end + 61


def test_a_position_s_value_stays_below_its_limit(make_set):
    limit = 1500.0
    bot = Bot("trending", make_set, Settings(max_position_value=limit))
    path = bot.run(60)
    assert 0 < bot.most <= limit / path[0].mid * 1.01
    assert any("position" in one.active for one in path if one.position * one.mid >= limit)
