"""What a running session has earned so far is what the report says of the same journal."""

import dataclasses

import numpy as np
import pyarrow as pa
import pytest

from advanced_mm.journal import Funding, JournalFollower, JournalWriter, read_journal
from advanced_mm.marketdata import ShardStore
from advanced_mm.marketdata.schemas import SCHEMAS
from advanced_mm.performance import RecordedMids, RunningPerformance
from advanced_mm.performance.followed_mids import FollowedMids
from advanced_mm.performance.judge import Wanted, judge_journal
from advanced_mm.performance.running import EARNED_COLUMNS, earned_until
from tests.performance.journals import START_MS, fill, look, quote, quote_ended, write_journal


def at(seconds):
    return START_MS + round(1000 * seconds)


class Session:
    """A journal that is written event by event, and the screen that follows it."""

    def __init__(self, folder):
        self.folder, self.now = folder, 0.0
        clock = {"clock_ms": lambda: at(self.now)}
        self.writer = JournalWriter(
            folder / "journal", "bot", monotonic_ms=clock["clock_ms"], **clock
        )
        self.running = RunningPerformance(
            folder / "journal", folder / "HL_data", "ETH", monotonic_s=lambda: self.now, **clock
        )

    def look(self, seconds, *events):
        """Write events, and look when it is that late."""
        for event in events:
            self.now = (event.time_ms - START_MS) / 1000
            self.writer.record(event)
        self.writer.flush()
        self.now = seconds
        return self.running.look()


@pytest.fixture
def session(tmp_path):
    one = Session(tmp_path)
    yield one
    one.writer.close()


def a_fill(seconds, side, mid=100.0, bot="bot", **values):
    """A quote at a depth of 1, filled at once, and a look at the mid ten seconds later."""
    name, price = f"{bot}{seconds}", mid + (1 if side == "ask" else -1)
    return [
        quote(at(seconds), name, side, price=price, mid=mid, bot=bot),
        fill(at(seconds), name, side, price=price, mid=mid, bot=bot, **values),
        quote_ended(at(seconds), name, bot=bot),
    ]


def test_before_anything_is_written_nothing_is_known(session):
    assert session.look(1) is None


def test_without_a_fill_nothing_is_earned(session):
    earned = session.look(5, look(at(0), what="start"), quote(at(1), "q"))
    assert earned.parts.equity_change == 0
    assert earned.equity.tolist() == [0.0] * len(earned.equity)
    assert (earned.latest, earned.judged) == ([], 0)
    assert np.isnan(earned.expected_bp)


@pytest.mark.parametrize(
    ("side", "later", "markout", "adverse"),
    [
        ("bid", 101.0, 2.0, 1.0),  # bought at 99, and it rose
        ("bid", 98.0, -1.0, -2.0),
        ("ask", 98.0, 3.0, 2.0),  # sold at 101, and it fell
        ("ask", 103.0, -2.0, -3.0),
    ],
)
def test_the_markout_of_either_side(session, side, later, markout, adverse):
    """After ten seconds; the fee of 0.01 is taken off, as the expected edge has it."""
    events = [look(at(0), what="start"), *a_fill(5, side), look(at(14.9), mid=later)]
    earned = session.look(15, *events)
    price = 99.0 if side == "bid" else 101.0
    (latest,) = earned.latest
    assert latest.bought == (side == "bid")
    assert latest.markout_bp == pytest.approx((markout - 0.01) / price * 1e4)
    assert latest.expected_bp == pytest.approx(0.5 / price * 1e4)
    assert earned.realised_bp == pytest.approx(latest.markout_bp)
    assert earned.parts.spread_captured == pytest.approx(1.0)
    assert earned.parts.adverse_selection == pytest.approx(adverse)


def test_a_markout_is_not_known_before_its_time(session):
    """Not even from a mid that a finished journal's report would take for it."""
    events = [look(at(0), what="start"), *a_fill(5, "bid"), look(at(12), mid=98.0)]
    earned = session.look(14.9, *events)
    assert np.isnan(earned.latest[0].markout_bp)
    assert (earned.judged, earned.parts.adverse_selection) == (0, 0.0)
    assert earned.parts.equity_change == pytest.approx(-1.01)  # bought at 99, worth 98
    earned = session.look(17)
    assert earned.latest[0].markout_bp == pytest.approx(-1.01 / 99 * 1e4)
    assert earned.parts.adverse_selection == pytest.approx(-2.0)


def test_the_position_is_worth_the_newest_mid_until_the_bot_ends(session):
    """A look once a minute would let the P&L stand still in between."""
    events = [look(at(0), what="start"), *a_fill(5, "bid"), look(at(20), 1.0)]
    assert session.look(20, *events).parts.equity_change == pytest.approx(0.99)
    earned = session.look(30, quote(at(29), "q", mid=104.0))
    assert earned.parts.equity_change == pytest.approx(4.99)
    assert earned.equity[-1] == pytest.approx(4.99)
    ended = look(at(31), 1.0, 103.0, what="end")
    assert session.look(40, ended, quote(at(32), "r", bot="other")).parts.equity_change == (
        pytest.approx(3.99)
    )


