"""Write the table of settings into docs/settings.md, from the code that validates them.

python docs/tools/settings_table.py            # write it
python docs/tools/settings_table.py --check    # exit code 1 if the page is not as the code is
"""

import argparse
import sys
from pathlib import Path
from typing import Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from advanced_mm.cli import run
from advanced_mm.parameter_files import Settings

PAGE = Path(__file__).resolve().parents[1] / "settings.md"
BEGIN, END = "<!-- settings: written by docs/tools/settings_table.py -->", "<!-- end -->"
_BOUNDS = (("ge", "≥ {}"), ("gt", "> {}"), ("le", "≤ {}"), ("lt", "< {}"))


def main(argv: list[str] | None = None) -> int:
    """Write or check the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing, compare")
    check = parser.parse_args(argv).check
    old = PAGE.read_text(encoding="utf-8")
    new = with_table(old)
    if not check:
        PAGE.write_text(new, encoding="utf-8")
    elif new != old:
        sys.stderr.write(f"{PAGE} is not as the code is; run python {sys.argv[0]}\n")
        return 1
    return 0


def with_table(page: str) -> str:
    """Return the page's text with the table of now between its two marks."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{settings_table()}\n{END}{after}"


def settings_table() -> str:
    """One row a setting, in the order of the code."""
    rows = ["| setting | default | allowed | meaning |", "| --- | --- | --- | --- |"]
    for name, field in Settings.model_fields.items():
        rows.append(f"| `{name}` | {_shown(field)} | {_allowed(field)} | {field.description} |")
    return "\n".join(rows)


def _shown(field: FieldInfo) -> str:
    """Return the default as JSON writes it."""
    if field.default is None:
        return "null"
    return str(field.default).lower() if isinstance(field.default, bool) else str(field.default)


def _allowed(field: FieldInfo) -> str:
    """Return the bounds of a number, or the words there are to choose from."""
    if field.annotation is bool:
        return "true, false"
    words = [
        word
        for kind in (field.annotation, *get_args(field.annotation))
        if get_origin(kind) is Literal
        for word in get_args(kind)
    ]
    if words:
        return ", ".join(words)
    bounds = {
        key: getattr(rule, key)
        for rule in field.metadata
        for key, _ in _BOUNDS
        if getattr(rule, key, None) is not None
    }
    shown = [form.format(f"{bounds[key]:g}") for key, form in _BOUNDS if key in bounds]
    return ", ".join(shown).replace("-", "−")


if __name__ == "__main__":
    sys.exit(run(main))
