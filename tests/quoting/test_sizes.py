"""Size of an entry: the unit, smaller where the market is volatile or toxic, never too small."""

from datetime import timedelta

import pytest

from advanced_mm.parameter_files import Settings
from advanced_mm.quoting.sizes import AVERAGED_SECONDS, LongVolatility, entry_stake, size_factor

ALL = {"volatile_size": 0.7, "toxic_size": 0.5, "inventory_size": 0.4}


@pytest.mark.parametrize(
    ("epsilon", "volatility", "units", "factor"),
    [
        (0.1, None, 0, 1.0),
        (0.1, 1.9, 2, 1.0),
        (0.1, 2.0, 2, 0.7),
        (0.7, 1.0, 0, 0.5),  # kappa*epsilon_fill = 1.8 and 1.9
        (0.1, 1.0, 3, 0.4),  # more than half of four
        (0.7, 9.0, 3, 0.7 * 0.5 * 0.4),
    ],
)
def test_each_rule_makes_an_entry_smaller(make_set, epsilon, volatility, units, factor):
    parameters = make_set(epsilon_fill_plus=epsilon, epsilon_fill_minus=epsilon)
    settings = Settings(inventory_mode="layered", q_max=4, **ALL)
    assert size_factor(settings, parameters, volatility, units) == pytest.approx(factor)


def test_by_default_only_a_volatile_market_makes_entries_smaller(make_set):
    toxic = make_set(epsilon_fill_plus=0.7)
    assert size_factor(Settings(), toxic, 1.0) == 1.0
    assert size_factor(Settings(), toxic, 2.5) == 0.7
    assert size_factor(Settings(), None, None) == 1.0


def test_a_reduced_size_stays_above_the_least_and_a_unit_below_it_is_none():
    assert entry_stake(100.0, 0.7, 30.0) == 70.0
    assert entry_stake(100.0, 0.1, 30.0) == 30.0
    assert entry_stake(29.0, 1.0, 30.0) is None


def test_the_average_holds_each_refit_for_its_time(make_set):
    first = make_set(sigma=0.3)
    long = LongVolatility()
    assert long.ratio(make_set()) is None  # not fitted
    assert long.ratio(first) == 1.0
    start = first.epsilon.fitted_at

    def at(seconds, sigma):
        return make_set(f"r{seconds}", sigma=sigma, fitted_at=start + timedelta(seconds=seconds))

    assert long.ratio(at(15, 0.9)) == pytest.approx(3.0, rel=1e-3)  # it was 0.3 until now
    assert long.ratio(at(15, 0.9)) == pytest.approx(3.0, rel=1e-3)  # asked again
    after = long.ratio(at(15 + AVERAGED_SECONDS, 0.9))
    kept = pytest.approx((0.63212 + 0.36788 / 9) ** -0.5, rel=1e-3)
    assert after == kept
    assert long.ratio(at(15 + 40 * AVERAGED_SECONDS, 0.9)) == pytest.approx(1.0)
