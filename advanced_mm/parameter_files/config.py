"""Freqtrade's configuration for the sidecar: files merged in order, then the environment.

The sidecar must read the same settings as the bot without importing Freqtrade, whose import alone
takes more memory than the runner. Freqtrade's rules apply: later files take precedence, a file
takes precedence over those in its ``add_config_files``, and ``FREQTRADE__SECTION__KEY`` environment
variables override everything.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import rapidjson

from advanced_mm.errors import InputError

__all__ = ["environment_overrides", "load_config"]

_PREFIX = "FREQTRADE__"
_PARSE_MODE = rapidjson.PM_COMMENTS | rapidjson.PM_TRAILING_COMMAS

Config = dict[str, Any]


def load_config(paths: Sequence[Path], environment: Mapping[str, str] | None = None) -> Config:
    """Merge configuration files and the environment (``os.environ`` by default).

    Raises
    ------
    InputError
        A file is missing or is not a JSON object; the message names it.
    """
    merged: Config = {}
    for path in paths:
        merged = _merge(merged, _read_with_additions(path))
    overrides = environment_overrides(os.environ if environment is None else environment)
    return _merge(merged, overrides)


def environment_overrides(environment: Mapping[str, str]) -> Config:
    """Turn ``FREQTRADE__A__B=value`` into ``{"a": {"b": value}}``, typed as Freqtrade does."""
    nested: Config = {}
    for name, text in sorted(environment.items()):
        if not name.startswith(_PREFIX):
            continue
        value: Any = _typed(text)
        for key in reversed(name[len(_PREFIX) :].split("__")):
            value = {key.lower(): value}
        nested = _merge(nested, value)
    return nested


def _typed(text: str) -> Any:
    for convert in (int, float):
        try:
            return convert(text)
        except ValueError:
            continue
    if text.lower() in ("t", "true"):
        return True
    if text.lower() in ("f", "false"):
        return False
    try:
        value = rapidjson.loads(text)
    except rapidjson.JSONDecodeError:
        return text
    return value if isinstance(value, list) else text


def _read_with_additions(path: Path, depth: int = 0) -> Config:
    if depth > 3:
        raise InputError(f"{path}: add_config_files is nested more than three levels; flatten it.")
    config = _read(path)
    merged: Config = {}
    for name in config.get("add_config_files", []):
        merged = _merge(merged, _read_with_additions(path.parent / name, depth + 1))
    return _merge(merged, config)


def _read(path: Path) -> Config:
    try:
        config = rapidjson.loads(path.read_text(encoding="utf-8"), parse_mode=_PARSE_MODE)
    except FileNotFoundError:
        raise InputError(f"{path} does not exist; give the configuration with --config.") from None
    except rapidjson.JSONDecodeError as error:
        raise InputError(f"{path} is not valid JSON: {error}; correct it.") from None
    if not isinstance(config, dict):
        raise InputError(f"{path} contains no JSON object; a configuration looks like {{...}}.")
    return config


def _merge(base: Config, over: Mapping[str, Any]) -> Config:
    merged = dict(base)
    for key, value in over.items():
        old = merged.get(key)
        merged[key] = (
            _merge(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
        )
    return merged
