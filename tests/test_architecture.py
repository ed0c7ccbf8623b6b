"""Imports go down only, as the table of docs/architecture.md says, and no folder grows too big."""

import ast
import re
from collections import Counter
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LIBRARY = ROOT / "advanced_mm"
MOST_MODULES = 25
LARGEST_SHARE = 0.25
GROUND = "ground floor"


def dotted(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


MODULES = {dotted(path): path for path in LIBRARY.rglob("*.py")}


def package_of(module: str) -> str:
    """The row of the table that a module belongs to; on the ground floor that is itself."""
    if module != "advanced_mm" and MODULES[module].name == "__init__.py":
        return module
    package = module.rpartition(".")[0]
    return GROUND if package == "advanced_mm" else package


def imports_of(source: str, module: str = "", *, is_package: bool = False) -> set[str]:
    """Modules of ours that a source imports anywhere, also inside functions and for types alone."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                here = module.split(".") if is_package else module.split(".")[:-1]
                base = ".".join([*here[: len(here) - node.level + 1], base]).rstrip(".")
            below = {f"{base}.{name.name}" for name in node.names}
            found |= (below & MODULES.keys()) or {base}
    return {name for name in found if name in MODULES}


@pytest.fixture(scope="module")
def table() -> dict[str, set[str]]:
    """Each package and those it may import, in the order of the page."""
    text = (ROOT / "docs" / "architecture.md").read_text().partition("<!-- packages:")[2]
    rows = re.search(r"(?:^\|.*\n)+", text, re.M).group().splitlines()[2:]
    may = {}
    for row in rows:
        first, _, last = (cell.strip() for cell in row.strip("|").split(" | "))
        names = re.findall(r"`(advanced_mm[.\w]*)`", first)
        allowed = {f"advanced_mm.{name}" for name in re.findall(r"`([\w.]+)`", last)}
        if GROUND in last or last == "each other":
            allowed.add(GROUND)
        may |= {GROUND if len(names) > 1 else name: allowed for name in names}
    return may


@pytest.fixture(scope="module")
def arrows() -> dict[str, set[str]]:
    """What each module imports; the names that a package's own ``__init__`` offers are no arrow."""
    return {
        module: imports_of(path.read_text(), module, is_package=path.name == "__init__.py")
        for module, path in MODULES.items()
    }


def test_the_page_allows_downward_arrows_only(table):
    above: set[str] = set()
    for package, allowed in table.items():
        assert allowed <= above | {package}, package
        above.add(package)


def test_each_module_imports_what_its_package_may(table, arrows):
    for module, imported in arrows.items():
        if module == "advanced_mm":
            assert not imported
            continue
        own = package_of(module)
        for other in imported:
            there = package_of(other)
            assert there == own or there in table[own], f"{module} imports {other}"


def test_the_page_allows_nothing_that_is_not_used(table, arrows):
    used: dict[str, set[str]] = {package: set() for package in table}
    for module, imported in arrows.items():
        if module != "advanced_mm":
            used[package_of(module)] |= {package_of(other) for other in imported}
    for package, allowed in table.items():
        assert allowed - {GROUND} <= used[package], package


def test_no_module_is_in_a_circle(arrows):
    sorter = TopologicalSorter({module: imported - {module} for module, imported in arrows.items()})
    sorter.prepare()  # raises CycleError with the circle


def test_no_folder_is_crowded_or_holds_more_than_a_quarter_of_the_code():
    lines = Counter()
    modules = Counter()
    for path in MODULES.values():
        lines[path.parent] += len(path.read_text().splitlines())
        modules[path.parent] += 1
    for folder, count in modules.items():
        assert count <= MOST_MODULES, folder
        assert lines[folder] <= LARGEST_SHARE * lines.total(), folder


def test_each_package_says_what_it_is_and_lists_what_it_offers():
    for path in LIBRARY.rglob("__init__.py"):
        tree = ast.parse(path.read_text())
        assert ast.get_docstring(tree), path
        imported = {
            name.name
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom)
            for name in node.names
        }
        offered = {
            ast.literal_eval(item)
            for node in tree.body
            if isinstance(node, ast.Assign) and node.targets[0].id == "__all__"
            for item in node.value.elts
        }
        assert imported <= offered, path


def test_the_library_does_not_import_freqtrade():
    """The strategy translates for it."""
    for path in MODULES.values():
        assert not re.search(r"^\s*(import|from) freqtrade[.\s]", path.read_text(), re.M), path


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import advanced_mm.errors", {"advanced_mm.errors"}),
        ("from advanced_mm import errors", {"advanced_mm.errors"}),
        ("from advanced_mm.errors import InputError", {"advanced_mm.errors"}),
        ("def f():\n    from advanced_mm.model import solve", {"advanced_mm.model.solve"}),
        ("import numpy", set()),
    ],
)
def test_every_form_of_import_is_seen(source, expected):
    assert imports_of(source) == expected
