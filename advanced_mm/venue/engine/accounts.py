"""Accounts: their money, positions, leverage, orders and what they did, in whole numbers.

An account's cross value is exactly ``usdc`` plus lots times mark of its cross positions, since
the signed cost of a position is taken from ``usdc`` when it is traded. An isolated position has
such a purse of its own, ``Position.usdc``.

Each builder-deployed exchange keeps money of its own, ``Account.dex_usdc``. With DEX abstraction
(``Account.dex_abstraction``) there is one purse for all: what an order or a position there needs is
taken out of ``usdc``, and comes back to it.
"""

import hashlib
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from advanced_mm.markets.units import MICROS_PER_USDC
from advanced_mm.venue.engine.money import MoneyMoved
from advanced_mm.venue.engine.orders import Fill, FundingPayment, Order, OrderStatus
from advanced_mm.venue.engine.rules import Rules
from advanced_mm.venue.engine.twap_orders import TwapEvent

__all__ = ["Account", "Accounts", "Leverage", "Position", "Sample"]

KEPT_ORDERS = 2_000
KEPT_FILLS = 10_000
KEPT_TWAPS = 2_000
KEPT_SAMPLES = 24 * 100
KEPT_ADDRESSES = 10_000  # that were asked about and have done nothing yet
DEFAULT_LEVERAGE = 20  # or the coin's greatest, where that is less


@dataclass(frozen=True, slots=True)
class Leverage:
    """The leverage of an account in a coin, and whether its positions there share the margin."""

    value: int
    is_cross: bool = True


@dataclass(slots=True)
class Position:
    """An open position.

    ``lots`` are signed; ``entry_cost`` is the signed sum of price times lots of what is open,
    micro-USDC. An isolated one keeps margin less cost in ``usdc``. ``funding`` is what was received
    since it was opened (negative: paid).
    """

    coin: str
    lots: int = 0
    entry_cost: int = 0
    isolated: bool = False
    usdc: int = 0
    funding: int = 0

    @property
    def entry_price(self) -> float:
        """Mean price of what is open, price units."""
        return self.entry_cost / self.lots

    def value(self, mark: int) -> int:
        """Signed value at a price, micro-USDC."""
        return self.lots * mark

    def unrealized(self, mark: int) -> int:
        """Profit at a price, micro-USDC."""
        return self.lots * mark - self.entry_cost

    def equity(self, mark: int) -> int:
        """What an isolated position is worth with its margin, micro-USDC."""
        return self.usdc + self.lots * mark


@dataclass(frozen=True, slots=True)
class Sample:
    """What an account was worth at a time (ms), micro-USDC: with what it had gained, and traded."""

    time_ms: int
    value: int
    spot: int
    gain: int
    volume: int


@dataclass(slots=True)
class Account:
    """One account. Amounts are micro-USDC, times exchange ms.

    ``dex_usdc`` is what lies at builder-deployed exchanges, ``dex_abstraction`` None until it is
    set for the first time, which is as good as False.

    ``orders`` are the live ones by number, sleeping stops among them; ``ended`` those before, the
    newest last, ``ended_counts`` how many there were in all, by what became of them. ``volume`` is
    what was traded, ``fees`` what was paid for it. ``refused`` counts orders that were never taken,
    by the first words of the sentence. ``spot_usdc`` lies in its spot part, ``deposited`` is what
    was brought in less what was taken out. ``requests_reserved`` were bought. ``money`` and
    ``twaps`` tell what happened, ``samples`` what it was worth, once an hour.
    """

    address: str
    created_ms: int
    usdc: int = 0
    dex_usdc: dict[str, int] = field(default_factory=dict)
    dex_abstraction: bool | None = None
    master: str | None = None
    name: str = ""
    positions: dict[str, Position] = field(default_factory=dict)
    leverage: dict[str, Leverage] = field(default_factory=dict)
    orders: dict[int, Order] = field(default_factory=dict)
    ended: deque[Order] = field(default_factory=deque)
    ended_counts: Counter[OrderStatus] = field(default_factory=Counter)
    fills: deque[Fill] = field(default_factory=lambda: deque(maxlen=KEPT_FILLS))
    funding: deque[FundingPayment] = field(default_factory=lambda: deque(maxlen=KEPT_FILLS))
    volume: int = 0
    fees: int = 0
    requests_used: int = 0
    requests_reserved: int = 0
    spot_usdc: int = 0
    deposited: int = 0
    money: deque[MoneyMoved] = field(default_factory=lambda: deque(maxlen=KEPT_FILLS))
    twaps: deque[TwapEvent] = field(default_factory=lambda: deque(maxlen=KEPT_TWAPS))
    samples: deque[Sample] = field(default_factory=lambda: deque(maxlen=KEPT_SAMPLES))
    refused: Counter[str] = field(default_factory=Counter)
    scheduled_ms: int | None = None
    scheduled_day: int = 0
    scheduled_used: int = 0
    _known: dict[int, Order] = field(default_factory=dict)
    _cloids: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        brought = self.usdc + sum(self.dex_usdc.values())
        if brought > 0:
            self._note_deposit(brought)

    def deposit(self, dex: str, micros: int) -> None:
        """Bring money to an exchange."""
        self.add_to_purse(dex, micros)
        if micros > 0:
            self._note_deposit(micros)

    def _note_deposit(self, micros: int) -> None:
        self.deposited += micros
        self.money.append(
            MoneyMoved(self.created_ms, self.address, "deposit", micros, self.address, self.address)
        )

    def in_purse(self, dex: str) -> int:
        """The purse of an exchange."""
        return self.dex_usdc.get(dex, 0) if dex else self.usdc

    def add_to_purse(self, dex: str, micros: int) -> None:
        """Put money into the purse of an exchange, or take it out if negative."""
        if dex:
            self.dex_usdc[dex] = self.dex_usdc.get(dex, 0) + micros
        else:
            self.usdc += micros

    def leverage_of(self, coin: str, greatest: int, *, only_isolated: bool = False) -> Leverage:
        """The leverage set for a coin, or what an account begins with."""
        usual = Leverage(min(DEFAULT_LEVERAGE, greatest), not only_isolated)
        return self.leverage.get(coin) or usual

    def add(self, order: Order) -> None:
        """Take in a new live order."""
        self.orders[order.oid] = self._known[order.oid] = order
        if order.request.cloid is not None:
            self._cloids[order.request.cloid] = order.oid

    def end(self, order: Order) -> None:
        """Put an order among those that have ended; the oldest of these is forgotten."""
        self.orders.pop(order.oid, None)
        self._known[order.oid] = order
        self.ended.append(order)
        self.ended_counts[order.status] += 1
        if len(self.ended) > KEPT_ORDERS:
            oldest = self.ended.popleft()
            del self._known[oldest.oid]
            cloid = oldest.request.cloid
            if cloid is not None and self._cloids.get(cloid) == oldest.oid:
                del self._cloids[cloid]

    def find(self, oid_or_cloid: int | str) -> Order | None:
        """An order of any state by its number or the client's name: a live one before others."""
        if isinstance(oid_or_cloid, int):
            return self._known.get(oid_or_cloid)
        newest = self._known.get(self._cloids.get(oid_or_cloid, -1))
        if newest is not None and newest.oid in self.orders:
            return newest
        live = (one for one in self.orders.values() if one.request.cloid == oid_or_cloid)
        return max(live, key=lambda order: order.oid, default=newest)

    def history(self) -> list[Order]:
        """The orders still known, oldest first."""
        every = sorted((*self.ended, *self.orders.values()), key=lambda order: order.oid)
        return every[-KEPT_ORDERS:]


