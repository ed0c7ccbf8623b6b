"""The money of a dry exchange: balances on spot, cash and positions on perpetuals."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from advanced_mm.errors import InputError
from advanced_mm.maker.exchange import Account, MarketRules, Side

__all__ = ["DryAccount", "DryFunds", "Fees", "currencies_of"]


@dataclass(frozen=True, slots=True)
class Fees:
    """Fees as fractions of an order's value; a rebate is negative."""

    maker: Decimal
    taker: Decimal


@dataclass(frozen=True, slots=True)
class DryFunds:
    """What a dry account begins with.

    Parameters
    ----------
    capital
        Quote currency. On spot it is split evenly between the markets, and of each part half is
        held in the base currency at the first mid.
    leverage
        Perpetuals: a position's value, counting all orders that could add to it, is at most this
        many times the equity.
    """

    capital: Decimal
    leverage: Decimal = Decimal(5)


def currencies_of(symbol: str) -> tuple[str, str]:
    """Return base and quote of ccxt's unified symbol: SUI and USDC for ``SUI/USDC:USDC``."""
    base, _, rest = symbol.partition("/")
    return base, rest.partition(":")[0]


@dataclass(slots=True)
class DryAccount:
    """Balances by currency and positions by symbol.

    A perpetual's cash counts what was paid and received for its position, so that equity is cash
    and positions at the mid.
    """

    funds: DryFunds
    rules: Mapping[str, MarketRules]
    balances: dict[str, Decimal] = field(default_factory=dict)
    positions: dict[str, Decimal] = field(default_factory=dict)
    _opened: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        quotes = {currencies_of(symbol)[1] for symbol in self.rules}
        if len(quotes) != 1 or len({rules.spot for rules in self.rules.values()}) != 1:
            raise InputError(
                f"A dry exchange trades {', '.join(sorted(self.rules))}: it needs markets of one "
                "kind (spot or perpetuals) against one quote currency; give others an exchange "
                "of their own."
            )
        self.balances[self.quote] = self.funds.capital

    @property
    def quote(self) -> str:
        """The currency of all its markets."""
        return currencies_of(next(iter(self.rules)))[1]

    @property
    def spot(self) -> bool:
        """Whether its markets are spot markets."""
        return next(iter(self.rules.values())).spot

    @property
    def unopened(self) -> list[str]:
        """Spot markets that have not been opened yet."""
        return [symbol for symbol in self.rules if self.spot and symbol not in self._opened]

    def open(self, symbol: str, mid: float) -> bool:
        """Turn half of a spot market's part into base currency at its first mid, once.

        Return whether anything has changed.
        """
        if not self.spot or symbol in self._opened:
            return False
        self._opened.add(symbol)
        base, quote = currencies_of(symbol)
        half = self.funds.capital / len(self.rules) / 2
        step = self.rules[symbol].size_step
        price = Decimal(repr(mid))
        amount = (half / price) // step * step
        self.balances[base] = self.balances.get(base, Decimal(0)) + amount
        self.balances[quote] -= amount * price
        return True

    def trade(
        self, symbol: str, side: Side, price: Decimal, size: Decimal, rate: Decimal
    ) -> tuple[Decimal, str]:
        """Book a trade; return its fee and the fee's currency.

        Spot markets take the fee of what is received, perpetuals in the quote currency.
        """
        base, quote = currencies_of(symbol)
        sign = 1 if side == "buy" else -1
        self.balances[quote] -= sign * price * size
        in_base = self.spot and side == "buy"
        fee, currency = (size * rate, base) if in_base else (price * size * rate, quote)
        if self.spot:
            self.balances[base] = self.balances.get(base, Decimal(0)) + sign * size
        else:
            self.positions[symbol] = self.positions.get(symbol, Decimal(0)) + sign * size
        self.balances[currency] -= fee
        return fee, currency

    def equity(self, mids: Mapping[str, float | None]) -> Decimal:
        """Return cash and positions at the mids, quote currency (perpetuals)."""
        held = (
            size * Decimal(repr(mid))
            for symbol, size in self.positions.items()
            if (mid := mids.get(symbol)) is not None
        )
        return sum(held, self.balances[self.quote])

    def shown(self, time_ms: int, mids: Mapping[str, float | None]) -> Account:
        """Return the account as an exchange tells it.

        A perpetual account's balance is its equity, as venues tell it, not the cash.
        """
        if self.spot:
            return Account(time_ms, dict(self.balances), {})
        equity = self.equity(mids)
        return Account(time_ms, {self.quote: equity}, dict(self.positions), equity)
