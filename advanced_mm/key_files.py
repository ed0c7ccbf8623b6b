"""Secrets in files: for a variable ``NAME``, ``NAME_FILE`` may name the file that holds its value.

So a key stands neither in a container's settings nor in a shell's history. No message has a value.
"""

import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from advanced_mm.errors import InputError

__all__ = ["FILE_SUFFIX", "KeyFileError", "file_of", "value_of", "with_values_of_files"]

FILE_SUFFIX: Final = "_FILE"
_A_KEY_ITSELF: Final = re.compile(r"[0-9a-zA-Z]{40,}")
"""No file has such a name, but somebody may have set the wrong one of the two variables."""


class KeyFileError(InputError):
    """A value cannot be had from its file: who starts something with it must not start it.

    ``variable`` is whose value it is, ``fault`` what is wrong and ``remedy`` what to do.
    """

    def __init__(self, variable: str, fault: str, remedy: str) -> None:
        super().__init__(f"{fault}; {remedy}.")
        self.variable, self.fault, self.remedy = variable, fault, remedy


def file_of(variable: str, environment: Mapping[str, str]) -> str:
    """Return the name of the file with a variable's value; empty if there is none."""
    return environment.get(f"{variable}{FILE_SUFFIX}", "").strip()


def value_of(variable: str, environment: Mapping[str, str]) -> str:
    """Return a variable's value, its own or that of its file; empty if neither is set.

    Raises
    ------
    KeyFileError
        Both are set, or the file cannot be read, is empty or no text, or everybody can read it.
    """
    value, name = environment.get(variable, "").strip(), file_of(variable, environment)
    if not name:
        return value
    setting = f"{variable}{FILE_SUFFIX}"
    if value:
        fault = f"{variable} and {setting} are both set"
        raise KeyFileError(variable, fault, "unset one of them")
    if _A_KEY_ITSELF.fullmatch(name):
        fault = f"{setting} seems to be the key itself, and should be the name of a file"
        remedy = f"write the key into a file with mode 600, or set {variable} to it"
        raise KeyFileError(variable, fault, remedy)
    write = f"write the value of {variable} into it, and nothing else"
    try:
        with Path(name).open(encoding="utf-8") as file:
            if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & stat.S_IROTH:
                fault = f"{setting}: everybody can read {name}"
                raise KeyFileError(variable, fault, f"make it yours alone: chmod 600 {name}")
            value = file.read().strip()
    except OSError as error:
        fault = f"{setting}: {name} cannot be read ({error.strerror})"
        remedy = "correct the name, or let who runs this read it"
        raise KeyFileError(variable, fault, remedy) from None
    except UnicodeDecodeError:
        raise KeyFileError(variable, f"{setting}: {name} is no text", write) from None
    if not value:
        raise KeyFileError(variable, f"{setting}: {name} is empty", write)
    return value


def with_values_of_files(
    environment: Mapping[str, str], prefix: str
) -> tuple[dict[str, str], list[KeyFileError]]:
    """Return an environment in which values that stood in files are set, and what went wrong.

    Only variables that begin with ``prefix`` are looked at; those that name files are left out.
    """
    files = {name for name in environment if name.startswith(prefix) and name.endswith(FILE_SUFFIX)}
    found = {name: value for name, value in environment.items() if name not in files}
    errors = []
    for variable in sorted(name.removesuffix(FILE_SUFFIX) for name in files):
        try:
            if value := value_of(variable, environment):
                found[variable] = value
        except KeyFileError as error:
            errors.append(error)
    return found, errors
