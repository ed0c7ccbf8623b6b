"""The files between calibration and strategy: written atomically, read as a consistent set."""

import contextlib
import fcntl
import json
import logging
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self, TypeVar

from pydantic import ValidationError

from advanced_mm.bad_rows import BadRows
from advanced_mm.errors import AdvancedMMError, InputError
from advanced_mm.file_versions import NewerVersionError
from advanced_mm.instruments import code_of, nearest, resolve_coin
from advanced_mm.parameter_files.entries import (
    Anchor,
    EpsilonEntry,
    FairPriceEntry,
    KappaEntry,
    LambdaEntry,
    ParameterEntry,
    ValueFunctionEntry,
)
from advanced_mm.parameter_files.settings import FairPrice

__all__ = [
    "MissingParametersError",
    "MixedParametersError",
    "NewerParametersError",
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
FAIR_PRICE = "fair_price.json"

_FIELDS_APART = (",\n  ", ": ")

Entry = TypeVar("Entry", bound=ParameterEntry)


class ParameterFileError(AdvancedMMError):
    """There are no usable parameters; the strategy stops quoting and logs the message."""


class MissingParametersError(ParameterFileError):
    """A file, or the coin's entry in it, does not exist (yet)."""


class MixedParametersError(ParameterFileError):
    """The files are from different refits; normally resolved at the next read."""


class UnusableParametersError(ParameterFileError):
    """An entry is malformed, non-finite, out of range or has status ``insufficient``."""


class NewerParametersError(UnusableParametersError):
    """An entry is of a later version of this program."""


@dataclass(frozen=True)
class ParameterSet:
    """One coin's parameters from one refit.

    ``fair_price`` is None where it is not published: the mid is then the fair price. Files have the
    parameters of quotes around the mid; `around` has those of quotes around the fair price.
    """

    coin: str
    kappa: KappaEntry
    epsilon: EpsilonEntry
    lambda_: LambdaEntry
    value_functions: tuple[ValueFunctionEntry, ...]
    fair_price: FairPriceEntry | None = None

    @property
    def entries(self) -> tuple[ParameterEntry, ...]:
        """All entries that a quote requires, for checks that apply to each of them.

        That of the fair price is one where quotes are set around it.
        """
        entries = (self.kappa, self.epsilon, self.lambda_, *self.value_functions)
        if self.anchor == "mid" or self.fair_price is None:
            return entries
        return (*entries, self.fair_price)

    @property
    def anchor(self) -> Anchor:
        """What quotes from these parameters are set around."""
        return self.kappa.anchor or "mid"

    def around(self, price: FairPrice) -> "ParameterSet":
        """Return the parameters of quotes around the mid, or around the price that counts sizes.

        Where the latter were not published, because sizes foretell nothing or one of them could not
        be fitted, they are those around the mid, and so must be the quotes: see `anchor`.

        Raises
        ------
        MixedParametersError
            Those around the mid are asked of a set that has the others.
        """
        if price == "imbalance":
            return self._around_fair_price
        if self.anchor != "mid":
            raise MixedParametersError(
                f"{self.coin}: parameters of quotes around the fair price cannot be quoted around "
                "the mid"
            )
        return self

    @cached_property
    def _around_fair_price(self) -> "ParameterSet":
        fair = self.fair_price
        if self.anchor == "fair price" or self.beta == 0 or fair is None:
            return self
        if fair.kappa is None or fair.epsilon is None or fair.lambda_ is None:
            return self
        return replace(self, kappa=fair.kappa, epsilon=fair.epsilon, lambda_=fair.lambda_)

    @property
    def quoted_beta(self) -> float:
        """``beta`` if these are the parameters of quotes around the fair price, else 0."""
        return self.beta if self.anchor == "fair price" else 0.0

    @property
    def beta(self) -> float:
        """Move of the fair price per unit of imbalance, quote currency; 0 if it is not known."""
        fitted = self.fair_price
        if fitted is None or fitted.status == "insufficient" or fitted.beta is None:
            return 0.0
        return fitted.beta

    @property
    def calibration_id(self) -> str:
        """Id of the refit, shared by all entries."""
        return self.kappa.calibration_id

    def require_one_refit(self) -> Self:
        """Return the set itself, or raise ``MixedParametersError`` if ids differ."""
        ids = {entry.calibration_id for entry in self.entries}
        if self.fair_price is not None:
            ids.add(self.fair_price.calibration_id)
        if len(ids) != 1:
            raise MixedParametersError(
                f"{self.coin}: the parameter files are from different refits "
                f"({', '.join(sorted(ids))}); if this lasts, restart the periodic runner."
            )
        anchors = {entry.anchor or "mid" for entry in (self.kappa, self.epsilon, self.lambda_)}
        if len(anchors) != 1:
            raise MixedParametersError(
                f"{self.coin}: kappa, epsilon and lambda are measured from different prices "
                f"({', '.join(sorted(anchors))}); restart the periodic runner."
            )
        if self.anchor == "fair price" and self.beta == 0:
            raise MixedParametersError(
                f"{self.coin}: kappa, epsilon and lambda are measured from the fair price, but "
                "where that is was not published; restart the periodic runner."
            )
        return self


class ParameterFiles:
    """Writer and reader of the parameter files.

    Each file is a JSON object keyed by coin and is replaced atomically, so a reader sees either the
    old or the new one. The files are replaced one after another, so every entry has the id of its
    refit and ``read`` requires the same id in all of them. ``fair_price.json`` may be missing, or
    have no entry for a coin.
    """

    names = (KAPPA, EPSILON, LAMBDA, VALUE_FUNCTION, FAIR_PRICE)

    def __init__(self, directory: Path, bad_rows: BadRows | None = None) -> None:
        self.directory = directory
        self.bad_rows = BadRows() if bad_rows is None else bad_rows
        """Skipped rows: other coins' entries that are not valid JSON, and invalid solutions."""
        self._logged: set[str] = set()

    def publish(self, sets: Mapping[str, ParameterSet]) -> None:
        """Write these coins' entries and keep those of other coins.

        An entry of another coin that is not valid JSON (it contains NaN) is dropped.

        Raises
        ------
        MixedParametersError
            The entries of a set differ in ``calibration_id``.
        UnusableParametersError
            An existing file is not JSON. It is not changed; delete it to continue.
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
            FAIR_PRICE: {
                coin: s.fair_price.to_json() for coin, s in sets.items() if s.fair_price is not None
            },
        }
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"{self.directory} cannot be created ({error.strerror}).") from None
        with self._lock():
            for name, addition in additions.items():
                path = self.directory / name
                existing = _load(path) if path.exists() else {}
                others = {coin: old for coin, old in existing.items() if coin not in sets}
                if not addition and others == existing:
                    continue
                try:
                    write_json_atomically(path, {**others, **addition})
                except ValueError:
                    write_json_atomically(path, {**self._sound(path, others), **addition})

    def _sound(self, path: Path, entries: Mapping[str, Any]) -> dict[str, Any]:
        """Return the entries that can be written as JSON."""
        sound = {}
        for coin, entry in entries.items():
            try:
                json.dumps(entry, allow_nan=False)
            except ValueError:
                self._skip(path, f"{coin}: contains NaN or infinity")
            else:
                sound[coin] = entry
        return sound

    def _skip(self, path: Path, reason: str) -> None:
        level = logging.DEBUG if reason in self._logged else logging.WARNING
        logger.log(level, "%s: skipped: %s", path, reason)
        self._logged.add(reason)
        self.bad_rows.add(path.name, reason)

    def read(self, coin: str) -> ParameterSet:
        """Read one coin's entries; invalid solutions are skipped.

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
                self._skip(self.directory / VALUE_FUNCTION, str(error))
        found = ParameterSet(coin, kappa, epsilon, lambda_, tuple(solved), self._fair_price(coin))
        return found.require_one_refit()

    def _fair_price(self, coin: str) -> FairPriceEntry | None:
        """Return the entry, None if it was not published."""
        try:
            return self._entry(FAIR_PRICE, coin, FairPriceEntry)
        except MissingParametersError:
            return None

    def resolve(self, name: str) -> str:
        """Return the coin with an entry that matches a name in any spelling.

        Raises
        ------
        MissingParametersError, UnusableParametersError
            There is no such entry or no usable file.
        InputError
            Several coins with entries match.
        """
        path = self.directory / KAPPA
        coins = list(_load(path))
        if code_of(name) not in map(code_of, coins):
            raise _no_entry(path, name, coins)
        return resolve_coin(name, coins, str(path))

    def signature(self) -> tuple[tuple[int, int], ...]:
        """Return (inode, mtime in ns) of each file, zeros if missing; changes at each refit."""
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
                f"{self.directory / name}: {coin} must be a list of solved configurations; "
                "rerun the calibration."
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
            newer = isinstance(fault.get("ctx", {}).get("error"), NewerVersionError)
            message = fault["msg"].removeprefix("Value error, ")
            field = ".".join(str(part) for part in fault["loc"])
            where = f"{self.directory / name}: {coin}: "
            if field:
                where += f"{field} = {fault['input']!r}: "
            kind_of_error = NewerParametersError if newer else UnusableParametersError
            raise kind_of_error(f"{where}{message}.") from None

    @contextlib.contextmanager
    def _lock(self) -> Iterator[None]:
        """Prevent concurrent updates by the runner and a script run by hand."""
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
            f"{path} is not valid JSON ({error}); delete it, the runner writes it again."
        ) from None
    except OSError as error:
        raise UnusableParametersError(_unreadable(path, error)) from None
    if not isinstance(content, dict):
        raise UnusableParametersError(
            f"{path} must be a JSON object keyed by coin; delete it, the runner writes it again."
        )
    return content


def _no_entry(path: Path, name: str, coins: Iterable[str]) -> MissingParametersError:
    meant = nearest(name, coins)
    hint = f" (did you mean {' or '.join(meant)})" if meant else ""
    return MissingParametersError(
        f"{path} has no entry for {name}{hint}; check that the periodic runner fits it."
    )


def _unreadable(path: Path, error: OSError) -> str:
    return f"{path} cannot be read ({error.strerror}); check the file and its folder."


def write_json_atomically(path: Path, content: Any, mode: int = 0o644) -> None:
    """Write JSON to a temporary file beside ``path``, then rename it over ``path``.

    ``mode`` sets the file's permissions.

    Raises
    ------
    ValueError
        The content contains NaN or infinity, which JSON cannot represent; nothing is written.
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

    The separator replaces ``indent``, which Python's C encoder does not support; the files of
    fifty coins are written every few seconds.
    """
    if not isinstance(content, dict):
        return json.dumps(content, allow_nan=False)
    entries = (
        f"{json.dumps(name)}: {json.dumps(entry, allow_nan=False, separators=_FIELDS_APART)}"
        for name, entry in content.items()
    )
    return "{\n " + ",\n ".join(entries) + "\n}"
