"""Margin: what an account needs for its positions and orders, and where it is liquidated.

- Initial margin of a coin: the greatest value the position can have once either side's resting
  orders are filled (reduce-only ones aside), or has now, divided by the leverage. Positions count
  at the mark; buy orders at the lower of limit and mark, sell orders at the higher, since an order
  that crosses fills near the mark.
- An isolated position has its own margin; its coin's orders need theirs from the cross account.
- Each exchange is an account of its own: only what lies there counts, unless DEX abstraction makes
  one purse of all.
- What an order takes at once costs its distance from the mark, and the fee. Whoever opens a
  position must have the margin beside that; closing one is always possible. Margin of an isolated
  position must leave the maintenance margin after that cost, or it would be liquidated at once.
- Maintenance margin: value times ``maintenance_share`` / greatest leverage.
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
    """What an order trades at once: lots, their value and the fee, micro-USDC."""

    lots: int
    value: int
    fee: int


NOTHING = Taken(0, 0, 0)


class _Marked(Protocol):
    """What margin needs to know of a market."""

    units: CoinUnits

    @property
    def spec(self) -> CoinSpec: ...

    @property
    def mark(self) -> int: ...


class Margin:
    """Reckons margins; changes nothing.

    Parameters
    ----------
    markets
        By coin, for marks and greatest leverages.
    rules
        Maintenance.
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
        """Mark price, price units."""
        held = self._held_marks.get(coin)
        return self._markets[coin].mark if held is None else held

    @contextmanager
    def marks_held(self, marks: Mapping[str, int]) -> Iterator[None]:
        """Reckon with these marks, of some coins, while one market is ahead of another."""
        self._held_marks = marks
        try:
            yield
        finally:
            self._held_marks = {}

    def leverage(self, account: Account, coin: str) -> Leverage:
        """The account's leverage in a coin."""
        spec = self._markets[coin].spec
        return account.leverage_of(coin, spec.max_leverage, only_isolated=spec.only_isolated)

    def purse(self, account: Account, coin: str) -> str:
        """The exchange whose purse the margin of a coin comes from."""
        return MAIN_DEX if account.dex_abstraction else self._dexs[coin]

    def equity(self, account: Account, purse: str = MAIN_DEX) -> int:
        """Value of a cross account, micro-USDC."""
        cross = (p.lots * self.mark(p.coin) for p in self._cross(account, purse))
        return account.in_purse(purse) + sum(cross)

    def value(self, account: Account) -> int:
        """Value of the account at all exchanges, with its isolated positions, micro-USDC."""
        purses = account.usdc + sum(account.dex_usdc.values())
        return purses + sum(
            p.equity(mark) if p.isolated else p.value(mark)
            for p in account.positions.values()
            for mark in [self.mark(p.coin)]
        )

    def value_at(self, account: Account, dex: str) -> int:
        """Value of what lies at an exchange, with its isolated positions, micro-USDC."""
        return self.money_at(account, dex) + sum(
            p.equity(mark) if p.isolated else p.value(mark)
            for p in account.positions.values()
            if self._dexs[p.coin] == dex
            for mark in [self.mark(p.coin)]
        )

    def money_at(self, account: Account, dex: str) -> int:
        """What is shown as the purse of an exchange, micro-USDC.

        With DEX abstraction a builder-deployed one has what is held for the orders there.
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
        """What the account is worth now, and what it has gained."""
        value, spot = self.value(account), account.spot_usdc
        return Sample(now_ms, value, spot, value + spot - account.deposited, account.volume)

    def held(self, account: Account, coin: str) -> int:
        """Signed lots of the account's position."""
        position = account.positions.get(coin)
        return position.lots if position else 0

    def of_positions(self, account: Account, purse: str = MAIN_DEX) -> int:
        """Initial margin of the cross positions alone, micro-USDC."""
        return sum(self.of_position(account, p) for p in self._cross(account, purse))

    def of_position(self, account: Account, position: Position) -> int:
        """Initial margin of one position at the mark, micro-USDC."""
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
        """Initial margin a cross account must have for all its positions and resting orders.

        Parameters
        ----------
        account
            The account.
        purse
            The exchange whose purse it must be in, that of ``extra`` if there is one.
        extra
            An order that is not there yet.
        without
            Number of an order to be left out.
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
        """Whether the account may place an order.

        One that takes nothing (``taken``) but what closes a position, and needs no more margin,
        always may. ``without`` is the number of an order that it replaces.
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
        """Whether the account can afford a resting order's fill; closing ones it always can."""
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
        """What can be taken out: above the margin and a tenth of the positions, micro-USDC."""
        cross = self._cross(account, purse)
        tenth = ceil_div(sum(abs(p.lots) * self.mark(p.coin) for p in cross), 10)
        needed = max(self.required(account, purse=purse), tenth)
        return max(0, self.equity(account, purse) - needed)

    def maintenance(self, position: Position) -> int:
        """Maintenance margin of a position, micro-USDC."""
        share, whole = self._maintenance[position.coin]
        return ceil_div(abs(position.lots) * self.mark(position.coin) * share, whole)

    def cross_maintenance(self, account: Account, purse: str = MAIN_DEX) -> int:
        """Maintenance margin of the cross positions, micro-USDC."""
        return sum(self.maintenance(p) for p in self._cross(account, purse))

    def liquidation_price(self, account: Account, coin: str) -> float | None:
        """Price in USDC at which the position is closed by force, other prices standing still."""
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
        """How many of these lots would open a position or make it greater."""
        if request.reduce_only:
            return 0
        held = self.held(account, request.coin)
        return max(0, lots - max(0, -held if request.is_buy else held))

    def _cost(self, request: OrderRequest, taken: Taken) -> int:
        """What is lost against the mark, and the fee."""
        at_mark = taken.lots * self.mark(request.coin)
        return (taken.value - at_mark if request.is_buy else at_mark - taken.value) + taken.fee

    def _survives(self, account: Account, coin: str, opened: int, taken: Taken, cost: int) -> bool:
        """Whether what is opened of an isolated position is not liquidated at once."""
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
        """The cross positions whose margin is in a purse."""
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
    """Value of a position (positive ``lots``: on the orders' side) after orders are filled."""
    if lots >= 0:
        return lots * mark + value
    beyond = added + lots
    return ceil_div(value * beyond, added) if beyond > 0 else 0


def ceil_div(amount: int, divisor: int) -> int:
    """A share of an amount, rounded up."""
    return -(-amount // divisor)
