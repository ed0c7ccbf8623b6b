"""What a bot with real orders tells the journal: the venue's own records, each once.

The strategy's side of it, and a dry run's, is tested with the strategy.
"""

from datetime import UTC, datetime
from types import SimpleNamespace

import ccxt
import pytest

from advanced_mm.journal import (
    Fill,
    Funding,
    JournalWriter,
    Look,
    QuoteEnded,
    QuoteSent,
    RequestsUsed,
    read_journal,
)
from advanced_mm.quoting import Quote, Touch, queue_ahead
from advanced_mm.quoting.journaling.account_records import AccountRecords
from advanced_mm.quoting.journaling.trade_journal import TradeJournal

PAIR = "ETH/USDC:USDC"
START_MS = int(datetime(2026, 11, 23, 12, 58, tzinfo=UTC).timestamp() * 1000)
HOUR_MS = START_MS + 120_000


class Venue:
    """An account at a venue, and ccxt's client of it; ``asked`` holds the types of requests."""

    def __init__(self):
        self.now_ms, self.cash, self.held = START_MS, 10_000.0, 0.0
        self.fills, self.funding, self.asked = [], [], []
        self.error = None

    def handle_public_address(self, method, params):
        return "0xme", params

    def publicPostInfo(self, request):
        self.asked.append(request["type"])
        if self.error is not None:
            raise self.error
        start = request.get("startTime", 0)
        if request["type"] == "userFillsByTime":
            return [row for row in self.fills if row["time"] >= start]
        if request["type"] == "userFills":
            return self.fills[::-1]
        if request["type"] == "userFunding":
            return [row for row in self.funding if row["time"] >= start]
        if request["type"] == "userRateLimit":
            return {"nRequestsUsed": 7, "nRequestsCap": 10_000}
        position = {"coin": "ETH", "szi": str(self.held), "positionValue": abs(self.held) * 3000.0}
        worth = self.cash + self.held * 3000.0
        return {
            "time": self.now_ms,
            "marginSummary": {"accountValue": str(worth), "totalRawUsd": str(self.cash)},
            "assetPositions": [{"position": position}] if self.held else [],
        }

    def fill(self, size, price, order=1, coin="ETH", fee=0.45, crossed=False):
        row = {
            "coin": coin, "px": str(price), "sz": str(abs(size)), "side": "B" if size > 0 else "A",
            "time": self.now_ms, "startPosition": str(self.held), "oid": order, "crossed": crossed,
            "fee": str(fee), "tid": 100 + len(self.fills),
        }  # fmt: skip
        self.fills.append(row)
        self.cash -= size * price + fee
        self.held = round(self.held + size, 9)

    def pay(self, usdc, at_ms):
        delta = {"coin": "ETH", "usdc": str(usdc), "szi": str(self.held), "fundingRate": "0.1"}
        self.funding.append({"time": at_ms, "hash": "0x", "delta": delta})
        self.cash += usdc


