"""The maker: what the bot decides at each look, compiled, against hftbacktest's venue.

A look does what Freqtrade's loop does with our strategy. Resting orders are checked first; those
that are outdated or refused are cancelled, and their ends awaited. New orders are then priced from
the book as it is by then and sent where none rests, and the venue's replies awaited. A cancel and
its replacement thus fall into one look, two round trips apart. An entry that was filled in part is
cancelled for the exit. After a position was closed, the next entry waits for the next look, because
Freqtrade's lock of the pair is removed at the start of a loop.

Orders, fills and time are hftbacktest's. All prices here are integers, in steps of the recording.
"""

import numpy as np
from numba import njit

from advanced_mm.replay import binding
from advanced_mm.replay.layout import FILL, LOOK, QUOTE, REFUSAL, SLOT, Ended, Refused

__all__ = ["BOOK_REUSE_NS", "run_maker"]

BOOK_REUSE_NS = 250_000_000
"""A book fetched this recently is not fetched again, as in the strategy."""

_DEEPEST = 0.1  # of the mid, as in `Quoter`
_MINUTE_NS = 60_000_000_000
_NS_PER_MS = 1_000_000
_LONGEST_REPLY_NS = 60_000_000_000

_LESS = 0.25
"""Orders are this much smaller than a whole number of size units, fills are whole numbers.

hftbacktest 2.4.2 keeps an order whose last partial fill is exactly what was left of it, and fails
with an invalid status at the next trade (its issue 312). So it never is exactly.
"""

_OLD_BOOK, _NO_BOOK = int(Refused.OLD_BOOK), int(Refused.NO_BOOK)
_NOT_QUOTED, _TOO_DEEP = int(Refused.NOT_QUOTED), int(Refused.TOO_DEEP)
_NO_DATA, _NO_PARAMETERS = int(Refused.NO_DATA), int(Refused.NO_PARAMETERS)
_INVENTORY = int(Refused.INVENTORY)
_RESTING, _FILLED, _DRIFTED = int(Ended.RESTING), int(Ended.FILLED), int(Ended.DRIFTED)
_EXPIRED, _REFUSED = int(Ended.EXPIRED), int(Ended.REFUSED)
_BY_EXIT, _REPLAY_ENDED = int(Ended.REPLACED_BY_EXIT), int(Ended.REPLAY_ENDED)
_VENUE_REFUSED = int(Ended.VENUE_REFUSED)
_GONE_LOW, _GONE_HIGH, _GONE_LAST = 2, 4, 6  # binding.GONE: expired, filled, cancelled, rejected

# Places in `state`, which the functions share.
_POSITION, _CLOSED, _ENDED = 0, 1, 2
# Places in `count`.
_QUOTES, _FILLS, _LOOKS, _REFUSALS, _NUMBER = 0, 1, 2, 3, 4


@njit(cache=True)
def _grown(rows):  # type: ignore[no-untyped-def]
    longer = np.zeros(2 * len(rows), dtype=rows.dtype)
    longer[: len(rows)] = rows
    return longer


@njit(cache=True)
def price_step(price, bands, steps):  # type: ignore[no-untyped-def]
    """Return the venue's price step at a price; ``bands`` are the prices from which each holds."""
    return steps[max(np.searchsorted(bands, price * (1 + 1e-12), side="right") - 1, 0)]


@njit(cache=True)
def quoted_price(side, mid, depth, bands, steps):  # type: ignore[no-untyped-def]
    """Return the price on the venue's grid at least ``depth`` from the mid, as `PriceGrid` does."""
    exact = mid - depth if side == 0 else mid + depth
    step = price_step(exact, bands, steps)
    off = 1e-7  # depths are floats: exact to far less than that
    if side == 0:
        return int(np.floor(exact / step + off)) * step
    return int(np.ceil(exact / step - off)) * step


