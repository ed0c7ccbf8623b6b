"""What is read back from a journal, and from Freqtrade's database, is what happened."""

from dataclasses import replace

import pytest

from advanced_mm.errors import InputError
from advanced_mm.journal import Funding, RefusalChanged, RequestsUsed
from advanced_mm.performance import account_change
from advanced_mm.performance.from_freqtrade import freqtrade_records
from advanced_mm.performance.from_journal import NOT_RUNNING, journal_records
from advanced_mm.performance.judge import Wanted, judge_journal
from advanced_mm.performance.presence import presence
from tests.performance.conftest import START_MS
from tests.performance.journals import (
    fill,
    freqtrade_database,
    look,
    quote,
    quote_ended,
    stamp,
    write_journal,
)


def at(seconds):
    return START_MS + round(1000 * seconds)


def a_round_trip(bot="bot", coin="ETH", sub=0):
    """Bought and sold within a minute, with looks at both ends."""
    who = {"bot": bot, "coin": coin}
    return [
        look(at(sub), what="start", equity=1000.0, **who),
        quote(at(sub + 1), f"{bot}1", **who),
        fill(at(sub + 5), f"{bot}1", **who),
        quote_ended(at(sub + 5), f"{bot}1", **who),
        quote(at(sub + 15), f"{bot}2", "ask", **who),
        fill(at(sub + 25), f"{bot}2", "ask", size=0.4, **who),
        fill(at(sub + 30), f"{bot}2", "ask", size=0.6, **who),
        quote_ended(at(sub + 30), f"{bot}2", **who),
        Funding(time_ms=at(sub + 40), amount=-0.02, **who),
        look(at(sub + 60), what="end", equity=1001.95, **who),
    ]


def test_a_round_trip_is_read_back(tmp_path):
    write_journal(tmp_path / "journal", a_round_trip())
    (one,) = judge_journal(tmp_path, Wanted())
    assert one.record.coin == "ETH"
    assert one.parts.equity_change == pytest.approx(2.0 - 0.03 - 0.02)
    assert one.parts.spread_captured == pytest.approx(2.0)
    assert (one.parts.fees, one.parts.funding) == pytest.approx((-0.03, -0.02))
    assert one.record.fills.quote.tolist() == [0, 1, 1]
    assert one.record.quotes.end_ms.tolist() == [at(5), at(30)]
    assert one.figures["fill_rate"].value == 1
    assert one.record.capital == 1000.0
    assert one.record.bots[0].missed == 0


def test_two_bots_are_one_book(tmp_path):
    write_journal(tmp_path, a_round_trip("long"), "long")
    write_journal(tmp_path, a_round_trip("short", sub=20), "short")
    (both,) = judge_journal(tmp_path, Wanted())
    assert both.parts.equity_change == pytest.approx(2 * 1.95)
    assert [g.name for g in both.splits["bot"]] == ["long", "short"]
    (alone,) = judge_journal(tmp_path, Wanted(bot="short"))
    assert alone.parts.equity_change == pytest.approx(1.95)
    assert alone.record.start_ms == at(20)
    with pytest.raises(InputError, match=r"bot 'shrot' wrote nothing.*: long, short"):
        judge_journal(tmp_path, Wanted(bot="shrot"))


def test_a_quote_of_a_killed_bot_rests_until_its_last_word(tmp_path):
    first = [look(at(0), what="start"), quote(at(1), "a"), look(at(60))]
    write_journal(tmp_path, first, close=False)
    second = [look(at(600), what="start"), quote(at(601), "b"), fill(at(605), "b"), look(at(660))]
    write_journal(tmp_path, [*second, quote(at(670), "c")])
    (record,) = journal_records(tmp_path)
    assert record.quotes.end_ms.tolist() == [at(60), at(670), at(670)]
    shares = presence(record)
    assert shares.without[NOT_RUNNING] == pytest.approx(540 / 670)
    assert record.quotes.filled.tolist() == [0.0, 1.0, 0.0]


