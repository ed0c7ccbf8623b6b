import pytest

from advanced_mm.errors import InputError
from advanced_mm.markets.clock import MarketClock


def test_market_time_runs_speed_times_as_fast_as_the_computers():
    real_s = 100.0
    clock = MarketClock(5_000, 60.0, monotonic=lambda: real_s)
    assert clock.now_ms == 5_000
    real_s = 100.25
    assert (clock.now_ms, clock.uptime_s) == (20_000, 0.25)


@pytest.mark.parametrize("speed", [0.0, -1.0, float("nan"), float("inf")])
def test_a_speed_that_is_no_positive_number_is_refused_with_its_value(speed):
    with pytest.raises(InputError, match=f"speed is {speed}"):
        MarketClock(0, speed)
