"""The synthetic market: the model itself on a tick grid, with known parameters.

The default market resembles ETH near 3000 USDC: tick 0.1, spread one tick, blocks of 0.1 s, per
side lambda = 1 /s, kappa = 2 per USDC, epsilon = 0.6 * 0.3 = 0.18 USDC, sigma = 1 USDC per sqrt(s).

- Not toxic: kappa * epsilon = 0.36.
- Recoverable: in 30 minutes about 1630 market orders a side print and 1340 of them walk beyond the
  touch; the standard error of epsilon is near sigma / sqrt(1630) = 0.025, a seventh of epsilon.
- Lively enough for a dry run, which fills only when the other side's best has crossed the resting
  quote at a poll: at depth 1/kappa + epsilon + 0.00015 * 3000 = 1.13 USDC on the inventories
  {0, 1}, three minutes hold on average 22 fills when every quote is replaced at each poll of one
  second, 22 when it is replaced after a drift of two ticks, 14 when it always rests for 15 s
  (simulated over 600 market minutes). Such fills come when the price runs over the quote, so they
  lose; those of a matching book need not.

It prints about 25 times a second, 1.8 market orders.
"""

from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter

from advanced_mm.paper.grid import StepGrid
from advanced_mm.paper.identifiers import first_trade_id, transaction_hash
from advanced_mm.paper.market import Book, CoinSpec, Level, MarketUpdate, Print, Quote
from advanced_mm.paper.synthetic_flow import FlowChunk, SyntheticFlow
from advanced_mm.paper.synthetic_parameters import ObservableTruth, SyntheticParameters
from advanced_mm.paper.synthetic_regimes import Regimes

__all__ = ["ObservableTruth", "SyntheticMarket", "SyntheticParameters"]

_ORDERS_PER_LEVEL = 4


class SyntheticMarket:
    """A `MarketSource` that draws its blocks from a seed.

    The first block, at ``start_ms``, shows the opening touch; the next follow every ``block_ms``.
    Same parameters, start and seed: same market, whatever the steps of ``advance``.

    Parameters
    ----------
    market
        The market, see `SyntheticParameters`, or several sets of them with their times.
    start_ms
        Exchange time of the first block, ms.
    seed
        Seed of the random generator.
    """

    def __init__(self, market: SyntheticParameters | Regimes, start_ms: int, seed: int) -> None:
        self._regimes = Regimes.of(market)
        parameters = self._parameters = self._regimes.first
        self._start_ms = start_ms
        self._now_ms = start_ms
        self._prices = StepGrid(parameters.tick)
        self._sizes = StepGrid(10.0**-parameters.size_decimals)
        self._hash_parts = (parameters.coin, start_ms, seed)
        self._next_trade_id = first_trade_id(start_ms)
        self._orders_given = 0
        self._bid = int(parameters.start_price // parameters.tick)
        self._level_size = parameters.level_size
        self._last_block = -1
        self._blocks = self._generate(SyntheticFlow(self._regimes, seed))

    @property
    def spec(self) -> CoinSpec:
        """The coin that trades here."""
        return self._parameters.spec

    @property
    def now_ms(self) -> int:
        """Time of the last ``advance``, exchange ms."""
        return self._now_ms

    @property
    def mid(self) -> float:
        """Middle of the touch, quote currency."""
        return (self._prices.value(self._bid) + self._prices.value(self._bid + 1)) / 2

    def truth(self) -> ObservableTruth:
        """Return what an estimator on the stream of the present regime alone should find."""
        # The opening touch is no block of the flow: the flow's count is one behind.
        return self._regimes.parameters_of_block(max(0, self._last_block - 1)).truth()

    def advance(self, until_ms: int) -> list[MarketUpdate]:
        """All blocks with ``time_ms <= until_ms`` not given yet, in time order."""
        self._now_ms = max(self._now_ms, until_ms)
        due = (self._now_ms - self._start_ms) // self._parameters.block_ms
        updates = []
        while self._last_block < due:
            self._bid, self._level_size, update = next(self._blocks)
            self._last_block += 1
            if update is not None:
                updates.append(update)
        return updates

    def book(self, levels: int) -> Book:
        """The book as of the last ``advance``: the same size at each tick from the touch on."""
        last_ms = self._start_ms + max(0, self._last_block) * self._parameters.block_ms
        size, price = self._level_size, self._prices.value
        bids = tuple(Level(price(self._bid - i), size, _ORDERS_PER_LEVEL) for i in range(levels))
        asks = tuple(
            Level(price(self._bid + 1 + i), size, _ORDERS_PER_LEVEL) for i in range(levels)
        )
        return Book(last_ms, bids, asks)

    def _generate(self, flow: SyntheticFlow) -> Iterator[tuple[int, float, MarketUpdate | None]]:
        """Yield best bid (ticks), level size and publication, if any, of each block, for ever."""
        time_ms, shown = self._start_ms, (self._bid, self._level_size)
        yield *shown, MarketUpdate(time_ms, self._touch(*shown))
        while True:
            chunk = flow.next_chunk()
            prints = self._prints_by_block(chunk)
            for block, bid in enumerate(chunk.bid_ticks.tolist()):
                time_ms += self._parameters.block_ms
                touch = (bid, chunk.level_size)
                quote = self._touch(*touch) if touch != shown else None
                shown = touch
                if quote is None and block not in prints:
                    yield *touch, None
                else:
                    yield *touch, MarketUpdate(time_ms, quote, prints.get(block, ()))

    def _touch(self, bid: int, size: float) -> Quote:
        return Quote(self._prices.value(bid), size, self._prices.value(bid + 1), size)

    def _prints_by_block(self, chunk: FlowChunk) -> dict[int, tuple[Print, ...]]:
        hashes = [
            transaction_hash(*self._hash_parts, self._orders_given + i) for i in range(chunk.orders)
        ]
        rows = zip(
            chunk.print_block.tolist(),
            self._prices.values(chunk.print_ticks).tolist(),
            self._sizes.values(chunk.print_steps).tolist(),
            chunk.print_side.tolist(),
            range(self._next_trade_id, self._next_trade_id + len(chunk.print_block)),
            [hashes[order] for order in chunk.print_order.tolist()],
            strict=True,
        )
        self._orders_given += chunk.orders
        self._next_trade_id += len(chunk.print_block)
        return {
            block: tuple(Print(*fields) for _, *fields in group)
            for block, group in groupby(rows, key=itemgetter(0))
        }
