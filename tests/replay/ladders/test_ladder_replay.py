"""Ladders on hand-made markets: what fills, what it adds up to, what keeps its place in the queue.

The bid is 100.0, the ask 100.2 with 5 on each side; a look a second, 50 ms to the venue.
"""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advanced_mm.errors import InputError
from advanced_mm.policies import Ladder, Level, MarketState
from advanced_mm.price_grid import PriceGrid
from advanced_mm.replay import QUEUES, ReplayOptions, ReplayResult, fixed_depth, replay
from advanced_mm.replay.account import Account
from advanced_mm.replay.figures import equity_at, replay_figures, replay_notes
from advanced_mm.replay.journal import replay_events
from advanced_mm.replay.ladders import FairPrices, LadderOptions, replay_ladder
from advanced_mm.replay.layout import Ended
from tests.replay.ladders.policies_for_tests import Even, Told
from tests.replay.markets import T0, Market

OPTIONS = ReplayOptions(size=1.0, grid=PriceGrid(3, 0.1), latency_ms=50, feed_latency_ms=20)
SPOT = LadderOptions(account=Account(capital=1001.0), min_value=0.0)
PERPETUAL = LadderOptions(
    account=Account(capital=1000.0, spot=False, init_ratio=0.0), min_value=0.0
)


def calm(end: int = 10_000) -> Market:
    return Market().steady(0, end, 100.0, 100.2)


def run(
    market: Market,
    policy: object = Even(3),
    queue: str = "back",
    ladder: LadderOptions = SPOT,
    fair: FairPrices | None = None,
    **others: object,
) -> ReplayResult:
    options = replace(OPTIONS, **others)
    return replay_ladder(market.data(), policy, options, ladder, queue, fair)


def test_levels_fill_where_trades_go_through_and_nowhere_else() -> None:
    market = calm().trade(2000, 100.0, 3.0, -1).trade(3000, 100.0, 2.5, -1)
    result = run(market.trade(4000, 99.9, 0.7, -1))
    # 5 rested before us at 100.0: 3 and 2 of the next 2.5 are theirs; 0.5 is ours. The third trade
    # is below 100.0 and fills the rest there, and 0.7 of what we have at 99.9. 99.8 sees nothing.
    assert result.price.tolist() == [100.0, 100.0, 99.9]
    assert result.size.tolist() == [0.5, 0.5, 0.7]
    assert (result.time_ms - T0).tolist() == [3000, 4000, 4000]
    assert not result.by_book.any()


def test_asks_fill_by_buyers_at_their_own_prices() -> None:
    result = run(calm().trade(2000, 100.4, 0.25, 1))
    assert result.sign.tolist() == [-1, -1, -1]
    assert result.price.tolist() == pytest.approx([100.2, 100.3, 100.4])
    assert result.size.tolist() == [1.0, 1.0, 0.25]


def test_inventory_and_cash_add_up() -> None:
    fee = 0.001
    market = calm().trade(2000, 99.9, 1.0, -1).trade(6500, 100.2, 6.0, 1)
    result = run(market, fee_rate=fee)
    # 1001 USDC at a mid of 100.1: 5 and 500.5. Bought at 100.0 and 99.9, sold one at 100.2.
    assert result.opening.inventory == 5.0
    assert result.opening.cash == pytest.approx(500.5)
    assert result.position_after.tolist() == pytest.approx([6.0, 7.0, 6.0])
    spent = 100.0 + 99.9 - 100.2 + fee * (100.0 + 99.9 + 100.2)
    assert result.cash_after()[-1] == pytest.approx(500.5 - spent)
    end = float(equity_at(result, np.array([T0 + 10_000]))[0])
    assert end == pytest.approx(500.5 - spent + 6 * 100.1)
    parts = result.performance().parts
    assert parts.equity_change == pytest.approx(end - 1001.0)
    assert sum(parts.parts.values()) == pytest.approx(end - 1001.0)


def test_what_is_earned_is_counted_beyond_the_inventory_that_was_held() -> None:
    rising = calm(4000).steady(4500, 10_000, 101.0, 101.2)
    nothing = Told(lambda state: Ladder(reason="told to stay out"))
    result = run(rising, nothing)
    parts = result.performance().parts
    assert parts.equity_change == pytest.approx(5.0)  # 5 ETH, each worth 1 more
    assert parts.inventory == pytest.approx(5.0)
    assert replay_figures(result)["net_per_hour"].value == pytest.approx(0.0)
    assert any("held at the start changed their value by 5.00" in x for x in replay_notes(result))
    assert [result.reason(code) for code in result.refusals["code"]][-1] == "told to stay out"


