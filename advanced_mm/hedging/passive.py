"""The passive hedge: triggers that wait for a crash (or a rally), and the stop of a fired one.

============  ==================================  =============================================
phase         orders                              goes on
============  ==================================  =============================================
``guarding``  the triggers of the plan; missing   to ``hedged`` when a trigger is filled, in part
              ones are sent again                 or whole
``hedged``    none but the rest of the fired one  to ``guarding`` when the stop is filled and
              at market, then the stop            nothing rests: the round is closed
============  ==================================  =============================================

Each purpose has a slot of its own, with one order at most; it is replaced only when the old one is
off the book and all its fills are known.

A trigger whose price was passed while it could not rest is carried out at market, and so is a stop.
"""

from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import StrEnum
from typing import Final

from advanced_mm.hedging.ledger import Ledger
from advanced_mm.hedging.market import HedgeMarket, Side
from advanced_mm.hedging.messages import (
    Accepted,
    Cancel,
    Filled,
    Observation,
    OrderNews,
    PlaceMarket,
    PlaceTrigger,
    Reconnected,
    Refused,
    Wish,
)
from advanced_mm.hedging.orders import ClientIds, HedgeOrder, Kind, Phase
from advanced_mm.hedging.settings import PassiveSettings
from advanced_mm.hedging.sizes import passive_hedge_size, stop_price, trigger_price
from advanced_mm.hedging.wanted import Exposure

__all__ = ["Passive", "Plan", "Round", "Slot", "guard", "hear"]


class Round(StrEnum):
    """Where the hedge's round is; see the module."""

    GUARDING = "guarding"
    HEDGED = "hedged"


class Slot(StrEnum):
    """What an order is for."""

    SHORT = "short"
    LONG = "long"
    REST = "rest"
    STOP = "stop"


_TRIGGERS: Final = (Slot.SHORT, Slot.LONG)
_NEAR: Final = Decimal("0.5")
"""A price that has come closer by more than this share of the distance is what triggers wait for:
they stay. A ladder that buys all the way down keeps the IQV ratio neutral meanwhile."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What the triggers were made for.

    Parameters
    ----------
    reference
        The hedge market's mid then, quote currency.
    size
        Base units of the hedge.
    short, long
        Which triggers should rest.
    made_ms
        When it was made or last looked over.
    """

    reference: Decimal
    size: Decimal
    short: bool
    long: bool
    made_ms: int


@dataclass(frozen=True, slots=True)
class Passive:
    """State of the passive hedge.

    Parameters
    ----------
    orders
        By slot; an empty slot is left out.
    quiet_until_ms
        By slot, after a refusal.
    rest
        What a fired trigger left unfilled and goes at market, signed.
    rounds
        How many were closed.
    """

    ids: ClientIds
    ledger: Ledger = field(default_factory=Ledger)
    round: Round = Round.GUARDING
    plan: Plan | None = None
    orders: dict[Slot, HedgeOrder] = field(default_factory=dict)
    quiet_until_ms: dict[Slot, int] = field(default_factory=dict)
    rest: Decimal = Decimal(0)
    rounds: int = 0


@dataclass(frozen=True, slots=True)
class _Order:
    """What a slot should hold."""

    kind: Kind
    side: Side
    size: Decimal
    price: Decimal


def hear(
    settings: PassiveSettings, state: Passive, news: OrderNews | Reconnected
) -> tuple[Passive, list[Wish]]:
    """Take in what became of orders; a trigger that fired withdraws the other one at once."""
    if isinstance(news, Reconnected):
        wishes: list[Wish] = []
        for slot, order in state.orders.items():
            asked, more = order.look_up(news.time_ms)
            state = _holding(state, slot, asked)
            wishes += more
        return state, wishes
    if isinstance(news, Filled):
        if state.ledger.knows(news):
            return state, []
        state = replace(state, ledger=state.ledger.take(news))
    found = [one for one, order in state.orders.items() if order.client_id == news.client_id]
    if not found:
        if isinstance(news, Filled):  # of an order given up as lost: what it traded needs a stop
            state = replace(state, round=Round.HEDGED)
        return _withdraw_triggers(
            state, news, [Cancel(news.client_id)] if isinstance(news, Accepted) else []
        )
    slot, order = found[0], state.orders[found[0]]
    after = order.after(news)
    state = _holding(state, slot, after)
    if after is None and (isinstance(news, Refused) or _fell_short(order, news)):
        until = news.time_ms + int(settings.retry_seconds * 1000)
        state = replace(state, quiet_until_ms={**state.quiet_until_ms, slot: until})
    if isinstance(news, Filled) and slot in _TRIGGERS:
        state = replace(state, round=Round.HEDGED)
    if after is None and slot in _TRIGGERS:
        state = _with_rest(state, order, news)
    return _withdraw_triggers(state, news, [])


