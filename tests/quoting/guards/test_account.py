"""Daily loss and drawdown, open positions included, also after a restart."""

from datetime import UTC, datetime, timedelta

from advanced_mm.quoting.guards.account import AccountGuard, AccountMark

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def names(guard):
    return [one.guard for one in guard.verdicts()]


def test_an_open_loss_is_a_drawdown_from_the_peak():
    guard = AccountGuard(None, 0.05)
    for seconds, profit, found in ((0, 0, []), (1, 1000, []), (2, 460, []), (3, 440, ["drawdown"])):
        guard.saw(profit, 10_000, NOON + timedelta(seconds=seconds))
        assert names(guard) == found
    (verdict,) = guard.verdicts()
    assert verdict.reason == (
        "drawdown: 5.1% below the peak, at most 5.0% allowed; quoting resumes at 13:00 UTC"
    )


def test_the_share_of_the_drawdown_that_is_used_is_known_before_it_pauses():
    guard = AccountGuard(None, 0.05)
    assert guard.drawdown_used is None
    for profit, used in ((0, 0.0), (1000, 0.0), (725, 0.5), (450, 1.0)):
        guard.saw(profit, 10_000, NOON)
        assert guard.drawdown_used == used
    free = AccountGuard(None, None)
    free.saw(-500, 10_000, NOON)
    assert free.drawdown_used is None


def test_a_drawdown_pauses_for_an_hour_and_the_peak_is_counted_anew():
    guard = AccountGuard(None, 0.05)
    guard.saw(0, 10_000, NOON)
    guard.saw(-600, 10_000, NOON + timedelta(minutes=1))
    guard.saw(-100, 10_000, NOON + timedelta(minutes=60))  # recovering does not end it
    assert names(guard) == ["drawdown"]
    guard.saw(-600, 10_000, NOON + timedelta(minutes=61))
    assert names(guard) == []
    guard.saw(-1060, 10_000, NOON + timedelta(minutes=62))
    assert names(guard) == []
    guard.saw(-1080, 10_000, NOON + timedelta(minutes=63))
    assert names(guard) == ["drawdown"]


def test_a_day_s_loss_pauses_until_midnight():
    guard = AccountGuard(0.03, None)
    guard.saw(500, 10_000, NOON)
    guard.saw(190, 10_000, NOON + timedelta(hours=1))
    assert names(guard) == []
    guard.saw(180, 10_000, NOON + timedelta(hours=2))
    (verdict,) = guard.verdicts()
    assert verdict.reason.startswith("daily loss: 320.00 lost since midnight UTC, 3.0% of the cap")
    guard.saw(180, 10_000, NOON + timedelta(hours=11, minutes=59))
    assert names(guard) == ["daily_loss"]
    guard.saw(180, 10_000, NOON + timedelta(hours=12))
    assert names(guard) == []


def test_a_drawdown_pauses_for_as_long_as_is_configured():
    guard = AccountGuard(None, 0.05, timedelta(minutes=10))
    for profit in (0, -600):
        guard.saw(profit, 10_000, NOON)
    assert names(guard) == ["drawdown"]
    guard.saw(-600, 10_000, NOON + timedelta(minutes=9))
    assert names(guard) == ["drawdown"]
    guard.saw(-600, 10_000, NOON + timedelta(minutes=10))
    assert names(guard) == []


def test_a_restart_forgets_neither():
    first = AccountGuard(0.03, 0.05)
    first.saw(500, 10_000, NOON)
    mark = first.saw(-100, 10_000, NOON + timedelta(minutes=5))
    again = AccountGuard(0.03, 0.05)
    again.resume(mark)
    assert names(again) == []  # not before the capital is known
    again.saw(-90, 10_000, NOON + timedelta(minutes=10))
    assert names(again) == names(first) == ["daily_loss", "drawdown"]


def test_without_a_mark_the_closed_trades_tell():
    guard = AccountGuard(0.03, 0.05)
    closed = [
        (NOON - timedelta(days=3), 5000.0),  # its peak is long past
        (NOON - timedelta(days=2), -4000.0),
        (NOON - timedelta(hours=13), 200.0),  # yesterday
        (NOON - timedelta(hours=2), -250.0),
    ]
    guard.resume_from_books(closed, NOON)
    assert guard.mark == AccountMark(NOON, 950.0, 1200.0, 1200.0)
    guard.saw(950, 10_000, NOON)
    assert names(guard) == []
    guard.saw(850, 10_000, NOON + timedelta(seconds=1))
    assert names(guard) == ["daily_loss"]


def test_a_bot_without_trades_begins_at_nothing():
    guard = AccountGuard(0.03, 0.05)
    guard.resume_from_books([], NOON)
    assert guard.mark == AccountMark(NOON, 0.0, 0.0, 0.0)