class Bench:
    """A bot's journal; `loop` is a turn of Freqtrade's, so many seconds after the last."""

    def __init__(self, folder):
        self.folder, self.venue = folder, Venue()
        self.start()

    def start(self):
        self.orders, self.sent = [], 0
        exchange = SimpleNamespace(
            create_order=self._create,
            cancel_order_with_result=lambda *_: {"status": "canceled", "filled": 0.0},
            amount_to_precision=lambda pair, amount: round(amount, 4),
        )
        clock = lambda: self.venue.now_ms  # noqa: E731
        records = AccountRecords(self.venue)
        if "heard" not in self.venue.publicPostInfo.__qualname__:
            self.venue.asked_directly = self.venue.publicPostInfo
        self.venue.publicPostInfo = self.venue.asked_directly
        records.install()
        writer = JournalWriter(self.folder, "bot", None, clock, clock)
        self.journal = TradeJournal(writer, "bot", exchange, records, lambda: 0.0)
        self.journal.install()
        self.exchange = exchange

    def _create(self, **order):
        self.sent += 1
        self.orders.append(SimpleNamespace(order_id=str(self.sent), ft_order_side=order["side"]))
        return {"id": str(self.sent), "amount": None, "price": None}

    def loop(self, seconds=5.0):
        self.venue.now_ms += round(1000 * seconds)
        trade = SimpleNamespace(pair=PAIR, open_orders=self.orders)
        self.journal.at_loop({PAIR: "ETH"}, [trade])

    def quote(self, side="bid", price=2999.0, size=1.00009):
        quote = Quote(side, 0, price, 3000.0, 1.0, 0.1, "r1", edge=0.2)
        self.journal.agreed(PAIR, "ETH", quote, price, 0.0, None, None, 5.0)
        self.exchange.create_order(
            pair=PAIR, ordertype="limit", side="buy" if side == "bid" else "sell", amount=size,
            rate=price,
        )  # fmt: skip

    def booked(self, order, filled, status="closed"):
        """Freqtrade hears of the end of an order."""
        self.orders = [one for one in self.orders if one.order_id != order]
        self.journal.order_filled(
            "ETH", None, SimpleNamespace(order_id=order, safe_filled=filled, status=status)
        )

    def saw(self, mid):
        at = datetime.fromtimestamp(self.venue.now_ms / 1000, UTC)
        self.journal.saw("ETH", Touch(mid - 0.1, mid + 0.1, at))

    def end(self):
        self.journal.close(lambda: [])
        return self.read()

    def read(self):
        return read_journal(self.folder)


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path / "journal")


def cash_of(journal):
    """Cash from the first look, by fills, fees and funding."""
    cash = journal.events(Look)[0].cash + sum(one.amount for one in journal.events(Funding))
    for one in journal.events(Fill):
        cash -= (1 if one.side == "bid" else -1) * one.price * one.size + one.fee
    return cash


def test_a_fill_is_the_venue_s_own_and_told_once(bench):
    bench.loop()
    bench.saw(3000.0)
    bench.quote()
    bench.venue.now_ms += 2500
    bench.venue.fill(0.4, 2999.0)
    bench.venue.fill(0.6, 2999.0, fee=-0.1)
    bench.venue.now_ms += 1
    bench.saw(2990.0)  # too late for the fill
    bench.venue.publicPostInfo({"type": "userFills", "user": "0xme"})  # Freqtrade asks, too
    bench.booked("1", 1.0)
    bench.loop()
    bench.loop(61)
    journal = bench.end()
    first, second = journal.events(Fill)
    assert (first.fill, first.order, first.size, first.fee) == ("100", "1", 0.4, 0.45)
    assert (second.fee, second.position_after, second.liquidity) == (-0.1, 1.0, "maker")
    assert (first.rested_seconds, first.mid, first.bid) == (2.5, 3000.0, 2999.9)
    assert first.age_seconds == 2.5
    (quote,) = journal.events(QuoteSent)
    assert (quote.size, quote.queue_ahead, quote.price) == (1.0001, 5.0, 2999.0)
    assert [one.what for one in journal.events(Look)] == ["start", "minute", "end"]
    assert cash_of(journal) == pytest.approx(bench.venue.cash, abs=1e-9)
    assert journal.events(Look)[-1].mark == 3000.0


def test_a_quote_found_right_again_is_as_if_new(bench):
    """Its age counts from the last look before the fill that wanted the price it has."""
    bench.loop()
    bench.quote()
    for wanted in (2999.0, 2999.04, 2999.1):  # the last is a tick off, though it is kept
        bench.venue.now_ms += 1000
        found = Quote("bid", 0, wanted, 3000.0, 1.0, 0.1, "r1", edge=0.2)
        bench.journal.kept("1", 2999.0, found, 5.0)
    bench.venue.now_ms += 500
    bench.venue.fill(1.0, 2999.0)
    bench.venue.now_ms += 100
    too_late = Quote("bid", 0, 2999.0, 3000.0, 1.0, 0.1, "r1")
    bench.journal.kept("1", 2999.0, too_late, 5.0)
    bench.booked("1", 1.0)
    bench.loop()
    (fill,) = bench.end().events(Fill)
    assert (fill.rested_seconds, fill.age_seconds) == (3.5, 1.5)


