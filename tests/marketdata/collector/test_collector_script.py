"""The command: one sentence and exit code 2 on bad input, a clean end on a signal."""

import asyncio
import signal
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp import web

from advanced_mm.marketdata import ShardStore

SCRIPT = Path(__file__).parents[3] / "scripts/hyperliquid_data_collector.py"


async def start(*options: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, str(SCRIPT), *options, stderr=asyncio.subprocess.PIPE
    )


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
    async with asyncio.timeout(30):
        await said.wait()
        await asyncio.sleep(0.3)
        process.send_signal(number)
        _, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    assert b"Traceback" not in errors
    assert len(ShardStore(tmp_path).read("ETH").quotes) == 20
    assert not list(tmp_path.rglob(".*"))


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
    async with asyncio.timeout(30):
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
        (("--crypto", "ETH", "--data-dir", "/dev/null/x"), "error: cannot write into"),
        (("--crypto", "ETH", "--publish-to", "gopher://x"), "error: 'gopher://x' is no location"),
        (("--crypto", "ETH", "--testnet", "--url", "ws://x"), "not allowed with"),
        ((), "--crypto"),
    ],
)
async def test_bad_input_is_one_sentence(options: tuple[str, ...], complaint: str) -> None:
    process = await start(*options)
    async with asyncio.timeout(30):
        _, errors = await process.communicate()
    assert process.returncode == 2
    assert complaint in errors.decode()
    assert b"Traceback" not in errors
