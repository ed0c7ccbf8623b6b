"""A recording and its refits, loaded once, and the policies to be replayed on them."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Final, Self

import numpy as np

from advanced_mm.calibration.windows import Stretches
from advanced_mm.errors import InputError
from advanced_mm.parameter_files import ParameterSet, Settings
from advanced_mm.parameter_files.history import CalibrationHistory
from advanced_mm.policies import KINDS
from advanced_mm.price_grid import PriceGrid
from advanced_mm.replay.as_of import MidPath, Refits, decision_table, fixed_around_fair
from advanced_mm.replay.conversion import NS_PER_MS
from advanced_mm.replay.decisions import DecisionTable, fixed_bp
from advanced_mm.replay.events import ReplayData, load_recording
from advanced_mm.replay.figures import covered_between
from advanced_mm.replay.market_guards import (
    GUARDS_OFF,
    MarketPath,
    Rulings,
    guarded_table,
    rulings_of,
)
from advanced_mm.replay.options import ReplayOptions
from advanced_mm.replay.result import ReplayResult

__all__ = ["OPTIMAL", "Backtest", "Policy", "mean_depth_bp", "unguarded"]

OPTIMAL: Final = "optimal"
_GUARD_SETTINGS: Final = (
    *("volatility_limit", "volatility_seconds", "price_band", "price_band_seconds"),
    *("large_order_multiple", "flow_cooldown_seconds"),
)

Track = Callable[[Sequence[int], str], Iterable[int]]


@dataclass(frozen=True)
class Policy:
    """What to quote: the optimal depths (``fixed_bp`` None), or always the same distance, bp.

    A fixed distance is from the mid, or, ``around_fair``, from the fair price of the refits; the
    optimal depths are from what the setting ``fair_price`` says.
    """

    name: str
    fixed_bp: float | None = None
    around_fair: bool = False

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the policy that ``optimal`` or ``fixed:BP`` names.

        Raises
        ------
        InputError
            It names none.
        """
        if text == OPTIMAL:
            return cls(OPTIMAL)
        kind, _, number = text.partition(":")
        try:
            distance = float(number)
        except ValueError:
            distance = np.nan
        if kind != "fixed" or not 0 <= distance < 1000:
            raise InputError(
                f"policy {text!r} must be optimal or fixed:BP, such as fixed:2, or a ladder's: "
                f"{', '.join(KINDS)}"
            )
        return cls.fixed(distance)

    @classmethod
    def fixed(cls, distance_bp: float) -> Self:
        """Return the policy of always the same distance."""
        return cls(f"fixed {distance_bp:.3g} bp", distance_bp)

    def from_fair(self) -> Self:
        """Return the policy with its distance from the fair price."""
        return replace(self, name=f"{self.name} of the fair price", around_fair=True)


