"""The command: one sentence and exit code 2 on bad input, a clean end on a signal."""

import asyncio
import json
import runpy
import signal
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
from aiohttp import web

from advanced_mm.cli import run
from advanced_mm.errors import InputError
from advanced_mm.marketdata import ShardStore
from advanced_mm.marketdata.collector.recorder import Recorder

SCRIPT = Path(__file__).parents[3] / "scripts/hyperliquid_data_collector.py"


async def start(*options: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, str(SCRIPT), *options, stderr=asyncio.subprocess.PIPE
    )


async def has_nothing_to_do(process: asyncio.subprocess.Process) -> None:
    """Wait until it sleeps: it has taken what was sent."""
    looked_at, asleep = psutil.Process(process.pid), 0
    while asleep < 6:
        await asyncio.sleep(0.05)
        asleep = asleep + 1 if looked_at.status() == psutil.STATUS_SLEEPING else 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_signal_flushes_and_ends_with_success(
    venue: Any, wire: SimpleNamespace, tmp_path: Path, number: signal.Signals
) -> None:
    said = asyncio.Event()

    async def behave(_: Any, socket: web.WebSocketResponse) -> None:
        for block in range(20):
            await socket.send_json(wire.bbo(1000 + block))
        said.set()

    venue.behaviours = [behave]
    options = ("--crypto", "ETH", "--url", venue.url, "--flush-seconds", "60", "--verbose")
    process = await start(*options, "--data-dir", str(tmp_path))
    async with asyncio.timeout(120):
        await said.wait()
        await has_nothing_to_do(process)
        process.send_signal(number)
        _, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    assert b"Traceback" not in errors
    assert len(ShardStore(tmp_path).read("ETH").quotes) == 20
    assert not list(tmp_path.rglob(".*"))


HANGING_UPKEEP = """
import runpy, sys
import aiohttp
from advanced_mm.marketdata.collector import tidying
from advanced_mm.marketdata.feed import web_socket
web_socket._CLOSE_TIMEOUT = aiohttp.ClientWSTimeout(ws_close=60.0)
tidying._FIRST_SECONDS = 0.05
tidying.upkeep_command = lambda *_: ["sh", "-c", "echo $$ > {pid}; exec sleep 60"]
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


async def test_a_silent_venue_and_a_merge_under_way_do_not_delay_the_end(
    venue: Any, wire: SimpleNamespace, tmp_path: Path
) -> None:
    """Nor does the collector's end leave its upkeep behind; a second collector is refused."""
    said = asyncio.Event()

    async def behave(_: Any, socket: web.WebSocketResponse) -> None:
        await socket.send_json(wire.bbo(1000))
        said.set()
        # An answer to nothing from now on, as if the machine had vanished.
        socket._req.transport.pause_reading()  # type: ignore[union-attr]

    venue.behaviours = [behave]
    pid = tmp_path / "pid"
    options = ("--crypto", "ETH", "--url", venue.url, "--flush-seconds", "60")
    options = (*options, "--data-dir", str(tmp_path / "data"))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", HANGING_UPKEEP.format(pid=pid), str(SCRIPT), *options,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    async with asyncio.timeout(120):
        await said.wait()
        second = await start(*options)
        _, errors = await second.communicate()
        assert second.returncode == 2
        assert f"already being recorded by process {process.pid}" in errors.decode()
        while not (pid.exists() and pid.read_text().strip()):
            await asyncio.sleep(0.01)
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        _, errors = await process.communicate()
    assert time.monotonic() - began < 20  # of the 60 that either could take
    assert process.returncode == 0, errors.decode()
    assert b"Traceback" not in errors
    assert b"Exception ignored" not in errors
    assert len(ShardStore(tmp_path / "data").read("ETH").quotes) == 1
    assert not Path(f"/proc/{pid.read_text().strip()}").exists()


async def test_shards_are_published_while_recording(
    venue: Any, wire: SimpleNamespace, tmp_path: Path
) -> None:
    async def behave(_: Any, socket: web.WebSocketResponse) -> None:
        for block in range(20):
            await socket.send_json(wire.bbo(1000 + block))

    venue.behaviours = [behave]
    here, there = tmp_path / "here", tmp_path / "there"
    options = ("--crypto", "ETH", "--url", venue.url, "--flush-seconds", "0.2")
    process = await start(*options, "--data-dir", str(here), "--publish-to", str(there))
    async with asyncio.timeout(120):
        while not list(there.rglob("prices_*.parquet")):
            await asyncio.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        _, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    assert len(ShardStore(there).read("ETH").quotes) == 20


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (("--crypto", "../ETH"), "error: coin '../ETH' is not a coin's name"),
        (("--crypto", ","), "error: no coin to record"),
        (("--crypto", "a-b-c"), "error: coin 'a-b-c' is not a coin's name"),
        (("--crypto", "ETH", "--url", "http://x"), "error: address 'http://x'"),
        (("--crypto", "ETH", "--flush-seconds", "0"), "error: flush_seconds"),
        (("--crypto", "ETH", "--keep-days", "-1"), "error: keep_days"),
        (("--crypto", "ETH", "--data-dir", "/dev/null/x"), "error: cannot write into"),
        (("--crypto", "ETH", "--publish-to", "gopher://x"), "error: 'gopher://x' is no location"),
        (("--crypto", "ETH", "--testnet", "--url", "ws://x"), "not allowed with"),
        ((), "--crypto"),
    ],
)
def test_bad_input_is_one_sentence(
    options: tuple[str, ...], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    main = runpy.run_path(str(SCRIPT))["main"]
    try:
        code = run(lambda _: main(list(options)))
    except SystemExit as end:
        code = end.code
    assert code == 2
    assert complaint in capsys.readouterr().err


async def test_the_script_says_so_and_ends() -> None:
    process = await start("--crypto", "../ETH")
    async with asyncio.timeout(120):
        _, errors = await process.communicate()
    assert process.returncode == 2
    assert errors.startswith(b"error: coin '../ETH' is not a coin's name")
    assert b"Traceback" not in errors


def test_a_recording_is_checked_instead_of_made(
    tmp_path: Path, wire: SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    collector = runpy.run_path(str(SCRIPT))["main"]
    recorder = Recorder(ShardStore(tmp_path), ["ETH"], None)
    recorder.handle(wire.bbo(1000), 1.1)
    recorder.flush()
    assert collector(["--check", str(tmp_path)]) == 0
    assert "ETH: sound" in capsys.readouterr().out
    recorder.handle(wire.bbo(2000, bid=200), 2.1)
    recorder.flush()
    assert collector(["--check", str(tmp_path), "--crypto", "ETH", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["coins"][0]["faults"] == ["prices: 1 crossed"]
    with pytest.raises(InputError, match="cannot be read"):
        collector(["--check", str(tmp_path / "nowhere")])
    with pytest.raises(SystemExit):
        collector(["--crypto", "ETH", "--json"])
    assert "--json belongs to --check" in capsys.readouterr().err
