"""A session's end: its report, beside what the venue says its accounts hold."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from advanced_mm.report.session_end import judge_session
from advanced_mm.session.live_account import AccountMoney
from advanced_mm.session.session import PaperSession, SessionOptions
from tests.performance.journals import START_MS, fill, look, session, write_journal

OPENED = {"bot": AccountMoney(1000.0, {})}


def ended(folder: Path, closed=None, *, opened=OPENED, live=True, started_ms=None):
    """A session that has ended, judged, and what it prints."""
    one = PaperSession(SessionOptions(root=folder, folder=folder, live=live))
    one.opened, one.closed, one.started_ms = opened, closed or {}, started_ms
    end = judge_session(one)
    console = Console(width=120, file=io.StringIO())
    end.print_on(console)
    return end, console.file.getvalue()


@pytest.fixture
def bought(tmp_path) -> Path:
    """One unit, bought at 99 for a fee of 0.01; the last mark is 103."""
    write_journal(
        tmp_path / "journal",
        [
            look(START_MS, what="start", equity=1000.0, cash=1000.0),
            fill(START_MS + 1000, "o"),
            look(START_MS + 60_000, 1.0, 103.0, what="end", equity=1003.99, cash=900.99),
        ],
    )
    return tmp_path


def test_the_accounts_at_the_venue_agree(bought):
    end, told = ended(bought, {"bot": AccountMoney(1000 - 99 - 0.01, {"ETH": 1.0})})
    assert end.check.venue == pytest.approx(3.99, abs=1e-9)
    assert end.sound
    assert "equity change +3.990000 USDC, the venue's own agrees within 1e-06" in told
    assert "It earned 3.9900 USDC" in told
    assert end.to_json()["equity_change"] == pytest.approx(3.99)
    assert end.to_json()["venue_agrees"] is True


@pytest.mark.parametrize(
    ("money", "complaint"),
    [
        (AccountMoney(900.99 + 2e-6, {"ETH": 1.0}), "the venue's own is +3.990002"),
        (AccountMoney(900.99, {"ETH": 1.1}), "the venue's own is +14.29"),
        (AccountMoney(900.99, {"ETH": 1.0, "BTC": 2.0}), "bot holds +2 BTC"),
        (None, "the venue does not say what bot holds"),
    ],
)
def test_what_the_venue_says_otherwise_is_a_warning(bought, money, complaint):
    end, told = ended(bought, {"bot": money})
    assert not end.sound
    assert told.rstrip().splitlines()[-1].startswith("warning: equity change +3.990000 USDC")
    assert complaint in told


def test_both_bots_are_one_book(tmp_path):
    opened, closed = {}, {}
    for bot, rounds in (("long_bot", 3), ("short_bot", 5)):
        session(tmp_path, bot, rounds=rounds)
        opened[bot] = AccountMoney(1000.0, {})
        # Each round earns 2% of its mid and pays two fees.
        earned = sum(2.0 * (1 + 0.001 * (number % 7)) - 0.02 for number in range(rounds))
        closed[bot] = AccountMoney(1000.0 + earned, {})
    end, told = ended(tmp_path, closed, opened=opened)
    assert end.sound, told
    assert end.check.venue == pytest.approx(8 * 2.0 + 0.026 - 8 * 0.02)


def test_a_session_without_a_fill_says_so(tmp_path):
    end, told = ended(tmp_path, {"bot": AccountMoney(1000.0, {})})
    assert "There is no journal" in told
    assert end.sound
    assert end.to_json()["fills"] == 0
    write_journal(tmp_path / "journal", [look(START_MS, equity=1000.0)])
    end, told = ended(tmp_path, {"bot": AccountMoney(1000.0, {})})
    assert "There are no fills" in told
    assert "equity change +0.000000 USDC, the venue's own agrees" in told
    assert end.sound
    end, told = ended(tmp_path, {"bot": AccountMoney(998.0, {})})
    assert not end.sound
    assert "the venue's own is -2.000000" in told


def test_an_earlier_session_in_the_folder_does_not_count(bought):
    again = START_MS + 600_000
    write_journal(
        bought / "journal",
        [
            look(again, what="start", equity=1000.0),
            fill(again + 1000, "p"),
            look(again + 60_000, 1.0, 98.0, what="end", equity=998.99),
        ],
    )
    money = AccountMoney(1000 - 99 - 0.01, {"ETH": 1.0})
    end, told = ended(bought, {"bot": money}, started_ms=again - 1)
    assert end.sound, told
    assert end.to_json()["equity_change"] == pytest.approx(-1.01)


def test_a_dry_run_has_nothing_to_compare(bought):
    end, told = ended(bought, live=False, opened={})
    assert end.check is None
    assert end.sound
    assert "the venue's own" not in told
    assert "venue_equity_change" not in end.to_json()


def test_the_page_is_written(bought, tmp_path):
    end, _ = ended(bought, live=False)
    end.write_page(tmp_path / "performance.html")
    assert "It earned" in (tmp_path / "performance.html").read_text()
