"""Trade a hedge to its target: post-only first, the unfilled rest at market.

==============  ====================================  ==========================================
step            order                                 goes on
==============  ====================================  ==========================================
``idle``        none                                  to ``posting`` when a hedge should begin
``posting``     post-only at the touch; sent again    to ``withdrawing`` after the wait, or when
                when it would have taken              the hedge is wanted no longer or smaller
``withdrawing`` being cancelled                       when it is off the book and all its fills
                                                      are known: to ``taking``, to ``posting`` if
                                                      there is time left, or to ``idle``
``taking``      at market                             to ``idle`` when it has ended
==============  ====================================  ==========================================

There is one order at most. While it is in flight or in doubt nothing else is sent, and nothing is
sent before the inventory is known as of the last fill. What goes at market is at most what this
hedge set out to trade, less what it has traded, and at most what is still wanted.
"""

from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import StrEnum
from typing import Final

from advanced_mm.hedging.ledger import Ledger
from advanced_mm.hedging.market import HedgeMarket, side_of
from advanced_mm.hedging.messages import (
    Accepted,
    Cancel,
    Filled,
    Observation,
    OrderNews,
    PlaceLimit,
    PlaceMarket,
    Reconnected,
    Refused,
    Wish,
)
from advanced_mm.hedging.orders import ClientIds, HedgeOrder, Kind, Phase
from advanced_mm.hedging.settings import ExecutionSettings
from advanced_mm.hedging.wanted import Wanted

__all__ = ["Execution", "Step", "hear", "pursue"]

_POST_AGAIN_MS: Final = 500
_MOST_OVER: Final = Decimal("0.1")
"""An order at rest is withdrawn when more than this share of it is wanted no longer."""


class Step(StrEnum):
    """Where a hedge is on its way; see the module."""

    IDLE = "idle"
    POSTING = "posting"
    WITHDRAWING = "withdrawing"
    TAKING = "taking"


@dataclass(frozen=True, slots=True)
class Execution:
    """State of a hedge that is traded to a target.

    Parameters
    ----------
    goal
        What the hedge under way set out to trade, signed; `done` of it is traded.
    deadline_ms
        When the post-only order has waited long enough.
    quiet_until_ms
        Nothing is sent before.
    """

    ids: ClientIds
    ledger: Ledger = field(default_factory=Ledger)
    step: Step = Step.IDLE
    order: HedgeOrder | None = None
    goal: Decimal = Decimal(0)
    done: Decimal = Decimal(0)
    deadline_ms: int = 0
    quiet_until_ms: int = 0


def hear(
    settings: ExecutionSettings, state: Execution, news: OrderNews | Reconnected
) -> tuple[Execution, list[Wish]]:
    """Take in what became of orders."""
    if isinstance(news, Reconnected):
        if state.order is None:
            return state, []
        asked, wishes = state.order.look_up(news.time_ms)
        return replace(state, order=asked), wishes
    if isinstance(news, Filled):
        if state.ledger.knows(news):
            return state, []
        ledger = state.ledger.take(news)
        state = replace(state, ledger=ledger, done=state.done + news.signed)
    order = state.order
    if order is None or order.client_id != news.client_id:
        # Given up as lost, or ended: it must not rest any longer.
        return state, [Cancel(news.client_id)] if isinstance(news, Accepted) else []
    after = order.after(news)
    state = replace(state, order=after)
    if after is None:
        state = _ended(settings, state, order, news)
    return state, []


def _ended(
    settings: ExecutionSettings, state: Execution, order: HedgeOrder, news: OrderNews
) -> Execution:
    if state.step is Step.TAKING:
        filled = order.filled + (news.size if isinstance(news, Filled) else 0)
        short = filled < order.size
        pause = int(settings.retry_seconds * 1000) if short else 0
        return _idle(replace(state, quiet_until_ms=news.time_ms + pause))
    if state.step is Step.POSTING and isinstance(news, Refused):
        return replace(state, quiet_until_ms=news.time_ms + _POST_AGAIN_MS)
    return replace(state, step=Step.WITHDRAWING)


def _idle(state: Execution) -> Execution:
    return replace(state, step=Step.IDLE, goal=Decimal(0), done=Decimal(0))


def pursue(
    settings: ExecutionSettings,
    market: HedgeMarket,
    state: Execution,
    seen: Observation,
    wanted: Wanted,
) -> tuple[Execution, list[Wish]]:
    """Act on an observation and on what is wanted with the present position."""
    if state.order is not None:
        return _wait(market, state, state.order, seen, wanted)
    if seen.time_ms < state.quiet_until_ms or seen.inventory_ms < state.ledger.last_fill_ms:
        return state, []
    if state.step is Step.IDLE:
        if not wanted.begin:
            return state, []
        wait = int(settings.post_only_seconds * 1000)
        state = replace(
            state,
            step=Step.POSTING,
            goal=market.size(wanted.trade),
            done=Decimal(0),
            deadline_ms=seen.time_ms + wait,
        )
    trade = _still_to_trade(market, state, wanted)
    if not market.tradeable(trade, seen.hedge_mid):
        return _idle(state), []
    if seen.time_ms < state.deadline_ms:
        return _post(state, seen, trade)
    return _take(state, seen, trade)


def _still_to_trade(market: HedgeMarket, state: Execution, wanted: Wanted) -> Decimal:
    left = state.goal - state.done
    if left * state.goal <= 0 or left * wanted.trade <= 0:
        return Decimal(0)
    size = market.size(min(abs(left), abs(wanted.trade)))
    return size if left > 0 else -size


def _wait(
    market: HedgeMarket, state: Execution, order: HedgeOrder, seen: Observation, wanted: Wanted
) -> tuple[Execution, list[Wish]]:
    posted = state.step is Step.POSTING and order.phase is Phase.RESTING
    still = _still_to_trade(market, state, wanted)
    over = order.left - abs(still) > order.left * _MOST_OVER
    if posted and (seen.time_ms >= state.deadline_ms or over):
        order, wishes = order.cancel(seen.time_ms)
        return replace(state, step=Step.WITHDRAWING, order=order), wishes
    if order.due(seen.time_ms):
        order, wishes = order.look_up(seen.time_ms)
        return replace(state, order=order), wishes
    return state, []


def _send(
    state: Execution, seen: Observation, trade: Decimal, kind: Kind, price: Decimal
) -> tuple[Execution, HedgeOrder]:
    client_id, ids = state.ids.take()
    now = seen.time_ms
    order = HedgeOrder(client_id, kind, side_of(trade), abs(trade), price, now, now)
    return replace(state, ids=ids, order=order), order


def _post(state: Execution, seen: Observation, trade: Decimal) -> tuple[Execution, list[Wish]]:
    touch = seen.bid if trade > 0 else seen.ask
    state, order = _send(replace(state, step=Step.POSTING), seen, trade, Kind.LIMIT, touch)
    return state, [PlaceLimit(order.client_id, order.side, order.size, order.price)]


def _take(state: Execution, seen: Observation, trade: Decimal) -> tuple[Execution, list[Wish]]:
    state = replace(state, step=Step.TAKING)
    state, order = _send(state, seen, trade, Kind.MARKET, seen.hedge_mid)
    return state, [PlaceMarket(order.client_id, order.side, order.size)]
