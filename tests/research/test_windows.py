"""Moving moments against sums over each window in twice the digits."""

import numpy as np
import pytest

from advanced_mm.research.windows import Window, ratio


def exact(values, row, rows, least):
    """Mean and deviation of a window, in extended precision."""
    part = values[max(0, row - rows + 1) : row + 1].astype(np.longdouble)
    part = part[~np.isnan(part)]
    if len(part) < least:
        return np.nan, np.nan
    deviation = part.std(ddof=1) if len(part) > 1 else np.nan
    return float(part.mean()), float(deviation)


@pytest.mark.parametrize("rows", [1, 2, 7, 60, 199, 200, 201, 500])
@pytest.mark.parametrize("unknown", [0.0, 0.08, 0.5])
def test_moments_are_those_of_each_window(rows, unknown):
    rng = np.random.default_rng(rows)
    values = 100_000 + np.cumsum(rng.normal(0, 0.01, 400))
    values[rng.uniform(size=400) < unknown] = np.nan
    window = Window(rows)
    for least in (None, 1):
        mean, deviation = window.moments(values, least)
        needed = window.least if least is None else least
        expected = [exact(values, row, rows, needed) for row in range(400)]
        np.testing.assert_allclose(mean, [one[0] for one in expected], rtol=1e-14)
        np.testing.assert_allclose(deviation, [one[1] for one in expected], rtol=1e-8, atol=1e-12)


def test_a_price_at_rest_after_a_lively_hour_has_no_deviation():
    rng = np.random.default_rng(1)
    for price in (99.13, 0.1, 61_234.7):
        values = np.concatenate([price * (1 + rng.normal(0, 0.01, 3_000)), np.full(500, price)])
        mean, deviation = Window(300).moments(values)
        assert (deviation[3_299:] == 0).all()
        assert (mean[3_299:] == price).all()
        assert deviation[3_298] > 0


def test_figures_need_nine_tenths_of_the_window():
    values = np.arange(20.0)
    values[5] = np.nan
    mean = Window(10).mean(values)
    assert list(np.flatnonzero(np.isnan(mean))) == [*range(9)]
    values[7] = np.nan  # two unknown of ten while both are in the window
    assert list(np.flatnonzero(np.isnan(Window(10).mean(values)))) == [*range(15)]


def test_means_of_some_rows_need_few_of_them_in_an_observed_window():
    values = np.full(20, np.nan)
    values[[3, 4, 12]] = [2.0, 4.0, 6.0]
    observed = np.ones(20)
    observed[15:17] = np.nan
    mean = Window(10).mean_of(values, 2, observed)
    expected = np.full(20, np.nan)
    expected[8:12], expected[12:13], expected[13:14] = 3.0, 4.0, 5.0
    np.testing.assert_array_equal(mean, expected)


def test_a_window_of_no_whole_candles_has_no_figures():
    nothing = Window(0)
    for figures in (
        nothing.mean(np.ones(3)),
        nothing.deviation(np.ones(3)),
        nothing.quantile(np.ones(3), 0.5, 1),
    ):
        assert np.isnan(figures).all()


def test_quantiles_are_those_of_what_is_known():
    rng = np.random.default_rng(2)
    values = rng.normal(size=300)
    values[::7] = np.nan
    done = Window(100).quantile(values, 0.3, 40)
    for row in (10, 45, 46, 47, 150, 299):
        part = values[max(0, row - 99) : row + 1]
        part = part[~np.isnan(part)]
        expected = np.quantile(part, 0.3) if len(part) >= 40 else np.nan
        np.testing.assert_allclose(done[row], expected)


def test_a_ratio_to_nothing_is_unknown():
    result = ratio(np.array([1.0, 0.0, np.nan, 4.0]), np.array([0.0, 0.0, 1.0, 2.0]))
    np.testing.assert_array_equal(result, [np.nan, np.nan, np.nan, 2.0])
