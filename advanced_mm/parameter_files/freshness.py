"""Whether published parameters can be quoted from, as the doctor and the health check tell it."""

from collections.abc import Iterable
from datetime import datetime

from advanced_mm.parameter_files.entries import ParameterEntry

__all__ = ["why_not_fresh"]


def why_not_fresh(
    entries: Iterable[ParameterEntry], now: datetime, max_age: float, max_data_age: float
) -> str | None:
    """Return why a coin's parameters cannot be quoted from; None if they can.

    Parameters
    ----------
    entries
        All entries of the coin.
    now
        The time.
    max_age, max_data_age
        Maximum age of publication and of the data, s.
    """
    for entry in entries:
        if entry.fitted_at is None:
            return f"{entry.status}: not enough data for a first fit"
        published = (now - entry.published_at).total_seconds()
        fitted = (now - entry.fitted_at).total_seconds()
        if published > max_age or fitted > max_data_age:
            return (
                f"{entry.status}: published {published:.0f} s ago on data {fitted:.0f} s old; "
                f"{max_age:g} and {max_data_age:g} s are allowed"
            )
        if entry.silent is not None:
            return (
                f"{entry.status}: no data on {entry.silent} for {fitted:.0f} s, "
                "while other channels are active"
            )
    return None
