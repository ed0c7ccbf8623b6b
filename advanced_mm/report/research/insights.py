"""What the data say, in sentences: each with the number that it rests on."""

from collections.abc import Iterator
from typing import Final

import numpy as np
import pandas as pd

from advanced_mm.report.research.expected import expected_insights
from advanced_mm.report.research.hours import by_hour
from advanced_mm.report.research.study import Figures, Study, figures_of, mean, spreads_bp
from advanced_mm.report.research.tested import tested_insights
from advanced_mm.report.research.words import Insight, hours_text, number, seconds_text
from advanced_mm.research.volume_profile import volume_profile

__all__ = ["insights_of"]

_GOOD_SCORE: Final = 70.0
_BUSIEST: Final = 3
_TOPICS: Final = (
    "the data", "spread", "tick", "our model", "volatility", "memory", "order flow", "volume",
    "trades", "reversals", "score", "other market",
)  # fmt: skip
_LEAST_SHARE: Final = 0.001


def insights_of(study: Study) -> list[Insight]:
    """Return what there is to say; nothing about what the source does not know."""
    figures, hours = figures_of(study), by_hour(study)
    found: list[Insight] = []
    for say in (
        _span,
        _spread,
        _tick,
        _volatility,
        _volume,
        _quiet,
        _flow,
        _score,
        _bounce,
    ):
        found += say(study, figures, hours)
    found += expected_insights(study)
    if study.tested is not None:
        found += tested_insights(study.tested)
    return sorted(found, key=lambda one: _TOPICS.index(one.topic))


def _span(study: Study, figures: Figures, hours: pd.DataFrame) -> Iterator[Insight]:
    if len(hours) < 24:
        known = study.candles.step_seconds * float(hours["observed"].sum())
        yield Insight(
            "the data",
            f"From {figures.start:%Y-%m-%d %H:%M} to {figures.end:%Y-%m-%d %H:%M} UTC, "
            f"{seconds_text(known)} of it observed: they say nothing about other hours of the day.",
        )


def _spread(study: Study, figures: Figures, hours: pd.DataFrame) -> Iterator[Insight]:
    spread, fee = spreads_bp(study), study.fee_bp
    if not np.isfinite(figures.spread_bp):
        yield Insight("spread", "The source has no spread, and none could be estimated.")
        return
    each = hours["spread_bp"].dropna()
    when = "at every hour" if len(each) > 1 else "throughout"
    if spread.source == "tick":
        side = "below" if figures.spread_bp <= fee else "above"
        yield Insight(
            "spread",
            f"The spread is unknown; the least possible, one tick, is {number(figures.spread_bp)} "
            f"bp, {side} the fee of {fee:g} bp.",
        )
        return
    size = f"{spread.words} {number(figures.spread_bp)} bp"
    above = each.index[each > fee]
    if not len(above):
        where, amount = f"is below the fee of {fee:g} bp {when}", -1.0
    elif len(above) == len(each):
        both = (each > 2 * fee).all()
        paid = "covers the fees of both fills" if both else "covers the fee of one fill, not of two"
        where, amount = f"is above the fee of {fee:g} bp {when}: it {paid}", float(both)
    else:
        where, amount = (
            f"on average; it is above the fee of {fee:g} bp at {len(above)} of {len(each)} hours: "
            f"{hours_text(above)}",
            0.0,
        )
    advice = ": quote deeper than the touch, or not at all" if amount < 0 else ""
    yield Insight("spread", f"{size[0].upper()}{size[1:]} {where}{advice}.", amount)
    if len(each) > 1:
        yield Insight(
            "spread",
            f"It is widest at {_hour(each.idxmax())} ({number(each.max())} bp) and narrowest at "
            f"{_hour(each.idxmin())} ({number(each.min())} bp).",
        )


def _tick(study: Study, figures: Figures, _hours_: pd.DataFrame) -> Iterator[Insight]:
    if not np.isfinite(figures.tick_bp):
        return
    sentence = f"A tick is {number(figures.tick_bp)} bp: no spread can be less"
    if figures.spread_source == "quotes":
        ticks = figures.spread_bp / figures.tick_bp
        unit = "tick" if number(ticks) == "1" else "ticks"
        sentence += f", and the mean spread is {number(ticks)} {unit}"
        if ticks < 1.2:
            sentence += "; makers compete by their place in the queue"
    yield Insight("tick", f"{sentence}.")


