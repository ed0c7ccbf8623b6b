"""A winner among worthless trials is as rare as promised; one that earns is found."""

import numpy as np
import pytest
from scipy.stats import binom

from advanced_mm.replay.sweeps import luck
from advanced_mm.replay.sweeps.luck import LEAST_BLOCKS, luck_of, mean_interval

MINUTES, TRIALS, SEEDS = 120, 20, 100


@pytest.fixture(autouse=True)
def fewer_draws(monkeypatch):
    monkeypatch.setattr(luck, "_DRAWS", 300)


def noise(seed, minutes=MINUTES, trials=TRIALS):
    return list(np.random.default_rng(seed).normal(size=(trials, minutes)))


def test_of_worthless_trials_one_in_twenty_looks_like_a_winner():
    p = np.array([luck_of(noise(seed), seed).p_value for seed in range(SEEDS)])
    low, high = binom.interval(0.99, SEEDS, 0.05)
    assert low <= np.sum(p < 0.05) <= high
    assert 0.35 < p.mean() < 0.65


def test_each_alone_would_look_like_a_winner_most_of_the_time():
    """What the check is for: the best of 20 by its own t value, without it."""
    scores = [
        max(trial.mean() / trial.std() * np.sqrt(MINUTES) for trial in noise(seed))
        for seed in range(SEEDS)
    ]
    assert np.mean(np.array(scores) > 1.645) > 0.5


def test_a_trial_that_earns_is_found_and_named():
    trials = noise(1)
    trials[7] = trials[7] + 0.5
    found = luck_of(trials, 1)
    assert found.p_value < 0.01
    assert found.beats == (7,)
    assert 0 < found.typical < found.seldom < trials[7].mean()


def test_luck_reaches_higher_among_more_trials():
    levels = [luck_of(noise(3, trials=count), 3).seldom for count in (2, 20, 200)]
    assert levels == sorted(levels)
    assert levels[2] > 1.2 * levels[0]


def test_bad_trials_beside_do_not_hide_a_good_one():
    trials = noise(2)
    trials[0] = trials[0] + 0.35
    alone = luck_of(trials, 1).p_value
    lossy = [10 * trial - 20 for trial in noise(3)]
    assert luck_of([*trials, *lossy], 1).p_value == pytest.approx(alone, abs=0.03)


def test_where_all_lose_there_is_nothing_to_explain():
    found = luck_of([trial - 5 for trial in noise(1)], 1)
    assert (found.p_value, found.beats) == (1.0, ())
    assert luck_of([np.zeros(MINUTES)] * 3, 1).p_value == 1.0


def test_too_few_minutes_give_no_p_value():
    assert np.isnan(luck_of(noise(1, minutes=LEAST_BLOCKS - 1), 1).p_value)
    assert np.isnan(luck_of([], 1).p_value)
    assert np.isnan(mean_interval(np.arange(LEAST_BLOCKS - 1.0), 1)).all()


def test_the_interval_of_a_mean_covers_it_as_often_as_it_says():
    missed = 0
    for seed in range(SEEDS):
        low, high = mean_interval(noise(seed, trials=1)[0], seed)
        missed += not low <= 0 <= high
    assert missed <= binom.ppf(0.999, SEEDS, 0.05)


def test_the_interval_is_wider_where_minutes_depend_on_those_before():
    steps = np.random.default_rng(0).normal(size=600)
    slow = np.convolve(steps, np.ones(10) / np.sqrt(10), "same")
    (low, high), (slow_low, slow_high) = mean_interval(steps, 1), mean_interval(slow, 1)
    assert slow_high - slow_low > 1.5 * (high - low)
