"""Regression on outcomes that overlap, against statsmodels."""

import numpy as np
import pytest
import statsmodels.api as sm

from advanced_mm.research.statistics.series import newey_west


@pytest.mark.parametrize(("steps", "lags"), [(1, 10), (10, 20), (60, 120)])
def test_coefficients_and_errors_are_those_of_statsmodels(steps, lags):
    rng = np.random.default_rng(steps)
    flow = rng.normal(size=4000)
    causes = np.column_stack((flow > 0.3, flow < -0.6)).astype(float)
    shocks = np.convolve(rng.standard_t(4, size=4000 + steps), np.ones(steps), "valid")[:4000]
    outcome = 3.0 + 0.4 * causes[:, 0] + shocks
    outcome[[7, 90, 91]] = np.nan
    causes[[200, 3999], 1] = np.nan
    known = np.isfinite(outcome) & np.isfinite(causes).all(axis=1)
    fit = sm.OLS(outcome[known], sm.add_constant(causes[known])).fit(
        cov_type="HAC", cov_kwds={"maxlags": lags}
    )
    coefficients, t = newey_west(outcome, causes, steps)
    assert coefficients == pytest.approx(fit.params[1:], rel=1e-9)
    assert t == pytest.approx(fit.tvalues[1:], rel=1e-9)


def test_causes_that_tell_nothing_apart_have_no_coefficients():
    outcome = np.random.default_rng(0).normal(size=100)
    one = np.arange(100.0) % 2
    assert newey_west(outcome, np.column_stack((one, 1 - one)), 1) is None
    assert newey_west(outcome, np.zeros((100, 1)), 1) is None
    assert newey_west(np.ones(100), one[:, None], 1) is None
    assert newey_west(outcome[:20], one[:20, None], 1) is None
