"""The spot exchange: the single entry point to its markets, orders and accounts."""

import math
from collections.abc import Mapping, Sequence
from decimal import Decimal

from advanced_mm.markets.coin_markets import Venue
from advanced_mm.markets.market import MarketSource, MarketUpdate
from advanced_mm.venue.engine.matching import STEP_MS, MatchedMarket
from advanced_mm.venue.engine.rules import Rules
from advanced_mm.venue.spot.amounts import ATOMS, atoms_of
from advanced_mm.venue.spot.desk import Desk, Placed
from advanced_mm.venue.spot.filters import Filters
from advanced_mm.venue.spot.market import SpotMarket
from advanced_mm.venue.spot.orders import AccountEvent, SpotOrder, SpotRequest
from advanced_mm.venue.spot.rules import SpotRules
from advanced_mm.venue.spot.wallets import SpotAccount, SpotAccounts

__all__ = ["SpotExchange"]


class SpotExchange:
    """The spot exchange.

    Requests happen at ``now_ms``, after everything the markets did up to then; the next `advance`
    publishes what they changed. Stops are looked at every 100 ms of market time.

    Parameters
    ----------
    sources
        The background of each coin's market.
    rules
        The exchange's rules.
    queues
        The other venue's rules, of which those on queues apply here.
    """

    def __init__(
        self,
        sources: Sequence[MarketSource],
        rules: SpotRules | None = None,
        queues: Rules | None = None,
    ) -> None:
        self.rules = rules or SpotRules()
        self.now_ms = min(source.now_ms for source in sources)
        self.accounts = SpotAccounts()
        self.desk = Desk(self.accounts, self.rules, first_oid=self.now_ms // 1000 * 1000)
        books = [
            MatchedMarket(source, queues or Rules(), self.desk, asset=number)
            for number, source in enumerate(sources)
        ]
        self.venue = Venue(books)
        self.markets: Mapping[str, SpotMarket] = {
            (symbol := f"{book.spec.coin}{self.rules.quote_asset}"): SpotMarket(
                symbol,
                book.spec.coin,
                self.rules.quote_asset,
                book,
                self.venue.markets[book.spec.coin],
                Filters.of(book.spec, book.units, self.rules),
            )
            for book in books
        }
        self.desk.open(self.markets)
        self._unpublished: dict[str, list[MarketUpdate]] = {}

    # Time

    def advance(self, until_ms: int) -> dict[str, list[MarketUpdate]]:
        """Advance time; return new blocks by symbol, first those of requests since the last."""
        updates = {symbol: self._unpublished.pop(symbol, []) for symbol in self.markets}
        while self.now_ms < until_ms:
            waiting = [one for one in self.markets.values() if one.sleepers]
            stop_ms = until_ms
            if waiting:
                stop_ms = min(until_ms, self.now_ms - self.now_ms % STEP_MS + STEP_MS)
            for symbol, market in self.markets.items():
                updates[symbol] += market.advance(stop_ms)
            self.now_ms = stop_ms
            if stop_ms % STEP_MS == 0:
                for market in waiting:
                    self.desk.wake(market)
        for symbol, market in self.markets.items():
            if market.book.changed:
                updates[symbol] += market.advance(self.now_ms)
        return updates

    # Accounts

    def open_account(
        self, key: str, secret: str, amounts: Mapping[str, Decimal] | None = None
    ) -> SpotAccount:
        """Open an account with amounts of assets; without them, with play money.

        Play money is the rules' ``play_quote``, and of each base asset the same value, in whole
        lots.
        """
        atoms: dict[str, int]
        if amounts is None:
            atoms = {self.rules.quote_asset: atoms_of(self.rules.play_quote)}
            for market in self.markets.values():
                lots = market.units.lots(float(self.rules.play_quote) / market.book.mid)
                atoms[market.base] = atoms_of(Decimal(lots).scaleb(-market.units.size_decimals))
        else:
            atoms = {asset: atoms_of(amount) for asset, amount in amounts.items()}
        account = SpotAccount(key, secret, atoms)
        account.updated_ms = self.now_ms
        self.accounts.add(account)
        return account

    def value(self, account: SpotAccount) -> float:
        """Return what an account's assets are worth at the mid, quote currency."""
        worth = {self.rules.quote_asset: 1.0}
        worth |= {market.base: market.book.mid for market in self.markets.values()}
        return math.fsum(
            (one.free + one.locked) / ATOMS * worth.get(asset, 0.0)
            for asset, one in account.wallet.items()
        )

    # Requests; all raise SpotRefusedError if they are refused

    def place(self, account: SpotAccount, request: SpotRequest) -> Placed:
        """Place an order."""
        placed = self.desk.place(account, request)
        self._settle(request.symbol)
        return placed

    def cancel(
        self,
        account: SpotAccount,
        symbol: str,
        oid: int | None,
        client_id: str | None,
        cancel_id: str = "",
    ) -> SpotOrder:
        """Cancel an open order, named by number or client id."""
        order = self.desk.find_open(account, symbol, oid, client_id)
        ended = self.desk.cancel(account, order, cancel_id)
        self._settle(symbol)
        return ended

    def reduce(
        self,
        account: SpotAccount,
        symbol: str,
        oid: int | None,
        client_id: str | None,
        quantity: Decimal,
    ) -> SpotOrder:
        """Reduce an open order's size, keeping its place in the queue."""
        order = self.desk.find_open(account, symbol, oid, client_id)
        changed = self.desk.reduce(account, order, quantity)
        self._settle(symbol)
        return changed

    @property
    def post_only(self) -> bool:
        """Whether only LIMIT_MAKER orders are accepted, as in maintenance."""
        return self.desk.post_only

    @post_only.setter
    def post_only(self, post_only: bool) -> None:
        self.desk.post_only = post_only

    @property
    def halted(self) -> set[str]:
        """The coins whose markets are closed."""
        return {market.base for market in self.markets.values() if market.halted}

    def halt(self, coin: str, halted: bool) -> None:
        """Close or open a coin's market: closed, nothing trades and no orders are accepted."""
        symbol = f"{coin}{self.rules.quote_asset}"
        market = self.markets[symbol]
        market.halted = halted
        market.book.halt(halted)
        self._settle(symbol)

    def take_events(self) -> list[AccountEvent]:
        """Return and clear the account events since the last call, in order."""
        events = list(self.desk.events)
        self.desk.events.clear()
        return events

    def _settle(self, symbol: str) -> None:
        """Show the records the changes that a request made in a market."""
        market = self.markets[symbol]
        if market.book.changed:
            self._unpublished.setdefault(symbol, []).extend(market.advance(self.now_ms))
