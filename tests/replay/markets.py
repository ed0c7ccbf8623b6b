"""Small hand-made markets for the tests of the replay."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from advanced_mm.calibration.windows import Stretches
from advanced_mm.marketdata.records import Quotes, Recording, Trades
from advanced_mm.markets.recorded_books import RecordedBooks
from advanced_mm.replay.conversion import Converted, convert
from advanced_mm.replay.events import ReplayData, replay_data

Levels = Sequence[tuple[float, float]]
T0 = 1_700_000_000_000


@dataclass
class Market:
    """Records at milliseconds after T0; sizes in the base currency, tick 0.1, lot 0.001."""

    touches: list[tuple[int, float, float, float, float]] = field(default_factory=list)
    trades: list[tuple[int, float, float, int]] = field(default_factory=list)
    books: list[tuple[int, Levels, Levels]] = field(default_factory=list)
    latency_ms: float = 20.0

    def touch(
        self, at: int, bid: float, ask: float, bid_size: float = 5.0, ask_size: float = 5.0
    ) -> "Market":
        self.touches.append((at, bid, ask, bid_size, ask_size))
        return self

    def steady(
        self, start: int, end: int, bid: float, ask: float, size: float = 5.0, every: int = 500
    ) -> "Market":
        for at in range(start, end + 1, every):
            self.touch(at, bid, ask, size, size)
        return self

    def trade(self, at: int, price: float, size: float, side: int) -> "Market":
        """A print; ``side`` +1 if a buyer took it."""
        self.trades.append((at, price, size, side))
        return self

    def book(self, at: int, bids: Levels, asks: Levels) -> "Market":
        self.books.append((at, bids, asks))
        return self

    def recording(self) -> Recording:
        touches = np.array(sorted(self.touches, key=lambda row: row[0]), dtype=float).reshape(-1, 5)
        trades = np.array(sorted(self.trades, key=lambda row: row[0]), dtype=float).reshape(-1, 4)
        time, bid, ask, bid_size, ask_size = touches.T
        quotes = Quotes(
            time_ms=T0 + time.astype(np.int64),
            bid=bid,
            bid_size=bid_size,
            ask=ask,
            ask_size=ask_size,
            local_s=(T0 + time + self.latency_ms) / 1000,
        )
        time, price, size, side = trades.T
        numbers = np.arange(len(trades), dtype=np.int64)
        return Recording(
            coin="ETH",
            quotes=quotes,
            trades=Trades(
                time_ms=T0 + time.astype(np.int64),
                price=price,
                size=size,
                side=side.astype(np.int64),
                trade_id=numbers,
                transaction=np.zeros_like(numbers),
                local_s=(T0 + time + self.latency_ms) / 1000,
            ),
            book_time_ms=np.array([T0 + at for at, _, _ in self.books], dtype=np.int64),
            tick=0.1,
        )

    def levels(self) -> RecordedBooks:
        if not self.books:
            return RecordedBooks.none()
        columns = np.full((4, len(self.books), 20), np.nan)
        for row, (_, bids, asks) in enumerate(self.books):
            for first, side in ((0, bids), (2, asks)):
                for level, (price, size) in enumerate(side):
                    columns[first, row, level], columns[first + 1, row, level] = price, size
        times = np.array([T0 + at for at, _, _ in self.books], dtype=np.int64)
        return RecordedBooks(times, np.arange(len(times)), *columns)

    def converted(self) -> Converted:
        return convert(self.recording(), self.levels())

    def data(self, *stretches: tuple[int, int]) -> ReplayData:
        """The market ready to be replayed, covered from its first to its last touch by default."""
        times = [row[0] for row in [*self.touches, *self.books]]
        pairs = np.array(stretches or [(min(times), max(times))], dtype=np.int64) + T0
        covered = Stretches(pairs[:, 0], pairs[:, 1])
        converted = self.converted()
        lotted = Converted(converted.events, converted.touch, 0.1, 0.001, converted.rows)
        return replay_data("ETH", [lotted], [covered])
