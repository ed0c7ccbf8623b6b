"""Each estimator against a formula written out on its own, and the laws all of them obey."""

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2

from advanced_mm.calibration.calibrate import calibrate
from advanced_mm.calibration.estimators.arrivals import ArrivalEstimator, garwood_interval
from advanced_mm.calibration.estimators.fill_curve import FillCurveEstimator, reach_ks_distance
from advanced_mm.calibration.estimators.fill_impact import FillImpactEstimator, line_from_sums
from advanced_mm.calibration.estimators.impact import ImpactEstimator, least_squares_hc1
from advanced_mm.calibration.estimators.pareto import (
    ParetoEstimator,
    hill_alpha,
    truncated_pareto_mean,
)
from advanced_mm.calibration.estimators.volatility import VolatilityEstimator
from advanced_mm.calibration.windows.bootstrap import percentile_interval
from advanced_mm.calibration.windows.estimate import NORMAL_95, Estimate, Sides, Status, settle_pair
from advanced_mm.calibration.windows.window import Window
from advanced_mm.errors import InputError
from advanced_mm.marketdata.records import Quotes, Trades

law = settings(deadline=None, max_examples=40)


@pytest.fixture(scope="module")
def market(simulated):
    """A realistic half hour and its window."""
    recording = simulated.simulate(simulated.Market(realistic=True, sigma=0.45), seed=11)
    return recording, Window.of(recording)


@law
@given(st.integers(1, 5000))
def test_garwood_is_the_chi_square_interval(n):
    expected = chi2.ppf(0.025, 2 * n) / 2, chi2.ppf(0.975, 2 * n + 2) / 2
    assert garwood_interval(n) == pytest.approx(expected, rel=1e-9)


def test_garwood_without_a_count_starts_at_zero():
    assert garwood_interval(0) == pytest.approx((0, -np.log(0.025)))


def test_arrival_rate_and_its_interval_written_out(market):
    _, window = market
    for side, fit in zip((1, -1), ArrivalEstimator().fit(window), strict=True):
        times = window.orders.time_ms[window.orders.side == side]
        n, seconds = len(times), window.observed_seconds
        start, end = int(window.stretches.start_ms[0]), int(window.stretches.end_ms[0])
        edges = range(start, end + 1, 30_000)
        counts = [((times >= a) & (times < a + 30_000)).sum() for a in edges if a + 30_000 <= end]
        phi = max(1.0, np.var(counts, ddof=1) / np.mean(counts))
        low, high = chi2.ppf(0.025, 2 * n) / 2, chi2.ppf(0.975, 2 * n + 2) / 2
        assert fit.rate.value == pytest.approx(n / seconds)
        assert fit.dispersion == pytest.approx(phi)
        assert fit.rate.low == pytest.approx((n - np.sqrt(phi) * (n - low)) / seconds)
        assert fit.rate.high == pytest.approx((n + np.sqrt(phi) * (high - n)) / seconds)


def test_kappa_maximises_the_hurdle_geometric_likelihood(market):
    """The closed form is the maximum of the censored geometric likelihood, found by search."""
    _, window = market
    fit = FillCurveEstimator().fit(window).plus
    reach = window.orders.reach[window.orders.side == 1]
    walked = reach[reach >= 1]
    q = np.exp(-np.linspace(0.5, 6, 200_001) * window.tick)
    whole, cut = walked[walked < fit.cap], (walked >= fit.cap).sum()
    likelihood = (whole - 1).sum() * np.log(q) + len(whole) * np.log1p(-q)
    likelihood += cut * (fit.cap - 1) * np.log(q)
    best = -np.log(q[likelihood.argmax()]) / window.tick
    assert fit.kappa.value == pytest.approx(best, abs=1e-4)
    curvature = np.gradient(
        np.gradient(likelihood, -np.log(q) / window.tick), -np.log(q) / window.tick
    )
    assert fit.kappa_formula_se == pytest.approx(
        (-curvature[likelihood.argmax()]) ** -0.5, rel=0.01
    )


def test_one_absurd_print_costs_neither_memory_nor_the_fit(market):
    recording, window = market
    t = recording.trades
    price = t.price.copy()
    price[t.side > 0] = np.where(np.arange((t.side > 0).sum()) == 100, 1e12, price[t.side > 0])
    absurd = Window.of(replace(recording, trades=replace(t, price=price)))
    before, after = (FillCurveEstimator().fit(w).plus for w in (window, absurd))
    assert after.kappa.value == pytest.approx(before.kappa.value, rel=0.2)
    assert FillImpactEstimator().fit(absurd).profile.plus.slope.usable


