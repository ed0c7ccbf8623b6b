"""Accounts: when they are opened, and the memory that queries use."""

from advanced_mm.venue.engine import accounts as module
from advanced_mm.venue.engine.accounts import Accounts
from advanced_mm.venue.engine.rules import Rules


def address(number):
    return f"0x{number:040x}"


def test_who_is_asked_about_has_play_money_and_may_act_but_no_account_yet():
    accounts = Accounts(Rules(play_money=5), 1_000)
    assert accounts.get(address(1)) is None
    assert accounts.look(address(1)).usdc == 5_000_000
    assert len(accounts) == 0
    accounts.now_ms = 2_000
    opened = accounts.get(address(1))
    assert (opened.usdc, opened.created_ms) == (5_000_000, 1_000)
    assert accounts.look(address(1)) is opened
    assert list(accounts) == [opened]


def test_questions_about_any_number_of_addresses_leave_little_behind(monkeypatch):
    monkeypatch.setattr(module, "KEPT_ADDRESSES", 3)
    accounts = Accounts(Rules(), 0)
    kept = accounts.open(address(99))
    for number in range(10):
        accounts.look(address(number))
    known = [number for number in range(10) if accounts.get(address(number)) is not None]
    assert known == [7, 8, 9]  # the oldest queries are dropped first, accounts never
    assert accounts.get(address(99)) is kept


def test_subaccounts_are_found_by_their_master():
    accounts = Accounts(Rules(), 0)
    subs = [accounts.add_sub(address(1), name) for name in ("a", "b")]
    assert accounts.subs(address(1)) == subs
    assert accounts.subs(subs[0]) == []
    other = Accounts(Rules(), 0)
    for one in accounts:
        other.put(one)
    assert other.subs(address(1)) == subs
    assert other.add_sub(address(1), "c") not in subs