class Accounts:
    """All accounts by address (lower case).

    An address that somebody has asked about is only remembered, a limited number of them; its
    account is opened, with play money, when it is needed. Questions cost the venue no memory.

    Parameters
    ----------
    rules
        Play money.
    now_ms
        Market time at the start; `Exchange` keeps it going.
    """

    def __init__(self, rules: Rules, now_ms: int) -> None:
        self._play_money = int(rules.play_money * MICROS_PER_USDC)
        self._dex_abstraction = True if rules.dex_abstraction else None
        self.now_ms = now_ms
        self._accounts: dict[str, Account] = {}
        self._subs: dict[str, list[str]] = {}
        self._asked: dict[str, int] = {}

    def __iter__(self) -> Iterator[Account]:
        return iter(self._accounts.values())

    def __len__(self) -> int:
        return len(self._accounts)

    def get(self, address: str) -> Account | None:
        """The account of an address, if it has one or was asked about."""
        return self.open(address) if address in self._asked else self._accounts.get(address)

    def existing(self, address: str) -> Account | None:
        """The account of an address, if it has been opened."""
        return self._accounts.get(address)

    def look(self, address: str) -> Account:
        """An account to be read alone: of an address without one, what it would be now."""
        account = self._accounts.get(address)
        if account is not None:
            return account
        if address not in self._asked:
            if len(self._asked) >= KEPT_ADDRESSES:
                del self._asked[next(iter(self._asked))]
            self._asked[address] = self.now_ms
        return self._new(address, self._asked[address], self._play_money)

    def open(self, address: str, play_money_micros: int | None = None) -> Account:
        """The account of an address, opened with play money if it has none yet."""
        account = self._accounts.get(address)
        if account is None:
            if play_money_micros is None:
                play_money_micros = self._play_money
            created_ms = self._asked.pop(address, self.now_ms)
            account = self._new(address, created_ms, play_money_micros)
            self._accounts[address] = account
        return account

    def _new(self, address: str, created_ms: int, micros: int) -> Account:
        return Account(address, created_ms, micros, dex_abstraction=self._dex_abstraction)

    def put(self, account: Account) -> None:
        """Take in an account as it is, e.g. one that was saved."""
        self._accounts[account.address] = account
        if account.master is not None:
            self._subs.setdefault(account.master, []).append(account.address)

    def add_sub(self, master: str, name: str) -> str:
        """Open a sub-account without money; its address follows from master and number."""
        number = len(self._subs.get(master, ()))
        digest = hashlib.sha256(f"{master}:{number}".encode()).hexdigest()
        account = self.open("0x" + digest[:40], 0)
        account.master, account.name = master, name
        self._subs.setdefault(master, []).append(account.address)
        return account.address

    def master_of(self, address: str) -> str | None:
        """The master's address, None for an account of its own."""
        account = self._accounts.get(address)
        return account.master if account else None

    def subs(self, master: str) -> list[str]:
        """Addresses of the sub-accounts, oldest first."""
        return list(self._subs.get(master, ()))
