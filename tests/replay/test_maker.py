"""The maker on hand-made markets: fills, queues, latencies, refusals.

The bid is 100.0, the ask 100.2 with 5 on each side; depths of 0.1 quote at the touch.
"""

import os
import subprocess
import sys
import weakref
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import advanced_mm.replay.hft_venue as hft_venue
import advanced_mm.replay.run as replaying
from advanced_mm.errors import InputError
from advanced_mm.parameter_files import Settings
from advanced_mm.price_grid import PriceGrid
from advanced_mm.quoting.edge import Side
from advanced_mm.quoting.quoter import Quote, Quoter
from advanced_mm.replay import (
    QUEUES,
    DecisionTable,
    FundingRates,
    ReplayOptions,
    ReplayResult,
    fixed_bp,
    fixed_depth,
    replay,
)
from advanced_mm.replay.figures import equity_at
from advanced_mm.replay.layout import RULES, SLOT, WANTED, Ended, Refused
from advanced_mm.replay.maker import _outdated, quoted_price
from advanced_mm.replay.run import price_bands
from tests.replay.markets import T0, Market

OPTIONS = ReplayOptions(size=1.0, grid=PriceGrid(3, 0.1), latency_ms=50, feed_latency_ms=20)
AT_TOUCH = fixed_depth(0.1, 0, 1)


def calm(end: int = 10_000) -> Market:
    return Market().steady(0, end, 100.0, 100.2)


def run(
    market: Market,
    table: DecisionTable = AT_TOUCH,
    queue: str = "back",
    options: ReplayOptions = OPTIONS,
    **others: object,
) -> ReplayResult:
    return replay(market.data(), table, replace(options, **others), queue)


def test_front_fills_with_the_first_trade_and_back_after_all_that_rested_before() -> None:
    market = calm().trade(2000, 100.0, 3.0, -1).trade(3000, 100.0, 2.5, -1)
    assert run(market, queue="front").time_ms.tolist() == [T0 + 2000]
    back = run(market)
    # 5 rested before us: 3 and 2 of the next 2.5 are theirs.
    assert back.time_ms.tolist() == [T0 + 3000]
    assert back.size.tolist() == [0.5]
    assert back.price.tolist() == [100.0]
    assert not back.by_book.any()


def test_model_lies_between_front_and_back() -> None:
    market = calm(20_000)
    for at in range(2000, 20_000, 400):
        market.trade(at, 100.0, 0.7, -1).touch(at + 10, 100.0, 100.2, 3.0, 5.0)
        market.touch(at + 150, 100.0, 100.2, 5.0, 5.0)
    sizes = [run(market, queue=queue).quotes["filled"][0] for queue in QUEUES]
    first = [run(market, queue=queue).time_ms[0] for queue in QUEUES]
    assert first == sorted(first)
    assert first[0] < first[2]
    assert sizes == [1.0, 1.0, 1.0]


def test_cancels_ahead_help_by_the_model_only_once_the_level_is_smaller_than_the_queue() -> None:
    market = calm(4000)
    for at in (1500, 2500, 3500):
        market.touch(at, 100.0, 100.2, 0.4, 5.0)  # all but 0.4 cancelled: at most that is ahead
    market.trade(3600, 100.0, 1.0, -1)
    assert run(market).size.tolist() == [pytest.approx(0.6)]


def test_trade_through_the_price_fills_everything() -> None:
    result = run(calm().trade(2000, 99.9, 0.01, -1))
    assert result.size.tolist() == [1.0]
    assert result.price.tolist() == [100.0]


def test_opposite_best_price_fills_without_a_trade_and_is_counted_apart() -> None:
    market = Market().steady(0, 2000, 100.0, 100.2).steady(2500, 10_000, 99.8, 100.0)
    result = run(market, min_quote_age_seconds=10.0)
    assert result.time_ms[0] == T0 + 2500
    assert result.by_book[0]
    assert result.price[0] == 100.0


