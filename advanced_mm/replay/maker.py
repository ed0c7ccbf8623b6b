"""The maker: what the bot decides at each look, compiled, against hftbacktest's venue.

A look does what Freqtrade's loop does with our strategy. Resting orders are checked first; those
that are outdated or refused are cancelled, and their ends awaited. New orders are then priced from
the book as it is by then and sent where none rests, and the venue's replies awaited. A cancel and
its replacement thus fall into one look, a round trip apart. An entry that was filled in part is
cancelled for the exit. After a position was closed, the next entry waits for the next look, because
Freqtrade locks the pair and the strategy unlocks it when the next loop starts.

Orders, queues and time are hftbacktest's. Prices here are integers, in steps of the recording;
sizes are whole hundred-millionths; times are ns. The state that the functions share:

``book``
    Local time and exchange time of each touch, best bid and ask (0 if empty); starts and ends of
    the stretches with data; prices from which each price step of the venue holds, and the steps;
    the imbalance of the sizes at each touch.
``table``
    The decision table: times; depths, refusals and whether at the touch, (2, n, Q), bids first;
    beta, the fair price's move (quote currency) per unit of imbalance; the highest imbalance
    against a side at which it opens a position, (2, n), bids first; kappa and from_best.
``told``
    Rows for quotes, fills, looks and refusals, long enough, and how many of each there are.
``at``
    Places in the book, the table and the stretches; whether a position was just closed; how the
    backtest ended; the last refusal; when to note the next look.
"""

from typing import Any

import numpy as np
from hftbacktest.intrinsic import address_as_void_pointer
from hftbacktest.types import order_dtype
from numba import carray  # type: ignore[attr-defined]
from numpy.typing import NDArray

from advanced_mm.compiled import compiled
from advanced_mm.replay import binding
from advanced_mm.replay.layout import SLOT, STATE, WANTED, Ended, Refused

__all__ = ["quoted_price", "run_maker"]

Rows = NDArray[Any]
Row = Any
Arrays = tuple[Any, ...]

_DEEPEST = 0.1  # of the mid, as in `Quoter`
_MINUTE = 60_000_000_000
_LONGEST_REPLY = 60_000_000_000
_BOOK_REUSE = 250_000_000  # a book fetched this recently is not fetched again, as in the strategy
_LEAST_WORTH = 0.1  # as in `model.kept`
_NEAR = 1e-7  # of a step: depths are floats

_LESS = 0.25
"""Orders are this much smaller than a whole number of size units; fills are whole numbers.

hftbacktest 2.4.2 keeps an order whose last partial fill is exactly what was left of it, and fails
at the next trade with an invalid status (its issue 312). So it never is exactly that.
"""

_OLD_BOOK, _NO_BOOK = int(Refused.OLD_BOOK), int(Refused.NO_BOOK)
_NOT_QUOTED, _TOO_DEEP = int(Refused.NOT_QUOTED), int(Refused.TOO_DEEP)
_NO_DATA, _NO_PARAMETERS = int(Refused.NO_DATA), int(Refused.NO_PARAMETERS)
_INVENTORY, _SIZES_AGAINST = int(Refused.INVENTORY), int(Refused.SIZES_AGAINST)
_RESTING, _FILLED, _DRIFTED = int(Ended.RESTING), int(Ended.FILLED), int(Ended.DRIFTED)
_EXPIRED, _REFUSED = int(Ended.EXPIRED), int(Ended.REFUSED)
_BY_EXIT, _REPLAY_ENDED = int(Ended.REPLACED_BY_EXIT), int(Ended.REPLAY_ENDED)
_VENUE_REFUSED = int(Ended.VENUE_REFUSED)

_EXPIRED_STATUS, _FILLED_STATUS = binding.EXPIRED, binding.FILLED
_ENDED = binding.ENDED
_FEED, _RESPONSE = binding.FEED, binding.RESPONSE
_now, _wait, _buy, _sell, _cancel = (
    *(binding.now, binding.wait),
    *(binding.buy, binding.sell, binding.cancel),
)
_orders, _order, _forget_ended = binding.orders, binding.order, binding.forget_ended
_POST_ONLY, _LIMIT = binding.POST_ONLY, binding.LIMIT


