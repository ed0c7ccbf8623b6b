"""Did the model tell the truth? Its expectation of each quote against the result."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from advanced_mm.marketdata.records import Float1D, Int1D
from advanced_mm.parameter_files.history import CalibrationHistory
from advanced_mm.performance.intervals import Figure, Line, TimeDraws
from advanced_mm.performance.mids import MINUTE_MS, Marks
from advanced_mm.performance.records import Fills, Record

__all__ = [
    "AgeBin",
    "DepthBin",
    "EdgeBin",
    "ModelTruth",
    "Published",
    "model_truth",
    "published_at",
]

_DECILES: Final = 10
_DEPTH_BINS: Final = 8
_AGE_EDGES_S: Final = (0.0, 1.0, 2.0, 5.0, 10.0, 30.0, np.inf)
_LEAST_IN_BIN: Final = 5


@dataclass(frozen=True)
class Published:
    """What the refits said that the quotes rest on, of each quote's own side; shapes (quotes,).

    ``intensity`` is λ₀, fills per second at depth 0; ``kappa`` per quote currency; NaN where the
    history does not know the refit.
    """

    intensity: Float1D
    kappa: Float1D


@dataclass(frozen=True)
class EdgeBin:
    """Fills of like expected edge (bp of the price): what was expected and what was realised."""

    expected: float
    realised: Figure


@dataclass(frozen=True)
class DepthBin:
    """Quotes of like depth: fills per second of resting, and λ₀·e^(−κδ) of the same quotes.

    ``depth_bp`` is their mean depth, ``seconds`` how long they rested together.
    """

    depth_bp: float
    seconds: float
    observed: Figure
    expected: float


@dataclass(frozen=True)
class AgeBin:
    """Fills of quotes of like age: what was lost against the depth when decided, bp, and κσ²t."""

    oldest_s: float
    age_s: float
    lost: Figure
    expected: float


@dataclass(frozen=True)
class ModelTruth:
    """The three comparisons.

    ``line`` is the regression of the realised edge (after the horizon) on the expected one, in bp,
    with slope 1 and intercept 0 for a model that tells the truth; ``lines`` the same after each
    horizon. ``expected`` and ``realised`` are the means of both, over the same fills by value.
    ``volatility`` is the mid's, quote currency per square root of a second, over minutes.
    """

    deciles: Sequence[EdgeBin]
    line: Line
    lines: Mapping[float, Line]
    expected: Figure
    realised: Figure
    depths: Sequence[DepthBin]
    ages: Sequence[AgeBin]
    volatility: float


def published_at(record: Record, history: CalibrationHistory | None) -> Published:
    """Look up the refits that the quotes name.

    Raises
    ------
    InputError
        A file of the history cannot be read.
    """
    n = len(record.quotes)
    nothing = Published(np.full(n, np.nan), np.full(n, np.nan))
    if history is None or not n:
        return nothing
    first = int(record.quotes.time_ms.min()) - 86_400_000
    start, end = (pa.scalar(t * 1000, pa.timestamp("us", tz="UTC")).as_py()
                  for t in (first, int(record.quotes.time_ms.max())))  # fmt: skip
    table = history.read(record.coin, start, end)
    if not table.num_rows:
        return nothing
    named = record.quotes.calibration_id
    ids = pa.array(named.names, pa.string())
    place = pc.index_in(ids, value_set=table["calibration_id"].combine_chunks())
    row_of_name = np.asarray(pc.fill_null(place, -1).to_numpy(), dtype=np.int64)
    row = np.append(row_of_name, -1)[named.codes]  # a code of -1 is the last: no row
    asks = record.quotes.sign < 0

    def of_side(name: str) -> Float1D:
        plus, minus = (
            table[f"{name}{sign}"].to_numpy(zero_copy_only=False).astype(np.float64)
            for sign in "+-"
        )
        return np.where(row < 0, np.nan, np.where(asks, plus[row], minus[row]))

    return Published(of_side("lambda0"), of_side("kappa"))


def model_truth(record: Record, marks: Marks, published: Published) -> ModelTruth:
    """Compare expectations with results; without quotes everything is empty."""
    fills = record.fills
    expected, came = edges_of_fills(record, marks)
    value = fills.price * fills.size
    lines = {
        horizon: TimeDraws(fills.time_ms, horizon).line(
            expected_edge(record), realised_edge(record, marks, horizon), "bp"
        )
        for horizon in marks.after
    }
    draws = TimeDraws(fills.time_ms, marks.horizon_s)
    volatility = minute_volatility(marks)
    return ModelTruth(
        deciles=_deciles(draws, expected, came),
        line=lines[marks.horizon_s],
        lines=lines,
        expected=draws.mean(expected, "bp", value),
        realised=draws.mean(came, "bp", value),
        depths=_depths(record, published),
        ages=_ages(record, marks, published, volatility),
        volatility=volatility,
    )


def expected_edge(record: Record) -> Float1D:
    """What the quote of each fill promised after the fee, bp of the price; shape (fills,)."""
    return record.of_fills(record.quotes.edge) * _to_bp(record.fills)


def realised_edge(record: Record, marks: Marks, horizon_s: float) -> Float1D:
    """What each fill was worth after a horizon and its fee, bp of the price; shape (fills,).

    NaN where nobody saw the mid then. ``horizon_s`` is a key of ``marks.after``.
    """
    fills = record.fills
    fee = fills.fee / np.where(fills.size > 0, fills.size, np.nan)
    return (fills.sign * (marks.after[horizon_s] - fills.price) - fee) * _to_bp(fills)


def edges_of_fills(record: Record, marks: Marks) -> tuple[Float1D, Float1D]:
    """Return the expected and the realised edge of the fills that have both, else NaN.

    They are averaged by the fills' value. Shapes (fills,), bp of the price.
    """
    expected = expected_edge(record)
    realised = realised_edge(record, marks, marks.horizon_s)
    both = np.isfinite(expected) & np.isfinite(realised)
    return np.where(both, expected, np.nan), np.where(both, realised, np.nan)


def _to_bp(fills: Fills) -> Float1D:
    return 1e4 / np.where(fills.price > 0, fills.price, np.nan)


def minute_volatility(marks: Marks) -> float:
    """Root mean square of the mid's moves over whole minutes, per square root of a second."""
    whole = marks.grid_ms % MINUTE_MS == 0
    moves = np.diff(marks.grid_mid[whole])
    return float(np.sqrt(np.mean(moves**2) / 60)) if len(moves) else np.nan


