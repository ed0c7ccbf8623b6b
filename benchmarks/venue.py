"""Load test of the loopback venue on one core: 50 coins and 100 signed order actions per second.

The venue runs in its own process on one core, a client on another. The client subscribes to bbo,
trades and both l2Book cadences of every coin over one websocket. It posts pre-signed actions on a
fixed schedule, regardless of pending replies: resting orders, their cancels, and immediate orders
that trade. Latency is measured by the client from the scheduled time to the reply. Exits with 1 if
the 99th percentile exceeds 20 ms or an action was refused.

    python benchmarks/venue.py               # a minute and a half
    python benchmarks/venue.py --quick       # 10 s of load
    python benchmarks/venue.py --profile     # with a profile of the venue, which slows it down
"""

import argparse
import asyncio
import json
import os
import pstats
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import psutil
from eth_account import Account
from hyperliquid.utils.signing import sign_l1_action
from rich.console import Console
from rich.table import Table

from advanced_mm.cli import run
from advanced_mm.errors import VenueError

SCRIPT = Path(__file__).parents[1] / "scripts" / "paper_exchange.py"
LIMIT_MS = 20.0
STREAMS: tuple[dict[str, object], ...] = (
    {"type": "bbo"},
    {"type": "trades"},
    {"type": "l2Book"},
    {"type": "l2Book", "fast": True},
)
KNOWN = ("ETH", "BTC", "SOL", "BNB", "HYPE", "AVAX", "LINK", "XRP", "DOGE")
SETTLING_S = 2.0  # of load before the measurement
CONSOLE = Console()


@dataclass
class Load:
    """Measurements of the client."""

    latency_ms: dict[str, list[float]] = field(default_factory=dict)
    replies: Counter[str] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)
    messages: Counter[str] = field(default_factory=Counter)
    bytes: int = 0
    seconds: float = 0.0
    cpu_s: float = 0.0
    memory_mb: float = 0.0
    others_cpu_s: float = 0.0
    """CPU time of all other processes; on a busy machine latency is not the venue's fault."""


def coin_names(count: int) -> list[str]:
    """Return ``count`` coins: the known ones first, then invented names (default market)."""
    return [*KNOWN, *(f"C{i}" for i in range(count))][:count]


