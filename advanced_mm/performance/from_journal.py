"""The record of a coin from the journal that its bots wrote."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

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
    depth_from_mid,
)

__all__ = ["RECORD_COLUMNS", "journal_records", "record_of"]

NOT_RUNNING: Final = "no bot was running"
_PAUSE_MS: Final = 90_000
"""Looks are a minute apart: a longer silence means that nothing ran."""
_LEAST_READINGS: Final = 2
_TRADED: Final = (Fill, QuoteSent, QuoteEnded, Look, Funding)
RECORD_COLUMNS: Final = {
    Fill: ("fill", "order", "side", "price", "size", "fee", "liquidity", "rested_seconds", "mid"),
    QuoteSent: ("order", "side", "size", "mid", "depth", "expected_edge", "calibration_id",
                "regime", "queue_ahead", "fair_price"),
    QuoteEnded: ("order", "outcome", "filled_size"),
    Look: ("position", "mid", "mark", "equity"),
    Funding: ("amount",),
    RefusalChanged: ("kind",),
    RequestsUsed: ("used",),
}  # fmt: skip
"""What is read of each kind of event."""
_QUOTE_NUMBERS: Final = {
    "size": "size",
    "mid": "mid",
    "depth": "depth",
    "expected_edge": "edge",
    "queue_ahead": "queue_ahead",
}
"""Numbers of a quote that was sent, and their names in `Quotes`."""
_LOOK_BACK_MS: Final = 86_400_000
"""How far before ``since_ms`` a quote may have been sent that still rested then."""


def journal_records(
    folder: Path,
    coin: str | None = None,
    since_ms: int | None = None,
    until_ms: int | None = None,
    bot: str | None = None,
    unread: list[str] | None = None,
) -> Iterator[Record]:
    """Read the record of each coin that was traded, one after the other.

    Parameters
    ----------
    folder : Path
        The journal's.
    coin : str, optional
        One coin, in any spelling; None reads all.
    since_ms, until_ms : int, optional
        Bounds of the events' times, both included. Quotes that were sent up to a day before
        ``since_ms`` and still rested then are included.
    bot : str, optional
        One bot; None takes all as one book.
    unread : list, optional
        Takes the damaged day files of coins that have nothing else in the window.

    Raises
    ------
    InputError
        There is no journal, or the coin or the bot is not in it.
    """
    read_journal(folder, None, 0, 0)  # raises if there is no journal
    first_ms = None if since_ms is None else since_ms - _LOOK_BACK_MS
    coins = journal_coins(folder)
    if coin is not None:
        coins = [resolve_coin(coin, coins, f"the journal {str(folder)!r}")]
    bots: set[str] = set()
    found = False
    for one in coins:
        journal = read_journal(folder, one, first_ms, until_ms, RECORD_COLUMNS)
        tables, notes = dict(journal.tables), journal.notes
        del journal  # the tables are large: each is freed once the record has what it needs
        here = _take_coin(tables, one, since_ms)
        bots |= here
        if not here and unread is not None:
            unread += notes.damaged
        if here and (bot is None or bot in here):
            found = True
            own = sorted(here) if bot is None else [bot]
            record = _record(tables, one, own, notes, since_ms)
            pa.default_memory_pool().release_unused()
            yield replace(record, source=str(folder))
    if bot is not None and not found:
        known = ", ".join(sorted(bots)) or "none"
        asked = "" if since_ms is None and until_ms is None else " in that time"
        raise InputError(
            f"bot {bot!r} wrote nothing in the journal {str(folder)!r}{asked}; those that did: "
            f"{known}."
        )


def record_of(journal: Journal, coin: str) -> Record | None:
    """Return the record of one coin, all its bots as one book; None if nothing traded it.

    ``journal`` was read with `RECORD_COLUMNS`; ``coin`` is the venue's name.
    """
    tables = dict(journal.tables)
    bots = _take_coin(tables, coin, None)
    return _record(tables, coin, sorted(bots), journal.notes, None) if bots else None


def _take_coin(tables: dict[str, pa.Table], coin: str, since_ms: int | None) -> set[str]:
    """Leave a coin's own trading in the tables; return the bots that did it since a time."""
    for kind in _TRADED:
        tables[kind.event] = _of_coin(tables[kind.event], coin)
    return {
        name for kind in _TRADED for name in _unique(_since(tables[kind.event], since_ms), "bot")
    }


