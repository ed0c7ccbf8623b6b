"""A market's hedge as one state machine: the machines in use, and who hears which news."""

import json
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

from pydantic import TypeAdapter, ValidationError

from advanced_mm.errors import InputError
from advanced_mm.file_versions import check_version, version_in
from advanced_mm.hedging import execution, passive
from advanced_mm.hedging.execution import Execution
from advanced_mm.hedging.market import HedgeMarket
from advanced_mm.hedging.messages import Filled, News, Observation, OrderNews, Reconnected, Wish
from advanced_mm.hedging.orders import ClientIds, HedgeOrder, Kind, Phase
from advanced_mm.hedging.passive import Passive, Round, Slot
from advanced_mm.hedging.settings import ExecutionSettings, HedgeSettings
from advanced_mm.hedging.sizes import inventory_share
from advanced_mm.hedging.wanted import NOTHING, Exposure, Wanted, active_wanted, delta_wanted

__all__ = [
    "HEDGE_STATE_VERSION",
    "HedgeState",
    "fit",
    "freshen",
    "new_state",
    "restore_state",
    "save_state",
    "step",
    "take_over",
]

HEDGE_STATE_VERSION: Final = 1
"""Raised when a field changes its meaning or unit, or is no longer there."""

_PREFIX_DIGITS: Final = 26


@dataclass(frozen=True, slots=True)
class HedgeState:
    """All that a hedge must know after a restart.

    Parameters
    ----------
    targeted
        The active or delta hedge; unused where neither is set.
    passive
        The passive hedge; unused where it is not set.
    init_iqv_ratio
        The IQV ratio that moves are measured from; None before the first observation.
    """

    targeted: Execution
    passive: Passive
    init_iqv_ratio: Decimal | None = None

    @property
    def position(self) -> Decimal:
        """What all machines hold together, signed, base units of the hedge."""
        return self.targeted.ledger.position + self.passive.ledger.position

    @property
    def orders(self) -> dict[str, str]:
        """Purpose of each order in flight, at rest or in doubt, by client id."""
        found = {order.client_id: f"passive {slot}" for slot, order in self.passive.orders.items()}
        if self.targeted.order is not None:
            found[self.targeted.order.client_id] = f"hedge {self.targeted.step}"
        return found

    @property
    def stop(self) -> HedgeOrder | None:
        """The stop at rest of what the passive hedge holds; None where there is none."""
        order = self.passive.orders.get(Slot.STOP)
        rests = order is not None and order.kind is Kind.TRIGGER and order.phase is Phase.RESTING
        return order if rests and self.passive.ledger.position else None

    @property
    def sent_ms(self) -> dict[str, int]:
        """When each of these orders was sent, by client id, ms."""
        found = [*self.passive.orders.values(), *filter(None, [self.targeted.order])]
        return {order.client_id: order.sent_ms for order in found}

    @property
    def last_fill_ms(self) -> int:
        """Exchange time of the newest fill, ms; 0 before the first."""
        return max(self.targeted.ledger.last_fill_ms, self.passive.ledger.last_fill_ms)

    def counted(self, fill: Filled) -> bool:
        """Return whether a fill was counted already."""
        return self.targeted.ledger.knows(fill) or self.passive.ledger.knows(fill)

    def owns(self, client_id: str) -> bool:
        """Return whether an order is of this state or of one it was restored from."""
        return self.targeted.ids.owns(client_id) or self.passive.ids.owns(client_id)


_STATES: Final = TypeAdapter(HedgeState)


def new_state(prefix: str) -> HedgeState:
    """Return the state of a hedge that has sent nothing yet.

    Parameters
    ----------
    prefix
        ``0x`` and 24 hexadecimal digits, unique to this state: what its client ids begin with.

    Raises
    ------
    ValueError
        The prefix has another length.
    """
    if len(prefix) != _PREFIX_DIGITS:
        raise ValueError(f"client ids must begin with {_PREFIX_DIGITS} characters, not {prefix!r}")
    return HedgeState(Execution(ClientIds(f"{prefix}a")), Passive(ClientIds(f"{prefix}b")))


def take_over(
    settings: HedgeSettings, state: HedgeState, position: Decimal, price: Decimal
) -> HedgeState:
    """Return the state with a position that was found on the hedge's market.

    What the fills do not explain goes to the active or delta hedge, which brings it where it should
    be; where there is none, to the passive hedge, which gives it a stop.

    Parameters
    ----------
    position
        All that is held, signed, base units of the hedge.
    price
        Stands for the entry price where that is not known, quote currency.
    """
    more = position - state.position
    if more == 0:
        return state
    if _has_target(settings):
        ledger = state.targeted.ledger
        ledger = ledger.holding(ledger.position + more, price)
        return replace(state, targeted=replace(state.targeted, ledger=ledger))
    ledger = state.passive.ledger
    ledger = ledger.holding(ledger.position + more, price)
    return replace(state, passive=replace(state.passive, ledger=ledger, round=Round.HEDGED))


