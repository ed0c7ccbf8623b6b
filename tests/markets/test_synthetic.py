"""The synthetic market behaves as its parameters say, as seen from outside.

Distributions of reach, arrivals, jumps; the book and the prints agree; the seed determines the
market; the default market suits a dry run.
"""

import math
from collections import Counter, defaultdict
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from advanced_mm.errors import InputError
from advanced_mm.markets.market import MarketUpdate, Print
from advanced_mm.markets.synthetic import SyntheticMarket, SyntheticParameters
from advanced_mm.markets.synthetic_flow import SyntheticFlow
from advanced_mm.markets.synthetic_regimes import Regimes

START_MS = 1_790_000_000_000
MINUTE_MS = 60_000


def run(minutes: float, seed: int = 1, **changes: object) -> list[MarketUpdate]:
    market = SyntheticMarket(SyntheticParameters(**changes), START_MS, seed)
    return market.advance(START_MS + round(minutes * MINUTE_MS))


def orders(updates: list[MarketUpdate]) -> dict[str, list[Print]]:
    """Prints by transaction hash."""
    by_hash: dict[str, list[Print]] = defaultdict(list)
    for update in updates:
        for one in update.prints:
            by_hash[one.hash].append(one)
    return by_hash


@pytest.fixture(scope="module")
def lopsided() -> tuple[SyntheticParameters, list[MarketUpdate]]:
    changes = {"lambda_plus": 1.2, "lambda_minus": 0.7, "kappa_plus": 1.5, "kappa_minus": 3.0}
    return SyntheticParameters(**changes), run(60, **changes)


@pytest.mark.parametrize("side", [1, -1])
def test_reach_beyond_the_touch_is_exponential(lopsided, side):
    parameters, updates = lopsided
    kappa = parameters.kappa_plus if side > 0 else parameters.kappa_minus
    # A flat book: the size of an order is its reach beyond the touch.
    sizes = [sum(p.size for p in o) for o in orders(updates).values() if o[0].side == side]
    reach = np.array(sizes) / parameters.level_size * parameters.tick
    assert stats.kstest(reach, stats.expon(scale=1 / kappa).cdf).pvalue > 0.001


@pytest.mark.parametrize("side", [1, -1])
def test_arrivals_are_poisson_at_the_rate_that_prints(lopsided, side):
    parameters, updates = lopsided
    truth = parameters.truth()
    rate = truth.lambda_plus if side > 0 else truth.lambda_minus
    first_ms = {}
    for update in updates:
        for one in update.prints:
            if one.side == side:
                first_ms.setdefault(one.hash, update.time_ms)
    bins = (np.array(list(first_ms.values())) - START_MS - 1) // 10_000
    counts = np.bincount(bins, minlength=360)
    assert abs(counts.sum() - rate * 3600) < 4 * math.sqrt(rate * 3600)
    # Fisher's dispersion test of equal Poisson means.
    dispersion = ((counts - counts.mean()) ** 2).sum() / counts.mean()
    assert 0.001 < stats.chi2(len(counts) - 1).cdf(dispersion) < 0.999


def test_orders_whose_reach_ends_before_the_touch_do_not_print():
    # kappa * tick = 2: the closed form says that 43% print.
    parameters = SyntheticParameters(kappa_plus=20.0, lambda_plus=3.0)
    share = (1 - math.exp(-2)) / 2
    assert parameters.truth().lambda_plus == pytest.approx(3 * share)
    assert parameters.truth().lambda0_plus == 3.0
    found = orders(run(30, kappa_plus=20.0, lambda_plus=3.0))
    buys = sum(prints[0].side > 0 for prints in found.values())
    assert abs(buys - 3 * share * 1800) < 4 * math.sqrt(3 * share * 1800)


def test_jumps_follow_the_pareto_law():
    # Without diffusion and with a reach that always prints, a lone buy's jump is S's whole move.
    parameters = SyntheticParameters(
        sigma=0.0, lambda_minus=0.0, kappa_plus=0.02, jump_probability_plus=1.0,
        jump_minimum=0.3, jump_alpha=2.5,
    )  # fmt: skip
    flow = SyntheticFlow(Regimes(parameters), seed=3)
    jumps, last = [], parameters.start_price / parameters.tick
    for _ in range(30):
        chunk = flow.next_chunk()
        moves = np.diff(chunk.latent, prepend=last) * parameters.tick
        last = chunk.latent[-1]
        _, first = np.unique(chunk.print_order, return_index=True)
        lone = np.bincount(chunk.print_block[first], minlength=len(moves)) == 1
        jumps.append(moves[lone & (moves > 1e-9)])
    sample = np.concatenate(jumps)
    assert len(sample) > 1000
    assert stats.kstest(sample, stats.pareto(2.5, scale=0.3).cdf).pvalue > 0.001


