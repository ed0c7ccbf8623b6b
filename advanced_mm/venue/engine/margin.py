"""Margin: requirements of positions and orders, and liquidation prices.

- Initial margin of a coin: the maximum value of the position, now or after all resting orders of
  one side are filled (reduce-only ones excluded), divided by the leverage. Positions are valued
  at the mark; buy orders at the lower of limit and mark, sell orders at the higher, since an order
  that crosses fills near the mark.
- An isolated position has its own margin; orders in its coin use margin of the cross account.
- Each exchange is a separate account: only money held there counts, unless DEX abstraction merges
  the balances.
- An immediate fill costs its distance from the mark, plus the fee. Opening a position requires the
  margin in addition to that cost; closing one is always possible. For an isolated position, the
  margin less that cost must cover the maintenance margin, or it would be liquidated at once.
- Maintenance margin: value times ``maintenance_share`` / maximum leverage.
- Liquidation price: price - side * margin_available / size / (1 - l * side), as documented.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple, Protocol

from advanced_mm.instruments import dex_of
from advanced_mm.markets.listing import MAIN_DEX
from advanced_mm.markets.market import CoinSpec
from advanced_mm.markets.units import CoinUnits
from advanced_mm.venue.engine.accounts import Account, Leverage, Position, Sample
from advanced_mm.venue.engine.orders import OrderRequest
from advanced_mm.venue.engine.rules import Rules

__all__ = ["NOTHING", "Margin", "Taken", "ceil_div"]

_Pending = list[int]  # lots and value of buys, lots and value of sells


class Taken(NamedTuple):
    """An order's immediate fill: lots, and their value and fee in micro-USDC."""

    lots: int
    value: int
    fee: int


NOTHING = Taken(0, 0, 0)


class _Marked(Protocol):
    """The part of a market that margin depends on."""

    units: CoinUnits

    @property
    def spec(self) -> CoinSpec: ...

    @property
    def mark(self) -> int: ...


