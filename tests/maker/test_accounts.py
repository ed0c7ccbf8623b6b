"""An account that begins again where an earlier run's journal ends."""

from decimal import Decimal

from advanced_mm.journal import Fill as FillEvent
from advanced_mm.journal import JournalWriter
from advanced_mm.maker.accounts import AccountBook
from advanced_mm.maker.exchange import Account, Fill, MarketRules

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
