"""Shared by the venue's tests: a market that does what it is told, and a venue around it."""

import asyncio
import contextlib
import hashlib
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from eth_account import Account

from advanced_mm.markets.clock import MarketClock
from advanced_mm.markets.market import Book, CoinSpec, Level, MarketUpdate, Print, Quote
from advanced_mm.venue.conditions.gateway import Gateway
from advanced_mm.venue.conditions.limits import LimitSwitches
from advanced_mm.venue.engine.exchange import Exchange
from advanced_mm.venue.engine.rules import Rules
from advanced_mm.venue.server.server import PaperServer
from tests.lived_time import pytest_asyncio_loop_factories  # noqa: F401

BACKGROUND = "0x" + "b" * 40


class ScriptedMarket:
    """A market that stands still but for what a test puts into it.

    20 levels a side of ``level_size`` each, from the touch on, a tick apart. What is put in
    happens at the next ``advance``.
    """

    def __init__(self, coin="ETH", bid=3000.0, ask=3000.1, level_size=1.0, start_ms=None):
        self.spec = CoinSpec(coin, 4, 25, 0.1)
        self.now_ms = int(time.time() * 1000) if start_ms is None else start_ms
        self.level_size = level_size
        self._touch = (bid, ask)
        self._coming = []
        self._tid = 0

    @property
    def mid(self):
        return sum(self._touch) / 2

    def trade(self, price, size, side):
        """A market order of somebody else's; ``side`` is its own, +1 a buy."""
        self._tid += 1
        one = Print(price, size, side, self._tid, f"0x{self._tid:064x}", (BACKGROUND, BACKGROUND))
        self._coming.append((None, (one,)))

    def quote(self, bid, ask):
        """Somebody else's orders move the touch."""
        self._coming.append(((bid, ask), ()))

    def advance(self, until_ms):
        updates = []
        for touch, prints in self._coming if until_ms > self.now_ms else ():
            quote = None
            if touch is not None:
                self._touch = touch
                quote = Quote(touch[0], self.level_size, touch[1], self.level_size)
            updates.append(MarketUpdate(until_ms, quote, prints))
        if until_ms > self.now_ms:
            self._coming = []
        self.now_ms = until_ms
        return updates

    def book(self, levels):
        bid, ask = self._touch

        def side(best, step):
            prices = [round(best + step * i / 10, 1) for i in range(min(levels, 20))]
            return tuple(Level(price, self.level_size, 3) for price in prices)

        return Book(self.now_ms, side(bid, -1), side(ask, 1))


@contextlib.asynccontextmanager
async def serving(*markets, rules=None, speed=1.0, **options):
    exchange = Exchange(markets, rules or Rules())
    server = PaperServer(exchange, MarketClock(exchange.now_ms, speed), **options)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


@contextlib.asynccontextmanager
async def faulty():
    """A venue of one scripted market, and its gateway to put faults in; without rate limits."""
    market = ScriptedMarket(bid=3000.0, ask=3001.0)
    exchange = Exchange([market], Rules())
    gateway = Gateway(exchange, LimitSwitches(rest=False, websocket=False, address=False))
    server = PaperServer(exchange, MarketClock(exchange.now_ms), gateway=gateway)
    await server.start()
    try:
        yield market, gateway, server
    finally:
        await server.stop()


async def until(condition, seconds=30.0):
    """Wait for a condition, and return what it gave; coroutines are awaited."""
    async with asyncio.timeout(seconds):
        while True:
            value = condition()
            value = await value if asyncio.iscoroutine(value) else value
            if value:
                return value
            await asyncio.sleep(0.01)


def ccxt_options(server, wallet, **options):
    """What makes an unmodified ccxt client trade here."""
    rest = server.rest_url
    urls = {"api": {"public": rest, "private": rest, "ws": {"public": server.ws_url}}}
    return {
        "enableRateLimit": False,
        "urls": urls,
        "walletAddress": wallet.address,
        "privateKey": wallet.key.hex(),
        "options": {"builderFee": False, **options},
    }


@pytest.fixture
def wallet():
    return Account.create()


@pytest.fixture(scope="session")
def scripted():
    """What tests of the trading venue share."""
    return SimpleNamespace(
        Market=ScriptedMarket,
        serving=serving,
        faulty=faulty,
        until=until,
        ccxt_options=ccxt_options,
        background=BACKGROUND,
    )


NODE = Path(__file__).parent / "node"
LEAST_NODE = 20


@pytest.fixture(scope="session")
def node_modules():
    """A folder with the TypeScript SDK installed, made once for each state of the lock file."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("needs Node and npm")
    version = _output([node, "--version"], NODE, 30).stdout.strip()
    if int(version.lstrip("v").partition(".")[0] or 0) < LEAST_NODE:
        pytest.skip(f"needs Node {LEAST_NODE} or newer, here is {version}")
    wanted = [NODE / name for name in ("package.json", "package-lock.json")]
    digest = hashlib.sha256(b"".join(one.read_bytes() for one in wanted)).hexdigest()
    folder = Path(tempfile.gettempdir()) / f"advanced-mm-node-{os.getuid()}-{digest[:16]}"
    if not folder.exists():
        _install(npm, wanted, folder)
    return folder


def _install(npm, wanted, folder):
    """Install what a lock file names; a folder that is there is whole."""
    with tempfile.TemporaryDirectory(dir=folder.parent) as name:
        made = Path(name) / "made"
        made.mkdir()
        for one in wanted:
            shutil.copy(one, made)
        try:
            done = _output([npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], made, 120)
        except subprocess.TimeoutExpired:
            pytest.skip("npm's registry does not answer")
        if done.returncode:
            pytest.skip(f"npm cannot install the SDK: {done.stderr.strip()[-300:]}")
        with contextlib.suppress(OSError):  # somebody else was faster
            made.rename(folder)


def _output(command, folder, seconds):
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=seconds, check=False
    )
