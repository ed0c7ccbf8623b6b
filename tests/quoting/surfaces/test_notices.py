"""Messages: late enough to matter, seldom enough to be read."""

from datetime import UTC, datetime, timedelta

import pytest

from advanced_mm.quoting.surfaces import Notices

START = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def notices():
    return Notices(60.0)


def silent(notices, seconds, reason="toxic: 2.5", held=False):
    return notices.silent("ETH", reason, START + timedelta(seconds=seconds), held=held)


def quoting(notices, seconds):
    return notices.quoting("ETH", START + timedelta(seconds=seconds))


def test_a_silence_is_told_once_it_has_lasted_and_once_a_kind(notices):
    told = [silent(notices, t, f"toxic: {2 + t / 100}") for t in range(0, 300, 10)]
    assert [text for text in told if text] == ["ETH: nothing quoted for 60 s: `toxic: 2.6`."]
    assert silent(notices, 310, "no edge: -1", held=True) == (
        "ETH: nothing quoted for 5 min: `no edge: -1`. A position is held."
    )
    assert silent(notices, 320, "no edge: -2") is None


def test_the_end_of_a_silence_is_told_if_it_was(notices):
    assert quoting(notices, 0) is None
    silent(notices, 10)
    assert quoting(notices, 40) is None  # too short to have been told
    silent(notices, 100)
    assert silent(notices, 160) is not None
    assert quoting(notices, 200) == "ETH: quoting again after 100 s."
    assert quoting(notices, 201) is None


def test_a_reason_that_comes_back_is_told_again_after_a_while(notices):
    silent(notices, 0)
    assert silent(notices, 60) is not None
    quoting(notices, 70)
    silent(notices, 80)
    assert silent(notices, 200) is None
    assert quoting(notices, 210) is None  # nor is the end of what was not told
    silent(notices, 900)
    assert silent(notices, 960) is not None


def test_a_reason_cannot_break_telegram_s_markdown(notices):
    silent(notices, 0)
    assert silent(notices, 60, "set `min_edge_bp`").endswith(": `set 'min_edge_bp'`.")


def test_pairs_are_told_apart_and_none_without_the_setting(notices):
    silent(notices, 0)
    at = START + timedelta(seconds=70)
    assert notices.silent("BTC", "toxic", at, held=False) is None
    off = Notices(None)
    assert [silent(off, t) for t in (0, 1000)] == [None, None]
