"""What should rest in a market now."""

import logging
from dataclasses import replace
from decimal import Decimal
from typing import Final

from advanced_mm.errors import AdvancedMMError
from advanced_mm.maker.grid import Grid
from advanced_mm.maker.guarded import guarded
from advanced_mm.maker.holdings import currencies
from advanced_mm.maker.running.market import Market
from advanced_mm.maker.running.sight import Sight
from advanced_mm.maker.wanted import Wanted, wanted
from advanced_mm.policies import EMPTY, Ladder, MarketState

__all__ = ["Aim"]

logger = logging.getLogger(__name__)

_NOTHING: Final = Wanted()


class Aim:
    """The policy's ladder within the guards, on the exchange's grid, as far as the balance goes.

    Attributes
    ----------
    reason
        Why there is less of it, or nothing; empty: nothing is left out.
    """

    def __init__(self, market: Market, sight: Sight, grid: Grid) -> None:
        self.reason = ""
        self._market, self._sight, self._grid = market, sight, grid

    def wanted(self, now: int, unsafe: str) -> Wanted:
        """Return what should rest at a time, epoch ms; nothing if it is unsafe, and why."""
        reason = unsafe
        ladder = EMPTY
        if not reason:
            ladder, reason = self._ladder(now)
        found = _NOTHING
        state = self._sight.state
        if state is not None and (ladder.bids or ladder.asks):
            found = wanted(
                ladder,
                self._market.rules,
                self._grid,
                (state.bid, state.ask),
                self._market.setup.limits.max_orders_a_side,
                self._funds(),
            )
            if not (found.bids or found.asks):
                reason = "too small: no level of the ladder is as large as the exchange asks"
            elif found.short:
                reason = f"balance: it does not suffice for {found.short} orders of the ladder"
        self.tell(reason)
        return found

    def tell(self, reason: str) -> None:
        """Log and record why less rests than should; empty: nothing is left out."""
        if reason.partition(":")[0] != self.reason.partition(":")[0]:
            log = logger.warning if reason else logger.info
            setup = self._market.setup
            log("%s %s: %s", setup.exchange, self._market.symbol, reason or "quoting again")
        self.reason = reason
        self._market.records.refused(reason)

    def _ladder(self, now: int) -> tuple[Ladder, str]:
        """Return the policy's ladder within the guards, and why there is less of it."""
        setup, guards = self._market.setup, self._market.guards
        state = self._sight.look(now)
        if state is None:
            return EMPTY, "no touch: nobody else quotes both sides, or they cross"
        state = setup.limits.within_capital(self._without_hedge(state))
        try:
            ladder = setup.policy.ladder(state)
        except (AdvancedMMError, ArithmeticError, ValueError) as error:
            return EMPTY, f"no ladder: the policy {setup.policy.name} fails: {error}"
        symbol, limits = self._market.symbol, setup.limits
        at = self._sight.at(now)
        position = state.inventory - limits.target_inventory
        usual = state.usual_volatility * state.mid
        usual_or_none = usual if usual > 0 else None
        held = abs(position) * state.mid
        bid = guards.rule(symbol, "bid", usual_or_none, held, at)
        ask = guards.rule(symbol, "ask", usual_or_none, held, at)
        allowed = guarded(ladder, state.mid, position, bid, ask, limits.max_position_value)
        return allowed, allowed.reason

    def _without_hedge(self, state: MarketState) -> MarketState:
        """Return what the policy sees: it must not trade a hedge away that will be closed again."""
        desk = self._market.setup.desk
        held = float(desk.set_aside) if desk is not None else 0.0
        if not held:
            return state
        return replace(
            state,
            inventory=state.inventory - held,
            quote_balance=state.quote_balance + held * state.mid,
        )

    def _funds(self) -> tuple[Decimal, Decimal] | None:
        if not self._market.rules.spot:
            return None
        base, quote = currencies(self._market.symbol)
        return self._market.holdings.balance(base), self._market.holdings.balance(quote)