def _left(order: HedgeOrder, news: OrderNews) -> Decimal:
    """Return what an order left unfilled, given its state before the last news."""
    return order.left - (news.size if isinstance(news, Filled) else 0)


def _fell_short(order: HedgeOrder, news: OrderNews) -> bool:
    """Return whether an order at market found too few to trade with."""
    return order.kind is Kind.MARKET and _left(order, news) > 0


def _with_rest(state: Passive, order: HedgeOrder, news: OrderNews) -> Passive:
    """Note what an ended trigger left unfilled; withdrawn ones leave nothing."""
    left = _left(order, news)
    if left == order.size or order.phase is Phase.CANCELLING:
        return state
    return replace(state, rest=left if order.side == "buy" else -left)


def _withdraw_triggers(
    state: Passive, news: OrderNews, wishes: list[Wish]
) -> tuple[Passive, list[Wish]]:
    if state.round is Round.GUARDING:
        return state, wishes
    for slot in _TRIGGERS:
        order = state.orders.get(slot)
        if order is not None and order.filled == 0 and order.phase is Phase.RESTING:
            order, more = order.cancel(news.time_ms)
            state = _holding(state, slot, order)
            wishes = [*wishes, *more]
    return state, wishes


def _holding(state: Passive, slot: Slot, order: HedgeOrder | None) -> Passive:
    others = {one: kept for one, kept in state.orders.items() if one is not slot}
    return replace(state, orders=others if order is None else {**others, slot: order})


def guard(
    settings: PassiveSettings,
    market: HedgeMarket,
    state: Passive,
    seen: Observation,
    exposure: Exposure,
    ratio: Decimal,
) -> tuple[Passive, list[Wish]]:
    """Act on an observation.

    Parameters
    ----------
    exposure
        What is to be protected: the inventory with other hedges, without this one.
    ratio
        Base units of the hedge for one unit of inventory.
    """
    if state.round is Round.HEDGED and _is_closed(market, state, seen):
        state = replace(state, round=Round.GUARDING, plan=None, rounds=state.rounds + 1)
    if state.round is Round.GUARDING:
        state = replace(state, plan=_planned(settings, market, state.plan, seen, exposure, ratio))
    wishes: list[Wish] = []
    for slot in Slot:
        state, more = _keep(state, seen, slot, _desired(settings, market, state, seen, slot))
        wishes += more
    return state, wishes


def _is_closed(market: HedgeMarket, state: Passive, seen: Observation) -> bool:
    held = market.tradeable(state.ledger.position, seen.hedge_mid)
    rest = market.tradeable(state.rest, seen.hedge_mid)
    return not state.orders and not held and not rest


def _planned(
    settings: PassiveSettings,
    market: HedgeMarket,
    plan: Plan | None,
    seen: Observation,
    exposure: Exposure,
    ratio: Decimal,
) -> Plan:
    """Return the plan: renewed in the neutral zone, outside it only cut to what is held."""
    size = market.size(
        passive_hedge_size(exposure.inventory, settings.passive_hedge_proportion, ratio)
    )
    short = settings.dual_sided_hedge or exposure.inventory > 0
    long = settings.dual_sided_hedge or exposure.inventory < 0
    fresh = Plan(seen.hedge_mid, size, short, long, seen.time_ms)
    if plan is None or plan.size == 0:
        return fresh
    tolerance = settings.passive_hedge_refresh_tolerance
    turned = (plan.short, plan.long) != (short, long)
    if plan.size > fresh.size * (1 + tolerance) or turned:
        return replace(fresh, reference=plan.reference, made_ms=plan.made_ms)
    due = seen.time_ms >= plan.made_ms + int(settings.passive_hedge_refresh_interval * 1000)
    move = exposure.move
    if not due or move is None or abs(move) > settings.passive_hedge_refresh_iqv_ratio:
        return plan
    distance = plan.reference * settings.passive_hedge_ratio
    risen = fresh.reference - plan.reference
    if (plan.short and -risen > distance * _NEAR) or (plan.long and risen > distance * _NEAR):
        return plan
    moved = abs(risen) > distance * tolerance
    resized = abs(fresh.size - plan.size) > plan.size * tolerance
    return fresh if moved or resized else replace(plan, made_ms=seen.time_ms)


