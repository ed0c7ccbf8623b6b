"""Pages are opened in a real browser."""

import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class OpenedPage:
    """The page after its scripts ran, and what they said to the console."""

    dom: str
    console: list[str]

    @property
    def drawn_charts(self) -> int:
        """Number of Plotly charts that were really drawn."""
        return len(re.findall(r'class="[^"]*js-plotly-plot[^"]*"', self.dom))


@pytest.fixture(scope="session")
def open_page(tmp_path_factory) -> Callable[[Path], OpenedPage]:
    """Open a file in headless Chromium."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    if browser is None:
        pytest.skip("Chromium is not installed (Debian's package chromium)")
    profile = tmp_path_factory.mktemp("chromium")

    def opened(path: Path) -> OpenedPage:
        result = subprocess.run(
            [browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic",
             "--no-first-run", "--disable-background-networking", "--disable-component-update",
             "--disable-sync", f"--user-data-dir={profile}", "--enable-logging=stderr",
             "--virtual-time-budget=10000", "--dump-dom", path.as_uri()],
            capture_output=True, text=True, timeout=120, check=True,
        )  # fmt: skip
        console = [line for line in result.stderr.splitlines() if "CONSOLE" in line]
        return OpenedPage(result.stdout, console)

    return opened
