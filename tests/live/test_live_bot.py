"""An unmodified Freqtrade with real orders on the loopback venue: what it does, and every fault.

One session lives through all of it, since a bot takes seconds to start. After each step the venue's
account and the bot's books must agree to the last lot, and no two orders may have rested at once.
"""

import contextlib
import time

import ccxt
import pytest
import requests
from eth_account import Account

from advanced_mm.journal import (
    Fill,
    Funding,
    GuardChanged,
    JournalFollower,
    Look,
    QuoteEnded,
    QuoteSent,
    RefusalChanged,
    read_journal,
)
from advanced_mm.quoting.exchange.sure_orders import CLOID_PREFIX, PATIENCE_SECONDS
from advanced_mm.report.session_end import judge_session

pytestmark = [pytest.mark.bot, pytest.mark.timeout(1200)]

PAIR = "ETH/USDC:USDC"

SHAKEN = {
    "quote_age_seconds": 0,
    "volatility_limit": None,
    "min_edge_bp": None,
    "toxicity_limit": 100.0,
    "max_daily_loss": None,
    "max_drawdown": 1.0,
    "price_band_seconds": 5,
    "error_pause_seconds": 3,
}
"""Prices jump here and the stop loses more than a day may: volatility, losses and what the refit
makes of the jumps would pause the bot, rightly, for the rest of the test. The pauses after a gap or
a halt are kept, but are short."""

FAULTS = {
    "latency": [
        {"kind": "latency", "milliseconds": 250, "distribution": "exponential", "seconds": 6}
    ],
    "reply to an order lost": [{"kind": "dropped_reply", "requests": ["order"], "count": 2}],
    "reply to an order withheld": [
        {"kind": "dropped_reply", "requests": ["order"], "count": 1, "how": "withhold"}
    ],
    "reply to a replacement lost": [
        {"kind": "dropped_reply", "requests": ["batchModify"], "count": 2}
    ],
    "replacements refused": [
        {"kind": "http_error", "status": 502, "requests": ["batchModify"], "seconds": 2}
    ],
    "answers of 502": [{"kind": "http_error", "status": 502, "seconds": 4}],
    "answers of 429": [{"kind": "http_error", "status": 429, "seconds": 3}],
    "messages doubled, late and lost": [
        {"kind": "duplicated_messages", "seconds": 5},
        {"kind": "delayed_messages", "milliseconds": 5000, "seconds": 5},
        {"kind": "dropped_messages", "probability": 0.3, "seconds": 5},
    ],
    "silent sockets": [{"kind": "silence", "pongs": False, "seconds": 6}],
    "broken sockets": [{"kind": "cut", "refuse": True, "seconds": 3}],
    "maintenance": [{"kind": "maintenance", "seconds": 5}],
}


def test_it_trades_and_outlives_every_fault(live_session, bench_of, subtests):
    with live_session(limits=False, overrides=SHAKEN) as session:
        bench = bench_of(session)
        with subtests.test("it trades"):
            trades_as_a_maker(bench)
        for name, faults in FAULTS.items():
            with subtests.test(name):
                bench.strike(*faults)
                bench.goes_on()
                bench.assert_in_order()
        with subtests.test("the coin is halted"):
            is_halted(bench)
        with subtests.test("paused, it cancels, and the replies are lost"):
            cancels_while_paused(bench)
        with subtests.test("an order in doubt is taken over when the venue speaks again"):
            is_in_doubt(bench)
        with subtests.test("a quote that would take is refused and nothing is lost"):
            is_refused_as_post_only(bench)
        with subtests.test("the venue restarts"):
            survives_a_restart_of_the_venue(bench)
        with subtests.test("in parts, and replaced"):
            seen_parts_and_replacements(bench)
        with subtests.test("killed, and the account touched meanwhile"):
            is_killed_and_comes_back(bench)
        with subtests.test("the stop"):
            is_stopped_by_a_gap(bench)
        with subtests.test("told to end while an order's reply is on its way"):
            leaves_nothing_at_rest(bench)
        with subtests.test("the journal has every fill"):
            journal_agrees(bench)
        log = (session.options.folder / "logs" / "bot.log").read_text().splitlines()
    errors = [line for line in log if " - ERROR - " in line or " - CRITICAL - " in line]
    # Freqtrade's stream of candles reports a broken socket so, and connects again.
    assert all("exchange_ws - ERROR" in line for line in errors), errors
    assert not any("retrying in 30 seconds" in line for line in log)
    # Delayed, silent, broken and with the venue gone, the bot asked over REST and came back.
    assert sum("websocket is not up to date" in line for line in log) >= 4
    assert sum("websocket is up to date" in line for line in log) >= 4


