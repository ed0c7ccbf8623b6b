"""The order desk of the spot exchange: checks, locks, books and settles."""

import copy
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from advanced_mm.venue.engine.ledger import Match
from advanced_mm.venue.engine.order_checks import trigger_wakes
from advanced_mm.venue.engine.orders import Order, OrderRequest, TimeInForce, Trigger
from advanced_mm.venue.spot.amounts import atoms_of, base_atoms, quote_atoms
from advanced_mm.venue.spot.filters import failure
from advanced_mm.venue.spot.market import SpotMarket
from advanced_mm.venue.spot.orders import (
    AccountEvent,
    Execution,
    ExecutionType,
    OrderKind,
    SpotFill,
    SpotOrder,
    SpotRefusedError,
    SpotRequest,
    SpotStatus,
    SpotTif,
    WalletEvent,
)
from advanced_mm.venue.spot.rules import SpotRules
from advanced_mm.venue.spot.wallets import SpotAccount, SpotAccounts

__all__ = ["Desk", "Placed"]

MOST_EVENTS = 100_000
NEW_ORDER_REJECTED = -2010
CANCEL_REJECTED = -2011
AMEND_REJECTED = -2038
NO_PRICE = 1 << 50  # price units: what a market order buys at most

_TAKE_PROFITS = (OrderKind.TAKE_PROFIT, OrderKind.TAKE_PROFIT_LIMIT)


@dataclass(frozen=True, slots=True)
class Placed:
    """An accepted order as it was after its first match, with the fills of that."""

    order: SpotOrder
    fills: tuple[SpotFill, ...]