def _desired(
    settings: PassiveSettings, market: HedgeMarket, state: Passive, seen: Observation, slot: Slot
) -> _Order | None:
    if slot in _TRIGGERS:
        wanted = _trigger(settings, market, state, seen, slot)
    elif slot is Slot.REST:
        wanted = _rest(market, state, seen)
    else:
        wanted = _stop(settings, market, state, seen)
    if wanted is None or not market.tradeable(wanted.size, wanted.price):
        return None
    return wanted


def _trigger(
    settings: PassiveSettings, market: HedgeMarket, state: Passive, seen: Observation, slot: Slot
) -> _Order | None:
    plan = state.plan
    rests = plan is not None and (plan.short if slot is Slot.SHORT else plan.long)
    if state.round is Round.HEDGED or plan is None or not rests:
        return None
    direction = -1 if slot is Slot.SHORT else 1
    side: Side = "sell" if slot is Slot.SHORT else "buy"
    price = market.trigger(
        trigger_price(plan.reference, settings.passive_hedge_ratio, direction), side
    )
    passed = (seen.hedge_mid - price) * direction >= 0
    return _Order(Kind.MARKET if passed else Kind.TRIGGER, side, plan.size, price)


def _rest(market: HedgeMarket, state: Passive, seen: Observation) -> _Order | None:
    size = market.size(abs(state.rest))
    return _Order(Kind.MARKET, "buy" if state.rest > 0 else "sell", size, seen.hedge_mid)


def _stop(
    settings: PassiveSettings, market: HedgeMarket, state: Passive, seen: Observation
) -> _Order | None:
    position = state.ledger.position
    opening = [state.orders[slot] for slot in (*_TRIGGERS, Slot.REST) if slot in state.orders]
    working = any(one.filled > 0 or one.kind is Kind.MARKET for one in opening)
    if state.round is Round.GUARDING or position == 0:
        return None
    if working or market.tradeable(state.rest, seen.hedge_mid):
        return None
    direction = 1 if position > 0 else -1
    side: Side = "sell" if position > 0 else "buy"
    entry = state.ledger.entry
    price = market.trigger(stop_price(entry, settings.passive_hedge_sp_ratio, direction), side)
    passed = (price - seen.hedge_mid) * direction >= 0
    return _Order(Kind.MARKET if passed else Kind.TRIGGER, side, market.size(abs(position)), price)


def _keep(
    state: Passive, seen: Observation, slot: Slot, wanted: _Order | None
) -> tuple[Passive, list[Wish]]:
    """Bring a slot's order where it should be: send, cancel, look up, or leave it."""
    order, now = state.orders.get(slot), seen.time_ms
    if order is None:
        if wanted is None or now < state.quiet_until_ms.get(slot, 0):
            return state, []
        return _send(state, now, slot, wanted)
    if _should_go(order, wanted):
        order, wishes = order.cancel(now)
        return _holding(state, slot, order), wishes
    if order.due(now):
        order, wishes = order.look_up(now)
        return _holding(state, slot, order), wishes
    return state, []


def _should_go(order: HedgeOrder, wanted: _Order | None) -> bool:
    if order.phase is not Phase.RESTING or order.kind is not Kind.TRIGGER or order.filled > 0:
        return False
    if wanted is None:
        return True
    # If the price was passed and one at market is wanted, the exchange carries this one out.
    return (order.side, order.size, order.price) != (wanted.side, wanted.size, wanted.price)


def _send(state: Passive, now: int, slot: Slot, wanted: _Order) -> tuple[Passive, list[Wish]]:
    client_id, ids = state.ids.take()
    order = HedgeOrder(client_id, wanted.kind, wanted.side, wanted.size, wanted.price, now, now)
    state = _holding(replace(state, ids=ids), slot, order)
    if slot is Slot.REST:
        state = replace(state, rest=Decimal(0))
    closing = slot is Slot.STOP
    if wanted.kind is Kind.MARKET:
        return state, [PlaceMarket(client_id, wanted.side, wanted.size, closing)]
    return state, [PlaceTrigger(client_id, wanted.side, wanted.size, wanted.price, closing)]
