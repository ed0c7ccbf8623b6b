"""A browser that is driven over its DevTools protocol, and journals to be looked at."""

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import ClientConnection, connect

from advanced_mm.journal import JournalWriter
from tests.performance.journals import fill, look, quote

PATIENCE_S = 60.0
"""How long is waited for what must happen, on however busy a machine."""


class Browser:
    """One tab; what its console said is kept, and what could not be loaded."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._number = 0
        self.complaints: list[str] = []
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        number = self._number
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self._socket.recv(timeout=PATIENCE_S))
            if message.get("id") == number:
                assert "error" not in message, message
                return dict(message["result"])
            self._note(message)

    def _note(self, message: dict[str, Any]) -> None:
        told = message.get("params", {})
        if message["method"] == "Runtime.exceptionThrown":
            self.complaints.append(str(told["exceptionDetails"]))
        elif message["method"] == "Runtime.consoleAPICalled" and told["type"] == "error":
            self.complaints.append(str(told["args"]))
        elif message["method"] == "Log.entryAdded" and told["entry"]["level"] == "error":
            self.complaints.append(told["entry"]["text"])

    def run(self, script: str) -> Any:
        answer = self.call(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def wait_for(self, script: str) -> float:
        """Wait until a script's value is true; return how long that took, seconds.

        A page that is just being left, or has no body yet, answers with an error.
        """
        begun, told = time.monotonic(), ""
        while True:
            try:
                if self.run(script):
                    return time.monotonic() - begun
            except AssertionError as error:
                told = str(error)
            assert time.monotonic() - begun < PATIENCE_S, f"{script}: {self.complaints} {told}"
            time.sleep(0.03)


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    """A headless Chromium with one empty tab."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip("Chromium is not installed (Debian's package chromium)")
    profile = tmp_path / "profile"
    process = subprocess.Popen(
        [program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync",
         "--disable-extensions", "--remote-debugging-port=0", f"--user-data-dir={profile}",
         "about:blank"],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stderr is not None
        address = next(line for line in process.stderr if "DevTools listening" in line).split()[-1]
        with connect(address) as socket:
            socket.send(json.dumps({"id": 1, "method": "Target.getTargets"}))
            found = json.loads(socket.recv(timeout=PATIENCE_S))["result"]["targetInfos"]
        tab = next(one["targetId"] for one in found if one["type"] == "page")
        page = f"{address.partition('/devtools')[0]}/devtools/page/{tab}"
        with connect(page, max_size=None) as socket:
            yield Browser(socket)
    finally:
        process.terminate()
        process.communicate(timeout=PATIENCE_S)


def now_ms() -> int:
    return time.time_ns() // 1_000_000


@pytest.fixture
def told(tmp_path: Path) -> Iterator[JournalWriter]:
    """A journal in which a bot quotes both sides and has bought once, some seconds ago."""
    writer = JournalWriter(tmp_path / "user_data" / "journal", "bot")
    then = now_ms() - 20_000
    writer.record(look(then, what="start", mid=100.0, position=0.0))
    writer.record(quote(then + 100, "b1"))
    writer.record(quote(then + 200, "a1", "ask"))
    writer.record(fill(then + 5_000, "b1", fill="f1", position_after=1.0))
    writer.flush()
    yield writer
    writer.close()
