"""What the parts of a maker share."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from advanced_mm.journal import JournalWriter
from advanced_mm.maker.accounts import AccountBook
from advanced_mm.maker.client_ids import ClientIds
from advanced_mm.maker.desk import Place
from advanced_mm.maker.exchange import MakerExchange, MarketRules, OrderDoubtError
from advanced_mm.maker.records import Records
from advanced_mm.maker.running.keeper import Keeper
from advanced_mm.maker.setup import MarketSetup

__all__ = ["Shared"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Shared:
    """One maker's exchanges, accounts, markets and their keepers.

    Parameters
    ----------
    name
        Of the maker: it marks its orders and its lines in the journal.
    exchanges, accounts
        By the names that the markets use.
    markets
        Each place at most once.
    journal
        Gets what happens; None: nothing is written.
    clock_ms
        Epoch milliseconds.
    rules
        Of all places, hedges' included, once the exchanges are open.
    keepers
        One a market, once the exchanges are open.
    """

    name: str
    exchanges: Mapping[str, MakerExchange]
    accounts: Mapping[str, AccountBook]
    markets: Sequence[MarketSetup]
    journal: JournalWriter | None
    clock_ms: Callable[[], int]
    rules: dict[Place, MarketRules] = field(default_factory=dict)
    keepers: list[Keeper] = field(default_factory=list)

    def ids(self, place: Place, role: str = "hedge") -> ClientIds:
        """Return the client ids of a place, a desk's by default."""
        return ClientIds(self.name, *place, "quote" if role == "quote" else "hedge")

    def records(self, place: Place) -> Records:
        """Return what writes a place's lines into the journal."""
        bot = f"{self.name}.{place[0]}"
        return Records(self.journal, bot, self.rules[place], self.clock_ms)

    async def settle(self, exchange: str) -> None:
        """Compare an account with what its exchange says, which may be silent."""
        try:
            await self.accounts[exchange].settle()
        except (ConnectionError, OrderDoubtError) as error:
            logger.warning("%s: the account is not told: %s", exchange, str(error)[:200])

    def note(self, what: str) -> None:
        """Note each market's state, and its guards' mark of the account, in the journal."""
        for keeper in self.keepers:
            if keeper.state is not None:
                state = keeper.see(self.clock_ms()) or keeper.state
                if what == "end":
                    keeper.show(state)  # what is shown last must agree with the journal
                keeper.records.look("end" if what == "end" else "minute", state, venue=True)
                keeper.remember_mark()