def _quantile_bins(values: Float1D, most: int) -> tuple[Int1D, int]:
    """Cut the known values into bins of like number; -1 where a value is not known."""
    known = np.isfinite(values)
    n = int(known.sum())
    bins = min(most, n // _LEAST_IN_BIN)
    place = np.full(len(values), -1, dtype=np.int64)
    if bins < 1:
        return place, 0
    edges = np.unique(np.quantile(values[known], np.linspace(0, 1, bins + 1)[1:-1]))
    place[known] = np.searchsorted(edges, values[known], side="right")
    found, place[known] = np.unique(place[known], return_inverse=True)
    return place, len(found)


def _deciles(draws: TimeDraws, expected: Float1D, came: Float1D) -> list[EdgeBin]:
    both = np.isfinite(expected) & np.isfinite(came)
    place, count = _quantile_bins(np.where(both, expected, np.nan), _DECILES)
    return [
        EdgeBin(
            float(expected[place == number].mean()),
            draws.mean(np.where(place == number, came, np.nan), "bp"),
        )
        for number in range(count)
    ]


def _depths(record: Record, published: Published) -> list[DepthBin]:
    quotes = record.quotes
    seconds = np.where(quotes.refused, np.nan, (quotes.end_ms - quotes.time_ms) / 1000)
    depth_bp = quotes.depth / quotes.mid * 1e4
    usable = np.isfinite(seconds) & (seconds > 0)
    place, count = _quantile_bins(np.where(usable, depth_bp, np.nan), _DEPTH_BINS)
    law = published.intensity * np.exp(-published.kappa * quotes.depth)
    filled = (quotes.filled > 0).astype(np.float64)
    draws = TimeDraws(quotes.time_ms)
    bins = []
    for number in range(count):
        chosen = place == number
        rested = np.where(chosen, np.nan_to_num(seconds), 0.0)
        known = chosen & np.isfinite(law)
        weight = float(rested[known].sum())
        bins.append(
            DepthBin(
                depth_bp=float(depth_bp[chosen].mean()),
                seconds=float(rested.sum()),
                observed=draws.ratio(np.where(chosen, filled, 0.0), rested, "fills per second"),
                expected=float(rested[known] @ law[known]) / weight if weight else np.nan,
            )
        )
    return bins


def _ages(record: Record, marks: Marks, published: Published, volatility: float) -> list[AgeBin]:
    fills = record.fills
    depth = record.of_fills(record.quotes.depth)
    kappa = record.of_fills(published.kappa)
    to_bp = _to_bp(fills)
    lost = (depth - fills.sign * (marks.mid - fills.price)) * to_bp
    model = kappa * volatility**2 * fills.rested_s * to_bp
    draws = TimeDraws(fills.time_ms)
    bins = []
    for youngest, oldest in pairwise(_AGE_EDGES_S):
        chosen = (fills.rested_s >= youngest) & (fills.rested_s < oldest) & np.isfinite(lost)
        if chosen.sum() < _LEAST_IN_BIN:
            continue
        law = model[chosen & np.isfinite(model)]
        bins.append(
            AgeBin(
                oldest,
                float(fills.rested_s[chosen].mean()),
                draws.mean(np.where(chosen, lost, np.nan), "bp"),
                float(law.mean()) if len(law) else np.nan,
            )
        )
    return bins
