"""Check that each alert rule fires under its real fault and clears after it, in a real Prometheus.

One live session on the loopback venue offers its metrics to one Prometheus, which has the rules as
they are in docker/monitoring/rules.yml. One fault after the other is set at the venue, or a process
is killed; what is printed is when each rule fired and, after the fault ended, when it cleared.

    python benchmarks/alert_rules.py               # the rules as written: about 40 minutes
    python benchmarks/alert_rules.py --wait 0.1    # a tenth of each rule's `for:`, half an hour

Exits with 1 if a rule did not fire, or did not clear.
"""

import argparse
import contextlib
import copy
import itertools
import logging
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ccxt
import psutil
import requests
import yaml
from rich.console import Console
from rich.table import Table

from advanced_mm.cli import configure_logging, run
from advanced_mm.errors import InputError
from advanced_mm.quoting.exchange.request_budget import ASK_EVERY_SECONDS
from advanced_mm.session.processes import Part
from advanced_mm.session.real_prometheus import RealPrometheus
from advanced_mm.session.session import PaperSession, SessionOptions

ROOT = Path(__file__).resolve().parents[1]
MONITORING = ROOT / "docker" / "monitoring"
COIN, PAIR = "ETH", "ETH/USDC:USDC"
SETTINGS = {
    "quote_age_seconds": 0,  # a fill every few seconds
    "volatility_limit": None,
    "min_edge_bp": None,
    "toxicity_limit": 100.0,
    "max_daily_loss": None,
    "max_drawdown": 0.05,
    "price_band_seconds": 5,
    "error_pause_seconds": 3,
}
"""Prices are made to jump: what would rightly keep the bot out for long afterwards is off."""
BESIDE_SECONDS = 180.0
"""A rule that has not fired so long after its own waits, or not cleared so long after its fault."""
LEAST_LOOK_SECONDS = 1.0
BURST = 1000


class Rig:
    """The session, and what is done to it."""

    def __init__(self, session: PaperSession, prometheus: RealPrometheus) -> None:
        self.session, self.prometheus = session, prometheus
        (self.bot,) = session.bots
        environment = self.bot.environment or {}
        url = session.rest_address
        self.client = ccxt.hyperliquid(
            {
                "walletAddress": environment["FREQTRADE__EXCHANGE__WALLET_ADDRESS"],
                "privateKey": environment["FREQTRADE__EXCHANGE__PRIVATE_KEY"],
                "options": {"builderFee": False},
                "urls": {"api": {"public": url, "private": url}},
            }
        )
        self.client.load_markets()

    def admin(self, method: str, path: str, **body: Any) -> Any:
        """Ask the venue's own interface."""
        url = f"{self.session.rest_address}/admin/{path}"
        answer = requests.request(method, url, json=body, timeout=10)
        answer.raise_for_status()
        return answer.json()

    @property
    def position(self) -> float:
        """What the bot holds, as the venue says."""
        state = self.admin("GET", "state")["accounts"][self.bot.trading_address]
        return float(state["positions"].get(COIN, 0.0))

    @contextlib.contextmanager
    def struck(self, *faults: dict[str, object]) -> Iterator[None]:
        """Keep faults in force."""
        numbers = [self.admin("POST", "faults", **fault)["id"] for fault in faults]
        yield
        for number in numbers:
            self.admin("DELETE", f"faults/{number}")

    @contextlib.contextmanager
    def killed(self, name: str) -> Iterator[None]:
        """Kill a part outright, and start it again at the end with the same command."""
        part = next(one for one in self.session.parts if one.name == name)
        command = psutil.Process(part.pid).cmdline()
        os.kill(part.pid, signal.SIGKILL)
        part.stop()
        self.session.parts.remove(part)
        yield
        log = part.log_path.with_stem(f"{name}_again")
        self.session.parts.append(Part(name, command, log, ROOT))

    @contextlib.contextmanager
    def gap(self, percent: float) -> Iterator[None]:
        """Let the price jump, and back at the end."""
        self.admin("POST", "price_gap", coin=COIN, percent=percent)
        yield
        self.admin("POST", "price_gap", coin=COIN, percent=100 / (1 + percent / 100) - 100)

    @contextlib.contextmanager
    def spent(self) -> Iterator[None]:
        """Use up the account's requests beside the bot, which earns none; buy some at the end."""
        while (left := self._requests_left() - 500) > 0:
            some = min(left, BURST)
            # Of orders that there never were; each is a request.
            try:
                with contextlib.suppress(ccxt.OrderNotFound):
                    self.client.cancel_orders([str(10**12 + n) for n in range(some)], PAIR)
            except ccxt.RateLimitExceeded:  # this minute's weight is used up
                time.sleep(5)
        yield
        self.client.reserve_request_weight(5000)

    def _requests_left(self) -> int:
        asked = {"type": "userRateLimit", "user": self.bot.trading_address}
        url = f"{self.session.rest_address}/info"
        while (answer := requests.post(url, json=asked, timeout=10)).status_code == 429:
            time.sleep(5)
        told = answer.json()
        return int(told["nRequestsCap"]) - int(told["nRequestsUsed"])

    @contextlib.contextmanager
    def stuck(self) -> Iterator[None]:
        """Have the bot buy a unit, and refuse all orders that would sell it."""
        refused = {"kind": "http_error", "status": 502, "requests": ["order", "batchModify"]}
        number = None
        deadline = time.monotonic() + 120
        for turn in itertools.count():
            if time.monotonic() > deadline:
                raise InputError("the bot could not be made to hold a unit for long.")
            if self.position <= 0:
                if number is not None:
                    self.admin("DELETE", f"faults/{number}")
                    number = None
                resting = self.client.fetch_open_orders(PAIR)
                if any(one["side"] == "buy" for one in resting):
                    number = self.admin("POST", "faults", **refused)["id"]
                    self.admin("POST", "price_gap", coin=COIN, percent=-0.15)
            elif number is not None and not self.client.fetch_open_orders(PAIR):
                break
            time.sleep(1.0 + 0.1 * (turn % 3))
        yield
        self.admin("DELETE", f"faults/{number}")