class Margin:
    """Calculates margins without changing any account.

    Parameters
    ----------
    markets
        Markets by coin, for marks and maximum leverages.
    rules
        The venue's rules, which set the maintenance margin.
    """

    def __init__(self, markets: Mapping[str, _Marked], rules: Rules) -> None:
        self._markets = markets
        self._held_marks: Mapping[str, int] = {}
        self._dexs = {coin: dex_of(coin) for coin in markets}
        self._maintenance = {
            coin: (rules.maintenance_share / market.spec.max_leverage).as_integer_ratio()
            for coin, market in markets.items()
        }

    def mark(self, coin: str) -> int:
        """Return the mark price, price units."""
        held = self._held_marks.get(coin)
        return self._markets[coin].mark if held is None else held

    @contextmanager
    def marks_held(self, marks: Mapping[str, int]) -> Iterator[None]:
        """Use these marks, by coin, while one market is ahead of another."""
        self._held_marks = marks
        try:
            yield
        finally:
            self._held_marks = {}

    def leverage(self, account: Account, coin: str) -> Leverage:
        """Return the account's leverage in a coin."""
        spec = self._markets[coin].spec
        return account.leverage_of(coin, spec.max_leverage, only_isolated=spec.only_isolated)

    def purse(self, account: Account, coin: str) -> str:
        """Return the exchange whose balance provides the margin of a coin."""
        return MAIN_DEX if account.dex_abstraction else self._dexs[coin]

    def equity(self, account: Account, purse: str = MAIN_DEX) -> int:
        """Return the value of a cross account, micro-USDC."""
        cross = (p.lots * self.mark(p.coin) for p in self._cross(account, purse))
        return account.in_purse(purse) + sum(cross)

    def value(self, account: Account) -> int:
        """Return the account's value at all exchanges, with isolated positions, micro-USDC."""
        purses = account.usdc + sum(account.dex_usdc.values())
        return purses + sum(
            p.equity(mark) if p.isolated else p.value(mark)
            for p in account.positions.values()
            for mark in [self.mark(p.coin)]
        )

    def value_at(self, account: Account, dex: str) -> int:
        """Return the account's value at one exchange, with isolated positions, micro-USDC."""
        return self.money_at(account, dex) + sum(
            p.equity(mark) if p.isolated else p.value(mark)
            for p in account.positions.values()
            if self._dexs[p.coin] == dex
            for mark in [self.mark(p.coin)]
        )

    def money_at(self, account: Account, dex: str) -> int:
        """Return the balance to report for an exchange, micro-USDC.

        With DEX abstraction, a builder-deployed exchange shows the money held for its orders.
        """
        if not account.dex_abstraction:
            return account.in_purse(dex)
        pending = self._pending(account, MAIN_DEX, None, None)
        held = {
            coin: self._of_coin(account, coin, orders)
            for coin, orders in pending.items()
            if self._dexs[coin]
        }
        if dex:
            return sum(micros for coin, micros in held.items() if self._dexs[coin] == dex)
        return account.usdc - sum(held.values())

    def sample(self, account: Account, now_ms: int) -> Sample:
        """Return the account's present value and gain."""
        value, spot = self.value(account), account.spot_usdc
        return Sample(now_ms, value, spot, value + spot - account.deposited, account.volume)

    def held(self, account: Account, coin: str) -> int:
        """Return the account's position, signed lots."""
        position = account.positions.get(coin)
        return position.lots if position else 0

    def of_positions(self, account: Account, purse: str = MAIN_DEX) -> int:
        """Return the initial margin of the cross positions only, micro-USDC."""
        return sum(self.of_position(account, p) for p in self._cross(account, purse))

    def of_position(self, account: Account, position: Position) -> int:
        """Return the initial margin of one position at the mark, micro-USDC."""
        value = abs(position.lots) * self.mark(position.coin)
        return ceil_div(value, self.leverage(account, position.coin).value)

    def required(
        self,
        account: Account,
        extra: OrderRequest | None = None,
        without: int | None = None,
        *,
        purse: str = MAIN_DEX,
    ) -> int:
        """Return the initial margin of a cross account's positions and resting orders, micro-USDC.

        Parameters
        ----------
        account
            The account.
        purse
            The exchange whose balance provides the margin; that of ``extra`` if given.
        extra
            An additional order that has not been placed yet.
        without
            Number of an order to leave out.
        """
        pending = self._pending(account, purse, extra, without)
        coins = {p.coin for p in self._cross(account, purse)} | set(pending)
        return sum(self._of_coin(account, coin, pending.get(coin)) for coin in coins)

    def allows(
        self,
        account: Account,
        request: OrderRequest,
        taken: Taken = NOTHING,
        without: int | None = None,
    ) -> bool:
        """Return whether the account may place an order.

        An order whose immediate fill (``taken``) only closes a position, and that needs no
        additional margin, is always allowed. ``without`` is the number of the order it replaces.
        """
        purse = self.purse(account, request.coin)
        after = self.required(account, request, without, purse=purse)
        opened = self._opened(account, request, taken.lots)
        if opened == 0 and after <= self.required(account, purse=purse):
            return True
        cost = self._cost(request, taken)
        return after + cost <= self.equity(account, purse) and self._survives(
            account, request.coin, opened, taken, cost
        )

    def allows_fill(self, account: Account, request: OrderRequest, taken: Taken) -> bool:
        """Return whether the account can afford a resting order's fill; closing always is."""
        opened = self._opened(account, request, taken.lots)
        if opened == 0:
            return True
        held = self.held(account, request.coin)
        mark, leverage = self.mark(request.coin), self.leverage(account, request.coin)
        cost = self._cost(request, taken)
        purse = self.purse(account, request.coin)
        needed = self.of_positions(account, purse)
        have = self.equity(account, purse) - cost
        if not leverage.is_cross:
            needed += ceil_div(taken.value * opened, taken.lots * leverage.value)
            return needed <= have and self._survives(account, request.coin, opened, taken, cost)
        after = held + (taken.lots if request.is_buy else -taken.lots)
        grown = ceil_div(abs(after) * mark, leverage.value)
        shrunk = ceil_div(abs(held) * mark, leverage.value)
        return needed - shrunk + grown <= have

    def withdrawable(self, account: Account, purse: str = MAIN_DEX) -> int:
        """Return the withdrawable money, micro-USDC.

        It is the equity above both the initial margin and a tenth of the positions' value.
        """
        cross = self._cross(account, purse)
        tenth = ceil_div(sum(abs(p.lots) * self.mark(p.coin) for p in cross), 10)
        needed = max(self.required(account, purse=purse), tenth)
        return max(0, self.equity(account, purse) - needed)

    def maintenance(self, position: Position) -> int:
        """Return the maintenance margin of a position, micro-USDC."""
        share, whole = self._maintenance[position.coin]
        return ceil_div(abs(position.lots) * self.mark(position.coin) * share, whole)

    def cross_maintenance(self, account: Account, purse: str = MAIN_DEX) -> int:
        """Return the maintenance margin of the cross positions, micro-USDC."""
        return sum(self.maintenance(p) for p in self._cross(account, purse))

    def liquidation_price(self, account: Account, coin: str) -> float | None:
        """Return the liquidation price, USDC, if all other prices stay unchanged."""
        position = account.positions.get(coin)
        if position is None:
            return None
        if position.isolated:
            available = position.equity(self.mark(coin)) - self.maintenance(position)
        else:
            purse = self.purse(account, coin)
            available = self.equity(account, purse) - self.cross_maintenance(account, purse)
        side = 1 if position.lots > 0 else -1
        share, whole = self._maintenance[coin]
        away = available / abs(position.lots) / (1 - share / whole * side)
        price = self.mark(coin) - side * away
        return price / 10 ** self._markets[coin].units.price_decimals if price > 0 else None

    def _opened(self, account: Account, request: OrderRequest, lots: int) -> int:
        """Return how many of these lots would open or increase a position."""
        if request.reduce_only:
            return 0
        held = self.held(account, request.coin)
        return max(0, lots - max(0, -held if request.is_buy else held))

    def _cost(self, request: OrderRequest, taken: Taken) -> int:
        """Return the loss against the mark plus the fee, micro-USDC."""
        at_mark = taken.lots * self.mark(request.coin)
        return (taken.value - at_mark if request.is_buy else at_mark - taken.value) + taken.fee

    def _survives(self, account: Account, coin: str, opened: int, taken: Taken, cost: int) -> bool:
        """Return whether an isolated position would not be liquidated right after it is opened."""
        leverage = self.leverage(account, coin)
        if leverage.is_cross or opened == 0:
            return True
        share, whole = self._maintenance[coin]
        kept = taken.value // leverage.value - max(0, cost - taken.fee)
        return kept * whole >= taken.lots * self.mark(coin) * share

    def _of_coin(self, account: Account, coin: str, pending: _Pending | None) -> int:
        position = account.positions.get(coin)
        lots = position.lots if position else 0
        mark, leverage = self.mark(coin), self.leverage(account, coin)
        isolated = position.isolated if position else not leverage.is_cross
        held = most = abs(lots) * mark
        if pending is not None:
            buys, buy_value, sells, sell_value = pending
            most = max(
                held,
                _value_after(lots, buys, buy_value, mark),
                _value_after(-lots, sells, sell_value, mark),
            )
        return ceil_div(most - held if isolated else most, leverage.value)

    def _cross(self, account: Account, purse: str) -> list[Position]:
        """Return the cross positions whose margin comes from an exchange's balance."""
        return [
            p
            for p in account.positions.values()
            if not p.isolated and self.purse(account, p.coin) == purse
        ]

    def _pending(
        self, account: Account, purse: str, extra: OrderRequest | None, without: int | None
    ) -> dict[str, _Pending]:
        pending: dict[str, _Pending] = {}
        for order in account.orders.values():
            if order.resting and order.oid != without and self.purse(account, order.coin) == purse:
                self._add(pending, order.request, order.remaining)
        if extra is not None:
            self._add(pending, extra, extra.lots)
        return pending

    def _add(self, pending: dict[str, _Pending], request: OrderRequest, lots: int) -> None:
        if request.reduce_only:
            return
        mark = self.mark(request.coin)
        price = min(request.price, mark) if request.is_buy else max(request.price, mark)
        sums = pending.setdefault(request.coin, [0, 0, 0, 0])
        first = 0 if request.is_buy else 2
        sums[first] += lots
        sums[first + 1] += lots * price


def _value_after(lots: int, added: int, value: int, mark: int) -> int:
    """Return a position's value after orders are filled (``lots`` > 0: on the orders' side)."""
    if lots >= 0:
        return lots * mark + value
    beyond = added + lots
    return ceil_div(value * beyond, added) if beyond > 0 else 0


def ceil_div(amount: int, divisor: int) -> int:
    """Divide two integers, rounding up."""
    return -(-amount // divisor)
