"""A maker's start: what is opened, learnt and checked before the first order."""

import asyncio
import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from advanced_mm.errors import InputError
from advanced_mm.maker.client_ids import ClientIds
from advanced_mm.maker.desk import DeskRoom
from advanced_mm.maker.records import coin_name
from advanced_mm.maker.running.keeper import Keeper
from advanced_mm.maker.running.routes import Routes
from advanced_mm.maker.running.shared import Shared
from advanced_mm.maker.setup import MarketSetup
from advanced_mm.maker.start_check import check_start, moves_allowed
from advanced_mm.quoting.journaling.last_mark import last_mark

__all__ = ["begin", "open_exchanges"]

logger = logging.getLogger(__name__)

_FIRST_BOOK_SECONDS: Final = 15.0


async def open_exchanges(shared: Shared, routes: Routes) -> None:
    """Open the exchanges with all markets that are needed, and make each market's keeper.

    Raises
    ------
    InputError
        An exchange lacks a market.
    """
    needed: dict[str, list[str]] = {name: [] for name in shared.exchanges}
    for one in shared.markets:
        needed[one.exchange].append(one.symbol)
        for exchange, symbol in one.desk.needs if one.desk is not None else ():
            needed[exchange].append(symbol)
    for name, symbols in needed.items():
        wanted = list(dict.fromkeys(symbols))
        found = await shared.exchanges[name].open(wanted)
        for symbol in wanted:
            if symbol not in found:
                raise InputError(f"{name} has no market {symbol!r}.")
            shared.rules[name, symbol] = found[symbol]
        shared.accounts[name].holdings.add_rules(found.values())
    for one in shared.markets:
        place = (one.exchange, one.symbol)
        keeper = Keeper(
            one,
            shared.exchanges[one.exchange],
            shared.rules[place],
            shared.accounts[one.exchange].holdings,
            ClientIds(shared.name, *place),
            shared.records(place),
            shared.accounts[one.exchange].settle,
            shared.clock_ms,
        )
        shared.keepers.append(keeper)
        routes.add(one, keeper)


async def begin(shared: Shared) -> None:
    """Learn what is held and what rests, wait for the books, check, and open the desks.

    Raises
    ------
    InputError
        Something that the user can mend forbids the first order.
    """
    for account in shared.accounts.values():
        account.begin(shared.journal.folder if shared.journal is not None else None)
        await account.first()
    await _first_books(shared)
    now = shared.clock_ms()
    for keeper in shared.keepers:
        state = keeper.look(now)
        check_start(keeper.setup, keeper.rules, state)
        allowed = shared.exchanges[keeper.setup.exchange].allowance()
        warning = moves_allowed(keeper.setup, state, allowed)
        if warning:
            logger.warning("%s", warning)
        if state is not None:
            keeper.profit.begin(state.mid, state.inventory)
            keeper.records.look("start", state, venue=True)
        _resume_guards(shared, keeper)
        await _look_at_others(shared, keeper.setup)
    for one in shared.markets:
        if one.desk is not None:
            await one.desk.open(_room(shared, one))
    for keeper in shared.keepers:
        keeper.wake()


async def _first_books(shared: Shared) -> None:
    deadline = asyncio.get_running_loop().time() + _FIRST_BOOK_SECONDS
    for keeper in shared.keepers:
        while keeper.see(shared.clock_ms()) is None:
            if asyncio.get_running_loop().time() > deadline:
                raise InputError(
                    f"{keeper.rules.symbol}: {keeper.setup.exchange} has sent no book of both "
                    f"sides within {_FIRST_BOOK_SECONDS:g} s: is the market open?"
                )
            await asyncio.sleep(0.02)


async def _look_at_others(shared: Shared, setup: MarketSetup) -> None:
    """Count the orders of others in a market, and refuse those of a maker of another name.

    Two makers would undo each other's inventory, and count each other's fills, where one hedges
    too.
    """
    own = (setup.exchange, setup.symbol)
    needs = setup.desk.needs if setup.desk is not None and not setup.other_makers else ()
    for exchange, symbol in dict.fromkeys([own, *needs]):
        ours = [shared.ids((exchange, symbol), role) for role in ("quote", "hedge")]
        there = await shared.exchanges[exchange].open_orders(symbol)
        others = [one for one in there if not any(ids.owns(one.client_id) for ids in ours)]
        if not setup.other_makers and any(ClientIds.is_makers(one.client_id) for one in others):
            raise InputError(
                f"{symbol} on {exchange}: orders of a maker of another name than "
                f"{shared.name!r} rest there: stop that maker, or cancel the orders it left, "
                "or say other_makers: true for the market in the file."
            )
        if others and (exchange, symbol) == own:
            logger.warning(
                "%s: %d orders that are not this maker's rest there and are left alone",
                symbol,
                len(others),
            )


def _resume_guards(shared: Shared, keeper: Keeper) -> None:
    if shared.journal is not None:
        at = datetime.fromtimestamp(shared.clock_ms() / 1000, UTC)
        mark = last_mark(shared.journal.folder, keeper.mark_name, at)
        if mark is not None:
            keeper.resume(mark)


def _room(shared: Shared, setup: MarketSetup) -> DeskRoom:
    holdings = {name: one.holdings for name, one in shared.accounts.items()}
    mine = holdings[setup.exchange]

    def quote_balance(mid: float) -> float:
        value = float(mine.inventory(setup.symbol)) * mid
        return setup.limits.quote_balance(mine.quote_balance(setup.symbol, mid), value)

    return DeskRoom(
        market=(setup.exchange, setup.symbol),
        exchanges=shared.exchanges,
        rules=shared.rules,
        holdings=holdings,
        ids=shared.ids,
        inventory=lambda: mine.inventory(setup.symbol),
        quote_balance=quote_balance,
        records=shared.records,
        state_file=_hedge_file(shared, setup),
    )


def _hedge_file(shared: Shared, setup: MarketSetup) -> Path | None:
    if shared.journal is None:
        return None
    coin = coin_name(shared.rules[setup.exchange, setup.symbol])
    return shared.journal.folder / f"hedge.{shared.name}.{setup.exchange}.{coin}.json"
