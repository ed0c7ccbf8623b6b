"""Gaps from the events of a connection log."""

import time

from hypothesis import given
from hypothesis import strategies as st

from advanced_mm.marketdata.connection_log import CHANNELS, ConnectionEvent, Gap, gaps_of


def event(name: str, low: int | None, high: int | None, channel: str | None = None, why: str = "x"):
    return ConnectionEvent(1.0, name, why, 5, channel, low, high)


def test_a_gap_without_a_channel_is_one_in_each() -> None:
    assert gaps_of([event("gap", 10, 20)]) == tuple(Gap(c, 10, 20, "x") for c in CHANNELS)


def test_what_was_filled_is_no_gap_any_longer() -> None:
    log = [event("gap", 10, 20, "trades"), event("filled", 14, 16, "trades")]
    assert gaps_of(log) == (Gap("trades", 10, 13, "x"), Gap("trades", 17, 20, "x"))
    assert gaps_of([event("gap", 10, 20, "trades"), event("filled", 10, 20, "trades")]) == ()
    assert gaps_of([event("gap", 10, 20, "bbo"), event("filled", 10, 20, "trades")]) != ()


def test_gaps_that_overlap_are_joined_with_their_reasons() -> None:
    log = [event("gap", 10, 20, "bbo", "a"), event("gap", 15, 30, "bbo", "b"),
           event("gap", 30, 31, "bbo", "a"), event("gap", 40, 41, "bbo", "a")]  # fmt: skip
    assert gaps_of(log) == (Gap("bbo", 10, 31, "a; b"), Gap("bbo", 40, 41, "a"))


def test_of_many_reasons_the_first_are_told() -> None:
    log = [event("gap", 10 * i, 10 * i + 10, "bbo", f"no data for {i} s") for i in range(20_000)]
    log.append(event("gap", 0, 10, "bbo", "no data for 0 s"))
    began = time.process_time()
    reasons = "; ".join(f"no data for {i} s" for i in range(5))
    assert gaps_of(log) == (Gap("bbo", 0, 200_000, f"{reasons}; and others"),)
    assert time.process_time() - began < 2.0


def test_only_gaps_in_the_interval_are_returned_and_other_events_are_none() -> None:
    log = [event("gap", 10, 20, "bbo"), event("gap", None, None), event("silent", 1, 2)]
    assert [len(gaps_of(log, *bounds)) for bounds in ((21, None), (None, 9), (20, 25))] == [0, 0, 1]


spans = st.tuples(st.integers(0, 30), st.integers(0, 8)).map(lambda s: (s[0], s[0] + s[1]))


@given(st.lists(spans), st.lists(spans))
def test_a_millisecond_is_in_a_gap_if_it_was_lost_and_not_filled(
    lost: list[tuple[int, int]], filled: list[tuple[int, int]]
) -> None:
    log = [event("gap", *span, "trades") for span in lost]
    log += [event("filled", *span, "trades") for span in filled]
    found = {ms for gap in gaps_of(log) for ms in range(gap.start_ms, gap.end_ms + 1)}
    wanted = {ms for low, high in lost for ms in range(low, high + 1)}
    assert found == wanted - {ms for low, high in filled for ms in range(low, high + 1)}


def test_a_log_of_months_is_read_in_a_moment() -> None:
    """Thousands of gaps, each filled in part; time once grew with the square of their number."""
    times = range(0, 10**8, 10_000)
    log = [event("gap", ms, ms + 5000, "trades") for ms in times]
    log += [event("filled", ms + 1000, ms + 6000, "trades") for ms in times]
    began = time.process_time()
    assert len(gaps_of(log)) == len(times)
    assert time.process_time() - began < 2.0