def test_parts_are_filled_one_by_one_or_the_whole_order_at_once() -> None:
    market = calm().trade(2000, 100.0, 0.3, -1).trade(2100, 100.0, 0.2, -1)
    market.trade(2200, 100.0, 0.5, -1)
    kept = {"queue": "front", "min_quote_age_seconds": 5.0}
    parts = run(market, fixed_depth(0.1, -1, 1), **kept)
    bought = parts.sign > 0
    assert parts.size[bought].tolist() == pytest.approx([0.3, 0.2, 0.5])
    assert parts.quotes["ended"][parts.fills["quote"][0]] == Ended.FILLED
    whole = run(market, fixed_depth(0.1, -1, 1), partial_fills=False, **kept)
    assert whole.size[whole.sign > 0][0] == 1.0


def test_part_that_was_bought_is_offered_and_the_entry_withdrawn() -> None:
    result = run(calm().trade(2000, 100.0, 0.3, -1), queue="front")
    entry, offer = result.quotes[:2]
    assert entry["ended"] == Ended.REPLACED_BY_EXIT
    assert offer["side"] == 1
    assert offer["size"] == pytest.approx(0.3)
    assert offer["sent_ns"] >= entry["ended_ns"]


def test_order_takes_its_latency_to_the_venue_and_back() -> None:
    # Sent at the first look at which a book has been seen; only later trades can fill it.
    for latency, filled in ((50, True), (400, False)):
        market = calm(4000).trade(1300, 99.9, 1.0, -1)
        result = run(market, latency_ms=latency, look_ms=1000, end_ms=T0 + 1900)
        assert result.quotes["sent_ns"][0] == (T0 + 1000) * 1_000_000
        assert bool(len(result.fills)) is filled


def test_cancel_takes_its_latency_and_the_order_may_fill_until_then() -> None:
    moved = Market().steady(0, 1900, 100.0, 100.2).steady(2500, 9000, 101.0, 101.2)
    for at, filled in ((3040, True), (3060, False)):
        market = Market(list(moved.touches)).trade(at, 99.9, 1.0, -1)
        result = run(market)
        early = result.time_ms < T0 + 3500
        assert early.any() == filled
        ended = result.quotes["ended"][0]
        assert ended == (Ended.FILLED if filled else Ended.DRIFTED)


def test_replacement_follows_its_cancel_in_the_same_look() -> None:
    market = Market().steady(0, 1900, 100.0, 100.2).steady(2500, 5000, 101.0, 101.2)
    first, second = run(market).quotes[:2]
    assert first["ended_ns"] == (T0 + 3100) * 1_000_000  # there and back
    assert second["sent_ns"] == first["ended_ns"]
    assert second["price"] == 1010