def test_reasons_requests_and_the_opening_position(tmp_path):
    events = [
        look(at(0), 2.0, what="start"),
        RequestsUsed(time_ms=at(1), coin="", bot="bot", used=100, allowed=10_000),
        RefusalChanged(time_ms=at(10), coin="ETH", bot="bot", kind="old book", reason="old book 3"),
        RefusalChanged(time_ms=at(40), coin="ETH", bot="bot", kind="", reason=None),
        fill(at(50), "x", "ask"),
        RequestsUsed(time_ms=at(55), coin="", bot="bot", used=107, allowed=10_000),
        look(at(60), 1.0, 103.0, what="end"),
    ]
    write_journal(tmp_path, events)
    (one,) = judge_journal(tmp_path, Wanted())
    (bot,) = one.record.bots
    assert (bot.opening, bot.start_mark, bot.end_mark, bot.missed) == (2.0, 100.0, 103.0, 0.0)
    assert one.parts.equity_change == pytest.approx(101 + 103 - 200 - 0.01)
    assert one.resting.without["old book"] == pytest.approx(0.5)
    assert one.figures["requests_per_fill"].value == 7
    assert one.record.fills.quote.tolist() == [-1]  # not an order of ours that rested


def test_a_position_that_fills_do_not_explain_is_said(tmp_path):
    events = [look(at(0), what="start"), fill(at(5), "a"), look(at(60), 3.0, what="end")]
    write_journal(tmp_path, events)
    (record,) = journal_records(tmp_path)
    assert record.bots[0].missed == pytest.approx(2.0)


def test_a_stretch_of_time_opens_with_what_was_held(tmp_path):
    write_journal(tmp_path, a_round_trip())
    (one,) = judge_journal(tmp_path, Wanted(since_ms=at(20)))
    assert one.parts.fills == 2
    assert one.record.bots[0].opening == pytest.approx(1.0)
    with pytest.raises(InputError, match="There are no fills in that time"):
        judge_journal(tmp_path, Wanted(since_ms=at(200)))


def test_a_stretch_of_time_knows_the_quotes_that_rested_when_it_began(tmp_path):
    events = [
        look(at(-90_000), what="start"),
        quote(at(-90_000), "too old to look for"),
        quote(at(0), "over"),
        quote_ended(at(5), "over", "cancelled", filled=0.0),
        quote(at(6), "filled later"),
        quote(at(7), "ended later", "ask"),
        quote(at(8), "never ended", "ask"),
        RefusalChanged(time_ms=at(9), coin="ETH", bot="bot", kind="old book", reason="old book"),
        look(at(10)),
        fill(at(30), "filled later", mid=None),
        quote_ended(at(30), "filled later"),
        quote_ended(at(40), "ended later", "cancelled", filled=0.0),
        look(at(70), 1.0, what="end"),
    ]
    write_journal(tmp_path, events)
    (one,) = judge_journal(tmp_path, Wanted(since_ms=at(20)))
    record = one.record
    assert record.start_ms == at(30)  # the first that happened in it
    assert record.quotes.time_ms.tolist() == [at(6), at(7), at(8)]
    assert record.quotes.end_ms.tolist() == [at(30), at(40), at(70)]
    assert record.fills.quote.tolist() == [0]
    assert one.truth.expected.value == pytest.approx(1e4 * 0.5 / 99) or one.truth.expected.n == 0
    assert one.figures["spread_efficiency"].n == 0  # nobody saw the mid at the fill
    assert set(one.resting.without) <= {"old book"}


def test_the_path_ends_at_the_accounts_own_marks(tmp_path):
    end = look(at(60), 1.0, 100.0, what="end")
    events = [look(at(0), what="start"), fill(at(5), "a"), replace(end, mark=103.0)]
    write_journal(tmp_path, events)
    (one,) = judge_journal(tmp_path, Wanted())
    assert one.parts.equity_change == pytest.approx(103 - 99 - 0.01)
    assert one.path.equity[-1] == pytest.approx(one.parts.equity_change)
    assert sum(hour.equity_change for hour in one.hours) == pytest.approx(one.parts.equity_change)


def test_fills_before_the_first_look_are_part_of_the_account_s_change(tmp_path):
    events = [
        fill(at(0), "a", price=99.0),
        Funding(time_ms=at(1), coin="ETH", bot="bot", amount=-0.5),
        look(at(10), 1.0, 100.0, what="start", equity=1000.0),
        fill(at(20), "b", "ask", price=101.0),
        look(at(60), 0.0, 100.0, what="end", equity=1000.99),
    ]
    write_journal(tmp_path, events)
    several = judge_journal(tmp_path, Wanted())
    assert several[0].parts.equity_change == pytest.approx(2 - 0.02 - 0.5)
    account = account_change(several)
    assert account.change == pytest.approx(2 - 0.02 - 0.5)
    assert account.unexplained == pytest.approx(0, abs=1e-9)