def _record(
    tables: dict[str, pa.Table],
    coin: str,
    bots: Sequence[str],
    notes: JournalNotes,
    since_ms: int | None,
) -> Record:
    """Build a record; it empties ``tables`` as it goes."""

    def take(kind: type[Event]) -> pa.Table:
        return _of_bots(tables.pop(kind.event), bots)

    traded: dict[type[Event], pa.Table] = {kind: take(kind) for kind in _TRADED}
    seen = _observations(traded[Look], traded[QuoteSent])
    last = _last_of_run(traded.values())
    if since_ms is not None:
        traded[QuoteSent] = _still_resting(traded, since_ms, last)
    inside = {kind: _since(table, since_ms) for kind, table in traded.items()}
    spans = _running(inside.values())
    start, end = int(spans[0, 0]), int(spans[-1, 1])
    fill_table, repeated = _once(inside.pop(Fill))
    funding, looks = inside[Funding], inside[Look]
    del inside
    del traded[Fill]
    quotes, orders = _quotes(traded, bots, last)
    fills = _fills(fill_table, orders, bots)
    del orders
    order = np.argsort(_ints(funding, "time_ms"), kind="stable")
    refusals = _with_account(take(RefusalChanged), coin)
    told = notes.sentences()
    if repeated:
        several = "fill that was" if repeated == 1 else "fills that were"
        told.append(f"Left out {repeated} {several} recorded twice.")
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
        bots=[
            _span(
                name, looks, fills.rows(fills.bot == number), _of_bots(funding, [name]), start, end
            )
            for number, name in enumerate(bots)
        ],
        requests=_requests(_since(take(RequestsUsed), since_ms), bots),
        skipped=notes.damaged,
        notes=told,
    )


def _since(table: pa.Table, since_ms: int | None) -> pa.Table:
    return table if since_ms is None else _kept(table, pc.greater_equal(table["time_ms"], since_ms))


def _still_resting(
    traded: Mapping[type[Event], pa.Table], since_ms: int, last: Mapping[int, int]
) -> pa.Table:
    """Drop the quotes that were over before the window and were not filled in it."""
    sent, ended, fills = traded[QuoteSent], traded[QuoteEnded], traded[Fill]
    over = ended.filter(pc.less(ended["time_ms"], since_ms))["order"].combine_chunks()
    filled = _since(fills, since_ms)["order"].combine_chunks()
    silent = pa.array(_end_of_run(sent, last) < since_ms)
    over_or_silent = pc.or_(pc.is_in(sent["order"], value_set=over), silent)
    early = pc.and_(pc.less(sent["time_ms"], since_ms), over_or_silent)
    return _kept(sent, pc.or_(pc.invert(early), pc.is_in(sent["order"], value_set=filled)))


def _once(fills: pa.Table) -> tuple[pa.Table, int]:
    """Keep each fill once, and count the others.

    Two orders of ours that met have one number at the venue, and a venue that starts again counts
    from the start: only the same number, order and time make the same fill.
    """
    if not fills.num_rows:
        return fills, 0
    numbered = fills.select(["fill", "order", "time_ms"]).append_column(
        "place", pa.array(np.arange(fills.num_rows))
    )
    first = numbered.group_by(["fill", "order", "time_ms"]).aggregate([("place", "min")])
    repeated = fills.num_rows - first.num_rows
    if not repeated:
        return fills, 0
    return fills.take(pa.array(np.sort(first["place_min"].to_numpy()))), repeated


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
    return np.array(table[name].to_numpy(), dtype=np.float64)


def _words(table: pa.Table, name: str) -> Words:
    if not table.num_rows:
        return Words.unknown(0)
    encoded = table[name].unify_dictionaries().combine_chunks()
    codes = pc.fill_null(encoded.indices, -1).to_numpy()
    return Words(np.asarray(codes, dtype=np.int32), encoded.dictionary.to_pylist())


def _unique(table: pa.Table, name: str) -> list[str]:
    return [word for word in pc.unique(table[name]).to_pylist() if word is not None]


def _places(table: pa.Table, name: str, known: pa.Array | Sequence[str]) -> Int1D:
    """Return where each row's word stands among the known ones, -1 for another."""
    words = known if isinstance(known, pa.Array) else pa.array(list(known), pa.string())
    column = table[name]
    if pa.types.is_dictionary(column.type):
        column = column.cast(pa.string())
    place = pc.fill_null(pc.index_in(column, value_set=words), -1)
    return np.asarray(place.to_numpy(), dtype=np.int64)


def _quote_of(fills: pa.Table, orders: pa.Array) -> Int1D:
    """Return the place of each fill's order among the quotes' orders, -1 without one.

    There are far fewer fills than quotes, so that the fills' orders are the ones looked up.
    """
    names = pc.unique(fills["order"])
    place = np.asarray(pc.fill_null(pc.index_in(orders, value_set=names), -1).to_numpy())
    known = np.flatnonzero(place >= 0)
    row = np.full(len(names), -1, dtype=np.int64)
    row[place[known]] = known
    return row[_places(fills, "order", names)]


