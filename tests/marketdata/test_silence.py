"""How long a silence chance explains: against the exponential law, clustered flow and outliers."""

import math

import numpy as np
import pytest

from advanced_mm.marketdata.silence import FEWEST_GAPS, MARGIN, heard_gaps, silence_limit
from advanced_mm.marketdata.store import ShardStore

DRAWS = 20_000


def bursts(rng: np.random.Generator, rate: float, seconds: float) -> np.ndarray:
    """Gaps of an arrival process whose orders have offspring: 2.5 orders a burst on average."""
    parents = rng.uniform(0, seconds, rng.poisson(0.4 * rate * seconds))
    offspring = rng.geometric(0.4, len(parents)) - 1
    late = np.repeat(parents, offspring) + rng.exponential(1.5, offspring.sum())
    return np.diff(np.unique(np.round(np.concatenate((parents, late)), 1)))


@pytest.mark.parametrize("n", [10, 20, 30, 200, 400])
def test_a_gap_beyond_it_is_as_rare_as_asked_for(n):
    """A next gap of exponential ones, at a probability that draws can show; without the margin."""
    rng = np.random.default_rng(n)
    beyond = [
        rng.exponential() > silence_limit(rng.exponential(size=n), 0.02) / MARGIN
        for _ in range(DRAWS)
    ]
    assert 0.016 < np.mean(beyond) < 0.024  # four standard errors


def test_with_many_gaps_it_is_that_of_the_known_rate():
    gaps = np.random.default_rng(1).exponential(0.5, 20_000)
    assert silence_limit(gaps) == pytest.approx(MARGIN * 0.5 * math.log(1e6), rel=0.05)


def test_the_fewer_gaps_the_longer_it_takes():
    rng = np.random.default_rng(2)
    limits = [
        np.median([silence_limit(rng.exponential(size=n)) for _ in range(100)])
        for n in (10, 20, 50, 1000)
    ]
    assert limits == sorted(limits, reverse=True)
    assert limits[0] > 30
    assert limits[-1] < 20


def test_silences_among_the_gaps_do_not_hide_each_other():
    gaps = np.random.default_rng(3).exponential(0.5, 1000)
    silent = np.append(gaps, [30.0, 60.0, 200.0, 300.0, 1200.0])
    assert silence_limit(silent) == pytest.approx(silence_limit(gaps), rel=0.2)


def test_orders_in_bursts_raise_no_false_alarm():
    rng = np.random.default_rng(4)
    alarms = 0
    for _ in range(100):
        gaps = bursts(rng, 2.0, 1800.0)
        alarms += bool((gaps > silence_limit(gaps)).any())
        poisson = MARGIN * gaps.mean() * math.log(1e6)
        assert silence_limit(gaps) > poisson
    assert alarms <= 2


def test_a_regular_channel_is_missed_soon():
    gaps = np.random.default_rng(5).normal(0.54, 0.03, 500)
    assert 0.6 < silence_limit(gaps) < 1.5


def test_too_few_gaps_say_nothing():
    assert silence_limit([1.0] * (FEWEST_GAPS - 1)) == math.inf
    assert silence_limit([1.0] * 100, 0.0) == math.inf
    assert silence_limit([]) == math.inf


@pytest.mark.recorded
@pytest.mark.parametrize("coin", ["ETH", "WLFI"])
def test_no_false_alarm_on_the_recordings(recordings, coin):
    recording = ShardStore(recordings).read(coin)
    every = np.sort(
        np.concatenate((recording.quotes.time_ms, recording.trades.time_ms, recording.book_time_ms))
    )
    for time_ms in (recording.trades.time_ms, recording.quotes.time_ms, recording.book_time_ms):
        gaps = heard_gaps(time_ms, every, 3000)
        assert gaps.max() < max(3.0, silence_limit(gaps))


def test_a_pause_of_the_whole_recording_is_no_gap():
    times = np.array([0, 100, 100, 300, 9000, 9500])
    every = np.array([0, 50, 100, 300, 2000, 8900, 9000, 9500])
    assert heard_gaps(times, every, 3000).tolist() == [0.1, 0.2, 0.5]
