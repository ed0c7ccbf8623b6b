"""The whole system on one machine: venue, collector, runner and bot as child processes."""

import json
import logging
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import requests

from advanced_mm.errors import AdvancedMMError, InputError, VenueError
from advanced_mm.instruments import dex_of, resolve_coin
from advanced_mm.journal import JOURNAL_FOLDER
from advanced_mm.parameter_files import ParameterFileError, ParameterFiles, ParameterSet
from advanced_mm.parameter_files.history import HISTORY_FOLDER, CalibrationHistory
from advanced_mm.session.bots import BotLook, SessionBot, bot_plans, free_port
from advanced_mm.session.budget_log import BudgetLog
from advanced_mm.session.live_account import AccountMoney, AdminClient, LiveAccount
from advanced_mm.session.orphan_reaper import OrphanReaper
from advanced_mm.session.processes import Part
from advanced_mm.venue.conditions.opening import venue_coins
from advanced_mm.venue.conditions.scenario import load_scenario

__all__ = ["PaperSession", "PartDiedError", "SessionOptions", "SessionView", "session_coin"]

logger = logging.getLogger(__name__)

_START_PATIENCE_SECONDS = 90.0
_REPLAY_TOXICITY_LIMIT = 3.0
_AGE_OF_TWO_BOTS = 3.0  # seconds: both share the weight limit of one IP address, 1200 a minute
_SECONDS_BETWEEN_STARTS = 30.0  # a start uses as much weight as half a minute of quoting
_VOLATILITY = 0.4  # of the synthetic market's default: about ETH's


def session_coin(name: str, replay: Path | None = None, scenario: Path | None = None) -> str:
    """Return the venue's name for the coin to trade, given in any spelling.

    It must be a market of the scenario, a coin of the recording, or else one that the loopback
    venue has figures for.

    Raises
    ------
    InputError
        If it is none of them, or the file or folder cannot be read.
    """
    if scenario is None:
        return venue_coins([name], replay)[0]
    coins = [market.coin for market in load_scenario(scenario).markets]
    return resolve_coin(name, coins, str(scenario))


class PartDiedError(AdvancedMMError):
    """A child process ended unexpectedly; the message has its last log lines. Ends the session."""


@dataclass(frozen=True)
class SessionOptions:
    """What to run.

    ``root`` is the project's folder; ``folder`` receives everything the session writes. ``replay``
    is a data folder whose recording replaces the synthetic market; as recordings are toxic, the
    toxicity limit is then 3 and no minimum edge is required. ``scenario`` is a file that sets the
    venue's markets and faults. ``live`` sends real orders to the loopback venue, which then
    enforces its rate limits unless ``limits`` is off. ``both_sides`` runs two bots that share their
    inventory. ``volatility`` is a factor on the synthetic market's default; 0.4 is about ETH's.
    ``metrics`` offers those of collector, runner and bots, see `PaperSession.metrics_ports`.

    Raises
    ------
    InputError
        If the scenario cannot be read or has no market for ``coin``.
    """

    root: Path
    folder: Path
    coin: str = "ETH"
    replay: Path | None = None
    seed: int = 1
    live: bool = False
    both_sides: bool = False
    limits: bool = True
    overrides: Mapping[str, Any] = field(default_factory=dict)
    scenario: Path | None = None
    volatility: float = _VOLATILITY
    metrics: bool = False

    def __post_init__(self) -> None:
        if self.scenario is None:
            return
        coins = [market.coin for market in load_scenario(self.scenario).markets]
        if self.coin not in coins:
            raise InputError(
                f"{self.scenario} has no market for {self.coin}: name one of {', '.join(coins)}."
            )

    @property
    def data_dir(self) -> Path:
        """Where the collector writes its shards."""
        return self.folder / "HL_data"

    @property
    def journal(self) -> Path:
        """Where the bots write down what they do."""
        return self.folder / JOURNAL_FOLDER


@dataclass(frozen=True)
class SessionView:
    """A snapshot of the running system; ``mid`` in quote currency, ``memory`` in bytes by part."""

    at: datetime
    coin: str
    mid: float | None
    bots: tuple[BotLook, ...]
    parameters: ParameterSet | None
    parameters_fault: str | None
    memory: Mapping[str, int]
    logs: Mapping[str, Path]
    limits: Mapping[str, Any] | None = None
    """The venue's limit counters, in a live session only."""


