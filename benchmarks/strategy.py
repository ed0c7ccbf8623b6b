"""Three live bots side by side: one that looks over REST, the strategy, and a fixed spread.

Each trades on a loopback venue of its own, the same market (one seed), at the same time, each of
its requests taking 50 ms:

- "REST": looks once a second, quotes around the mid and counts no age;
- "strategy": as configured;
- "fixed": as the strategy, but at one depth for ever, the mean of the first optimal ones.

What a resting quote is worth is explained in `benchmarks/resting_value.py`, calls and answers in
`benchmarks/answered_calls.py`. Mids are those that the collector recorded, orders and fills those
of the venue's own lists, income and edge those of the performance report. The first half minute
with all three quoting is not counted.

The exit code is 1 if the strategy missed one of the limits.

    python benchmarks/strategy.py                  # 20 minutes
    python benchmarks/strategy.py --quick          # 3 minutes, without intervals
    python benchmarks/strategy.py --minutes 60 --json > strategy.json
"""

import argparse
import json
import logging
import os
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import requests
from rich.console import Console

from advanced_mm.cli import configure_logging, run
from advanced_mm.errors import InputError
from advanced_mm.journal import QuoteSent, read_journal
from advanced_mm.marketdata import ShardStore
from advanced_mm.markets.synthetic import SyntheticParameters
from advanced_mm.parameter_files import ParameterFiles, Settings, counted_age
from advanced_mm.parameter_files.config import load_config
from advanced_mm.performance.intervals import Figure, TimeDraws
from advanced_mm.performance.judge import Wanted, judge_journal
from advanced_mm.session.session import PaperSession, SessionOptions
from benchmarks.answered_calls import LATENCY_MS, answered_calls
from benchmarks.resting_value import Worth, promise, stays, worth
from benchmarks.strategy_outcome import MOST_AGE_S, Outcome, limits, table

ROOT = Path(__file__).resolve().parents[1]
COIN, SEED, VOLATILITY = "ETH", 4, 0.4
SETTLE_S, LOOK_S, LIST_S = 30.0, 5.0, 180.0
LIST_WEIGHT = 20
NOTES = "benchmark.json"
OLD_RULES: Mapping[str, Any] = {
    "own_stream": False,
    "fair_price": "mid",
    "quote_age_seconds": 0,
    "min_quote_age_seconds": 1,
    "requote_ticks": 2,
}
BOTS: Mapping[str, Mapping[str, Any]] = {
    "REST": OLD_RULES,
    "strategy": {},
    "fixed": {"fair_price": "mid"},
}


class BenchmarkSession(PaperSession):
    """A live session whose bot may be another strategy of `benchmarks/strategies`."""

    def __init__(self, options: SessionOptions, strategy: str | None = None) -> None:
        super().__init__(options)
        self._strategy = strategy
        self._lists: dict[int, Any] = {}
        self._listed = float("-inf")
        self.lists = 0

    def _launch(
        self, name: str, command: list[str], environment: Mapping[str, str] | None = None
    ) -> Any:
        if self._strategy is not None and "--strategy" in command:
            for option, value in (
                ("--strategy", self._strategy),
                ("--strategy-path", str(ROOT / "benchmarks" / "strategies")),
            ):
                command[command.index(option) + 1] = value
        return super()._launch(name, command, environment)

    def ask(self, kind: str) -> list[dict[str, Any]]:
        """Ask the venue for a list of the bot's account."""
        asked = {"type": kind, "user": self.bots[0].trading_address}
        answer = requests.post(f"{self.rest_address}/info", json=asked, timeout=5)
        return list(answer.json())

    def orders(self, again: bool = False) -> list[dict[str, Any]]:
        """Return the orders of the account, of which the venue keeps 2000 that have ended.

        It is asked now and then, since a request costs weight, or ``again`` in any case.
        """
        if again or time.monotonic() - self._listed >= LIST_S:
            self._listed = time.monotonic()
            self.lists += 1
            self._lists |= {one["order"]["oid"]: one for one in self.ask("historicalOrders")}
        return list(self._lists.values())

    def note(self, start_ms: int, end_ms: int) -> None:
        """Write down what the venue knows, beside the recording and the journal."""
        budget = self.summary(self.look())["live"]["budget"]
        notes = {
            "start_ms": start_ms,
            "end_ms": end_ms,
            "settings": Settings.from_config(load_config(self.bots[0].configs)).model_dump(),
            "weight": budget["rest_weight_a_minute"],
            "actions": budget["actions_a_minute"],
            "lists": self.lists,
            "fills": self.ask("userFills"),
            "orders": self.orders(again=True),
        }
        (self.options.folder / NOTES).write_text(json.dumps(notes))


def trade(minutes: float, folder: Path) -> dict[str, Outcome]:
    """Run the three bots side by side and measure them."""
    with ExitStack() as stack:
        sessions = {
            name: stack.enter_context(
                BenchmarkSession(
                    SessionOptions(
                        root=ROOT,
                        folder=folder / name,
                        coin=COIN,
                        live=True,
                        seed=SEED,
                        volatility=VOLATILITY,
                        overrides=settings,
                    ),
                    "Fixed_Spread" if name == "fixed" else None,
                )
            )
            for name, settings in BOTS.items()
        }
        with ThreadPoolExecutor() as pool:
            list(pool.map(_start, sessions.values()))
        _watch(sessions.values(), SETTLE_S)
        start_ms = _now_ms()
        for session in sessions.values():
            session.orders()
        _watch(sessions.values(), 60 * minutes)
        end_ms = _now_ms()
        for session in sessions.values():
            session.note(start_ms, end_ms)
            session.end_bots()
    return measured(folder)