@compiled
def price_step(price: float, bands: Rows, steps: Rows) -> int:
    """Return the venue's price step at a price."""
    place = int(np.searchsorted(bands, price * (1 + 1e-12), side="right")) - 1
    return int(steps[max(place, 0)])


@compiled
def quoted_price(side: int, mid: float, depth: float, bands: Rows, steps: Rows) -> int:
    """Return the price on the venue's grid at least ``depth`` from the mid, as `PriceGrid` does."""
    exact = mid - depth if side == 0 else mid + depth
    step = price_step(exact, bands, steps)
    if side == 0:
        return int(np.floor(exact / step + _NEAR)) * step
    return int(np.ceil(exact / step - _NEAR)) * step


@compiled
def _short_of_the_touch(side: int, price: int, bid: int, ask: int, bands: Rows, steps: Rows) -> int:
    """Return the price, moved so far away that it takes nothing, as `Quoter` does."""
    if side == 0 and price >= ask:
        step = price_step(ask, bands, steps)
        return (int(np.ceil(ask / step - _NEAR)) - 1) * step
    if side == 1 and price <= bid:
        step = price_step(bid, bands, steps)
        return (int(np.floor(bid / step + _NEAR)) + 1) * step
    return price


@compiled
def _units(position: float, rules: Row) -> int:
    """Return the position in units, as the bot counts it."""
    if position == 0:
        return 0
    if rules.one_at_a_time:
        return 1 if position > 0 else -1
    return int(np.rint(position / rules.size))


@compiled
def _book_refusal(now: int, at: Row, book: Arrays, rules: Row) -> int:
    if at.stretch < 0 or now >= book[5][at.stretch]:
        return _NO_DATA
    if at.seen < 0 or not 0 < book[2][at.seen] < book[3][at.seen]:
        return _NO_BOOK
    if now - book[1][at.seen] > rules.max_book_age:
        return _OLD_BOOK
    return 0


@compiled
def _table_refusal(side: int, units: int, at: Row, table: Arrays, rules: Row) -> int:
    if at.row < 0:
        return _NO_PARAMETERS
    column = units - rules.q_min
    if not 0 <= column < table[1].shape[2]:
        return _INVENTORY
    if table[2][side, at.row, column] != 0:
        return int(table[2][side, at.row, column])
    if np.isnan(table[1][side, at.row, column]) and not table[3][side, at.row, column]:
        return _NOT_QUOTED
    return 0


@compiled
def _against(side: int, beta: float, imbalance: float) -> float:
    """Return the imbalance against a side, as `imbalance_refusal` does."""
    falls = beta * imbalance < 0
    return abs(imbalance) if falls == (side == 0) else -abs(imbalance)


@compiled
def _want(
    side: int, units: int, now: int, at: Row, book: Arrays, table: Arrays, rules: Row, wanted: Row
) -> None:
    """Decide what one side should quote: what `Quoter.entry` or `Quoter.exit` returns."""
    wanted.refusal = _book_refusal(now, at, book, rules)
    refused = _table_refusal(side, units, at, table, rules)
    closes = units > 0 if side == 1 else units < 0
    wanted.stays = False
    if closes and refused == 0 and (wanted.refusal == _OLD_BOOK or wanted.refusal == _NO_BOOK):
        wanted.stays = not table[3][side, at.row, units - rules.q_min]
    if wanted.refusal == 0:
        wanted.refusal = refused
    if wanted.refusal != 0:
        return
    bid, ask = book[2][at.seen], book[3][at.seen]
    mid, column = 0.5 * (bid + ask), units - rules.q_min
    opens = units >= 0 if side == 0 else units <= 0
    if opens and _against(side, table[4][at.row], book[8][at.seen]) > table[5][side, at.row]:
        wanted.refusal = _SIZES_AGAINST
        return
    wanted.fair = mid + table[4][at.row] * book[8][at.seen] / rules.step
    depth = table[1][side, at.row, column]
    depth = depth * 1e-4 * mid if rules.in_bp else depth / rules.step
    wanted.at_touch = table[3][side, at.row, column]
    if not wanted.at_touch and depth > _DEEPEST * mid:
        if not (units > 0 if side == 1 else units < 0):
            wanted.refusal = _TOO_DEEP
            return
        wanted.at_touch = True
    wanted.kappa, wanted.from_best = 0.0, 0.0
    if wanted.at_touch:
        wanted.price, wanted.depth = (bid if side == 0 else ask), 0.5 * (ask - bid)
        wanted.fair = mid
    else:
        price = quoted_price(side, wanted.fair, depth, book[6], book[7])
        wanted.price = _short_of_the_touch(side, price, bid, ask, book[6], book[7])
        wanted.depth = depth
        wanted.kappa = table[6][side, at.row, column] * rules.step
        wanted.from_best = table[7][side, at.row, column]
    wanted.step = price_step(mid, book[6], book[7])