class PaperSession:
    """Starts the parts in order, watches them, stops them in reverse order.

    Use it as a context manager: no process is left behind, however the block ends.

    ``started_ms`` (epoch) is when it was started: its folder may hold an earlier session's journal.
    With real orders, ``opened`` and ``closed`` tell by bot what its account held at the venue when
    it was opened, and after `end_bots`; None where the venue did not say.

    Raises
    ------
    PartDiedError
        From ``start`` and ``look``, if a part has ended unexpectedly.
    """

    def __init__(self, options: SessionOptions) -> None:
        self.options = options
        self.parts: list[Part] = []
        self.bots: list[SessionBot] = []
        self.page: Part | None = None
        """The live page's server; the session goes on without it."""
        self.rest_address = ""
        self.metrics_ports: dict[str, int] = {}
        """By the names of parts, where each offers its metrics on 127.0.0.1; chosen by `start`."""
        self.started_ms: int | None = None
        self.budget = BudgetLog()
        self.opened: dict[str, AccountMoney | None] = {}
        self.closed: dict[str, AccountMoney | None] = {}
        self._files = ParameterFiles(options.folder)
        self._history = CalibrationHistory(options.folder / HISTORY_FOLDER)
        self._admin: AdminClient | None = None

    def __enter__(self) -> Self:
        self._reaper = OrphanReaper()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self, ended: threading.Event) -> None:
        """Start all parts; return when the bots answer over REST or ``ended`` is set.

        With real orders and rate limits, the second bot starts half a minute after the first.
        """
        self.started_ms = time.time_ns() // 1_000_000
        (self.options.folder / "logs").mkdir(parents=True, exist_ok=True)
        self.page = self._started("dashboard", self._page_command())
        venue = self._launch("venue", self._venue_command())
        addresses = self._wait_for_venue(venue, ended)
        if addresses is None:
            return
        self.rest_address = addresses["rest"]
        self._launch("collector", self._collector_command(addresses["ws"]))
        self._make_bots(addresses)
        self._launch("runner", self._runner_command(self.bots[0].overlay))
        spaced = self.options.live and self.options.limits
        for number, bot in enumerate(self.bots):
            if number and spaced:
                self._wait_for_bot(self.bots[number - 1], ended)
                self._wait_between_bots(ended)
            if ended.is_set():
                return
            self._launch(bot.plan.name, bot.command, bot.environment)
        for bot in self.bots:
            self._wait_for_bot(bot, ended)

    @property
    def page_address(self) -> str | None:
        """Where the live page is; None if its server does not run, or does not listen yet."""
        if self.page is None or self.page.exit_code is not None:
            return None
        lines = (line.partition("the live page is at ") for line in self.page.last_lines())
        return next((address for _, told, address in lines if told), None)

    def metrics_targets(self) -> dict[str, list[str]]:
        """Return where metrics are offered, host:port by the name of Prometheus' job."""
        bots = {bot.plan.name for bot in self.bots}
        targets: dict[str, list[str]] = {}
        for name, port in self.metrics_ports.items():
            job = "bot" if name in bots else name
            targets.setdefault(job, []).append(f"127.0.0.1:{port}")
        return targets

    def end_bots(self) -> None:
        """Stop the bots, last started first, and look at their accounts: nothing moves any more."""
        names = {bot.plan.name for bot in self.bots}
        for part in reversed(self.parts):
            if part.name in names:
                part.stop()
        self.closed = self._money()

    def stop(self) -> None:
        """Stop all parts, last started first."""
        for part in reversed([*self.parts, *([] if self.page is None else [self.page])]):
            part.stop()
        self._reaper.close()
        if self._admin is not None:
            self._admin.close()

    def raise_if_dead(self) -> None:
        """Raise ``PartDiedError`` if a part has ended."""
        for part in self.parts:
            if part.exit_code is not None:
                lines = "\n  ".join(part.last_lines())
                raise PartDiedError(
                    f"the {part.name} ended with exit code {part.exit_code}; "
                    f"last lines of {part.log_path}:\n  {lines}"
                )

    def look(self) -> SessionView:
        """Return a snapshot of all parts."""
        self.raise_if_dead()
        bots = tuple(bot.look(self._admin) for bot in self.bots)
        # Only now, so that the refits that those quotes are based on have been published.
        parameters, fault = self._see_parameters()
        state = None if self._admin is None else self._admin.state()
        self.budget.note(state)
        return SessionView(
            at=datetime.now(UTC),
            coin=self.options.coin,
            mid=self._mid(state),
            bots=bots,
            parameters=parameters,
            parameters_fault=fault,
            memory={part.name: part.sample_memory() for part in self.parts},
            logs={part.name: part.log_path for part in self.parts},
            limits=None if state is None else state["limits"],
        )

    def summary(self, last: SessionView) -> dict[str, Any]:
        """Return the figures of the session as ``--summary`` writes them."""
        audits = [bot.audit for bot in self.bots]
        states = [look.state for look in last.bots]
        known = [state for state in states if state is not None]
        complete = len(known) == len(states)
        summary = {
            "coin": last.coin,
            "refits": max((audit.refits for audit in audits), default=0),
            "quotes": sum(audit.quotes for audit in audits),
            "requotes": sum(audit.requotes for audit in audits),
            "touch_quotes": sum(audit.touch_quotes for audit in audits),
            "unmatched_quotes": sum(audit.unmatched for audit in audits),
            "max_distance_ticks": round(
                max((audit.max_distance_ticks for audit in audits), default=0.0), 4
            ),
            "fills": sum(state.fills for state in known) if complete else None,
            "pnl": round(sum(state.profit for state in known), 6) if complete else None,
            "closed_pnl": (
                round(sum(state.closed_profit for state in known), 6) if complete else None
            ),
            "peak_rss_mb": {p.name: round(p.peak_rss_bytes / 2**20, 1) for p in self.parts},
        }
        if self.options.live:
            records = {look.name: look.record for look in last.bots}
            summary["live"] = {"accounts": records, "budget": self.budget.summary()}
        return summary

    def _metrics_option(self, name: str) -> list[object]:
        """Choose a part's port, and return the option that names it."""
        if not self.options.metrics:
            return []
        self.metrics_ports[name] = free_port()
        return ["--metrics-port", self.metrics_ports[name]]

    def _launch(
        self, name: str, command: list[str], environment: Mapping[str, str] | None = None
    ) -> Part:
        part = self._started(name, command, environment)
        self.parts.append(part)
        return part

    def _started(
        self, name: str, command: list[str], environment: Mapping[str, str] | None = None
    ) -> Part:
        log = self.options.folder / "logs" / f"{name}.log"
        part = Part(name, command, log, self.options.root, environment)
        self._reaper.watch(part.pid)
        return part

    def _script(self, name: str, *arguments: object) -> list[str]:
        script = self.options.root / "scripts" / name
        return [sys.executable, str(script), *map(str, arguments)]

    def _page_command(self) -> list[str]:
        options = self.options
        return self._script(
            "dashboard.py",
            "--port", 0, "--user-data", options.folder, "--journal", options.journal,
            "--data-dir", options.data_dir,
        )  # fmt: skip

    def _venue_command(self) -> list[str]:
        options = self.options
        if options.scenario is not None:
            market: list[object] = ["--scenario", options.scenario]
        elif options.replay is not None:
            market = ["--replay", options.replay]
        else:
            market = ["--synthetic", "--seed", options.seed, "--volatility", options.volatility]
        limits: list[str] = []
        if options.live and options.limits:
            limits = ["--limits"]
        elif options.scenario is not None:
            limits = ["--no-limits"]  # scenarios enforce all limits, which a dry run would exceed
        return self._script(
            "paper_exchange.py",
            "--port", 0, "--history-dir", options.data_dir,
            *(["--coin", options.coin] if options.scenario is None else []),
            *(["--save", options.folder / "venue.json"] if options.live else []),
            *limits, *market,
        )  # fmt: skip

    def _collector_command(self, websocket: str) -> list[str]:
        return self._script(
            "hyperliquid_data_collector.py",
            "--crypto", self.options.coin, "--url", websocket, "--data-dir", self.options.data_dir,
            *self._metrics_option("collector"),
        )  # fmt: skip

    def _runner_command(self, overlay: Path) -> list[str]:
        options = self.options
        return self._script(
            "periodic_test_runner.py",
            "--crypto", options.coin, "--data-dir", options.data_dir,
            "--output-dir", options.folder, *self._metrics_option("runner"),
            "--config", options.root / "user_data" / "config.json", overlay,
        )  # fmt: skip

    def _wait_for_venue(self, venue: Part, ended: threading.Event) -> dict[str, str] | None:
        """Return the addresses the venue prints once it listens; None if ``ended`` is set first."""
        deadline = time.monotonic() + _START_PATIENCE_SECONDS
        while time.monotonic() < deadline and not ended.is_set():
            for line in venue.last_lines(200):
                if line.startswith("{") and '"listening"' in line:
                    return dict(json.loads(line))
            if venue.exit_code is not None:
                raise VenueError("; ".join(venue.last_lines(3)).removeprefix("error: "))
            time.sleep(0.1)
        if ended.is_set():
            return None
        raise VenueError(f"the venue did not start; see {venue.log_path}.")

    def _make_bots(self, addresses: Mapping[str, str]) -> None:
        """Create the bots, with an account of their own if live, and write their overlays."""
        options = self.options
        plans = bot_plans(options.both_sides)
        account = None
        if options.live:
            self._admin = AdminClient(addresses["admin"])
            names = [plan.name for plan in plans] if options.both_sides else []
            abstraction = dex_of(options.coin) != ""
            account = LiveAccount.open(self._admin, names, dex_abstraction=abstraction)
        market_making = dict(options.overrides)
        if options.replay is not None:
            market_making.setdefault("toxicity_limit", _REPLAY_TOXICITY_LIMIT)
            market_making.setdefault("min_edge_bp", None)
        if self.options.both_sides:
            market_making.setdefault("min_quote_age_seconds", _AGE_OF_TWO_BOTS)
        for plan in plans:
            bot = SessionBot(plan, options.root, options.folder, len(plans) == 1, account)
            if options.metrics:
                self.metrics_ports[plan.name] = free_port()
                market_making["metrics_port"] = self.metrics_ports[plan.name]
            bot.write_overlay(addresses, options.coin, market_making)
            self.bots.append(bot)
        self.opened = self._money()

    def _see_parameters(self) -> tuple[ParameterSet | None, str | None]:
        """Show the published refit to the audits; return it, or why there is none."""
        try:
            parameters = self._files.read(self.options.coin)
        except ParameterFileError as error:
            return None, str(error)
        for bot in self.bots:
            bot.audit.see_parameters(parameters)
            bot.audit.see_history(self._history, self.options.coin, bot.settings)
        solved = any(entry.anchor == "fair price" for entry in parameters.value_functions)
        return parameters.around("imbalance" if solved else "mid"), None

    def _wait_between_bots(self, ended: threading.Event) -> None:
        deadline = time.monotonic() + _SECONDS_BETWEEN_STARTS
        while time.monotonic() < deadline and not ended.wait(1.0):
            self._see_parameters()

    def _wait_for_bot(self, bot: SessionBot, ended: threading.Event) -> None:
        deadline = time.monotonic() + _START_PATIENCE_SECONDS
        while bot.view.state() is None and not ended.is_set():
            self.raise_if_dead()
            self._see_parameters()
            if time.monotonic() > deadline:
                raise PartDiedError(
                    f"the bot does not answer at {bot.address}; see {self.parts[-1].log_path}."
                )
            time.sleep(0.3)

    def _money(self) -> dict[str, AccountMoney | None]:
        """Return what each bot's account holds at the venue; of none in a dry run."""
        if self._admin is None:
            return {}
        return {
            bot.plan.name: self._admin.money(address)
            for bot in self.bots
            if (address := bot.trading_address) is not None
        }

    def _mid(self, state: Mapping[str, Any] | None) -> float | None:
        """Return the mid; in a live session from the admin interface, which costs no weight."""
        if state is not None:
            mid = state["markets"].get(self.options.coin, {}).get("mid")
            return None if mid is None else float(mid)
        asked = {"type": "allMids", "dex": dex_of(self.options.coin)}
        try:
            answer = requests.post(f"{self.rest_address}/info", json=asked, timeout=2)
            return float(answer.json()[self.options.coin])
        except (requests.RequestException, ValueError, KeyError):
            return None
