"""A YAML file with the line of each field, for messages that say where."""

from collections.abc import Hashable, Iterator
from pathlib import Path
from typing import Any

import yaml

from advanced_mm.errors import InputError

__all__ = ["FieldPath", "YamlFile", "read_yaml", "spelled"]

FieldPath = tuple[str | int, ...]
"""Where a value stands: names in mappings, numbers in lists."""


def spelled(path: FieldPath) -> str:
    """Return a path as people write it: ``markets[0].policy.bin_step``."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")


class YamlFile:
    """A file's contents, a mapping, and where each field stands."""

    def __init__(self, path: Path, contents: dict[str, Any], lines: dict[FieldPath, int]) -> None:
        self.path = path
        self.contents = contents
        self._lines = lines

    def where(self, path: FieldPath) -> str:
        """Return file and line of a field, or of the nearest block around it that is there."""
        for end in range(len(path), 0, -1):
            if (line := self._lines.get(path[:end])) is not None:
                return f"{self.path}, line {line}"
        return str(self.path)


def read_yaml(path: Path) -> YamlFile:
    """Read a file that holds one mapping.

    Raises
    ------
    InputError
        It cannot be read, is no YAML, is no mapping, or names a field twice.
    """
    try:
        text = path.read_text(encoding="utf-8")
        node = yaml.compose(text, yaml.SafeLoader)
        contents = yaml.safe_load(text)
        fields = list(_fields(node, ())) if isinstance(contents, dict) and node is not None else []
    except FileNotFoundError:
        raise InputError(f"{path} does not exist: write it with scripts/init_maker.py.") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise InputError(f"{path} is no text in UTF-8: save it as such.") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        at = "" if mark is None else f", line {mark.line + 1}"
        raise InputError(f"{path}{at} is no YAML: {error.problem}; correct it.") from None
    except yaml.YAMLError as error:
        raise InputError(f"{path} is no YAML: {error}; correct it.") from None
    except (ValueError, LookupError, AttributeError, RecursionError):
        # What PyYAML lets through; its words may have a value, which may be a key.
        raise InputError(
            f"{path} is no YAML: a value is no date or number although it is written as one, or a "
            "block stands within itself; correct it."
        ) from None
    if not isinstance(contents, dict):
        raise InputError(
            f"{path} holds no settings: it should begin with a line like name: my_maker."
        )
    lines: dict[FieldPath, int] = {}
    for field, line in fields:
        if field in lines:
            raise InputError(
                f"{path}, line {line}: {spelled(field)} is set a second time (first in line "
                f"{lines[field]}): remove one."
            )
        lines[field] = line
    return YamlFile(path, contents, lines)


def _fields(node: yaml.Node, path: FieldPath) -> Iterator[tuple[FieldPath, int]]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            below = (*path, _plain(key))
            yield below, key.start_mark.line + 1
            yield from _fields(value, below)
    elif isinstance(node, yaml.SequenceNode):
        for number, value in enumerate(node.value):
            below = (*path, number)
            yield below, value.start_mark.line + 1
            yield from _fields(value, below)


def _plain(key: yaml.Node) -> str:
    value: Hashable = key.value if isinstance(key, yaml.ScalarNode) else str(key.tag)
    return str(value)
