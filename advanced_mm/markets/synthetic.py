"""The synthetic market: the model itself on a tick grid, with known parameters.

The default market resembles ETH near 3000 USDC: tick 0.1, spread one tick, blocks of 0.1 s, per
side lambda = 1 /s, kappa = 2 per USDC, epsilon = 0.6 * 0.3 = 0.18 USDC, sigma = 1 USDC per sqrt(s).

- Not toxic: kappa * epsilon = 0.36.
- Recoverable: in 30 minutes about 1630 market orders a side print and 1340 of them walk beyond the
  touch; the standard error of epsilon is near sigma / sqrt(1630) = 0.025, a seventh of epsilon.
- Lively enough for a dry run, which fills only if the opposite best price has crossed the resting
  quote at a poll. At depth 1/kappa + epsilon + 0.00015 * 3000 = 1.13 USDC on the inventories
  {0, 1}, three minutes have on average 22 fills if every quote is replaced at each one-second poll,
  22 if it is replaced after a drift of two ticks, 14 if it always rests for 15 s (simulated over
  600 market minutes). Such fills occur when the price runs over the quote, so they lose money;
  fills of a matching book need not.

The market prints about 25 times a second, from 1.8 market orders.
"""

import math
from collections.abc import Iterator
from zlib import crc32

import numpy as np

from advanced_mm.markets.grid import StepGrid
from advanced_mm.markets.identifiers import first_trade_id, transaction_hash
from advanced_mm.markets.market import Book, CoinSpec, Level, MarketUpdate, Print, Quote
from advanced_mm.markets.synthetic_flow import CHUNK_BLOCKS, FlowChunk, SyntheticFlow
from advanced_mm.markets.synthetic_parameters import ObservableTruth, SyntheticParameters
from advanced_mm.markets.synthetic_regimes import Regimes

__all__ = ["ObservableTruth", "SyntheticMarket", "SyntheticParameters"]

_ORDERS_PER_LEVEL = 4
_LADDER_SPARE = 256  # ticks the price may move before the levels are rebuilt


