"""Read a maker's file, or say in one sentence each what is wrong with it."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, get_args, get_origin

from pydantic import BaseModel, ValidationError

from advanced_mm.errors import InputError
from advanced_mm.file_versions import check_version
from advanced_mm.maker.config.keys import KEY_VARIABLES, secrets_in
from advanced_mm.maker.config.settings import MAKER_FILE_VERSION, MakerSettings
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
    version = file.contents.get("version")
    if isinstance(version, int):  # before the settings, which may have other names then
        check_version(version, MAKER_FILE_VERSION, str(path))
    try:
        settings = MakerSettings.model_validate(file.contents)
    except ValidationError as error:
        faults = [_fault(file, MakerSettings, one) for one in error.errors()]
        raise _refusal(file, [*faults, *_policy_faults(file)]) from None
    _refuse(file, _policy_faults(file))
    contradictions = (
        (at, f"{spelled(at)} = {_value(file.contents, at)} {what}")
        for at, what in settings.problems()
    )
    _refuse(file, list(contradictions))
    policies = []
    for number, market in enumerate(settings.markets):
        try:
            policies.append(build(market.policy.kind, market.policy.settings))
        except InputError as error:  # what only the whole policy can tell
            where = file.where(("markets", number, "policy"))
            raise InputError(f"{where}: {error}") from None
    return MakerConfig(path, settings, tuple(policies))


_Found = tuple[FieldPath, str]
_A_BLOCK: Final = "a block of settings, one a line and indented below it"
_BLOCKS: Final = {
    "dict_type": _A_BLOCK,
    "model_type": _A_BLOCK,
    "dataclass_type": _A_BLOCK,
    "list_type": "a list, each entry indented below it and begun with a hyphen",
}
"""What a fault of this kind lacks."""


def _refusal(file: YamlFile, faults: list[_Found]) -> InputError:
    sentences = dict.fromkeys(f"{file.where(at)}: {sentence}." for at, sentence in faults)
    return InputError("\n".join(sentences))


def _refuse(file: YamlFile, faults: list[_Found]) -> None:
    if faults:
        raise _refusal(file, faults)


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
    at = (*base, *(part for part in inner if part != "[key]"))
    name, kind = spelled(at), fault["type"]
    if kind in ("extra_forbidden", "unexpected_keyword_argument"):
        known = _known(form, inner[:-1])
        close = get_close_matches(str(at[-1]), known, n=1)
        meant = f"you may mean {close[0]}" if close else f"the settings are {', '.join(known)}"
        return at, f"{name} is not a setting: {meant}"
    if kind in ("missing", "missing_argument"):
        return at, f"{name} is missing: set it"
    if kind in _BLOCKS:
        return at, f"{name} = {fault['input']!r}: it should be {_BLOCKS[kind]}"
    said = fault["msg"].removeprefix("Value error, ").rstrip(".")
    said = said.replace("Input should", "it should", 1)
    if isinstance(fault["input"], Mapping | list):
        return at, f"{name or 'the file'}: {said.removeprefix(f'{at[-1]}: ' if at else '')}"
    return at, f"{name} = {fault['input']!r}: {said}"


def _known(form: Any, path: FieldPath) -> list[str]:
    """Return the fields of the block at a path below a form."""
    for part in path:
        if get_origin(form) in (list, dict):
            form = get_args(form)[-1]
        else:
            block = _block(form)
            form = block.model_fields[part].annotation if issubclass(block, BaseModel) else None
    block = _block(form)
    if dataclasses.is_dataclass(block):
        return [field.name for field in dataclasses.fields(block)]
    return list(block.model_fields)


def _block(form: Any) -> Any:
    """Return the form of a block that may be null."""
    return next(one for one in get_args(form) or (form,) if one is not type(None))


def _value(contents: Any, path: FieldPath) -> str:
    for part in path:
        contents = contents[part]
    return repr(contents) if not isinstance(contents, Mapping | list) else "this block"
