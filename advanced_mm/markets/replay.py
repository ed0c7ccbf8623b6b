"""A recorded market replayed as if it started at a given time.

BBO updates, prints and the times of L2 snapshots are published with the recorded millisecond
timing. Stretches the recording does not cover stay silent for as long, so a recording of the replay
has the same covered time, and a fit of it equals a fit of the original recording.
"""

import logging
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from advanced_mm.errors import InputError
from advanced_mm.marketdata.records import Recording, Trades
from advanced_mm.marketdata.store import ShardStore
from advanced_mm.markets.coin_figures import KNOWN_COINS, margin_mode_of
from advanced_mm.markets.grid import StepGrid
from advanced_mm.markets.identifiers import first_trade_id, transaction_hash
from advanced_mm.markets.market import Book, CoinSpec, Level, MarketUpdate, Print, Quote
from advanced_mm.markets.recorded_books import RecordedBooks, read_books

__all__ = ["ReplayMarket", "load_replay"]

logger = logging.getLogger(__name__)

_PHASE_MS = 500  # calibration bins lie on multiples of this; their phase alone moves epsilon by 2%
_SEAM_MS = 100  # at least one block of silence between two passes
_PRICE_BAND = 0.3  # passes drift at most this far from the recorded prices, as a share of them
_MAX_LEVERAGE = 10  # of a coin without figures: a recording does not hold the venue's limit
_MOST_SIZE_DECIMALS = 6  # szDecimals of a perpetual

_Ints = NDArray[np.int64]


def load_replay(data_dir: Path, coin: str, start_ms: int, *, loop: bool = True) -> "ReplayMarket":
    """Read a coin's recording below ``data_dir`` and return a market that plays it.

    Raises
    ------
    InputError
        If there is no such recording, or it has no two-sided quote.
    """
    recording = ShardStore(data_dir).read(coin)
    return ReplayMarket(recording, read_books(data_dir, coin), start_ms, loop=loop)


@dataclass(frozen=True, slots=True)
class _Side:
    """One side of a quote or book array: prices (ticks; valid where ``there``), sizes (base)."""

    ticks: _Ints
    sizes: NDArray[np.float64]
    there: NDArray[np.bool_]

    @classmethod
    def of(
        cls,
        prices: NDArray[np.float64],
        sizes: NDArray[np.float64],
        tick: float,
        size_decimals: int,
    ) -> "_Side":
        """Round a side to the price and size grids."""
        there = _at_least_one_step(prices, tick) & _at_least_one_step(sizes, 10.0**-size_decimals)
        return cls(_ticks(np.where(there, prices, 0.0), tick), sizes, there)


