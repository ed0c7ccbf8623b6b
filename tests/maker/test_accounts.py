"""An account that begins again where an earlier run's journal ends."""

from dataclasses import replace
from decimal import Decimal

import pytest

from advanced_mm.journal import Fill as FillEvent
from advanced_mm.journal import JournalWriter
from advanced_mm.maker.accounts import AccountBook
from advanced_mm.maker.exchange import Account, Fill, MarketRules
from advanced_mm.maker.holdings import Holdings

D = Decimal
SYMBOL = "ETH/USDC:USDC"
BEGUN, NOW = 1_800_000_000_000, 1_800_000_600_000


def fill(number, time_ms):
    return Fill(
        str(number), "1", "c", SYMBOL, "buy", D(3000), D(1), D(0), "USDC", True, time_ms
    )  # fmt: skip


class Told:
    """An exchange that has made fills."""

    def __init__(self, *fills):
        self.fills = fills

    async def account(self):
        return Account(NOW, {"USDC": D(1000)}, {SYMBOL: D(len(self.fills))}, D(1000))

    async def fills_since(self, symbol, time_ms):
        return [one for one in self.fills if one.time_ms >= time_ms]


def recorded(folder, *fills):
    writer = JournalWriter(folder, "maker.it")
    for one in fills:
        writer.record(
            FillEvent(
                time_ms=one.time_ms, coin="ETH", bot="maker.it", fill=one.fill_id, order="1",
                side="bid", price=3000.0, size=1.0, fee=0.0,
            )
        )  # fmt: skip
    writer.close()


async def told_at_start(folder, exchange):
    told = []
    book = AccountBook("it", exchange, lambda name, one: told.append(one.fill_id))
    book.holdings.add_rules([MarketRules(SYMBOL, False, D("0.1"), D(1), D(1), D(1), 9)])
    book.begin(folder)
    await book.first()
    assert book.holdings.position(SYMBOL) == len(exchange.fills)
    return told


async def test_fills_are_told_that_an_earlier_run_did_not_record(tmp_path):
    heard, unheard = fill(1, BEGUN), fill(2, BEGUN + 1_000)
    newest, later = fill(3, BEGUN + 2_000), fill(4, BEGUN + 300_000)
    before = fill(5, BEGUN - 100_000)  # no maker ran then
    recorded(tmp_path, heard, newest)
    exchange = Told(before, heard, unheard, newest, later)
    assert await told_at_start(tmp_path, exchange) == ["2", "4"]


async def test_a_first_run_tells_of_nothing_that_was_before(tmp_path):
    assert await told_at_start(tmp_path / "none", Told(fill(1, NOW - 1_000))) == []


class Trading:
    """An exchange that fills while an account is on its way: ``late`` fills, one a question."""

    def __init__(self, book, late):
        self.told, self.late, self.book = [], late, book

    async def account(self):
        held = D(len(self.told))
        if self.late:
            self.late -= 1
            self.told.append(fill(len(self.told) + 1, NOW))
            self.book.filled(self.told[-1])
        return Account(NOW, {"USDC": D(1000)}, {SYMBOL: held}, D(1000))

    async def fills_since(self, symbol, time_ms):
        return list(self.told)


async def settled(late, monkeypatch):
    monkeypatch.setattr("advanced_mm.maker.accounts._TRY_SECONDS", 0.0)
    book = AccountBook("it", None, lambda name, one: None)
    book.holdings.add_rules([MarketRules(SYMBOL, False, D("0.1"), D(1), D(1), D(1), 9)])
    book._exchange = exchange = Trading(book, 0)
    await book.first()
    exchange.late = late
    await book.settle()
    return book, exchange


@pytest.mark.parametrize("late", [1, 4, 6, 50])
async def test_a_fill_told_while_the_account_is_on_its_way_is_not_forgotten(late, monkeypatch):
    book, exchange = await settled(late, monkeypatch)
    assert book.holdings.position(SYMBOL) == len(exchange.told) > 0


async def test_what_no_fill_explains_is_believed(monkeypatch):
    book, exchange = await settled(0, monkeypatch)
    exchange.told = [fill(1, NOW - 86_400_000)]
    exchange.fills_since = Told().fills_since  # a liquidation, say: no fill tells of it
    await book.settle()
    assert book.holdings.position(SYMBOL) == 1


def test_fills_of_two_markets_may_have_the_same_number():
    holdings = Holdings()
    holdings.add_rules(
        MarketRules(one, False, D("0.1"), D(1), D(1), D(1), 9) for one in (SYMBOL, "B/C:C")
    )
    first = fill(7, NOW)
    other = replace(first, symbol="B/C:C")
    assert [holdings.filled(one) for one in (first, other, first)] == [True, True, False]
    assert holdings.position("B/C:C") == 1
