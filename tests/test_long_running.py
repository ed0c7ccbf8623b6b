"""The benchmark of what grows: what it takes for growth, and for too dear a page."""

import pytest

from benchmarks import long_running
from benchmarks.long_running import CLOCK_SPEED, MARKET_SPEED, System, Watched, judged, table


def watched(memory, *, name="part", group=CLOCK_SPEED, share=0.01, seconds=36_000, step=60):
    """Return a process's samples of ten hours; memory in MB by the hour."""
    samples = [(at, memory(at / 3600), share * at) for at in range(0, seconds, step)]
    return Watched(name, 1, group, samples)


def wave(hour):
    """What fills and is emptied each hour, as a day's file that is merged does."""
    return 100 + 20 * (hour % 1.0)


@pytest.mark.parametrize(
    ("memory", "flat"),
    [
        (lambda hour: 100.0, True),
        (wave, True),
        (lambda hour: 100 + min(hour, 2) * 50, True),  # fills while it warms up
        (lambda hour: 100 + 2 * hour, False),
        (lambda hour: wave(hour) + 5 * hour, False),
    ],
)
def test_growth_is_told_from_waves_and_warming_up(memory, flat):
    assert judged(watched(memory), 1.0).flat is flat


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