@compiled
def _kept(reaches: float, from_best: float) -> float:
    """Return what is left of a quote's value, as `model.kept` does."""
    decay = np.exp(-min(max(reaches, -50.0), 50.0))
    at_bound = max(1 + from_best, _LEAST_WORTH)
    return float(min((1 + reaches) * decay, (at_bound + reaches) * decay / at_bound))


@compiled
def _value_lost(side: int, price: int, wanted: Row) -> float:
    """Return the share of the value that a price lacks, as `Quote.value_lost` does."""
    away = 1.0 if side == 1 else -1.0
    here = _kept(
        wanted.kappa * (away * (wanted.price - wanted.fair) - wanted.depth), wanted.from_best
    )
    there = _kept(wanted.kappa * (away * (price - wanted.fair) - wanted.depth), wanted.from_best)
    return 1 - there / here if here > 0 else 1.0


@compiled
def _outdated(side: int, slot: Row, wanted: Row, now: int, rules: Row) -> int:
    """Return why a resting order must go, as `Quoter.is_outdated` decides; 0 if it may rest."""
    if wanted.refusal != 0:
        return _RESTING if wanted.stays else _REFUSED
    age = now - slot.sent
    if age < rules.min_age:
        return _RESTING
    off = abs(slot.price - wanted.price) / wanted.step
    if off < 1e-6:
        return _RESTING
    far = off >= rules.requote_ticks - 1e-6
    if far and (wanted.kappa == 0 or _value_lost(side, slot.price, wanted) > rules.requote_loss):
        return _DRIFTED
    return _EXPIRED if age >= rules.max_age else _RESTING


@compiled
def _known(backtest: int, number: int) -> Row:
    """Return an order as we know it."""
    return carray(address_as_void_pointer(_order(_orders(backtest, 0), number)), 1, order_dtype)[0]


@compiled
def _collect(backtest: int, slots: Rows, told: Arrays, at: Row) -> None:
    """Take in what the venue has answered: fills and ends of our orders."""
    quotes, fills, _, _, count = told
    ended = False
    for side in range(2):
        slot = slots[side]
        if slot.number == 0:
            continue
        order = _known(backtest, slot.number)
        left = np.rint(order.leaves_qty + _LESS)
        if order.status != 0 and left < slot.left:
            fill, filled = fills[count[1]], slot.left - left
            count[1] += 1
            fill.exchange_ns, fill.seen_ns = order.exch_timestamp, _now(backtest)
            fill.quote, fill.price, fill.side, fill.size = slot.quote, slot.price, side, filled
            slot.left = left
            quotes[slot.quote].filled += filled
            at.position += filled if side == 0 else -filled
            at.closed = at.closed or at.position == 0
        if order.status in _ENDED:
            quote = quotes[slot.quote]
            quote.ended_ns, quote.refusal = _now(backtest), slot.refusal
            quote.ended = slot.why if slot.why != _RESTING else _VENUE_REFUSED
            if order.status == _FILLED_STATUS:
                quote.ended = _FILLED
            slot.number, ended = 0, True
    if ended:  # only now, for it forgets the other side's order as well
        _forget_ended(backtest, 0)


