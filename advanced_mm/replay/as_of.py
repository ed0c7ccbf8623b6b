"""What the bot would have decided at each moment, with the parameters published by then.

The decisions are the `Quoter`'s own: it is asked for both sides at every inventory whenever its
answer may change, and its answers become the rows of a `DecisionTable`. The value function is
solved for each refit as its runner would have done with the bot's settings.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from advanced_mm.errors import InputError
from advanced_mm.parameter_files import (
    MissingParametersError,
    ParameterFileError,
    ParameterSet,
    Settings,
    UnusableParametersError,
    with_value_function,
)
from advanced_mm.parameter_files.history import CalibrationHistory
from advanced_mm.parameter_files.history_rows import parameter_set_of
from advanced_mm.price_grid import PriceGrid
from advanced_mm.quoting import Quote, Quoter, Refusal, Side, Touch, kind_of
from advanced_mm.quoting.edge import depth_hardly_pays
from advanced_mm.quoting.parameter_guards import CLOCK_TOLERANCE_SECONDS, adverse_imbalance_limit
from advanced_mm.replay.decisions import BY_INVENTORY, DecisionTable, fixed_bp

__all__ = ["MidPath", "Refits", "decision_table", "fixed_around_fair"]

_MOVED: Final = 0.001
"""The quoter is asked again where the mid has moved by more than this share of itself. The depths
and edges depend on the mid through the fee alone, so they are right to this share of the fee."""
_HALF_SPREAD: Final = 2.0**-20
"""Half the spread of the touch that the quoter is shown, as a share of the mid: a power of two, so
that the mid stays what it is. Only an exit at the touch depends on the spread, and there the table
has no price."""

_POSED: Final = (
    *("fee_rate", "risk_aversion", "phi", "alpha", "terminal_cost", "q_min", "q_max", "sides"),
    *("horizon_seconds", "min_depth", "min_spread_bp", "compensate_drift", "epsilon_source"),
    *("quote_age_seconds", "min_quote_age_seconds", "own_stream", "fair_price"),
)
_NOT_POSED: Final = {
    name: field.default for name, field in Settings.model_fields.items() if name not in _POSED
}
"""Settings that do not belong to a refit's problem, at their defaults."""
_SOLUTIONS_KEPT: Final = 20_000

Int1D = NDArray[np.int64]
Float1D = NDArray[np.float64]


@dataclass(frozen=True)
class MidPath:
    """The mid (quote currency) from each exchange time (ms) on. Shapes (n,), times ascending."""

    time_ms: Int1D
    mid: Float1D

    @classmethod
    def of_quotes(cls, time_ms: Int1D, bid: Float1D, ask: Float1D) -> Self:
        """Return the path of the two-sided, uncrossed quotes."""
        sound = (bid > 0) & (ask > bid) & np.isfinite(ask)
        return cls(time_ms[sound], (bid[sound] + ask[sound]) / 2)

    def at(self, moment_ms: int) -> float | None:
        """Return the mid at a moment, None before the first."""
        place = int(np.searchsorted(self.time_ms, moment_ms, "right")) - 1
        return float(self.mid[place]) if place >= 0 else None

    def leaves(self, mid: float, after_ms: int, before_ms: int) -> int | None:
        """Return when the mid first lies more than 0.1% from ``mid`` between two moments."""
        low, high = np.searchsorted(self.time_ms, (after_ms, before_ms), ("right"))
        far = np.flatnonzero(np.abs(self.mid[low:high] / mid - 1) > _MOVED)[:1]
        return int(self.time_ms[low + far[0]]) if len(far) else None


@dataclass(frozen=True)
class Refits:
    """A coin's refits in order of publication.

    ``published_ms`` has shape (n,), rounded up to whole milliseconds: nothing is known early.
    ``sets`` has the parameters of each without the value function, or the error a bot would have
    met reading them.
    """

    coin: str
    published_ms: Int1D
    sets: tuple[ParameterSet | ParameterFileError, ...]

    @classmethod
    def read(cls, history: CalibrationHistory, coin: str, start_ms: int, end_ms: int) -> Self:
        """Read the refits in force between two moments, the first maybe published before.

        Raises
        ------
        InputError
            There are none, or the history cannot be read.
        """
        rows = history.parameters_at(coin, [start_ms]).to_pylist()
        rows += history.read(coin, _utc(start_ms + 1), _utc(end_ms)).to_pylist()
        rows = [row for row in rows if row["calibration_id"] is not None]
        if not rows:
            raise InputError(
                f"{coin}: {str(history.directory)!r} has no parameters from before "
                f"{_utc(end_ms):%Y-%m-%d %H:%M:%S} UTC: make them with python "
                f"scripts/recalibrate_recording.py --crypto {coin} and the same --data-dir, "
                "--config and --history"
            )
        published = [_ms_up(row["published_at"]) for row in rows]
        return cls(coin, np.array(published, dtype=np.int64), tuple(_set_of(coin, r) for r in rows))


