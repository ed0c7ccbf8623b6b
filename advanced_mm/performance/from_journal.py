"""The record of a coin from the journal that its bots wrote."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from advanced_mm.errors import InputError
from advanced_mm.instruments import resolve_coin
from advanced_mm.journal import (
    Event,
    Fill,
    Funding,
    Journal,
    JournalNotes,
    Look,
    QuoteEnded,
    QuoteSent,
    RefusalChanged,
    RequestsUsed,
    journal_coins,
    read_journal,
)
from advanced_mm.marketdata.records import Float1D, Int1D
from advanced_mm.performance.records import (
    BotSpan,
    Fills,
    Observations,
    Quotes,
    Record,
    Refusals,
    Words,
)

__all__ = ["journal_records", "record_of"]

NOT_RUNNING: Final = "no bot was running"
_PAUSE_MS: Final = 90_000
"""Looks are a minute apart: a longer silence means that nothing ran."""
_LEAST_READINGS: Final = 2
_TRADED: Final = (Fill, QuoteSent, QuoteEnded, Look, Funding)


def journal_records(
    folder: Path,
    coin: str | None = None,
    since_ms: int | None = None,
    until_ms: int | None = None,
    bot: str | None = None,
) -> Iterator[Record]:
    """Read the record of each coin that was traded, one after the other.

    Parameters
    ----------
    folder : Path
        The journal's.
    coin : str, optional
        One coin, in any spelling; None reads all.
    since_ms, until_ms : int, optional
        Bounds of the events' times, both included.
    bot : str, optional
        One bot; None takes all as one book.

    Raises
    ------
    InputError
        There is no journal, or the coin or the bot is not in it.
    """
    read_journal(folder, None, 0, 0)  # says so where there is none
    coins = journal_coins(folder)
    if coin is not None:
        coins = [resolve_coin(coin, coins, f"the journal {str(folder)!r}")]
    bots: set[str] = set()
    found = False
    for one in coins:
        journal = read_journal(folder, one, since_ms, until_ms)
        tables, notes = dict(journal.tables), journal.notes
        del journal  # a record is taken from its tables one by one, for they are large
        here = _take_coin(tables, one)
        bots |= here
        if here and (bot is None or bot in here):
            found = True
            record = _record(tables, one, sorted(here) if bot is None else [bot], notes)
            pa.default_memory_pool().release_unused()
            yield replace(record, source=str(folder))
    if bot is not None and not found:
        known = ", ".join(sorted(bots)) or "none"
        raise InputError(
            f"bot {bot!r} wrote nothing in the journal {str(folder)!r} in that time; those that "
            f"did: {known}."
        )


def record_of(journal: Journal, coin: str) -> Record | None:
    """Return the record of one coin, all its bots as one book; None if nothing traded it.

    ``coin`` is the venue's name.
    """
    tables = dict(journal.tables)
    bots = _take_coin(tables, coin)
    return _record(tables, coin, sorted(bots), journal.notes) if bots else None


def _take_coin(tables: dict[str, pa.Table], coin: str) -> set[str]:
    """Leave a coin's own trading in the tables; return the bots that did it."""
    for kind in _TRADED:
        tables[kind.event] = _of_coin(tables[kind.event], coin)
    return {name for kind in _TRADED for name in _unique(tables[kind.event], "bot")}


def _record(
    tables: dict[str, pa.Table], coin: str, bots: Sequence[str], notes: JournalNotes
) -> Record:
    """Build a record; it empties ``tables`` as it goes."""

    def take(kind: type[Event]) -> pa.Table:
        return _of_bots(tables.pop(kind.event), bots)

    traded = {kind: take(kind) for kind in _TRADED}
    spans = _running(traded.values())
    start, end = int(spans[0, 0]), int(spans[-1, 1])
    seen = _observations(traded[Look], traded[QuoteSent])
    last = _last_of_run(traded.values())
    quotes, orders = _quotes(traded.pop(QuoteSent), traded.pop(QuoteEnded), bots, last)
    fills = _fills(traded.pop(Fill), orders, bots)
    funding, looks = traded[Funding], traded[Look]
    order = np.argsort(_ints(funding, "time_ms"), kind="stable")
    refusals = _with_account(take(RefusalChanged), coin)
    return Record(
        coin=coin,
        source="",
        start_ms=start,
        end_ms=end,
        fills=fills,
        quotes=_with_fills(quotes, fills),
        seen=seen,
        refusals=_refusals(refusals, spans),
        funding_ms=_ints(funding, "time_ms")[order],
        funding=_floats(funding, "amount")[order],
        funding_bot=_places(funding, "bot", bots)[order],
        bots=[_span(name, number, looks, fills, start, end) for number, name in enumerate(bots)],
        requests=_requests(take(RequestsUsed), bots),
        skipped=notes.damaged,
        notes=notes.sentences(),
    )


