"""What the code imports is named, pinned and explained in one place; nothing else is."""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml

import advanced_mm

ROOT = Path(__file__).parents[1]
OURS = {"advanced_mm", "benchmarks", "tests", "user_data"}
RUN_TIME = ("advanced_mm", "scripts", "user_data/strategies")
DEVELOPMENT = ("tests", "benchmarks", "docker", "docs", "examples")
NOT_IMPORTED = {
    "supervisor": "a command: docker/supervisord.conf",
    "pytest-asyncio": "a plugin of pytest",
    "pytest-timeout": "a plugin of pytest",
    "pytest-xdist": "a plugin of pytest",
    "pytest-rerunfailures": "a plugin of pytest",
    "check-jsonschema": "a command: the compose file against its specification",
    "lz4": "loaded by fsspec for the archive's files",
    "s3fs": "loaded by fsspec for s3://",
    "nbclient": "asked for by the notebook's test",
    "ipykernel": "the notebook's kernel",
    "flask": "imported by moto's server",
    "flask-cors": "imported by moto's server",
    "types-pyyaml": "read by mypy",
    "mypy": "a command",
    "ruff": "a command",
    "pre-commit": "a command",
    "mkdocs-material": "the theme in mkdocs.yml",
    "mkdocstrings": "a plugin in mkdocs.yml",
    "mkdocstrings-python": "a part of mkdocstrings",
}


def pins(name: str) -> dict[str, str]:
    """The lines of a requirements file by distribution."""
    lines = (ROOT / name).read_text().splitlines()
    named = (line for line in lines if line and not line.startswith(("#", "-r ")))
    return {normal(re.match(r"[\w.-]+", line)[0]): line for line in named}


def normal(distribution: str) -> str:
    return re.sub(r"[-_.]+", "-", distribution).lower()


def imported_by(folders: tuple[str, ...]) -> dict[str, Path]:
    """Third-party distributions by a file that imports them; relative imports are ours."""
    found: dict[str, Path] = {}
    siblings = {path.stem for folder in folders for path in (ROOT / folder).rglob("*.py")}
    distributions = packages_distributions()
    for path in (p for folder in folders for p in (ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                modules = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                modules = [node.module]
            else:
                continue
            for top in {module.partition(".")[0] for module in modules}:
                if top in OURS | sys.stdlib_module_names:
                    continue
                if top in distributions:
                    found |= {normal(name): path for name in distributions[top]}
                else:
                    assert top in siblings, f"{path} imports {top}, which is not installed"
    return found


@pytest.mark.parametrize(
    ("folders", "files"),
    [
        (RUN_TIME, ["requirements.txt"]),
        (DEVELOPMENT, ["requirements.txt", "requirements-dev.txt"]),
    ],
)
def test_what_is_imported_is_named(folders, files):
    named = {name for file in files for name in pins(file)}
    missing = {name: path for name, path in imported_by(folders).items() if name not in named}
    assert not missing


@pytest.mark.parametrize(
    ("file", "folders"),
    [("requirements.txt", RUN_TIME), ("requirements-dev.txt", DEVELOPMENT)],
)
def test_what_is_named_is_imported_or_has_another_use(file, folders):
    assert set(pins(file)) - set(imported_by(folders)) <= set(NOT_IMPORTED)


def test_the_list_of_what_is_not_imported_is_up_to_date():
    named = set(pins("requirements.txt")) | set(pins("requirements-dev.txt"))
    assert set(NOT_IMPORTED) <= named - set(imported_by(RUN_TIME + DEVELOPMENT))


@pytest.mark.parametrize("file", ["requirements.txt", "requirements-dev.txt"])
def test_every_requirement_is_pinned_and_has_a_reason(file):
    for line in pins(file).values():
        assert re.match(r"^[\w\-]+(\[\w+\])?==[\w.]+\s+# \S", line), line


def test_each_version_stands_in_one_place():
    assert not set(pins("requirements.txt")) & set(pins("requirements-dev.txt"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert project["project"]["dynamic"] == ["version"]
    assert project["tool"]["setuptools"]["dynamic"]["version"] == {
        "attr": "advanced_mm.__version__"
    }
    assert re.fullmatch(r"\d+\.\d+\.\d+", advanced_mm.__version__)
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    images = {service["image"] for service in services.values()}
    others = images - {"advanced-mm"}
    assert "advanced-mm" in images
    assert all(re.fullmatch(r"[\w/]+:v?\d+\.\d+\.\d+", image) for image in others)
    for path in [ROOT / "docker-compose.yml", *(ROOT / "docker").iterdir()]:
        if path.is_file():
            assert not re.search(r"[\w\]]==\d", path.read_text()), path
            assert advanced_mm.__version__ not in path.read_text(), path
