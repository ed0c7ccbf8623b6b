"""A replay written as a journal, as the bot it stands for would have written it."""

from collections.abc import Iterator
from heapq import merge
from pathlib import Path
from typing import Final

import numpy as np

from advanced_mm.journal import JournalWriter
from advanced_mm.journal.events import (
    Event,
    Fill,
    Funding,
    Look,
    Outcome,
    Purpose,
    QuoteEnded,
    QuoteSent,
    RefusalChanged,
    Side,
)
from advanced_mm.quoting.quoter import kind_of
from advanced_mm.replay.conversion import NS_PER_MS
from advanced_mm.replay.layout import Ended
from advanced_mm.replay.result import ReplayResult

__all__ = ["journal_events", "write_journal"]

_SIDES: Final[tuple[Side, Side]] = ("bid", "ask")
_WHY: Final = {
    Ended.RESTING: "the replay ended",
    Ended.FILLED: "filled",
    Ended.DRIFTED: "its price was off",
    Ended.EXPIRED: "it was too old",
    Ended.REFUSED: "quoting was refused",
    Ended.REPLACED_BY_EXIT: "the position is closed instead",
    Ended.REPLAY_ENDED: "the replay ended",
    Ended.VENUE_REFUSED: "the venue refused it: it would have taken liquidity",
}
_FLUSH_EVERY: Final = 50_000
_MINUTE_MS: Final = 60_000


def write_journal(folder: Path, result: ReplayResult) -> int:
    """Add a replay to the journal in ``folder`` and return the number of events.

    The bot's name is the result's; write replays under different names (`ReplayResult.renamed`).

    Raises
    ------
    InputError
        The name or the coin cannot be part of a journal.
    """
    now = [result.start_ms]
    writer = JournalWriter(folder, result.bot, clock_ms=lambda: now[0], monotonic_ms=lambda: now[0])
    count = 0
    try:
        for count, event in enumerate(journal_events(result), 1):
            now[0] = event.time_ms
            writer.record(event)
            if count % _FLUSH_EVERY == 0:
                writer.flush()
    finally:
        writer.close()
    return count


def journal_events(result: ReplayResult) -> Iterator[Event]:
    """Yield a replay's events in order of their times."""
    streams = (_looks(result), _refusals(result), _quotes(result), _fills(result))
    yield from merge(*streams, _ends(result), _funding(result), key=lambda event: event.time_ms)


def _names(result: ReplayResult) -> dict[str, str]:
    return {"coin": result.data.coin, "bot": result.bot}


def _order(number: int) -> str:
    return f"replay-{number}"


def _quotes(result: ReplayResult) -> Iterator[Event]:
    quotes, edge = result.quotes, result.quote_edge
    columns = [result.prices(quotes[name]).tolist() for name in ("price", "bid", "ask")]
    step = (quotes["step"] * result.data.tick).tolist()
    for number, (row, price, bid, ask) in enumerate(zip(quotes, *columns, strict=True)):
        side, units, at_touch = _SIDES[row["side"]], int(row["units"]), bool(row["at_touch"])
        closes = units > 0 if side == "ask" else units < 0
        purpose: Purpose = "at_touch" if at_touch else "exit" if closes else "entry"
        known = result.decisions.calibration_id[row["row"]]
        yield QuoteSent(
            time_ms=int(row["sent_ns"] // NS_PER_MS),
            **_names(result),
            order=_order(number),
            side=side,
            price=price,
            size=float(row["size"]),
            mid=(bid + ask) / 2,
            bid=bid,
            ask=ask,
            depth=float(row["depth"]),
            tick=step[number],
            inventory=float(row["position"]),
            units=units,
            purpose=purpose,
            calibration_id=None if at_touch or not known else known,
            expected_edge=float(edge[number]) if np.isfinite(edge[number]) else None,
            queue_ahead=0.0 if result.queue == "front" else None,
        )


def _ends(result: ReplayResult) -> Iterator[Event]:
    quotes = result.quotes
    for number in np.argsort(quotes["ended_ns"], kind="stable").tolist():
        row = quotes[number]
        ended, filled = Ended(int(row["ended"])), float(row["filled"])
        outcome: Outcome = "partial" if filled > 0 else "cancelled"
        if ended is Ended.FILLED:
            outcome = "filled"
        elif ended is Ended.VENUE_REFUSED:
            outcome = "refused"
        why = _WHY[ended]
        if ended is Ended.REFUSED and row["refusal"]:
            why = result.reason(int(row["refusal"]))
        yield QuoteEnded(
            time_ms=int(row["ended_ns"] // NS_PER_MS),
            **_names(result),
            order=_order(number),
            outcome=outcome,
            why=why,
            filled_size=filled,
            age_seconds=float((row["ended_ns"] - row["sent_ns"]) / 1e9),
        )


def _fills(result: ReplayResult) -> Iterator[Event]:
    mid, _ = result.mids.at(result.time_ms - 1)
    columns = (result.time_ms, result.sign, result.price, result.size, result.fee)
    more = (result.rested_s, mid, result.position_after, result.fills["quote"])
    rows = zip(*(column.tolist() for column in (*columns, *more)), strict=True)
    for number, (time_ms, sign, price, size, fee, rested, seen, position, quote) in enumerate(rows):
        yield Fill(
            time_ms=time_ms,
            **_names(result),
            fill=f"{result.bot}-{number}",
            order=_order(quote),
            side="bid" if sign > 0 else "ask",
            price=price,
            size=size,
            fee=fee,
            liquidity="maker",
            rested_seconds=rested,
            mid=seen if np.isfinite(seen) else None,
            position_after=position,
        )


def _refusals(result: ReplayResult) -> Iterator[Event]:
    for row in result.refusals:
        reason = result.reason(int(row["code"]))
        yield RefusalChanged(
            time_ms=int(row["time_ns"] // NS_PER_MS),
            **_names(result),
            kind=kind_of(reason),
            reason=reason or None,
        )


def _funding(result: ReplayResult) -> Iterator[Event]:
    for time_ms, amount, position in zip(*(c.tolist() for c in result.funding_paid), strict=True):
        yield Funding(time_ms=time_ms, **_names(result), amount=amount, position=position)


def _looks(result: ReplayResult) -> Iterator[Event]:
    """The account at both ends and at whole minutes, as the exchange's time has it."""
    first, last = result.start_ms, result.end_ms
    minutes = np.arange(first // _MINUTE_MS + 1, -(-last // _MINUTE_MS)) * _MINUTE_MS
    times = np.unique(np.concatenate([[first], minutes, [last]]))
    done = np.searchsorted(result.time_ms, times, "right")
    cash = np.concatenate([[0.0], result.cash_after()])[done]
    position = np.concatenate([[0.0], result.position_after])[done]
    paid_ms, paid, _ = result.funding_paid
    cash += np.concatenate([[0.0], np.cumsum(paid)])[np.searchsorted(paid_ms, times, "right")]
    mid, _ = result.mids.at(times)
    for i, time_ms in enumerate(times.tolist()):
        seen = float(mid[i]) if np.isfinite(mid[i]) else None
        worth = float(position[i] * mid[i]) if position[i] else 0.0
        yield Look(
            time_ms=time_ms,
            **_names(result),
            what="start" if time_ms == first else "end" if time_ms == last else "minute",
            position=float(position[i]),
            mid=seen,
            mark=seen,
            cash=float(cash[i]),
            equity=float(cash[i] + worth),
        )