def _of_coin(table: pa.Table, coin: str) -> pa.Table:
    return _kept(table, pc.equal(table["coin"], coin))


def _with_account(table: pa.Table, coin: str) -> pa.Table:
    return _kept(table, pc.is_in(table["coin"], pa.array(["", coin])))


def _of_bots(table: pa.Table, bots: Sequence[str]) -> pa.Table:
    return _kept(table, pc.is_in(table["bot"], pa.array(list(bots))))


def _kept(table: pa.Table, chosen: pa.ChunkedArray) -> pa.Table:
    """Filter, but without a copy where all is chosen."""
    return table if pc.all(chosen).as_py() in (True, None) else table.filter(chosen)


def _ints(table: pa.Table, name: str) -> Int1D:
    return np.asarray(table[name].to_numpy(), dtype=np.int64)


def _floats(table: pa.Table, name: str) -> Float1D:
    return np.array(table[name].cast(pa.float64()).to_numpy(), dtype=np.float64)


def _words(table: pa.Table, name: str) -> Words:
    encoded = table[name].cast(pa.string()).combine_chunks().dictionary_encode()
    codes = pc.fill_null(encoded.indices, -1).to_numpy()
    return Words(np.asarray(codes, dtype=np.int64), encoded.dictionary.to_pylist())


def _unique(table: pa.Table, name: str) -> list[str]:
    return [word for word in pc.unique(table[name]).to_pylist() if word is not None]


def _places(table: pa.Table, name: str, known: pa.Array | Sequence[str]) -> Int1D:
    """Return where each row's word stands among the known ones, -1 for another."""
    words = known if isinstance(known, pa.Array) else pa.array(list(known), pa.string())
    place = pc.index_in(table[name].cast(pa.string()), value_set=words)
    return np.asarray(pc.fill_null(place, -1).to_numpy(), dtype=np.int64)


def _signs(table: pa.Table) -> Int1D:
    bids = pc.equal(table["side"], "bid").to_numpy()
    return np.where(np.asarray(bids, dtype=bool), 1, -1)


def _running(tables: Iterable[pa.Table]) -> Int1D:
    """When anything was written: rows of start and end, pauses left out."""
    times = np.sort(np.concatenate([_ints(table, "time_ms") for table in tables]))
    gaps = np.flatnonzero(np.diff(times) > _PAUSE_MS)
    first = np.concatenate([[0], gaps + 1])
    last = np.concatenate([gaps, [len(times) - 1]])
    return np.column_stack([times[first], times[last]])


def _fills(table: pa.Table, orders: pa.Array, bots: Sequence[str]) -> Fills:
    times = _ints(table, "time_ms")
    liquidity = table["liquidity"]
    maker = pc.if_else(pc.is_null(liquidity), None, pc.equal(liquidity, "maker").cast(pa.float64()))
    fills = Fills(
        time_ms=times,
        sign=_signs(table),
        price=_floats(table, "price"),
        size=_floats(table, "size"),
        fee=_floats(table, "fee"),
        maker=np.array(maker.to_numpy(), dtype=np.float64),
        rested_s=_floats(table, "rested_seconds"),
        own_mid=_floats(table, "mid"),
        quote=_places(table, "order", orders),
        bot=_places(table, "bot", bots),
    )
    if (np.diff(times) >= 0).all():
        return fills
    return fills.rows(np.argsort(times, kind="stable"))


def _quotes(
    sent: pa.Table,
    ended: pa.Table,
    bots: Sequence[str],
    last: Mapping[int, int],
) -> tuple[Quotes, pa.Array]:
    """Join the quotes with their ends; one without an end rested until its process fell silent."""
    orders = sent["order"].cast(pa.string()).combine_chunks()
    place = _places(ended, "order", orders)
    known = place >= 0
    end = _end_of_run(sent, last)
    end[place[known]] = _ints(ended, "time_ms")[known]
    filled = np.zeros(len(orders))
    filled[place[known]] = _floats(ended, "filled_size")[known]
    refused = np.zeros(len(orders), dtype=bool)
    outcome = np.asarray(pc.equal(ended["outcome"], "refused").to_numpy(), dtype=bool)
    refused[place[known & outcome]] = True
    times = _ints(sent, "time_ms")
    columns = ("price", "size", "mid", "depth", "toxicity", "volatility", "queue_ahead")
    return (
        Quotes(
            time_ms=times,
            end_ms=np.maximum(end, times),
            sign=_signs(sent),
            filled=filled,
            edge=_floats(sent, "expected_edge"),
            refused=refused,
            calibration_id=_words(sent, "calibration_id"),
            regime=_words(sent, "regime"),
            bot=_places(sent, "bot", bots),
            **{name: _floats(sent, name) for name in columns},
        ),
        orders,
    )


