"""Removal of invalid rows from the venue's replies before ccxt parses them.

A single fill or position with a size of NaN raises a ValueError in ccxt that Freqtrade does not
catch and that would stop the bot. Each row of a reply is checked here; invalid ones are dropped and
counted.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any, Final

from advanced_mm.bad_rows import BadRows

__all__ = ["POSITIONS", "judge_replies", "sound_reply"]

Json = Any
POSITIONS: Final = "positions"
"""Kind under which invalid positions are counted."""

_POSITIVE: Final = "a positive number"
_FINITE: Final = "a finite number"
_WHOLE: Final = "a whole number"


def sound_reply(request: Mapping[str, Any], reply: Json, bad_rows: BadRows) -> Json:
    """Return the reply to an ``/info`` request without invalid rows; the same object if none.

    Parameters
    ----------
    request
        ``{"type": ..., ...}``; replies of types without a list of rows are passed through.
    reply
        The venue's reply.
    bad_rows
        Counts the dropped rows: fills, orders, candles, positions, funding payments, book levels,
        coins of meta.
    """
    judge = _JUDGES.get(str(request.get("type")))
    return reply if judge is None else judge(reply, bad_rows)


def judge_replies(client: Any, bad_rows: BadRows) -> None:
    """Drop invalid rows from the replies to an asynchronous ccxt client; call it once."""
    ask = client.publicPostInfo

    async def judged(request: Mapping[str, Any], *arguments: Any) -> Json:
        return sound_reply(request, await ask(request, *arguments), bad_rows)

    client.publicPostInfo = judged


def _number(row: Mapping[str, Any], name: str, wanted: str) -> None:
    """Raise if a field is present, not null and not such a number."""
    value = row.get(name)
    if value is None:
        return
    number = float(value)
    if not math.isfinite(number) or (wanted == _POSITIVE and number <= 0):
        raise ValueError(f"{name} {value!r} is not {wanted}")
    if wanted == _WHOLE and number != int(number):
        raise ValueError(f"{name} {value!r} is not {wanted}")


def _needs(row: Mapping[str, Any], *names: str) -> None:
    for name in names:
        if row[name] is None:
            raise KeyError(name)


def _fill(row: Mapping[str, Any]) -> None:
    _needs(row, "coin", "px", "sz", "time", "oid")
    for name in ("px", "sz"):
        _number(row, name, _POSITIVE)
    for name in ("fee", "startPosition", "closedPnl", "builderFee"):
        _number(row, name, _FINITE)
    _number(row, "time", _WHOLE)


def _order(row: Mapping[str, Any]) -> None:
    _needs(row, "coin", "limitPx", "sz", "oid")
    for name in ("limitPx", "sz", "origSz", "triggerPx"):
        _number(row, name, _FINITE)
    _number(row, "timestamp", _WHOLE)


def _order_of_history(row: Mapping[str, Any]) -> None:
    _order(row["order"])


def _candle(row: Mapping[str, Any]) -> None:
    _needs(row, "t", "o", "h", "l", "c", "v")
    for name in ("o", "h", "l", "c"):
        _number(row, name, _POSITIVE)
    _number(row, "v", _FINITE)
    _number(row, "t", _WHOLE)


def _position(row: Mapping[str, Any]) -> None:
    position = row["position"]
    _needs(position, "coin", "szi")
    numbers = ("szi", "entryPx", "positionValue", "unrealizedPnl", "returnOnEquity", "marginUsed")
    for name in (*numbers, "liquidationPx"):
        _number(position, name, _FINITE)


def _payment(row: Mapping[str, Any]) -> None:
    _needs(row, "time")
    _number(row, "time", _WHOLE)
    _needs(row["delta"], "coin", "usdc")
    for name in ("usdc", "szi", "fundingRate"):
        _number(row["delta"], name, _FINITE)


def _level(row: Mapping[str, Any]) -> None:
    _needs(row, "px", "sz")
    _number(row, "px", _POSITIVE)
    _number(row, "sz", _FINITE)


def _fault(check: Callable[[Mapping[str, Any]], None], row: Json) -> str | None:
    """Return why a row is invalid, None if it is valid."""
    try:
        check(row)
    except KeyError as error:
        return f"{error.args[0]} is missing in {row!r}"
    except (TypeError, ValueError, AttributeError, OverflowError) as error:
        return f"{error} in {row!r}"
    return None


def _good_rows(
    kind: str, check: Callable[[Mapping[str, Any]], None], rows: Json, bad_rows: BadRows
) -> Json:
    if not isinstance(rows, list):
        return rows
    faults = [_fault(check, row) for row in rows]
    if not any(faults):
        return rows
    for fault in filter(None, faults):
        bad_rows.add(kind, fault)
    return [row for row, fault in zip(rows, faults, strict=True) if fault is None]


def _list_of(
    kind: str, check: Callable[[Mapping[str, Any]], None]
) -> Callable[[Json, BadRows], Json]:
    return lambda reply, bad_rows: _good_rows(kind, check, reply, bad_rows)


def _account(reply: Json, bad_rows: BadRows) -> Json:
    if not isinstance(reply, dict):
        return reply
    rows = reply.get("assetPositions")
    good = _good_rows(POSITIONS, _position, rows, bad_rows)
    return reply if good is rows else {**reply, "assetPositions": good}


def _book(reply: Json, bad_rows: BadRows) -> Json:
    sides = reply.get("levels") if isinstance(reply, dict) else None
    if not isinstance(sides, list):
        return reply
    good = [_good_rows("book", _level, side, bad_rows) for side in sides]
    if all(one is other for one, other in zip(good, sides, strict=True)):
        return reply
    return {**reply, "levels": good}


def _meta(reply: Json, bad_rows: BadRows) -> Json:
    """Mark invalid coins as delisted; they keep their index, which identifies coins in orders."""
    if not (isinstance(reply, list) and len(reply) > 1 and isinstance(reply[0], dict)):
        return reply
    universe, contexts, *rest = reply
    coins = universe.get("universe")
    if not (isinstance(coins, list) and isinstance(contexts, list)):
        return reply
    faults = [_fault(_coin, coin) for coin in coins]
    spoilt = [_fault(_context, context) for context in contexts]
    if not any(faults) and not any(spoilt):
        return reply
    for fault in filter(None, (*faults, *spoilt)):
        bad_rows.add("meta", fault)
    placed = [
        {"name": f"UNREADABLE{i}", "szDecimals": 0, "maxLeverage": 1, "isDelisted": True}
        if fault
        else coin
        for i, (coin, fault) in enumerate(zip(coins, faults, strict=True))
    ]
    known = [{} if f else context for context, f in zip(contexts, spoilt, strict=True)]
    return [{**universe, "universe": placed}, known, *rest]


def _coin(row: Mapping[str, Any]) -> None:
    if not (isinstance(row["name"], str) and row["name"]):
        raise ValueError(f"name {row['name']!r}")
    if not (isinstance(row["szDecimals"], int) and 0 <= row["szDecimals"] <= 8):
        raise ValueError(f"szDecimals {row['szDecimals']!r}")
    _number(row, "maxLeverage", _POSITIVE)


def _context(row: Mapping[str, Any]) -> None:
    for name in ("markPx", "midPx", "oraclePx", "prevDayPx", "dayNtlVlm", "funding"):
        _number(row, name, _FINITE)


_JUDGES: Final[Mapping[str, Callable[[Json, BadRows], Json]]] = {
    "userFills": _list_of("fills", _fill),
    "userFillsByTime": _list_of("fills", _fill),
    "openOrders": _list_of("orders", _order),
    "frontendOpenOrders": _list_of("orders", _order),
    "historicalOrders": _list_of("orders", _order_of_history),
    "candleSnapshot": _list_of("candles", _candle),
    "userFunding": _list_of("funding", _payment),
    "clearinghouseState": _account,
    "l2Book": _book,
    "metaAndAssetCtxs": _meta,
}
