"""Fixtures of the calibration tests: real recordings, hand-made ones and simulated markets."""

import importlib.util
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from advanced_mm.marketdata.records import Quotes, Recording, Trades
from advanced_mm.marketdata.store import ShardStore

RECORDINGS = Path(__file__).parents[2].parent / "shared/hyperliquid"


@pytest.fixture(scope="session")
def recorded() -> Callable[[str], Recording]:
    """Read a coin of the shared recordings."""
    if not RECORDINGS.is_dir():
        pytest.skip(f"no recordings at {RECORDINGS}")
    store = ShardStore(RECORDINGS)
    known: dict[str, Recording] = {}

    def read(coin: str) -> Recording:
        if coin not in known:
            known[coin] = store.read(coin)
        return known[coin]

    return read


@pytest.fixture(scope="session")
def recordings_dir() -> Path:
    if not RECORDINGS.is_dir():
        pytest.skip(f"no recordings at {RECORDINGS}")
    return RECORDINGS


def _recording(
    quotes: Sequence[tuple[int, float, float]] = (),
    trades: Sequence[tuple[int, int, float] | tuple[int, int, float, int]] = (),
    books: Sequence[int] = (),
    tick: float = 0.1,
) -> Recording:
    """Build a recording from (ms, bid, ask), (ms, side, price[, transaction]) and book times."""
    time_ms = np.array([q[0] for q in quotes], dtype=np.int64)
    bid = np.array([q[1] for q in quotes], dtype=float)
    ask = np.array([q[2] for q in quotes], dtype=float)
    trade_ms = np.array([t[0] for t in trades], dtype=np.int64)
    return Recording(
        coin="TEST",
        quotes=Quotes(time_ms, bid, np.ones(len(bid)), ask, np.ones(len(bid)), time_ms / 1e3),
        trades=Trades(
            time_ms=trade_ms,
            price=np.array([t[2] for t in trades], dtype=float),
            size=np.ones(len(trade_ms)),
            side=np.array([t[1] for t in trades], dtype=np.int64),
            trade_id=np.arange(len(trade_ms), dtype=np.int64),
            transaction=np.array([t[3] if len(t) > 3 else 0 for t in trades], dtype=np.int64),
            local_s=trade_ms / 1e3,
        ),
        book_time_ms=np.array(books, dtype=np.int64),
        tick=tick,
    )


@pytest.fixture(scope="session")
def make_recording() -> Callable[..., Recording]:
    return _recording


@pytest.fixture(scope="session")
def simulated() -> ModuleType:
    """The simulated markets of ``simulated_market.py``, known truth included."""
    path = Path(__file__).with_name("simulated_market.py")
    spec = importlib.util.spec_from_file_location("calibration_simulated_market", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
