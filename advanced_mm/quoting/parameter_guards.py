"""Parameters on which the market maker must not quote; in doubt it does not."""

from collections.abc import Iterator
from datetime import datetime

from advanced_mm.parameter_files import ParameterSet, Settings
from advanced_mm.quoting.edge import Side, depth_hardly_pays, no_depth_pays, toxicity

__all__ = [
    "CLOCK_TOLERANCE_SECONDS",
    "adverse_imbalance_limit",
    "entry_refusal",
    "imbalance_refusal",
    "quote_refusal",
]

CLOCK_TOLERANCE_SECONDS = 5.0


def quote_refusal(parameters: ParameterSet, settings: Settings, now: datetime) -> str | None:
    """Return why quoting on these parameters is not allowed now; None if it is.

    Quoting stops while a market data channel is silent. The newest refit may be at most
    ``max_published_age_seconds`` old, its data at most ``data_age_limit_seconds``.
    """
    return next(_faults(parameters, settings, now), None)


def entry_refusal(parameters: ParameterSet, settings: Settings, now: datetime) -> str | None:
    """Return why no position may be opened now; None if opening is allowed.

    Both sides are checked, because the position is closed on the opposite side.
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
                f"must be below {settings.toxicity_limit:g}"
            )
        if no_depth_pays(parameters, side):
            return (
                f"no depth pays: on the {side} side the price move after a fill grows as fast as "
                "the depth"
            )
    return None


def adverse_imbalance_limit(parameters: ParameterSet, settings: Settings, side: Side) -> float:
    """Return the imbalance against a side up to which it may open a position; 1 is no limit.

    The parameters say what quotes are set around. Around a fair price, a quote that the sizes speak
    against rests farther from the mid. What is filled there are large orders; where the move after
    them grows with the depth, the distance does not pay for what the sizes foretell.
    """
    hardly_pays = parameters.quoted_beta != 0 and depth_hardly_pays(parameters, side)
    return settings.max_adverse_imbalance if hardly_pays else 1.0


def imbalance_refusal(
    parameters: ParameterSet,
    settings: Settings,
    side: Side,
    imbalance: float,
    spare: float = 0.0,
) -> str | None:
    """Return why the sizes at the touch forbid opening a position on a side; None if they do not.

    ``imbalance`` is the touch's, -1 to 1; ``spare`` is by how much the limit is less, where one is.
    """
    limit = adverse_imbalance_limit(parameters, settings, side)
    if limit < 1:
        limit -= spare
    falls = parameters.quoted_beta * imbalance < 0
    against = abs(imbalance) if falls == (side == "bid") else -abs(imbalance)
    if against <= limit:
        return None
    return (
        f"the sizes are against a {side}: the imbalance against it is {against:.2f}, at most "
        f"{limit:g} allowed (max_adverse_imbalance)"
    )


def _faults(parameters: ParameterSet, settings: Settings, now: datetime) -> Iterator[str]:
    for entry in parameters.entries:
        if entry.status == "insufficient" or entry.fitted_at is None:
            yield (
                f"insufficient data: {entry.n_plus} buy and {entry.n_minus} sell market orders in "
                f"{entry.observed_seconds:.0f} s; see the calibration runner's log for the cause"
            )
            continue
        if entry.silent is not None:
            yield (
                f"data in doubt: no data on {entry.silent} since "
                f"{entry.fitted_at:%H:%M:%S} UTC, while other channels are active"
            )
        published_age = (now - entry.published_at).total_seconds()
        fitted_age = (now - entry.fitted_at).total_seconds()
        if published_age < -CLOCK_TOLERANCE_SECONDS:
            yield (
                f"parameters from the future: published {-published_age:.0f} s ahead of this "
                "machine's clock; synchronize the clocks of bot and runner"
            )
        if fitted_age < -CLOCK_TOLERANCE_SECONDS:
            yield (
                f"data from the future: this machine's clock is {-fitted_age:.0f} s behind the "
                "venue's; synchronize it"
            )
        if published_age > settings.max_published_age_seconds:
            yield (
                f"stale: parameters published {published_age:.0f} s ago, "
                f"at most {settings.max_published_age_seconds:.0f} s allowed"
            )
        if fitted_age > settings.data_age_limit_seconds:
            yield (
                f"stale: data {fitted_age:.0f} s old, "
                f"at most {settings.data_age_limit_seconds:.0f} s allowed"
            )