@pytest.mark.parametrize(("q", "cap", "n1"), [(0.5, 34, 60), (0.77, 34, 204), (0.9, 100, 1000)])
def test_one_good_fit_in_twenty_is_called_bad(market, q, cap, n1):
    """Of samples drawn from the law itself, fitted as the estimator fits them."""
    curve = replace(FillCurveEstimator().fit(market[1]).plus, q=q, cap=cap, n1=n1)
    rng = np.random.default_rng(7)
    rejected = []
    for _ in range(1500):
        reach = rng.geometric(1 - q, n1)
        capped = np.minimum(reach, cap)
        go, stop = capped.sum() - n1, (reach < cap).sum()
        rejected.append(reach_ks_distance(reach, go / (go + stop), cap) > curve.ks_critical)
    assert 0.03 < np.mean(rejected) < 0.07  # 3.5 standard errors of 1500 draws


def test_a_tail_mean_beyond_belief_is_not_published(market):
    window = market[1]
    fit = ParetoEstimator(max_bp=1e-3).fit(window).plus
    assert fit.alpha.usable
    assert not fit.mean.usable
    assert "bp of the mid" in fit.mean.reason
    reach = window.orders.of_side(1).reach
    assert fit.sample_mean == pytest.approx(reach[reach >= 1].mean() * window.tick)


def test_lambda0_is_the_rate_beyond_the_touch_carried_back(market):
    _, window = market
    fit = FillCurveEstimator().fit(window).minus
    ours = window.orders.side == -1
    depth = window.orders.half_spread[ours].mean() + window.tick
    beyond = (window.orders.reach[ours] >= 1).sum() / window.observed_seconds
    assert fit.lambda0.value == pytest.approx(beyond * np.exp(fit.kappa.value * depth))


def test_percentiles_leave_out_what_has_no_value():
    drawn = np.concatenate((np.arange(1000.0), [np.nan] * 300))
    _, low, high = percentile_interval(drawn)
    assert (low, high) == pytest.approx((25, 975), abs=1.5)
    _, low, high = percentile_interval(np.concatenate((np.arange(900.0), [np.inf] * 100)))
    assert low == pytest.approx(25, abs=1)
    assert np.isnan(high)


def test_least_squares_agrees_with_lstsq_and_hc1_written_out():
    rng = np.random.default_rng(5)
    x = rng.poisson(1.0, (300, 4)).astype(float)
    y = x @ [0.1, -0.2, 0.3, 0.4] + rng.normal(0, 1, 300) * (1 + x[:, 0])
    beta, covariance, residual = least_squares_hc1(x, y)
    expected = np.linalg.lstsq(x, y, rcond=None)[0]
    assert beta == pytest.approx(expected)
    assert residual == pytest.approx(y - x @ expected)
    meat = sum(r * r * np.outer(row, row) for r, row in zip(y - x @ expected, x, strict=True))
    bread = np.linalg.pinv(x.T @ x)
    assert covariance == pytest.approx(300 / 296 * bread @ meat @ bread)


