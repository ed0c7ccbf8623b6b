"""Clearing: the effect of fills, hourly funding and margin moves on accounts, to the micro-USDC.

Fees are rounded to the nearest micro-USDC, half up. Margin of an isolated position moves into its
own balance when it is opened and comes back in proportion when it is closed. The insurance fund
bears losses of a position beyond its margin, or of an account beyond its value.
"""

from decimal import ROUND_HALF_EVEN, Decimal

from advanced_mm.markets.listing import MAIN_DEX
from advanced_mm.venue.engine.accounts import Account, Position
from advanced_mm.venue.engine.margin import Margin, ceil_div
from advanced_mm.venue.engine.rules import Rules

__all__ = ["Clearing"]


class Clearing:
    """Books changes to accounts. ``fees`` and ``insurance`` are the venue's totals, micro-USDC.

    Parameters
    ----------
    margin
        Leverages and marks.
    rules
        Fees and funding.
    """

    def __init__(self, margin: Margin, rules: Rules) -> None:
        self._margin = margin
        self._rules = rules
        self.fees = 0
        self.insurance = 0
        """Received by the insurance fund, less what it has paid."""

    def fee(self, price: int, lots: int, crossed: bool) -> int:
        """Return the fee of a fill, micro-USDC; a rebate is negative."""
        rate = self._rules.taker_fee if crossed else self._rules.maker_fee
        share, whole = rate.as_integer_ratio()
        return (2 * price * lots * share + whole) // (2 * whole)

    def fill(self, account: Account, coin: str, lots: int, price: int, fee: int) -> int:
        """Trade signed ``lots`` at a price; return the closed profit before fees, micro-USDC."""
        leverage = self._margin.leverage(account, coin)
        position = account.positions.get(coin)
        if position is None:
            position = Position(coin, isolated=not leverage.is_cross)
            account.positions[coin] = position
        closing = -_toward_zero(position.lots, -lots)
        closed_pnl = self._close(account, position, closing, price) if closing else 0
        opening = lots - closing
        if opening:
            if position.lots == 0:
                position.funding = 0
            self._open(account, position, opening, price, leverage.value)
        if position.lots == 0:
            del account.positions[coin]
        account.add_to_purse(self._margin.purse(account, coin), -fee)
        account.fees += fee
        account.volume += abs(lots) * price
        self.fees += fee
        return closed_pnl

    def fund(self, account: Account, position: Position, rate: Decimal) -> int:
        """Settle an hour's funding; return the amount received, micro-USDC."""
        value = position.lots * self._margin.mark(position.coin)
        received = -int((value * rate).to_integral_value(ROUND_HALF_EVEN))
        position.funding += received
        if position.isolated:
            position.usdc += received
        else:
            account.add_to_purse(self._margin.purse(account, position.coin), received)
        return received

    def cover(self, account: Account) -> None:
        """Let the insurance fund pay debts at exchanges without cross positions."""
        cross = [p.coin for p in account.positions.values() if not p.isolated]
        backed = {self._margin.purse(account, coin) for coin in cross}
        for dex in (MAIN_DEX, *account.dex_usdc):
            if account.in_purse(dex) < 0 and dex not in backed:
                self.insurance += account.in_purse(dex)
                account.add_to_purse(dex, -account.in_purse(dex))

    def _close(self, account: Account, position: Position, lots: int, price: int) -> int:
        """Trade ``lots`` (signed, against the position) that reduce it."""
        before, worth = position.lots, position.equity(price)
        position.lots += lots
        cost = position.entry_cost * position.lots // before
        released = position.entry_cost - cost
        position.entry_cost = cost
        proceeds = -lots * price
        purse = self._margin.purse(account, position.coin)
        if not position.isolated:
            account.add_to_purse(purse, proceeds)
            return proceeds - released
        position.usdc += proceeds
        back = max(0, worth * abs(lots) // abs(before))
        if position.lots == 0:
            back = position.usdc
        position.usdc -= back
        if back < 0:
            self.insurance += back
        else:
            account.add_to_purse(purse, back)
        return proceeds - released

    def _open(
        self, account: Account, position: Position, lots: int, price: int, leverage: int
    ) -> None:
        position.lots += lots
        position.entry_cost += lots * price
        purse = self._margin.purse(account, position.coin)
        if not position.isolated:
            account.add_to_purse(purse, -lots * price)
            return
        needed = ceil_div(abs(lots) * price, leverage)
        moved = min(needed, max(0, self._margin.equity(account, purse)))
        account.add_to_purse(purse, -moved)
        position.usdc += moved - lots * price


def _toward_zero(held: int, change: int) -> int:
    """Clip ``change`` to the size of ``held``; 0 if their signs differ."""
    if held * change <= 0:
        return 0
    return min(held, change) if held > 0 else max(held, change)