def _last_of_run(tables: Iterable[pa.Table]) -> dict[int, int]:
    """The last time that each process wrote anything of."""
    runs, latest = [], []
    for table in tables:
        run, times = _ints(table, "run"), _ints(table, "time_ms")
        first = np.flatnonzero(np.diff(run, prepend=-1))
        runs.append(run[first])
        latest.append(np.maximum.reduceat(times, first) if len(first) else times)
    names, place = np.unique(np.concatenate(runs), return_inverse=True)
    last = np.zeros(len(names), dtype=np.int64)
    np.maximum.at(last, place, np.concatenate(latest))
    return dict(zip(names.tolist(), last.tolist(), strict=True))


def _end_of_run(sent: pa.Table, last: Mapping[int, int]) -> Int1D:
    """The last word of the process that sent each quote."""
    found = np.array(sorted(last), dtype=np.int64)
    ends = np.array([last[run] for run in found.tolist()], dtype=np.int64)
    return np.asarray(ends[np.searchsorted(found, _ints(sent, "run"))])


def _with_fills(quotes: Quotes, fills: Fills) -> Quotes:
    """Count what fills tell of quotes whose end was not written."""
    known = fills.quote >= 0
    told = np.bincount(fills.quote[known], fills.size[known], minlength=len(quotes))
    np.maximum(quotes.filled, told, out=quotes.filled)
    return quotes


def _observations(looks: pa.Table, sent: pa.Table) -> Observations:
    """Mids of looks and of quotes, each as it was seen."""
    times = [_ints(looks, "time_ms"), _ints(sent, "time_ms")]
    mids = [_floats(looks, "mid"), _floats(sent, "mid")]
    time_ms, mid = np.concatenate(times), np.concatenate(mids)
    known = np.flatnonzero(np.isfinite(mid))
    order = known[np.argsort(time_ms[known], kind="stable")]
    return Observations(time_ms[order], mid[order])


def _refusals(table: pa.Table, spans: Int1D) -> Refusals:
    """Add to the bots' reasons the time in which none of them ran."""
    pauses = np.column_stack([spans[:-1, 1], spans[1:, 0]])
    times = np.concatenate([_ints(table, "time_ms"), pauses[:, 0], pauses[:, 1]])
    kinds = np.concatenate(
        [
            np.array(table["kind"].to_pylist(), dtype=object),
            np.full(len(pauses), NOT_RUNNING, dtype=object),
            np.full(len(pauses), "", dtype=object),
        ]
    )
    order = np.argsort(times, kind="stable")
    return Refusals(times[order], kinds[order])


def _span(
    name: str, number: int, looks: pa.Table, fills: Fills, start_ms: int, end_ms: int
) -> BotSpan:
    """What a bot held and was worth at its first look and its last."""
    own = fills.rows(fills.bot == number)
    looks = _of_bots(looks, [name])
    if not looks.num_rows:
        return BotSpan(name, start_ms, end_ms)
    times = _ints(looks, "time_ms")
    position, equity = _floats(looks, "position"), _floats(looks, "equity")
    mark, mid = _floats(looks, "mark"), _floats(looks, "mid")
    value = np.where(np.isfinite(mark), mark, mid)
    first, last = int(np.argmin(times)), int(len(times) - 1 - np.argmax(times[::-1]))
    before = own.time_ms < times[first]
    until = own.time_ms <= times[last]
    opening = position[first] - float(own.signed_size[before].sum())
    missed = position[last] - opening - float(own.signed_size[until].sum())
    scale = max(float(own.size.max(initial=0.0)), abs(opening), 1e-12)
    ended = bool(until.all())
    return BotSpan(
        name,
        int(times[first]),
        int(times[last]) if ended else end_ms,
        opening=0.0 if abs(opening) < 1e-9 * scale else opening,
        start_mark=value[first],
        end_mark=value[last] if ended else np.nan,
        start_equity=equity[first],
        end_equity=equity[last] if ended else np.nan,
        missed=0.0 if abs(missed) < 1e-9 * scale else missed,
    )


def _requests(table: pa.Table, bots: Sequence[str]) -> int | None:
    """Actions that the venue has counted in the window, by all the bots; None if not of each."""
    place, used = _places(table, "bot", bots), _ints(table, "used")
    by_bot = [used[place == number] for number in range(len(bots))]
    if any(len(readings) < _LEAST_READINGS for readings in by_bot):
        return None
    return sum(int(np.ptp(readings)) for readings in by_bot)
