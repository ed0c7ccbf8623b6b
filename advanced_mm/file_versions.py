"""Versions of the files this program writes: what is read, and what is refused.

Each kind of file has its version as a constant ``…_VERSION`` in the module that writes it;
``docs/file_versions.md`` lists them all. A file that names none is of version 1, which is what was
written before versions were noted.
"""

import json

from advanced_mm.errors import InputError

__all__ = ["NewerVersionError", "check_version", "version_in"]


class NewerVersionError(InputError):
    """A file is of a later version of this program, so that what it means is not known."""


def check_version(found: object, known: int, what: str) -> int:
    """Return the version that a file names, 1 if it names none.

    Parameters
    ----------
    found
        The version in the file; None if it has none.
    known
        The newest version that this program reads.
    what
        The file, for the message.

    Raises
    ------
    NewerVersionError
        It is a later one.
    InputError
        It is not a whole number of at least 1.
    """
    if found is None:
        return 1
    if not isinstance(found, int) or isinstance(found, bool) or found < 1:
        raise InputError(f"{what}: version = {found!r} must be a whole number of at least 1")
    if found > known:
        raise NewerVersionError(
            f"{what} is of version {found}, and this program reads up to {known}: update the "
            "program, or move the file away"
        )
    return found


def version_in(text: bytes) -> object:
    """Return what a JSON object names as its version; None if it names none, or is no object."""
    try:
        found = json.loads(text)
    except ValueError:
        return None  # what is wrong with it is told by whoever reads it
    return found.get("version") if isinstance(found, dict) else None