@njit(cache=True)
def _decide(side, now, row, seen, inside, units, touch, table, rules, bands, steps):  # type: ignore[no-untyped-def]
    """Return refusal, price, depth and whether it is offered at the touch."""
    times, depths, refusals, at_touch = table
    if not inside:
        return _NO_DATA, 0, 0.0, False
    if seen < 0:
        return _NO_BOOK, 0, 0.0, False
    _, exchange_ns, bids, asks = touch
    bid, ask = bids[seen], asks[seen]
    if bid <= 0 or ask <= bid:
        return _NO_BOOK, 0, 0.0, False
    if now - exchange_ns[seen] > rules.max_book_age_ns:
        return _OLD_BOOK, 0, 0.0, False
    if row < 0:
        return _NO_PARAMETERS, 0, 0.0, False
    column = units - rules.q_min
    if column < 0 or column >= depths.shape[2]:
        return _INVENTORY, 0, 0.0, False
    if refusals[side, row, column] != 0:
        return int(refusals[side, row, column]), 0, 0.0, False
    mid = 0.5 * (bid + ask)
    closes = units > 0 if side == 1 else units < 0
    depth = depths[side, row, column] / rules.step
    if rules.in_bp:
        depth = depths[side, row, column] * 1e-4 * mid
    touching = at_touch[side, row, column]
    if not touching:
        if np.isnan(depth):
            return _NOT_QUOTED, 0, 0.0, False
        if depth > _DEEPEST * mid:
            if not closes:
                return _TOO_DEEP, 0, 0.0, False
            touching = True
    if touching:
        return 0, (bid if side == 0 else ask), 0.5 * (ask - bid), True
    return 0, quoted_price(side, mid, depth, bands, steps), depth, False


@njit(cache=True)
def _collect(backtest, slots, quotes, fills, count, state, rules):  # type: ignore[no-untyped-def]
    """Take in what the venue has answered: fills and ends of our orders."""
    now = binding.now_ns(backtest)
    for side in range(2):
        slot = slots[side]
        if slot.number == 0:
            continue
        order = binding.order(backtest, slot.number)[0]
        status = order.status
        left = np.rint(order.leaves_qty + _LESS)
        filled = slot.left - left if status != 0 else 0.0
        if filled > 0:
            if count[_FILLS] == len(fills):
                fills = _grown(fills)
            fill = fills[count[_FILLS]]
            count[_FILLS] += 1
            fill.exchange_ns, fill.seen_ns = order.exch_timestamp, now
            fill.quote, fill.price = slot.quote, slot.price
            fill.size, fill.side = filled, side
            slot.left = left
            quotes[slot.quote].filled += filled
            state[_POSITION] += filled if side == 0 else -filled
            if abs(state[_POSITION]) < 0.5 * rules.lot:
                state[_POSITION] = 0.0
                state[_CLOSED] = 1.0
        if _GONE_LOW <= status <= _GONE_HIGH or status == _GONE_LAST:
            quote = quotes[slot.quote]
            quote.ended_ns = now
            quote.refusal = slot.refusal
            if status == 3 or slot.left < 0.5 * rules.lot:
                quote.ended = _FILLED
            elif slot.why == _RESTING:
                quote.ended = _VENUE_REFUSED
            else:
                quote.ended = slot.why
            slot.number = 0
            binding.forget_ended(backtest)
    return fills


@njit(cache=True)
def _wait_until(backtest, until, slots, quotes, fills, count, state, rules):  # type: ignore[no-untyped-def]
    while state[_ENDED] == 0.0:
        left = until - binding.now_ns(backtest)
        if left <= 0:
            break
        came = binding.wait(backtest, left)
        if came != 0 and came != binding.RESPONSE:
            state[_ENDED] = came
        if came != 0:
            fills = _collect(backtest, slots, quotes, fills, count, state, rules)
        else:
            break
    return fills


@njit(cache=True)
def _await_replies(backtest, slots, quotes, fills, count, state, rules):  # type: ignore[no-untyped-def]
    """Wait until no order or cancel of ours is on its way."""
    until = binding.now_ns(backtest) + _LONGEST_REPLY_NS
    while state[_ENDED] == 0.0:
        waiting = False
        for side in range(2):
            number = slots[side].number
            if number != 0 and binding.order(backtest, number)[0].req != 0:
                waiting = True
        left = until - binding.now_ns(backtest)
        if not waiting or left <= 0:
            break
        came = binding.wait(backtest, left)
        if came != 0 and came != binding.RESPONSE:
            state[_ENDED] = came
        fills = _collect(backtest, slots, quotes, fills, count, state, rules)
    return fills


@njit(cache=True)
def _units(position, rules):  # type: ignore[no-untyped-def]
    if abs(position) < 0.5 * rules.lot:
        return 0
    if rules.one_at_a_time:
        return 1 if position > 0 else -1
    return int(np.rint(position / rules.size))