def test_impact_regression_is_built_as_the_equation_says(market):
    """The same regression from loops over bins, through numpy's own least squares."""
    recording, window = market
    fit = ImpactEstimator().fit(window)
    quotes, orders = recording.quotes, window.orders
    start, end = int(window.stretches.start_ms[0]), int(window.stretches.end_ms[0])

    def mid_before(t):
        row = int((quotes.time_ms < t).sum()) - 1
        return (quotes.bid[row] + quotes.ask[row]) / 2

    edges = list(range(-(-start // 500) * 500, end + 1, 500))
    mids = [mid_before(t) for t in edges[1:]]
    counts = [
        [
            ((orders.time_ms >= a) & (orders.time_ms < a + 500) & (orders.side == s)).sum()
            for s in (1, -1)
        ]
        for a in edges[:-1]
    ]
    rows, moves = [], []
    for i in range(1, len(counts)):
        (now_up, now_down), (up, down) = counts[i], counts[i - 1]
        rows.append([now_up, -now_down, up, -down])
        moves.append(mids[i] - mids[i - 1])
    beta = np.linalg.lstsq(np.array(rows, dtype=float), np.array(moves), rcond=None)[0]
    assert fit.bins == len(rows)
    assert fit.raw.plus.value == pytest.approx(beta[0] + beta[2])
    assert fit.raw.minus.value == pytest.approx(beta[1] + beta[3])


def test_fill_impact_is_the_mean_move_after_a_second(market):
    recording, window = market
    fit = FillImpactEstimator().fit(window)
    quotes, orders = recording.quotes, window.orders
    end = int(window.stretches.end_ms[-1])
    for side, estimate in zip((1, -1), fit.raw, strict=True):
        moves = []
        for i in np.flatnonzero((orders.side == side) & (orders.reach >= 1)):
            later = orders.time_ms[i] + 1000
            if later <= end:
                row = int((quotes.time_ms <= later).sum()) - 1
                moves.append(side * ((quotes.bid[row] + quotes.ask[row]) / 2 - orders.mid[i]))
        assert estimate.n == len(moves)
        assert estimate.value == pytest.approx(np.mean(moves))
        independent = np.std(moves, ddof=1) / np.sqrt(len(moves))
        assert 0.6 * independent < estimate.se < 2.5 * independent


def test_line_from_sums_agrees_with_polyfit():
    rng = np.random.default_rng(2)
    x, y, w = np.arange(6.0), rng.normal(size=(3, 6)), rng.integers(1, 50, (3, 6)).astype(float)
    u = x - 2.0
    sums = np.column_stack([(w * part).sum(axis=1) for part in (1, u, u * u, y, u * y)])
    intercept, slope = line_from_sums(sums, 2.0)
    for i in range(3):
        b, a = np.polyfit(x, y[i], 1, w=np.sqrt(w[i]))
        assert (intercept[i], slope[i]) == pytest.approx((a, b))


def test_slope_of_the_move_by_depth_is_the_line_through_the_means(market):
    _, window = market
    profile = FillImpactEstimator().fit(window).profile.plus
    slope, intercept = np.polyfit(profile.depth, profile.mean_move, 1, w=np.sqrt(profile.count))
    assert (profile.count >= 30).all()
    assert profile.slope.value == pytest.approx(slope)
    assert profile.intercept.value == pytest.approx(intercept)
    assert profile.slope.low < profile.slope.value < profile.slope.high


def test_hill_estimator_finds_the_index_of_a_sampled_tail():
    rng = np.random.default_rng(8)
    for alpha in (0.8, 1.5, 3.0):
        # Clauset et al. 2009, appendix D: a Pareto law from u - 1/2 up, rounded.
        x = np.floor(19.5 * (1 - rng.random(200_000)) ** (-1 / alpha) + 0.5)
        assert hill_alpha(x, 20) == pytest.approx(alpha, rel=0.02)


@pytest.mark.parametrize("alpha", [0.5, 1.0, 1.0 + 1e-9, 1.7, 4.0])
def test_truncated_mean_agrees_with_quadrature(alpha):
    x = np.geomspace(1.5, 80.0, 400_001)
    density = x ** (-alpha - 1)
    expected = np.trapezoid(x * density, x) / np.trapezoid(density, x)
    assert truncated_pareto_mean(alpha, 1.5, 80.0) == pytest.approx(expected, rel=1e-6)


def test_mean_of_a_heavy_tail_is_truncated_and_of_a_light_one_is_not(market):
    _, window = market
    reach = np.where(np.arange(len(window.orders)) % 2, 1, 0)
    heavy = np.floor(1 / np.linspace(1, 0.002, len(reach))).astype(np.int64)
    for sample, truncated in ((heavy, True), (1 + reach, False)):
        changed = replace(window, orders=replace(window.orders, reach=sample))
        fit = ParetoEstimator().fit(changed).plus
        assert fit.truncated is truncated
        assert window.tick < fit.mean.value < 500 * window.tick
    with pytest.raises(InputError, match="threshold"):
        ParetoEstimator(threshold_half_ticks=0)


def test_volatility_of_a_random_walk(simulated):
    walk = simulated.Market(rate=0.01, jump_probability=0.0, sigma=2.0)
    estimate = VolatilityEstimator().fit(Window.of(simulated.simulate(walk, seed=1)))
    assert estimate.value == pytest.approx(2.0, abs=4 * estimate.se)
    assert estimate.se == pytest.approx(2.0 / np.sqrt(2 * 1800), rel=0.15)
    with pytest.raises(InputError, match="bin_ms"):
        VolatilityEstimator(bin_ms=500)


def estimate(value, se, n):
    return Estimate(value, se, value - NORMAL_95 * se, value + NORMAL_95 * se, n)


def test_significant_sides_stand_alone():
    raw = Sides(estimate(1.0, 0.2, 300), estimate(2.0, 0.2, 300))
    assert settle_pair(raw, min_n=200, min_n_bound=60) == raw


def test_weak_side_takes_the_pooled_number():
    raw = Sides(estimate(1.0, 0.2, 300), estimate(0.5, 0.4, 250))
    settled = settle_pair(raw, min_n=200, min_n_bound=60)
    assert settled.plus is raw.plus
    assert settled.minus.status is Status.POOLED
    assert settled.minus.value == pytest.approx((1.0 / 0.04 + 0.5 / 0.16) / (1 / 0.04 + 1 / 0.16))
    assert settled.minus.se == pytest.approx((1 / 0.04 + 1 / 0.16) ** -0.5)
    assert settled.minus.n == 250


def test_market_without_adverse_selection_gets_a_bound():
    raw = Sides(estimate(0.1, 0.2, 300), estimate(-0.1, 0.2, 300))
    for side in settle_pair(raw, min_n=200, min_n_bound=60):
        assert side.status is Status.BOUND
        assert side.value == pytest.approx(1.96 * 0.2 / np.sqrt(2), rel=1e-3)


def test_small_or_negative_samples_are_insufficient():
    few = settle_pair(
        Sides(estimate(1.0, 0.2, 20), estimate(1.0, 0.2, 20)), min_n=200, min_n_bound=60
    )
    down = settle_pair(
        Sides(estimate(-2, 0.2, 300), estimate(-2, 0.2, 300)), min_n=200, min_n_bound=60
    )
    nothing = settle_pair(Sides(*[estimate(np.nan, np.nan, 0)] * 2), min_n=200, min_n_bound=60)
    for pair in (few, down, nothing):
        assert [side.status for side in pair] == [Status.INSUFFICIENT] * 2


@law
@given(*[st.tuples(st.floats(-5, 5), st.floats(0, 3), st.integers(0, 400))] * 2)
def test_what_is_published_is_finite_and_positive(plus, minus):
    for side in settle_pair(Sides(estimate(*plus), estimate(*minus)), min_n=200, min_n_bound=60):
        assert not side.usable or (np.isfinite(side.value) and side.value > 0)


def same_numbers(left, right, plus_to="plus", factor=(1.0, 1.0, 1.0, 1.0)):
    """Compare lambda, lambda0, kappa and epsilons of two fits, up to factors and a side swap."""
    minus_to = {"plus": "minus", "minus": "plus"}[plus_to]
    for mine, theirs in (("plus", plus_to), ("minus", minus_to)):
        for pick, f in zip(
            (
                lambda c, s: getattr(c.arrivals, s).rate,
                lambda c, s: getattr(c.fill_curve, s).lambda0,
                lambda c, s: getattr(c.fill_curve, s).kappa,
                lambda c, s: getattr(c.impact.raw, s),
                lambda c, s: getattr(c.fill_impact.raw, s),
            ),
            (*factor, factor[3]),
            strict=True,
        ):
            a, b = pick(left, mine), pick(right, theirs)
            for name in ("value", "se", "low", "high"):
                assert getattr(b, name) == pytest.approx(f * getattr(a, name), rel=1e-6)


def rows_of(records, order):
    return type(records)(*(getattr(records, f.name)[order] for f in fields(records)))


def test_shuffled_and_repeated_rows_change_nothing(market):
    recording, _ = market
    rng = np.random.default_rng(0)
    n, m = len(recording.trades), len(recording.quotes)
    repeated = np.concatenate((np.arange(n), rng.integers(0, n, 50)))
    mixed = replace(
        recording,
        trades=rows_of(recording.trades, rng.permutation(repeated)),
        quotes=rows_of(recording.quotes, rng.permutation(np.repeat(np.arange(m), 2))),
        book_time_ms=rng.permutation(np.repeat(recording.book_time_ms, 2)),
    )
    for estimator in (
        ArrivalEstimator(),
        FillCurveEstimator(),
        ImpactEstimator(),
        ParetoEstimator(),
    ):
        assert estimator.fit(Window.of(mixed)) == estimator.fit(Window.of(recording))
    left, right = (FillImpactEstimator().fit(Window.of(r)).raw for r in (recording, mixed))
    assert left == right


def test_scaling_prices_scales_kappa_inversely(market):
    recording, _ = market
    c = 8.0
    q, t = recording.quotes, recording.trades
    scaled = replace(
        recording,
        quotes=Quotes(q.time_ms, c * q.bid, q.bid_size, c * q.ask, q.ask_size, q.local_s),
        trades=Trades(t.time_ms, c * t.price, t.size, t.side, t.trade_id, t.transaction, t.local_s),
        tick=c * recording.tick,
    )
    left, right = (calibrate(r, window_minutes=60) for r in (recording, scaled))
    same_numbers(left, right, factor=(1.0, 1.0, 1 / c, c))


def test_mirrored_market_swaps_the_sides(market):
    recording, _ = market
    q, t = recording.quotes, recording.trades
    mirrored = replace(
        recording,
        quotes=Quotes(q.time_ms, 6000 - q.ask, q.ask_size, 6000 - q.bid, q.bid_size, q.local_s),
        trades=Trades(
            t.time_ms, 6000 - t.price, t.size, -t.side, t.trade_id, t.transaction, t.local_s
        ),
    )
    left, right = (calibrate(r, window_minutes=60) for r in (recording, mirrored))
    same_numbers(left, right, plus_to="minus")