def _signs(table: pa.Table) -> Int1D:
    bids = pc.equal(table["side"], "bid").to_numpy()
    return np.where(np.asarray(bids, dtype=bool), 1, -1)


def _running(tables: Iterable[pa.Table]) -> Int1D:
    """Return when bots were running: rows of start and end, without the pauses."""
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
        quote=_quote_of(table, orders),
        bot=_places(table, "bot", bots),
    )
    if (np.diff(times) >= 0).all():
        return fills
    return fills.rows(np.argsort(times, kind="stable"))


def _quotes(
    traded: dict[type[Event], pa.Table],
    bots: Sequence[str],
    last: Mapping[int, int],
) -> tuple[Quotes, pa.Array]:
    """Join the quotes with their ends; one without an end rested until its process fell silent.

    Takes both tables from ``traded`` and frees what it has read of them. Also returns the names of
    the quotes' orders.
    """
    pa.default_memory_pool().release_unused()
    sent = traded.pop(QuoteSent)
    orders = sent["order"].combine_chunks()
    end_ms, filled, refused = _ends(traded.pop(QuoteEnded), orders, _end_of_run(sent, last))
    pa.default_memory_pool().release_unused()
    sent = sent.drop_columns(["order", "run"])
    time_ms, sign, bot = _ints(sent, "time_ms"), _signs(sent), _places(sent, "bot", bots)
    calibration_id, regime = _words(sent, "calibration_id"), _words(sent, "regime")
    numbers = {}
    for column, name in _QUOTE_NUMBERS.items():
        numbers[name] = _floats(sent, column)
        sent = sent.drop_columns([column])
    depth_from_mid(numbers["depth"], sign, numbers["mid"], _floats(sent, "fair_price"))
    pa.default_memory_pool().release_unused()
    quotes = Quotes(
        time_ms=time_ms,
        end_ms=np.maximum(end_ms, time_ms, out=end_ms),
        sign=sign,
        filled=filled,
        refused=refused,
        bot=bot,
        calibration_id=calibration_id,
        regime=regime,
        **numbers,
    )
    return quotes, orders


def _ends(
    ended: pa.Table, orders: pa.Array, silent: Int1D
) -> tuple[Int1D, Float1D, NDArray[np.bool_]]:
    """When each order ended, what was filled of it and whether it was refused; shapes (orders,)."""
    place = _places(ended, "order", orders)
    known = place >= 0
    place = place[known]
    end = silent
    end[place] = _ints(ended, "time_ms")[known]
    filled = np.zeros(len(orders))
    filled[place] = _floats(ended, "filled_size")[known]
    refused = np.zeros(len(orders), dtype=bool)
    refused[place] = np.asarray(pc.equal(ended["outcome"], "refused").to_numpy(), bool)[known]
    return end, filled, refused


def _last_of_run(tables: Iterable[pa.Table]) -> dict[int, int]:
    """Return the last time each process recorded anything."""
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
    """Return the last time anything was recorded by the process that sent each quote."""
    found = np.array(sorted(last), dtype=np.int64)
    ends = np.array([last[run] for run in found.tolist()], dtype=np.int64)
    return np.asarray(ends[np.searchsorted(found, _ints(sent, "run"))])


def _with_fills(quotes: Quotes, fills: Fills) -> Quotes:
    """Fill in the filled sizes of quotes whose end was not recorded."""
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
    name: str, looks: pa.Table, own: Fills, funding: pa.Table, start_ms: int, end_ms: int
) -> BotSpan:
    """Return what a bot held and was worth at its first and its last look."""
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
    early = own.rows(before)
    earned = float((early.signed_size * (value[first] - early.price) - early.fee).sum())
    earned += float(_floats(funding, "amount")[_ints(funding, "time_ms") < times[first]].sum())
    return BotSpan(
        name,
        int(times[first]),
        int(times[last]) if ended else end_ms,
        opening=0.0 if abs(opening) < 1e-9 * scale else opening,
        start_mark=value[first],
        end_mark=value[last] if ended else np.nan,
        start_equity=equity[first],
        end_equity=equity[last] if ended else np.nan,
        earned_before=earned,
        missed=0.0 if abs(missed) < 1e-9 * scale else missed,
    )


def _requests(table: pa.Table, bots: Sequence[str]) -> int | None:
    """Return the actions the venue counted in the window; None if a bot lacks two readings."""
    place, used = _places(table, "bot", bots), _ints(table, "used")
    by_bot = [used[place == number] for number in range(len(bots))]
    if any(len(readings) < _LEAST_READINGS for readings in by_bot):
        return None
    return sum(int(np.ptp(readings)) for readings in by_bot)
