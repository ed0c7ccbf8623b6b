"""Accounts: their money, positions, leverage, orders and history, in whole numbers.

An account's cross value is exactly ``usdc`` plus lots times mark of its cross positions, since
the signed cost of a position is deducted from ``usdc`` when it is traded. An isolated position
has its own balance of this kind, ``Position.usdc``.

Each builder-deployed exchange has its own balance (purse), ``Account.dex_usdc``. With DEX
abstraction (``Account.dex_abstraction``) all exchanges share one: margin for their orders and
positions is taken from ``usdc`` and returned to it.
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
KEPT_ADDRESSES = 10_000  # queried, but without any action yet
DEFAULT_LEVERAGE = 20  # or the coin's maximum, if lower


@dataclass(frozen=True, slots=True)
class Leverage:
    """An account's leverage in a coin, and whether its position there uses cross margin."""

    value: int
    is_cross: bool = True


@dataclass(slots=True)
class Position:
    """An open position.

    ``lots`` are signed; ``entry_cost`` is the signed sum of price times open lots, micro-USDC.
    For an isolated position ``usdc`` is its margin less its cost. ``funding`` is the funding
    received since it was opened (negative: paid).
    """

    coin: str
    lots: int = 0
    entry_cost: int = 0
    isolated: bool = False
    usdc: int = 0
    funding: int = 0

    @property
    def entry_price(self) -> float:
        """Mean entry price, price units."""
        return self.entry_cost / self.lots

    def value(self, mark: int) -> int:
        """Return the signed value at a price, micro-USDC."""
        return self.lots * mark

    def unrealized(self, mark: int) -> int:
        """Return the unrealized profit at a price, micro-USDC."""
        return self.lots * mark - self.entry_cost

    def equity(self, mark: int) -> int:
        """Return the value of an isolated position including its margin, micro-USDC."""
        return self.usdc + self.lots * mark


@dataclass(frozen=True, slots=True)
class Sample:
    """An account's value, gain and traded volume at a time (ms); micro-USDC."""

    time_ms: int
    value: int
    spot: int
    gain: int
    volume: int


@dataclass(slots=True)
class Account:
    """One account. Amounts are micro-USDC, times exchange ms.

    ``dex_usdc`` holds the balances at builder-deployed exchanges; ``dex_abstraction`` is None
    (treated as False) until it is first set.

    ``orders`` are the live ones by number, including dormant stops; ``ended`` the earlier ones,
    newest last; ``ended_counts`` the number of all ended orders by status. ``volume`` is the traded
    value, ``fees`` the fees paid. ``refused`` counts orders that were never accepted, by the
    beginning of the error message. ``spot_usdc`` is the spot balance, ``deposited`` deposits less
    withdrawals. ``requests_reserved`` is the number of requests bought. ``money`` and ``twaps``
    list past events, ``samples`` the account's hourly values.
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
        """Deposit money at an exchange."""
        self.add_to_purse(dex, micros)
        if micros > 0:
            self._note_deposit(micros)

    def _note_deposit(self, micros: int) -> None:
        self.deposited += micros
        self.money.append(
            MoneyMoved(self.created_ms, self.address, "deposit", micros, self.address, self.address)
        )

    def in_purse(self, dex: str) -> int:
        """Return the balance at an exchange, micro-USDC."""
        return self.dex_usdc.get(dex, 0) if dex else self.usdc

    def add_to_purse(self, dex: str, micros: int) -> None:
        """Add to the balance at an exchange, or deduct from it if negative."""
        if dex:
            self.dex_usdc[dex] = self.dex_usdc.get(dex, 0) + micros
        else:
            self.usdc += micros

    def leverage_of(self, coin: str, greatest: int, *, only_isolated: bool = False) -> Leverage:
        """Return the leverage set for a coin, or the default."""
        usual = Leverage(min(DEFAULT_LEVERAGE, greatest), not only_isolated)
        return self.leverage.get(coin) or usual

    def add(self, order: Order) -> None:
        """Add a new live order."""
        self.orders[order.oid] = self._known[order.oid] = order
        if order.request.cloid is not None:
            self._cloids[order.request.cloid] = order.oid

    def end(self, order: Order) -> None:
        """Move an order to the ended ones; beyond 2000 the oldest is dropped."""
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
        """Find an order in any state by number or client order id, preferring a live one."""
        if isinstance(oid_or_cloid, int):
            return self._known.get(oid_or_cloid)
        newest = self._known.get(self._cloids.get(oid_or_cloid, -1))
        if newest is not None and newest.oid in self.orders:
            return newest
        live = (one for one in self.orders.values() if one.request.cloid == oid_or_cloid)
        return max(live, key=lambda order: order.oid, default=newest)

    def history(self) -> list[Order]:
        """Return the orders that are still kept, oldest first."""
        every = sorted((*self.ended, *self.orders.values()), key=lambda order: order.oid)
        return every[-KEPT_ORDERS:]


class Accounts:
    """All accounts by address (lower case).

    A queried address without an account is only remembered, up to a limit; its account is opened,
    with play money, when it is needed. Queries therefore use bounded memory.

    Parameters
    ----------
    rules
        The venue's rules, which set the play money.
    now_ms
        Market time at the start; `Exchange` updates it.
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
        """Return the account of an address that has one or has been queried, else None."""
        return self.open(address) if address in self._asked else self._accounts.get(address)

    def existing(self, address: str) -> Account | None:
        """Return the account of an address if it has been opened, else None."""
        return self._accounts.get(address)

    def look(self, address: str) -> Account:
        """Return an account for reading; for an address without one, what it would be now."""
        account = self._accounts.get(address)
        if account is not None:
            return account
        if address not in self._asked:
            if len(self._asked) >= KEPT_ADDRESSES:
                del self._asked[next(iter(self._asked))]
            self._asked[address] = self.now_ms
        return self._new(address, self._asked[address], self._play_money)

    def open(self, address: str, play_money_micros: int | None = None) -> Account:
        """Return the account of an address, opening one with play money if necessary."""
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
        """Add an existing account, e.g. one that was saved."""
        self._accounts[account.address] = account
        if account.master is not None:
            self._subs.setdefault(account.master, []).append(account.address)

    def add_sub(self, master: str, name: str) -> str:
        """Open a sub-account without money; its address is derived from master and number."""
        number = len(self._subs.get(master, ()))
        digest = hashlib.sha256(f"{master}:{number}".encode()).hexdigest()
        account = self.open("0x" + digest[:40], 0)
        account.master, account.name = master, name
        self._subs.setdefault(master, []).append(account.address)
        return account.address

    def master_of(self, address: str) -> str | None:
        """Return the master's address, or None if the account is not a sub-account."""
        account = self._accounts.get(address)
        return account.master if account else None

    def subs(self, master: str) -> list[str]:
        """Return the addresses of the sub-accounts, oldest first."""
        return list(self._subs.get(master, ()))
