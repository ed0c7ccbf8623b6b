"""The collector beside the SDK's websocket client: messages a second of one core, and memory.

Both read the same frames of 50 coins over a real socket, from a process of its own. The collector
is its script, writing shards as always. The other is what one writes first: the websocket client of
hyperliquid-python-sdk, each message appended to a list, and every five seconds a DataFrame written
to Parquet. Then the collector listens at the rate of 50 real coins. All that is counted is the
processor time of the reader, from the first frame until everything is on disk.

    python benchmarks/collector.py             # about two minutes
    python benchmarks/collector.py --quick     # 20 seconds
"""

import argparse
import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table

from advanced_mm.cli import run
from benchmarks.message_source import CHANNELS, coin_names, listen

ROOT = Path(__file__).resolve().parents[1]
COLLECTOR = ROOT / "scripts" / "hyperliquid_data_collector.py"
SOURCE = ROOT / "benchmarks" / "message_source.py"
MARKET_SECONDS = 40.0
REAL_RATE = 600.0
STILL_S = 6.0  # without work for so long, a reader has written all it will before it is ended


@dataclass(frozen=True)
class Plan:
    """Size of the benchmark: coins, frames at full speed, and seconds at the real rate."""

    coins: int
    frames: int
    seconds: int


@dataclass(frozen=True)
class Cost:
    """What a reader used: processor and real seconds, peak memory in MB, rows on disk."""

    messages: int
    processor_s: float
    real_s: float
    megabytes: float
    rows: int

    @property
    def rate(self) -> float:
        """Messages a second of one core."""
        return self.messages / self.processor_s


def with_sdk(url: str, folder: Path, coins: list[str]) -> None:
    """Record until SIGTERM as a first program with the SDK does."""
    import pandas as pd
    from hyperliquid.websocket_manager import WebsocketManager

    received: dict[str, list[Any]] = {"bbo": [], "trades": [], "l2Book": []}
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    manager = WebsocketManager(url.removesuffix("/ws").replace("ws://", "http://"))
    manager.daemon = manager.ping_sender.daemon = True
    for coin in coins:
        for kind, rows in received.items():
            manager.subscribe({"type": kind, "coin": coin}, rows.append)
    manager.start()

    def write() -> None:
        for kind, rows in received.items():
            taken = rows[:]
            del rows[: len(taken)]
            if not taken:
                continue
            data = [message["data"] for message in taken]
            flat = [one for many in data for one in many] if kind == "trades" else data
            path = folder / f"{kind}_{time.time_ns()}.parquet"
            pd.DataFrame(flat).to_parquet(path)

    while not stop.wait(5.0):
        write()
    write()
    os._exit(0)


def run_reader(
    command: list[str], plan: Plan, stored: Path, folder: Path, number: int, rate: float | None,
    channels: int,
) -> Cost:  # fmt: skip
    """Let a reader read some frames and end; ``command`` has URL in place of the address."""
    source_command = [sys.executable, str(SOURCE), str(stored), "--number", str(number)]
    source_command += ["--subscriptions", str(plan.coins * channels)]
    if rate is not None:
        source_command += ["--rate", str(rate)]
    with subprocess.Popen(source_command, stdout=subprocess.PIPE, text=True) as source:
        assert source.stdout is not None
        port = source.stdout.readline().split()[1]
        url = f"ws://127.0.0.1:{port}/ws"
        reader = psutil.Popen(
            [part.replace("URL", url) for part in command],
            stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            assert source.stdout.readline().strip() == "begin"
            began_s, before_s = time.monotonic(), used(reader)
            assert source.stdout.readline().startswith("sent")
            real_s = time.monotonic() - began_s
            peak = reader.memory_info().rss
            quiet_since, last_s = time.monotonic(), used(reader)
            while time.monotonic() - quiet_since < STILL_S:
                time.sleep(0.2)
                peak = max(peak, reader.memory_info().rss)
                if used(reader) - last_s > 0.05:
                    quiet_since, last_s = time.monotonic(), used(reader)
            reader.send_signal(signal.SIGTERM)
            processor_s = used(reader) - before_s
            reader.wait(30)
        finally:
            source.kill()
            if reader.is_running():
                reader.kill()
    rows = sum(pq.read_metadata(path).num_rows for path in folder.rglob("*.parquet"))
    return Cost(number, processor_s, real_s, peak / 1e6, rows)


def used(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def measure(plan: Plan, folder: Path) -> Table:
    coins = coin_names(plan.coins)
    stored = folder / "frames.txt"
    frames = asyncio.run(listen(coins, MARKET_SECONDS))
    stored.write_text("\n".join(frames))
    ours, theirs, real = (folder / name for name in ("ours", "theirs", "real"))
    theirs.mkdir()
    collector = [sys.executable, str(COLLECTOR), "--crypto", ",".join(coins), "--url", "URL"]
    sdk = [sys.executable, __file__, "--as-sdk", "URL", str(theirs), str(plan.coins)]
    subscribed = len(CHANNELS)
    costs = {
        "collector": run_reader(
            [*collector, "--data-dir", str(ours)], plan, stored, ours, plan.frames, None, subscribed
        ),
        "SDK client, list and DataFrame": run_reader(
            sdk, plan, stored, theirs, plan.frames, None, 3
        ),
        f"collector, {REAL_RATE:.0f} messages a second": run_reader(
            [*collector, "--data-dir", str(real)], plan, stored, real,
            round(REAL_RATE * plan.seconds), REAL_RATE, subscribed,
        ),
    }  # fmt: skip
    table = Table("reader", title=f"{plan.coins} coins, {plan.frames:,} messages at full speed")
    for name in ("messages/s of a core", "processor s", "real s", "share of a core", "peak MB",
                 "rows on disk"):  # fmt: skip
        table.add_column(name, justify="right")
    for name, cost in costs.items():
        share = f"{cost.processor_s / cost.real_s:.1%}"
        table.add_row(
            name, f"{cost.rate:,.0f}", f"{cost.processor_s:.2f}", f"{cost.real_s:.1f}", share,
            f"{cost.megabytes:.0f}", f"{cost.rows:,}",
        )  # fmt: skip
    first, second = list(costs.values())[:2]
    table.caption = f"the collector takes {first.rate / second.rate:.1f} times as many"
    return table


def main(argv: list[str] | None = None) -> int:
    """Print the table."""
    arguments = sys.argv[1:] if argv is None else argv
    if arguments[:1] == ["--as-sdk"]:
        with_sdk(arguments[1], Path(arguments[2]), coin_names(int(arguments[3])))
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer messages")
    plan = Plan(50, 60_000, 10) if parser.parse_args(arguments).quick else Plan(50, 400_000, 60)
    with tempfile.TemporaryDirectory() as folder:
        Console(width=110).print(measure(plan, Path(folder)))
    return 0


if __name__ == "__main__":
    sys.exit(run(main))
