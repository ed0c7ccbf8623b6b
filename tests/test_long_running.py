"""The benchmark of what grows: what it takes for growth, and for too dear a page."""

import math
import time
from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks import long_running
from benchmarks.long_running import CLOCK_SPEED, MARKET_SPEED, System, Watched, judged, table


def watched(memory, *, name="part", group=CLOCK_SPEED, share=0.01, seconds=86_400, step=240):
    """Return a process's samples, by default of a day; memory in MB by the hour."""
    samples = [(at, memory(at / 3600), share * at) for at in range(0, seconds, step)]
    return Watched(name, 1, group, samples)


def verdicts(memory, **how):
    """Judge a memory with noise of 1 MB on top, ten times."""

    def noisy(seed):
        noise = np.random.default_rng(seed)
        return lambda hour: memory(hour) + noise.normal()

    return Counter(judged(watched(noisy(seed), **how), 1.0).verdict for seed in range(10))


def merges(hour):
    """What lines take until they are merged, every 24 minutes."""
    return 300 + 60 * (hour / 0.4 % 1.0)


def fills(hour):
    """Caches and buffers, full after some hours."""
    return 300 - 50 * math.exp(-hour / 2)


@pytest.mark.parametrize("memory", [lambda hour: 300.0, merges, fills, lambda h: 300 + 0.2 * h])
def test_what_waits_for_a_merge_or_fills_up_is_no_leak(memory):
    assert verdicts(memory)["flat"] >= 8
    assert verdicts(memory)["GROWS"] == 0


@pytest.mark.parametrize(
    ("memory", "leak"), [(lambda hour: 300.0, 1.0), (fills, 1.0), (merges, 2.0)]
)
def test_a_day_shows_a_leak_of_1_mb_an_hour_or_2_beneath_merges(memory, leak):
    assert verdicts(lambda hour: memory(hour) + leak * hour)["GROWS"] >= 9


def test_twelve_minutes_show_large_leaks_only_and_say_so():
    shortly = {"seconds": 720, "step": 2}
    assert verdicts(lambda hour: 300 + 60 * hour, **shortly)["GROWS"] >= 9
    assert verdicts(lambda hour: 300 + 5 * hour, **shortly)["not sure"] >= 8
    assert judged(watched(lambda hour: 300.0, **shortly), 1.0).seen > 20


def test_memory_that_wanders_is_rarely_taken_for_a_leak(monkeypatch):
    """Neighbouring parts are alike: bounds that took each for news would accuse twice as often."""

    def accused():
        found = 0
        for seed in range(40):
            steps = np.random.default_rng(seed).normal(0, 8, 24).cumsum()
            one = watched(lambda hour, steps=steps: 300 + steps[int(hour)])
            found += judged(one, 1.0).verdict == "GROWS"
        return found

    rarely = accused()
    monkeypatch.setattr(long_running, "alike", lambda residuals: 0.0)
    assert rarely <= 6
    assert accused() >= 1.5 * rarely


def test_growth_is_by_the_hour_of_the_market_that_was_hurried():
    found = judged(watched(lambda hour: 100 + 2 * hour, seconds=3600, step=6), 10.0)
    assert found.slope == pytest.approx(0.2)
    assert found.low <= found.slope <= found.high


@pytest.mark.parametrize(("share", "sound"), [(0.02, True), (0.04, False)])
def test_the_page_s_server_may_take_3_percent(share, sound):
    page = watched(lambda hour: 100.0, name="dashboard ", share=share)
    busy = watched(lambda hour: 100.0, name="page", group=MARKET_SPEED, share=0.5)
    assert table(System([page, busy]), 120.0)[1] is sound


def test_counters_are_summed_over_their_labels():
    text = '# TYPE a_refits counter\na_refits_total{coin="A"} 2\na_refits_total{coin="B"} 3\n'
    assert long_running.figures(text, ("refit",)) == {"a_refits_total": 5.0}


def test_what_the_logs_warn_of_is_counted_whatever_its_numbers(tmp_path):
    log = tmp_path / "part.log"
    log.write_text("12:00 INFO a: b\n12:01 WARNING a: 3.5 s late\n12:02 WARNING a: 4 s late\n")
    part = SimpleNamespace(name="part", log_path=log)
    assert long_running.complaints([part]) == {"part": {"WARNING a: N s late": 2}}


def test_all_parts_have_one_clock_whenever_they_start():
    began_s = time.monotonic() - 10
    clock = long_running.clock_of(1_000_000, began_s, 120.0)
    assert clock.now_ms == pytest.approx(1_000_000 + 1_200_000, abs=120_000)