@compiled
def _pass_time(backtest: int, until: int, slots: Rows, told: Arrays, at: Row) -> None:
    while at.ended == 0 and _now(backtest) < until:
        heard = _wait(backtest, True, until - _now(backtest))
        if heard == 0:
            break
        if heard not in (_FEED, _RESPONSE):
            at.ended = heard
        _collect(backtest, slots, told, at)


@compiled
def _await_replies(backtest: int, slots: Rows, told: Arrays, at: Row) -> None:
    """Let time pass until no order or cancel of ours is on its way."""
    until = _now(backtest) + _LONGEST_REPLY
    while at.ended == 0 and _now(backtest) < until:
        waiting = False
        for side in range(2):
            number = slots[side].number
            waiting = waiting or (number != 0 and _known(backtest, number).req != 0)
        if not waiting:
            break
        heard = _wait(backtest, True, until - _now(backtest))
        if heard not in (0, _FEED, _RESPONSE):
            at.ended = heard
        _collect(backtest, slots, told, at)


@compiled
def _withdraw(backtest: int, units: int, now: int, slots: Rows, wanted: Rows, rules: Row) -> bool:
    """Cancel what is outdated or refused; return whether anything was."""
    acted = False
    for side in range(2):
        slot = slots[side]
        if slot.number == 0:
            continue
        why = _outdated(side, slot, wanted[side], now, rules)
        opens = units < 0 if side == 1 else units > 0
        if rules.one_at_a_time and opens and wanted[1 - side].refusal == 0:
            why = _BY_EXIT
        if why != _RESTING and _cancel(backtest, 0, slot.number, False) == 0:
            slot.why, slot.refusal, acted = why, wanted[side].refusal, True
    return acted


@compiled
def _send(backtest: int, side: int, number: int, price: float, size: float) -> int:
    if side == 0:
        return int(_buy(backtest, 0, number, price, size, _POST_ONLY, _LIMIT, False))
    return int(_sell(backtest, 0, number, price, size, _POST_ONLY, _LIMIT, False))


@compiled
def _place(
    backtest: int, units: int, now: int, slots: Rows, wanted: Rows, book: Arrays,
    told: Arrays, at: Row, rules: Row,
) -> bool:  # fmt: skip
    """Send orders where none rests and one is wanted; return whether any was sent."""
    acted, quotes, count = False, told[0], told[4]
    for side in range(2):
        slot, want = slots[side], wanted[side]
        closes = units > 0 if side == 1 else units < 0
        if slot.number != 0 or want.refusal != 0:
            continue
        size = rules.size
        if rules.one_at_a_time:
            if slots[1 - side].number != 0 or not (closes or (units == 0 and not at.closed)):
                continue
            if closes:
                size = abs(at.position)
        number, place = count[0] + 1, count[0]
        if _send(backtest, side, number, want.price * rules.step, size - _LESS) != 0:
            continue
        count[0] += 1
        slot.number, slot.quote, slot.price, slot.sent = number, place, want.price, now
        slot.left, slot.why, slot.refusal, acted = size, _RESTING, 0, True
        quote = quotes[place]
        quote.sent_ns, quote.price, quote.size, quote.side = now, want.price, size, side
        quote.bid, quote.ask, quote.step = book[2][at.seen], book[3][at.seen], want.step
        quote.depth, quote.at_touch = want.depth * rules.step, want.at_touch
        quote.fair = want.fair * rules.step
        quote.position, quote.units, quote.row = at.position, units, at.row
    return acted


@compiled
def _newest(times: Rows, last: int, now: int) -> int:
    """Return the last place whose time has come, searching forward from ``last``."""
    if last + 1 < len(times) and times[last + 1] <= now:
        return int(last + np.searchsorted(times[last + 1 :], now, side="right"))
    return last