class ReplayMarket:
    """A `MarketSource` that plays a recording.

    The recording begins at ``origin_ms``, the first time from ``start_ms`` on that keeps its phase
    within half a second. Prints before its first quote or snapshot, replayed to the collector when
    it subscribed, are dropped. With ``loop`` it starts over every ``period_ms``; the prices of a
    pass are shifted by whole ticks so that the mid does not jump at the seam. Once the shift would
    exceed 30% of the price it returns to zero, with a jump and a warning. Trade ids are new. A
    print's hash is derived from (time, side, recorded transaction), so that prints group into the
    same market orders as in the recording.

    Parameters
    ----------
    recording
        The recording to play.
    books
        Its L2 snapshots; between them the book follows the touch.
    start_ms
        Start of the market, exchange ms.
    loop
        Whether to start over at the end; otherwise the market goes silent.
    """

    def __init__(
        self, recording: Recording, books: RecordedBooks, start_ms: int, *, loop: bool = True
    ) -> None:
        quotes = recording.quotes
        self._loop = loop
        self._now_ms = start_ms
        self._tick = recording.tick
        self._grid = StepGrid(recording.tick)
        known = KNOWN_COINS.get(recording.coin)
        self._spec = CoinSpec(
            recording.coin,
            _size_decimals(recording),
            _MAX_LEVERAGE if known is None else known.max_leverage,
            recording.tick,
            margin_mode_of(recording.coin),
        )
        self._next_trade_id = first_trade_id(start_ms)
        self._lay_timeline(recording)
        scale = (self._tick, self._spec.size_decimals)
        self._quote_sides = (
            _Side.of(quotes.bid, quotes.bid_size, *scale),
            _Side.of(quotes.ask, quotes.ask_size, *scale),
        )
        two_sided = self._quote_sides[0].there & self._quote_sides[1].there
        if not two_sided.any():
            raise InputError(
                f"the recording of {recording.coin} has no two-sided quote: "
                "record it again or replay another coin"
            )
        self._books = books
        self._book_sides = (
            _Side.of(books.bid, books.bid_size, *scale),
            _Side.of(books.ask, books.ask_size, *scale),
        )
        self.origin_ms = start_ms + (self._first_ms - start_ms) % _PHASE_MS
        self._pass_start_ms = self.origin_ms
        self._next_block = 0
        self._shift = 0
        self._touch, self._mid = Quote(None, 0.0, None, 0.0), math.nan
        self._show(self._quote_at(int(np.argmax(two_sided))))

    def _lay_timeline(self, recording: Recording) -> None:
        """Set up blocks (all rows of one ms) and heartbeats, ms since the recording's start."""
        quote_ms = recording.quotes.time_ms
        beats = np.union1d(quote_ms, recording.book_time_ms)
        self._first_ms = int(beats[0])
        length_ms = int(beats[-1]) - self._first_ms
        self.period_ms = -(-(length_ms + _SEAM_MS) // _PHASE_MS) * _PHASE_MS
        self._beats = beats - beats[0]
        trades = _between(recording.trades, int(beats[0]), int(beats[-1]))
        self._trades = _on_the_grids(trades, self._tick, self._spec.size_decimals)
        self._trade_ticks = _ticks(self._trades.price, self._tick)
        blocks = np.union1d(quote_ms, self._trades.time_ms)
        self._blocks = blocks - beats[0]
        last_quote = np.searchsorted(quote_ms, blocks, side="right") - 1
        at_block = quote_ms[np.maximum(last_quote, 0)] == blocks
        self._quote_of_block = np.where(at_block, last_quote, -1)
        self._first_trade = np.searchsorted(self._trades.time_ms, blocks, side="left")
        self._end_trade = np.searchsorted(self._trades.time_ms, blocks, side="right")

    @property
    def spec(self) -> CoinSpec:
        """The coin; ``size_decimals`` is inferred from the recorded sizes."""
        return self._spec

    @property
    def now_ms(self) -> int:
        """Time of the last ``advance``, exchange ms."""
        return self._now_ms

    @property
    def mid(self) -> float:
        """Mid of the touch, or of the last two-sided one, quote currency."""
        return self._mid

    def recorded_ms(self, time_ms: int) -> int:
        """Return the exchange time of the recording played at market time ``time_ms``."""
        return self._first_ms + (time_ms - self.origin_ms) % self.period_ms

    def advance(self, until_ms: int) -> list[MarketUpdate]:
        """Return all blocks up to ``until_ms`` not returned yet, in time order."""
        self._now_ms = max(self._now_ms, until_ms)
        updates: list[MarketUpdate] = []
        while True:
            elapsed_ms = self._now_ms - self._pass_start_ms
            end = int(np.searchsorted(self._blocks, elapsed_ms, side="right"))
            updates += [self._block(i) for i in range(self._next_block, end)]
            self._next_block = max(self._next_block, end)
            if not self._loop or elapsed_ms < self.period_ms:
                return updates
            self._begin_again()

    def book(self, levels: int) -> Book:
        """Return the newest snapshot with the current touch on top.

        The book's time is that of the last recorded quote or snapshot, so it does not advance in
        holes of the recording. Order counts are not recorded; each level shows 1.
        """
        elapsed_ms = self._now_ms - self._pass_start_ms
        beat = max(0, int(np.searchsorted(self._beats, elapsed_ms, side="right")) - 1)
        time_ms = min(self._now_ms, self._pass_start_ms + int(self._beats[beat]))
        recorded_ms = self._first_ms + elapsed_ms
        row = max(0, int(np.searchsorted(self._books.time_ms, recorded_ms, side="right")) - 1)
        touch = self._touch
        return Book(
            time_ms,
            self._levels(0, row, touch.bid, touch.bid_size, levels),
            self._levels(1, row, touch.ask, touch.ask_size, levels),
        )

    def _levels(
        self, side: int, row: int, best: float | None, best_size: float, levels: int
    ) -> tuple[Level, ...]:
        """Return the touch and the snapshot levels behind it (side 0: bids, 1: asks)."""
        if best is None:
            return ()
        shown = [Level(best, best_size, 1)]
        edge = round(best / self._tick)
        outwards = 1 if side else -1
        recorded = self._book_sides[side]
        # A fast snapshot first, then the older, deeper one where the fast one ends.
        for snapshot in (row, int(self._books.deep[row])) if len(self._books) else ():
            ticks = recorded.ticks[snapshot] + self._shift
            behind = recorded.there[snapshot] & (ticks > 0) & (outwards * (ticks - edge) > 0)
            if behind.any():
                prices = self._grid.values(ticks[behind]).tolist()
                sizes = recorded.sizes[snapshot][behind].tolist()
                shown += [Level(price, size, 1) for price, size in zip(prices, sizes, strict=True)]
                edge = int(ticks[behind][-1])
        return tuple(shown[:levels])

    def _begin_again(self) -> None:
        """Start the next pass with prices shifted to where this one ended."""
        self._pass_start_ms += self.period_ms
        self._next_block = 0
        bids, asks = self._quote_sides
        two_sided = np.flatnonzero(bids.there & asks.there)
        twice_mid = bids.ticks[two_sided] + asks.ticks[two_sided]
        shift = self._shift + round(int(twice_mid[-1] - twice_mid[0]) / 2)
        if abs(shift) > _PRICE_BAND * int(twice_mid[0]) / 2:
            logger.warning(
                "%s: the replay's prices drifted too far and jump back to the recorded ones",
                self._spec.coin,
            )
            shift = 0
        self._shift = shift

    def _block(self, i: int) -> MarketUpdate:
        time_ms = self._pass_start_ms + int(self._blocks[i])
        quote = None
        if self._quote_of_block[i] >= 0:
            quote = self._quote_at(int(self._quote_of_block[i]))
            self._show(quote)
        trades = range(int(self._first_trade[i]), int(self._end_trade[i]))
        return MarketUpdate(time_ms, quote, tuple(self._print(time_ms, k) for k in trades))

    def _show(self, quote: Quote) -> None:
        self._touch = quote
        if quote.bid is not None and quote.ask is not None:
            self._mid = (quote.bid + quote.ask) / 2

    def _quote_at(self, row: int) -> Quote:
        (bid, bid_size), (ask, ask_size) = (
            (self._price(int(side.ticks[row])), float(side.sizes[row]))
            if side.there[row]
            else (None, 0.0)
            for side in self._quote_sides
        )
        return Quote(bid, bid_size, ask, ask_size)

    def _print(self, time_ms: int, k: int) -> Print:
        side = int(self._trades.side[k])
        order = (self._spec.coin, time_ms, side, int(self._trades.transaction[k]))
        trade_id = self._next_trade_id
        self._next_trade_id += 1
        return Print(
            self._price(int(self._trade_ticks[k])),
            float(self._trades.size[k]),
            side,
            trade_id,
            transaction_hash(*order),
        )

    def _price(self, ticks: int) -> float:
        return self._grid.value(ticks + self._shift)


def _ticks(prices: NDArray[np.float64], tick: float) -> _Ints:
    return np.rint(prices / tick).astype(np.int64)


def _at_least_one_step(values: NDArray[np.float64], step: float) -> NDArray[np.bool_]:
    """Return which values are finite and stay positive when rounded to whole steps."""
    there: NDArray[np.bool_] = np.isfinite(values) & (np.rint(values / step) >= 1)
    return there


def _on_the_grids(trades: Trades, tick: float, size_decimals: int) -> Trades:
    """Return the prints whose price and size stay positive when rounded to the grids."""
    there = _at_least_one_step(trades.price, tick)
    there &= _at_least_one_step(trades.size, 10.0**-size_decimals)
    if there.all():
        return trades
    logger.warning("replay: skipping %d prints without a price or a size", np.sum(~there))
    return Trades(**{name: column[there] for name, column in vars(trades).items()})


def _between(trades: Trades, first_ms: int, last_ms: int) -> Trades:
    """Return the prints in [first_ms, last_ms]."""
    low, high = np.searchsorted(trades.time_ms, (first_ms, last_ms + 1))
    return Trades(**{name: column[low:high] for name, column in vars(trades).items()})


def _size_decimals(recording: Recording) -> int:
    """Return the fewest decimals that represent every recorded size."""
    quotes = recording.quotes
    sizes = np.concatenate((quotes.bid_size, quotes.ask_size, recording.trades.size))
    sizes = sizes[np.isfinite(sizes)]
    for decimals in range(_MOST_SIZE_DECIMALS):
        scaled = sizes * 10.0**decimals
        if np.all(np.abs(scaled - np.rint(scaled)) < 1e-4):
            return decimals
    return _MOST_SIZE_DECIMALS
