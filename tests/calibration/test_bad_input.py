"""Faulty records: how each fault may and may not affect the estimates.

The clean market is a realistic half hour; its orders lie on multiples of 100 ms, so estimators see
rows inserted between them only if they should.
"""

from dataclasses import fields, replace
from datetime import UTC, datetime
from math import isfinite

import numpy as np
import pytest

from advanced_mm.calibration.calibrate import CalibrationOptions, calibrate
from advanced_mm.calibration.entries import epsilon_entry, kappa_entry, lambda_entry
from advanced_mm.calibration.estimators.arrivals import ArrivalEstimator
from advanced_mm.calibration.estimators.fill_curve import FillCurveEstimator
from advanced_mm.calibration.estimators.fill_impact import FillImpactEstimator
from advanced_mm.calibration.estimators.impact import ImpactEstimator
from advanced_mm.calibration.estimators.pareto import ParetoEstimator
from advanced_mm.calibration.toxicity import economics
from advanced_mm.calibration.windows.estimate import Status
from advanced_mm.calibration.windows.window import WindowOptions
from advanced_mm.marketdata.records import Quotes, Recording, Trades

NOW = datetime(2026, 1, 2, tzinfo=UTC)
VALUES = ("value", "se", "low", "high")


@pytest.fixture(scope="module")
def clean(simulated) -> Recording:
    market = simulated.Market(realistic=True, sigma=0.45, with_hash=True)
    return simulated.simulate(market, seed=21)


def fit(recording):
    return calibrate(recording, window_minutes=60)


def estimates(calibration):
    """Every estimate by name."""
    found = {"sigma": calibration.volatility}
    for side in ("plus", "minus"):
        curve, tail = getattr(calibration.fill_curve, side), getattr(calibration.pareto, side)
        profile = getattr(calibration.fill_impact.profile, side)
        found |= {
            f"lambda {side}": getattr(calibration.arrivals, side).rate,
            f"lambda0 {side}": curve.lambda0,
            f"kappa {side}": curve.kappa,
            f"epsilon {side}": getattr(calibration.impact.epsilon, side),
            f"epsilon_fill {side}": getattr(calibration.fill_impact.epsilon_fill, side),
            f"intercept {side}": profile.intercept,
            f"slope {side}": profile.slope,
            f"alpha {side}": tail.alpha,
            f"mean {side}": tail.mean,
        }
    return found


def assert_same(found, expected, rel=1e-9):
    theirs = estimates(expected)
    for name, estimate in estimates(found).items():
        assert estimate.status is theirs[name].status, name
        assert [getattr(estimate, v) for v in VALUES] == pytest.approx(
            [getattr(theirs[name], v) for v in VALUES], rel=rel, nan_ok=True
        ), name


def assert_publishable(calibration):
    """No published number is non-finite, zero or negative, except counts and flags."""
    for entry in (f(calibration, NOW) for f in (kappa_entry, lambda_entry, epsilon_entry)):
        numbers = {k: v for k, v in entry.to_json().items() if isinstance(v, float)}
        del numbers["observed_seconds"]
        assert all(isfinite(v) and v > 0 for v in numbers.values()), numbers


def taken(records, rows):
    return type(records)(*(getattr(records, f.name)[rows] for f in fields(records)))


def joined(left, right):
    columns = ((getattr(r, f.name) for r in (left, right)) for f in fields(left))
    merged = type(left)(*(np.concatenate(tuple(pair)) for pair in columns))
    return taken(merged, np.argsort(merged.time_ms, kind="stable"))


def prints(time_ms, price, size, side=1):
    n = len(time_ms)
    return Trades(
        time_ms=np.asarray(time_ms),
        price=np.full(n, price, dtype=float),
        size=np.full(n, size, dtype=float),
        side=np.full(n, side),
        trade_id=np.arange(n) + 10**9,
        transaction=np.arange(n) + 10**9,
        local_s=np.asarray(time_ms) / 1e3,
    )