def _volatility(study: Study, figures: Figures, hours: pd.DataFrame) -> Iterator[Insight]:
    each = hours["volatility_bp"].dropna()
    if not np.isfinite(figures.volatility_bp):
        return
    size = f"{number(figures.volatility_bp)} bp in a second"
    sentence = f"The price moves {size} (one standard deviation)"
    if len(each) > 1:
        sentence += (
            f", most at {_hour(each.idxmax())} ({number(each.max())} bp), least at "
            f"{_hour(each.idxmin())} ({number(each.min())} bp)"
        )
    yield Insight("volatility", f"{sentence}.")
    if figures.spread_bp > 0 and figures.volatility_bp > 0:
        halves = 2 * figures.volatility_bp / figures.spread_bp
        if halves >= 1:
            sentence = (
                f"A second's move is {number(halves)} times half the spread: the mid soon passes a "
                "quote at the touch."
            )
        else:
            sentence = (
                f"After {seconds_text(halves**-2)} the move is as large as half the spread: the "
                "mid then lies beyond a quote at the touch in one case of six."
            )
        yield Insight("volatility", sentence)


def _volume(study: Study, figures: Figures, hours: pd.DataFrame) -> Iterator[Insight]:
    each = hours["volume"].dropna()
    if len(each) > _BUSIEST and each.sum() > 0:
        busy = each.nlargest(_BUSIEST)
        yield Insight(
            "volume",
            f"{100 * busy.sum() / each.sum():.0f}% of an average day's volume comes in "
            f"{_BUSIEST} of its {len(each)} hours: {hours_text(sorted(busy.index))}.",
        )
    concentration = volume_profile(study.candles).concentration_pct
    if np.isfinite(concentration):
        yield Insight(
            "volume",
            f"{concentration:.0f}% of the volume was traded in the busiest fifth of the prices.",
        )


def _quiet(study: Study, figures: Figures, _hours_: pd.DataFrame) -> Iterator[Insight]:
    if not np.isfinite(figures.quiet):
        return
    step = study.candles.step_seconds
    length = "seconds" if step == 1 else f"candles of {step} s"
    rate = "" if figures.end - figures.start >= pd.Timedelta(days=1) else "at a rate of "
    count = f"{rate}{figures.trades_per_day:,.0f} trades a day; "
    trades = count[0].upper() + count[1:] if figures.trades_per_day > 0 else ""
    yield Insight("trades", f"{trades}{100 * figures.quiet:.0f}% of the {length} had none.")


def _flow(study: Study, figures: Figures, hours: pd.DataFrame) -> Iterator[Insight]:
    if not np.isfinite(figures.taker_buy):
        return
    share = 100 * figures.taker_buy
    sentence = f"Takers bought {share:.1f}% of the volume"
    each = hours["imbalance"].dropna()
    if len(each) > 1:
        hour = each.abs().idxmax()
        side = "buying" if each[hour] > 0 else "selling"
        net = f"net {side} of {100 * abs(each[hour]):.0f}%"
        sentence += f"; most one-sided at {_hour(hour)}: {net}"
    yield Insight("order flow", f"{sentence}.")


def _score(study: Study, _figures: Figures, hours: pd.DataFrame) -> Iterator[Insight]:
    score = study.columns["mm_opportunity_score"].to_numpy(np.float64)
    known = score[np.isfinite(score)]
    if not len(known):
        return
    sentence = (
        f"The opportunity score is {known.mean():.0f} on average and above {_GOOD_SCORE:g} for "
        f"{100 * (known > _GOOD_SCORE).mean():.1f}% of the time"
    )
    each = hours["score"].dropna()
    if len(each) > 1:
        sentence += f"; best at {_hour(each.idxmax())} ({each.max():.0f})"
    yield Insight("score", f"{sentence}. Its weights are a guess.")


def _bounce(study: Study, figures: Figures, _hours_: pd.DataFrame) -> Iterator[Insight]:
    rate = mean(np.abs(study.columns["price_reversal"].to_numpy(np.float64)))
    if np.isfinite(rate):
        some = f"{100 * rate:.1f}%" if rate >= _LEAST_SHARE else "Fewer than 0.1%"
        yield Insight(
            "reversals",
            f"{some} of the candles reverse the move of the one before: many such reversals would "
            "be the bounce between bid and ask.",
        )


def _hour(hour: object) -> str:
    return f"{hour:02d}:00"
