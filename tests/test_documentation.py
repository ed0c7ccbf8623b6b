"""Documentation as the code is: tables, links, the architecture page, the hooks of the site.

The site itself is built by ``make lint``, strictly: links, anchors and cross-references.
"""

import ast
import importlib.util
import re
from pathlib import Path
from typing import get_args

import pytest
import yaml

from advanced_mm.calibration import Status
from advanced_mm.parameter_files import Settings
from advanced_mm.venue.conditions.faults import Fault

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
FRONT = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]


def table_after(page: Path, mark: str) -> list[list[str]]:
    """The rows of the first table after a mark, without its two header rows."""
    _, found, rest = page.read_text().partition(mark)
    assert found, f"{page} has no {mark}"
    rows = re.search(r"(?:^\|.*\n)+", rest, re.M).group().splitlines()[2:]
    return [[cell.strip() for cell in row.strip("|").split(" | ")] for row in rows]


@pytest.fixture
def tool():
    """Load a module of docs/tools."""

    def load(name: str):
        spec = importlib.util.spec_from_file_location(name, DOCS / "tools" / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load


# ---- README and links


def test_the_readme_is_a_front_door():
    text = (ROOT / "README.md").read_text()
    assert len(text.splitlines()) <= 150
    for use in ("make paper", "make test", "freqtrade trade --dry-run", "freqtrade backtesting",
                "freqtrade hyperopt", "scripts/test_kappa.py", "docs/index.md"):  # fmt: skip
        assert use in text


@pytest.mark.parametrize("page", [*FRONT, *PAGES], ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    """For those who read the pages where they lie; the build looks at the site's own."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.M | re.S)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        if file.parent == DOCS / "reference" and file.name.startswith("advanced_mm"):
            continue  # written by the build
        assert file.exists(), target
        assert not anchor or anchor in anchors(file), target


def anchors(page: Path) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", page.read_text(), re.M)
    plain = (re.sub(r"[^\w\s-]", "", one.encode("ascii", "ignore").decode()) for one in titles)
    return {re.sub(r"[-\s]+", "-", one.strip().lower()) for one in plain}


@pytest.mark.parametrize("page", [ROOT / "README.md", *PAGES], ids=lambda page: page.name)
def test_each_picture_stands_beside_the_command_that_makes_it(page):
    text = page.read_text()
    for found in re.finditer(r"!\[[^\]]*\]\(([^)]+)\)", text):
        assert (page.parent / found.group(1)).exists()
        assert "python docs/tools/pictures.py" in text[found.end() : found.end() + 600]


def test_every_page_is_in_the_navigation():
    nav = yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"]

    def leaves(entry):
        if isinstance(entry, str):
            return [entry]
        below = entry.values() if isinstance(entry, dict) else entry
        return [leaf for one in below for leaf in leaves(one)]

    assert sorted(leaves(nav)) == sorted(str(page.relative_to(DOCS)) for page in PAGES)


# ---- tables


def test_settings_are_listed_with_default_bounds_and_meaning():
    rows = {row[0].strip("`"): row[1:] for row in table_after(DOCS / "settings.md", "settings:")}
    for name, field in Settings.model_fields.items():
        default = "null" if field.default is None else str(field.default)
        default = default.lower() if isinstance(field.default, bool) else default
        shown, _, meaning = rows.pop(name)
        assert (shown, meaning) == (default, field.description), name
    assert rows == {}


def test_bounds_are_those_of_the_code():
    rows = {row[0].strip("`"): row[2] for row in table_after(DOCS / "settings.md", "settings:")}
    assert rows["fee_rate"] == "≥ −0.01, ≤ 0.01"
    assert rows["horizon_seconds"] == "> 0"
    assert rows["sides"] == "both, one"
    assert rows["compensate_drift"] == "true, false"


def test_every_kind_of_fault_is_described():
    described = [row[0].strip("`") for row in table_after(DOCS / "venue.md", "fault kinds:")]
    union, _ = get_args(Fault)
    assert described == [kind.model_fields["kind"].default for kind in get_args(union)]


def test_every_scenario_is_described():
    described = [row[0].strip("`") for row in table_after(DOCS / "venue.md", "## Scenarios")]
    there = (path.name for path in (ROOT / "tests" / "scenarios").glob("*.yaml"))
    assert sorted(described) == sorted(there)


def test_every_status_is_explained():
    explained = [row[0].strip("`") for row in table_after(DOCS / "calibration.md", "## Statuses")]
    assert explained == list(Status)


# ---- architecture


def modules_named(cell: str) -> list[str]:
    return re.findall(r"`(advanced_mm[.\w]*)`", cell)


def exists(module: str) -> bool:
    path = ROOT.joinpath(*module.split("."))
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


def test_the_architecture_page_names_every_package_and_no_other():
    rows = table_after(DOCS / "architecture.md", "packages:")
    named = [module for row in rows for module in modules_named(row[0])]
    assert len(named) == len(set(named))
    packages = {
        ".".join(path.parent.relative_to(ROOT).parts)
        for path in (ROOT / "advanced_mm").rglob("__init__.py")
    }
    ground = {f"advanced_mm.{path.stem}" for path in (ROOT / "advanced_mm").glob("[a-z]*.py")}
    assert set(named) == (packages | ground) - {"advanced_mm"}


def test_each_place_for_something_new_exists():
    rows = table_after(DOCS / "architecture.md", "places:")
    assert len(rows) >= 8
    for row in rows:
        modules = modules_named(" ".join(row))
        folders = [name for name in re.findall(r"`([a-z/]+)`", row[1]) if (ROOT / name).is_dir()]
        assert modules or folders, row
        assert [module for module in modules if not exists(module)] == [], row[0]


def test_what_is_named_beside_a_place_is_there():
    """`Fault`, `Route`, `CalibrationOptions`: classes that a newcomer is sent to."""
    source = "".join(path.read_text() for path in (ROOT / "advanced_mm").rglob("*.py"))
    for row in table_after(DOCS / "architecture.md", "places:"):
        for name in re.findall(r"`([A-Z]\w+)`", " ".join(row)):
            assert re.search(rf"^(class {name}\b|{name}(: .+)? = )", source, re.M), name


# ---- the site's hooks


def test_the_reference_has_each_public_module_once(tool):
    reference = tool("reference")
    shown = [
        name
        for package in reference.packages(ROOT)
        for name in re.findall(r"^::: (\S+)", reference.page_of(package, ROOT), re.M)
    ]
    public = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for path in (ROOT / "advanced_mm").rglob("*.py")
        if path.stem == "__init__" or not path.stem.startswith("_")
    }
    assert len(shown) == len(set(shown))
    assert set(shown) == public


def test_the_reference_says_what_a_package_offers_and_what_a_module_is(tool):
    page = tool("reference").page_of("advanced_mm.quoting", ROOT)
    assert "[`Quoter`][advanced_mm.quoting.quoter.Quoter]" in page
    assert "`Side`" in page  # an alias of a type has no entry to lead to
    assert "[`Side`]" not in page
    summary = ast.get_docstring(ast.parse((ROOT / "advanced_mm/quoting/edge.py").read_text()))
    assert f"[`edge`][advanced_mm.quoting.edge] | {summary.splitlines()[0]} |" in page


def test_formulas_become_mathml(tool):
    text = "before\n\n```math\n\\frac{1}{\\kappa}\n```\n\nafter\n\n```bash\nmake\n```\n"
    shown = tool("mathematics").with_formulas(text)
    assert "<mfrac>" in shown
    assert "κ" in shown or "&#x003BA;" in shown
    assert shown.startswith("before")
    assert shown.endswith("```bash\nmake\n```\n")


@pytest.mark.parametrize(
    ("text", "loaded"),
    [
        ('<script src="https://cdn.example/a.js"></script>', ["https://cdn.example/a.js"]),
        ('<link rel="stylesheet" href="//fonts.example/x.css">', ["//fonts.example/x.css"]),
        ("@import url(https://fonts.example/y.css);", ["https://fonts.example/y.css"]),
        ("div { background: url('http://a.example/b.png') }", ["http://a.example/b.png"]),
        ('<a href="https://www.freqtrade.io">a link to follow</a>', []),
        ('<script src="assets/a.js"></script><img src="../b.png">', []),
        ("a { background: url(data:image/svg+xml;base64,AAAA) }", []),
    ],
)
def test_what_a_page_loads_from_elsewhere_is_found(tool, text, loaded):
    assert list(tool("offline").loaded_from_elsewhere(text)) == loaded
