"""What a maker would quote now, without an order."""

import asyncio
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from advanced_mm.maker.exchange import Book, MakerExchange, MarketRules
from advanced_mm.maker.grid import Grid
from advanced_mm.maker.holdings import Holdings, currencies
from advanced_mm.maker.setup import MarketSetup
from advanced_mm.maker.start_check import check_start
from advanced_mm.maker.wanted import Wanted, wanted
from advanced_mm.policies import MarketState

__all__ = ["FirstLook", "first_looks"]


@dataclass(frozen=True, slots=True)
class FirstLook:
    """A market and the orders that would rest in it; `reason` says why there are none or fewer."""

    setup: MarketSetup
    state: MarketState
    orders: Wanted
    reason: str


async def first_looks(
    exchanges: Mapping[str, MakerExchange], setups: Sequence[MarketSetup], seconds: float
) -> list[FirstLook]:
    """Open the exchanges, wait for a book of each market, and ask the policies; close again.

    Raises
    ------
    InputError
        A market does not exist, or the ladder cannot be placed there.
    ConnectionError
        An exchange does not answer, or sends no book within ``seconds``.
    """
    try:
        return await _looks(exchanges, setups, seconds)
    finally:
        await asyncio.gather(*(one.close() for one in exchanges.values()), return_exceptions=True)


async def _looks(
    exchanges: Mapping[str, MakerExchange], setups: Sequence[MarketSetup], seconds: float
) -> list[FirstLook]:
    symbols: dict[str, dict[str, None]] = {name: {} for name in exchanges}
    for setup in setups:
        symbols[setup.exchange][setup.symbol] = None
        for exchange, symbol in setup.desk.needs if setup.desk is not None else ():
            symbols[exchange][symbol] = None
    rules = {name: await exchanges[name].open(list(wanted)) for name, wanted in symbols.items()}
    books: dict[str, dict[str, Book]] = dict(
        zip(
            symbols,
            await asyncio.gather(
                *(
                    _books(exchanges[name], list(wanted), seconds)
                    for name, wanted in symbols.items()
                )
            ),
            strict=True,
        )
    )
    found = []
    for setup in setups:
        market = rules[setup.exchange][setup.symbol]
        holdings = Holdings()
        holdings.add_rules([market])
        holdings.adopt(await exchanges[setup.exchange].account())
        found.append(_look(setup, market, books[setup.exchange][setup.symbol], holdings))
    return found


async def _books(exchange: MakerExchange, symbols: list[str], seconds: float) -> dict[str, Book]:
    books: dict[str, Book] = {}
    try:
        async with asyncio.timeout(seconds):
            async for event in exchange.events():
                if isinstance(event, Book) and event.bids and event.asks:
                    books[event.symbol] = event
                if all(symbol in books for symbol in symbols):
                    return books
    except TimeoutError:
        pass
    missing = ", ".join(symbol for symbol in symbols if symbol not in books)
    raise ConnectionError(f"{exchange.name} has sent no book of {missing} within {seconds:g} s")


def _look(setup: MarketSetup, rules: MarketRules, book: Book, holdings: Holdings) -> FirstLook:
    mid = (book.bids[0][0] + book.asks[0][0]) / 2
    state = MarketState(
        time_ms=book.time_ms,
        bids=book.bids,
        asks=book.asks,
        inventory=float(holdings.inventory(rules.symbol)),
        quote_balance=holdings.quote_balance(rules.symbol, mid),
        volatility=math.nan,
        usual_volatility=math.nan,
    )
    check_start(setup, rules, state)
    ladder = setup.policy.ladder(setup.limits.within_capital(state))
    funds = None
    if rules.spot:
        base, quote = currencies(rules.symbol)
        funds = (holdings.balance(base), holdings.balance(quote))
    orders = wanted(
        ladder, rules, Grid(rules), (state.bid, state.ask), setup.limits.max_orders_a_side, funds
    )
    return FirstLook(setup, state, orders, ladder.reason)
