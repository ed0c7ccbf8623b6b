"""Journals found, followed and told; parameters, recording and earnings beside them."""

import json
import os

import numpy as np
import pyarrow.parquet as pq
import pytest

from advanced_mm.dashboard import Places, Watcher
from advanced_mm.journal import RequestsUsed
from advanced_mm.marketdata import ShardStore
from advanced_mm.marketdata.collector.recorder import Recorder
from advanced_mm.markets.synthetic import SyntheticMarket, SyntheticParameters
from advanced_mm.parameter_files import ParameterFiles
from advanced_mm.venue.conditions.history import lay_history
from tests.performance.journals import fill, look, quote, quote_ended, write_journal

T = 1_790_000_000_000


@pytest.fixture
def user_data(tmp_path):
    return tmp_path / "user_data"


@pytest.fixture
def clock():
    return [T]


@pytest.fixture
def watcher(user_data, tmp_path, clock):
    places = Places([], user_data, tmp_path / "HL_data", clock_s=lambda: clock[0] / 1000)
    return Watcher(places, clock_ms=lambda: clock[0])


def written_at(journal, time_ms):
    for path in journal.rglob("*.*"):
        os.utime(path, (time_ms / 1000, time_ms / 1000))


def trade(journal, bot="bot", coin="ETH", start_ms=T - 60_000):
    who = {"bot": bot, "coin": coin}
    write_journal(
        journal,
        [
            look(start_ms, what="start", **who),
            quote(start_ms + 1_000, "b1", **who),
            fill(start_ms + 5_000, "b1", position_after=1.0, **who),
            quote_ended(start_ms + 5_000, "b1", **who),
            quote(start_ms + 6_000, "a1", "ask", **who),
            look(start_ms + 15_000, 1.0, mid=101.0, **who),
            look(start_ms + 30_000, 1.0, mid=102.0, **who),
        ],
        bot,
        close=False,
    )
    written_at(journal, T)


def test_bots_and_makers_below_user_data_are_found(watcher, user_data, clock):
    assert watcher.look()["desks"] == {}
    trade(user_data / "journal")
    trade(user_data / "journal" / "sui_spot", "maker", "SUI_USDC")
    trade(user_data / "paper" / "2026" / "journal")
    trade(user_data / "paper" / "2025" / "journal")
    written_at(user_data / "paper" / "2025", T - 7_200_000)
    clock[0] += 5_000
    assert list(watcher.look()["desks"]) == [
        "journal ETH",
        "journal/sui_spot SUI_USDC",
        "paper/2026/journal ETH",
    ]


def test_a_page_that_comes_later_gets_the_same_as_one_that_was_told(watcher, user_data):
    trade(user_data / "journal")
    first = watcher.look()["desks"]["journal ETH"]
    assert watcher.look()["desks"] == {}
    whole = watcher.everything()
    assert whole["whole"]
    desk = whole["desks"]["journal ETH"]
    for name in ("fills", "held", "seen", "state"):
        assert desk[name] == first[name], name
    assert {row[0]: row for row in desk["quotes"]} == {row[0]: row for row in first["quotes"]}
    assert {row[0]: row[3] for row in desk["quotes"]} == {"b1": T - 55_000, "a1": None}
    json.dumps(whole, allow_nan=False)


def test_only_what_changed_is_told(watcher, user_data, clock):
    trade(user_data / "journal")
    watcher.look()
    clock[0] += 2_000
    write_journal(
        user_data / "journal", [fill(T + 1_000, "a1", "ask", position_after=0.0)], close=False
    )
    news = watcher.look()["desks"]["journal ETH"]
    assert [row[1:3] for row in news["fills"]] == [["ask", 101.0]]
    assert set(news) == {"fills", "held", "state"}
    assert set(news["state"]) == {"bots"}


def test_what_a_bot_tells_of_no_coin_is_told_with_each_of_its_coins(watcher, user_data, clock):
    journal = user_data / "journal"
    used = RequestsUsed(time_ms=T - 90_000, coin="", bot="bot", used=400, allowed=1_000)
    write_journal(journal, [used], close=False)
    trade(journal)
    trade(journal, "other", "SOL")
    desks = watcher.look()["desks"]
    left = {
        bot["name"]: bot["requests_left"]
        for desk in desks.values()
        for bot in desk["state"]["bots"]
    }
    assert left == {"bot": 600, "other": None}


