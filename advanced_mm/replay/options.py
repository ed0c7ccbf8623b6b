"""How a replay is run: rhythm, latencies, sizes, limits, fees, and what is assumed of the queue."""

from dataclasses import dataclass
from typing import Any, Final, Literal, Self

import numpy as np
from numpy.typing import NDArray

from advanced_mm.errors import InputError
from advanced_mm.parameter_files import Settings
from advanced_mm.price_grid import PriceGrid

__all__ = ["QUEUES", "FundingRates", "Queue", "ReplayOptions"]

Queue = Literal["front", "model", "back"]
QUEUES: Final[tuple[Queue, ...]] = ("front", "model", "back")
"""Assumed place in the queue at a price, from the most to the least favourable."""

_LARGEST: Final = 2.0**50 / 1e8
"""Base currency: in hundred-millionths, quarters of one are still exact (see `maker`)."""

_SETTINGS: Final = (
    *("min_quote_age_seconds", "requote_loss_percent", "requote_ticks", "max_quote_age_seconds"),
    *("max_book_age_seconds", "fee_rate"),
)


def _default(name: str) -> float:
    return float(Settings.model_fields[name].default)


@dataclass(frozen=True)
class FundingRates:
    """Funding at ``time_ms`` (whole hours), shape (n,): longs pay ``rate`` * mid * position."""

    time_ms: NDArray[np.int64]
    rate: NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class ReplayOptions:
    """Options of a replay.

    Attributes
    ----------
    size
        Order size, base currency. The exit of a single position offers all of it.
    grid
        The venue's price grid; None: five significant figures, no finer than the recording's tick.
    look_ms
        Time between two looks at the market: 1000 for Freqtrade's loop.
    latency_ms
        From sending an order or a cancel to its effect at the venue.
    response_ms
        From the effect at the venue to our knowledge of it; None means ``latency_ms``.
    latencies_ms
        Measured latencies to draw from (with replacement, by ``seed``) instead of ``latency_ms``
        and ``response_ms``; a new one every quarter of a second.
    feed_latency_ms
        Age of the book as we see it; None: as the recorder received it.
    fee_rate
        Maker fee as a share of the value; negative for a rebate.
    one_at_a_time
        As Freqtrade does: one order at a time, and a position is closed before the next entry.
        None: for inventories {0, 1} and {-1, 0}. Otherwise both sides rest.
    partial_fills
        Whether orders fill in parts.
    min_quote_age_seconds, requote_loss_percent, requote_ticks, max_quote_age_seconds
        As in `Settings`.
    max_book_age_seconds
        As in `Settings`.
    queue_power
        Exponent of hftbacktest's ``PowerProbQueueModel``, used for the queue assumption ``model``.
    funding
        None if the rates are not known: no funding is paid, and the result says so.
    start_ms, end_ms
        Exchange time (ms); None: all of the recording.
    """

    size: float
    grid: PriceGrid | None = None
    look_ms: int = 1000
    latency_ms: float = 50.0
    response_ms: float | None = None
    latencies_ms: NDArray[np.float64] | None = None
    feed_latency_ms: float | None = None
    fee_rate: float = 0.0
    one_at_a_time: bool | None = None
    partial_fills: bool = True
    min_quote_age_seconds: float = _default("min_quote_age_seconds")
    requote_loss_percent: float = _default("requote_loss_percent")
    requote_ticks: float = _default("requote_ticks")
    max_quote_age_seconds: float | None = None
    max_book_age_seconds: float = _default("max_book_age_seconds")
    queue_power: float = 3.0
    funding: FundingRates | None = None
    seed: int = 0
    start_ms: int | None = None
    end_ms: int | None = None

    def __post_init__(self) -> None:
        if not 0 < self.size < np.inf:
            raise InputError(f"order size = {self.size} must be positive, in the base currency.")
        if self.size >= _LARGEST:
            raise InputError(
                f"order size = {self.size:g} is too large to be replayed exactly, must be below "
                f"{_LARGEST:g} of the base currency: choose a smaller stake."
            )
        if self.look_ms < 1:
            raise InputError(f"look = {self.look_ms} ms must be at least 1 ms.")
        for name in ("latency_ms", "response_ms", "feed_latency_ms"):
            value = getattr(self, name)
            if value is not None and not 0 <= value < 60_000:
                raise InputError(f"{name} = {value} must be 0 to 60 000.")
        drawn = self.latencies_ms
        if drawn is not None and not (len(drawn) and np.all((drawn > 0) & (drawn < 60_000))):
            raise InputError("latencies_ms must be at least one number between 0 and 60 000.")
        if not self.queue_power > 0:
            raise InputError(f"queue_power = {self.queue_power} must be positive.")

    @classmethod
    def of_settings(cls, settings: Settings, *, size: float, **others: Any) -> Self:
        """Return options with the ages, tolerance and fee of a configuration's settings."""
        taken = {name: getattr(settings, name) for name in _SETTINGS if name not in others}
        return cls(size=size, **taken, **others)

    def with_age(self, settings: Settings) -> Settings:
        """Return the settings with the age that quotes reach in this replay, if they name none."""
        if settings.quote_age_seconds is not None:
            return settings
        drawn = self.latencies_ms
        way_ms = self.latency_ms if drawn is None else float(np.mean(drawn))
        rested = settings.model_copy(update={"min_quote_age_seconds": self.min_quote_age_seconds})
        age = rested.oldest_quote_seconds(
            self.look_ms / 1000, (way_ms + (self.feed_latency_ms or 0.0)) / 1000
        )
        return settings.model_copy(update={"quote_age_seconds": age})