@pytest.mark.parametrize("sign", [1, -1])
def test_mean_move_per_order_is_epsilon(sign):
    side, other = ("plus", "minus") if sign > 0 else ("minus", "plus")
    changes = {"sigma": 0.0, f"lambda_{side}": 2.0, f"lambda_{other}": 0.0, "jump_alpha": 4.0}
    parameters = SyntheticParameters(**changes)
    epsilon = getattr(parameters.truth(), f"epsilon_{side}")
    assert epsilon == pytest.approx(0.6 * 0.2 * 4 / 3)
    market = SyntheticMarket(parameters, START_MS, seed=5)
    seconds = 900
    market.advance(START_MS + 1000 * seconds)
    # Compound Poisson: variance of the sum is lambda T E[J^2], E[J^2] = pi u^2 alpha / (alpha - 2).
    error = math.sqrt(2.0 * seconds * 0.6 * 0.2**2 * 2) + parameters.tick
    move = sign * (market.mid - parameters.start_price)
    assert abs(move - 2.0 * seconds * epsilon) < 4 * error


def test_prints_walk_the_book_from_the_touch(lopsided):
    parameters, updates = lopsided
    touch, most = updates[0].quote, 0
    for update in updates[1:]:
        for prints in orders([update]).values():
            side = prints[0].side
            start = touch.ask if side > 0 else touch.bid
            levels: dict[int, list[Print]] = defaultdict(list)
            for one in prints:
                levels[round(side * (one.price - start) / parameters.tick)].append(one)
            assert list(levels) == list(range(len(levels)))
            *walked, last = (math.fsum(p.size for p in level) for level in levels.values())
            assert all(size == pytest.approx(parameters.level_size) for size in walked)
            assert 0 < last <= parameters.level_size + 1e-9
            assert all(1 <= len(level) <= 4 for level in levels.values())
            most = max(most, *(len(level) for level in levels.values()))
        touch = update.quote or touch
    assert most == 4


def test_the_touch_is_one_tick_wide_on_the_grid_and_published_on_change_only(lopsided):
    _, updates = lopsided
    quotes = [update.quote for update in updates if update.quote]
    assert updates[0] == MarketUpdate(START_MS, quotes[0], ())
    for quote in quotes:
        bid, ask = round(quote.bid * 10), round(quote.ask * 10)
        assert (bid / 10, ask / 10, ask - bid) == (quote.bid, quote.ask, 1)
    assert all(a != b for a, b in pairwise(quotes))
    assert all(update.quote or update.prints for update in updates)


def test_the_book_begins_at_the_touch_and_holds_the_level_size():
    market = SyntheticMarket(SyntheticParameters(), START_MS, seed=2)
    for _ in range(50):
        market.advance(market.now_ms + 730)
        book = market.book(20)
        assert len(book.bids) == len(book.asks) == 20
        assert market.mid == pytest.approx((book.bids[0].price + book.asks[0].price) / 2)
        assert round(book.asks[0].price - book.bids[0].price, 9) == 0.1
        assert {level.size for level in book.bids + book.asks} == {5.0}
        assert market.now_ms - 100 < book.time_ms <= market.now_ms


@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 10_000), steps=st.lists(st.integers(0, 9_000), max_size=12))
def test_a_seed_makes_one_market_however_it_is_driven(seed, steps):
    whole = SyntheticMarket(SyntheticParameters(), START_MS, seed)
    stepped = SyntheticMarket(SyntheticParameters(), START_MS, seed)
    pieces = []
    for step in steps:
        pieces.append(stepped.advance(stepped.now_ms + step))
        assert all(update.time_ms <= stepped.now_ms for update in pieces[-1])
    pieces.append(stepped.advance(START_MS + 120_000))
    assert [u for piece in pieces for u in piece] == whole.advance(START_MS + 120_000)
    assert stepped.book(5) == whole.book(5)


