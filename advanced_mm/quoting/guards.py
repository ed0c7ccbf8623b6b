"""When the market maker must not quote; in doubt it stops rather than guesses."""

from collections.abc import Iterator
from datetime import datetime

from advanced_mm.parameter_files import ParameterSet, Settings
from advanced_mm.quoting.edge import no_depth_pays, toxicity

__all__ = ["CLOCK_TOLERANCE_SECONDS", "entry_refusal", "quote_refusal"]

CLOCK_TOLERANCE_SECONDS = 5.0


def quote_refusal(parameters: ParameterSet, settings: Settings, now: datetime) -> str | None:
    """Why no price may rest on these parameters now; None if one may.

    Nothing rests while a channel of the market data is silent. The newest refit may be
    ``max_published_age_seconds`` old, its data one window.
    """
    return next(_faults(parameters, settings, now), None)


def entry_refusal(parameters: ParameterSet, settings: Settings, now: datetime) -> str | None:
    """Why no position may be opened now; None if one may.

    Both sides are judged: the position must be closed on the other one.
    """
    refusal = quote_refusal(parameters, settings, now)
    if refusal is not None:
        return refusal
    for side in ("bid", "ask"):
        value = toxicity(parameters, side)
        if value is None or value >= settings.toxicity_limit:
            shown = "unknown" if value is None else f"{value:.2f}"
            return (
                f"toxic: kappa*epsilon_fill on the {side} side is {shown}, "
                f"the limit {settings.toxicity_limit:g}"
            )
        if no_depth_pays(parameters, side):
            return f"no depth pays: on the {side} side the move given a fill grows with the depth"
    return None


def _faults(parameters: ParameterSet, settings: Settings, now: datetime) -> Iterator[str]:
    for entry in parameters.entries:
        if entry.status == "insufficient" or entry.fitted_at is None:
            yield (
                f"insufficient data: {entry.n_plus} buy and {entry.n_minus} sell market orders in "
                f"{entry.observed_seconds:.0f} s; the runner's log says what is missing"
            )
            continue
        if entry.silent is not None:
            yield (
                f"data in doubt: nothing heard of {entry.silent} since "
                f"{entry.fitted_at:%H:%M:%S} UTC, while other channels speak"
            )
        published_age = (now - entry.published_at).total_seconds()
        fitted_age = (now - entry.fitted_at).total_seconds()
        if published_age < -CLOCK_TOLERANCE_SECONDS:
            yield "parameters from the future: the clocks of the two containers disagree"
        if fitted_age < -CLOCK_TOLERANCE_SECONDS:
            yield (
                f"data from the future: this machine's clock is {-fitted_age:.0f} s behind the "
                "venue's; set it"
            )
        if published_age > settings.max_published_age_seconds:
            yield (
                f"stale: published {published_age:.0f} s ago, "
                f"at most {settings.max_published_age_seconds:.0f} s allowed"
            )
        if fitted_age > settings.data_age_limit_seconds:
            yield (
                f"stale: the data are {fitted_age:.0f} s old, "
                f"at most {settings.data_age_limit_seconds:.0f} s allowed"
            )