def test_an_order_at_the_right_price_keeps_its_place_in_the_queue() -> None:
    market = calm().trade(2200, 100.0, 3.0, -1).trade(5200, 100.0, 2.1, -1)
    kept = run(market, Even())
    assert (kept.quotes["side"] == 0).sum() == 1
    assert kept.size.tolist() == pytest.approx([0.1])

    def moves_away_once(state: MarketState) -> Ladder:
        away = 0.2 if T0 + 3000 <= state.time_ms < T0 + 3500 else 0.1
        return Ladder((Level(state.mid - away, 1.0),))

    lost = run(market, Told(moves_away_once))
    assert lost.quotes["price"].tolist() == [1000, 999, 1000]
    assert len(lost.fills) == 0  # the second time, all 5 are ahead again


def test_a_size_within_the_tolerance_is_kept_and_another_is_replaced() -> None:
    def grows(state: MarketState) -> Ladder:
        seconds = (state.time_ms - T0) // 1000
        return Ladder((Level(state.mid - 0.1, 1.0 + 0.1 * seconds),))

    sizes = run(calm(6000), Told(grows)).quotes["size"].tolist()
    assert sizes == pytest.approx([1.1, 1.5])  # 1.1 rests until it lacks more than a quarter


def test_an_order_younger_than_the_least_age_stays() -> None:
    moving = Market()
    for second in range(8):
        moving.steady(1000 * second, 1000 * second + 500, 100.0 + second / 10, 100.2 + second / 10)
    ages = run(moving, Even(), min_quote_age_seconds=3.0).quotes
    replaced = ages[ages["ended"] == Ended.DRIFTED]
    assert len(replaced)
    assert np.all(replaced["ended_ns"] - replaced["sent_ns"] >= 3_000_000_000)


@pytest.mark.parametrize("queue", QUEUES)
def test_an_order_whose_last_part_is_exactly_what_was_left_ends(queue: str) -> None:
    market = calm().trade(2000, 100.0, 5.4, -1).trade(2100, 100.0, 0.6, -1)
    market.trade(2200, 100.0, 1.0, -1)
    result = run(market, Even(1), queue)
    first = result.quotes[0]
    assert first["ended"] == Ended.FILLED
    assert first["filled"] == 1.0


def test_nothing_rests_without_data_and_it_is_quoted_again_after() -> None:
    market = calm(3000).steady(6000, 9000, 100.0, 100.2)
    data = market.data((0, 3000), (6000, 9000))
    result = replay_ladder(data, Even(), OPTIONS, SPOT, "back")
    bids = result.quotes[result.quotes["side"] == 0]
    assert bids["ended"].tolist() == [Ended.REFUSED, Ended.REPLAY_ENDED]
    assert bids["ended_ns"][0] == (T0 + 3100) * 1_000_000
    assert bids["sent_ns"][1] >= (T0 + 6000) * 1_000_000
    assert result.reason(int(bids["refusal"][0])) == "the recording has no data"


def test_a_spot_account_sells_what_it_holds_and_spends_what_it_has() -> None:
    greedy = Told(
        lambda state: Ladder(
            tuple(Level(state.mid - 0.1 * i, 3.0) for i in range(1, 4)),
            tuple(Level(state.mid + 0.1 * i, 3.0) for i in range(1, 4)),
        )
    )
    quotes = run(calm(3000), greedy).quotes
    asks, bids = (quotes[quotes["side"] == side] for side in (1, 0))
    assert asks["size"].tolist() == [3.0, 2.0]  # of 5
    assert bids["size"].tolist() == [3.0, 2.007]  # 300 and 200.5 USDC


def test_a_perpetual_account_is_bounded_by_its_leverage() -> None:
    many = Even(3, size=4.0)
    quotes = run(calm(3000), many, ladder=PERPETUAL).quotes
    for side in (0, 1):
        assert quotes["size"][quotes["side"] == side].tolist() == [4.0, 4.0, 1.99]
    after = run(calm(6000).trade(2000, 99.7, 20.0, -1), many, ladder=PERPETUAL)
    assert after.position_after[-1] == pytest.approx(9.99)
    late = after.quotes[after.quotes["sent_ns"] > (T0 + 2500) * 1_000_000]
    assert not (late["side"] == 0).any()


@settings(max_examples=12, deadline=None)
@given(st.lists(st.tuples(st.integers(1000, 11_500), st.integers(-6, 6), st.integers(1, 90))))
def test_whatever_trades_a_spot_account_never_owes(trades: list[tuple[int, int, int]]) -> None:
    market = calm(12_000)
    for at, steps, size in sorted(trades):
        side = 1 if steps > 0 else -1
        market.trade(at, round(100.1 + side * 0.1 + steps * 0.1, 1), size / 10, side)
    result = run(market, Even(4, 2.5), "front", fee_rate=0.001)
    assert np.all(result.position_after >= 0)
    assert np.all(result.cash_after() >= 0)
    assert result.size.sum() == pytest.approx(result.quotes["filled"].sum())
    fills = result.fills
    assert np.all(fills["price"] == result.quotes["price"][fills["quote"]])
    assert np.all(result.quotes["filled"] <= result.quotes["size"])


