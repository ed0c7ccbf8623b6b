"""A replay as events of the journal, as a bot would have written them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np

from advanced_mm.journal import (
    Event,
    Fill,
    Funding,
    JournalWriter,
    Look,
    QuoteEnded,
    QuoteSent,
    RefusalChanged,
)
from advanced_mm.journal.events import Outcome, Purpose, Side
from advanced_mm.quoting.quoter import kind_of
from advanced_mm.replay.conversion import NS_PER_MS
from advanced_mm.replay.figures import equity_at
from advanced_mm.replay.layout import Ended
from advanced_mm.replay.result import ReplayResult

__all__ = ["replay_events", "write_journal"]

_FLUSH_EVERY: Final = 50_000
_SIDES: Final[tuple[Side, Side]] = ("bid", "ask")
_WHY: Final = {
    Ended.RESTING: "",
    Ended.FILLED: "filled",
    Ended.DRIFTED: "the wanted price moved away",
    Ended.EXPIRED: "older than max_quote_age_seconds and off the wanted price",
    Ended.REFUSED: "refused",
    Ended.REPLACED_BY_EXIT: "partly filled: what was bought or sold is offered",
    Ended.REPLAY_ENDED: "the replay ended",
    Ended.VENUE_REFUSED: "post-only: it would have taken liquidity",
}


def replay_events(result: ReplayResult) -> list[Event]:
    """Return all events of a replay in the order of their times."""
    events = [
        *_looks(result),
        *_sent(result),
        *_fills(result),
        *_ended(result),
        *_refusals(result),
        *_funding(result),
    ]
    return sorted(events, key=lambda event: event.time_ms)  # stable: an end follows its fill


def write_journal(result: ReplayResult, folder: Path) -> None:
    """Write a replay's events into a journal, which the performance report can read.

    Its clock is the replay's, so that the day files are those of the replay's days. Write replays
    of one recording under different names (`ReplayResult.renamed`).
    """
    now_ms = result.start_ms
    writer = JournalWriter(folder, result.bot, clock_ms=lambda: now_ms, monotonic_ms=lambda: now_ms)
    try:
        for count, event in enumerate(replay_events(result), 1):
            now_ms = event.time_ms
            writer.record(event)
            if count % _FLUSH_EVERY == 0:
                writer.flush()
    finally:
        writer.close()


def _order(result: ReplayResult, place: int) -> str:
    return f"{result.bot}-{result.queue}-{place + 1}"


def _sent(result: ReplayResult) -> Iterator[QuoteSent]:
    quotes, edge = result.quotes, result.quote_edge
    price, bid, ask = (result.prices(quotes[name]) for name in ("price", "bid", "ask"))
    tick = np.round(quotes["step"] * result.data.tick, 10)
    for place, quote in enumerate(quotes):
        at_touch = bool(quote["at_touch"])
        closes = quote["units"] < 0 if quote["side"] == 0 else quote["units"] > 0
        purpose: Purpose = "exit" if closes else "entry"
        name = result.decisions.calibration_id[quote["row"]]
        yield QuoteSent(
            time_ms=int(quote["sent_ns"] // NS_PER_MS),
            coin=result.data.coin,
            bot=result.bot,
            order=_order(result, place),
            side=_SIDES[quote["side"]],
            price=float(price[place]),
            size=float(quote["size"]),
            mid=float(bid[place] + ask[place]) / 2,
            depth=float(quote["depth"]),
            fair_price=_fair_price(quote, float(bid[place] + ask[place]) / 2),
            tick=float(tick[place]),
            inventory=float(quote["position"]),
            units=int(quote["units"]),
            purpose="at_touch" if at_touch else purpose,
            bid=float(bid[place]),
            ask=float(ask[place]),
            calibration_id=None if at_touch or not name else name,
            expected_edge=float(edge[place]) if np.isfinite(edge[place]) else None,
            queue_ahead=0.0 if result.queue == "front" else None,
        )


def _fair_price(quote: Any, mid: float) -> float | None:
    """Return the price that a quote was set around, None for the mid."""
    fair = float(quote["fair"])
    return None if abs(fair - mid) <= 1e-9 * mid else fair


def _ended(result: ReplayResult) -> Iterator[QuoteEnded]:
    for place, quote in enumerate(result.quotes):
        ended, filled = Ended(int(quote["ended"])), float(quote["filled"])
        outcome: Outcome = "partial" if filled > 0 else "cancelled"
        if ended == Ended.FILLED:
            outcome = "filled"
        elif ended == Ended.VENUE_REFUSED and filled == 0:
            outcome = "refused"
        refused = ended == Ended.REFUSED
        yield QuoteEnded(
            time_ms=int(quote["ended_ns"] // NS_PER_MS),
            coin=result.data.coin,
            bot=result.bot,
            order=_order(result, place),
            outcome=outcome,
            why=result.reason(int(quote["refusal"])) if refused else _WHY[ended],
            filled_size=filled,
            age_seconds=float(quote["ended_ns"] - quote["sent_ns"]) / 1e9,
        )


def _fills(result: ReplayResult) -> Iterator[Fill]:
    mid, _ = result.mids.at(result.time_ms - 1)
    columns = zip(
        result.time_ms.tolist(),
        result.fills["quote"].tolist(),
        result.fills["side"].tolist(),
        result.price.tolist(),
        result.size.tolist(),
        result.fee.tolist(),
        result.rested_s.tolist(),
        mid.tolist(),
        result.position_after.tolist(),
        strict=True,
    )
    for number, (time_ms, quote, side, price, size, fee, rested, seen, after) in enumerate(columns):
        yield Fill(
            time_ms=time_ms,
            coin=result.data.coin,
            bot=result.bot,
            fill=f"{_order(result, quote)}-{number + 1}",
            order=_order(result, quote),
            side=_SIDES[side],
            price=price,
            size=size,
            fee=fee,
            liquidity="maker",
            rested_seconds=rested,
            mid=seen if np.isfinite(seen) else None,
            position_after=after,
        )


def _refusals(result: ReplayResult) -> Iterator[RefusalChanged]:
    for row in result.refusals:
        reason = result.reason(int(row["code"]))
        yield RefusalChanged(
            time_ms=int(row["time_ns"] // NS_PER_MS),
            coin=result.data.coin,
            bot=result.bot,
            kind=kind_of(reason),
            reason=reason or None,
        )


def _funding(result: ReplayResult) -> Iterator[Funding]:
    for time_ms, amount, position in zip(*result.funding_paid, strict=True):
        yield Funding(
            time_ms=int(time_ms),
            coin=result.data.coin,
            bot=result.bot,
            amount=float(amount),
            position=float(position),
        )


def _looks(result: ReplayResult) -> Iterator[Look]:
    """The state at the start, once a minute and at the end, of the market as it was then."""
    minutes = (result.looks["time_ns"] // NS_PER_MS).tolist()
    inside = [time for time in minutes if result.start_ms < time < result.end_ms]
    times = np.array([result.start_ms, *inside, result.end_ms], dtype=np.int64)
    mid, _ = result.mids.at(times)
    equity = equity_at(result, times)
    done = np.searchsorted(result.time_ms, times, side="right")
    position = np.concatenate([[result.opening.inventory], result.position_after])[done]
    for place, time_ms in enumerate(times.tolist()):
        known = bool(np.isfinite(mid[place]))
        held = float(position[place])
        worth = held * float(mid[place]) if held and known else 0.0
        yield Look(
            time_ms=time_ms,
            coin=result.data.coin,
            bot=result.bot,
            what="start" if place == 0 else "end" if place == len(times) - 1 else "minute",
            position=held,
            mid=float(mid[place]) if known else None,
            mark=float(mid[place]) if known else None,
            cash=float(equity[place]) - worth,
            equity=float(equity[place]),
        )
