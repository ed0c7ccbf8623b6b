"""Where the account's guards stood: told by one run, found by the next."""

from datetime import UTC, datetime, timedelta

from advanced_mm.journal import JournalWriter
from advanced_mm.quoting.guards import AccountMark
from advanced_mm.quoting.journaling.last_mark import last_mark
from advanced_mm.quoting.journaling.trade_journal import TradeJournal


class Exchange:
    create_order = cancel_order_with_result = None


def test_the_newest_mark_of_the_bot_itself_is_found(tmp_path):
    now = datetime.now(UTC).replace(microsecond=0)
    assert last_mark(tmp_path, "maker", now) is None
    wanted = AccountMark(now, -5.0, 30.0, 12.0, now - timedelta(minutes=5))
    for bot, mark in (
        ("maker", AccountMark(now, 1.0, 2.0, 3.0)),
        ("maker", wanted),
        ("maker", AccountMark(now, -6.0, 30.0, 12.0, wanted.paused_at)),
        ("other", AccountMark(now, 7.0, 8.0, 9.0)),
    ):
        journal = TradeJournal(JournalWriter(tmp_path, bot, 90), bot, Exchange(), None, float)
        journal.marked(mark)
        if mark is wanted:
            journal.marked(AccountMark(now, -7.0, 30.0, 12.0, wanted.paused_at))
        journal.memory.writer.close()
    found = last_mark(tmp_path, "maker", now)
    assert (found.profit, found.peak, found.day_start, found.paused_at) == (
        -6.0, 30.0, 12.0, wanted.paused_at,
    )  # fmt: skip
    assert last_mark(tmp_path, "maker", now + timedelta(days=8)) is None
