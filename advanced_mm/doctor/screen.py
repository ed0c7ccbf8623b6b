"""The lines as a person reads them, and as JSON."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from advanced_mm.doctor.lines import Level, Line, exit_code

__all__ = ["as_json", "print_lines"]

_SHOWN: Final[dict[Level, tuple[str, str]]] = {
    "ok": ("ok", "green"),
    "warning": ("warning", "yellow"),
    "fault": ("FAULT", "bold red"),
    "unchecked": ("not checked", "dim"),
}


def print_lines(console: Console, lines: Sequence[Line]) -> None:
    """Print a line for each, what to do below it, and how many there are of each level."""
    table = Table.grid(padding=(0, 2))
    for line in lines:
        word, style = _SHOWN[line.level]
        text = Text(line.text)
        if line.remedy:
            text.append(f"\n→ {line.remedy}", style="bold")
        table.add_row(Text(word, style=style), Text(line.check), text)
    console.print(table)
    faults, warnings, open_ = (
        sum(line.level == level for line in lines) for level in ("fault", "warning", "unchecked")
    )
    found = f"{faults} fault{'s' * (faults != 1)}, {warnings} warning{'s' * (warnings != 1)}"
    console.print(f"\n{found}, {open_} not checked")


def as_json(lines: Sequence[Line]) -> str:
    """Return one JSON document."""
    document = {"exit_code": exit_code(lines), "lines": [asdict(line) for line in lines]}
    return json.dumps(document, indent=2, ensure_ascii=False)