@compiled
def _note(
    looked: int, units: int, slots: Rows, wanted: Rows, book: Arrays, told: Arrays, at: Row,
    rules: Row,
) -> None:  # fmt: skip
    """Note the state once a minute, and the reason not to quote when it changes."""
    _, _, looks, changes, count = told
    refusal = (
        wanted[1].refusal if units > 0 or (units == 0 and rules.q_min < 0) else wanted[0].refusal
    )
    quoted = slots[0].number != 0 or slots[1].number != 0
    if quoted or (
        units == 0 and not rules.one_at_a_time and wanted[0].refusal * wanted[1].refusal == 0
    ):
        refusal = 0
    if refusal != at.refusal:
        changes[count[3]].time_ns, changes[count[3]].code = looked, refusal
        count[3] += 1
        at.refusal = refusal
    if looked >= at.next_minute:
        look = looks[count[2]]
        look.time_ns, look.position = looked, at.position
        if at.seen >= 0:
            look.bid, look.ask = book[2][at.seen], book[3][at.seen]
        count[2] += 1
        at.next_minute = looked - (looked - rules.start) % _MINUTE + _MINUTE


@compiled
def _next_look(looked: int, slots: Rows, book: Arrays, at: Row, rules: Row) -> int:
    """Return when to look next: at once where the data end, not at all where there are none."""
    after, starts, ends = looked + rules.look, book[4], book[5]
    if at.stretch >= 0 and looked < ends[at.stretch]:
        return int(min(after, ends[at.stretch]))
    if slots[0].number != 0 or slots[1].number != 0:
        return int(after)
    begins = starts[at.stretch + 1] if at.stretch + 1 < len(starts) else rules.end
    return int(max(after, begins))


@compiled
def run_maker(backtest: int, book: Arrays, table: Arrays, rules: Row, told: Arrays) -> int:
    """Trade from ``rules.start`` to ``rules.end``; return hftbacktest's code of the end, 0 or 1.

    The arguments are described at the top of the module, the rows in `layout`. ``backtest`` is the
    address of hftbacktest's backtest, which the caller closes.
    """
    slots, wanted, state = np.zeros(2, SLOT), np.zeros(2, WANTED), np.zeros(1, STATE)
    at = state[0]  # only an address: numba frees the array after its last use, which must be last
    at.row, at.seen, at.stretch, at.next_minute = -1, -1, -1, rules.start
    _wait(backtest, True, 1)  # takes the backtest to its first event
    _pass_time(backtest, rules.start, slots, told, at)
    while at.ended == 0 and _now(backtest) < rules.end:
        looked, units = _now(backtest), 0
        for stage in range(2):  # what rests, then what does not
            now = _now(backtest)
            at.row, at.stretch = _newest(table[0], at.row, now), _newest(book[4], at.stretch, now)
            if stage == 0 or now - looked > _BOOK_REUSE:
                at.seen = _newest(book[0], at.seen, now)
            units = _units(at.position, rules)
            for side in range(2):
                _want(side, units, now, at, book, table, rules, wanted[side])
            if stage == 0:
                acted = _withdraw(backtest, units, now, slots, wanted, rules)
            else:
                acted = _place(backtest, units, now, slots, wanted, book, told, at, rules)
            if acted:
                _await_replies(backtest, slots, told, at)
        at.closed = False
        _note(looked, units, slots, wanted, book, told, at, rules)
        _pass_time(backtest, _next_look(looked, slots, book, at, rules), slots, told, at)
    for side in range(2):  # whatever rests is withdrawn, so that every order has an end
        slot = slots[side]
        if slot.number != 0:
            _cancel(backtest, 0, slot.number, False)
            slot.why = _REPLAY_ENDED
    _await_replies(backtest, slots, told, at)
    for side in range(2):  # the data ended before its reply
        slot = slots[side]
        if slot.number != 0:
            quote = told[0][slot.quote]
            quote.ended_ns, quote.ended = max(_now(backtest), slot.sent), _REPLAY_ENDED
    return int(state["ended"][0])