def is_halted(bench) -> None:
    """Trading stops until an order of the bot was refused for it, and goes on later.

    A halted book stands still, and two seconds later its age keeps the bot out, which then sends
    nothing that could be refused. So trading is halted again until it meets an order on its way.
    """
    bench.wait(lambda: told_of_a_halt(bench), 150, "the bot was told of a halt")
    bench.goes_on()
    bench.assert_in_order()


def told_of_a_halt(bench) -> bool:
    bench.admin("POST", "faults", kind="halt", coin="ETH")
    time.sleep(2.5)
    bench.admin("DELETE", "faults")
    told = "halt" in guards_that_paused(bench)
    if not told:
        time.sleep(2.5)  # the bot sees fresh books again, and what it wants has changed
    return told


def guards_that_paused(bench) -> set[str]:
    journal = read_journal(bench.bot.audit.journal)
    return {one["guard"] for one in journal.table(GuardChanged).to_pylist()}


def trades_as_a_maker(bench) -> None:
    bench.wait(lambda: bench.record["money"]["maker_fills"] >= 3, 120, "three fills")
    bench.wait(lambda: bench.position > 0, 90, "a position")
    record = bench.record
    assert record["money"]["taker_fills"] == 0
    assert record["money"]["maker_fees"] == pytest.approx(
        0.00015 * record["money"]["volume"], abs=1e-4
    )
    orders = bench.info("historicalOrders")
    assert {one["order"]["tif"] for one in orders} == {"Alo"}
    assert all(one["order"]["cloid"].startswith(CLOID_PREFIX) for one in orders)
    for one in bench.info("historicalOrders"):
        assert one["order"]["reduceOnly"] is (one["order"]["side"] == "A")
    held = bench.info("clearinghouseState")["assetPositions"]
    assert all(one["position"]["leverage"]["type"] == "isolated" for one in held)
    assert all(one["position"]["leverage"]["value"] == 1 for one in held)
    bench.assert_in_order()


def survives_a_restart_of_the_venue(bench) -> None:
    """It ends in order, and another process goes on where it ended, at the same address."""
    session = bench.session
    venue = session.parts.pop(0)
    assert venue.name == "venue"
    venue.stop()
    saved, port = session.options.folder / "venue.json", bench.rest.rpartition(":")[2]
    session._launch(
        "venue_again",
        session._script("paper_exchange.py", "--restore", saved, "--port", port, "--no-limits"),
    )
    session.parts.insert(0, session.parts.pop())  # parts are stopped last first

    def answers() -> bool:
        with contextlib.suppress(requests.RequestException):
            return requests.get(f"{bench.rest}/health", timeout=10).ok
        return False

    bench.wait(answers, 120, "the venue answers again")
    bench.goes_on()
    bench.assert_in_order()


def cancels_while_paused(bench) -> None:
    """An entry that has drifted is then not moved, as Freqtrade would place none."""
    bot = bench.bot.view._client
    bench.admin("POST", "faults", kind="dropped_reply", requests=["cancel"], count=2)
    deadline = time.monotonic() + 150
    while bench.admin("GET", "state")["faults"]:
        assert time.monotonic() < deadline, "nothing was cancelled"
        bot.stopbuy()
        time.sleep(3)
        bot.start()
        bench.goes_on()
    bench.assert_in_order()


def is_in_doubt(bench) -> None:
    """The reply to an entry is lost, and the venue says nothing of it for longer than is waited."""
    holds_nothing(bench)
    lost = {"kind": "dropped_reply", "requests": ["order"], "count": 1, "how": "withhold"}
    bench.admin("POST", "faults", **lost)
    bench.bot.view._client.start()
    bench.strike()  # the bot now waits for the reply
    bench.admin("POST", "faults", kind="http_error", requests=["orderStatus"])
    log = bench.session.options.folder / "logs" / "bot.log"
    in_doubt = lambda: "an order is in doubt" in log.read_text()  # noqa: E731
    bench.wait(in_doubt, PATIENCE_SECONDS + 15, "the order is in doubt")
    bench.admin("DELETE", "faults")
    bench.goes_on()
    bench.assert_in_order()
    said = log.read_text()
    assert "recovered order" in said or "previously unknown order" in said


