"""Files of variables, as docker compose reads them: there, and open to nobody else where secret."""

import re
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from advanced_mm.doctor.keys import SECRET_NAME
from advanced_mm.doctor.lines import Line, fault, ok, warning
from advanced_mm.key_files import FILE_SUFFIX

__all__ = ["examine_env_files"]

_ASSIGNMENT: Final = re.compile(r"\s*(?:export\s+)?(\w+)\s*=\s*(.*?)\s*")


def examine_env_files(
    given: Iterable[Path], found: Iterable[Path]
) -> tuple[list[Line], dict[str, str]]:
    """Return what is to be said of files of variables, and the variables of those given.

    Parameters
    ----------
    given
        Files whose variables the examined programs get; each must exist.
    found
        Other files. They are only reported if everybody can read a secret in them.
    """
    lines: list[Line] = []
    environment: dict[str, str] = {}
    named = {path.resolve(): path for path in given}
    others = [path for path in found if path.resolve() not in named]
    for path, wanted in (
        *((one, True) for one in named.values()),
        *((one, False) for one in others),
    ):
        try:
            variables = _variables(path.read_text(encoding="utf-8"))
            mode = stat.S_IMODE(path.stat().st_mode)
        except OSError as error:
            if wanted:
                text = f"{path} cannot be read ({error.strerror})"
                remedy = "give a file with a NAME=value a line, which you may read"
                lines.append(fault("environment", text, remedy))
            continue
        except UnicodeDecodeError:
            lines.append(fault("environment", f"{path} is no text", "write a NAME=value a line"))
            continue
        secrets = sorted(name for name, value in variables.items() if value and _is_secret(name))
        if secrets and mode & stat.S_IROTH:
            text = f"everybody can read {', '.join(secrets)} in {path} (mode {mode:03o})"
            lines.append(warning("environment", text, f"chmod 600 {path}"))
        elif wanted and not variables:
            text = f"{path} sets no variable"
            lines.append(warning("environment", text, "write a NAME=value a line, or do without"))
        elif wanted:
            lines.append(ok("environment", f"{path} sets {', '.join(sorted(variables))}"))
        if wanted:
            environment |= variables
    return lines, environment


def _is_secret(name: str) -> bool:
    return bool(SECRET_NAME.search(name)) and not name.endswith(FILE_SUFFIX)


def _variables(text: str) -> dict[str, str]:
    """Return the variables of a file, without the quotes around a value."""
    found = {}
    for line in text.splitlines():
        if assignment := _ASSIGNMENT.fullmatch(line):
            name, value = assignment.groups()
            quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "\"'"
            found[name] = value[1:-1] if quoted else value
    return found
