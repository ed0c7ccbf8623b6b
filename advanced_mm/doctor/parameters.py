"""The published parameters: there, readable and fresh."""

from collections.abc import Iterator
from datetime import UTC, datetime

from advanced_mm.doctor.lines import Line, fault, ok
from advanced_mm.doctor.patient import Patient
from advanced_mm.parameter_files import ParameterFileError
from advanced_mm.parameter_files.files import NewerParametersError
from advanced_mm.parameter_files.freshness import why_not_fresh

__all__ = ["examine_parameters"]


def examine_parameters(patient: Patient) -> Iterator[Line]:
    """Check the parameters of each pair as the bot will."""
    now = datetime.fromtimestamp(patient.machine.now(), UTC)
    settings, files = patient.settings, patient.parameters
    given = " ".join(str(file) for file in patient.config_files)
    for code in patient.codes:
        runner = (
            f"start the runner, and let it write there: python scripts/periodic_test_runner.py "
            f"--crypto {code} --output-dir {patient.parameter_folder} "
            f"--data-dir {patient.data_dir} --config {given}"
        )
        try:
            coin = files.resolve(code)
            entries = files.read(coin).entries
        except NewerParametersError as error:
            text, _, remedy = str(error).rstrip(".").rpartition(": ")
            yield fault("parameters", text, remedy)
            continue
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