class Desk:
    """Accepts orders, keeps what they lock and settles their fills; the `Ledger` of all books.

    Parameters
    ----------
    accounts
        All accounts.
    rules
        The exchange's rules.
    first_oid
        Number of the first order.
    """

    def __init__(self, accounts: SpotAccounts, rules: SpotRules, first_oid: int) -> None:
        self._accounts = accounts
        self._rules = rules
        self._next_oid = first_oid
        self._executions = 0
        self._live: dict[int, SpotOrder] = {}
        self._taken: list[SpotFill] = []
        self.post_only = False
        self.events: deque[AccountEvent] = deque(maxlen=MOST_EVENTS)

    def open(self, markets: Mapping[str, SpotMarket]) -> None:
        """Connect the markets, which can only be created once the desk exists."""
        self._markets = markets

    # Requests

    def place(self, account: SpotAccount, request: SpotRequest) -> Placed:
        """Place an order.

        Raises
        ------
        SpotRefusedError
            If it is refused: nothing was traded, nothing rests.
        """
        market = self._markets[request.symbol]
        wanted = self.check(account, request)
        lock = self._to_lock(market, account, request.kind, wanted)
        amount = account.amount(market.quote if request.is_buy else market.base)
        if lock > amount.free:
            raise _rejected("Account has insufficient balance for requested action.")
        if wanted.tif is TimeInForce.ALO and market.book.crosses(wanted.is_buy, wanted.price):
            raise _rejected("Order would immediately match and take.")
        order = self._new(account, request, wanted)
        amount.free -= lock
        amount.locked += lock
        order.locked = lock
        self._taken = []
        if order.stop is None:
            order.working_ms = order.created_ms
        self._report(order, ExecutionType.NEW)
        if order.stop is None:
            self._submit(market, order)
        else:
            market.sleepers.add(order.core)
        return Placed(_copied(order), tuple(self._taken))

    def check(self, account: SpotAccount, request: SpotRequest) -> OrderRequest:
        """Check an order against everything but the account's money and the touch.

        Raises
        ------
        SpotRefusedError
            If a filter does not let it pass, or its market is closed.
        """
        market, kind = self._markets[request.symbol], request.kind
        if market.halted:
            raise SpotRefusedError(-1013, "Market is closed.")
        if self.post_only and kind is not OrderKind.LIMIT_MAKER:
            raise _rejected("Only LIMIT_MAKER orders are accepted in maintenance.")
        if request.client_id and account.open_by_client_id(request.client_id) is not None:
            raise _rejected("Duplicate order sent.")
        filters, average = market.filters, market.units.price_units(market.average_price)
        if kind.priced:
            price = filters.price(request.price or Decimal(0))
            filters.check_distance(price, average)
        else:
            price = NO_PRICE if request.is_buy else 1
        if request.quantity is not None:
            lots = filters.lots(request.quantity)
        else:
            lots = self._lots_worth(market, account, request, price)
        filters.check_value(price if kind.priced else average, lots)
        self._check_count(account, request)
        trigger = None
        if request.stop_price is not None:
            stop = filters.price(request.stop_price)
            trigger = Trigger(stop, not kind.priced, kind in _TAKE_PROFITS)
        tif = TimeInForce.GTC
        if kind is OrderKind.LIMIT_MAKER:
            tif = TimeInForce.ALO
        elif not kind.priced or request.tif is not SpotTif.GTC:
            tif = TimeInForce.IOC
        wanted = OrderRequest(
            request.symbol, request.is_buy, price, lots, tif=tif, trigger=trigger,
            is_market=not kind.priced,
        )  # fmt: skip
        if trigger_wakes(wanted, market.last_price):
            raise _rejected("Stop price would trigger immediately.")
        return wanted

    def cancel(self, account: SpotAccount, order: SpotOrder, cancel_id: str) -> SpotOrder:
        """Cancel an open order; return it as it ended."""
        order.cancel_id = cancel_id
        self._end(order, SpotStatus.CANCELED, ExecutionType.CANCELED)
        return _copied(order)

    def reduce(self, account: SpotAccount, order: SpotOrder, quantity: Decimal) -> SpotOrder:
        """Reduce an order's size, keeping its place in the queue.

        Raises
        ------
        SpotRefusedError
            If the new size is not smaller, or not above what is filled.
        """
        market, core = self._markets[order.symbol], order.core
        lots, old = market.filters.lots(quantity), core.request
        if not core.filled < lots < old.lots or not core.resting:
            raise SpotRefusedError(AMEND_REJECTED, "Order amend (quantity) is not allowed.")
        market.filters.check_value(old.price, lots)
        core.remaining -= old.lots - lots
        core.request = replace(old, lots=lots)
        market.book.amend(core, core)
        freed = self._reserve(market, order, old.lots - lots)
        amount = account.amount(market.quote if order.is_buy else market.base)
        amount.locked -= freed
        amount.free += freed
        order.locked -= freed
        self._report(order, ExecutionType.REPLACED)
        return _copied(order)

    def find_open(
        self, account: SpotAccount, symbol: str, oid: int | None, client_id: str | None
    ) -> SpotOrder:
        """Return an open order of a market by number or client id.

        Raises
        ------
        SpotRefusedError
            If there is none.
        """
        if oid is not None:
            order = account.orders.get(oid)
        else:
            order = account.open_by_client_id(client_id or "")
        if order is None or order.symbol != symbol:
            raise SpotRefusedError(CANCEL_REJECTED, "Unknown order sent.")
        return order

    def wake(self, market: SpotMarket) -> None:
        """Send the stops whose price the last trade has reached to the book."""
        for core in market.sleepers.due(market.last_price):
            market.sleepers.discard(core)
            order = self._live[core.oid]
            order.working_ms = market.book.time_ms
            self._report(order, ExecutionType.NEW)
            if not order.kind.priced and order.is_buy:
                self._lock_what_it_takes(market, order)
            if order.core.remaining:
                self._submit(market, order)

    # Calls by the book

    def allowed(self, order: Order, lots: int) -> int:
        """See `Ledger.allowed`: what an order may trade is locked."""
        return lots

    def met_itself(self, order: Order) -> None:
        """See `Ledger.met_itself`."""
        self._end(
            self._live[order.oid], SpotStatus.EXPIRED_IN_MATCH, ExecutionType.TRADE_PREVENTION
        )

    def matched(self, match: Match) -> None:
        """See `Ledger.matched`."""
        order = self._live[match.order.oid]
        account = self._account(order)
        market = self._markets[order.symbol]
        units, core = market.units, order.core
        size, value = base_atoms(units, match.lots), quote_atoms(match.price, match.lots)
        rate = self._rules.taker_fee if match.crossed else self._rules.maker_fee
        base, quote = account.amount(market.base), account.amount(market.quote)
        if order.is_buy:
            reserved = self._reserve(market, order, match.lots) if order.kind.priced else value
            fee, fee_asset = int(size * rate), market.base
            quote.locked -= reserved
            quote.free += reserved - value
            base.free += size - fee
        else:
            reserved = size
            fee, fee_asset = int(value * rate), market.quote
            base.locked -= reserved
            quote.free += value - fee
        order.locked -= reserved
        order.spent += value
        order.status = SpotStatus.PARTIALLY_FILLED if core.remaining else SpotStatus.FILLED
        fill = SpotFill(
            match.time_ms, account.key, order.symbol, order.oid, match.tid, order.is_buy,
            match.price, match.lots, not match.crossed, fee, fee_asset,
        )  # fmt: skip
        account.fills.append(fill)
        if match.crossed:
            self._taken.append(fill)
        if core.remaining == 0:
            self._forget(order)
        self._report(order, ExecutionType.TRADE, fill, match.time_ms)

    # Details

    def _account(self, order: SpotOrder) -> SpotAccount:
        account = self._accounts.get(order.account)
        if account is None:
            raise RuntimeError(f"order {order.oid} belongs to nobody")
        return account

    def _new(self, account: SpotAccount, request: SpotRequest, wanted: OrderRequest) -> SpotOrder:
        oid, self._next_oid = self._next_oid, self._next_oid + 1
        now_ms = self._markets[request.symbol].book.now_ms
        order = SpotOrder(
            core=Order(oid, account.key, wanted, now_ms, wanted.lots, status_ms=now_ms),
            symbol=request.symbol,
            kind=request.kind,
            tif=request.tif,
            client_id=request.client_id or _client_id(oid),
            created_ms=now_ms,
            updated_ms=now_ms,
            stop=None if wanted.trigger is None else wanted.trigger.price,
            quote_quantity=request.quote_quantity,
        )
        account.orders[oid] = self._live[oid] = order
        return order

    def _submit(self, market: SpotMarket, order: SpotOrder) -> None:
        """Send an order to the book; what may not rest of it expires."""
        core, book = order.core, market.book
        kills = order.tif is SpotTif.FOK and order.kind.priced
        if not kills or book.takes(core.request, core.account)[0] == core.remaining:
            book.submit(core)
        if core.remaining and not core.resting:
            self._end(order, SpotStatus.EXPIRED, ExecutionType.EXPIRED)

    def _reserve(self, market: SpotMarket, order: SpotOrder, lots: int) -> int:
        """Return what some lots of an order with a limit price lock."""
        if order.is_buy:
            return quote_atoms(order.core.request.price, lots)
        return base_atoms(market.units, lots)

    def _to_lock(
        self, market: SpotMarket, account: SpotAccount, kind: OrderKind, wanted: OrderRequest
    ) -> int:
        """Return what an order has to lock: for a market order to buy, what it would cost now."""
        if not wanted.is_buy:
            return base_atoms(market.units, wanted.lots)
        if kind.priced:
            return quote_atoms(wanted.price, wanted.lots)
        if wanted.trigger is not None:
            return quote_atoms(wanted.trigger.price, wanted.lots)
        return quote_atoms(market.book.takes(wanted, account.key)[1], 1)

    def _lock_what_it_takes(self, market: SpotMarket, order: SpotOrder) -> None:
        """Lock what a woken market order to buy will cost; without the money for it, end it."""
        account, core = self._account(order), order.core
        amount = account.amount(market.quote)
        cost = quote_atoms(market.book.takes(core.request, core.account)[1], 1)
        if cost > amount.free + order.locked:
            self._end(order, SpotStatus.EXPIRED, ExecutionType.EXPIRED)
            core.remaining = 0
            return
        amount.free -= cost - order.locked
        amount.locked += cost - order.locked
        order.locked = cost

    def _lots_worth(
        self, market: SpotMarket, account: SpotAccount, request: SpotRequest, price: int
    ) -> int:
        """Return the most lots that a market order trades for an amount of quote currency."""
        amount = atoms_of(request.quote_quantity or Decimal(0))
        best = market.book.best(not request.is_buy)
        if best is None:
            raise failure("MARKET_LOT_SIZE")
        low, high = 0, amount // quote_atoms(best[0], 1) if request.is_buy else 1 << 50
        while low < high:
            lots = (low + high + 1) // 2
            probe = OrderRequest(request.symbol, request.is_buy, price, lots)
            taken, value = market.book.takes(probe, account.key)
            if taken == lots and quote_atoms(value, 1) <= amount:
                low = lots
            else:
                high = lots - 1
        if low == 0:
            raise failure("LOT_SIZE")
        return low

    def _check_count(self, account: SpotAccount, request: SpotRequest) -> None:
        there = [one for one in account.orders.values() if one.symbol == request.symbol]
        if len(there) >= self._rules.most_orders:
            raise failure("MAX_NUM_ORDERS")
        stops = sum(one.kind.stops for one in there)
        if request.kind.stops and stops >= self._rules.most_stops:
            raise failure("MAX_NUM_ALGO_ORDERS")

    def _end(self, order: SpotOrder, status: SpotStatus, kind: ExecutionType) -> None:
        """End a live order and release what it locks."""
        market = self._markets[order.symbol]
        if order.core.resting:
            market.book.remove(order.core)
        market.sleepers.discard(order.core)
        order.status = status
        self._forget(order)
        self._report(order, kind)

    def _forget(self, order: SpotOrder) -> None:
        """Move an order to the ended ones; what it still locks is free again."""
        market, account = self._markets[order.symbol], self._account(order)
        amount = account.amount(market.quote if order.is_buy else market.base)
        amount.locked -= order.locked
        amount.free += order.locked
        order.locked = 0
        del self._live[order.oid]
        account.end(order)

    def _report(
        self,
        order: SpotOrder,
        kind: ExecutionType,
        fill: SpotFill | None = None,
        time_ms: int | None = None,
    ) -> None:
        """Tell the user stream of a change, and what it has left in the wallet."""
        market, account = self._markets[order.symbol], self._account(order)
        now_ms = market.book.now_ms if time_ms is None else time_ms
        order.updated_ms = account.updated_ms = now_ms
        self._executions += 1
        self.events.append(Execution(now_ms, self._executions, kind, _copied(order), fill))
        amounts = ((asset, account.amount(asset)) for asset in (market.base, market.quote))
        left = tuple((asset, one.free, one.locked) for asset, one in amounts)
        self.events.append(WalletEvent(now_ms, account.key, left))


def _copied(order: SpotOrder) -> SpotOrder:
    return replace(order, core=copy.copy(order.core))


def _rejected(message: str) -> SpotRefusedError:
    return SpotRefusedError(NEW_ORDER_REJECTED, message)


def _client_id(oid: int) -> str:
    """Return the id of an order whose client gave none: 22 characters, as the exchange's."""
    return f"venue{oid:017d}"
