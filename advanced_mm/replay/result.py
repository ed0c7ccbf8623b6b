"""What a replay brought: quotes and fills as arrays, and as the record that reports judge."""

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from advanced_mm.marketdata.records import Float1D, Int1D
from advanced_mm.performance import (
    HORIZON_S,
    BotSpan,
    Fills,
    Observations,
    Performance,
    Quotes,
    Record,
    assess,
)
from advanced_mm.performance import Refusals as KindsOfRefusal
from advanced_mm.performance.records import Words, depth_from_mid
from advanced_mm.quoting.quoter import kind_of
from advanced_mm.replay.account import Account, Opening
from advanced_mm.replay.conversion import NS_PER_MS
from advanced_mm.replay.decisions import DecisionTable
from advanced_mm.replay.events import ReplayData
from advanced_mm.replay.layout import Ended, Refused
from advanced_mm.replay.options import Queue, ReplayOptions

__all__ = ["ReplayMids", "ReplayResult"]

Rows = NDArray[Any]


@dataclass(frozen=True)
class ReplayMids:
    """The recording's mids, by exchange time; see `performance.MidSource`."""

    exchange_ns: Int1D
    mid: Float1D
    name: str = "recording"
    holds_ms: int = 5_000

    def at(self, times_ms: Int1D) -> tuple[Float1D, Int1D]:
        """See `MidSource.at`."""
        place = np.searchsorted(self.exchange_ns, (times_ms + 1) * NS_PER_MS, side="left") - 1
        known = place >= 0
        place = np.maximum(place, 0)
        seen = np.where(known, self.exchange_ns[place] // NS_PER_MS, -(2**62))
        return np.where(known, self.mid[place], np.nan), seen


@dataclass(frozen=True)
class ReplayResult:
    """One replay.

    Attributes
    ----------
    data, decisions, options, queue
        What was replayed, and how; ``options`` has no open choices left.
    touch
        Rows of `layout.TOUCH`: the market as the maker saw it.
    quotes, looks, refusals
        Rows of `layout.QUOTE`, `layout.LOOK`, `layout.REFUSAL`, in the order of their times.
    fills
        Rows of `layout.FILL` in the order of the exchange's time.
    opening
        Inventory and cash at the start.
    account
        What a ladder's maker had to trade with; None for the maker of one order a side.

    The properties below have the same lengths as ``fills`` or ``quotes``; prices and money in the
    quote currency, sizes in the base currency, times in exchange ms.
    """

    data: ReplayData
    decisions: DecisionTable
    options: ReplayOptions
    queue: Queue
    touch: Rows
    quotes: Rows
    fills: Rows
    looks: Rows
    refusals: Rows
    bot: str = "replay"
    opening: Opening = field(default_factory=Opening)
    account: Account | None = None

    @property
    def start_ms(self) -> int:
        """First moment of the replay, exchange ms."""
        return int(self.options.start_ms or 0)

    @property
    def end_ms(self) -> int:
        """Last moment of the replay, exchange ms."""
        return int(self.options.end_ms or 0)

    @cached_property
    def mids(self) -> ReplayMids:
        """The market's mids."""
        mid = 0.5 * (self.touch["bid"] + self.touch["ask"])
        known = np.flatnonzero(np.isfinite(mid))
        return ReplayMids(np.ascontiguousarray(self.touch["exchange_ns"][known]), mid[known])

    # ---- fills

    @property
    def time_ms(self) -> Int1D:
        """When each fill took place."""
        return np.asarray(self.fills["exchange_ns"] // NS_PER_MS)

    @property
    def sign(self) -> Int1D:
        """+1 where a fill bought, -1 where it sold."""
        return np.where(self.fills["side"] == 0, 1, -1)

    @property
    def price(self) -> Float1D:
        """Price of each fill."""
        return self.prices(self.fills["price"])

    @property
    def size(self) -> Float1D:
        """Size of each fill."""
        return np.asarray(self.fills["size"], dtype=np.float64)

    @property
    def fee(self) -> Float1D:
        """Fee of each fill, negative for a rebate."""
        return self.options.fee_rate * self.price * self.size

    @property
    def by_book(self) -> NDArray[np.bool_]:
        """Whether the opposite best price reached the order, without a trade there."""
        return np.asarray(self.fills["exchange_ns"] % NS_PER_MS != 0)

    @property
    def rested_s(self) -> Float1D:
        """Age of the order at each fill, seconds."""
        sent = self.quotes["sent_ns"][self.fills["quote"]]
        return np.asarray((self.fills["exchange_ns"] - sent) / 1e9)

    @property
    def depth(self) -> Float1D:
        """Depth of the order of each fill when it was sent."""
        return np.asarray(self.quotes["depth"][self.fills["quote"]])

    @property
    def edge(self) -> Float1D:
        """Expected profit per unit of each fill, NaN if unknown."""
        return np.asarray(self.quote_edge[self.fills["quote"]])

    @property
    def position_after(self) -> Float1D:
        """Signed position after each fill."""
        position = self.opening.inventory + np.cumsum(self.sign * self.size)
        return np.where(np.abs(position) < 0.5 * self.data.lot, 0.0, position)

    # ---- quotes

    @property
    def quote_edge(self) -> Float1D:
        """Expected profit per unit of a fill of each quote, NaN if unknown or at the touch."""
        table, quotes = self.decisions, self.quotes
        row, column = quotes["row"], quotes["units"] - table.q_min
        edge = np.where(
            quotes["side"] == 0, table.bid_edge[row, column], table.ask_edge[row, column]
        )
        return np.where(quotes["at_touch"] == 1, np.nan, edge)

    @property
    def funding_paid(self) -> tuple[Int1D, Float1D, Float1D]:
        """Times, amounts (positive if received) and positions of the funding payments."""
        rates = self.options.funding
        if rates is None:
            return np.empty(0, dtype=np.int64), np.empty(0), np.empty(0)
        due = (rates.time_ms > self.start_ms) & (rates.time_ms <= self.end_ms)
        times = rates.time_ms[due]
        done = np.searchsorted(self.time_ms, times, side="left")
        position = np.concatenate([[self.opening.inventory], self.position_after])[done]
        held = position != 0
        mid, _ = self.mids.at(times)
        amount = -position * np.nan_to_num(mid) * rates.rate[due]
        return times[held], amount[held], position[held]

    def prices(self, steps: Int1D) -> Float1D:
        """Convert steps to prices in the quote currency; 0 steps are no price."""
        tick = self.data.tick
        decimals = max(0, 2 - int(np.floor(np.log10(tick))))
        return np.where(steps == 0, np.nan, np.round(steps * tick, decimals))

    def cash_after(self) -> Float1D:
        """Cash after each fill, without funding."""
        return self.opening.cash + np.cumsum(-self.sign * self.size * self.price - self.fee)

    def reason(self, code: int) -> str:
        """Return the words for a code of `layout.REFUSAL`; empty for 0."""
        if code >= 0:
            return self.decisions.refusals[code]
        oldest = self.options.max_book_age_seconds
        return {
            Refused.OLD_BOOK: f"the book is more than {oldest:g} s old",
            Refused.NO_BOOK: "the book is crossed or empty",
            Refused.NOT_QUOTED: "nothing is quoted at this inventory",
            Refused.TOO_DEEP: "the depth is more than 10% of the mid",
            Refused.NO_DATA: "the recording has no data",
            Refused.NO_PARAMETERS: "no parameters were published yet",
            Refused.INVENTORY: "the inventory is outside the table of decisions",
            Refused.SIZES_AGAINST: "the sizes are against an entry",
        }[Refused(code)]

    # ---- what reports read

    def record(self) -> Record:
        """Return the record that `performance` judges, as it would a bot's journal."""
        quotes, paid = self.quotes, self.funding_paid
        refusals = [kind_of(self.reason(int(code))) for code in self.refusals["code"]]
        looks = self.looks
        seen = Observations(
            np.asarray(looks["time_ns"] // NS_PER_MS),
            0.5 * (self.prices(looks["bid"]) + self.prices(looks["ask"])),
        )
        return Record(
            coin=self.data.coin,
            source="replay",
            start_ms=self.start_ms,
            end_ms=self.end_ms,
            fills=self._fills(),
            quotes=self._quotes(),
            seen=seen,
            refusals=KindsOfRefusal(
                np.asarray(self.refusals["time_ns"] // NS_PER_MS),
                np.array(refusals, dtype=object),
            ),
            funding_ms=paid[0],
            funding=paid[1],
            funding_bot=np.zeros(len(paid[0]), dtype=np.int64),
            bots=[self._span()],
            requests=int(2 * len(quotes) - np.count_nonzero(quotes["ended"] == Ended.FILLED)),
        )

    def performance(self, horizon_s: float = HORIZON_S) -> Performance:
        """Judge the replay with the code that judges bots.

        Raises
        ------
        InputError
            The horizon is not above zero.
        """
        return assess(self.record(), [self.mids], None, horizon_s)

    def renamed(self, bot: str) -> "ReplayResult":
        """Return the result under another bot's name."""
        return replace(self, bot=bot)

    def _fills(self) -> Fills:
        n = len(self.fills)
        own_mid, _ = self.mids.at(self.time_ms - 1)
        return Fills(
            time_ms=self.time_ms,
            sign=self.sign,
            price=self.price,
            size=self.size,
            fee=self.fee,
            maker=np.ones(n),
            rested_s=self.rested_s,
            own_mid=own_mid,
            quote=np.asarray(self.fills["quote"]),
            bot=np.zeros(n, dtype=np.int64),
        )

    def _quotes(self) -> Quotes:
        quotes = self.quotes
        n = len(quotes)
        names, codes = np.unique(np.array(self.decisions.calibration_id), return_inverse=True)
        named = codes[quotes["row"]] if n else np.empty(0, dtype=np.int64)
        named = np.where((quotes["at_touch"] == 1) | (names[named] == ""), -1, named)
        sign = np.where(quotes["side"] == 0, 1, -1)
        mid = 0.5 * (self.prices(quotes["bid"]) + self.prices(quotes["ask"]))
        depth = np.array(quotes["depth"])
        moved = np.abs(quotes["fair"] - mid) > 1e-9 * mid
        depth_from_mid(depth, sign, mid, np.where(moved, quotes["fair"], np.nan))
        return Quotes(
            time_ms=np.asarray(quotes["sent_ns"] // NS_PER_MS),
            end_ms=np.asarray(quotes["ended_ns"] // NS_PER_MS),
            sign=sign,
            size=np.asarray(quotes["size"]),
            filled=np.asarray(quotes["filled"]),
            mid=mid,
            depth=depth,
            edge=self.quote_edge,
            queue_ahead=np.zeros(n) if self.queue == "front" else np.full(n, np.nan),
            refused=np.asarray(quotes["ended"] == Ended.VENUE_REFUSED),
            calibration_id=Words(named.astype(np.int64), names.tolist()),
            regime=Words.unknown(n),
            bot=np.zeros(n, dtype=np.int64),
        )

    def _span(self) -> BotSpan:
        (first, last), _ = self.mids.at(np.array([self.start_ms, self.end_ms]))
        held, opening = len(self.fills) > 0, self.opening
        cash = float(self.cash_after()[-1]) if held else opening.cash
        position = float(self.position_after[-1]) if held else opening.inventory
        worth = position * last if position else 0.0
        before = opening.inventory * first if opening.inventory else 0.0
        paid = float(self.funding_paid[1].sum())
        return BotSpan(
            self.bot,
            self.start_ms,
            self.end_ms,
            opening=opening.inventory,
            start_mark=float(first),
            end_mark=float(last),
            start_equity=opening.cash + before,
            end_equity=cash + worth + paid,
        )
