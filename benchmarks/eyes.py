"""Speed of a live bot: from a touch that calls for a new quote to that quote at the venue.

Runs live sessions on the loopback venue, each request taking 50 ms there: one that asks over REST
once a second, two with a websocket of their own. Calls and answers are those of
`benchmarks/answered_calls.py`; two requests, a cancel and an order, take 0.1 s. Touches are those
that the collector recorded, orders those of the venue's own list.

Each bot's share of a processor core is measured after its first minute, also that of one that sees
but quotes nothing, and how long Freqtrade waits for each of the strategy's answers (its callbacks).

    python benchmarks/eyes.py                 # 20 minutes
    python benchmarks/eyes.py --minutes 2     # minimum: the first minute is not counted
"""

import json
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import requests
from rich.console import Console
from rich.table import Table

from advanced_mm.cli import run
from advanced_mm.journal import QuoteSent, read_journal
from advanced_mm.marketdata import ShardStore
from advanced_mm.session.session import PaperSession, SessionOptions
from benchmarks.answered_calls import LATENCY_MS, answered_calls
from benchmarks.live_sessions import minutes_of, project_with

LEAST_AGE_S = 1.0
CASES: dict[str, dict[str, Any]] = {
    "REST, once a second": {"own_stream": False},
    "own websocket": {"own_stream": True},
    "own websocket, least age 0.2 s": {"own_stream": True, "min_quote_age_seconds": 0.2},
    "own websocket, quotes nothing": {"own_stream": True, "min_edge_bp": 100.0},
}
FIRST_SECONDS = 60.0
"""Not counted: the bot asks for candles and markets."""

TIMER = """

import functools
import json
import time

_TOOK = {}


def _timed(name, method):
    @functools.wraps(method)
    def timed(*arguments, **named):
        began = time.perf_counter()
        try:
            return method(*arguments, **named)
        finally:
            _TOOK.setdefault(name, []).append(time.perf_counter() - began)

    return timed


def _told(cleanup):
    def told(self):
        cleanup(self)
        (Path(self.config["user_data_dir"]) / "callbacks.json").write_text(json.dumps(_TOOK))

    return told


for _name, _method in list(vars(Market_Making).items()):
    if _name.startswith(("custom_", "confirm_", "check_")):
        setattr(Market_Making, _name, _timed(_name, _method))
Market_Making.ft_bot_cleanup = _told(Market_Making.ft_bot_cleanup)
"""
"""Appended to the strategy."""


@dataclass
class Outcome:
    """One session: seconds from call to order, seconds filled quotes rested, weight a minute.

    ``core`` is the bot's share of a processor core, ``callbacks`` has seconds by name.
    """

    delays: list[float] = field(default_factory=list)
    ages: list[float] = field(default_factory=list)
    weight: float = 0.0
    orders: float = 0.0
    income: float = 0.0
    core: float = float("nan")
    callbacks: dict[str, list[float]] = field(default_factory=dict)


def core_seconds(session: PaperSession) -> float:
    """Return the processor time that the bot has used."""
    (bot,) = (part for part in session.parts if part.name == "bot")
    used = psutil.Process(bot.pid).cpu_times()
    return float(used.user + used.system)


def trade(settings: dict[str, Any], minutes: float, folder: Path) -> Outcome:
    """Run a live session in a folder and measure it."""
    project, folder = (
        project_with(folder / "project", lambda text: text + TIMER),
        folder / "session",
    )
    folder.mkdir()
    options = SessionOptions(
        root=project,
        folder=folder,
        live=True,
        overrides={"min_quote_age_seconds": LEAST_AGE_S, **settings},
    )
    with PaperSession(options) as session:
        session.start(threading.Event())
        fault: dict[str, Any] = {"kind": "latency", "milliseconds": LATENCY_MS}
        requests.post(f"{session.rest_address}/admin/faults", json=fault, timeout=5)
        began, counted = time.monotonic(), None
        while (now := time.monotonic()) < began + 60 * minutes:
            if counted is None and now >= began + FIRST_SECONDS:
                counted = now, core_seconds(session)
            session.look()
            time.sleep(1)
        core = float("nan")
        if counted is not None:
            core = (core_seconds(session) - counted[1]) / (time.monotonic() - counted[0])
        live = session.summary(session.look())["live"]
        session.end_bots()
        user = session.bots[0].trading_address
        history, fills = (
            requests.post(
                f"{session.rest_address}/info", json={"type": kind, "user": user}, timeout=5
            ).json()
            for kind in ("historicalOrders", "userFills")
        )
    record = next(iter(live["accounts"].values()))
    placed = {one["order"]["oid"]: one for one in history}
    outcome = Outcome(
        weight=live["budget"]["rest_weight_a_minute"],
        orders=len(history) / minutes,
        income=record["money"]["value"] - 10_000,
        core=core,
        callbacks=json.loads((folder / "callbacks.json").read_text()),
        ages=[
            (one["time"] - placed[one["oid"]]["order"]["timestamp"]) / 1000
            for one in fills
            if one["oid"] in placed and not one["crossed"]
        ],
    )
    outcome.delays = delays(
        folder, history, 1000 * settings.get("min_quote_age_seconds", LEAST_AGE_S)
    )
    return outcome


def delays(folder: Path, history: list[dict[str, Any]], least_age_ms: float) -> list[float]:
    """Return `answered_calls` of a session's folder and the venue's list of orders."""
    quotes = ShardStore(folder / "HL_data").read("ETH").quotes
    events = read_journal(folder / "journal").events(QuoteSent)
    sent = {one.order: one for one in events if isinstance(one, QuoteSent)}
    mids = (quotes.bid + quotes.ask) / 2
    calls = answered_calls(quotes.time_ms, mids, sent, history, least_age_ms)
    return [one.seconds for one in calls]


def main(argv: list[str] | None = None) -> int:
    """Print the table; exit code 0."""
    minutes = minutes_of(__doc__, argv, 5.0)
    table = Table(
        "", "call to order, s: median", "90%", "calls", "age of fills, s: median", "fills",
        "REST weight/min", "orders/min", "income, USDC", "share of a core",
    )  # fmt: skip
    callbacks = Table("callback", "case", "calls", "ms: median", "90%")
    for name, settings in CASES.items():
        with tempfile.TemporaryDirectory() as folder:
            outcome = trade(settings, minutes, Path(folder))
        took = outcome.delays or [float("nan")]
        table.add_row(
            name,
            f"{np.median(took):.3f}",
            f"{np.quantile(took, 0.9):.3f}",
            str(len(outcome.delays)),
            f"{np.median(outcome.ages or [float('nan')]):.2f}",
            str(len(outcome.ages)),
            f"{outcome.weight:.0f}",
            f"{outcome.orders:.1f}",
            f"{outcome.income:+.2f}",
            f"{outcome.core:.1%}",
        )
        for callback, seconds in sorted(outcome.callbacks.items()):
            median, most = 1000 * np.quantile(seconds, (0.5, 0.9))
            callbacks.add_row(callback, name, str(len(seconds)), f"{median:.2f}", f"{most:.2f}")
    console = Console(width=160)
    console.print(table)
    console.print(callbacks)
    return 0


if __name__ == "__main__":
    sys.exit(run(main))
