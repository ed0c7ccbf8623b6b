"""The four files between calibration and strategy: written whole, read as one agreeing set."""

import contextlib
import fcntl
import json
import logging
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeVar

from pydantic import ValidationError

from advanced_mm.bad_rows import BadRows
from advanced_mm.errors import AdvancedMMError, InputError
from advanced_mm.instruments import code_of, nearest, resolve_coin
from advanced_mm.parameter_files.entries import (
    EpsilonEntry,
    KappaEntry,
    LambdaEntry,
    ParameterEntry,
    ValueFunctionEntry,
)

__all__ = [
    "MissingParametersError",
    "MixedParametersError",
    "ParameterFileError",
    "ParameterFiles",
    "ParameterSet",
    "UnusableParametersError",
    "write_json_atomically",
]

logger = logging.getLogger(__name__)

KAPPA, EPSILON, LAMBDA, VALUE_FUNCTION = (
    "kappa.json",
    "epsilon.json",
    "lambda.json",
    "value_function.json",
)

_FIELDS_APART = (",\n  ", ": ")

Entry = TypeVar("Entry", bound=ParameterEntry)


class ParameterFileError(AdvancedMMError):
    """No usable parameters: the strategy stops quoting, the message says why."""


class MissingParametersError(ParameterFileError):
    """A file or the coin's entry in it is not there (yet)."""


class MixedParametersError(ParameterFileError):
    """The four files come from different refits; gone at the next read in normal running."""


class UnusableParametersError(ParameterFileError):
    """An entry is malformed, non-finite, out of range or has status ``insufficient``."""


@dataclass(frozen=True)
class ParameterSet:
    """One coin's parameters from one refit."""

    coin: str
    kappa: KappaEntry
    epsilon: EpsilonEntry
    lambda_: LambdaEntry
    value_functions: tuple[ValueFunctionEntry, ...]

    @property
    def entries(self) -> tuple[ParameterEntry, ...]:
        """All entries, for laws that hold for each of them."""
        return (self.kappa, self.epsilon, self.lambda_, *self.value_functions)

    @property
    def calibration_id(self) -> str:
        """The id that all entries share."""
        return self.kappa.calibration_id

    def require_one_refit(self) -> Self:
        """Return the set itself, or raise ``MixedParametersError`` where ids differ."""
        ids = {entry.calibration_id for entry in self.entries}
        if len(ids) != 1:
            raise MixedParametersError(
                f"{self.coin}: the parameter files mix refits {', '.join(sorted(ids))}."
            )
        return self