def with_spoilt_quotes(recording, change, every=40):
    """Put a spoilt copy 31 ms behind every 40th quote, and the sound quote again 1 ms later."""
    sound = taken(recording.quotes, slice(None, None, every))
    bad = change(replace(sound, time_ms=sound.time_ms + 31))
    again = replace(sound, time_ms=sound.time_ms + 32)
    return replace(recording, quotes=joined(joined(recording.quotes, bad), again))


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda q: replace(q, bid=q.ask + 3.0), id="crossed"),
        pytest.param(lambda q: replace(q, bid=q.ask), id="locked"),
        pytest.param(lambda q: replace(q, bid=q.bid * np.nan), id="no bid"),
        pytest.param(lambda q: replace(q, ask=q.ask * np.nan), id="no ask"),
        pytest.param(lambda q: replace(q, ask=q.ask * np.inf), id="infinite ask"),
        pytest.param(lambda q: replace(q, bid=q.bid - 900.0, bid_size=q.bid_size * 0), id="empty"),
        pytest.param(lambda q: replace(q, bid=-q.bid, ask=-q.ask), id="negative"),
        pytest.param(lambda q: replace(q, bid=0 * q.bid), id="zero"),
    ],
)
def test_impossible_quotes_are_not_looked_at(clean, change):
    found = fit(with_spoilt_quotes(clean, change))
    assert_same(found, fit(clean))
    assert_publishable(found)


@pytest.mark.parametrize("change", [lambda q: replace(q, bid=q.ask + 3.0)])
def test_orders_behind_a_crossed_book_count_but_say_nothing_of_their_reach(clean, change):
    quotes = clean.quotes
    spoilt = change(quotes)
    third = np.arange(len(quotes)) % 3 == 0
    mixed = Quotes(
        *(np.where(third, getattr(spoilt, f.name), getattr(quotes, f.name)) for f in fields(quotes))
    )
    found, expected = fit(replace(clean, quotes=mixed)), fit(clean)
    assert found.n == expected.n
    assert found.fill_curve.plus.n < 0.75 * expected.fill_curve.plus.n
    assert_publishable(found)
    for a, b in zip(found.fill_curve, expected.fill_curve, strict=True):
        assert a.kappa.value == pytest.approx(b.kappa.value, abs=4 * b.kappa.se)
        assert a.lambda0.value == pytest.approx(b.lambda0.value, abs=4 * b.lambda0.se)


@pytest.mark.parametrize(
    ("price", "size", "side"),
    [
        *((3100.0, size, 1) for size in (0.0, -1.0, np.nan)),
        *((price, 1.0, 1) for price in (-3000.0, 0.0, np.nan, np.inf, 1e300)),
        (3100.0, 1.0, 0),
    ],
)
def test_impossible_prints_are_no_market_orders(clean, price, size, side):
    times = clean.quotes.time_ms[10:-10:50] + 7
    bad = replace(clean, trades=joined(clean.trades, prints(times, price, size, side)))
    assert_same(fit(bad), fit(clean))


def test_trades_without_quotes_are_insufficient(clean):
    bare = replace(
        clean, quotes=taken(clean.quotes, slice(0)), book_time_ms=np.empty(0, dtype=np.int64)
    )
    found = fit(bare)
    assert found.observed_seconds == 0
    assert all(e.status is Status.INSUFFICIENT for e in estimates(found).values())
    assert_publishable(found)
    heard = fit(replace(clean, quotes=taken(clean.quotes, slice(0))))  # L2 beats, but no quote
    assert heard.n.plus > 500
    assert heard.kappa_status is heard.epsilon_status is Status.INSUFFICIENT
    assert_publishable(heard)


def test_time_running_backwards_changes_nothing(clean):
    backwards = replace(
        clean,
        quotes=taken(clean.quotes, slice(None, None, -1)),
        trades=taken(clean.trades, slice(None, None, -1)),
        book_time_ms=clean.book_time_ms[::-1],
    )
    assert_same(fit(backwards), fit(clean))


