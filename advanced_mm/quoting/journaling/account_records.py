"""The venue's own records of an account: its fills, its funding, its money.

Freqtrade asks the venue for fills and funding now and then, for purposes of its own. Whatever
passes on the way is taken along; what it does not ask for is asked for here, seldom.
"""

import logging
import threading
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from advanced_mm.instruments import dex_of

__all__ = ["AccountRecords", "AccountState", "OwnFill", "OwnFunding", "payment_key"]

logger = logging.getLogger(__name__)

MOST_FILLS: Final = 2000
"""The venue tells so many at once."""

HOUR_MS: Final = 3_600_000


@dataclass(frozen=True)
class OwnFill:
    """A fill as the venue has it; ``fee`` positive where it was paid, quote currency."""

    time_ms: int
    coin: str
    number: str
    order: str
    buys: bool
    price: float
    size: float
    fee: float
    crossed: bool
    position_before: float

    @property
    def position_after(self) -> float:
        """Signed position, base currency."""
        after = self.position_before + (self.size if self.buys else -self.size)
        return 0.0 if abs(after) < 1e-9 * self.size else after


@dataclass(frozen=True)
class OwnFunding:
    """A payment as the venue has it, positive where we received it."""

    time_ms: int
    coin: str
    amount: float
    position: float


@dataclass(frozen=True)
class AccountState:
    """An account on one of the venue's exchanges.

    ``positions`` by coin, signed; ``marks`` are the prices at which those are valued; ``cash`` is
    what the account would hold after all of them were closed at the mark, less what that brings.
    """

    time_ms: int
    positions: Mapping[str, float]
    marks: Mapping[str, float]
    cash: float
    equity: float