class SyntheticMarket:
    """A `MarketSource` that draws its blocks from a seed.

    The first block, at ``start_ms``, shows the opening touch; the next follow every ``block_ms``.
    The same parameters, start and seed give the same market, however ``advance`` is called.

    Parameters
    ----------
    market
        The market's parameters, or several sets of them with their times.
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
        self._printer = _Printer(parameters, start_ms, seed)
        self._ladder: tuple[Level, ...] = ()
        self._ladder_ticks = (0, 0)
        self._draw_at = crc32(parameters.coin.encode()) % CHUNK_BLOCKS
        # As SyntheticFlow computes it: 3000.0 // 0.1 is 29999.
        self._bid = math.floor(parameters.start_price / parameters.tick)
        self._level_size = parameters.level_size
        self._imbalance = 0.0
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
        """Mid of the touch, quote currency."""
        return (self._prices.value(self._bid) + self._prices.value(self._bid + 1)) / 2

    def truth(self) -> ObservableTruth:
        """Return what an estimator that sees only the current regime should find."""
        # The opening touch is not a block of the flow, so the flow's count is one behind.
        return self._regimes.parameters_of_block(max(0, self._last_block - 1)).truth()

    def advance(self, until_ms: int) -> list[MarketUpdate]:
        """Return all blocks up to ``until_ms`` not returned yet, in time order."""
        self._now_ms = max(self._now_ms, until_ms)
        due = (self._now_ms - self._start_ms) // self._parameters.block_ms
        updates = []
        while self._last_block < due:
            self._bid, self._level_size, self._imbalance, update = next(self._blocks)
            self._last_block += 1
            if update is not None:
                updates.append(update)
        return updates

    def book(self, levels: int) -> Book:
        """Return the book as of the last ``advance``; beyond the touch, all sizes are the same."""
        last_ms = self._start_ms + max(0, self._last_block) * self._parameters.block_ms
        lowest = max(1, self._bid - levels + 1)  # in ticks; prices must be positive
        first, end = self._ladder_ticks
        if not (first <= lowest and self._bid + levels < end) or (
            self._ladder[0].size != self._level_size
        ):
            first = self._lay_ladder(levels)
        bid = self._bid - first
        bids = self._ladder[lowest - first : bid + 1]
        asks = self._ladder[bid + 1 : bid + 1 + levels]
        if self._imbalance == 0:
            return Book(last_ms, bids[::-1], asks)
        best_bid, best_ask = (
            Level(level.price, size, _ORDERS_PER_LEVEL)
            for level, size in zip(
                (bids[-1], asks[0]), self._sizes(self._level_size, self._imbalance), strict=True
            )
        )
        return Book(last_ms, (best_bid, *bids[-2::-1]), (best_ask, *asks[1:]))

    def _lay_ladder(self, levels: int) -> int:
        """Build the levels around the touch, of which books are slices; return the lowest tick."""
        reach = levels + _LADDER_SPARE
        first, end = max(1, self._bid - reach), self._bid + reach
        self._ladder = tuple(
            Level(self._prices.value(ticks), self._level_size, _ORDERS_PER_LEVEL)
            for ticks in range(first, end)
        )
        self._ladder_ticks = (first, end)
        return first

    def _generate(
        self, flow: SyntheticFlow
    ) -> Iterator[tuple[int, float, float, MarketUpdate | None]]:
        """Yield best bid (ticks), level size, imbalance and update, if any, of each block."""
        time_ms, shown = self._start_ms, (self._bid, self._level_size, self._imbalance)
        yield *shown, MarketUpdate(time_ms, self._touch(*shown))
        following = flow.next_chunk()
        while True:
            chunk = following
            self._printer.load(chunk)
            bids, imbalance = chunk.bid_ticks.tolist(), chunk.imbalance.tolist()
            # Each coin draws ahead at a different block, so that many coins do not stall the venue.
            draw_at = min(self._draw_at, len(bids) - 1)
            for block, bid in enumerate(bids):
                if block == draw_at:
                    following = flow.next_chunk()
                time_ms += self._parameters.block_ms
                touch = (bid, chunk.level_size, imbalance[block])
                quote = self._touch(*touch) if touch != shown else None
                shown = touch
                printed = self._printer.prints(block)
                if quote is None and not printed:
                    yield *touch, None
                else:
                    yield *touch, MarketUpdate(time_ms, quote, printed)

    def _touch(self, bid: int, size: float, imbalance: float) -> Quote:
        bid_size, ask_size = self._sizes(size, imbalance)
        return Quote(self._prices.value(bid), bid_size, self._prices.value(bid + 1), ask_size)

    def _sizes(self, size: float, imbalance: float) -> tuple[float, float]:
        """Return the sizes at the touch, whole size steps and at least one."""
        if imbalance == 0:
            return size, size
        decimals = self._parameters.size_decimals
        least = 10.0**-decimals
        bid, ask = (
            max(round(size * (1 + one), decimals), least) for one in (imbalance, -imbalance)
        )
        return bid, ask


class _Printer:
    """Turns a chunk's arrays into prints one block at a time, which costs far more than drawing.

    Trade ids count up in the order of publication; each market order has one transaction hash.
    """

    def __init__(self, parameters: SyntheticParameters, start_ms: int, seed: int) -> None:
        self._prices = StepGrid(parameters.tick)
        self._sizes = StepGrid(10.0**-parameters.size_decimals)
        self._hash_parts = (parameters.coin, start_ms, seed)
        self._next_trade_id = first_trade_id(start_ms)
        self._first_order = self._orders_loaded = 0

    def load(self, chunk: FlowChunk) -> None:
        """Take the next chunk."""
        self._first_order = self._orders_loaded
        self._orders_loaded += chunk.orders
        blocks = np.arange(len(chunk.latent) + 1)
        self._bounds = np.searchsorted(chunk.print_block, blocks).tolist()
        self._order = chunk.print_order.tolist()
        self._columns = (
            self._prices.values(chunk.print_ticks).tolist(),
            self._sizes.values(chunk.print_steps).tolist(),
            chunk.print_side.tolist(),
        )

    def prints(self, block: int) -> tuple[Print, ...]:
        """Return the prints of a block of the chunk; blocks must be requested in order."""
        first, end = self._bounds[block], self._bounds[block + 1]
        if first == end:
            return ()
        orders = self._order[first:end]
        hashes = {
            order: transaction_hash(*self._hash_parts, self._first_order + order)
            for order in dict.fromkeys(orders)
        }
        ids = range(self._next_trade_id, self._next_trade_id + end - first)
        self._next_trade_id = ids.stop
        columns = (column[first:end] for column in self._columns)
        return tuple(
            Print(price, size, side, tid, hashes[order])
            for price, size, side, tid, order in zip(*columns, ids, orders, strict=True)
        )
