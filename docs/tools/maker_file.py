"""Write the tables of a maker's settings into docs/maker_file.md, from the code that reads them.

python docs/tools/maker_file.py            # write it
python docs/tools/maker_file.py --check    # exit code 1 if the page is not as the code is
"""

import argparse
import dataclasses
import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from advanced_mm.cli import run
from advanced_mm.errors import InputError
from advanced_mm.hedging.settings import (
    ActiveSettings,
    DeltaSettings,
    HedgeSettings,
    PassiveSettings,
)
from advanced_mm.maker.config import (
    DrySettings,
    ExchangeSettings,
    MakerSettings,
    MarketSettings,
)
from advanced_mm.maker.limits import Limits
from advanced_mm.policies import VolatilitySettings

PAGE = Path(__file__).resolve().parents[1] / "maker_file.md"
BEGIN, END = "<!-- tables: written by docs/tools/maker_file.py -->", "<!-- end -->"
BLOCKS: tuple[tuple[str, Any], ...] = (
    ("The file", MakerSettings),
    ("An exchange: `exchanges.NAME`", ExchangeSettings),
    ("Its account without `--live`: `exchanges.NAME.dry`", DrySettings),
    ("A market: `markets[…]`", MarketSettings),
    ("Its volatility: `volatility`", VolatilitySettings),
    ("Its limits: `limits`", Limits),
    ("Its hedge: `hedge`", HedgeSettings),
    ("`hedge.active`", ActiveSettings),
    ("`hedge.passive`", PassiveSettings),
    ("`hedge.delta`", DeltaSettings),
)


def main(argv: list[str] | None = None) -> int:
    """Write or check the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing, compare")
    check = parser.parse_args(argv).check
    old = PAGE.read_text(encoding="utf-8")
    before, _, rest = old.partition(BEGIN)
    _, _, after = rest.partition(END)
    tables = "\n\n".join(f"## {title}\n\n{table(form)}" for title, form in BLOCKS)
    new = f"{before}{BEGIN}\n\n{tables}\n\n{END}{after}"
    if not check:
        PAGE.write_text(new, encoding="utf-8")
    elif new != old:
        sys.stderr.write(f"{PAGE} is not as the code is; run python {sys.argv[0]}\n")
        return 1
    return 0


def table(form: Any) -> str:
    """One row a setting, in the order of the code."""
    rows = ["| setting | default | allowed | meaning |", "| --- | --- | --- | --- |"]
    meanings = {name: text for names, text in documented(form) for name in names}
    fields = form.model_fields if issubclass(form, BaseModel) else {}
    for name in fields or [one.name for one in dataclasses.fields(form)]:
        field = fields.get(name)
        meaning = (field.description if field is not None else None) or meanings[name]
        allowed = tried_bounds(name) if form is Limits else "" if field is None else bounds(field)
        rows.append(f"| `{name}` | {default(form, name)} | {allowed} | {meaning} |")
    return "\n".join(rows)


def documented(form: Any) -> Iterator[tuple[list[str], str]]:
    """Yield names and meaning from a docstring's parameters or attributes."""
    classes = form.__mro__ if issubclass(form, BaseModel) else (form,)
    for one in classes:
        text = inspect.cleandoc(one.__doc__ or "")
        for names, meaning in re.findall(r"^(\w+(?:, \w+)*)\n((?:    .*\n?)+)", text, re.M):
            words = " ".join(meaning.split()).replace("``", "`").replace("|", "\\|").rstrip(".")
            first = words[0].lower() if words[1].islower() else words[0]
            yield names.split(", "), first + words[1:]


def default(form: Any, name: str) -> str:
    """Return a default as YAML writes it; none where the setting must be given."""
    if issubclass(form, BaseModel):
        field = form.model_fields[name]
        if field.is_required():
            return "must be given"
        value = field.get_default(call_default_factory=True)
    else:
        value = next(one.default for one in dataclasses.fields(form) if one.name == name)
    if value is None:
        return "null"
    if isinstance(value, BaseModel) or dataclasses.is_dataclass(value):
        return "all defaults"
    if isinstance(value, tuple | list):
        return "none" if not value else str(value)
    return str(value).lower() if isinstance(value, bool) else f"{value}"


def bounds(field: FieldInfo) -> str:
    """Return the bounds of a number."""
    signs = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}
    found = [
        f"{sign} {float(limit):g}".replace("-", "−")
        for rule in field.metadata
        for name, sign in signs.items()
        if (limit := getattr(rule, name, None)) is not None
    ]
    return ", ".join(found)


def tried_bounds(name: str) -> str:
    """Return the bounds of a limit, which its class checks by itself, by trying values."""

    def takes(value: float) -> bool:
        values: dict[str, Any] = {name: value}
        try:
            Limits(**values)
        except InputError:
            return False
        return True

    if takes(-1):
        return ""
    if takes(0.5):
        return f"{'≥' if takes(0) else '>'} 0{'' if takes(1) else ', < 1'}"
    return f"≥ {next(least for least in range(1, 100) if takes(least))}"


if __name__ == "__main__":
    sys.exit(run(main))