@njit(cache=True)
def _outdated(slot, refusal, price, step, now, rules):  # type: ignore[no-untyped-def]
    """Return why a resting order is cancelled, as `Quoter.is_outdated` decides; 0 if it is not."""
    if refusal != 0:
        return _REFUSED
    age = now - slot.sent_ns
    if age < rules.min_age_ns:
        return _RESTING
    off = abs(slot.price - price) / step
    if off >= rules.requote_ticks - 1e-6:
        return _DRIFTED
    if off > 1e-6 and age >= rules.max_age_ns:
        return _EXPIRED
    return _RESTING


@njit(cache=True)
def _newest(times, last, now):  # type: ignore[no-untyped-def]
    """Return the last place whose time has come, searching forward from ``last``."""
    if last + 1 < len(times) and times[last + 1] <= now:
        return last + np.searchsorted(times[last + 1 :], now, side="right")
    return last


@njit(cache=True)
def run_maker(backtest, touch, table, covered, rules, bands, steps):  # type: ignore[no-untyped-def]
    """Trade from ``rules.start_ns`` to ``rules.end_ns``.

    Parameters
    ----------
    backtest : int
        Address of hftbacktest's backtest; closed by the caller.
    touch : tuple of arrays
        Local time and exchange time (ns, ascending), best bid and ask (steps, 0 if empty).
    table : tuple of arrays
        Times (ns); depths (quote currency or bp), refusals and whether at the touch, each of shape
        (2, n, Q), bids first.
    covered : (array, array)
        Starts and ends (ns) of the stretches with data, ascending.
    rules : record of `layout.RULES`
    bands, steps : arrays
        Prices from which on each price step holds, and the price steps.

    Returns
    -------
    quotes, fills, looks, refusals
        Rows of `layout.QUOTE`, `FILL`, `LOOK`, `REFUSAL` in the order in which they came about.
    """
    quotes, fills = np.zeros(4096, QUOTE), np.zeros(4096, FILL)
    looks, changes = np.zeros(4096, LOOK), np.zeros(1024, REFUSAL)
    slots = np.zeros(2, SLOT)
    count, state = np.zeros(5, np.int64), np.zeros(3)
    local_ns, _, bids, asks = touch
    starts, ends = covered
    row, seen, stretch = -1, -1, -1
    last_refusal, next_minute = 0, rules.start_ns
    refused, prices = np.zeros(2, np.int64), np.zeros(2, np.int64)
    depths, touching = np.zeros(2), np.zeros(2, np.bool_)

    if binding.wait(backtest, 1) == binding.END_OF_DATA:
        state[_ENDED] = 1.0
    fills = _wait_until(backtest, rules.start_ns, slots, quotes, fills, count, state, rules)
    while state[_ENDED] == 0.0:
        looked = binding.now_ns(backtest)
        if looked >= rules.end_ns:
            break
        reused = seen
        for step_of_look in range(2):  # 0: check what rests, 1: place what does not
            now = binding.now_ns(backtest)
            row = _newest(table[0], row, now)
            stretch = _newest(starts, stretch, now)
            inside = stretch >= 0 and now < ends[stretch]
            if step_of_look == 0 or now - looked > BOOK_REUSE_NS:
                seen = _newest(local_ns, seen, now)
                reused = seen
            units = _units(state[_POSITION], rules)
            acted = False
            for side in range(2):
                refused[side], prices[side], depths[side], touching[side] = _decide(
                    side, now, row, reused, inside, units, touch, table, rules, bands, steps
                )
            for side in range(2):
                slot = slots[side]
                closes = units > 0 if side == 1 else units < 0
                if step_of_look == 0:
                    if slot.number == 0:
                        continue
                    mid = 0.5 * (bids[reused] + asks[reused])
                    why = _outdated(
                        slot,
                        refused[side],
                        prices[side],
                        price_step(mid, bands, steps),
                        now,
                        rules,
                    )
                    exit_wanted = refused[1 - side] == 0
                    if rules.one_at_a_time and units != 0 and not closes and exit_wanted:
                        why = _BY_EXIT
                    if why != _RESTING and binding.cancel(backtest, slot.number) == 0:
                        slot.why, acted = why, True
                        slot.refusal = refused[side]
                    continue
                if slot.number != 0 or refused[side] != 0:
                    continue
                if rules.one_at_a_time and (
                    slots[1 - side].number != 0
                    or not (closes or (units == 0 and state[_CLOSED] == 0.0))
                ):
                    continue
                size = rules.size
                if rules.one_at_a_time and closes:
                    size = abs(state[_POSITION])
                if count[_QUOTES] == len(quotes):
                    quotes = _grown(quotes)
                count[_NUMBER] += 1
                number = count[_NUMBER]
                price = prices[side] * rules.step
                if binding.submit(backtest, side == 0, number, price, size - _LESS) != 0:
                    continue
                place = count[_QUOTES]
                count[_QUOTES] += 1
                slot.number, slot.quote, slot.price = number, place, prices[side]
                slot.sent_ns, slot.left, slot.why, slot.refusal = now, size, _RESTING, 0
                quote = quotes[place]
                quote.sent_ns, quote.price, quote.size = now, prices[side], size
                quote.step = price_step(0.5 * (bids[reused] + asks[reused]), bands, steps)
                quote.bid, quote.ask = bids[reused], asks[reused]
                quote.depth = depths[side] * rules.step
                quote.position, quote.row = state[_POSITION], row
                quote.units, quote.side, quote.at_touch = units, side, touching[side]
                acted = True
            if acted:
                fills = _await_replies(backtest, slots, quotes, fills, count, state, rules)
        refusal = _said(refused, slots, units, rules)
        if refusal != last_refusal:
            if count[_REFUSALS] == len(changes):
                changes = _grown(changes)
            changes[count[_REFUSALS]].time_ns = looked
            changes[count[_REFUSALS]].code = refusal
            count[_REFUSALS] += 1
            last_refusal = refusal
        if looked >= next_minute:
            if count[_LOOKS] == len(looks):
                looks = _grown(looks)
            looks[count[_LOOKS]].time_ns = looked
            if seen >= 0:
                looks[count[_LOOKS]].bid = bids[seen]
                looks[count[_LOOKS]].ask = asks[seen]
            looks[count[_LOOKS]].position = state[_POSITION]
            count[_LOOKS] += 1
            next_minute = looked - (looked - rules.start_ns) % _MINUTE_NS + _MINUTE_NS
        state[_CLOSED] = 0.0
        after = _next_look(looked, stretch, starts, ends, slots, rules)
        fills = _wait_until(backtest, after, slots, quotes, fills, count, state, rules)
    # Whatever rests is withdrawn, so that every order has an end.
    for side in range(2):
        slot = slots[side]
        if slot.number != 0:
            binding.cancel(backtest, slot.number)
            slot.why = _REPLAY_ENDED
    fills = _await_replies(backtest, slots, quotes, fills, count, state, rules)
    for side in range(2):
        slot = slots[side]
        if slot.number != 0:
            quotes[slot.quote].ended_ns = max(binding.now_ns(backtest), slot.sent_ns)
            quotes[slot.quote].ended = _REPLAY_ENDED
    return (
        quotes[: count[_QUOTES]].copy(),
        fills[: count[_FILLS]].copy(),
        looks[: count[_LOOKS]].copy(),
        changes[: count[_REFUSALS]].copy(),
        int(state[_ENDED]),
    )


@njit(cache=True)
def _said(refused, slots, units, rules):  # type: ignore[no-untyped-def]
    """Return the refusal in force: none while anything is or may be quoted."""
    if slots[0].number != 0 or slots[1].number != 0:
        return 0
    if units > 0:
        return refused[1]
    if units < 0:
        return refused[0]
    if rules.one_at_a_time and rules.q_min < 0:
        return refused[1]
    if rules.one_at_a_time:
        return refused[0]
    return refused[0] if refused[0] != 0 and refused[1] != 0 else 0


@njit(cache=True)
def _next_look(looked, stretch, starts, ends, slots, rules):  # type: ignore[no-untyped-def]
    """Return when to look next: at once where the data end, not at all where there are none."""
    after = looked + rules.look_ns
    if stretch >= 0 and looked < ends[stretch] < after:
        return ends[stretch]
    resting = slots[0].number != 0 or slots[1].number != 0
    outside = stretch < 0 or looked >= ends[stretch]
    if outside and not resting:
        begins = starts[stretch + 1] if stretch + 1 < len(starts) else rules.end_ns
        return max(after, begins)
    return after
