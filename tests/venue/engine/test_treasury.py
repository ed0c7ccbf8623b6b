"""Money that moves without trading: limits, costs, and how it is reported."""

from decimal import Decimal

import pytest

from advanced_mm.venue.engine.orders import TimeInForce

ALICE, BOB = "0x" + "a1" * 20, "0x" + "b0" * 20
USDC = 1_000_000


@pytest.fixture
def account(bench):
    return bench.exchange.accounts.open(ALICE)


def ledger(account):
    return [(one.kind, one.micros) for one in account.money]


def test_an_account_begins_with_a_deposit(account):
    assert ledger(account) == [("deposit", 10_000 * USDC)]
    assert account.deposited == 10_000 * USDC


def test_a_gift_is_in_both_ledgers(bench, account):
    assert bench.exchange.send(ALICE, BOB, 25 * USDC) is None
    other = bench.exchange.accounts.open(BOB)
    assert (account.usdc, other.usdc) == (9_975 * USDC, 10_025 * USDC)
    for one in (account, other):
        moved = one.money[-1]
        assert (moved.kind, moved.sender, moved.receiver) == ("internalTransfer", ALICE, BOB)
        assert moved.account == one.address


@pytest.mark.parametrize("micros", [0, -5, 10_001 * USDC])
def test_nobody_gives_what_is_not_there(bench, account, micros):
    assert bench.exchange.send(ALICE, BOB, micros) is not None
    assert bench.exchange.change_class(ALICE, micros, False) is not None
    assert ledger(account) == [("deposit", 10_000 * USDC)]


def test_the_margin_stays_behind(bench, account):
    bench.place(ALICE, 1, 100.1, 5.0, TimeInForce.IOC)
    free = bench.exchange.margin.withdrawable(account)
    assert free < account.usdc + 500 * USDC
    assert bench.exchange.withdraw(ALICE, BOB, free + 1, 7) == (
        "Insufficient balance for withdrawal."
    )
    assert bench.exchange.withdraw(ALICE, BOB, free, 7) is None
    assert bench.exchange.margin.withdrawable(account) == 0


def test_money_goes_to_the_spot_account_and_back(bench, account):
    assert bench.exchange.change_class(ALICE, 40 * USDC, False) is None
    assert (account.usdc, account.spot_usdc) == (9_960 * USDC, 40 * USDC)
    assert bench.exchange.change_class(ALICE, 41 * USDC, True) == (
        "Insufficient balance for token transfer"
    )
    assert bench.exchange.change_class(ALICE, 40 * USDC, True) is None
    assert (account.usdc, account.spot_usdc) == (10_000 * USDC, 0)
    assert account.deposited == 10_000 * USDC
    assert [one.to_perp for one in account.money][1:] == [False, True]


def test_a_withdrawal_costs_a_dollar(bench, account):
    assert bench.exchange.withdraw(ALICE, BOB, USDC, 7) is not None
    assert bench.exchange.withdraw(ALICE, BOB, 5 * USDC, 7) is None
    moved = account.money[-1]
    assert (moved.micros, moved.fee, moved.nonce) == (4 * USDC, USDC, 7)
    assert account.usdc == 9_995 * USDC == account.deposited


def test_requests_are_bought_for_oneself_or_another(bench, account):
    assert bench.exchange.reserve_requests(ALICE, BOB, 1_000) is None
    assert account.usdc == 9_999_500_000
    assert bench.exchange.accounts.open(BOB).requests_reserved == 1_000
    too_many = 10**8
    assert bench.exchange.reserve_requests(ALICE, ALICE, too_many) is not None
    assert account.requests_reserved == 0


def test_an_isolated_position_is_topped_up_to_a_leverage(bench, account):
    top_up = bench.exchange.top_up_isolated_margin
    bench.exchange.update_leverage(ALICE, bench.coin, False, 10)
    assert top_up(ALICE, bench.coin, Decimal(2)) == "Cannot update margin for empty position."
    bench.place(ALICE, 1, 100.1, 2.0, TimeInForce.IOC)
    mark = bench.exchange.margin.mark(bench.coin)
    position = account.positions[bench.coin]
    for leverage in (2, 4):  # the second has already been reached
        assert top_up(ALICE, bench.coin, Decimal(leverage)) is None
        assert position.equity(mark) == pytest.approx(abs(position.value(mark)) / 2, abs=1)
    assert top_up(ALICE, bench.coin, Decimal(0)) == "Invalid leverage value"