def test_latencies_are_drawn_from_those_measured() -> None:
    market = Market()
    for at in range(0, 60_000, 4000):
        market.steady(at, at + 1900, 100.0, 100.2).steady(at + 2000, at + 3900, 101.0, 101.2)
    measured = np.array([30.0, 90.0])
    drawn = [run(market, latencies_ms=measured, seed=seed).quotes for seed in (1, 1, 2)]
    took = [rows["ended_ns"] - rows["sent_ns"] for rows in drawn]
    assert np.array_equal(took[0], took[1])
    assert not np.array_equal(took[0], took[2])
    cancelled = drawn[0][drawn[0]["ended"] == Ended.DRIFTED]
    replies = np.unique(cancelled["ended_ns"] % 1_000_000_000 // 1_000_000)
    assert set(replies) >= {60, 120, 180}  # twice one of them, or one of each


def test_drawn_latencies_live_as_long_as_the_replay(monkeypatch: pytest.MonkeyPatch) -> None:
    """hftbacktest reads them at an address that it was given once, and holds nothing."""
    draw, trade, drawn, alive = hft_venue._drawn_latencies, replaying.run_maker, [], []

    def drawing(options: ReplayOptions) -> object:
        rows = draw(options)
        drawn.append(weakref.ref(rows))
        return rows

    def trading(*arguments: object) -> int:
        alive.append(drawn[-1]() is not None)
        return trade(*arguments)

    monkeypatch.setattr(hft_venue, "_drawn_latencies", drawing)
    monkeypatch.setattr(replaying, "run_maker", trading)
    run(calm(), latencies_ms=np.array([30.0, 90.0]))
    assert alive == [True]


def test_post_only_order_that_would_take_is_refused_and_sent_again_at_the_next_look() -> None:
    # The ask falls to 100.0 after the look, before the order arrives.
    market = Market().steady(0, 900, 100.0, 100.2).touch(1030, 99.8, 100.0)
    market.steady(1500, 4000, 99.8, 100.0)
    result = run(market)
    assert result.quotes["ended"][0] == Ended.VENUE_REFUSED
    assert len(result.fills) == 0
    assert result.quotes["sent_ns"][1] == (T0 + 2000) * 1_000_000


def test_next_entry_waits_for_the_look_after_the_one_that_sees_the_position_closed() -> None:
    market = calm().trade(2000, 99.9, 1.0, -1).trade(4500, 100.3, 1.0, 1)
    quotes = run(market).quotes
    assert quotes["side"].tolist()[:3] == [0, 1, 0]
    assert ((quotes["sent_ns"] - T0 * 1_000_000) // 1_000_000).tolist()[:3] == [1000, 3000, 6000]


def test_both_sides_rest_between_the_limits_of_the_inventory() -> None:
    market = calm(20_000)
    for at in (2500, 4500, 6500):
        market.trade(at, 99.9, 1.0, -1)
    result = run(market, fixed_depth(0.1, -2, 2))
    assert result.position_after.tolist() == [1.0, 2.0]
    assert result.quotes["side"].tolist()[:2] == [0, 1]
    assert result.quotes["sent_ns"][0] == result.quotes["sent_ns"][1]


def refusing_from(at: int, until: int, table: DecisionTable = AT_TOUCH) -> DecisionTable:
    """The table, but refusing everything between two times."""
    refused = np.full_like(table.ask_refusal, 1)
    columns = {
        name: np.repeat(getattr(table, name), 3, axis=0)
        for name in vars(table)
        if name.startswith(("ask_", "bid_"))
    }
    for name in ("ask_refusal", "bid_refusal"):
        columns[name] = np.concatenate([getattr(table, name), refused, getattr(table, name)])
    return replace(
        table,
        time_ms=np.array([0, T0 + at, T0 + until]),
        calibration_id=("first", "", "second"),
        refusals=("", "parameters 61 s old: stale"),
        **columns,
    )


def test_refused_quote_is_cancelled_at_once_and_the_reason_told() -> None:
    result = run(calm(), refusing_from(2500, 5500), min_quote_age_seconds=600.0)
    first, second = result.quotes[:2]
    assert first["ended"] == Ended.REFUSED
    assert first["ended_ns"] == (T0 + 3100) * 1_000_000
    assert second["sent_ns"] == (T0 + 6000) * 1_000_000
    times = result.refusals["time_ns"] // 1_000_000 - T0
    told = list(zip(times.tolist(), map(result.reason, result.refusals["code"]), strict=True))
    assert (3000, "parameters 61 s old: stale") in told
    assert (6000, "") in told
    named = result.record().quotes.calibration_id
    assert [named.names[code] for code in named.codes] == ["first", "second"]


def test_exit_without_parameters_is_offered_at_the_touch() -> None:
    table = replace(
        fixed_depth(3.0, 0, 1),
        ask_at_touch=np.array([[False, True]]),
    )
    result = run(calm().trade(2000, 96.0, 1.0, -1), table)
    offer = result.quotes[1]
    assert offer["at_touch"] == 1
    assert offer["price"] == 1002
    assert offer["depth"] == pytest.approx(0.1)


def test_nothing_is_quoted_on_an_old_book_or_where_there_are_no_data() -> None:
    market = Market().steady(0, 3000, 100.0, 100.2).steady(18_000, 21_000, 100.0, 100.2)
    old = run(market)
    assert old.quotes["refusal"][0] == Refused.OLD_BOOK
    cut = replay(market.data((0, 3000), (18_000, 21_000)), AT_TOUCH, OPTIONS, "back")
    first, second = cut.quotes[:2]
    assert first["ended"] == Ended.REFUSED
    assert first["refusal"] == Refused.NO_DATA
    assert first["ended_ns"] == (T0 + 3100) * 1_000_000
    assert second["sent_ns"] >= (T0 + 18_000) * 1_000_000


@pytest.mark.parametrize("usable", [True, False])
def test_on_an_old_book_an_exit_stays_while_its_parameters_may_be_used(usable: bool) -> None:
    """As the quoter decides; at the touch there are none, and the exit goes."""
    market = Market().steady(0, 3000, 100.0, 100.2).steady(18_000, 21_000, 100.0, 100.2)
    market.trade(1500, 99.9, 1.0, -1)
    table = replace(AT_TOUCH, ask_at_touch=np.array([[False, not usable]]))
    offer = run(market, table).quotes[1]
    assert offer["side"] == 1
    if usable:
        assert offer["ended"] == Ended.REPLAY_ENDED
    else:
        assert (offer["ended"], offer["refusal"]) == (Ended.REFUSED, Refused.OLD_BOOK)


def test_too_deep_entries_are_refused_but_exits_go_to_the_touch() -> None:
    table = replace(
        AT_TOUCH, ask_depth=np.array([[np.nan, 50.0]]), bid_depth=np.array([[0.1, np.nan]])
    )
    offer = run(calm().trade(2000, 99.9, 1.0, -1), table).quotes[1]
    assert (offer["side"], offer["price"], offer["at_touch"]) == (1, 1002, 1)
    deep = run(calm(), fixed_depth(50.0, 0, 1))
    assert len(deep.quotes) == 0
    assert deep.refusals["code"].tolist()[-1] == Refused.TOO_DEEP


def test_fee_is_paid_and_a_rebate_received() -> None:
    market = calm().trade(2000, 99.9, 1.0, -1)
    paid = run(market, fee_rate=0.00015).performance().parts
    rebate = run(market, fee_rate=-0.00003).performance().parts
    assert paid.fees == pytest.approx(-0.015)
    assert rebate.fees == pytest.approx(0.003)
    assert paid.equity_change == pytest.approx(0.1 - 0.015)  # bought 0.1 below the mid
    assert rebate.equity_change == pytest.approx(0.1 + 0.003)


def test_funding_is_paid_at_whole_hours_on_the_position_before() -> None:
    hour = -T0 % 3_600_000
    market = Market().steady(hour - 5000, hour + 5000, 100.0, 100.2)
    market.trade(hour - 2000, 99.9, 1.0, -1)
    rates = FundingRates(np.array([T0 + hour]), np.array([0.0001]))
    result = run(market, funding=rates)
    assert result.funding_paid[1].tolist() == pytest.approx([-0.01001])
    free = run(market)
    change = result.performance().parts.equity_change - free.performance().parts.equity_change
    assert change == pytest.approx(-0.01001)


def random_market(seed: int, end: int = 60_000) -> Market:
    """A market that wanders by ticks, with trades at and through the touch."""
    random = np.random.default_rng(seed)
    market, bid = Market(), 1000
    for at in range(0, end, 250):
        bid += int(random.integers(-1, 2))
        sizes = random.integers(1, 40, 2) / 10
        market.touch(at, bid / 10, (bid + 2) / 10, *sizes)
        side = int(random.choice([-1, 1]))
        beyond = int(random.integers(0, 3))
        price = (bid - beyond) / 10 if side < 0 else (bid + 2 + beyond) / 10
        market.trade(at + 100, price, float(random.integers(1, 30)) / 10, side)
    return market


@pytest.mark.parametrize("queue", QUEUES)
@pytest.mark.parametrize("limits", [(0, 1), (-1, 0), (-2, 2)])
def test_profit_is_cash_and_the_position_at_the_mid(queue: str, limits: tuple[int, int]) -> None:
    result = run(random_market(1), fixed_depth(0.1, *limits), queue, fee_rate=0.0001)
    assert len(result.fills) > 10
    cash = position = 0.0
    for sign, size, price in zip(result.sign, result.size, result.price, strict=True):
        cash -= sign * size * price + 0.0001 * size * price
        position += sign * size
    last = result.touch[-1]
    worth = cash + position * (last["bid"] + last["ask"]) / 2
    assert result.performance().parts.equity_change == pytest.approx(worth, rel=1e-9)
    assert equity_at(result, np.array([result.end_ms]))[0] == pytest.approx(worth, rel=1e-9)
    positions = result.position_after
    if limits[1] - limits[0] == 1:
        assert limits[0] - 1e-9 <= positions.min()
        assert positions.max() <= limits[1] + 1e-9
    filled = np.bincount(result.fills["quote"], result.size, minlength=len(result.quotes))
    assert filled == pytest.approx(result.quotes["filled"])
    assert np.all(result.quotes["filled"] <= result.quotes["size"] + 1e-9)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(5, 50), st.sampled_from(QUEUES))
def test_the_future_changes_nothing_before_it(seed: int, second: int, queue: str) -> None:
    cut = 1000 * second
    one, other = random_market(seed), random_market(seed + 1)
    mixed = Market(
        [row for row in one.touches if row[0] <= cut],
        [row for row in one.trades if row[0] <= cut],
    )
    mixed.touches += [row for row in other.touches if row[0] > cut]
    mixed.trades += [row for row in other.trades if row[0] > cut]
    table = fixed_depth(0.1, -2, 2)
    first, second_ = run(one, table, queue), run(mixed, table, queue)

    def until(rows: np.ndarray, column: str) -> list[tuple[object, ...]]:
        known = rows[rows[column] <= (T0 + cut) * 1_000_000]
        sent = ("sent_ns", "price", "size", "side", "position", "depth")
        names = sent if column == "sent_ns" else rows.dtype.names
        return known[list(names)].tolist()

    assert until(first.quotes, "sent_ns") == until(second_.quotes, "sent_ns")
    assert until(first.fills, "seen_ns") == until(second_.fills, "seen_ns")


@given(
    mid=st.floats(0.01, 200_000).map(lambda x: float(f"{x:.7g}")),
    share=st.floats(0, 0.09),
    decimals=st.integers(0, 5),
)
def test_prices_are_those_of_the_price_grid(mid: float, share: float, decimals: int) -> None:
    grid = PriceGrid(decimals)
    tick = min(grid.tick(mid * 0.9), grid.tick(mid))
    low = round(mid / tick)
    if low < 2:
        return
    mid_steps = low + 0.5
    exact_mid = float(f"{mid_steps * tick:.12g}")
    depth = float(f"{share * exact_mid:.9g}")
    bands = price_bands(grid, tick)
    for side, wanted in ((1, grid.ask(exact_mid, depth)), (0, None)):
        if wanted is None:
            if exact_mid - depth < 2 * tick:
                continue
            wanted = grid.bid(exact_mid, depth)
        found = quoted_price(side, mid_steps, depth / tick, *bands)
        assert found * tick == pytest.approx(wanted, rel=1e-10)


@given(
    price=st.integers(990, 1010),
    wanted=st.integers(990, 1010),
    age=st.sampled_from([0.0, 0.9, 1.0, 5.0, 14.9, 15.0, 60.0]),
    ticks=st.sampled_from([1.0, 2.0, 3.5]),
    refused=st.booleans(),
    side=st.sampled_from(["bid", "ask"]),
    kappa=st.sampled_from([0.0, 0.05, 0.3, 1.0, 20.0]),
    from_best=st.sampled_from([-2.0, -0.4, 0.0, 0.7, 5.0]),
    depth=st.floats(0, 1),
    percent=st.sampled_from([0.0, 1.0, 5.0, 20.0]),
)
def test_orders_are_outdated_when_the_quoter_says_so(
    price: int, wanted: int, age: float, ticks: float, refused: bool, side: Side,
    kappa: float, from_best: float, depth: float, percent: float,
) -> None:  # fmt: skip
    limits = Settings(
        requote_ticks=ticks, requote_loss_percent=percent, max_quote_age_seconds=15.0,
        min_quote_age_seconds=1.0,
    )  # fmt: skip
    quoter = Quoter(limits, None, PriceGrid(3, 0.1))  # type: ignore[arg-type]
    fair = wanted / 10 + (depth if side == "bid" else -depth)
    quote = Quote(
        side, 0, wanted / 10, 100.5, depth, 0.1, None, fair_price=fair, kappa=kappa,
        from_best=from_best,
    )  # fmt: skip
    rules, slot, want = np.zeros(1, RULES), np.zeros(1, SLOT), np.zeros(1, WANTED)
    rules["min_age"], rules["max_age"] = int(1e9), int(15e9)
    rules["requote_ticks"], rules["requote_loss"] = ticks, percent / 100
    slot["price"], want["price"], want["step"] = price, wanted, 1
    want["refusal"], want["kappa"], want["from_best"] = int(refused), kappa / 10, from_best
    want["fair"], want["depth"] = fair * 10, depth * 10
    assume(kappa == 0 or abs(quote.value_lost(price / 10) - percent / 100) > 1e-9)
    why = _outdated(0 if side == "bid" else 1, slot[0], want[0], round(age * 1e9), rules[0])
    if refused:
        assert why == Ended.REFUSED
    else:
        assert (why != 0) == quoter.is_outdated(price / 10, age, quote)


def test_depths_in_bp_follow_the_mid() -> None:
    market = Market().steady(0, 2900, 100.0, 100.2).steady(3000, 9000, 200.0, 200.2)
    depths = run(market, fixed_bp(100.0, 0, 1)).quotes["depth"]
    assert depths[:2].tolist() == pytest.approx([1.001, 2.001])


def test_wrong_questions_are_refused() -> None:
    data = calm().data()
    with pytest.raises(InputError, match="queue = 'middle' must be one of front, model, back"):
        replay(data, AT_TOUCH, OPTIONS, "middle")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="no data in the time"):
        replay(data, AT_TOUCH, replace(OPTIONS, start_ms=T0 + 20_000))
    with pytest.raises(InputError, match="order size"):
        replace(OPTIONS, size=0.0)
    with pytest.raises(InputError, match="choose a smaller stake"):
        replace(OPTIONS, size=1e9)
    with pytest.raises(InputError, match="latencies_ms"):
        replace(OPTIONS, latencies_ms=np.array([-1.0]))
    with pytest.raises(InputError, match="ascend"):
        replace(refusing_from(1, 2), time_ms=np.array([2, 1, 3]))
    with pytest.raises(InputError, match="ask_depth is negative"):
        fixed_depth(-1.0, 0, 1)
    with pytest.raises(InputError, match="include 0"):
        fixed_depth(1.0, 1, 2)


_REPLAYED = """
import numpy as np
from tests.replay.test_maker import calm, run
market = calm().trade(2000, 100.0, 3.0, -1).trade(3000, 100.0, 2.5, -1)
result = run(market)
print(result.quotes[["sent_ns", "price", "filled", "position"]].tolist(), result.size.tolist())
"""


def test_the_maker_s_state_is_not_in_memory_that_was_freed() -> None:
    """The C library fills freed memory with a pattern here, which a freed row would show."""
    told = []
    for environment in ({}, {"MALLOC_PERTURB_": "165"}):
        found = subprocess.run(
            [sys.executable, "-c", _REPLAYED],
            env=os.environ | environment | {"GLIBC_TUNABLES": "glibc.malloc.tcache_count=0"},
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
            timeout=250,
        )
        assert found.returncode == 0, found.stderr
        told.append(found.stdout)
    assert told[0] == told[1]
