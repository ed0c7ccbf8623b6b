"""A scripted market, and a bench to trade in it."""

from collections.abc import Callable, Sequence
from itertools import count

import pytest

from advanced_mm.markets.market import Book, CoinSpec, Level, MarketUpdate, Print, Quote
from advanced_mm.markets.units import CoinUnits
from advanced_mm.venue.engine.exchange import Exchange
from advanced_mm.venue.engine.orders import OrderRequest, Outcome, TimeInForce, Trigger
from advanced_mm.venue.engine.rules import Rules

START_MS = 1_790_000_000_000
ALICE, BOB = "0x" + "a1" * 20, "0x" + "b0" * 20
SPEC = CoinSpec("ETH", 4, 25, 0.1)

Side = Sequence[tuple[float, float]]


class ScriptedMarket:
    """A `MarketSource` whose blocks are scripted in advance.

    Books are lists of (price, size), best first; prints are (price, size, side, order), where
    prints of one block with the same ``order`` share a hash.
    """

    def __init__(self, spec: CoinSpec, bids: Side, asks: Side, start_ms: int = START_MS) -> None:
        self.spec = spec
        self.now_ms = start_ms
        self._last_ms = start_ms
        self._sides = (list(bids), list(asks))
        self._tids = count(start_ms // 1000 << 20)
        self._script: list[tuple[MarketUpdate, tuple[list, list] | None]] = []

    @property
    def mid(self) -> float:
        bids, asks = self._sides
        return (bids[0][0] + asks[0][0]) / 2

    def write(
        self,
        time_ms: int,
        prints: Sequence[tuple[float, float, int, int]] = (),
        bids: Side | None = None,
        asks: Side | None = None,
    ) -> None:
        """A future block; without a book, the touch stays."""
        sides, quote = None, None
        if bids is not None and asks is not None:
            sides = (list(bids), list(asks))
            quote = self._quote(sides)
        made = tuple(
            Print(price, size, side, next(self._tids), f"0x{time_ms:040x}{order:024x}")
            for price, size, side, order in prints
        )
        self._script.append((MarketUpdate(time_ms, quote, made), sides))

    def advance(self, until_ms: int) -> list[MarketUpdate]:
        self.now_ms = max(self.now_ms, until_ms)
        updates = []
        while self._script and self._script[0][0].time_ms <= self.now_ms:
            update, sides = self._script.pop(0)
            self._sides = sides or self._sides
            self._last_ms = update.time_ms
            updates.append(update)
        return updates

    def book(self, levels: int) -> Book:
        bids, asks = (
            tuple(Level(price, size, 2) for price, size in side[:levels]) for side in self._sides
        )
        return Book(self._last_ms, bids, asks)

    @staticmethod
    def _quote(sides: tuple[list, list]) -> Quote:
        (bid, ask) = (side[0] if side else (None, 0.0) for side in sides)
        return Quote(*bid, *ask)


class Bench:
    """An exchange with one scripted market, in USDC and base units.

    The book is 100.0 x 5, 99.9 x 4, 99.8 x 3 against 100.1 x 5, 100.2 x 4, 100.3 x 3.
    """

    bids: Side = ((100.0, 5.0), (99.9, 4.0), (99.8, 3.0))
    asks: Side = ((100.1, 5.0), (100.2, 4.0), (100.3, 3.0))

    def __init__(self, rules: Rules | None = None, spec: CoinSpec = SPEC) -> None:
        self.units = CoinUnits(spec.size_decimals)
        self.market = ScriptedMarket(spec, self.bids, self.asks)
        self.exchange = Exchange([self.market], rules or Rules())
        self.coin = spec.coin
        self.exchange.advance(START_MS)

    def place(
        self,
        account: str,
        side: int,
        price: float,
        size: float,
        tif: TimeInForce = TimeInForce.GTC,
        *,
        reduce_only: bool = False,
        trigger: tuple[float, bool, bool] | None = None,
        cloid: str | None = None,
    ) -> Outcome:
        request = self.request(
            side, price, size, tif, reduce_only=reduce_only, trigger=trigger, cloid=cloid
        )
        return self.exchange.place(account, [request])[0]

    def request(
        self,
        side: int,
        price: float,
        size: float,
        tif: TimeInForce = TimeInForce.GTC,
        *,
        reduce_only: bool = False,
        trigger: tuple[float, bool, bool] | None = None,
        cloid: str | None = None,
    ) -> OrderRequest:
        """``trigger`` is (price, is market, is take-profit)."""
        units = self.units.price_units
        return OrderRequest(
            self.coin,
            side > 0,
            units(price),
            self.units.lots(size),
            reduce_only,
            tif,
            Trigger(units(trigger[0]), *trigger[1:]) if trigger else None,
            cloid,
        )

    def resting(self, account: str, side: int, price: float, size: float, **changes) -> int:
        """Place an order that must rest; return its number."""
        outcome = self.place(account, side, price, size, **changes)
        assert outcome.error is None
        assert outcome.order.resting
        return outcome.order.oid

    def block(
        self,
        *prints: tuple[float, float, int] | tuple[float, float, int, int],
        bids: Side | None = None,
        asks: Side | None = None,
    ) -> list[MarketUpdate]:
        """Send a block 100 ms later: prints (price, size, side[, order]), and any new book."""
        time_ms = self.exchange.now_ms + 100
        made = [one if len(one) == 4 else (*one, 0) for one in prints]
        if bids is not None or asks is not None:
            bids, asks = bids or self.bids, asks or self.asks
        self.market.write(time_ms, made, bids, asks)
        return self.exchange.advance(time_ms)[self.coin]

    def wait(self, ms: int) -> list[MarketUpdate]:
        return self.exchange.advance(self.exchange.now_ms + ms)[self.coin]

    def cancel(self, account: str, oid: int) -> Outcome:
        return self.exchange.cancel(account, [(self.coin, oid)])[0]

    def fills(self, account: str) -> list[tuple[float, float, bool]]:
        """Return price, signed size and whether it crossed, of every fill."""
        return [
            (
                self.units.price(one.price),
                self.units.size(one.lots) * (1 if one.is_buy else -1),
                one.crossed,
            )
            for one in self.exchange.fills(account)
        ]

    def position(self, account: str) -> float:
        held = self.exchange.accounts.open(account).positions.get(self.coin)
        return self.units.size(held.lots) if held else 0.0

    def mark(self, price: float) -> list[MarketUpdate]:
        """Send a block with a deep book around a price, spread 0.1."""
        bids = [(round(price - 0.05 - i / 10, 2), 1000.0) for i in range(3)]
        asks = [(round(price + 0.05 + i / 10, 2), 1000.0) for i in range(3)]
        return self.block(bids=bids, asks=asks)


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture(scope="session")
def make_bench() -> Callable[..., Bench]:
    return Bench


@pytest.fixture(scope="session")
def make_market() -> type[ScriptedMarket]:
    return ScriptedMarket