class ParameterFiles:
    """Writer and reader of the four files.

    Each file is a JSON object keyed by coin. A file is replaced in one step, so a reader sees the
    old or the new one, never half of it; the four are replaced one after another, which is why
    every entry names its refit and ``read`` insists that the four agree.
    """

    names = (KAPPA, EPSILON, LAMBDA, VALUE_FUNCTION)

    def __init__(self, directory: Path, bad_rows: BadRows | None = None) -> None:
        self.directory = directory
        self.bad_rows = BadRows() if bad_rows is None else bad_rows
        """What was left out: other coins' entries that are not JSON, solutions that are none."""
        self._told: set[str] = set()

    def publish(self, sets: Mapping[str, ParameterSet]) -> None:
        """Write these coins' entries and leave other coins' as they are.

        An entry of another coin that holds what JSON has no word for (NaN) is left out.

        Raises
        ------
        MixedParametersError
            A set's own entries disagree on ``calibration_id``.
        UnusableParametersError
            An existing file is not JSON (it is left alone; delete it to go on).
        """
        for parameter_set in sets.values():
            parameter_set.require_one_refit()
        additions: dict[str, dict[str, Any]] = {
            KAPPA: {coin: s.kappa.to_json() for coin, s in sets.items()},
            EPSILON: {coin: s.epsilon.to_json() for coin, s in sets.items()},
            LAMBDA: {coin: s.lambda_.to_json() for coin, s in sets.items()},
            VALUE_FUNCTION: {
                coin: [v.to_json() for v in s.value_functions] for coin, s in sets.items()
            },
        }
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"{self.directory} cannot be made ({error.strerror}).") from None
        with self._lock():
            for name, addition in additions.items():
                path = self.directory / name
                existing = _load(path) if path.exists() else {}
                others = {coin: old for coin, old in existing.items() if coin not in addition}
                try:
                    write_json_atomically(path, {**others, **addition})
                except ValueError:
                    write_json_atomically(path, {**self._sound(path, others), **addition})

    def _sound(self, path: Path, entries: Mapping[str, Any]) -> dict[str, Any]:
        """The entries that can be written as JSON."""
        sound = {}
        for coin, entry in entries.items():
            try:
                json.dumps(entry, allow_nan=False)
            except ValueError:
                self._leave_out(path, f"{coin}: holds NaN or infinity")
            else:
                sound[coin] = entry
        return sound

    def _leave_out(self, path: Path, reason: str) -> None:
        level = logging.DEBUG if reason in self._told else logging.WARNING
        logger.log(level, "%s: left out: %s", path, reason)
        self._told.add(reason)
        self.bad_rows.add(path.name, reason)

    def read(self, coin: str) -> ParameterSet:
        """Read one coin's four entries; solutions that are none are left out of the list of them.

        Raises
        ------
        MissingParametersError, MixedParametersError, UnusableParametersError
            See each; all are ``ParameterFileError``.
        """
        kappa = self._entry(KAPPA, coin, KappaEntry)
        epsilon = self._entry(EPSILON, coin, EpsilonEntry)
        lambda_ = self._entry(LAMBDA, coin, LambdaEntry)
        solved = []
        for item in self._items(VALUE_FUNCTION, coin):
            try:
                solved.append(self._validate(VALUE_FUNCTION, coin, item, ValueFunctionEntry))
            except UnusableParametersError as error:
                self._leave_out(self.directory / VALUE_FUNCTION, str(error))
        return ParameterSet(coin, kappa, epsilon, lambda_, tuple(solved)).require_one_refit()

    def resolve(self, name: str) -> str:
        """Return the coin with an entry that is meant by a name in whichever spelling.

        Raises
        ------
        MissingParametersError, UnusableParametersError
            There is no such entry, or no file.
        InputError
            Several coins with entries can be meant.
        """
        path = self.directory / KAPPA
        coins = list(_load(path))
        if code_of(name) not in map(code_of, coins):
            raise _no_entry(path, name, coins)
        return resolve_coin(name, coins, str(path))

    def signature(self) -> tuple[tuple[int, int], ...]:
        """(inode, modification time in ns) of each file, zeros if absent: changes at each refit."""
        found = []
        for name in self.names:
            try:
                stat = (self.directory / name).stat()
                found.append((stat.st_ino, stat.st_mtime_ns))
            except FileNotFoundError:
                found.append((0, 0))
            except OSError as error:
                raise UnusableParametersError(_unreadable(self.directory / name, error)) from None
        return tuple(found)

    def _entry(self, name: str, coin: str, kind: type[Entry]) -> Entry:
        return self._validate(name, coin, self._raw(name, coin), kind)

    def _items(self, name: str, coin: str) -> list[Any]:
        raw = self._raw(name, coin)
        if not isinstance(raw, list):
            raise UnusableParametersError(
                f"{self.directory / name}: {coin} must be a list of solved configurations."
            )
        return raw

    def _raw(self, name: str, coin: str) -> Any:
        path = self.directory / name
        content = _load(path)
        if coin not in content:
            raise _no_entry(path, coin, content)
        return content[coin]

    def _validate(self, name: str, coin: str, raw: Any, kind: type[Entry]) -> Entry:
        try:
            return kind.model_validate(raw)
        except ValidationError as error:
            fault = error.errors()[0]
            message = fault["msg"].removeprefix("Value error, ")
            field = ".".join(str(part) for part in fault["loc"])
            where = f"{self.directory / name}: {coin}: "
            if field:
                where += f"{field} = {fault['input']!r}: "
            raise UnusableParametersError(f"{where}{message}.") from None

    @contextlib.contextmanager
    def _lock(self) -> Iterator[None]:
        """Keep the runner and a script run by hand from undoing each other's update."""
        with (self.directory / ".parameters.lock").open("w") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield


def _load(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise MissingParametersError(f"{path} does not exist; start the periodic runner.") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise UnusableParametersError(
            f"{path} is not valid JSON ({error}); delete it and let the runner write it."
        ) from None
    except OSError as error:
        raise UnusableParametersError(_unreadable(path, error)) from None
    if not isinstance(content, dict):
        raise UnusableParametersError(f"{path} must hold one JSON object keyed by coin.")
    return content


def _no_entry(path: Path, name: str, coins: Iterable[str]) -> MissingParametersError:
    meant = nearest(name, coins)
    hint = f" (did you mean {' or '.join(meant)})" if meant else ""
    return MissingParametersError(
        f"{path} has no entry for {name}{hint}; is the periodic runner fitting it?"
    )


def _unreadable(path: Path, error: OSError) -> str:
    return f"{path} cannot be read ({error.strerror}); look at the file and its folder."


def write_json_atomically(path: Path, content: Any, mode: int = 0o644) -> None:
    """Write JSON to a temporary file beside ``path``, then rename it over ``path``.

    ``mode`` are the permissions of the file.

    Raises
    ------
    ValueError
        The content holds NaN or infinity, which JSON has no word for; nothing is written.
    """
    text = _lines(content)
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        Path(temporary).chmod(mode)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _lines(content: Any) -> str:
    """Return JSON with a line for each field of each entry.

    The separator does what ``indent`` would, which Python's encoder in C does not know: the four
    files of fifty coins are written every few seconds.
    """
    if not isinstance(content, dict):
        return json.dumps(content, allow_nan=False)
    entries = (
        f"{json.dumps(name)}: {json.dumps(entry, allow_nan=False, separators=_FIELDS_APART)}"
        for name, entry in content.items()
    )
    return "{\n " + ",\n ".join(entries) + "\n}"