@dataclass(frozen=True)
class Backtest:
    """A recording between two times, with the refits that were known meanwhile.

    Attributes
    ----------
    data
        The recording, as it is replayed.
    refits, history
        The refits and where they are from; None if no policy needs them.
    start_ms, end_ms
        Time to be replayed, exchange ms. With refits it begins once the parameters can be used.
    warm_up_s
        Time before that, in which a bot would have waited, seconds.
    """

    data: ReplayData
    refits: Refits | None
    history: CalibrationHistory | None
    start_ms: int
    end_ms: int
    warm_up_s: float = 0.0

    @classmethod
    def load(
        cls,
        data_dir: Path,
        coin: str,
        history: CalibrationHistory | None = None,
        since_ms: int | None = None,
        until_ms: int | None = None,
        track: Track = lambda steps, _: steps,
        cache: Path | None = None,
    ) -> Self:
        """Read a recording and, if a history is given, its refits; ``cache`` as `load_recording`.

        Raises
        ------
        InputError
            There is no recording or no history of the coin in that time.
        """
        data = load_recording(data_dir, coin, since_ms, until_ms, cache, track)
        start = max(data.start_ms, since_ms or data.start_ms)
        end = min(data.end_ms, until_ms or data.end_ms)
        if start >= end:
            raise InputError(f"{data.coin}: there are no data in the time asked for")
        if not len(covered_between(data, start, end)):
            raise InputError(f"{data.coin}: the recording has no data in all of the time asked for")
        if history is None:
            return cls(data, None, None, start, end)
        refits = Refits.read(history, data.coin, start, end)
        ready = max(start, min(_first_usable_ms(refits, start), end - 1))
        return cls(data, refits, history, ready, end, (ready - start) / 1000)

    def decisions(
        self, policy: Policy, settings: Settings, grid: PriceGrid | None = None
    ) -> DecisionTable:
        """Return what the policy quotes on a grid, by default the recording's.

        Raises
        ------
        InputError
            The settings' inventories do not include 0, or the policy needs refits and has none.
        """
        if policy.fixed_bp is not None and policy.around_fair:
            if self.refits is None:
                raise InputError("the fair price needs a history of parameters")
            return fixed_around_fair(
                self.refits, settings, policy.fixed_bp, self.start_ms, self.end_ms
            )
        if policy.fixed_bp is not None:
            return fixed_bp(policy.fixed_bp, settings.q_min, settings.q_max, self.start_ms)
        if self.refits is None:
            raise InputError("the optimal depths need a history of parameters")
        grid = grid or self.data.grid
        table = decision_table(self.refits, settings, self.mids, self.start_ms, self.end_ms, grid)
        sets = {
            one.calibration_id: one for one in self.refits.sets if isinstance(one, ParameterSet)
        }
        mids = np.array([self.mids.at(moment) or np.nan for moment in table.time_ms.tolist()])
        return guarded_table(table, self._rulings(settings), settings, sets, mids, grid)

    def _rulings(self, settings: Settings) -> Rulings:
        """Return what the guards say, found once for each choice of their settings."""
        key = tuple(getattr(settings, name) for name in _GUARD_SETTINGS)
        known = self._known_rulings
        if key not in known:
            if all(getattr(settings, name) is None for name in GUARDS_OFF):
                known[key] = Rulings((), ())
                return known[key]
            refits = self.refits
            sets = () if refits is None else refits.sets
            sigmas = [one.epsilon.sigma if isinstance(one, ParameterSet) else None for one in sets]
            published = np.empty(0, np.int64) if refits is None else refits.published_ms
            known[key] = rulings_of(
                self._path, settings, (published, sigmas), self.start_ms, self.end_ms
            )
        return known[key]

    @cached_property
    def _known_rulings(self) -> dict[tuple[object, ...], Rulings]:
        return {}

    @cached_property
    def _path(self) -> MarketPath:
        touch = np.concatenate([part.touch for part in self.data.parts])
        return MarketPath.of_parts(touch, [part.events for part in self.data.parts])

    def bounded(self, options: ReplayOptions) -> ReplayOptions:
        """Return the options with the time of this backtest."""
        return replace(options, start_ms=self.start_ms, end_ms=self.end_ms)

    @cached_property
    def mids(self) -> MidPath:
        """The mid, from when it was seen."""
        touch = np.concatenate([part.touch for part in self.data.parts])
        seen_ms = -(-touch["local_ns"] // NS_PER_MS)
        return MidPath.of_quotes(seen_ms, touch["bid"], touch["ask"])

    @cached_property
    def covered(self) -> Stretches:
        """The stretches with data."""
        return covered_between(self.data, self.start_ms, self.end_ms)

    @property
    def hours(self) -> float:
        """Time with data, hours."""
        return self.covered.observed_seconds / 3600

    @property
    def holes(self) -> list[tuple[int, int]]:
        """The times without data (exchange ms), in order."""
        starts = [self.start_ms, *self.covered.end_ms.tolist()]
        ends = [*self.covered.start_ms.tolist(), self.end_ms]
        return [(low, high) for low, high in zip(starts, ends, strict=True) if high > low]

    @property
    def share_without_data(self) -> float:
        """Share of the time without data."""
        missing = sum(high - low for low, high in self.holes)
        return missing / (self.end_ms - self.start_ms)

    def order_size(self, stake: float) -> float:
        """Return the size (base currency) of an order of about ``stake`` (quote currency).

        It is the nearest multiple of the recording's step of sizes at the first mid, at least one.

        Raises
        ------
        InputError
            The stake is not positive.
        """
        if not 0 < stake < np.inf:
            raise InputError(f"the stake is {stake:g}, must be positive, in the quote currency")
        mid = self.mids.at(self.start_ms)
        if mid is None:
            mid = float(self.mids.mid[0])
        lots = max(round(stake / mid / self.data.lot), 1)
        return round(lots * self.data.lot, 12)


def unguarded(settings: Settings) -> Settings:
    """Return the settings without the limits on edge and toxicity, and without guards.

    It shows what those keep away.
    """
    off = {"min_edge_bp": None, "toxicity_limit": 1e9, **GUARDS_OFF}
    return settings.model_copy(update=off)


def mean_depth_bp(result: ReplayResult) -> float | None:
    """Return the mean distance from the mid of the quotes sent, bp; None without quotes.

    Exits at the touch are not counted.
    """
    quotes = result.quotes[result.quotes["at_touch"] == 0]
    if not len(quotes):
        return None
    mid = 0.5 * (result.prices(quotes["bid"]) + result.prices(quotes["ask"]))
    return float(np.mean(quotes["depth"] / mid) * 1e4)


def _first_usable_ms(refits: Refits, start_ms: int) -> int:
    """Return when the first usable parameters are known, ``start_ms`` if there are none at all."""
    for published_ms, one in zip(refits.published_ms.tolist(), refits.sets, strict=True):
        if isinstance(one, ParameterSet):
            fitted = (one.kappa, one.epsilon, one.lambda_)
            if all(entry.status != "insufficient" for entry in fitted):
                return int(published_ms)
    return start_ms