@dataclass
class Outcome:
    """Seconds after the fault's beginning when a rule fired, and after its end when it cleared."""

    fault: str
    fired: dict[str, float | None] = field(default_factory=dict)
    cleared: dict[str, float | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Trial:
    """A fault and the rules that must fire under it.

    ``inside`` it others are tried; ``more_seconds`` are those in which what it changes is not seen.
    """

    fault: str
    rules: tuple[str, ...]
    strike: Callable[[Rig], contextlib.AbstractContextManager[None]]
    inside: tuple["Trial", ...] = ()
    more_seconds: float = 0.0


LATE = {"least_ms": 8000, "milliseconds": 1, "distribution": "constant"}
TRIALS = (
    Trial(
        "the venue refuses all orders while a unit is held (`http_error`)",
        ("InventoryAtLimit",),
        Rig.stuck,
        (
            Trial("the price falls by 3% (`price_gap`)", ("Drawdown",), lambda rig: rig.gap(-3)),
            Trial(
                "another program uses the account's requests; some are bought",
                ("BudgetLow",),
                Rig.spent,
                more_seconds=ASK_EVERY_SECONDS,
            ),
        ),
    ),
    Trial(
        "the runner is killed",
        ("ProcessDown", "ParametersStale"),
        lambda rig: rig.killed("runner"),
    ),
    Trial(
        "the venue is silent (`silence`)",
        ("RecordingSilent", "DataStale"),
        lambda rig: rig.struck({"kind": "silence"}),
    ),
    Trial(
        "the venue is silent and each answer takes 6 s (`silence`, `latency`)",
        ("LoopLate",),
        lambda rig: rig.struck(
            {"kind": "silence"}, {"kind": "latency", "where": "reply", "milliseconds": 6000}
        ),
    ),
    Trial(
        "all messages and answers come 8 s late (`delayed_messages`, `latency`)",
        ("ClockOff",),
        lambda rig: rig.struck(
            {"kind": "delayed_messages", **LATE},
            {"kind": "latency", "where": "reply", "requests": ["l2Book"], **LATE},
        ),
    ),
)  # fmt: skip


class Bench:
    """Tries faults one by one, and writes down what the rules do."""

    def __init__(self, rig: Rig, waits: dict[str, float], console: Console) -> None:
        self._rig, self._waits, self._console = rig, waits, console

    def outcomes(self, trial: Trial) -> Iterator[Outcome]:
        """Try a fault, and meanwhile those inside of it; each outcome is yielded once known."""
        outcome = Outcome(trial.fault)
        self._say(f"{trial.fault}: waiting for {', '.join(trial.rules)}")
        self._rest(trial.rules)
        began = time.monotonic()
        with trial.strike(self._rig):
            for one in trial.inside:
                yield from self.outcomes(one)
            spare = BESIDE_SECONDS + trial.more_seconds
            patience = max(self._waits[name] for name in trial.rules) + spare
            outcome.fired = self._seen(trial.rules, True, began, patience)
        ended = time.monotonic()
        outcome.cleared = self._seen(trial.rules, False, ended, spare)
        yield outcome

    def _rest(self, rules: tuple[str, ...]) -> None:
        """Wait until none of the rules fires, and none of the targets is down."""
        deadline = time.monotonic() + BESIDE_SECONDS
        prometheus = self._rig.prometheus
        while prometheus.firing() & set(rules) or set(prometheus.health().values()) != {"up"}:
            if time.monotonic() > deadline:
                raise InputError(f"{' or '.join(rules)} fires, or a target is down, at rest.")
            time.sleep(0.5)

    def _seen(
        self, rules: tuple[str, ...], firing: bool, since: float, patience: float
    ) -> dict[str, float | None]:
        """Return how long after ``since`` each rule fired first, or fired no longer."""
        found: dict[str, float | None] = dict.fromkeys(rules)
        # What was tried inside of the fault may have taken longer than that.
        deadline = max(since + patience, time.monotonic() + LEAST_LOOK_SECONDS)
        while None in found.values() and time.monotonic() < deadline:
            now = self._rig.prometheus.firing()
            for name in rules:
                if found[name] is None and (name in now) is firing:
                    found[name] = time.monotonic() - since
                    self._say(f"  {name} {'fires' if firing else 'is over'}: {found[name]:.0f} s")
            time.sleep(0.5)
        return found

    def _say(self, text: str) -> None:
        self._console.print(f"{time.strftime('%H:%M:%S')} {text}", highlight=False)


def read(path: Path) -> dict[str, Any]:
    """Return a file of YAML."""
    found: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return found


def scaled(rules: dict[str, Any], factor: float) -> dict[str, Any]:
    """Return the rules with each ``for:`` times a factor; nothing else is changed."""
    changed = copy.deepcopy(rules)
    for rule in rules_in(changed):
        rule["for"] = f"{seconds_of(rule) * factor * 1000:.0f}ms"
    return changed


def rules_in(rules: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the rules of all groups."""
    return [rule for group in rules["groups"] for rule in group["rules"]]


def seconds_of(rule: dict[str, Any]) -> float:
    """Return a rule's ``for:``, which we write in seconds."""
    return float(rule["for"].removesuffix("s"))


def main(argv: list[str] | None = None) -> int:
    """Try all faults and print what the rules did."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--wait", type=float, default=1.0, help="a factor on each rule's `for:`")
    parser.add_argument("--only", help="try only the faults of these rules, comma-separated")
    args = parser.parse_args(argv)
    if not 0 < args.wait <= 1:
        raise InputError(f"--wait {args.wait:g} must be above 0 and at most 1.")
    configure_logging()
    logging.getLogger("ft_rest_client").setLevel(logging.ERROR)  # silent while the bot starts
    rules = read(MONITORING / "rules.yml")
    waits = {rule["alert"]: seconds_of(rule) * args.wait for rule in rules_in(rules)}
    trials = chosen(TRIALS, set(args.only.split(",")) if args.only else set(waits))
    console = Console()
    with tempfile.TemporaryDirectory(prefix="alert_rules_") as name:
        folder = Path(name)
        outcomes = tried(folder, scaled(rules, args.wait), waits, trials, console)
    console.print(table(outcomes, waits))
    known = [times for outcome in outcomes for times in (outcome.fired, outcome.cleared)]
    missing = set() if args.only else set(waits) - {name for one in known for name in one}
    for rule in sorted(missing):
        console.print(f"{rule} has no fault here")
    return 1 if missing or any(None in one.values() for one in known) else 0


def chosen(trials: tuple[Trial, ...], rules: set[str]) -> tuple[Trial, ...]:
    """Return the trials of some rules, on their own or inside of another."""
    return tuple(
        one
        for one in trials
        if rules & {*one.rules, *(name for t in one.inside for name in t.rules)}
    )


def tried(
    folder: Path,
    rules: dict[str, Any],
    waits: dict[str, float],
    trials: tuple[Trial, ...],
    console: Console,
) -> list[Outcome]:
    """Run the session and Prometheus, and try all faults."""
    options = SessionOptions(
        ROOT, folder / "session", live=True, volatility=0.4, overrides=SETTINGS, metrics=True
    )
    with PaperSession(options) as session:
        session.start(threading.Event())
        config, targets = read(MONITORING / "prometheus.yml"), session.metrics_targets()
        with RealPrometheus(folder / "prometheus", config, rules, targets) as prometheus:
            rig = Rig(session, prometheus)
            bench = Bench(rig, waits, console)
            while not prometheus.ask("advanced_mm_requests_left"):
                session.raise_if_dead()
                time.sleep(1)
            return [outcome for trial in trials for outcome in bench.outcomes(trial)]


def table(outcomes: list[Outcome], waits: dict[str, float]) -> Table:
    """Return one row a rule."""
    shown = Table("rule", "fault", "for, s", "fired after, s", "cleared after, s")
    for outcome in outcomes:
        for rule, fired in outcome.fired.items():
            cleared = outcome.cleared[rule]
            shown.add_row(
                rule,
                outcome.fault,
                f"{waits[rule]:g}",
                "never" if fired is None else f"{fired:.0f}",
                "never" if cleared is None else f"{cleared:.0f}",
            )
    return shown


if __name__ == "__main__":
    sys.exit(run(main))
