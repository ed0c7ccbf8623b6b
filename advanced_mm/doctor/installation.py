"""Python and the packages of requirements.txt."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from advanced_mm.doctor.lines import Line, fault, ok, unchecked
from advanced_mm.doctor.patient import Machine

__all__ = ["examine_installation"]

_PIN: Final = re.compile(r"([\w.-]+)(?:\[[\w,]+\])?==([\w.]+)")
_INSTALL: Final = "make install, and start with .venv/bin/python (source .venv/bin/activate)"


def examine_installation(project: Path, machine: Machine) -> Iterator[Line]:
    """Compare Python with ``pyproject.toml`` of the project and packages with its pins."""
    yield _python(project / "pyproject.toml", machine)
    yield _packages(project / "requirements.txt", machine)


def _python(file: Path, machine: Machine) -> Line:
    here = ".".join(map(str, machine.python))
    try:
        wanted = tomllib.loads(file.read_text())["project"]["requires-python"]
    except (OSError, KeyError, tomllib.TOMLDecodeError):
        return unchecked("Python", f"{here}; {file} does not say which is needed")
    least = tuple(int(part) for part in wanted.removeprefix(">=").split("."))
    if machine.python < least:
        return fault("Python", f"{here}, needed is {wanted}", "install it, then " + _INSTALL)
    return ok("Python", here)


def _packages(file: Path, machine: Machine) -> Line:
    try:
        pins = _PIN.findall(file.read_text())
    except OSError:
        return unchecked("packages", f"there is no {file} to compare with")
    wrong = []
    for name, wanted in pins:
        found = machine.installed(name)
        if found != wanted:
            wrong.append(f"{name} {wanted} ({found or 'not installed'})")
    if wrong:
        return fault("packages", f"other than in {file.name}: {', '.join(wrong)}", _INSTALL)
    return ok("packages", f"{len(pins)} as in {file.name}")