def test_duplicates_in_any_order_change_nothing(clean):
    rng = np.random.default_rng(4)
    n, m = len(clean.quotes), len(clean.trades)
    mixed = replace(
        clean,
        quotes=taken(clean.quotes, rng.permutation(np.repeat(np.arange(n), 2))),
        trades=taken(clean.trades, rng.permutation(np.repeat(np.arange(m), 3))),
        book_time_ms=rng.permutation(np.repeat(clean.book_time_ms, 2)),
    )
    assert_same(fit(mixed), fit(clean))


def test_quotes_of_one_millisecond_are_told_apart_by_their_arrival(clean):
    """A second quote within the same exchange millisecond is the later one, shuffled or not."""
    first = taken(clean.quotes, slice(None, None, 2))
    second = replace(first, bid=first.bid - 0.3, ask=first.ask + 0.2, local_s=first.local_s + 1e-4)
    both = joined(replace(clean, quotes=first).quotes, second)
    shuffled = taken(both, np.random.default_rng(1).permutation(len(both)))
    assert_same(fit(replace(clean, quotes=shuffled)), fit(replace(clean, quotes=both)))


def test_skewed_local_clocks_change_nothing(clean):
    skewed = replace(
        clean,
        quotes=replace(clean.quotes, local_s=clean.quotes.local_s - 300.0),
        trades=replace(clean.trades, local_s=clean.trades.local_s + 420.0),
    )
    assert_same(fit(skewed), fit(clean))


def test_a_leap_of_the_price_across_a_gap_is_nobody_s_move(clean):
    """All prices after a gap are shifted by 50, which shows anything computed across it."""
    low, high = clean.quotes.time_ms[0] + np.array([700_000, 760_000])

    def outside(time_ms):
        return (time_ms < low) | (time_ms > high)

    gap = replace(
        clean,
        quotes=taken(clean.quotes, outside(clean.quotes.time_ms)),
        book_time_ms=clean.book_time_ms[outside(clean.book_time_ms)],
    )
    quotes, trades = gap.quotes, gap.trades
    later, after = 50.0 * (quotes.time_ms > high), 50.0 * (trades.time_ms > high)
    leapt = replace(
        gap,
        quotes=replace(quotes, bid=quotes.bid + later, ask=quotes.ask + later),
        trades=replace(trades, price=trades.price + after),
    )
    before, found = fit(gap), fit(leapt)
    assert before.observed_seconds == pytest.approx(1740, abs=1.1)
    assert_same(found, before, rel=1e-6)


def without_quotes(recording, low_ms, high_ms):
    time_ms = recording.quotes.time_ms
    return replace(
        recording, quotes=taken(recording.quotes, (time_ms < low_ms) | (time_ms > high_ms))
    )


@pytest.mark.parametrize("lost_s", [5, 300])
def test_quotes_that_are_lost_while_the_book_beats_on_are_a_gap(clean, lost_s):
    """Against the same recording with that time cut out of all its streams."""
    low = int(clean.quotes.time_ms[0]) + 700_000
    high = low + lost_s * 1000
    deaf = without_quotes(clean, low, high)
    left, right = deaf.quotes.time_ms[deaf.quotes.time_ms < low][-1], high
    books = clean.book_time_ms
    cut = replace(deaf, book_time_ms=books[(books <= left) | (books > right)])
    found = fit(deaf)
    assert_same(found, fit(cut))
    assert found.observed_seconds == pytest.approx(1800 - lost_s, abs=1.5)