def decision_table(
    refits: Refits,
    settings: Settings,
    mids: MidPath,
    start_ms: int,
    end_ms: int,
    grid: PriceGrid | None = None,
) -> DecisionTable:
    """Return what a bot with these settings would decide from ``start_ms`` to ``end_ms``.

    A row begins at the start, when a refit is published, when one becomes too old, and when the mid
    has moved by 0.1% since the row before. No row uses a refit or a mid from after its beginning.
    At an inventory above 0 a bid enlarges the position and an ask closes it, below 0 the other way
    round; at 0 both open one. At the bounds the enlarging side is not quoted, without a refusal.

    Parameters
    ----------
    refits
        The coin's refits.
    settings
        Problem, limits and guards.
    mids
        The mid that the bot would have seen.
    start_ms, end_ms
        Bounds, epoch milliseconds, both included.
    grid
        The venue's: edges, and whether they are enough, are those of prices that lie half a step
        farther away than the depths, as rounded ones do on average. None: prices are not rounded.

    Raises
    ------
    InputError
        The bounds are out of order, the inventories do not include 0, or the settings name a
        policy, whose quotes follow the book rather than the refits.
    """
    if end_ms < start_ms:
        raise InputError("the end of the time to decide on lies before its start")
    if settings.policy is not None:
        raise InputError(
            f"market_making.policy.kind = {settings.policy.kind!r} is no part of the tables that "
            "the optimal depths are replayed from: replay it with --policy, or set policy to null."
        )
    rows = _Rows(settings, grid)
    for begin_ms, until_ms, served in _in_force(refits, settings, start_ms, end_ms):
        rows.serve(served)
        changes = [begin_ms, *_changes(served, settings, begin_ms, until_ms)]
        for first_ms, next_ms in zip(changes, [*changes[1:], until_ms], strict=True):
            moment: int | None = first_ms
            while moment is not None:
                mid = mids.at(moment) or _fitted_mid(served)
                rows.add(moment, mid)
                moment = None if mid is None else mids.leaves(mid, moment, next_ms - 1)
    return rows.table()


def fixed_around_fair(
    refits: Refits, settings: Settings, distance_bp: float, start_ms: int, end_ms: int
) -> DecisionTable:
    """Return a table that quotes both sides the same distance from the fair price.

    A row begins at the start and when a refit is published; its fair price is of the newest refit
    by then, and the mid before there is one. Of the settings, the inventories and
    ``max_adverse_imbalance`` count.

    Raises
    ------
    InputError
        The distance is negative or the inventories do not include 0.
    """
    first = int(np.searchsorted(refits.published_ms, start_ms, "right")) - 1
    last = int(np.searchsorted(refits.published_ms, end_ms, "right"))
    sets = [*(refits.sets[max(first, 0) : last] if first >= 0 else (None, *refits.sets[:last]))]
    time_ms = np.array([start_ms, *refits.published_ms[first + 1 : last].tolist()])
    found = [one if isinstance(one, ParameterSet) else None for one in sets]
    table = fixed_bp(distance_bp, settings.q_min, settings.q_max, start_ms)
    limits = [_limits_around_fair(one, settings) for one in found]
    rows: dict[str, Any] = {
        name: np.repeat(getattr(table, name), len(found), axis=0) for name in BY_INVENTORY
    }
    return replace(
        table,
        time_ms=time_ms.astype(np.int64),
        calibration_id=tuple("" if one is None else one.calibration_id for one in found),
        beta=np.array([0.0 if one is None else one.beta for one in found]),
        adverse_limit=np.array(limits).T,
        **rows,
    )


