"""The strategy: what it adds to the configuration, and what a hyperopt left to replace it."""

import ast
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from advanced_mm.doctor.lines import Line, fault, ok, warning

__all__ = ["STRATEGY", "attributes_of", "examine_strategy"]

STRATEGY: Final = "Market_Making"
_MERGED: Final = frozenset(
    {
        "minimal_roi",
        "order_time_in_force",
        "order_types",
        "process_only_new_candles",
        "stoploss",
        "timeframe",
        "trailing_stop",
        "use_custom_stoploss",
        "use_exit_signal",
    }
)
"""Attributes that Freqtrade copies into the configuration where that does not set them."""


def attributes_of(strategy_dir: Path) -> dict[str, Any]:
    """Return what the strategy adds to a configuration, read without running it.

    Empty if the file is missing or is no Python, which `examine_strategy` says.
    """
    try:
        tree = ast.parse((strategy_dir / f"{STRATEGY}.py").read_text(encoding="utf-8"))
    except (OSError, SyntaxError, ValueError):
        return {}
    found = {}
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name == STRATEGY:
            for line in node.body:
                if isinstance(line, ast.Assign) and isinstance(line.targets[0], ast.Name):
                    name = line.targets[0].id
                    if name in _MERGED:
                        found[name] = ast.literal_eval(line.value)
    return found


def examine_strategy(strategy_dir: Path, attributes: Mapping[str, Any]) -> Iterator[Line]:
    """Check for the strategy, and for the file that hyperopt leaves beside it.

    ``attributes`` are those that `attributes_of` found in the folder.
    """
    if not attributes:
        yield fault(
            "strategy",
            f"{strategy_dir} has no {STRATEGY}.py that can be read",
            "start in the project's folder, or give --strategy-path",
        )
        return
    path = strategy_dir / f"{STRATEGY}.json"
    if not path.exists():
        yield ok("strategy", "no result of hyperopt replaces settings")
        return
    try:
        found = json.loads(path.read_text(encoding="utf-8"))["params"]
        told = "; ".join(f"{space}: {values}" for space, values in found.items() if values)
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        yield fault("strategy", f"{path} is no result of hyperopt", f"rm {path}")
        return
    if told:
        yield warning(
            "strategy",
            f"a result of hyperopt, {path}, replaces settings of the configuration: {told}",
            f"rm {path}, unless that is what you want",
        )
    else:
        yield ok("strategy", f"{path} replaces nothing")