def one_level(low: int, high: int) -> Told:
    """What `fixed_depth(0.1, low, high)` quotes, as a policy."""

    def says(state: MarketState) -> Ladder:
        units = round(state.inventory)
        bids = (Level(state.mid - 0.1, 1.0),) if units < high else ()
        asks = (Level(state.mid + 0.1, 1.0),) if units > low else ()
        return Ladder(bids, asks, "" if bids and asks else "at the limit")

    return Told(says)


@pytest.mark.parametrize("queue", QUEUES)
def test_one_level_trades_as_the_replay_of_one_order_a_side(queue: str) -> None:
    """The same orders and fills, to the nanosecond.

    The two differ only where this test does not go: a book of up to a quarter of a second ago that
    the strategy uses again, what may rest on while the book is old, and sizes that are off after a
    part was filled, for which the tolerance here is wide.
    """
    random = np.random.default_rng(7)
    market, bid = Market().touch(0, 100.0, 100.2), 100.0
    for second in range(120):
        bid = round(bid + random.choice([-0.1, 0.0, 0.0, 0.1]), 1)
        sizes = random.uniform(0.5, 4.0, 2).round(3)
        market.touch(1000 * second + 500, bid, bid + 0.2, *sizes)
        for at in sorted(random.integers(200, 480, 2)):
            side = int(random.choice([-1, 1]))
            price = bid + 0.1 + side * random.choice([0.1, 0.2])
            size = round(float(random.uniform(0.1, 3.0)), 3)
            market.trade(1000 * second + int(at), round(price, 1), size, side)
    one = replay(market.data(), fixed_depth(0.1, -2, 2), OPTIONS, queue)
    wide = replace(PERPETUAL, size_tolerance=5.0)
    many = run(market, one_level(-2, 2), queue, wide)
    assert len(one.fills) > 20
    assert np.array_equal(one.fills, many.fills)
    for name in ("sent_ns", "ended_ns", "price", "side", "size", "filled", "bid", "ask", "step"):
        assert np.array_equal(one.quotes[name], many.quotes[name]), name
    assert one.position_after.tolist() == pytest.approx(many.position_after.tolist())


def test_the_policy_sees_the_book_as_old_as_it_was_received() -> None:
    seen: list[MarketState] = []
    market = Market().book(0, [(100.0, 2), (99.8, 3)], [(100.2, 1), (100.5, 4)])
    market.book(990, [(100.1, 7), (99.8, 3)], [(100.2, 1)]).steady(1500, 4000, 100.1, 100.2)

    def look(state: MarketState) -> Ladder:
        seen.append(state)
        return Ladder(reason="looking only")

    run(market, Told(look))
    # At the look after a second the snapshot of 20 ms ago is known, that of 10 ms ago is not.
    assert seen[0].bids == ((100.0, 2.0), (99.8, 3.0))
    assert seen[0].asks == ((100.2, 1.0), (100.5, 4.0))
    assert seen[1].bids[0] == (100.1, 5.0)
    assert seen[1].bids[1] == (99.8, 3.0)


def test_the_policy_hears_of_a_large_market_order_and_of_the_fair_price() -> None:
    seen: list[MarketState] = []
    market = calm(30_000)
    for second in range(25):
        market.trade(1000 * second + 100, 100.2, 0.1, 1)
    market.trade(26_400, 100.2, 1.0, 1).trade(26_400, 100.3, 1.5, 1)  # one order of 2.5
    market.touch(28_700, 100.0, 100.2, 6.0, 2.0)

    def look(state: MarketState) -> Ladder:
        seen.append(state)
        return Ladder(reason="looking only")

    fair = FairPrices(np.array([T0 + 5000]), np.array([0.2]))
    run(market, Told(look), fair=fair)
    heard = {state.large_trade_ms for state in seen}
    assert heard == {None, T0 + 26_400}
    at = {(state.time_ms - T0) // 1000: state for state in seen}
    assert np.isnan(at[4].fair_price)
    assert at[10].fair_price == pytest.approx(100.1)  # sizes are equal
    last = next(state for state in seen if state.bids[0][1] == 6.0)
    assert last.fair_price == pytest.approx(100.1 + 0.2 * 0.5)


def test_its_journal_has_the_account_it_began_with() -> None:
    result = run(calm().trade(2000, 99.9, 1.0, -1))
    events = replay_events(result)
    start = next(event for event in events if getattr(event, "what", "") == "start")
    assert start.position == 5.0
    assert start.equity == pytest.approx(1001.0)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: Account(capital=0.0), "capital = 0"),
        (lambda: Account(init_ratio=1.5), "init_ratio = 1.5"),
        (lambda: Account(leverage=0.0), "leverage = 0"),
        (lambda: LadderOptions(min_value=-1.0), "min_value = -1"),
        (lambda: LadderOptions(size_tolerance=-0.1), "size_tolerance = -0.1"),
        (lambda: LadderOptions(book_levels=0), "book_levels = 0"),
        (lambda: run(calm(), queue="middle"), "queue = 'middle'"),
    ],
)
def test_bad_input_is_refused_in_a_sentence(make, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        make()