def measured(folder: Path) -> dict[str, Outcome]:
    """Measure the bots from what their sessions left in a folder."""
    return {name: _measured(folder / name) for name in BOTS}


def _start(session: BenchmarkSession) -> None:
    session.start(threading.Event())
    fault: dict[str, Any] = {"kind": "latency", "milliseconds": LATENCY_MS}
    requests.post(f"{session.rest_address}/admin/faults", json=fault, timeout=5)


def _watch(sessions: Any, seconds: float) -> None:
    end = time.monotonic() + seconds
    while (now := time.monotonic()) < end:
        for session in sessions:
            session.look()
            session.orders()
        time.sleep(max(0.0, min(now + LOOK_S, end) - time.monotonic()))


def _measured(folder: Path) -> Outcome:
    try:
        noted = json.loads((folder / NOTES).read_text())
    except OSError as error:
        raise InputError(f"{folder / NOTES} cannot be read ({error.strerror}).") from error
    settings = Settings.model_validate(noted["settings"])
    start_ms, end_ms, fills = noted["start_ms"], noted["end_ms"], noted["fills"]
    quotes = ShardStore(folder / "HL_data").read(COIN).quotes
    mids = (quotes.bid + quotes.ask) / 2
    events = read_journal(folder / "journal").events(QuoteSent)
    sent = {one.order: one for one in events if isinstance(one, QuoteSent)}
    listed = [
        one
        for one in noted["orders"]
        if start_ms - 60_000 <= int(one["order"]["timestamp"]) < end_ms
    ]
    placed = {one["order"]["oid"]: int(one["order"]["timestamp"]) for one in listed}
    market = market_traded()
    mid = float(np.nanmean(mids))
    orders = stays(listed, sent)
    if not orders:
        raise InputError(f"{folder.name} sent no order that could be measured: see {folder}/logs.")

    age = counted_age(ParameterFiles(folder), COIN, settings)
    counted = promise(market, settings, mid, age)

    def beside(seconds: float) -> Worth:
        promised = promise(market, settings, mid, seconds)
        return worth(orders, quotes.time_ms, mids, promised, start_ms, end_ms, counted)

    minutes = (end_ms - start_ms) / 60_000
    income, edge = _earned(folder, start_ms, end_ms)
    return Outcome(
        calls=answered_calls(
            quotes.time_ms, mids, sent, listed, 1000 * settings.min_quote_age_seconds
        ),
        ages=[
            (one["time"] - placed[one["oid"]]) / 1000
            for one in fills
            if one["oid"] in placed and not one["crossed"] and start_ms <= one["time"] < end_ms
        ],
        quote_age=age,
        weight=noted["weight"] - noted["lists"] * LIST_WEIGHT / minutes,
        actions=noted["actions"],
        worth=beside(MOST_AGE_S),
        own=beside(age),
        at_once=beside(0.0).promised,
        income=income,
        edge=edge,
        orders=sum(at >= start_ms for at in placed.values()) / minutes,
        minutes=minutes,
    )


def _earned(folder: Path, start_ms: int, end_ms: int) -> tuple[Figure, Figure]:
    """Return the income of an hour and the edge of a fill, as the performance report has them."""
    wanted = Wanted(coin=COIN, since_ms=start_ms, until_ms=end_ms, data_dir=folder / "HL_data")
    try:
        judged = judge_journal(folder, wanted)[0]
    except InputError:  # there are no fills
        return Figure(0.0, "USDC an hour"), Figure(np.nan, "bp")
    minute = judged.path.minute_profit
    draws = TimeDraws(60_000 * np.arange(len(minute), dtype=np.int64))
    hourly = draws.mean(minute, "USDC").times(60, "USDC an hour")
    return hourly, judged.figures["edge_per_fill"]


def market_traded() -> SyntheticParameters:
    """Return the parameters of the market that the venues trade: the venue's own default."""
    market = SyntheticParameters.for_coin(COIN)
    return replace(market, sigma=market.sigma * VOLATILITY)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def main(argv: list[str] | None = None) -> int:
    """Print the table and whether the limits are kept; exit code 1 if one is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=20.0, help="length (default: %(default)g)")
    parser.add_argument("--quick", action="store_true", help="3 minutes")
    parser.add_argument("--json", action="store_true", help="print JSON, nothing else")
    parser.add_argument(
        "--keep", type=Path, metavar="DIR", help="keep what the sessions wrote in this empty folder"
    )
    parser.add_argument(
        "--again", type=Path, metavar="DIR", help="measure what was kept, without trading"
    )
    options = parser.parse_args(argv)
    minutes = 3.0 if options.quick else options.minutes
    if not minutes >= 2:
        raise InputError(f"--minutes is {minutes:g}, must be at least 2.")
    if options.keep is not None and options.keep.is_dir() and any(options.keep.iterdir()):
        raise InputError(f"--keep {options.keep} is not empty: name an empty folder or a new one.")
    configure_logging()
    logging.getLogger("ft_rest_client").setLevel(logging.ERROR)  # silent while the bot starts
    with tempfile.TemporaryDirectory() as temporary:
        if options.again is not None:
            outcomes = measured(options.again)
        else:
            outcomes = trade(minutes, options.keep or Path(temporary))
    found = limits(outcomes)
    if options.json:
        told = {
            "bots": {name: one.to_json() for name, one in outcomes.items()},
            "limits": [
                {"what": o.what, "value": o.value, "limit": o.limit, "kept": o.kept} for o in found
            ],
            "load": os.getloadavg()[1],
        }
        print(json.dumps(told, indent=1))
    else:
        console = Console()
        console.print(table(outcomes))
        for one in found:
            console.print(one.told(), style="green" if one.kept else "red", highlight=False)
    return 0 if all(one.kept for one in found) else 1


if __name__ == "__main__":
    sys.exit(run(main))
