"""What is in doubt after a loss, and until when.

- each channel is in doubt from its own newest row on until its own next pushed one;
- answers to subscriptions, which may be old, end no doubt;
- a channel that says little is bounded by the coin's others;
- trades that were told again are no gap as far as they reach.
"""

from hypothesis import given
from hypothesis import strategies as st

from advanced_mm.marketdata.collector.doubts import APART_MS, Doubts, Retold, covered
from advanced_mm.marketdata.connection_log import Gap


def connected() -> Doubts:
    """ETH is live; its trades run a little ahead of its touch."""
    doubts = Doubts(["ETH"])
    doubts.connected()
    for time_ms in (1000, 1100):
        for channel in ("trades", "l2Book", "l2Book", "bbo"):
            assert doubts.heard("ETH", channel, time_ms) == []
    doubts.heard("ETH", "trades", 1300)
    doubts.heard("ETH", "bbo", 1200)
    return doubts


def test_nothing_is_in_doubt_before_anything_was_recorded() -> None:
    doubts = Doubts(["ETH"])
    doubts.begin("no venue")
    assert not doubts.about("ETH")


def test_each_channel_is_in_doubt_from_its_newest_row_to_its_next() -> None:
    doubts = connected()
    doubts.begin("lost")
    found = [
        gap
        for channel, time_ms in (("bbo", 3000), ("trades", 3100), ("l2Book", 3200), ("bbo", 3300))
        for gap in doubts.heard("ETH", channel, time_ms)
    ]
    assert found == [
        Gap("bbo", 1200, 3000, "lost"),
        Gap("trades", 1300, 3100, "lost"),
        Gap("l2Book", 1100, 3200, "lost"),
    ]
    assert not doubts.about("ETH")


def test_answers_to_subscriptions_end_no_doubt() -> None:
    doubts = connected()
    doubts.begin("lost")
    doubts.connected()
    for channel, time_ms in (("trades", 2900), ("l2Book", 3000), ("l2Book", 2000), ("bbo", 900)):
        assert doubts.heard("ETH", channel, time_ms) == []
    assert not doubts.is_live("ETH")
    assert doubts.heard("ETH", "l2Book", 3500) == [Gap("l2Book", 1100, 3500, "lost")]
    assert doubts.is_live("ETH")


def test_a_quiet_channel_is_bounded_by_the_others() -> None:
    doubts = connected()
    for time_ms in range(2000, 100_000, 500):
        doubts.heard("ETH", "l2Book", time_ms)  # no trades any longer
    doubts.begin("lost")
    assert doubts.heard("ETH", "l2Book", 110_000) == [Gap("l2Book", 99_500, 110_000, "lost")]
    found = [doubts.heard("ETH", "l2Book", 110_000 + ms) for ms in (500, APART_MS, APART_MS + 1)]
    start_ms, end_ms = 99_500 - APART_MS, 110_000 + APART_MS + 1
    assert found[:2] == [[], []]
    assert {gap.channel: (gap.start_ms, gap.end_ms) for gap in found[2]} == {
        "trades": (start_ms, end_ms),
        "bbo": (start_ms, end_ms),
    }


def test_a_second_loss_keeps_the_first_ones_start() -> None:
    doubts = connected()
    doubts.begin("first")
    doubts.heard("ETH", "bbo", 3000)
    doubts.begin("second")
    assert doubts.heard("ETH", "trades", 3500) == [Gap("trades", 1300, 3500, "first")]
    assert doubts.heard("ETH", "bbo", 3500) == [Gap("bbo", 3000, 3500, "second")]


def test_a_venue_whose_clock_was_set_back_leaves_no_gap() -> None:
    doubts = connected()
    doubts.resume("ETH", {"bbo": 10_000_000, "trades": 9_000_000}, "not running")
    assert doubts.heard("ETH", "bbo", 2000) == []
    assert doubts.heard("ETH", "bbo", 3000) == []
    assert doubts.newest_ms["ETH"] == 3000


def test_a_continued_recording_is_in_doubt_from_the_end_of_each_kind() -> None:
    doubts = Doubts(["ETH"])
    doubts.resume("ETH", {"bbo": 9000, "trades": 2000}, "not running")
    doubts.connected()
    for channel, time_ms in (("trades", 9500), ("l2Book", 9500), ("l2Book", 9500), ("bbo", 9400)):
        doubts.heard("ETH", channel, time_ms)
    assert doubts.heard("ETH", "bbo", 9600) == [Gap("bbo", 9000, 9600, "not running")]
    assert doubts.heard("ETH", "trades", 9700) == [Gap("trades", 2000, 9700, "not running")]


@given(st.integers(0, 50), st.integers(0, 20), st.lists(st.integers(0, 90), max_size=30))
def test_what_is_covered_is_told_without_a_break(start: int, length: int, times: list[int]) -> None:
    """The venue tells its last trades; those within one millisecond may be cut apart."""
    end = start + length
    told = sorted(times)[-5:]
    if not told:
        assert covered(start, end, None) is None
        return
    part = covered(start, end, Retold(told[0], reaches_known=False))
    missing = sorted(times)[:-5]
    low, high = part or (1, 0)
    assert not [time for time in missing if low <= time <= high]
    assert part is None or (start <= low <= high == end)
    assert covered(start, end, Retold(told[0], reaches_known=True)) == (start, end)