@pytest.mark.parametrize(("quiet_s", "is_gap"), [(2.5, False), (60, True)])
def test_a_quiet_moment_is_no_gap_but_a_quiet_minute_is_one(clean, quiet_s, is_gap):
    """Nothing trades and no quote changes while the book beats on, with usually 2 orders a second.

    For a moment that is chance, for a minute both channels must be cut off. Without that judgement
    the book's beats alone tell that the time was heard.
    """
    low = int(clean.quotes.time_ms[0]) + 700_000
    high = low + round(quiet_s * 1000)
    trades = clean.trades.time_ms
    quiet = without_quotes(clean, low, high)
    quiet = replace(quiet, trades=taken(clean.trades, (trades < low - 100) | (trades > high)))
    whole = fit(clean).observed_seconds
    assert (fit(quiet).observed_seconds < whole - 0.9 * quiet_s) is is_gap
    heard = CalibrationOptions(window=WindowOptions(silence_probability=0.0))
    heard_s = calibrate(quiet, window_minutes=30, options=heard).observed_seconds
    assert heard_s == pytest.approx(whole, abs=3.0 if quiet_s > 3 else 1e-6)


def test_an_hour_without_trades_leaves_nothing_to_fit(clean):
    start = int(clean.quotes.time_ms[-1])
    silent = np.arange(start + 500, start + 3_600_001, 500)
    last = taken(clean.quotes, np.full(len(silent), -1))
    longer = replace(
        clean,
        quotes=joined(clean.quotes, replace(last, time_ms=silent)),
        book_time_ms=np.concatenate((clean.book_time_ms, silent)),
    )
    found = fit(longer)  # the hour alone
    assert found.n.plus <= 1
    assert found.status is Status.INSUFFICIENT
    assert_publishable(found)
    assert all("market orders" in reason for reason in found.reasons() if "lambda+" in reason)
    worth = economics(found, fee_rate=0.00015)
    assert not worth.income_per_hour.usable
    whole = calibrate(longer, window_minutes=120)
    assert whole.silent == ("trades",)  # no market of two orders a second: the channel was cut off
    for a, b in zip(whole.arrivals, fit(clean).arrivals, strict=True):
        assert a.rate.value == pytest.approx(b.rate.value, rel=0.01)
    heard = CalibrationOptions(window=WindowOptions(silence_probability=0.0))
    told = calibrate(longer, window_minutes=120, options=heard)  # the hour is observed time
    for a, b in zip(told.arrivals, fit(clean).arrivals, strict=True):
        assert a.rate.value == pytest.approx(b.rate.value * 1800 / 5400, rel=0.01)


EAGER = CalibrationOptions(
    min_observed_seconds=0.0,
    window=WindowOptions(block_ms=1000),
    arrivals=ArrivalEstimator(min_orders=1, dispersion_bin_ms=1000),
    fill_curve=FillCurveEstimator(min_walked=1, kappa_per_bp=(0.0, np.inf)),
    impact=ImpactEstimator(min_orders=1, min_orders_bound=1, max_bp=np.inf),
    fill_impact=FillImpactEstimator(min_fills=1, max_bp=np.inf),
    pareto=ParetoEstimator(min_jumps=1),
)


@pytest.mark.parametrize("seed", range(60))
def test_nothing_unpublishable_comes_of_rubbish_even_without_gates(seed):
    rng = np.random.default_rng(seed)
    n, m = rng.integers(0, 40, 2)

    def spoilt(x):
        bad = rng.random(len(x)) < 0.1
        return np.where(bad, rng.choice([np.nan, np.inf, -np.inf, -1.0, 0.0, 1e300], len(x)), x)

    time_ms = rng.integers(0, 20_000, n + m)
    bid = 100 + rng.integers(-3, 4, n) / 10
    quotes = Quotes(
        time_ms[:n], spoilt(bid), spoilt(np.ones(n)), spoilt(bid + 0.1), np.ones(n), rng.random(n)
    )
    trades = prints(time_ms[n:], 100.0, 1.0)
    trades = replace(
        trades,
        price=spoilt(100 + rng.integers(-5, 6, m) / 10),
        size=spoilt(np.ones(m)),
        side=rng.choice([1, -1], m),
    )
    books = rng.integers(0, 20_000, 20)
    recording = Recording("TEST", quotes, trades, books, 0.1)
    found = calibrate(recording, window_minutes=1, options=EAGER)
    assert_publishable(found)
    economics(found, fee_rate=0.00015)
