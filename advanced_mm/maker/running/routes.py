"""Which keepers and hedge desks an event is for."""

import asyncio

from advanced_mm.maker.desk import HedgeDesk, Place
from advanced_mm.maker.exchange import Account, Event, OrderUpdate, Reconnected
from advanced_mm.maker.running.keeper import Keeper
from advanced_mm.maker.setup import MarketSetup

__all__ = ["Routes"]


class Routes:
    """Tells each keeper and each desk of the events of its markets and its accounts."""

    def __init__(self) -> None:
        self._keepers: dict[Place, Keeper] = {}
        self._desks_of: dict[str, list[tuple[HedgeDesk, frozenset[str]]]] = {}
        self._desk_wakes: dict[int, asyncio.Event] = {}

    def add(self, setup: MarketSetup, keeper: Keeper) -> None:
        """Route events of a market to its keeper, and to its desk those that this needs."""
        self._keepers[setup.exchange, setup.symbol] = keeper
        if setup.desk is None:
            return
        symbols: dict[str, set[str]] = {setup.exchange: {setup.symbol}}
        for exchange, symbol in setup.desk.needs:
            symbols.setdefault(exchange, set()).add(symbol)
        for exchange, some in symbols.items():
            self._desks_of.setdefault(exchange, []).append((setup.desk, frozenset(some)))
        self._desk_wakes[id(setup.desk)] = asyncio.Event()

    def desk_wake(self, desk: HedgeDesk) -> asyncio.Event:
        """Return what is set when a desk has seen an event."""
        return self._desk_wakes[id(desk)]

    def route(self, name: str, event: Event) -> None:
        """Tell of an event of an exchange; of an account all that trade there."""
        symbol = event.order.symbol if isinstance(event, OrderUpdate) else None
        if symbol is None and not isinstance(event, Account | Reconnected):
            symbol = event.symbol  # type: ignore[union-attr]
        if symbol is None:
            for (exchange, _), keeper in self._keepers.items():
                if exchange == name:
                    keeper.saw(event)
        elif (name, symbol) in self._keepers:
            self._keepers[name, symbol].saw(event)
        for desk, symbols in self._desks_of.get(name, ()):
            if symbol is None or symbol in symbols:
                desk.saw(name, event)
                self._desk_wakes[id(desk)].set()
