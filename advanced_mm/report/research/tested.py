"""What the tests say of a market: the results, in sentences and in tables."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.stats import norm

from advanced_mm.report.page import Table
from advanced_mm.report.research.words import Insight, number, seconds_text
from advanced_mm.research.candles import Candles
from advanced_mm.research.statistics import (
    Foretelling,
    Hurst,
    LeastSpread,
    Pair,
    SpreadBursts,
    VarianceRatio,
    compare,
    foretelling,
    hurst_exponent,
    least_spread,
    price_series,
    spread_bursts,
    variance_ratios,
)

__all__ = ["Tested", "put_to_test", "tested_insights", "tested_tables"]

_CHANCE = 0.05
_VERDICTS = {
    "mean reverting": "reverts to its mean",
    "trending": "trends",
    "random": "cannot be told from a random walk",
}


@dataclass(frozen=True)
class Tested:
    """Results of the tests; None or empty where there was too little data.

    ``pairs`` compares the market with others.
    """

    hurst: Hurst | None
    ratios: Sequence[VarianceRatio]
    flow: Sequence[Foretelling]
    bursts: SpreadBursts | None
    least: LeastSpread | None
    pairs: Sequence[Pair] = ()

    def to_json(self) -> dict[str, Any]:
        """Return plain values; unknown ones are null."""
        plain: dict[str, Any] = _plain(asdict(self))
        if self.hurst is not None:
            plain["hurst"]["verdict"] = self.hurst.verdict
        for one, shown in zip(self.pairs, plain["pairs"], strict=True):
            shown["cointegrated"] = one.cointegrated
        return plain


def put_to_test(candles: Candles, against: Sequence[Candles] = ()) -> Tested:
    """Test a market, and compare it with others.

    Raises
    ------
    InputError
        If two markets have too little time in common, or candles of different lengths.
    """
    series = price_series(candles)
    return Tested(
        hurst=hurst_exponent(series),
        ratios=variance_ratios(series),
        flow=foretelling(candles),
        bursts=spread_bursts(candles),
        least=least_spread(candles),
        pairs=[compare(candles, other) for other in against],
    )


def tested_insights(found: Tested) -> Iterator[Insight]:
    """Say what the tests found, and what may be chance."""
    if found.hurst is not None:
        one = found.hurst
        yield Insight(
            "memory",
            f"Hurst exponent {one.exponent:.2f} ({one.low:.2f} to {one.high:.2f}): over "
            f"{seconds_text(one.shortest_seconds)} and more the price {_VERDICTS[one.verdict]}.",
            {"mean reverting": 1.0, "trending": -1.0}.get(one.verdict, 0.0),
        )
    yield from _ratio_insight(found.ratios)
    yield from _flow_insight(found.flow)
    yield from _burst_insight(found.bursts)
    for pair in found.pairs:
        yield from _pair_insight(pair)


def _ratio_insight(ratios: Sequence[VarianceRatio]) -> Iterator[Insight]:
    if not ratios:
        return
    each = ", ".join(f"{one.ratio:.2f} over {seconds_text(one.seconds)}" for one in ratios)
    odd = [one for one in ratios if not one.random_walk]
    if not odd:
        yield Insight("memory", f"Variance ratios {each}: no sign against a random walk.")
        return
    low = all(one.ratio < 1 for one in odd)
    high = all(one.ratio > 1 for one in odd)
    word = "moves are partly reversed" if low else "moves continue" if high else "no random walk"
    yield Insight("memory", f"Variance ratios {each}: {word}.", 1.0 if low else -1.0 if high else 0)


def _flow_insight(flow: Sequence[Foretelling]) -> Iterator[Insight]:
    """Say the strongest of each horizon, if it would be rare as the strongest of so many."""
    horizons = sorted({one.horizon_seconds for one in flow})
    nothing = []
    for horizon in horizons:
        those = [one for one in flow if one.horizon_seconds == horizon]
        limit = norm.ppf(1 - _CHANCE / 2 / len(those))  # Bonferroni
        sure = [one for one in those if abs(one.t) > limit]
        ahead = f"the next {seconds_text(horizon)}"
        if not sure:
            nothing.append(seconds_text(horizon))
            continue
        best = max(sure, key=lambda one: abs(one.t))
        went = "further" if best.foretold else "back"
        yield Insight(
            "order flow",
            f"After {best.side} by more than {100 * best.threshold:.0f}% the {best.price} went "
            f"{went} by {number(abs(best.move_bp))} bp in {ahead} (t = {best.t:.1f}, "
            f"{best.signals:,} times).",
            -1.0 if best.foretold else 0.0,
        )
    if nothing:
        spans = " or ".join([", ".join(nothing[:-1]), nothing[-1]] if nothing[1:] else nothing)
        yield Insight("order flow", f"One-sided flow foretold nothing about the next {spans}.")


def _burst_insight(bursts: SpreadBursts | None) -> Iterator[Insight]:
    if bursts is None or not bursts.bursts:
        return
    text = (
        f"It was more than {bursts.factor:g} times its average of the last "
        f"{seconds_text(bursts.window_seconds)} for {100 * bursts.share:.1f}% of the time"
    )
    if np.isfinite(bursts.volatility_after_bp):
        sure = "" if abs(bursts.t) > 1.96 else ", which may be chance"
        text += (
            f"; the volatility in the next {seconds_text(bursts.ahead_seconds)} was "
            f"{number(bursts.volatility_after_bp)} bp/√s, at other times "
            f"{number(bursts.volatility_otherwise_bp)}{sure}"
        )
    yield Insight("spread", f"{text}.")


def _pair_insight(pair: Pair) -> Iterator[Insight]:
    each = ", ".join(
        f"{value:.2f} over {seconds_text(seconds)}" for seconds, value in pair.correlation.items()
    )
    yield Insight(
        "other market",
        f"Correlation with {pair.second}: {each}. {number(pair.hedge_ratio)} units of it hedge "
        "one unit.",
    )
    verdict = "are cointegrated" if pair.cointegrated else "cannot be shown to be cointegrated"
    text = f"The two {verdict} (Engle–Granger, p = {pair.p_value:.2g})"
    if pair.cointegrated and pair.half_life_seconds is not None:
        text += (
            f": half of a deviation is gone after {seconds_text(pair.half_life_seconds)}; the last "
            f"one was {pair.deviation_now:+.1f} standard deviations of "
            f"{number(pair.deviation_bp)} bp"
        )
    yield Insight("other market", f"{text}.")


def tested_tables(name: str, found: Tested) -> list[Table]:
    """Return the numbers behind the sentences."""
    tables = []
    if found.ratios:
        rows = [
            [seconds_text(one.seconds), f"{one.ratio:.3f}", f"{one.low:.3f} to {one.high:.3f}",
             f"{one.p_value:.2g}"]
            for one in found.ratios
        ]  # fmt: skip
        header = ["over", "variance ratio", "95%", "p of a random walk"]
        tables.append(Table(f"{name}: is it a random walk?", header, rows))
    if found.flow:
        rows = [
            [f"{one.side} > {100 * one.threshold:.0f}%", seconds_text(one.horizon_seconds),
             f"{one.signals:,}", f"{one.move_bp:+.3f}", f"{one.t:+.1f}", f"{100 * one.right:.0f}%"]
            for one in found.flow
        ]  # fmt: skip
        header = ["takers", "ahead", "times", "move, bp", "t", "same way"]
        tables.append(Table(f"{name}: what one-sided flow foretold", header, rows))
    return tables


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, float | np.floating):
        return float(value) if np.isfinite(value) else None
    return value