def holds_nothing(bench) -> None:
    """Pause the bot, and let the price rise until its bid is taken away and its offer is filled."""
    bench.bot.view._client.stopbuy()
    deadline = time.monotonic() + 150
    while bench.position or bench.info("openOrders"):
        assert time.monotonic() < deadline, "something is held"
        bench.admin("POST", "price_gap", coin="ETH", percent=0.2)
        time.sleep(1)


def is_refused_as_post_only(bench) -> None:
    """The price jumps to and fro, and back while the order that follows it is on its way."""
    slow = {"kind": "latency", "requests": ["order", "batchModify"], "milliseconds": 1500}
    bench.admin("POST", "faults", **slow)
    deadline = time.monotonic() + 150
    percent = 0.2
    while not bench.record["orders"]["post_only_refused"]:
        assert time.monotonic() < deadline, "no order was refused"
        bench.admin("POST", "price_gap", coin="ETH", percent=percent)
        percent = -percent
        time.sleep(1.2)
    bench.admin("DELETE", "faults")
    bench.goes_on()
    bench.assert_in_order()


def seen_parts_and_replacements(bench) -> None:
    """Somebody sells as much as stands before the bot's bid, and a part of it."""
    bench.wait(lambda: bench.record["orders"]["cancelled"] >= 1, 120, "a quote was replaced")
    seller = Account.create()
    bench.admin("POST", "accounts", address=seller.address.lower(), play_money=10_000_000)
    client = client_of(bench, seller.address, seller.key.to_0x_hex())

    def in_part() -> bool:
        bids = [one for one in bench.info("openOrders") if one["side"] == "B"]
        if bids:
            price, own = float(bids[0]["limitPx"]), float(bids[0]["sz"])
            book = client.fetch_order_book(PAIR)["bids"]
            before = sum(size for level, size, *_ in book if level >= price) - own
            with contextlib.suppress(ccxt.InvalidOrder):  # it has been replaced meanwhile
                ioc = {"timeInForce": "IOC"}
                client.create_order(PAIR, "limit", "sell", round(before + 1.0, 4), price, ioc)
        return bench.record["queue"]["partial_share"] > 0

    bench.wait(in_part, 120, "a fill in parts")
    bench.goes_on()
    bench.assert_in_order()


def client_of(bench, address: str, key: str) -> ccxt.Exchange:
    """A person's client."""
    client = ccxt.hyperliquid(
        {
            "walletAddress": address,
            "privateKey": key,
            "options": {"builderFee": False},
            "urls": {"api": {"public": bench.rest, "private": bench.rest}},
        }
    )
    client.load_markets()
    return client


def is_killed_and_comes_back(bench) -> None:
    """While it is away: an order of its own kind that nobody knows, and a person's purchase."""
    part = next(part for part in bench.session.parts if part.name == "bot")
    bench.wait(lambda: bench.info("openOrders"), 90, "an order rests")
    part._process.kill()
    part._process.wait()
    bench.session.parts.remove(part)
    client = client_of(bench, bench.address, bench.bot._account._key)
    mid = bench.admin("GET", "state")["markets"]["ETH"]["mid"]
    stray = client.create_order(
        PAIR, "limit", "buy", 0.05, mid * 0.97, {"clientOrderId": CLOID_PREFIX + "5" * 24}
    )
    persons = client.create_order(PAIR, "limit", "buy", 0.05, mid * 0.96)
    client.create_order(PAIR, "market", "buy", 0.02, mid)
    known = bench.record["orders"]["placed"]
    # It is cancelled once it is 15 s old and the person's purchase is seen to last (5 s): the bot
    # takes a few seconds to start.
    time.sleep(6)
    follower = JournalFollower(bench.bot.audit.journal)
    follower.news()
    said: list[str] = []
    bench.session._launch("bot_again", bench.bot.command, bench.bot.environment)

    def refusals() -> list[str]:
        news = [one for one in follower.news() if isinstance(one, RefusalChanged)]
        said.extend(one.reason for one in news if one.reason is not None)
        return said

    resting = lambda: {str(one["oid"]) for one in bench.info("openOrders")}  # noqa: E731
    bench.wait(lambda: stray["id"] not in resting(), 120, "the stray order is cancelled")
    bench.wait(lambda: any("+0.02" in one for one in refusals()), 120, "the bot does not quote")
    assert persons["id"] in resting()
    client.cancel_order(persons["id"], PAIR)
    client.create_order(PAIR, "market", "sell", 0.02, mid * 0.9)
    bench.wait(
        lambda: bench.record["orders"]["placed"] >= known + 3, 120, "it goes on when that is gone"
    )
    position, booked = bench.position, bench.booked_position()
    bench.wait(
        lambda: abs(bench.position - bench.booked_position()) < 1e-9, 90, f"{position} {booked}"
    )