def test_what_was_earned_is_judged_and_told(watcher, user_data, clock):
    trade(user_data / "journal")
    watcher.look()
    watcher.judge()
    clock[0] += 1_000
    earned = watcher.look()["desks"]["journal ETH"]["state"]["earned"]
    assert earned["fills"] == 1
    # Bought 1 at 99, a mid of 100, a fee of 0.01, and now worth 102.
    assert earned["total"] == pytest.approx(2.99)
    assert earned["spread"] == pytest.approx(1.0)
    assert earned["adverse"] == pytest.approx(1.0)
    parts = [earned[name] for name in ("spread", "adverse", "inventory", "fees")]
    assert sum(parts) == pytest.approx(earned["total"])
    assert earned["expected_bp"] == pytest.approx(50, rel=0.03)
    assert earned["since_ms"] == T - 60_000  # not the day that is looked at


def test_a_maker_misses_no_parameters(watcher, user_data, clock):
    journal = user_data / "journal" / "a_maker"
    unfitted = quote(T - 50_000, "b1", coin="ETH", calibration_id=None)
    write_journal(journal, [look(T - 60_000, what="start", coin="ETH"), unfitted], close=False)
    written_at(journal, T)
    state = next(iter(watcher.look()["desks"].values()))["state"]
    assert state["parameters"] is None
    write_journal(journal, [quote(T - 40_000, "b2", coin="ETH")], close=False)
    clock[0] += 2_000
    state = next(iter(watcher.look()["desks"].values()))["state"]
    assert "kappa.json" in state["parameters"]["fault"]


def test_parameters_have_intervals_and_their_time(watcher, user_data, make_set):
    trade(user_data / "journal")
    files = ParameterFiles(user_data)
    assert (
        "does not exist" in watcher.look()["desks"]["journal ETH"]["state"]["parameters"]["fault"]
    )
    files.publish({"ETH": make_set(kappa_plus_low=2.2, kappa_plus_high=3.1)})
    other = Watcher(Places([user_data / "journal"], user_data, user_data), clock_ms=lambda: T)
    told = other.look()["desks"]["journal ETH"]["state"]["parameters"]
    rows = {row["name"]: row for row in told["rows"]}
    assert rows["κ"]["ask"] == {"value": 2.6, "low": 2.2, "high": 3.1}
    assert rows["κ"]["bid"]["low"] == pytest.approx(2.7 - 1.96 * 0.2)
    assert rows["ε_fill"]["ask"]["value"] == 0.7
    assert told["published_ms"] == make_set().kappa.published_at.timestamp() * 1000


def test_the_recording_is_the_price_s_line(user_data, tmp_path, clock):
    market = SyntheticMarket(SyntheticParameters(coin="ETH"), T - 60_000, seed=4)
    store = ShardStore(tmp_path / "HL_data")
    lay_history(market, Recorder(store, ["ETH"], {"ETH": market.spec.tick}), T)
    trade(user_data / "journal")
    watcher = Watcher(Places([], user_data, tmp_path / "HL_data", lambda: T / 1000), 1.0, lambda: T)
    desk = watcher.look()["desks"]["journal ETH"]
    quotes = store.read("ETH").quotes
    touch = desk["state"]["touch"]
    assert (touch["bid"], touch["ask"]) == (quotes.bid[-1], quotes.ask[-1])
    for when, mid in desk["market"]:
        n = int(np.searchsorted(quotes.time_ms, when, side="right")) - 1
        assert mid == pytest.approx((quotes.bid[n] + quotes.ask[n]) / 2)
    assert len(desk["market"]) > 100


def test_nothing_is_written(watcher, user_data):
    trade(user_data / "journal")

    def everything():
        return {path: path.stat().st_mtime_ns for path in user_data.rglob("*")}

    before = everything()
    watcher.look()
    watcher.judge()
    watcher.everything()
    assert everything() == before


def test_old_quotes_are_not_read_but_one_that_still_rests_is(watcher, user_data):
    old = T - 3_600_000
    write_journal(
        user_data / "journal",
        [quote(old, "gone"), quote_ended(old + 1, "gone"), quote(old, "rests"), look(T - 1)],
        close=False,
    )
    written_at(user_data / "journal", T)
    desk = watcher.look()["desks"]["journal ETH"]
    assert [row[0] for row in desk["quotes"]] == ["rests"]


def test_a_quote_whose_end_is_in_another_part_of_the_day_is_over(watcher, user_data):
    """A day is read part by part: what looks like resting in one may have ended in the next."""
    long_ago = T - 3_600_000
    events = [look(long_ago - 1, what="start")]
    for number in range(9):
        at = long_ago + 1_000 * number
        events += [quote(at, f"q{number}"), look(at + 1), quote_ended(at + 2, f"q{number}")]
    journal = user_data / "journal"
    write_journal(journal, [*events, quote(long_ago, "rests")])
    (day,) = (journal / "ETH").glob("*.parquet")
    pq.write_table(pq.read_table(day), day, row_group_size=2)
    written_at(journal, T)
    assert [row[0] for row in watcher.look()["desks"]["journal ETH"]["quotes"]] == ["rests"]
