"""Tests follow their training, with the purge between, and are counted in covered time."""

from itertools import pairwise

import numpy as np
import pytest

from advanced_mm.calibration.windows import Stretches
from advanced_mm.errors import InputError
from advanced_mm.replay.sweeps import Fold, Span, folds_of
from advanced_mm.replay.sweeps.plan import FoldPlan

HOUR = 3_600_000


def covered(*stretches):
    start, end = (np.array(stretches).T * HOUR).astype(np.int64)
    return Stretches(start, end)


def fold(train, test):
    return Fold(Span(*(round(h * HOUR) for h in train)), Span(*(round(h * HOUR) for h in test)))


def test_each_part_but_the_first_is_tested_after_all_before_it():
    assert folds_of(covered((0, 8)), FoldPlan(tests=3), 1800) == [
        fold((0, 1.5), (2, 4)),
        fold((0, 3.5), (4, 6)),
        fold((0, 5.5), (6, 8)),
    ]


def test_only_the_last_hours_before_a_test():
    found = folds_of(covered((0, 8)), FoldPlan(tests=3, train_hours=1.0), 1800)
    assert [one.train for one in found] == [
        fold((0.5, 1.5), (0, 0)).train,
        fold((2.5, 3.5), (0, 0)).train,
        fold((4.5, 5.5), (0, 0)).train,
    ]


def test_time_without_data_counts_for_nothing():
    found = folds_of(covered((0, 2), (10, 14), (20, 22)), FoldPlan(tests=3), 1800)
    assert [one.test for one in found] == [
        Span(10 * HOUR, 12 * HOUR),  # begins behind the hole,
        Span(12 * HOUR, 14 * HOUR),  # and ends before the next
        Span(20 * HOUR, 22 * HOUR),
    ]
    assert found[0].train == Span(0, round(9.5 * HOUR))
    late = folds_of(covered((0, 2), (10, 14), (20, 22)), FoldPlan(tests=3, train_hours=1.0), 1800)
    assert late[2].train == Span(13 * HOUR, round(19.5 * HOUR))


@pytest.mark.parametrize("tests", [1, 2, 5])
@pytest.mark.parametrize("purge_s", [0, 600, 1800])
def test_tests_are_disjoint_and_training_ends_a_purge_before(tests, purge_s):
    found = folds_of(covered((0, 3), (4, 11), (12, 13)), FoldPlan(tests=tests), purge_s)
    for one in found:
        assert one.train.end_ms + purge_s * 1000 == one.test.start_ms
        assert one.train.start_ms < one.train.end_ms
    for earlier, later in pairwise(found):
        assert earlier.test.end_ms <= later.test.start_ms


@pytest.mark.parametrize(("hours", "tests", "purge_s"), [(1, 3, 1800), (0.4, 1, 1800), (3, 9, 900)])
def test_a_recording_too_short_is_refused_with_what_it_covers(hours, tests, purge_s):
    with pytest.raises(InputError) as caught:
        folds_of(covered((0, hours)), FoldPlan(tests=tests), purge_s)
    assert f"covers {hours:.2f} hours" in str(caught.value)
    assert f"folds.tests = {tests}" in str(caught.value)


def test_the_refusal_says_how_many_hours_are_enough():
    plan = FoldPlan(tests=3)
    with pytest.raises(InputError, match=r"Record 2\.7 hours"):
        folds_of(covered((0, 0.5)), plan, 1800)
    assert len(folds_of(covered((0, 2.7)), plan, 1800)) == 3