def _in_force(
    refits: Refits, settings: Settings, start_ms: int, end_ms: int
) -> Iterator[tuple[int, int, ParameterSet | ParameterFileError]]:
    """Yield from when until when (exclusive) which parameters are the newest."""
    posed = settings.model_copy(update=_NOT_POSED)
    begins = refits.published_ms
    first = int(np.searchsorted(begins, start_ms, "right")) - 1
    if first < 0:
        until = min(int(begins[0]) if len(begins) else end_ms + 1, end_ms + 1)
        nothing = MissingParametersError("no parameters: none published by then")
        yield start_ms, until, nothing
    for i in range(max(first, 0), len(begins)):
        begin = max(int(begins[i]), start_ms)
        until = min(int(begins[i + 1]) if i + 1 < len(begins) else end_ms + 1, end_ms + 1)
        if begin < until:
            found = refits.sets[i]
            if isinstance(found, ParameterSet):
                found = _solved(found, posed)
            yield begin, until, found


@lru_cache(maxsize=_SOLUTIONS_KEPT)
def _solved(parameters: ParameterSet, posed: Settings) -> ParameterSet:
    """Return the refit with the solution of its problem, which other guards do not change."""
    return with_value_function(parameters, posed, log_level=logging.DEBUG)


def _changes(
    served: ParameterSet | ParameterFileError, settings: Settings, begin_ms: int, until_ms: int
) -> list[int]:
    """Return when, between two moments, the guards may judge by another age of the parameters."""
    if not isinstance(served, ParameterSet):
        return []
    tolerance = timedelta(seconds=CLOCK_TOLERANCE_SECONDS)
    published_limit = timedelta(seconds=settings.max_published_age_seconds)
    data_limit = timedelta(seconds=settings.data_age_limit_seconds)
    found = set()
    for entry in served.around(settings.fair_price).entries:
        found |= {_ms_up(entry.published_at + published_limit) + 1}
        if entry.fitted_at is not None:
            found |= {_ms_up(entry.fitted_at + data_limit) + 1, _ms_up(entry.fitted_at - tolerance)}
    return sorted(moment for moment in found if begin_ms < moment < until_ms)


class _Feed:
    """Serves the parameters in force, as a `ParameterFeed` does from files."""

    def __init__(self) -> None:
        self.served: ParameterSet | ParameterFileError = MissingParametersError("nothing yet")

    def latest(self) -> ParameterSet:
        """Return the newest set, or raise what reading it raised."""
        if isinstance(self.served, ParameterFileError):
            raise self.served
        return self.served


class _QuietQuoter(Quoter):
    """A quoter that does not log: nothing is offered here."""

    def _at_touch(self, side: Side, inventory: int, touch: Touch, why: str) -> Quote:
        self._touch_reason = kind_of(why)
        return super()._at_touch(side, inventory, touch, why)


@dataclass(frozen=True)
class _MeanGrid(PriceGrid):
    """Prices where a grid's are on average: the replay itself rounds, at the mid of each look."""

    of: PriceGrid | None = None

    def bid(self, mid: float, depth: float) -> float:
        """Return the price ``depth`` and half a step of the grid below the mid."""
        return mid - depth - self._half_step(mid)

    def ask(self, mid: float, depth: float) -> float:
        """Return the price ``depth`` and half a step of the grid above the mid."""
        return mid + depth + self._half_step(mid)

    def _half_step(self, mid: float) -> float:
        return 0.0 if self.of is None else self.of.tick(mid) / 2

    def tick(self, price: float) -> float:
        """Return no step."""
        return 0.0


@dataclass
class _Columns:
    """Rows of one side, each a list over the inventories."""

    depth: list[list[float]] = field(default_factory=list)
    edge: list[list[float]] = field(default_factory=list)
    refusal: list[list[int]] = field(default_factory=list)
    at_touch: list[list[bool]] = field(default_factory=list)
    kappa: list[list[float]] = field(default_factory=list)
    from_best: list[list[float]] = field(default_factory=list)


