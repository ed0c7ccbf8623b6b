"""What would forbid quoting, told before the first order."""

import math
from typing import Final

from advanced_mm.errors import AdvancedMMError, InputError
from advanced_mm.maker.exchange import MarketRules
from advanced_mm.maker.grid import Grid
from advanced_mm.maker.setup import MarketSetup
from advanced_mm.maker.wanted import wanted
from advanced_mm.policies import BinsPolicy, MarketState

__all__ = ["check_start", "moves_allowed"]

_FEW_MOVES = 1000

_STOCK: Final = 2.0
"""Times `max_position_value` that a spot account may hold at the start: prices may have moved."""
_GAIN: Final = 1.25
"""Times `capital` that a spot account's stock may be worth at the start, for the same reason."""


def check_start(setup: MarketSetup, rules: MarketRules, state: MarketState | None) -> None:
    """Compare a market's filters and the account with the ladder that its policy wants now.

    Raises
    ------
    InputError
        The ladder cannot be placed there; the message says why and what to change.
    """
    where = f"{rules.symbol} on {setup.exchange}"
    if state is None:
        return
    _check_stock(where, state, rules, setup)
    state = setup.limits.within_capital(state)
    try:
        ladder = setup.policy.ladder(state)
    except (AdvancedMMError, ArithmeticError, ValueError) as error:
        raise InputError(f"{where}: the policy {setup.policy.name} fails: {error}") from error
    levels = [*ladder.bids, *ladder.asks]
    if not levels:
        return
    if len(levels) > rules.max_orders:
        raise InputError(
            f"{where}: the ladder has {len(levels)} orders, at most {rules.max_orders} may rest "
            "there: use fewer levels."
        )
    if state.equity <= 0 or not math.isfinite(state.equity):
        raise InputError(f"{where}: the account holds nothing to quote with.")
    grid = Grid(rules)
    found = wanted(ladder, rules, grid, (state.bid, state.ask), rules.max_orders)
    if not (found.bids or found.asks):
        largest = max(levels, key=lambda one: one.size * one.price)
        raise InputError(
            f"{where}: the largest order of the ladder is {largest.size:g} at {largest.price:g}, "
            f"the exchange takes none below {rules.min_value:f} in value or {rules.min_size:f} in "
            "size: raise the sizes or use fewer levels."
        )
    if rules.spot:
        _check_balances(where, state, rules)
    elif state.inventory == 0 and not (ladder.bids and ladder.asks):
        _check_short_sales(where, state, setup)


def _check_balances(where: str, state: MarketState, rules: MarketRules) -> None:
    least = float(rules.min_value)
    if max(state.quote_balance, state.inventory * state.mid) < least:
        raise InputError(
            f"{where}: the balances ({state.inventory:g} and {state.quote_balance:g}) are below "
            f"the smallest order's value of {least:g}: deposit more."
        )


def _check_stock(where: str, state: MarketState, rules: MarketRules, setup: MarketSetup) -> None:
    """Refuse to sell a stock that the maker has not bought."""
    limits = setup.limits
    if not rules.spot:
        return
    excess = state.inventory - limits.target_inventory
    worth = state.inventory * state.mid
    if limits.capital is not None and excess > 0 and worth > _GAIN * limits.capital:
        raise InputError(
            f"{where}: {state.inventory:g} are held, worth {worth:,.0f}, where limits.capital lets "
            f"the maker use {limits.capital:g}: it would sell what it has not bought. Move that to "
            "another account, or raise the limit."
        )
    if limits.max_position_value is None:
        return
    if excess * state.mid > _STOCK * limits.max_position_value:
        raise InputError(
            f"{where}: {state.inventory:g} are held, worth {excess * state.mid:,.0f} beyond "
            f"target_inventory = {limits.target_inventory:g}, where max_position_value allows "
            f"{limits.max_position_value:g}: move what it must not sell to another account, or "
            "raise the limit."
        )


def _check_short_sales(where: str, state: MarketState, setup: MarketSetup) -> None:
    """Refuse bins that begin with one side only because they take a flat account for unbalanced."""
    if not isinstance(setup.policy, BinsPolicy):
        return
    settings = setup.policy.settings
    if not settings.perpetual_inventory:
        return
    target = settings.init_iqv_ratio
    fitting = state.quote_balance * target / (1 - target) / state.mid
    other = "use more capital" if fitting < settings.perpetual_inventory else "set limits.capital"
    raise InputError(
        f"{where}: with nothing held and {state.quote_balance:,.2f} to use, perpetual_inventory = "
        f"{settings.perpetual_inventory:g} leaves a side of the ladder empty: set it to "
        f"{fitting:.3g}, or {other}."
    )


def moves_allowed(setup: MarketSetup, state: MarketState | None, allowed: int) -> str:
    """Return a warning if the exchange allows so few orders that quotes will lag; else nothing."""
    if state is None:
        return ""
    ladder = setup.policy.ladder(setup.limits.within_capital(state))
    orders = len(ladder.bids) + len(ladder.asks)
    if not orders or allowed >= _FEW_MOVES * orders:
        return ""
    return (
        f"{setup.symbol}: {setup.exchange} lets this account send {allowed} orders now, enough to "
        f"move a ladder of {orders} orders {allowed // orders} times; then prices are followed "
        "less closely, until trading has earned more. Fewer levels, a higher price_tolerance_bp or "
        "min_quote_age_seconds make them last."
    )
