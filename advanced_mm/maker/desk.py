"""What the maker and a hedge desk ask of each other."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Protocol

from advanced_mm.maker.client_ids import ClientIds
from advanced_mm.maker.exchange import Event, MakerExchange, MarketRules
from advanced_mm.maker.holdings import Holdings
from advanced_mm.maker.records import Records

__all__ = ["DeskRoom", "HedgeDesk", "Place"]

Place = tuple[str, str]
"""An exchange's name and a symbol on it."""


@dataclass(frozen=True)
class DeskRoom:
    """What a desk gets to work with.

    Parameters
    ----------
    market
        The market that is hedged.
    exchanges
        All of the maker's, opened, by name.
    rules
        Of the hedged market and of those the desk needs.
    holdings
        What is held on each exchange, by its name: up to date with each fill, before the desk is
        told of it.
    ids
        Makes client ids for a place; the maker leaves orders with them alone.
    inventory
        What the hedged market holds now, base currency.
    quote_balance
        What the hedged market may use beside it at a mid, quote currency.
    records
        Tells the journal of a place. The maker itself tells of the hedged market's place, the fills
        of hedges there included; of other places the desk does.
    state_file
        Where the desk may keep what it must know after a restart; None: nowhere.
    """

    market: Place
    exchanges: Mapping[str, MakerExchange]
    rules: Mapping[Place, MarketRules]
    holdings: Mapping[str, Holdings]
    ids: Callable[[Place], ClientIds]
    inventory: Callable[[], Decimal]
    quote_balance: Callable[[float], float]
    records: Callable[[Place], Records]
    state_file: Path | None = None


class HedgeDesk(Protocol):
    """Hedges one market's inventory. All calls come from the maker's one thread."""

    @property
    def needs(self) -> Sequence[Place]:
        """Places to be streamed beside the hedged market."""

    @property
    def set_aside(self) -> Decimal:
        """What a hedge holds on the hedged market itself and will close again, signed, base."""

    async def open(self, room: DeskRoom) -> None:
        """Look at what rests and is held, adopt or cancel it; called once, before any quote.

        Raises `advanced_mm.errors.InputError` for what forbids hedging.
        """

    def saw(self, exchange: str, event: Event) -> None:
        """Take in an event of the hedged market, of a place needed, or of an account of both."""

    async def step(self, now_ms: int) -> None:
        """Do what is due; called after events, and every quarter of a second at least."""

    async def withdraw(self) -> bool:
        """Cancel what rests, as the maker ends; False if the exchange did not confirm it.

        The stop of a position that stays open stays too, where it can only reduce that.
        """

    @property
    def left_open(self) -> str:
        """After `withdraw`: what is held and what protects it, in words; empty if nothing is."""

    def profit(self, time_ms: int) -> float:
        """Return what hedging has earned since `open`, open positions included, quote currency."""
