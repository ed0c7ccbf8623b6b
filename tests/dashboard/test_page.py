"""The page in a real browser, served by the script in a process of its own."""

import itertools
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from advanced_mm.journal import RefusalChanged
from tests.dashboard.conftest import PATIENCE_S, now_ms
from tests.performance.journals import fill

ROOT = Path(__file__).parents[2]
LOADED = "performance.getEntriesByType('navigation')[0]?.loadEventEnd"
TRIES = 30


class Server:
    """The script, until it is ended."""

    def __init__(self, folder: Path, port: int = 0, token: str = "") -> None:
        self.process = subprocess.Popen(
            [sys.executable, ROOT / "scripts" / "dashboard.py", "--user-data", folder / "user_data",
             "--data-dir", folder / "HL_data", "--port", str(port)],
            stdout=subprocess.PIPE, text=True, cwd=folder,
            env=os.environ | {"PYTHONPATH": str(ROOT), "MM_DASHBOARD_TOKEN": token},
        )  # fmt: skip
        assert self.process.stdout is not None
        said = re.search(r"http://\S+", self.process.stdout.readline())
        assert said is not None
        self.address = said[0]

    @property
    def port(self) -> int:
        return int(self.address.strip("/").rpartition(":")[2])

    def end(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        self.process.communicate(timeout=PATIENCE_S)
        return self.process.returncode


@pytest.fixture
def server_of(tmp_path):
    servers = []

    def server(port: int = 0, token: str = "") -> Server:
        servers.append(Server(tmp_path, port, token))
        return servers[-1]

    yield server
    for one in servers:
        if one.process.poll() is None:
            one.end(signal.SIGKILL)


def quick(done: Callable[[], bool]) -> None:
    """Do something until it was quick: a busy machine may need several tries, a slow page fails."""
    assert any(done() for _ in range(TRIES))


def test_it_shows_a_fill_at_once_and_goes_on_after_a_restart(browser, told, server_of):
    server, numbers = server_of(), itertools.count()
    browser.call(
        "Emulation.setDeviceMetricsOverride",
        width=400,
        height=800,
        deviceScaleFactor=1,
        mobile=True,
    )

    def opened() -> bool:
        """Open the page; return whether it was there in a second, and said what it has in three."""
        browser.call("Page.navigate", url=server.address)
        browser.wait_for("document.querySelectorAll('[data-fill]').length == 1")
        shown_ms = browser.run("performance.now()")
        browser.wait_for(f"{LOADED} > 0")
        return browser.run(LOADED) < 1000 and shown_ms < 3000

    quick(opened)
    assert "ETH" in browser.run("document.querySelector('h2').textContent")

    def filled() -> bool:
        """Record a fill; return whether it is seen within a second."""
        name = f"now{next(numbers)}"
        told.record(fill(now_ms(), "a1", "ask", fill=name, position_after=0.0))
        told.flush()
        return browser.wait_for(f"document.querySelector('[data-fill={name}]') !== null") < 1.0

    quick(filled)

    told.record(
        RefusalChanged(time_ms=now_ms(), coin="ETH", bot="bot", kind="x", reason="<b>no edge</b>")
    )
    browser.wait_for(
        "document.querySelector('.notices').textContent.includes('not quoting: <b>no edge</b>')"
    )

    # At the width of a phone nothing is wider than the page, and the pictures are drawn.
    assert browser.run("document.documentElement.scrollWidth") <= 400
    browser.wait_for(
        "[...document.querySelectorAll('canvas')].every(one => one.width > 150 && new Set("
        "one.getContext('2d').getImageData(0, 0, one.width, one.height).data).size > 3)"
    )  # they are drawn at the browser's next frame
    assert browser.complaints == []

    assert server.end() == 0
    browser.run("window.stays = true")
    told.record(fill(now_ms(), "a2", "ask", fill="meanwhile", position_after=-1.0))
    told.flush()
    again = server_of(server.port)
    browser.wait_for("document.querySelector('[data-fill=meanwhile]') !== null")
    assert browser.run("window.stays")
    assert browser.run("document.querySelectorAll('section.desk').length") == 1
    refused = [one for one in browser.complaints if "ERR_CONNECTION_REFUSED" not in one]
    assert [one for one in refused if "ERR_INCOMPLETE_CHUNKED" not in one] == []

    # A page of another origin reads nothing, though this one demands no token.
    browser.call("Page.navigate", url="data:text/html,<title>other</title>")
    browser.wait_for("document.title == 'other'")
    read = f"fetch('{server.address}state').then(one => one.text()).catch(() => 'refused')"
    assert browser.run(read) == "refused"
    assert again.end() == 0


def test_a_browser_is_let_in_by_the_token(browser, told, server_of):
    server = server_of(token="a-token-long-enough")

    def send(token: str) -> None:
        browser.wait_for("document.querySelector('#token') !== null")
        browser.run(
            f"document.querySelector('#token').value = '{token}';"
            "document.querySelector('button').click()"
        )

    browser.call("Page.navigate", url=server.address)
    send("another-token-of-that-length")
    browser.wait_for("document.body.innerText.includes('not the token')")
    send("a-token-long-enough")
    browser.wait_for("document.querySelectorAll('section.desk').length == 1")
