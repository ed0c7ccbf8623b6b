"""Read a maker's file, or say in one sentence each what is wrong with it."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from advanced_mm.errors import InputError
from advanced_mm.maker.config.keys import KEY_VARIABLES, secrets_in
from advanced_mm.maker.config.settings import MakerSettings, MarketSettings
from advanced_mm.maker.config.yaml_file import FieldPath, YamlFile, read_yaml, spelled
from advanced_mm.policies import Policy, build, settings_of

__all__ = ["MakerConfig", "read_config"]


@dataclass(frozen=True)
class MakerConfig:
    """A maker's file: its settings, and the policy of each market in their order."""

    path: Path
    settings: MakerSettings
    policies: tuple[Policy, ...]


def read_config(path: Path) -> MakerConfig:
    """Read and check a maker's file.

    Raises
    ------
    InputError
        The file cannot be used; one sentence a fault names file, line, field, value and remedy.
    """
    file = read_yaml(path)
    _refuse(file, _secrets(file))
    try:
        settings = MakerSettings.model_validate(file.contents)
    except ValidationError as error:
        faults = [_fault(file, MakerSettings, one) for one in error.errors()]
        _refuse(file, [*faults, *_policy_faults(file)])
        raise
    _refuse(file, _policy_faults(file))
    _refuse(
        file,
        [
            (at, f"{spelled(at)} = {_value(file.contents, at)} {what}")
            for at, what in settings.problems()
        ],
    )
    policies = []
    for number, market in enumerate(settings.markets):
        try:
            policies.append(build(market.policy.kind, market.policy.settings))
        except InputError as error:  # what only the whole policy can tell
            where = file.where(("markets", number, "policy"))
            raise InputError(f"{where}: {error}") from None
    return MakerConfig(path, settings, tuple(policies))


_Found = tuple[FieldPath, str]


def _refuse(file: YamlFile, faults: list[_Found]) -> None:
    if faults:
        unique = dict.fromkeys(f"{file.where(at)}: {sentence}." for at, sentence in faults)
        raise InputError("\n".join(unique))


def _secrets(file: YamlFile) -> list[_Found]:
    variables = "; ".join(f"{' and '.join(names.values())}" for names in KEY_VARIABLES.values())
    return [
        (
            at,
            f"{spelled(at)} looks like a key, and keys are never read from a file: remove it, and "
            f"set the environment variables instead ({variables})",
        )
        for at in secrets_in(file.contents)
    ]


def _policy_faults(file: YamlFile) -> list[_Found]:
    """Check the policies' blocks, also of a file that has other faults."""
    found: list[_Found] = []
    markets = file.contents.get("markets")
    for number, market in enumerate(markets if isinstance(markets, list) else ()):
        block = market.get("policy") if isinstance(market, Mapping) else None
        if not isinstance(block, Mapping) or not isinstance(block.get("kind"), str):
            continue
        at: FieldPath = ("markets", number, "policy")
        settings = {str(name): value for name, value in block.items() if name != "kind"}
        try:
            form = settings_of(block["kind"])
        except InputError as error:
            found.append(((*at, "kind"), f"markets[{number}].{str(error).rstrip('.')}"))
            continue
        try:
            form.model_validate(settings)
        except ValidationError as error:
            found += [_fault(file, form, one, at) for one in error.errors()]
    return found


def _fault(
    file: YamlFile, form: type[BaseModel], fault: Mapping[str, Any], base: FieldPath = ()
) -> _Found:
    """Return where a fault of pydantic lies, and a sentence on it."""
    inner: FieldPath = tuple(fault["loc"])
    at = (*base, *inner)
    name, kind = spelled(at), fault["type"]
    if kind in ("extra_forbidden", "unexpected_keyword_argument"):
        known = sorted(_known(form, inner[:-1]))
        close = get_close_matches(str(at[-1]), known, n=1)
        meant = f"did you mean {close[0]}?" if close else f"the settings here are {', '.join(known)}"
        return at, f"{name} = {fault['input']!r} is not a setting: {meant.removesuffix('?')}" + (
            "?" if close else ""
        )
    if kind in ("missing", "missing_argument"):
        return at, f"{name} is missing: set it"
    said = fault["msg"].removeprefix("Value error, ").rstrip(".")
    said = said.replace("Input should", "it should", 1)
    if isinstance(fault["input"], Mapping | list):
        return at, f"{name or 'the file'}: {said}"
    return at, f"{name} = {fault['input']!r}: {said}"


def _known(form: Any, path: FieldPath) -> Iterator[str]:
    """Yield the fields of the block at a path below a form."""
    for part in path:
        form = _below(form, part)
    yield from _fields(form)


def _fields(form: Any) -> list[str]:
    if isinstance(form, type) and issubclass(form, BaseModel):
        return list(form.model_fields)
    if dataclasses.is_dataclass(form):
        return [field.name for field in dataclasses.fields(form)]
    return []


def _below(form: Any, part: str | int) -> Any:
    """Return the type of a field, or of the values of a list or mapping."""
    if isinstance(form, type) and issubclass(form, BaseModel) and isinstance(part, str):
        form = form.model_fields[part].annotation if part in form.model_fields else None
        inner = [one for one in get_args(form) if _fields(one)]
        return inner[0] if inner and form is not None and not _is_container(form) else form
    return get_args(form)[-1] if get_args(form) else None


def _is_container(form: Any) -> bool:
    return getattr(form, "__origin__", None) in (list, dict)


def _value(contents: Any, path: FieldPath) -> str:
    for part in path:
        contents = contents[part]
    return repr(contents) if not isinstance(contents, Mapping | list) else "this block"
