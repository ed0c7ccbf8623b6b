"""What an account holds: by its fills, checked against what the exchange says."""

from collections import OrderedDict
from collections.abc import Iterable
from decimal import Decimal
from typing import Final

from advanced_mm.maker.exchange import Account, Fill, MarketRules

__all__ = ["Holdings"]

_ZERO: Final = Decimal(0)
_REMEMBERED: Final = 50_000
"""Ids of fills that are known; no exchange tells one again after so many others."""


class Holdings:
    """One account. Fills are counted once, whoever tells them, and however often.

    Attributes
    ----------
    account
        What the exchange told last, and said nothing else about since; None before the first.
    last_fill_ms
        The exchange's time of the newest fill, ms; 0 before the first.
    fills
        How many were counted.
    """

    def __init__(self) -> None:
        self.account: Account | None = None
        self.last_fill_ms = 0
        self.fills = 0
        self._rules: dict[str, MarketRules] = {}
        self._positions: dict[str, Decimal] = {}
        self._balances: dict[str, Decimal] = {}
        self._known: OrderedDict[tuple[str, str, str], None] = OrderedDict()

    def add_rules(self, rules: Iterable[MarketRules]) -> None:
        """Learn of which kind markets are."""
        self._rules.update((one.symbol, one) for one in rules)

    def symbols(self) -> tuple[str, ...]:
        """Return the markets whose rules are known."""
        return tuple(self._rules)

    def remember(self, fills: Iterable[Fill]) -> None:
        """Take fills as counted already, such as those before the account was first looked at."""
        for one in fills:
            self._known[_key(one)] = None
            self._known.move_to_end(_key(one))
        while len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)

    def filled(self, fill: Fill) -> bool:
        """Count a fill; False if it was counted before."""
        if _key(fill) in self._known:
            return False
        self.remember([fill])
        self.fills += 1
        self.last_fill_ms = max(self.last_fill_ms, fill.time_ms)
        signed = fill.size if fill.side == "buy" else -fill.size
        rules = self._rules.get(fill.symbol)
        if rules is None or rules.spot:
            base, quote = currencies(fill.symbol)
            self._add(base, signed)
            self._add(quote, -signed * fill.price)
            self._add(fill.fee_currency, -fill.fee)
        else:
            self._positions[fill.symbol] = self._positions.get(fill.symbol, _ZERO) + signed
        return True

    def _add(self, currency: str, change: Decimal) -> None:
        self._balances[currency] = self._balances.get(currency, _ZERO) + change

    def told(self, account: Account) -> None:
        """Take in what the exchange tells of its own accord: it is compared, not believed."""
        self.account = account

    def differences(self, account: Account) -> list[str]:
        """Return in words where the account differs from what the fills say."""
        found = []
        for symbol, rules in self._rules.items():
            if not rules.spot:
                told, ours = account.positions.get(symbol, _ZERO), self.position(symbol)
                if told != ours:
                    found.append(f"{symbol}: {told:f} held, {ours:f} by our fills")
                continue
            for currency in currencies(symbol):
                told, ours = account.balances.get(currency, _ZERO), self.balance(currency)
                if told != ours:
                    found.append(f"{currency}: {told:f} held, {ours:f} by our fills")
        return list(dict.fromkeys(found))

    def adopt(self, account: Account) -> None:
        """Believe the exchange."""
        self.account = account
        self._positions = dict(account.positions)
        self._balances = dict(account.balances)

    def position(self, symbol: str) -> Decimal:
        """Return a perpetual's position, signed, base currency."""
        return self._positions.get(symbol, _ZERO)

    def balance(self, currency: str) -> Decimal:
        """Return a currency's balance, free and locked."""
        return self._balances.get(currency, _ZERO)

    def inventory(self, symbol: str) -> Decimal:
        """Return what is held of a market: a position, or the balance of its base currency."""
        if self._rules[symbol].spot:
            return self.balance(currencies(symbol)[0])
        return self.position(symbol)

    def quote_balance(self, symbol: str, mid: float) -> float:
        """Return the quote currency a market has: equity less the inventory's value, if a perp."""
        if self._rules[symbol].spot:
            return float(self.balance(currencies(symbol)[1]))
        equity = self.account.equity if self.account is not None else None
        return float(equity or 0) - float(self.position(symbol)) * mid


def _key(fill: Fill) -> tuple[str, str, str]:
    """Return what names a fill: Binance numbers each market's trades from one on."""
    return fill.symbol, fill.order_id, fill.fill_id


def currencies(symbol: str) -> tuple[str, str]:
    """Return base and quote currency of a unified symbol."""
    base, _, rest = symbol.partition("/")
    return base, rest.partition(":")[0]