def start_venue(coins: list[str], core: int, profile: Path | None) -> subprocess.Popen[str]:
    """Start the venue on its own core."""
    profiler = [] if profile is None else ["-m", "cProfile", "-o", str(profile)]
    options = ["--port", "0", "--coins", ",".join(coins), "--history-minutes", "1", "--no-limits"]
    process = subprocess.Popen(
        [sys.executable, *profiler, str(SCRIPT), *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    os.sched_setaffinity(process.pid, {core})
    return process


class Client:
    """Signs for one account and sends on a schedule."""

    def __init__(self, rest: str, ws: str) -> None:
        self.rest, self.ws = rest, ws
        self.wallet = Account.create()
        self.load = Load()
        self._nonce = int(time.time() * 1000)

    def signed(self, action: dict[str, Any]) -> bytes:
        """Return the signed request body of an action."""
        self._nonce += 1
        signature = sign_l1_action(self.wallet, action, None, self._nonce, None, False)
        body = {"action": action, "nonce": self._nonce, "signature": signature}
        return json.dumps({**body, "vaultAddress": None}).encode()

    async def prepare(
        self, session: aiohttp.ClientSession, rate: float, seconds: float
    ) -> list[tuple[str, bytes]]:
        """Sign all actions: orders 5% away from the touch, their cancels, and takers."""
        universe = (await self._info(session, {"type": "meta"}))["universe"]
        mids = await self._info(session, {"type": "allMids"})
        await self._info(session, {"type": "clearinghouseState", "user": self.wallet.address})
        actions: list[tuple[str, bytes]] = []
        resting: list[tuple[int, str]] = []
        for number in range(round(rate * seconds)):
            asset = number * 7 % len(universe)
            coin, is_buy = universe[asset], number % 2 == 0
            mid, decimals = float(mids[coin["name"]]), coin["szDecimals"]
            if number % 10 == 9:
                price, size, tif = mid * (1.03 if is_buy else 0.97), 30 / mid, "Ioc"
            elif number % 2 == 1 and resting:
                old_asset, cloid = resting.pop(0)
                cancel = {"asset": old_asset, "cloid": cloid}
                action = {"type": "cancelByCloid", "cancels": [cancel]}
                actions.append(("cancel", self.signed(action)))
                continue
            else:
                price, size, tif = mid * (0.95 if is_buy else 1.05), 12 / mid, "Alo"
            cloid = f"0x{number:032x}"
            order = {
                "a": asset,
                "b": is_buy,
                "p": f"{float(f'{price:.4g}'):.6f}".rstrip("0").rstrip("."),
                "s": f"{round(size + 0.5 * 10**-decimals, decimals):.{decimals}f}",
                "r": False,
                "t": {"limit": {"tif": tif}},
                "c": cloid,
            }
            if "." in str(order["s"]):
                order["s"] = str(order["s"]).rstrip("0").rstrip(".")
            if tif == "Alo":
                resting.append((asset, cloid))
            action = {"type": "order", "orders": [order], "grouping": "na"}
            actions.append(("place" if tif == "Alo" else "take", self.signed(action)))
        return actions

    async def _info(self, session: aiohttp.ClientSession, body: dict[str, str]) -> Any:
        async with session.post(f"{self.rest}/info", json=body) as answer:
            return await answer.json()

    async def listen(self, session: aiohttp.ClientSession, coins: list[str]) -> None:
        """Subscribe to all streams and count the messages."""
        async with session.ws_connect(self.ws, max_msg_size=0) as socket:
            for coin in coins:
                for stream in STREAMS:
                    message = {"method": "subscribe", "subscription": {**stream, "coin": coin}}
                    await socket.send_json(message)
            async for arrived in socket:
                text: str = arrived.data
                self.load.messages[text[12 : text.index('"', 12)]] += 1
                self.load.bytes += len(text)

    async def send(
        self, session: aiohttp.ClientSession, actions: list[tuple[str, bytes]], rate: float
    ) -> None:
        """Post the actions on their schedule."""
        loop = asyncio.get_running_loop()
        start_s = loop.time() + 0.1
        running = []
        for number, (kind, body) in enumerate(actions):
            due_s = start_s + number / rate
            await asyncio.sleep(max(0.0, due_s - loop.time()))
            running.append(asyncio.create_task(self._post(session, kind, body, due_s)))
        await asyncio.gather(*running)

    async def _post(
        self, session: aiohttp.ClientSession, kind: str, body: bytes, due_s: float
    ) -> None:
        headers = {"Content-Type": "application/json"}
        async with session.post(f"{self.rest}/exchange", data=body, headers=headers) as answer:
            reply = await answer.read()
        taken_ms = 1000 * (asyncio.get_running_loop().time() - due_s)
        self.load.latency_ms.setdefault(kind, []).append(taken_ms)
        decoded = json.loads(reply)
        response = decoded["response"]
        statuses = response["data"]["statuses"] if decoded["status"] == "ok" else [response]
        for status in statuses:
            error = status.get("error") if isinstance(status, dict) else None
            if error is not None or decoded["status"] != "ok":
                self.load.refusals[str(error or status)[:70]] += 1
            else:
                self.load.replies[status if isinstance(status, str) else next(iter(status))] += 1


def others_cpu_s(venue: psutil.Process) -> float:
    """Return the CPU time used by all processes except the venue and this one, seconds."""
    machine, own = psutil.cpu_times(), psutil.Process().cpu_times()
    used = venue.cpu_times()
    return float(
        machine.user
        + machine.system
        + machine.nice
        - own.user
        - own.system
        - used.user
        - used.system
    )


async def measure(
    client: Client, process: psutil.Process, coins: list[str], rate: float, seconds: float
) -> Load:
    """Load the venue for the settling time, then measure."""
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:
        actions = await client.prepare(session, rate, SETTLING_S + seconds)
        listening = asyncio.create_task(client.listen(session, coins))
        settling = round(rate * SETTLING_S)
        await client.send(session, actions[:settling], rate)
        client.load = Load()
        start_s, cpu, others_s = time.monotonic(), process.cpu_times(), others_cpu_s(process)
        await client.send(session, actions[settling:], rate)
        load, after = client.load, process.cpu_times()
        load.seconds = time.monotonic() - start_s
        load.cpu_s = after.user + after.system - cpu.user - cpu.system
        load.others_cpu_s = others_cpu_s(process) - others_s
        load.memory_mb = process.memory_info().rss / 2**20
        listening.cancel()
        return load


def report(load: Load, coins: int) -> bool:
    """Print the tables; return whether the target was met."""
    table = Table("action", "number", "p50 ms", "p99 ms", "max ms", title="From schedule to reply")
    every = [one for kind in load.latency_ms.values() for one in kind]
    for kind, latencies in [*load.latency_ms.items(), ("all", every)]:
        p50, p99 = np.percentile(latencies, [50, 99])
        row = (f"{p50:.1f}", f"{p99:.1f}", f"{max(latencies):.1f}")
        table.add_row(kind, str(len(latencies)), *row)
    CONSOLE.print(table)
    sent = sum(load.messages.values())
    CONSOLE.print(
        f"{coins} coins, {len(every) / load.seconds:.0f} actions per second: venue at "
        f"{100 * load.cpu_s / load.seconds:.0f}% of its core, {load.memory_mb:.0f} MB; "
        f"{sent / load.seconds:.0f} messages per second, "
        f"{load.bytes / load.seconds / 1e6:.2f} MB/s "
        f"({', '.join(f'{name} {n / load.seconds:.0f}' for name, n in load.messages.items())})"
    )
    cores = psutil.cpu_count() or 1
    CONSOLE.print(
        f"other processes used {100 * load.others_cpu_s / load.seconds / cores:.0f}% of the machine"
    )
    CONSOLE.print(f"replies: {dict(load.replies)}; refusals: {dict(load.refusals)}")
    good = float(np.percentile(every, 99)) < LIMIT_MS and not load.refusals
    CONSOLE.print(
        "passed" if good else f"FAILED: p99 must be below {LIMIT_MS:g} ms and no action refused"
    )
    return good


def show_profile(path: Path, rows: int = 28) -> None:
    """Print the functions with the largest own time in the venue."""
    stats = pstats.Stats(str(path))
    entries = stats.stats.items()  # type: ignore[attr-defined]
    table = Table("function", "calls", "own s", "with callees s", title="Where the time goes")
    for (file, line, name), (_, calls, own, whole, _) in sorted(entries, key=lambda e: -e[1][2])[
        :rows
    ]:
        table.add_row(f"{Path(file).name}:{line} {name}", str(calls), f"{own:.2f}", f"{whole:.2f}")
    CONSOLE.print(table)


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--coins", type=int, default=50)
    parser.add_argument("--rate", type=float, default=100.0, help="actions per second")
    parser.add_argument("--seconds", type=float, default=75.0, help="duration of the load, seconds")
    parser.add_argument("--quick", action="store_true", help="10 s")
    parser.add_argument("--profile", action="store_true")
    args = parser.parse_args(argv)
    cores = sorted(os.sched_getaffinity(0))
    coins = coin_names(args.coins)
    with tempfile.TemporaryDirectory() as folder:
        profile = Path(folder) / "profile" if args.profile else None
        process = start_venue(coins, cores[0], profile)
        try:
            line = process.stdout.readline() if process.stdout else ""
            if not line:
                raise VenueError("the venue did not start; run scripts/paper_exchange.py manually")
            addresses = json.loads(line)
            os.sched_setaffinity(0, {cores[-1]})
            client = Client(addresses["rest"], addresses["ws"])
            seconds = 10.0 if args.quick else args.seconds
            venue = psutil.Process(process.pid)
            load = asyncio.run(measure(client, venue, coins, args.rate, seconds))
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(timeout=30)
        good = report(load, len(coins))
        if profile is not None:
            show_profile(profile)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(run(main))