@pytest.mark.parametrize(("tolerance", "age"), [(5.0, 1.5), (20.0, 0.5), (0.0, 2.5)])
def test_a_quote_kept_within_the_tolerance_is_as_if_new(bench, tolerance, age):
    """At 3 and 5 ticks off it has lost 3.7% and 9% of its value (kappa of 1 a price unit)."""
    bench.loop()
    bench.quote()
    for ticks in (0, 3, 5):
        bench.venue.now_ms += 1000
        price = 2999.0 + 0.1 * ticks
        found = Quote("bid", 0, price, price + 1, 1.0, 0.1, "r1", edge=0.2, kappa=1.0)
        bench.journal.kept("1", 2999.0, found, tolerance)
    bench.venue.now_ms += 500
    bench.venue.fill(1.0, 2999.0)
    bench.booked("1", 1.0)
    bench.loop()
    (fill,) = bench.end().events(Fill)
    assert fill.age_seconds == age


def test_what_ended_in_part_says_so(bench):
    bench.loop()
    bench.quote(size=1.0)
    bench.venue.fill(0.25, 2999.0)
    bench.booked("1", 0.25, "canceled")
    bench.loop()
    (ended,) = bench.end().events(QuoteEnded)
    assert (ended.outcome, ended.filled_size, ended.order) == ("partial", 0.25, "1")


def test_the_venue_is_asked_for_fills_only_where_there_may_be_some(bench):
    bench.loop()
    for _ in range(100):
        bench.loop()
    assert set(bench.venue.asked) == {"clearinghouseState"}
    assert 8 <= len(bench.venue.asked) <= 10
    for number in range(12):
        bench.quote()
        bench.venue.fill(0.1 if number % 2 else -0.1, 2999.0, order=number + 1)
        bench.booked(str(number + 1), 0.1)
        bench.loop(1)
    assert bench.venue.asked.count("userFillsByTime") == 1
    bench.loop(15)
    assert bench.venue.asked.count("userFillsByTime") == 1
    bench.loop(15)
    assert bench.venue.asked.count("userFillsByTime") == 2
    assert len(bench.end().events(Fill)) == 12


def test_a_fill_that_nobody_told_of_is_found_by_the_position(bench):
    bench.loop()
    bench.venue.now_ms += 1
    bench.venue.fill(0.7, 3001.0, order=99, crossed=True)
    bench.venue.fill(5.0, 2.0, order=98, coin="WLFI")
    bench.venue.held = 0.7
    bench.loop(61)
    bench.loop()
    (fill,) = bench.end().events(Fill)
    assert (fill.order, fill.liquidity, fill.rested_seconds) == ("99", "taker", None)


def test_fills_while_the_bot_was_down_are_told_by_the_next_one(bench):
    bench.loop()
    bench.venue.now_ms += 1
    bench.venue.fill(0.4, 2999.0)
    bench.loop(61)
    bench.loop()
    bench.venue.fill(0.2, 2998.0)
    bench.loop(61)  # looks at the account, which has the fill, before it asks for it
    bench.journal.memory.writer.flush()  # and then it is killed
    bench.venue.now_ms += 3_000_000
    bench.venue.pay(-0.1, HOUR_MS)
    bench.venue.fill(-0.1, 2980.0)
    bench.venue.now_ms += 1
    bench.start()
    bench.loop()
    journal = bench.end()
    assert [one.size for one in journal.events(Fill)] == [0.4, 0.2, 0.1]
    assert cash_of(journal) == pytest.approx(bench.venue.cash, abs=1e-9)


def test_what_was_before_the_first_look_is_in_its_cash(bench):
    bench.venue.fill(0.4, 2999.0)
    bench.booked("1", 0.4)
    bench.venue.publicPostInfo({"type": "userFillsByTime", "user": "0xme", "startTime": 0})
    bench.venue.now_ms += 1
    bench.loop()
    bench.loop(61)
    journal = bench.end()
    assert journal.events(Fill) == []
    assert cash_of(journal) == pytest.approx(bench.venue.cash, abs=1e-9)