@dataclass
class AccountRecords:
    """Takes in what a ccxt client of Hyperliquid hears of its account.

    `install` it once, after everything else that changes the client. Each fill and each payment
    after ``since_ms`` is told once by `news`; before that is known, nothing is told.
    """

    client: Any
    since_ms: int | None = None
    seen: set[str] = field(default_factory=set)
    requests: tuple[int, int] | None = None
    """Actions of this address that the venue has counted, and how many it allows."""
    newest_funding_ms: int = 0
    _fills_known_ms: int = 0
    _funding_known_ms: int = 0
    _fills: list[OwnFill] = field(default_factory=list)
    _funding: list[OwnFunding] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def install(self) -> None:
        """Take the place of the client's ``publicPostInfo``."""
        ask = self.client.publicPostInfo

        def heard(request: dict[str, Any], *arguments: Any) -> Any:
            reply = ask(request, *arguments)
            self._hear(request, reply)
            return reply

        self.client.publicPostInfo = heard

    def news(self, coins: Collection[str]) -> tuple[list[OwnFill], list[OwnFunding]]:
        """Return fills and funding of these coins not told before, oldest first."""
        with self._lock:
            if self.since_ms is None:
                return [], []
            fills, self._fills = self._fills, []
            funding, self._funding = self._funding, []
            return (
                [one for one in self._new(fills, coins) if self._is_first(one.number)],
                [
                    one
                    for one in self._new(funding, coins)
                    if self._is_first(payment_key(one.coin, one.time_ms))
                ],
            )

    def ask_fills(self) -> bool:
        """Ask for the fills since the newest one known; whether those were all.

        Raises
        ------
        ccxt.BaseError
            The venue does not answer.
        """
        rows = self._ask("userFillsByTime", max(self._fills_known_ms, self.since_ms or 0))
        if not isinstance(rows, list):
            return True
        self._fills_known_ms = max([self._fills_known_ms, *(int(row["time"]) for row in rows)])
        return len(rows) < MOST_FILLS

    def ask_funding(self) -> None:
        """Ask for the payments since the newest one known; raises as `ask_fills`."""
        rows = self._ask("userFunding", max(self._funding_known_ms, self.since_ms or 0))
        if isinstance(rows, list):
            times = [int(row["time"]) for row in rows]
            self._funding_known_ms = max([self._funding_known_ms, *times])

    def ask_requests(self) -> None:
        """Ask how many actions were counted; raises as `ask_fills`."""
        user, _ = self.client.handle_public_address("userRateLimit", {})
        self.client.publicPostInfo({"type": "userRateLimit", "user": user})

    def ask_states(self, coins: Iterable[str]) -> dict[str, AccountState]:
        """Ask for the account on the main exchange and those that list a coin; as `ask_fills`.

        Returns
        -------
        dict
            By exchange, the main one's name being empty.
        """
        states = {}
        for dex in sorted({"", *map(dex_of, coins)}):
            user, _ = self.client.handle_public_address("clearinghouseState", {})
            request = {"type": "clearinghouseState", "user": user, **({"dex": dex} if dex else {})}
            states[dex] = _state(self.client.publicPostInfo(request))
        return states

    def _ask(self, kind: str, start_ms: int) -> Any:
        user, _ = self.client.handle_public_address(kind, {})
        return self.client.publicPostInfo({"type": kind, "user": user, "startTime": start_ms})

    def _hear(self, request: Mapping[str, Any], reply: Any) -> None:
        """Take in a reply; one that cannot be understood must not trouble who asked for it."""
        kind = request.get("type")
        try:
            if kind in ("userFills", "userFillsByTime") and not request.get("aggregateByTime"):
                fills = [_fill(row) for row in reply]
                with self._lock:
                    self._fills += fills if kind == "userFillsByTime" else fills[::-1]
            elif kind == "userFunding":
                payments = [_payment(row) for row in reply]
                with self._lock:
                    self._funding += payments
                    newest = max((one.time_ms for one in payments), default=0)
                    self.newest_funding_ms = max(self.newest_funding_ms, newest)
            elif kind == "userRateLimit":
                self.requests = int(reply["nRequestsUsed"]), int(reply["nRequestsCap"])
        except (TypeError, LookupError, ValueError, AttributeError) as error:
            logger.warning("journal: no sense in the venue's %s: %r", kind, error)

    def _new(self, found: list[Any], coins: Collection[str]) -> list[Any]:
        since = self.since_ms or 0
        new = (one for one in found if one.coin in coins and one.time_ms > since)
        return sorted(new, key=lambda one: one.time_ms)

    def _is_first(self, number: str) -> bool:
        if number in self.seen:
            return False
        self.seen.add(number)
        return True


def payment_key(coin: str, time_ms: int) -> str:
    """Name a payment among what was told already, as a fill has its number."""
    return f"funding {coin} {time_ms}"


def _fill(row: Mapping[str, Any]) -> OwnFill:
    return OwnFill(
        time_ms=int(row["time"]),
        coin=str(row["coin"]),
        number=str(row["tid"]),
        order=str(row["oid"]),
        buys=row["side"] == "B",
        price=float(row["px"]),
        size=float(row["sz"]),
        fee=float(row["fee"]),
        crossed=bool(row["crossed"]),
        position_before=float(row["startPosition"]),
    )


def _payment(row: Mapping[str, Any]) -> OwnFunding:
    delta = row["delta"]
    return OwnFunding(
        int(row["time"]), str(delta["coin"]), float(delta["usdc"]), float(delta["szi"])
    )


def _state(reply: Mapping[str, Any]) -> AccountState:
    positions = [one["position"] for one in reply["assetPositions"]]
    sizes = {str(one["coin"]): float(one["szi"]) for one in positions}
    values = {str(one["coin"]): float(one["positionValue"]) for one in positions}
    return AccountState(
        time_ms=int(reply["time"]),
        positions=sizes,
        marks={coin: values[coin] / abs(size) for coin, size in sizes.items() if size},
        cash=float(reply["marginSummary"]["totalRawUsd"]),
        equity=float(reply["marginSummary"]["accountValue"]),
    )
