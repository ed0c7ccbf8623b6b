"""Covered time, market orders and as-of quotes against naive twins on small random recordings."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advanced_mm.calibration.windows.coverage import Stretches, covered_stretches
from advanced_mm.calibration.windows.window import Window, WindowOptions
from advanced_mm.errors import InputError

# No silence is judged by its chance, and trades that go on alone do not prolong the last stretch.
HEARD = WindowOptions(silence_probability=0, late_ms=10**9)
law = settings(deadline=None, max_examples=60)
time_ms = st.integers(0, 20_000)
price = st.integers(95, 105)
quote = st.tuples(time_ms, price, st.integers(1, 4)).map(
    lambda q: (q[0], q[1] / 10, (q[1] + q[2]) / 10)
)
trade = st.tuples(
    time_ms, st.sampled_from([1, -1]), price.map(lambda p: p / 10), st.sampled_from([0, 7, 8])
)


def naive_stretches(beats, gap):
    stretches = []
    for beat in sorted(beats):
        if stretches and beat - stretches[-1][1] <= gap:
            stretches[-1][1] = beat
        else:
            stretches.append([beat, beat])
    return stretches


def naive_vouching(quotes, trades, books, gap):
    """Books but those between two quotes where a trade waited longer than the gap for a quote."""
    stretches = naive_stretches(quotes + books, gap)
    kept = list(books)
    for ms in trades:
        for start, end in stretches:
            following = min((q for q in quotes if q >= ms), default=float("inf"))
            if quotes and start <= ms <= end and min(following, end) - ms > gap:
                before = max((q for q in quotes if q < ms), default=float("-inf"))
                kept = [b for b in kept if not before < b <= following]
    return kept


def naive_orders(quotes, trades, stretches, tick):
    groups = {}
    for ms, side, px, code in trades:
        groups.setdefault((ms, side, code), []).append(px)
    found = []
    for (ms, side, _), prices in sorted(groups.items()):
        inside = [s for s in stretches if s[0] <= ms <= s[1]]
        if not inside:
            continue
        extreme = max(prices) if side > 0 else min(prices)
        last = None
        for at, bid, ask in quotes:  # already in time order
            if inside[0][0] <= at < ms:
                last = (bid, ask)
        reach = 0
        if last is not None:
            walk = side * (extreme - sum(last) / 2)
            reach = max(0, round((walk - (last[1] - last[0]) / 2) / tick))
        found.append((ms, side, extreme, reach, last is not None))
    return found


@law
@given(st.lists(time_ms, max_size=30), st.integers(1, 4000))
def test_stretches_agree_with_a_loop(beats, gap):
    found = covered_stretches(np.array(sorted(beats), dtype=np.int64), gap)
    expected = naive_stretches(beats, gap)
    assert [list(pair) for pair in zip(found.start_ms, found.end_ms, strict=True)] == expected
    assert found.observed_seconds == pytest.approx(sum(b - a for a, b in expected) / 1000)


@law
@given(st.lists(time_ms, min_size=1, max_size=30), st.integers(1, 4000), st.integers(100, 3000))
def test_whole_bins_and_blocks_agree_with_loops(beats, gap, width):
    stretches = covered_stretches(np.array(sorted(beats), dtype=np.int64), gap)
    expected = naive_stretches(beats, gap)
    number, stretch = stretches.bins_inside(width)
    assert list(zip(number.tolist(), stretch.tolist(), strict=True)) == [
        (k, i)
        for i, (a, b) in enumerate(expected)
        for k in range(a // width, b // width + 1)
        if a <= k * width and (k + 1) * width <= b
    ]
    blocks, seconds = stretches.blocks(width)
    covered = {}
    for a, b in expected:
        for k in range(a // width, b // width + 1):
            overlap = min(b, (k + 1) * width) - max(a, k * width)
            covered[k] = covered.get(k, 0) + overlap / 1000
    assert blocks.tolist() == sorted(covered)
    assert seconds == pytest.approx([covered[k] for k in sorted(covered)])


@law
@given(st.lists(quote, max_size=25), st.lists(trade, max_size=25), st.lists(time_ms, max_size=10))
def test_market_orders_agree_with_a_loop(make_recording, quotes, trades, books):
    window = Window.of(make_recording(quotes, trades, books), options=HEARD)
    in_time = sorted(quotes, key=lambda q: q[0])
    gap = 3000 if books else 5000
    quoted = [q[0] for q in quotes]
    books = naive_vouching(quoted, [t[0] for t in trades], books, gap)
    stretches = naive_stretches(quoted + books, gap)
    orders = window.orders
    found = zip(
        orders.time_ms.tolist(),
        orders.side.tolist(),
        orders.extreme.tolist(),
        orders.reach.tolist(),
        orders.quoted.tolist(),
        strict=True,
    )
    assert sorted(found) == sorted(naive_orders(in_time, trades, stretches, 0.1))


@law
@given(st.lists(quote, min_size=1, max_size=25), st.lists(time_ms, max_size=15))
def test_mid_at_or_before_agrees_with_a_loop(make_recording, quotes, times):
    window = Window.of(make_recording(quotes), options=HEARD)
    stretches = naive_stretches([q[0] for q in quotes], 5000)
    before, _ = window.path.before(np.array(times, dtype=np.int64))
    at = window.path.at(np.array(times, dtype=np.int64))
    for i, t in enumerate(times):
        start = [a for a, b in stretches if a <= t <= b]
        in_time = sorted(quotes, key=lambda q: q[0])
        for value, known in (
            (before[i], [q for q in in_time if start and start[0] <= q[0] < t]),
            (at[i], [q for q in in_time if start and start[0] <= q[0] <= t]),
        ):
            expected = (known[-1][1] + known[-1][2]) / 2 if known else np.nan
            assert value == pytest.approx(expected, nan_ok=True)


def test_the_quote_of_a_trade_s_own_millisecond_is_not_pre_trade(make_recording):
    recording = make_recording([(0, 9.9, 10.0), (100, 10.2, 10.3)], [(100, 1, 10.2)])
    orders = Window.of(recording).orders
    assert orders.mid.tolist() == pytest.approx([9.95])
    assert orders.reach.tolist() == [2]


def test_transactions_separate_orders_of_one_block(make_recording):
    prints = [(50, 1, 10.0, 5), (50, 1, 10.2, 5), (50, 1, 10.1, 6)]
    quotes = [(0, 9.9, 10.0), (90, 9.9, 10.0)]
    window = Window.of(make_recording(quotes, prints))
    assert window.has_transactions
    assert window.orders.extreme.tolist() == [10.2, 10.1]
    merged = Window.of(make_recording(quotes, [p[:3] for p in prints]))
    assert merged.orders.extreme.tolist() == [10.2]


interleaved = st.tuples(
    st.integers(1, 3).map(lambda k: 50 * k),
    st.sampled_from([1, -1]),
    st.integers(100, 104).map(lambda k: k / 10),
    st.integers(1, 3),
)


@law
@given(st.lists(interleaved, min_size=1, max_size=30))
def test_prints_of_an_order_may_lie_apart_in_any_way(make_recording, prints):
    """Grouped by (ms, side, transaction) with a dictionary."""
    by_order = {}
    for time, side, price, transaction in prints:
        by_order.setdefault((time, side, transaction), []).append(price)
    window = Window.of(make_recording([(0, 9.9, 10.0), (200, 9.9, 10.0)], prints))
    found = sorted(
        zip(
            window.orders.time_ms.tolist(),
            window.orders.side.tolist(),
            window.orders.extreme.tolist(),
            strict=True,
        )
    )
    expected = sorted(
        (time, side, max(prices) if side > 0 else min(prices))
        for (time, side, _), prices in by_order.items()
    )
    assert found == expected


def test_nothing_is_carried_across_a_hole(make_recording):
    recording = make_recording(
        [(0, 9.9, 10.0), (1000, 9.9, 10.0), (20_000, 10.4, 10.5), (21_000, 10.4, 10.5)],
        trades=[(5000, 1, 10.0), (19_500, 1, 10.5), (19_900, -1, 10.4)],
        books=[0, 1000, 19_500, 20_000, 21_000],
    )
    window = Window.of(recording)
    assert window.observed_seconds == pytest.approx(2.5)
    assert window.orders.time_ms.tolist() == [19_500, 19_900]  # the one in the hole is dropped
    assert not window.orders.quoted.any()  # and the quote of before the hole is not theirs
    assert window.orders.reach.tolist() == [0, 0]


@pytest.mark.parametrize(
    "bad", [(100, np.nan, 10.1), (100, 10.0, np.nan), (100, 10.2, 10.1), (100, 10.1, 10.1)]
)
def test_one_sided_or_crossed_book_beats_but_quotes_nothing(make_recording, bad):
    recording = make_recording(
        [(0, 10.0, 10.1), bad, (300, 10.0, 10.1)], [(200, 1, 10.3), (400, 1, 10.3)], [400]
    )
    window = Window.of(recording)
    assert window.observed_seconds == pytest.approx(0.4)
    assert window.orders.quoted.tolist() == [False, True]
    assert window.orders.reach.tolist() == [0, 2]


def test_rows_out_of_order_are_put_in_order(make_recording):
    quotes = [(300, 10.2, 10.3), (0, 10.0, 10.1), (200, 10.1, 10.2)]
    trades = [(250, -1, 10.1), (100, 1, 10.1)]
    back, forth = (
        Window.of(make_recording(q, t))
        for q, t in ((quotes, trades), (sorted(quotes), sorted(trades)))
    )
    assert back.orders.mid.tolist() == forth.orders.mid.tolist()
    assert back.stretches.start_ms.tolist() == forth.stretches.start_ms.tolist()


def test_prints_that_cannot_be_are_left_out(make_recording):
    quotes = [(0, 10.0, 10.1), (300, 10.0, 10.1)]
    trades = [(100, 1, np.nan), (100, 1, -3.0), (100, 0, 10.1), (200, 1, 10.1)]
    assert Window.of(make_recording(quotes, trades)).orders.time_ms.tolist() == [200]


def test_bounds_include_their_ends(make_recording):
    recording = make_recording([(t, 10.0, 10.1) for t in range(0, 1001, 100)])
    window = Window.of(recording, 200, 700)
    assert (window.path.time_ms[0], window.path.time_ms[-1]) == (200, 700)


@pytest.mark.parametrize("tick", [0.0, -0.1, np.nan])
def test_impossible_tick_is_refused(make_recording, tick):
    with pytest.raises(InputError, match="tick"):
        Window.of(make_recording(tick=tick))


def test_empty_recording_has_no_covered_time(make_recording):
    window = Window.of(make_recording())
    assert window.observed_seconds == 0
    assert len(window.orders) == 0
    assert np.isnan(window.path.last)
    assert len(Stretches(*[np.empty(0, dtype=np.int64)] * 2).bins_inside(500)[0]) == 0
