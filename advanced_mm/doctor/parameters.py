"""The published parameters: there, readable and fresh."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from advanced_mm.doctor.lines import Line, fault, ok
from advanced_mm.doctor.patient import Patient
from advanced_mm.parameter_files import ParameterEntry, ParameterFileError

__all__ = ["examine_parameters", "why_not_fresh"]


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
            return f"{entry.status}: published {published:.0f} s ago on data {fitted:.0f} s old"
        if entry.silent is not None:
            return (
                f"{entry.status}: no data on {entry.silent} for {fitted:.0f} s, "
                "while other channels are active"
            )
    return None


def examine_parameters(patient: Patient) -> Iterator[Line]:
    """Check the parameters of each pair as the bot will."""
    now = datetime.fromtimestamp(patient.machine.now(), UTC)
    settings, files = patient.settings, patient.parameters
    for code in patient.codes:
        runner = (
            f"start the runner, and let it write there: python scripts/periodic_test_runner.py "
            f"--crypto {code} --output-dir {patient.parameter_folder}"
        )
        try:
            coin = files.resolve(code)
            entries = files.read(coin).entries
        except ParameterFileError as error:
            yield fault("parameters", str(error).rstrip("."), runner)
            continue
        why = why_not_fresh(
            entries, now, settings.max_published_age_seconds, settings.data_age_limit_seconds
        )
        if why is not None:
            yield fault("parameters", f"{coin}: {why}", f"see the runner's output, or {runner}")
        else:
            age = max((now - entry.published_at).total_seconds() for entry in entries)
            yield ok("parameters", f"{coin}: published {age:.0f} s ago")