def test_a_fill_recorded_twice_counts_once(tmp_path):
    who = {"coin": "ETH", "bot": "other"}
    write_journal(tmp_path, [look(at(0)), fill(at(5), "1", fill="7"), look(at(60), 1.0)])
    again = [fill(at(5), "1", fill="7"), fill(at(5), "2", "ask", fill="7"), look(at(70), 0.0)]
    write_journal(tmp_path, again)  # told again, and the other side of the same trade
    write_journal(tmp_path, [look(at(1), **who), fill(at(8), "1", fill="7", **who)], "other")
    (one,) = judge_journal(tmp_path, Wanted())
    assert one.record.fills.time_ms.tolist() == [at(5), at(5), at(8)]
    assert one.record.fills.sign.tolist() == [1, -1, 1]
    assert any("1 fill that was recorded twice" in note for note in one.notes)


def test_a_coin_that_is_not_there_is_answered_with_the_nearest(tmp_path):
    write_journal(tmp_path, a_round_trip())
    with pytest.raises(InputError, match="has no coin 'ETC'"):
        judge_journal(tmp_path, Wanted(coin="ETC"))


def test_fills_of_one_order_keep_its_expectation(tmp_path):
    write_journal(tmp_path, a_round_trip())
    (one,) = judge_journal(tmp_path, Wanted())
    assert one.record.quotes.edge.tolist() == [0.5, 0.5]
    # The quote at 15 s saw the mid ten seconds after the first fill; nobody did after the others.
    assert one.truth.expected.value == pytest.approx(1e4 * 0.5 / 99)
    assert one.parts.with_markout == 1


# ---- Freqtrade's database


def order(seconds, side, trade, *, filled=1.0, price=100.0, age=4.0, **values):
    done = stamp(at(seconds)) if filled else None
    return {
        "ft_trade_id": trade, "ft_pair": "ETH/USDC:USDC", "ft_order_side": side,
        "ft_is_open": False, "status": "closed" if filled else "canceled", "order_type": "limit",
        "ft_amount": 1.0, "ft_price": price, "average": price if filled else None, "price": price,
        "filled": filled, "order_date": stamp(at(seconds - age)), "order_filled_date": done,
        "order_update_date": stamp(at(seconds)), **values,
    }  # fmt: skip


def test_a_database_is_read(tmp_path):
    path = tmp_path / "tradesv3.sqlite"
    trades = [
        {"id": 1, "pair": "ETH/USDC:USDC", "fee_open": 0.001, "fee_close": 0.002, "is_short": True,
         "funding_fees": 0.5, "open_date": stamp(at(0)), "close_date": stamp(at(30))},
    ]  # fmt: skip
    orders = [
        order(5, "sell", 1, price=102.0),
        order(15, "buy", 1, filled=0.0),
        order(30, "buy", 1, price=100.0, filled=0.5),
        order(31, "buy", 1, price=100.0, filled=0.5),
    ]
    freqtrade_database(path, orders, trades)
    (record,) = freqtrade_records(path)
    assert record.coin == "ETH"
    assert record.fills.sign.tolist() == [-1, 1, 1]
    assert record.fills.fee == pytest.approx([0.102, 0.1, 0.1])  # fee_open, then fee_close
    assert record.fills.rested_s.tolist() == [4.0, 4.0, 4.0]
    assert record.funding.tolist() == [0.5]
    assert record.quotes.filled.tolist() == [1.0, 0.0, 0.5, 0.5]


@pytest.mark.parametrize("content", [b"no database at all" * 100, b""])
def test_another_program_s_file_is_refused(tmp_path, content):
    path = tmp_path / "other.sqlite"
    path.write_bytes(content)
    with pytest.raises(InputError, match="not a readable database of Freqtrade's"):
        list(freqtrade_records(path))
    assert path.read_bytes() == content
    with pytest.raises(InputError, match="no such file"):
        list(freqtrade_records(tmp_path / "none.sqlite"))
