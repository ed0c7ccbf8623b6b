"""What a desk makes of events."""

import pytest

from advanced_mm.dashboard.desk import Desk
from advanced_mm.journal import BadRowsCounted, GuardChanged, RefusalChanged, RequestsUsed
from tests.performance.journals import fill, look, quote, quote_ended

T = 1_790_000_000_000
WHO = {"coin": "ETH", "bot": "bot"}


def guard(does, coin="ETH", **values):
    given = {"guard": "volatility", "sides": "both", "widen": 1.0, "reason": "σ doubled"} | values
    return GuardChanged(time_ms=T, coin=coin, bot="bot", does=does, **given)


@pytest.fixture
def desk():
    return Desk("ETH")


def bot(desk):
    (only,) = desk.tell()
    return only


def test_a_quote_rests_until_it_ends(desk):
    desk.apply(quote(T, "b1"), T)
    assert desk.news()["quotes"] == [["b1", "bid", T, None, 99.0, 1.0, "bot"]]
    assert desk.news() == {}
    desk.apply(quote_ended(T + 500, "b1"), T + 600)
    assert desk.news()["quotes"] == [["b1", "bid", T, T + 500, 99.0, 1.0, "bot"]]


def test_depth_and_edge_are_told_in_basis_points(desk):
    desk.apply(quote(T, "b1", depth=1.0, expected_edge=0.5, mid=100.0), T)
    assert bot(desk)["quotes"]["bid"]["depth_bp"] == pytest.approx(100)
    assert bot(desk)["quotes"]["bid"]["expected_bp"] == pytest.approx(50)


def test_a_bot_that_starts_again_has_left_nothing_resting(desk):
    desk.apply(quote(T, "b1"), T)
    desk.apply(quote(T, "o1", bot="other"), T)
    desk.apply(look(T + 9_000, what="start"), T + 9_000)
    ends = {row[0]: row[3] for row in desk.everything()["quotes"]}
    assert ends == {"b1": T + 9_000, "o1": None}


def test_a_fill_is_told_with_the_position_after_it_and_its_lag(desk):
    desk.apply(fill(T, "b1", fill="f1", position_after=1.5), T + 70)
    news = desk.news()
    assert news["fills"] == [[T, "bid", 99.0, 1.0, "bot", "f1"]]
    assert news["held"] == [[T, 1.5, "bot"]]
    assert bot(desk)["lag_ms"] == 70


def test_a_fill_that_is_told_late_does_not_turn_the_position_back(desk):
    desk.apply(look(T + 1_000, position=2.0), T + 1_000)
    desk.apply(fill(T, "b1", position_after=1.0), T + 1_100)
    assert bot(desk)["position"] == 2.0


def test_refusals_and_guards_are_told_until_they_are_over(desk):
    desk.apply(RefusalChanged(time_ms=T, kind="stale", reason="parameters are old", **WHO), T)
    desk.apply(guard("widen", widen=2.0), T)
    desk.apply(guard("pause", coin="", guard="drawdown", reason=None, sides="bid"), T)
    assert bot(desk)["refusal"] == "parameters are old"
    assert bot(desk)["guards"] == [
        "drawdown pauses the bid",
        "volatility widens both sides × 2: σ doubled",
    ]
    desk.apply(RefusalChanged(time_ms=T, kind="", reason=None, **WHO), T)
    desk.apply(guard("over"), T)
    assert bot(desk)["refusal"] is None
    assert bot(desk)["guards"] == ["drawdown pauses the bid"]


def test_requests_and_rows_left_out_are_told(desk):
    desk.apply(RequestsUsed(time_ms=T, coin="", bot="bot", used=9_000, allowed=10_000), T)
    desk.apply(BadRowsCounted(time_ms=T, coin="", bot="bot", told="2 fills"), T)
    assert bot(desk)["requests_left"] == 1_000
    assert bot(desk)["bad_rows"] == "2 fills"


def test_what_is_long_over_is_forgotten(desk):
    desk.apply(quote(T, "old"), T)
    desk.apply(quote_ended(T + 1, "old"), T)
    desk.apply(quote(T, "resting"), T)
    desk.apply(fill(T, "old", position_after=1.0), T)
    desk.apply(fill(T + 60_000, "new", position_after=2.0), T)
    desk.forget_before(T + 30_000)
    kept = desk.everything()
    assert [row[0] for row in kept["quotes"]] == ["resting"]
    assert [row[0] for row in kept["fills"]] == [T + 60_000]
    assert [row[1] for row in kept["held"]] == [1.0, 2.0]  # what was held when the picture begins


def test_the_end_is_told(desk):
    desk.apply(look(T), T)
    assert not bot(desk)["ended"]
    desk.apply(look(T + 1, what="end"), T)
    assert bot(desk)["ended"]
