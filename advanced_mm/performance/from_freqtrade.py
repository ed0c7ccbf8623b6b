"""The record of a coin from Freqtrade's database, for bots that wrote no journal.

It knows orders, prices, sizes, rates of fees and funding, but no mid, no depth and no expectation.
An order filled in parts is one fill at its average price.
"""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from advanced_mm.errors import InputError
from advanced_mm.instruments import code_of, resolve_coin
from advanced_mm.marketdata.records import Int1D
from advanced_mm.performance.records import (
    BotSpan,
    Fills,
    Observations,
    Quotes,
    Record,
    Refusals,
    Words,
)

__all__ = ["freqtrade_records"]

_ORDERS: Final = """
SELECT o.ft_pair AS pair, o.ft_order_side AS side, o.ft_is_open AS is_open, o.status AS status,
       o.order_type AS order_type, o.ft_amount AS amount, o.ft_price AS price,
       COALESCE(o.average, o.price, o.ft_price) AS average, COALESCE(o.filled, 0) AS filled,
       o.order_date AS sent, o.order_filled_date AS filled_at, o.order_update_date AS updated,
       t.fee_open AS fee_open, t.fee_close AS fee_close,
       t.is_short AS is_short, t.id AS trade
FROM orders o JOIN trades t ON t.id = o.ft_trade_id
"""
_FUNDING: Final = """
SELECT pair, funding_fees AS amount, COALESCE(close_date, open_date) AS at FROM trades
WHERE funding_fees IS NOT NULL AND funding_fees <> 0
"""
_COARSE: Final = (
    "From Freqtrade's database: an order is one fill at its average price, fees are the rates it "
    "assumed, funding is booked when the trade closed, and nothing is known of depths, "
    "expectations and refusals."
)


def freqtrade_records(
    database: Path,
    coin: str | None = None,
    since_ms: int | None = None,
    until_ms: int | None = None,
) -> Iterator[Record]:
    """Read the record of each coin that was traded.

    Parameters
    ----------
    database : Path
        The SQLite file.
    coin : str, optional
        One coin, in any spelling; None reads all. Coins have ccxt's codes here.
    since_ms, until_ms : int, optional
        Bounds of the orders' times, both included.

    Raises
    ------
    InputError
        The file is no database of Freqtrade's, or does not hold the coin.
    """
    orders, funding = _read(database)
    codes = sorted({code_of(pair) for pair in orders["pair"]})
    if coin is not None:
        codes = [resolve_coin(coin, codes, f"the database {str(database)!r}")]
    for code in codes:
        own = orders[orders["pair"].map(code_of) == code]
        paid = funding[funding["pair"].map(code_of) == code]
        record = _record(database, code, own, paid, since_ms, until_ms)
        if record is not None:
            yield record