def test_funding_is_asked_for_after_an_hour_with_a_position_and_not_else(bench):
    bench.loop()
    bench.venue.now_ms = HOUR_MS + 1000
    for _ in range(60):
        bench.loop()
    assert "userFunding" not in bench.venue.asked
    bench.venue.fill(0.5, 3000.0)
    for _ in range(60):
        bench.loop(60)
    late = bench.venue.asked.count("userFunding")  # five minutes without an answer
    assert late <= 6
    bench.venue.pay(-0.125, HOUR_MS + 3_600_000)
    for _ in range(40):
        bench.loop(60)
    assert bench.venue.asked.count("userFunding") == late + 1
    journal = bench.end()
    (paid,) = journal.events(Funding)
    assert (paid.amount, paid.position, paid.time_ms) == (-0.125, 0.5, HOUR_MS + 3_600_000)
    assert cash_of(journal) == pytest.approx(bench.venue.cash, abs=1e-9)


def test_a_venue_that_is_silent_is_asked_again_and_stops_nothing(bench, caplog):
    bench.venue.error = ccxt.NetworkError("no answer")
    for _ in range(3):
        bench.loop()
    bench.quote()
    assert bench.sent == 1
    assert caplog.text.count("journal: at_loop: NetworkError('no answer')") == 1
    assert "Traceback" not in caplog.text
    bench.venue.error = None
    bench.loop()
    assert [one.what for one in bench.end().events(Look)] == ["start", "end"]


def test_at_the_end_a_venue_is_asked_three_times(bench):
    bench.loop()
    bench.venue.now_ms += 1
    bench.venue.fill(0.4, 2999.0)
    answers, faults = bench.venue.asked_directly, [True, True]

    def failing(request):
        if faults:
            raise ccxt.NetworkError(f"no answer {faults.pop()}")
        return answers(request)

    bench.venue.publicPostInfo = failing
    bench.journal._account._records.client = bench.venue
    bench.journal._account._records.install()
    journal = bench.end()
    assert [one.what for one in journal.events(Look)] == ["start", "end"]
    assert cash_of(journal) == pytest.approx(bench.venue.cash, abs=1e-9)


def test_a_coin_of_a_builder_s_exchange_counts_the_money_of_both(bench):
    bench.journal.at_loop({"XYZ-XYZ100/USDC:USDC": "xyz:XYZ100"}, [])
    assert bench.venue.asked == ["clearinghouseState"] * 2
    (look,) = bench.end().events(Look)[:1]
    assert (look.coin, look.cash, look.equity) == ("xyz:XYZ100", 20_000, 20_000)


def test_a_reply_without_sense_troubles_nobody(bench, caplog):
    bench.loop()
    bench.venue.fills = [{"time": bench.venue.now_ms + 1, "coin": "ETH"}]
    assert bench.venue.publicPostInfo({"type": "userFills", "user": "0xme"}) == bench.venue.fills
    assert "journal: no sense in the venue's userFills: KeyError('tid')" in caplog.text


def test_requests_are_told_where_their_number_is_new(bench):
    bench.loop()
    for _ in range(3):
        bench.venue.publicPostInfo({"type": "userRateLimit", "user": "0xme"})
        bench.loop()
    assert [(one.used, one.allowed) for one in bench.end().events(RequestsUsed)] == [(7, 10_000)]


@pytest.mark.parametrize(
    ("side", "price", "ahead"),
    [
        ("bid", 2999.0, 2.0), ("bid", 2999.5, 0.0), ("bid", 2998.0, 1.5), ("bid", 2997.9, None),
        ("ask", 3001.0, 3.0), ("ask", 3001.1, None),
    ],
)  # fmt: skip
def test_what_rests_before_a_quote(side, price, ahead):
    book = {"bids": [(2999.0, 2.0), (2998.5, None), (2998.0, 1.5)], "asks": [(3001.0, 3.0, 7)]}
    assert queue_ahead(book, side, price) == ahead


def test_without_a_book_nothing_is_known_of_the_queue():
    assert queue_ahead(None, "bid", 1.0) is None
    assert queue_ahead({"bids": [], "asks": []}, "ask", 1.0) is None