def is_stopped_by_a_gap(bench) -> None:
    """Offers rest above; the price falls by 7%, and the stop sells at the market."""
    bench.wait(lambda: bench.position > 1, 120, "a position")
    takers = bench.record["money"]["taker_fills"]
    bench.admin("POST", "price_gap", coin="ETH", percent=-7)
    bench.wait(lambda: bench.record["money"]["taker_fills"] > takers, 90, "the stop is filled")
    bench.wait(
        lambda: bench.query(
            "SELECT id FROM trades WHERE NOT is_open AND exit_reason = 'stop_loss'"
        ),
        90,
        "the stop is on the books",
    )
    bench.wait(bench.positions_agree, 90, "the positions agree")


def leaves_nothing_at_rest(bench) -> None:
    """The venue has the order, the bot does not know it yet.

    It is the first since the stop, sent when that fall is older than the price band looks back.
    """
    bench.wait(lambda: bench.position == 0, 120, "nothing is held")
    known = {one["order"]["oid"] for one in bench.info("historicalOrders")}
    slow = {"kind": "latency", "requests": ["order"], "milliseconds": 1500, "where": "reply"}
    bench.admin("POST", "faults", **slow)
    on_its_way = lambda: [o for o in bench.info("openOrders") if o["oid"] not in known]  # noqa: E731
    bench.wait(on_its_way, 120, "a new order is at the venue")
    part = next(part for part in bench.session.parts if part.name == "bot_again")
    part.stop()
    bench.session.parts.remove(part)
    bench.admin("DELETE", "faults")
    assert bench.info("openOrders") == []


def journal_agrees(bench) -> None:
    """From the first look on, fills, fees and funding lead to what the venue says is there."""
    journal = read_journal(bench.bot.audit.journal)
    looks = journal.events(Look)
    fills = journal.table(Fill).to_pylist()
    assert len(fills) == len({fill["fill"] for fill in fills})
    bought = [(1 if one["side"] == "bid" else -1, one) for one in fills]
    cash = looks[0].cash - sum(sign * one["price"] * one["size"] for sign, one in bought)
    cash += sum(journal.table(Funding)["amount"].to_pylist()) - sum(one["fee"] for one in fills)
    account = bench.admin("GET", "state")["accounts"][bench.address]
    position = sum(sign * one["size"] for sign, one in bought)
    assert position == pytest.approx(sum(map(float, account["positions"].values())), abs=1e-9)
    assert looks[-1].what == "end"
    assert cash == pytest.approx(looks[-1].cash, abs=1e-6)
    if not position:
        assert cash == pytest.approx(float(account["usdc"]), abs=1e-6)
    bench.session.end_bots()
    check = judge_session(bench.session).check
    assert check.agrees, check.sentence()
    quotes = set(journal.table(QuoteSent)["order"].to_pylist())
    without = {one["order"] for one in fills if one["liquidity"] == "maker"} - quotes
    assert len(without) <= 2  # the person's, and one in doubt that Freqtrade found by itself
    assert guards_that_paused(bench) >= {"halt", "price_band"}
    ended = journal.table(QuoteEnded).to_pylist()
    assert {one["outcome"] for one in ended} >= {"filled", "cancelled", "refused"}
    assert len(ended) == len({one["order"] for one in ended})
