"""Write the tables of settings into docs/settings.md and docs/policies.md, from the code.

python docs/tools/settings_table.py            # write them
python docs/tools/settings_table.py --check    # exit code 1 if a page is not as the code is
"""

import argparse
import sys
from pathlib import Path
from typing import Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from advanced_mm.cli import run
from advanced_mm.parameter_files import Settings
from advanced_mm.policies import KINDS, settings_of
from advanced_mm.policies.basis_points import LevelSettings
from advanced_mm.policies.volatility import VolatilitySettings

DOCS = Path(__file__).resolve().parents[1]
BEGIN, END = "<!-- settings: written by docs/tools/settings_table.py -->", "<!-- end -->"
_BOUNDS = (("ge", "≥ {}"), ("gt", "> {}"), ("le", "≤ {}"), ("lt", "< {}"))


def main(argv: list[str] | None = None) -> int:
    """Write or check the pages."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing, compare")
    check = parser.parse_args(argv).check
    tables = {"settings.md": settings_table(Settings), "policies.md": policy_tables()}
    for name, text in tables.items():
        page = DOCS / name
        old = page.read_text(encoding="utf-8")
        new = with_table(old, text)
        if not check:
            page.write_text(new, encoding="utf-8")
        elif new != old:
            sys.stderr.write(f"{page} is not as the code is; run python {sys.argv[0]}\n")
            return 1
    return 0


def with_table(page: str, text: str) -> str:
    """Return a page with the tables of now between its two marks."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{text}\n{END}{after}"


def settings_table(settings: type[BaseModel], *, own_only: bool = False) -> str:
    """One row a setting, in the order of the code; of ``own_only``, without those of its base."""
    rows = ["| setting | default | allowed | meaning |", "| --- | --- | --- | --- |"]
    for name, field in settings.model_fields.items():
        if not own_only or name in settings.__annotations__:
            rows.append(f"| `{name}` | {_shown(field)} | {_allowed(field)} | {field.description} |")
    return "\n".join(rows)


def policy_tables() -> str:
    """One table for each class of settings, under the kinds that have it."""
    kinds: dict[type[BaseModel], list[str]] = {}
    for kind in KINDS:
        for base in reversed(settings_of(kind).__mro__):
            if issubclass(base, BaseModel) and base.__annotations__ and base.model_fields:
                kinds.setdefault(base, []).append(f"`{kind}`")
    tables = [
        f"### {', '.join(names)}\n\n{settings_table(base, own_only=True)}"
        for base, names in kinds.items()
    ]
    tables.append(f"### Each of the `levels` of `basis_points`\n\n{settings_table(LevelSettings)}")
    tables.append(f"### `volatility`\n\n{settings_table(VolatilitySettings)}")
    return "\n\n".join(tables)


def _shown(field: FieldInfo) -> str:
    """Return the default as JSON writes it."""
    if field.is_required():
        return "to be set"
    if field.default is None:
        return "null"
    if field.default == ():
        return "none"
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
