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

__all__ = ["fill", "freqtrade_database", "look", "quote", "quote_ended", "write_journal"]


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