class _Rows:
    """Asks the quoter, and collects its answers."""

    def __init__(self, settings: Settings, grid: PriceGrid | None) -> None:
        self._settings = settings
        self._feed = _Feed()
        self._quoter = _QuietQuoter(settings, self._feed, _MeanGrid(0, of=grid))
        self._inventories = range(settings.q_min, settings.q_max + 1)
        self._codes: dict[str, int] = {"": 0}
        self._time_ms: list[int] = []
        self._ids: list[str] = []
        self._beta: list[float] = []
        self._limits: list[tuple[float, float]] = []
        self._sides: dict[Side, _Columns] = {"ask": _Columns(), "bid": _Columns()}

    def serve(self, parameters: ParameterSet | ParameterFileError) -> None:
        """Let the quoter find these parameters from now on."""
        self._feed.served = parameters

    def add(self, moment_ms: int, mid: float | None) -> None:
        """Add a row; a mid is missing only where there are no usable parameters to apply to it."""
        served = self._feed.served
        self._time_ms.append(moment_ms)
        usable = None
        if isinstance(served, ParameterSet):
            usable = served.around(self._settings.fair_price)
        self._ids.append("" if usable is None else usable.calibration_id)
        self._beta.append(usable.quoted_beta if usable is not None else 0.0)
        self._limits.append(_limits(usable, self._settings))
        now = _utc(moment_ms)
        half = (mid or 1.0) * _HALF_SPREAD
        # As much on either side: the depths are from the fair price, wherever that is.
        touch = Touch((mid or 1.0) - half, (mid or 1.0) + half, now, 1.0, 1.0)
        for side, columns in self._sides.items():
            answers = [self._answer(side, inventory, touch, now) for inventory in self._inventories]
            for name, values in zip(vars(columns), zip(*answers, strict=True), strict=True):
                getattr(columns, name).append(list(values))

    def _answer(
        self, side: Side, inventory: int, touch: Touch, now: datetime
    ) -> tuple[float, float, int, bool, float, float]:
        """Return depth, edge, code of the refusal, whether the touch is joined, and the worth."""
        ends = self._settings.q_min if side == "ask" else self._settings.q_max
        if inventory == ends:
            return np.nan, np.nan, 0, False, 0.0, 0.0
        if self._settings.sides == "one":
            found = self._quoter.one_order(inventory, touch, now)
            if isinstance(found, Quote) and found.side != side:
                return np.nan, np.nan, 0, False, 0.0, 0.0  # the one order rests on the other side
        else:
            closes = inventory > 0 if side == "ask" else inventory < 0
            decide = self._quoter.exit if closes else self._quoter.entry
            found = decide(side, inventory, touch, now)
        if isinstance(found, Refusal):
            code = self._codes.setdefault(kind_of(found.reason), len(self._codes))
            return np.nan, np.nan, code, False, 0.0, 0.0
        edge = np.nan if found.edge is None else found.edge
        if _is_at_touch(found):
            return np.nan, np.nan, 0, True, 0.0, 0.0
        return found.depth, edge, 0, False, found.kappa, found.from_best

    def table(self) -> DecisionTable:
        """Return all rows."""
        ask, bid = (
            {name: np.array(values) for name, values in vars(self._sides[side]).items()}
            for side in ("ask", "bid")
        )
        columns: dict[str, Any] = {
            name: np.stack([bid.pop(name), ask.pop(name)]) for name in ("kappa", "from_best")
        }
        for side, arrays in (("ask", ask), ("bid", bid)):
            columns |= {f"{side}_{name}": array for name, array in arrays.items()}
            columns[f"{side}_refusal"] = columns[f"{side}_refusal"].astype(np.int16)
        return DecisionTable(
            time_ms=np.array(self._time_ms, dtype=np.int64),
            q_min=self._settings.q_min,
            calibration_id=tuple(self._ids),
            refusals=tuple(self._codes),
            beta=np.array(self._beta),
            adverse_limit=np.array(self._limits).T,
            **columns,
        )


def _limits(parameters: ParameterSet | None, settings: Settings) -> tuple[float, float]:
    """Return the highest imbalance against bid and ask at which they open a position."""
    if parameters is None:
        return 1.0, 1.0
    bid, ask = (adverse_imbalance_limit(parameters, settings, s) for s in ("bid", "ask"))
    return bid, ask


def _limits_around_fair(parameters: ParameterSet | None, settings: Settings) -> tuple[float, float]:
    """Return the same of quotes around the fair price, whether or not more was fitted around it."""
    if parameters is None or parameters.beta == 0:
        return 1.0, 1.0
    pays = (not depth_hardly_pays(parameters, side) for side in ("bid", "ask"))
    bid, ask = (1.0 if one else settings.max_adverse_imbalance for one in pays)
    return bid, ask


def _is_at_touch(quote: Quote) -> bool:
    return quote.calibration_id is None


def _fitted_mid(served: ParameterSet | ParameterFileError) -> float | None:
    return served.kappa.mid if isinstance(served, ParameterSet) else None


def _set_of(coin: str, row: dict[str, Any]) -> ParameterSet | ParameterFileError:
    try:
        return parameter_set_of(coin, row)
    except ValueError as error:
        return UnusableParametersError(f"{coin}: the refit cannot be used: {error}")


def _utc(moment_ms: int) -> datetime:
    return datetime.fromtimestamp(moment_ms / 1000, UTC)


def _ms_up(moment: datetime) -> int:
    return -(-round(moment.timestamp() * 1_000_000) // 1000)
