"""Writes journals and databases for the tests of what reads them."""

import sqlite3
from datetime import UTC, datetime
from pathlib import Path

from advanced_mm.journal import (
    Event,
    Fill,
    JournalWriter,
    Look,
    QuoteEnded,
    QuoteSent,
)

START_MS = 1_764_000_000_000

__all__ = [
    "a_round_trip_of_freqtrade",
    "fill",
    "freqtrade_database",
    "look",
    "quote",
    "quote_ended",
    "session",
    "write_journal",
]


def write_journal(folder: Path, events: list[Event], bot: str = "bot", *, close=True) -> None:
    """Write events as a bot would have, at their own times."""
    now = [events[0].time_ms]
    writer = JournalWriter(folder, bot, clock_ms=lambda: now[0], monotonic_ms=lambda: now[0])
    for event in events:
        now[0] = event.time_ms
        writer.record(event)
    writer.flush()
    if close:
        writer.close()


def quote(time_ms, order, side="bid", *, coin="ETH", bot="bot", **values) -> QuoteSent:
    """A quote at a depth of 1 from a mid of 100."""
    given = {
        "price": 99.0 if side == "bid" else 101.0, "size": 1.0, "mid": 100.0, "depth": 1.0,
        "tick": 0.1, "inventory": 0.0, "units": 0, "purpose": "entry", "expected_edge": 0.5,
        "calibration_id": "r1", "regime": "profitable",
    }  # fmt: skip
    return QuoteSent(time_ms=time_ms, coin=coin, bot=bot, order=order, side=side, **given | values)


def quote_ended(time_ms, order, outcome="filled", *, coin="ETH", bot="bot", filled=1.0):
    """Its end."""
    return QuoteEnded(
        time_ms=time_ms, coin=coin, bot=bot, order=order, outcome=outcome, why="test",
        filled_size=filled, age_seconds=1.0,
    )  # fmt: skip


def fill(time_ms, order, side="bid", *, coin="ETH", bot="bot", **values) -> Fill:
    """A maker's fill of 1 at 99 or 101."""
    given = {
        "fill": f"{order}-{time_ms}", "price": 99.0 if side == "bid" else 101.0, "size": 1.0,
        "fee": 0.01, "mid": 100.0, "liquidity": "maker", "rested_seconds": 1.0,
    }  # fmt: skip
    return Fill(time_ms=time_ms, coin=coin, bot=bot, order=order, side=side, **given | values)


def look(time_ms, position=0.0, mid=100.0, *, what="minute", coin="ETH", bot="bot", **values):
    """A look, the account valued at its mid."""
    return Look(
        time_ms=time_ms, coin=coin, bot=bot, what=what, position=position, mid=mid, mark=mid,
        source="venue", **values,
    )  # fmt: skip


def freqtrade_database(path: Path, orders: list[dict], trades: list[dict]) -> None:
    """A database with the columns that Freqtrade's has and the report reads."""
    with sqlite3.connect(path) as connection:
        connection.execute(
            "CREATE TABLE trades (id INTEGER, pair TEXT, fee_open REAL, fee_close REAL, "
            "is_short BOOLEAN, funding_fees REAL, open_date TEXT, close_date TEXT)"
        )
        connection.execute(
            "CREATE TABLE orders (ft_trade_id INTEGER, ft_pair TEXT, ft_order_side TEXT, "
            "ft_is_open BOOLEAN, status TEXT, order_type TEXT, ft_amount REAL, ft_price REAL, "
            "average REAL, price REAL, filled REAL, order_date TEXT, order_filled_date TEXT, "
            "order_update_date TEXT)"
        )
        for table, rows in (("trades", trades), ("orders", orders)):
            for row in rows:
                marks = ", ".join("?" * len(row))
                connection.execute(
                    f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})", list(row.values())
                )
    connection.close()


def stamp(time_ms: int) -> str:
    """A time as Freqtrade writes it: UTC, without saying so."""
    return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")


def session(folder: Path, bot="bot", coin="ETH", price=100.0, rounds=60) -> Path:
    """Buy at 99% and sell at 101% of a mid that wanders a little, every ten seconds, an hour."""
    who = {"coin": coin, "bot": bot}
    events = [look(START_MS, mid=price, what="start", equity=1000.0, **who)]
    cash = 0.0
    for number in range(rounds):
        at = START_MS + 60_000 * number
        mid = price * (1 + 0.001 * (number % 7))
        values = {"mid": mid, "depth": 0.01 * price, "expected_edge": 0.005 * price}
        for side, order, when in (("bid", "b", 1000), ("ask", "a", 25_000)):
            name = f"{bot}{order}{number}"
            paid = mid * (0.99 if side == "bid" else 1.01)
            events += [
                quote(at + when, name, side, price=paid, **values, **who),
                fill(at + when + 4000, name, side, price=paid, **who | {"mid": mid}),
                quote_ended(at + when + 4000, name, **who),
                look(at + when + 14_000, 1.0 if side == "bid" else 0.0, mid, **who),
            ]
            cash += (-paid if side == "bid" else paid) - 0.01
    end = START_MS + 60_000 * rounds
    events.append(look(end, mid=price, what="end", equity=1000.0 + cash, **who))
    write_journal(folder / "journal", events, bot)
    return folder


def a_round_trip_of_freqtrade(path: Path) -> None:
    """Bought at 99, sold at 101 a minute later, 0.25 of funding paid."""
    base = {
        "ft_trade_id": 1, "ft_pair": "ETH/USDC:USDC", "ft_is_open": False, "status": "closed",
        "order_type": "limit", "ft_amount": 1.0, "filled": 1.0,
    }  # fmt: skip
    orders = [
        base | {
            "ft_order_side": side, "ft_price": price, "average": price, "price": price,
            "order_date": stamp(START_MS + at), "order_filled_date": stamp(START_MS + at + 1000),
            "order_update_date": stamp(START_MS + at + 1000),
        }
        for side, price, at in (("buy", 99.0, 0), ("sell", 101.0, 60_000))
    ]  # fmt: skip
    trade = {
        "id": 1, "pair": "ETH/USDC:USDC", "fee_open": 0.0, "fee_close": 0.0, "is_short": False,
        "funding_fees": -0.25, "open_date": stamp(START_MS), "close_date": stamp(START_MS + 61_000),
    }  # fmt: skip
    freqtrade_database(path, orders, [trade])