def fit(settings: HedgeSettings, state: HedgeState) -> HedgeState:
    """Return a restored state without machines that the settings no longer use.

    Their positions go to the machine that is used; their orders must be cancelled by the caller.
    """
    held, entry = state.position, Decimal(0)
    if settings.passive is None:
        entry = state.passive.ledger.entry
        state = replace(state, passive=Passive(state.passive.ids))
    if not _has_target(settings):
        entry = state.targeted.ledger.entry
        state = replace(state, targeted=Execution(state.targeted.ids))
    return take_over(settings, state, held, entry)


def freshen(state: HedgeState) -> HedgeState:
    """Return the state after a break in which its triggers went: new ones go by the price now."""
    guarding = state.passive.round is Round.GUARDING
    if not guarding or state.passive.orders:
        return state
    return replace(state, passive=replace(state.passive, plan=None))


def _has_target(settings: HedgeSettings) -> bool:
    return settings.active is not None or settings.delta is not None


def save_state(state: HedgeState) -> bytes:
    """Return the state as JSON."""
    written = {"version": HEDGE_STATE_VERSION, **_STATES.dump_python(state, mode="json")}
    return json.dumps(written, indent=1).encode()


def restore_state(text: bytes, where: str) -> HedgeState:
    """Return a state that was saved; the news it needs next is `Reconnected`.

    Raises
    ------
    InputError
        The text is not a saved state, or one of a later version; ``where`` names its file.
    """
    check_version(version_in(text), HEDGE_STATE_VERSION, where)
    try:
        return _STATES.validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"])) or "the file"
        raise InputError(
            f"{where}: {field} is not what a hedge saves ({first['msg'].lower()}); move the file "
            "away, and close what the hedge holds by hand or let it be taken over"
        ) from None


def step(
    settings: HedgeSettings, market: HedgeMarket, state: HedgeState, news: News
) -> tuple[HedgeState, list[Wish]]:
    """Return the state after the news, and what is to be done now.

    Wishes are carried out in their order; what became of them is told as news. Pure: without
    clock, I/O or randomness.
    """
    match news:
        case Observation():
            return _observe(settings, market, state, news)
        case Reconnected():
            targeted, wishes = execution.hear(_execution(settings), state.targeted, news)
            state = replace(state, targeted=targeted)
            if settings.passive is None:
                return state, wishes
            guarding, more = passive.hear(settings.passive, state.passive, news)
            return replace(state, passive=guarding), wishes + more
        case OrderNews() if state.targeted.ids.owns(news.client_id):
            targeted, wishes = execution.hear(_execution(settings), state.targeted, news)
            return replace(state, targeted=targeted), wishes
        case OrderNews() if settings.passive and state.passive.ids.owns(news.client_id):
            guarding, wishes = passive.hear(settings.passive, state.passive, news)
            return replace(state, passive=guarding), wishes
    return state, []


def _execution(settings: HedgeSettings) -> ExecutionSettings:
    return settings.active or settings.delta or ExecutionSettings()


def _observe(
    settings: HedgeSettings, market: HedgeMarket, state: HedgeState, seen: Observation
) -> tuple[HedgeState, list[Wish]]:
    initial = settings.init_iqv_ratio or state.init_iqv_ratio
    if initial is None and seen.inventory > 0 and seen.inventory * seen.mid + seen.quote > 0:
        initial = inventory_share(seen.inventory, seen.quote, seen.mid)
    state = replace(state, init_iqv_ratio=initial)
    position = state.targeted.ledger.position
    exposure = Exposure.of(seen, position, settings.ratio, initial)
    wishes: list[Wish] = []
    if _has_target(settings):
        wanted = _wanted(settings, seen, exposure, position)
        targeted, wishes = execution.pursue(
            _execution(settings), market, state.targeted, seen, wanted
        )
        state = replace(state, targeted=targeted)
    if settings.passive is not None:
        guarding, more = passive.guard(
            settings.passive, market, state.passive, seen, exposure, settings.ratio
        )
        state = replace(state, passive=guarding)
        wishes += more
    return state, wishes


def _wanted(
    settings: HedgeSettings, seen: Observation, exposure: Exposure, position: Decimal
) -> Wanted:
    if settings.active is not None:
        return active_wanted(settings.active, exposure, position, settings.ratio)
    if settings.delta is not None:
        return delta_wanted(settings.delta, seen.inventory, position, settings.ratio)
    return NOTHING
