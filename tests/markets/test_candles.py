"""Candles against a naive twin that regroups all prints, and the statistics of made-up candles."""

import itertools
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advanced_mm.markets.candle_history import MinuteFlow, made_up_candles, measure_flow
from advanced_mm.markets.candles import LENGTHS_MS, MINUTE_MS, Candle, CandleSeries, bar_end

START_MS = 1_800_000_000_000 - 1_800_000_000_000 % (1440 * MINUTE_MS)
START_PRICE = 50.0

prints = st.lists(
    st.tuples(st.integers(0, 200 * MINUTE_MS), st.integers(1, 1000).map(float), st.integers(1, 9)),
    max_size=40,
).map(sorted)


def twin(trades, length_ms, until_ms):
    """Bars from a plain loop over every interval up to ``until_ms``."""
    bars, last = [], START_PRICE
    for open_ms in range(START_MS, until_ms + 1, length_ms):
        inside = [(p, s) for t, p, s in trades if open_ms <= START_MS + t < open_ms + length_ms]
        if inside:
            prices = [p for p, _ in inside]
            last = prices[-1]
            volume = float(sum(s for _, s in inside))
            bars.append(
                Candle(open_ms, prices[0], max(prices), min(prices), last, volume, len(inside))
            )
        else:
            bars.append(Candle(open_ms, last, last, last, last))
    return bars


@given(trades=prints, interval=st.sampled_from(["1m", "3m", "5m", "15m", "1h", "1d"]))
@settings(deadline=None, max_examples=60)
def test_bars_of_every_interval_are_those_of_grouping_the_prints_anew(trades, interval):
    series = CandleSeries(START_PRICE, START_MS)
    for time_ms, price, size in trades:
        series.add(START_MS + time_ms, price, float(size))
        assert series.current(interval).close == price  # a stream asks after each print
    until_ms = START_MS + 200 * MINUTE_MS
    series.roll(until_ms)
    expected = twin(trades, LENGTHS_MS[interval], until_ms)
    assert series.snapshot(interval, START_MS, until_ms) == expected
    assert series.current(interval) == expected[-1]


CALENDAR = {
    "3d": lambda day: day.toordinal() - (day.toordinal() - date(1970, 1, 1).toordinal()) % 3,
    "1w": lambda day: day.toordinal() - (day.weekday() - 3) % 7,  # the venue's weeks: Thursdays
    "1M": lambda day: day.replace(day=1).toordinal(),
}


@pytest.mark.parametrize("interval", CALENDAR)
def test_long_bars_begin_where_the_calendar_says(interval):
    begin = datetime(2027, 12, 20, tzinfo=UTC)
    series = CandleSeries(START_PRICE, int(begin.timestamp() * 1000), capacity=100_000)
    expected = {}
    for hour in range(55 * 24):  # over the turn of the year and a leap day
        time = begin + timedelta(hours=hour, minutes=7)
        series.add(int(time.timestamp() * 1000), 100.0 + hour, 1.0)
        start = date.fromordinal(CALENDAR[interval](time.date()))
        expected.setdefault(start, []).append(100.0 + hour)
        if hour % 10 == 0:
            bar = series.current(interval)
            assert (bar.close, bar.prints) == (100.0 + hour, len(expected[start]))
    bars = series.snapshot(interval, 0, 10**13)
    assert series.current(interval) == bars[-1]
    found = {datetime.fromtimestamp(bar.open_ms / 1000, UTC).date(): bar for bar in bars}
    assert list(found) == list(expected)
    for start, prices in expected.items():
        bar = found[start]
        assert (bar.open, bar.close, bar.prints) == (prices[0], prices[-1], len(prices))
    for earlier, later in itertools.pairwise(bars):
        assert bar_end(interval, earlier.open_ms) == later.open_ms - 1