def _read(database: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    if not database.is_file():
        raise InputError(f"--db {str(database)!r}: there is no such file.")
    try:
        connection = sqlite3.connect(f"{database.resolve().as_uri()}?mode=ro", uri=True)
        try:
            return tuple(pd.read_sql_query(query, connection) for query in (_ORDERS, _FUNDING))
        finally:
            connection.close()
    except (sqlite3.Error, pd.errors.DatabaseError) as error:
        reason = str(error.__cause__ or error).splitlines()[0]
        raise InputError(
            f"--db {str(database)!r} is not a readable database of Freqtrade's ({reason}): name "
            "its tradesv3.sqlite or tradesv3.dryrun.sqlite."
        ) from error


def _record(
    database: Path,
    coin: str,
    orders: pd.DataFrame,
    funding: pd.DataFrame,
    since_ms: int | None,
    until_ms: int | None,
) -> Record | None:
    updated = _times(orders["updated"], _times(orders["sent"]))
    done_at = _times(orders["filled_at"], updated)
    orders = orders.assign(done_ms=done_at, sent_ms=_times(orders["sent"], done_at), end_ms=updated)
    low = -np.inf if since_ms is None else since_ms
    high = np.inf if until_ms is None else until_ms
    sign = np.where(orders["side"] == "buy", 1, -1)
    signed = np.where(orders["filled"] > 0, sign * orders["filled"], 0.0)
    opening = float(signed[orders["done_ms"] < low].sum())
    orders = orders.assign(sign=sign)
    orders = orders[(orders["done_ms"] >= low) & (orders["done_ms"] <= high)]
    if not len(orders):
        return None
    orders = orders.sort_values("sent_ms", kind="stable").reset_index(drop=True)
    paid_ms = _times(funding["at"])
    inside = (paid_ms >= low) & (paid_ms <= high)
    start = int(min(orders["sent_ms"].min(), orders["done_ms"].min()))
    end = int(max(orders["done_ms"].max(), paid_ms[inside].max(initial=0)))
    largest = max(float(np.abs(signed).max(initial=0)), 1e-12)
    return Record(
        coin=coin,
        source=str(database),
        start_ms=start,
        end_ms=end,
        fills=_fills(orders),
        quotes=_quotes(orders, end),
        seen=Observations(np.empty(0, np.int64), np.empty(0)),
        refusals=Refusals(np.empty(0, np.int64), np.empty(0, dtype=object)),
        funding_ms=np.sort(paid_ms[inside]),
        funding=np.asarray(funding["amount"], float)[inside][np.argsort(paid_ms[inside])],
        funding_bot=np.zeros(int(inside.sum()), np.int64),
        bots=[BotSpan("freqtrade", start, end, 0.0 if abs(opening) < 1e-9 * largest else opening)],
        notes=[_COARSE],
    )


def _fills(orders: pd.DataFrame) -> Fills:
    done = orders[orders["filled"] > 0].sort_values("done_ms", kind="stable")
    opens = (done["sign"] > 0) != done["is_short"].astype(bool)
    rate = np.where(opens, done["fee_open"], done["fee_close"])
    price, size = _numbers(done["average"]), _numbers(done["filled"])
    return Fills(
        time_ms=np.asarray(done["done_ms"], np.int64),
        sign=np.asarray(done["sign"], np.int64),
        price=price,
        size=size,
        fee=np.nan_to_num(_numbers(pd.Series(rate))) * price * size,
        maker=np.full(len(done), np.nan),
        rested_s=np.asarray((done["done_ms"] - done["sent_ms"]) / 1000, float),
        own_mid=np.full(len(done), np.nan),
        quote=np.asarray(done.index, np.int64),
        bot=np.zeros(len(done), np.int64),
    )


def _quotes(orders: pd.DataFrame, end: int) -> Quotes:
    unknown = np.full(len(orders), np.nan)
    nothing = Words.unknown(len(orders))
    resting = np.asarray(orders["is_open"], bool)
    ended = np.where(resting, end, np.maximum(orders["done_ms"], orders["end_ms"]))
    return Quotes(
        time_ms=np.asarray(orders["sent_ms"], np.int64),
        end_ms=np.asarray(ended, np.int64),
        sign=np.asarray(orders["sign"], np.int64),
        size=_numbers(orders["amount"]),
        filled=_numbers(orders["filled"]),
        refused=np.asarray(orders["status"] == "rejected", bool),
        calibration_id=nothing,
        regime=nothing,
        bot=np.zeros(len(orders), np.int64),
        **dict.fromkeys(("mid", "depth", "edge", "queue_ahead"), unknown),
    )


def _numbers(column: pd.Series) -> NDArray[np.float64]:
    return np.asarray(pd.to_numeric(column, errors="coerce"), dtype=np.float64)


def _times(column: pd.Series, instead: Int1D | None = None) -> Int1D:
    """Epoch milliseconds of Freqtrade's times, which are UTC without saying so."""
    parsed = pd.to_datetime(column, utc=True, format="ISO8601", errors="coerce")
    values = parsed.to_numpy(dtype="datetime64[ms]").astype(np.int64)
    unknown = np.asarray(parsed.isna())
    return np.where(unknown, 0 if instead is None else instead, values)