def test_the_newest_five_fills_come_first(session):
    events = [one for n in range(7) for one in a_fill(10 * n + 1, "bid", size=1.0 + n)]
    earned = session.look(100, look(at(0), what="start"), *events)
    assert [one.size for one in earned.latest] == [7.0, 6.0, 5.0, 4.0, 3.0]
    assert earned.parts.fills == 7


def test_a_look_costs_nothing_within_two_seconds(session):
    first = session.look(5, look(at(0), what="start"))
    assert session.look(6.9, *a_fill(6, "bid")) is first
    assert session.look(7).parts.fills == 1


def test_two_bots_are_one_book_and_the_parts_are_the_reports(session):
    """Partial fills, funding, a merge of the day's file in between, both bots ended."""
    told = [look(at(0), what="start", bot=bot, equity=1000.0) for bot in ("long", "short")]
    for n in range(40):
        mid = 100 + n % 7
        told += a_fill(5 + 20 * n, "bid", mid, "long", size=0.4)
        told += a_fill(6 + 20 * n, "ask", mid, "short", size=0.3, liquidity="taker")
        told += [look(at(15 + 20 * n), mid=mid + 0.5 * (n % 3 - 1), bot="long")]
        if n == 20:
            session.look(500, *told)
            session.writer.close()  # merges
            session.writer = Session(session.folder).writer
            told = [Funding(time_ms=at(501), coin="ETH", bot="long", amount=-0.25)]
    position = {"long": 16.0, "short": -12.0}
    told += [look(at(900), position[bot], 103.0, what="end", bot=bot) for bot in position]
    earned = session.look(901, *told)
    (report,) = judge_journal(session.folder, Wanted())
    assert earned.parts == report.parts
    assert earned.parts.fills == 80
    assert earned.parts.funding == -0.25
    assert sum(earned.parts.parts.values()) == pytest.approx(earned.parts.equity_change, abs=1e-9)
    assert earned.expected_bp == pytest.approx(report.truth.expected.value)
    assert earned.realised_bp == pytest.approx(report.truth.realised.value)
    assert earned.judged == report.truth.realised.n == 80
    assert [one.bought for one in earned.latest] == [False, True, False, True, False]


def test_earlier_sessions_of_the_folder_do_not_count(tmp_path):
    write_journal(tmp_path / "journal", [look(at(-100), what="start"), *a_fill(-90, "bid")])
    session = Session(tmp_path)
    assert session.look(1) is None
    assert session.look(5, look(at(2), 1.0, what="start")).parts.fills == 0
    session.writer.close()


def test_other_coins_do_not_count(session):
    events = [look(at(0), what="start"), look(at(0), what="start", coin="BTC")]
    other = [dataclasses.replace(one, coin="BTC") for one in a_fill(1, "bid")]
    assert session.look(5, *events, *other).parts.fills == 0


def test_a_journal_that_is_read_whole_gives_the_same(tmp_path):
    events = [look(at(0), what="start"), *a_fill(5, "bid"), look(at(15), 1.0, 101.0)]
    write_journal(tmp_path, events)
    journal = read_journal(tmp_path, columns=EARNED_COLUMNS)
    earned = earned_until(journal, "ETH", at(20))
    assert earned.parts.adverse_selection == pytest.approx(1.0)
    assert earned_until(journal, "BTC", at(20)) is None


def prices(first_s, mids):
    """A shard of prices: bid and ask of a mid each second, 1 apart."""
    times = np.repeat(at(first_s) + 1000 * np.arange(len(mids)), 2)
    columns = {
        "timestamp": times / 1000,
        "price": [mid + half for mid in mids for half in (-0.5, 0.5)],
        "size": np.ones(len(times)),
        "side": ["bid", "ask"] * len(mids),
        "exchange_timestamp": times,
    }
    return pa.table(columns, schema=SCHEMAS["prices"])


def test_a_recording_is_followed_and_answers_as_one_that_is_read(tmp_path):
    store = ShardStore(tmp_path)
    followed = FollowedMids(store, "ETH", START_MS)
    followed.update()
    asked = np.array([at(s) for s in (-400, 0, 2.5, 11, 40)])
    assert np.isnan(followed.at(asked)[0]).all()
    shards = [(0, [100.0, 101.0, 102.0]), (20, [105.0]), (10, [103.0, 104.0])]  # one comes late
    for first, mids in shards:
        store.write("ETH", "prices", prices(first, mids))
        followed.update()
    mid, seen = followed.at(asked)
    again, heard = RecordedMids(store, "ETH").at(asked)
    np.testing.assert_array_equal(mid, again)
    np.testing.assert_array_equal(mid, [np.nan, 100.0, 102.0, 104.0, 105.0])
    np.testing.assert_array_equal(seen[1:], heard[1:])


def test_a_follower_reads_only_what_is_new_after_a_merge(tmp_path):
    """Its rows are those that were not told, whichever file they lie in by then."""
    clock = {"clock_ms": lambda: START_MS, "monotonic_ms": lambda: START_MS}
    writer = JournalWriter(tmp_path, "bot", **clock)
    follower = JournalFollower(tmp_path)
    for n in range(3):
        writer.record(look(at(n)))
    writer.flush()
    assert len(follower.news()) == 3
    writer.record(look(at(3)))
    writer.close()
    assert follower.new_rows()["time_ms"].to_pylist() == [at(3)]
    assert follower.news() == []
