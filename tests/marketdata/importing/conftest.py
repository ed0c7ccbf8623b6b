"""Files of the archive's and the collectors' layouts, made here from one small market."""

import http.server
import json
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import fsspec
import numpy as np
import pytest

from tests.marketdata.object_store import s3, s3_server

__all__ = ["s3", "s3_server"]

HOUR_MS = 3_600_000
START_MS = 1_765_400_400_000  # 2025-12-10 21:00 UTC


def iso(time_ms: int) -> str:
    return str(np.datetime64(time_ms, "ms")) + "123456"


class Market:
    """A mid that walks in steps of 0.1 around 3000, a snapshot each half second, trades between."""

    def __init__(self, minutes: int = 4, start_ms: int = START_MS, seed: int = 1) -> None:
        rng = np.random.default_rng(seed)
        count = minutes * 120
        self.time_ms = start_ms + 500 * np.arange(count) + 7
        self.mid = 3000.05 + 0.1 * np.cumsum(rng.choice([-1, 0, 0, 0, 1], count))
        trades = minutes * 30
        self.trade_ms = np.sort(rng.integers(start_ms, start_ms + minutes * 60_000, trades))
        at = np.maximum(np.searchsorted(self.time_ms, self.trade_ms) - 1, 0)
        self.buys = rng.random(trades) < 0.5
        away = 0.05 + 0.1 * rng.geometric(0.5, trades)
        self.price = np.round(self.mid[at] + np.where(self.buys, away, -away), 1)
        self.size = np.round(rng.exponential(0.5, trades) + 0.01, 4)

    def levels(self, index: int) -> list[list[dict[str, Any]]]:
        return [
            [
                {
                    "px": f"{self.mid[index] + sign * (0.05 + 0.1 * k):.1f}",
                    "sz": f"{1 + k}.5",
                    "n": 2,
                }
                for k in range(20)
            ]
            for sign in (-1, 1)
        ]

    def book_lines(self, coin: str = "ETH") -> list[dict[str, Any]]:
        return [
            {
                "time": iso(int(time_ms) + 80),
                "ver_num": 1,
                "raw": {
                    "channel": "l2Book",
                    "data": {"coin": coin, "time": int(time_ms), "levels": self.levels(index)},
                },
            }
            for index, time_ms in enumerate(self.time_ms)
        ]

    def fills(self, coin: str = "ETH") -> list[list[list[Any]]]:
        """Both parties' fills of each trade, the maker's first."""
        found = []
        for n, time_ms in enumerate(self.trade_ms):
            side = "B" if self.buys[n] else "A"
            common = {
                "coin": coin,
                "px": f"{self.price[n]:.1f}",
                "sz": str(self.size[n]),
                "time": int(time_ms),
                "startPosition": "0.0",
                "dir": "Open Long",
                "closedPnl": "0.0",
                "hash": f"0x{n // 2 + 1:064x}",
                "fee": "0.1",
                "tid": 10**15 + n,
                "feeToken": "USDC",
            }
            found.append(
                [
                    ["0xmaker", {**common, "side": "AB"[side == "A"], "crossed": False, "oid": n}],
                    ["0xtaker", {**common, "side": side, "crossed": True, "oid": 10**6 + n}],
                ]
            )
        return found

    def block_lines(self, *coins: str) -> list[dict[str, Any]]:
        by_coin = [self.fills(coin) for coin in coins or ("ETH",)]
        return [
            {
                "local_time": iso(int(time_ms) + 200),
                "block_time": iso(int(time_ms)),
                "block_number": 800_000_000 + n,
                "events": [fill for fills in by_coin for fill in fills[n]],
            }
            for n, time_ms in enumerate(self.trade_ms)
        ]

    def trade_lines(self) -> list[dict[str, Any]]:
        """The layout of March 2025: one line a trade, no ``tid``."""
        return [
            {
                "coin": "ETH",
                "side": "B" if self.buys[n] else "A",
                "time": iso(int(time_ms)),
                "px": f"{self.price[n]:.1f}",
                "sz": str(self.size[n]),
                "hash": f"0x{n // 2 + 1:064x}",
                "trade_dir_override": "Na",
                "side_info": [
                    {"user": "0xb", "start_pos": "0.0", "oid": 2 * n + self.buys[n].item()},
                    {"user": "0xs", "start_pos": "0.0", "oid": 2 * n + 1 - self.buys[n].item()},
                ],
            }
            for n, time_ms in enumerate(self.trade_ms)
        ]


def write(path: Path, lines: list[Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with fsspec.open(str(path), "wb", compression="lz4") as file:
        file.write("".join(json.dumps(line) + "\n" for line in lines).encode())
    return path


@pytest.fixture(scope="session")
def made() -> SimpleNamespace:
    return SimpleNamespace(
        Market=Market, write=write, hour=hour, START_MS=START_MS, HOUR_MS=HOUR_MS
    )


def hour(root: Path, market: Market) -> Path:
    """Write an hour of the archive: the books and the fills of ETH."""
    write(root / "books/20251210/21/l2Book/ETH.lz4", market.book_lines())
    name = root / "fills/node_fills_by_block/hourly/20251210/21.lz4"
    write(name, market.block_lines("ETH", "WLFI", "BTC"))
    return root


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An hour of the archive on this machine: books of two coins, fills of the same."""
    root = hour(tmp_path_factory.mktemp("archive"), Market())
    write(root / "books/20251210/21/l2Book/WLFI.lz4", Market(minutes=1, seed=2).book_lines("WLFI"))
    return root


@pytest.fixture
def serve() -> Iterator[Callable[[Path], str]]:
    """Serve a folder over HTTP and return its address."""
    servers = []

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

    def start(folder: Path) -> str:
        server = http.server.ThreadingHTTPServer(
            ("127.0.0.1", 0), partial(Quiet, directory=str(folder))
        )
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_address[1]}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()
