"""What the runner knows, as metrics: its refits, and what the bots have earned."""

import math
from collections.abc import Iterable, Iterator
from pathlib import Path

from advanced_mm.metrics.table import Sample
from advanced_mm.parameter_files import ParameterSet
from advanced_mm.performance.running import RunningPerformance

__all__ = ["EarnedMetrics", "RefitMetrics"]


class RefitMetrics:
    """Remembers each coin's newest published refit."""

    def __init__(self) -> None:
        self._refits: dict[str, int] = {}
        self._newest: dict[str, tuple[ParameterSet, float, float]] = {}
        self._errors = 0

    def published(self, parameters: ParameterSet, seconds: float, clock_offset_s: float) -> None:
        """Take in a refit that was published, how long it took, and the clocks' difference.

        ``clock_offset_s`` is NaN where it is not known.
        """
        coin = parameters.coin
        self._refits[coin] = self._refits.get(coin, 0) + 1
        self._newest[coin] = (parameters, seconds, clock_offset_s)

    def failed(self, errors: int) -> None:
        """Take in the number of errors of a round."""
        self._errors += errors

    def coins(self) -> list[str]:
        """Return the coins that were fitted."""
        return list(self._newest)

    def samples(self) -> Iterator[Sample]:
        """Yield all that is known; another thread may take in more meanwhile."""
        yield Sample("refit_errors_total", self._errors)
        for coin, (parameters, seconds, offset) in list(self._newest.items()):
            yield Sample("refits_total", self._refits[coin], (coin,))
            yield Sample("refit_duration_seconds", seconds, (coin,))
            if not math.isnan(offset):
                yield Sample("clock_offset_seconds", offset, (coin,))
            yield from _of(parameters)


def _of(parameters: ParameterSet) -> Iterator[Sample]:
    coin, kappa, epsilon = parameters.coin, parameters.kappa, parameters.epsilon
    lambda_ = parameters.lambda_
    published, fitted = lambda_.published_at, lambda_.fitted_at
    yield Sample("parameters_published_timestamp_seconds", published.timestamp(), (coin,))
    if fitted is not None:
        yield Sample("parameters_fitted_timestamp_seconds", fitted.timestamp(), (coin,))
    yield Sample("window_seconds", lambda_.window_seconds, (coin,))
    for name, entry in (("lambda", lambda_), ("kappa", kappa), ("epsilon", epsilon)):
        yield Sample("refit_status", 1.0, (coin, name, entry.status))
    for metric, ask, bid in (
        ("lambda_per_second", lambda_.lambda_plus, lambda_.lambda_minus),
        ("kappa_per_quote", kappa.kappa_plus, kappa.kappa_minus),
        ("epsilon_quote", epsilon.epsilon_fill_plus, epsilon.epsilon_fill_minus),
    ):
        for side, value in (("ask", ask), ("bid", bid)):
            if value is not None:
                yield Sample(metric, value, (coin, side))


class EarnedMetrics:
    """Follows the journal of the bots, and the recording beside it; both are read when asked for.

    Parameters
    ----------
    journal, data_dir
        Their folders; nothing need be there yet.
    refits
        Tells the coins, which count from when they are first known.
    """

    def __init__(self, journal: Path, data_dir: Path, refits: RefitMetrics) -> None:
        self._journal, self._data_dir, self._refits = journal, data_dir, refits
        self._running: dict[str, RunningPerformance] = {}

    def samples(self) -> Iterable[Sample]:
        """Return what was earned of each coin, at most two seconds old."""
        found: list[Sample] = []
        for coin in self._refits.coins():
            if coin not in self._running:
                self._running[coin] = RunningPerformance(self._journal, self._data_dir, coin)
            earned = self._running[coin].look()
            if earned is None:
                continue
            found.append(Sample("profit_quote", earned.parts.equity_change, (coin,)))
            found.append(Sample("judged_fills", earned.judged, (coin,)))
            for part, value in earned.parts.parts.items():
                found.append(Sample("profit_part_quote", value, (coin, part)))
            for kind, bp in (("expected", earned.expected_bp), ("realised", earned.realised_bp)):
                if not math.isnan(bp):
                    found.append(Sample("edge_ratio", bp / 1e4, (coin, kind)))
        return found
