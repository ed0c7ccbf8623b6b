"""MkDocs hook: one page for each package of the library, written from the tree as it is."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

ROOT = Path(__file__).parents[2]
LIBRARY = "advanced_mm"
SECTION = "API reference"


def on_config(config: "MkDocsConfig") -> None:
    """Add the pages to the navigation."""
    pages: list[Any] = next(entry[SECTION] for entry in config.nav or [] if SECTION in entry)
    pages += [{package.removeprefix(f"{LIBRARY}."): _path(package)} for package in packages(ROOT)]


def on_files(files: "Files", config: "MkDocsConfig") -> None:
    """Add the pages to the site."""
    from mkdocs.structure.files import File

    for package in packages(ROOT):
        files.append(File.generated(config, _path(package), content=page_of(package, ROOT)))


def packages(root: Path) -> list[str]:
    """Every package of the library, dotted, parents before children."""
    folders = (path.parent for path in (root / LIBRARY).rglob("__init__.py"))
    return sorted(".".join(folder.relative_to(root).parts) for folder in folders)


def page_of(package: str, root: Path) -> str:
    """Write the page of a package: what it offers, its modules, and each module's public names."""
    folder = root.joinpath(*package.split("."))
    modules = sorted(path.stem for path in folder.glob("*.py") if not path.stem.startswith("_"))
    lines = [
        f"# {package}",
        "",
        f"::: {package}",
        "    options: {members: false, show_root_heading: false, show_root_toc_entry: false}",
        "",
    ]
    if offered := list(_offered(folder / "__init__.py")):
        names = ", ".join(
            f"[`{name}`][{module}.{name}]" if _has_an_entry(root, module, name) else f"`{name}`"
            for name, module in offered
        )
        lines += [f"The package itself offers {names}.", ""]
    if modules:
        lines += ["| module | what it is |", "| --- | --- |"]
        lines += [
            f"| [`{name}`][{package}.{name}] | {_summary(folder / f'{name}.py')} |"
            for name in modules
        ]
    for name in modules:
        lines += ["", f"::: {package}.{name}", "    options: {heading_level: 2}"]
    return "\n".join(lines) + "\n"


def _path(package: str) -> str:
    return f"reference/{package}.md"


def _offered(init: Path) -> Iterator[tuple[str, str]]:
    """Yield (name, module that defines it) of what a package's ``__init__`` passes on."""
    for node in ast.parse(init.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(LIBRARY):
            yield from ((alias.name, str(node.module)) for alias in node.names)


def _has_an_entry(root: Path, module: str, name: str) -> bool:
    """Whether the name is a class or a function: an alias of a type has no docstring to show."""
    path = root.joinpath(*module.split(".")).with_suffix(".py")
    if not path.exists():
        path = path.with_suffix("") / "__init__.py"
    return any(
        isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name == name
        for node in ast.parse(path.read_text(encoding="utf-8")).body
    )


def _summary(path: Path) -> str:
    """Return the first line of a module's docstring."""
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return docstring.partition("\n")[0].replace("|", "\\|")