def test_a_snapshot_is_bounded_by_its_range_and_by_5000_bars():
    series = CandleSeries(START_PRICE, START_MS)
    series.roll(START_MS + 6_000 * MINUTE_MS)
    all_bars = series.snapshot("1m", 0, START_MS + 10**12)
    assert len(all_bars) == 5_000
    assert all_bars[-1].open_ms == START_MS + 6_000 * MINUTE_MS
    some = series.snapshot("1m", START_MS + 1, START_MS + 3 * MINUTE_MS)
    assert [bar.open_ms for bar in some] == [START_MS + i * MINUTE_MS for i in (1, 2, 3)]


def test_memory_is_bounded_and_the_oldest_bars_go_first():
    series = CandleSeries(START_PRICE, START_MS, capacity=10)
    series.roll(START_MS + 100 * MINUTE_MS)
    assert (len(series), series.first_ms) == (10, START_MS + 91 * MINUTE_MS)
    before = made_up_candles(5, series.first_ms, START_PRICE, MinuteFlow(), 4, seed=1)
    series.prepend(before)
    assert len(series) == 10


def test_bars_put_before_the_series_may_not_overlap_it():
    series = CandleSeries(START_PRICE, START_MS)
    with pytest.raises(ValueError, match="overlap"):
        series.prepend([Candle(START_MS, 1.0, 1.0, 1.0, 1.0)])


def test_the_made_up_past_ends_at_the_first_price_without_gaps_and_repeats_by_seed():
    flow = MinuteFlow(volatility=1e-3, volume=20.0, prints=30.0)
    bars = made_up_candles(5_000, START_MS, 3_000.1, flow, 4, seed=3)
    assert bars == made_up_candles(5_000, START_MS, 3_000.1, flow, 4, seed=3)
    assert bars != made_up_candles(5_000, START_MS, 3_000.1, flow, 4, seed=4)
    assert [bar.open_ms for bar in bars] == list(
        range(START_MS - 5_000 * MINUTE_MS, START_MS, MINUTE_MS)
    )
    assert bars[-1].close == 3_000.1
    for earlier, later in itertools.pairwise(bars):
        assert later.open == earlier.close
        assert later.low <= min(later.open, later.close)
        assert later.high >= max(later.open, later.close)


def test_the_made_up_past_has_the_flow_it_is_given():
    flow = MinuteFlow(volatility=1e-3, volume=20.0, prints=30.0)
    series = CandleSeries(3_000.0, START_MS)
    series.prepend(made_up_candles(5_000, START_MS, 3_000.0, flow, 4, seed=3))
    measured = measure_flow(series)
    # Standard errors: volatility 1/sqrt(2 n) = 1%, gamma(2) activity 0.7/sqrt(n) = 1%.
    assert measured.volatility == pytest.approx(flow.volatility, rel=0.04)
    assert measured.volume == pytest.approx(flow.volume, rel=0.04)
    assert measured.prints == pytest.approx(flow.prints + 1, rel=0.04)


@pytest.mark.parametrize(
    ("price", "size_decimals"), [(0.23, 0), (10.0, 2), (3_000.0, 4), (99_990.0, 5)]
)
def test_made_up_prices_obey_the_venues_rules(price, size_decimals):
    flow = MinuteFlow(volatility=2e-3)
    bars = made_up_candles(2_000, START_MS, price, flow, size_decimals, seed=5)
    for value in np.array([(b.open, b.high, b.low, b.close) for b in bars]).ravel():
        text = f"{value:.10f}".rstrip("0").rstrip(".")
        whole, _, decimals = text.partition(".")
        assert len(decimals) <= 6 - size_decimals
        assert not decimals or len((whole + decimals).lstrip("0")) <= 5


def test_too_short_a_series_is_not_measured():
    series = CandleSeries(START_PRICE, START_MS)
    series.roll(START_MS + 3 * MINUTE_MS)
    assert measure_flow(series) == MinuteFlow()


def test_a_made_up_past_that_leads_down_stays_at_the_finest_step():
    flow = MinuteFlow(volatility=0.03)
    bars = made_up_candles(5_000, START_MS, 0.0003, flow, 2, seed=4)
    lows = [bar.low for bar in bars]
    assert min(lows) == 0.0001
    assert bars[-1].close == 0.0003