def test_seeds_differ():
    assert run(1, seed=1) != run(1, seed=2)


def test_ids_are_unique_within_and_between_sessions():
    first = [one for update in run(10) for one in update.prints]
    later = SyntheticMarket(SyntheticParameters(), START_MS + 1_000, seed=1)
    second = [one for u in later.advance(START_MS + 10 * MINUTE_MS) for one in u.prints]
    tids = Counter(one.tid for one in first + second)
    assert max(tids.values()) == 1
    assert max(tids) < 2**53
    assert not {one.hash for one in first} & {one.hash for one in second}
    assert all(len(one.hash) == 66 and int(one.hash, 16) for one in first)


def test_the_price_is_reflected_at_its_band():
    market = SyntheticMarket(SyntheticParameters(sigma=20.0, band=0.01), START_MS, seed=4)
    mids = []
    for _ in range(600):
        market.advance(market.now_ms + 1_000)
        mids.append(market.mid)
    assert 2970 - 0.1 <= min(mids) < 2975
    assert 3025 < max(mids) <= 3030 + 0.1


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"kappa_plus": 0.0}, "kappa_plus"),
        ({"lambda_minus": -1.0}, "lambda_minus"),
        ({"sigma": math.nan}, "sigma"),
        ({"jump_alpha": 1.0}, "jump_alpha"),
        ({"jump_probability_minus": 1.5}, "jump_probability_minus"),
        ({"jump_minimum": 0.0}, "jump_minimum"),
        ({"start_price": 9_000.0}, "tick"),
        ({"tick": 0.001}, "tick"),
        ({"level_size": 1e-5}, "level_size"),
        ({"lambda_plus": 1e9}, "lambda_plus"),
        ({"kappa_minus": 1e-6}, "kappa_minus"),
        ({"start_price": 1e-5}, "start_price"),
    ],
)
def test_parameters_out_of_range_are_named(changes, field):
    with pytest.raises(InputError, match=rf"^synthetic market: {field} = "):
        SyntheticParameters(**changes)


def test_a_jump_is_a_tick_at_least_by_default():
    parameters = SyntheticParameters(jump_minimum=None)
    assert parameters.truth().epsilon_plus == pytest.approx(0.6 * 0.1 * 1.5)


def test_the_default_market_is_not_toxic_and_fills_a_dry_run():
    parameters = SyntheticParameters()
    truth = parameters.truth()
    assert truth.kappa_plus * truth.epsilon_plus < 0.6
    # Enough orders beyond the touch for kappa, in half an hour.
    assert truth.lambda_plus * math.exp(-truth.kappa_plus * parameters.tick) * 1800 > 1000
    depth = 1 / truth.kappa_plus + truth.epsilon_plus + 0.00015 * parameters.start_price
    flow = SyntheticFlow(Regimes(parameters), seed=6)
    bids = np.concatenate([flow.next_chunk().bid_ticks for _ in range(120)])[::10]
    # A quote placed at one poll, crossed by the other side's best at the next: half a tick is the
    # mid's distance from either touch, rounding goes away from the mid.
    distance = math.ceil(depth / parameters.tick - 0.5)
    crossed = np.abs(np.diff(bids)) - 1 >= distance
    fills_in_three_minutes = crossed.mean() / 2 * 180
    assert fills_in_three_minutes > 10


@pytest.mark.parametrize(
    ("start_price", "tick", "bid"),
    [(3000.0, 0.1, 3000.0), (0.15, 0.00001, 0.14999), (2.0, 0.0001, 2.0), (3000.05, 0.1, 3000.0)],
)
def test_the_market_opens_where_the_flow_begins(start_price, tick, bid):
    """As the flow divides: 3000 by 0.1 is 30 000, but 0.15 by 0.00001 a hair less than 15 000."""
    changes = {"size_decimals": 0, "start_price": start_price, "tick": tick}
    market = SyntheticMarket(
        SyntheticParameters(**changes, sigma=0.0, lambda_plus=0.0, lambda_minus=0.0), START_MS, 1
    )
    opening = market.advance(START_MS)[0].quote
    assert opening.bid == bid
    assert market.advance(START_MS + MINUTE_MS) == []  # and does not move away from there
