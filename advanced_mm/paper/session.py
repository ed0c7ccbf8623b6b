"""The whole system on one machine: venue, collector, runner and bot as child processes."""

import json
import logging
import secrets
import socket
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

from advanced_mm.errors import AdvancedMMError, VenueError
from advanced_mm.paper.bot_view import BotState, BotView
from advanced_mm.paper.parts import Part
from advanced_mm.paper.quote_audit import QuoteAudit
from advanced_mm.parameter_files import (
    ParameterFileError,
    ParameterFiles,
    ParameterSet,
    write_json_atomically,
)

__all__ = ["PaperSession", "PartDiedError", "SessionOptions", "SessionView"]

logger = logging.getLogger(__name__)

_START_PATIENCE_SECONDS = 90.0
_REPLAY_TOXICITY_LIMIT = 3.0


class PartDiedError(AdvancedMMError):
    """A child process ended by itself; the message has its last log lines. The session ends."""


@dataclass(frozen=True)
class SessionOptions:
    """What to run.

    ``root`` is the project's folder, ``folder`` receives everything the session writes. With
    ``replay`` a recording in that data folder takes the place of the synthetic market, and
    toxicity is allowed up to 3, since the recordings are toxic.
    """

    root: Path
    folder: Path
    coin: str = "ETH"
    replay: Path | None = None
    seed: int = 1
    overrides: Mapping[str, Any] = field(default_factory=dict)

    @property
    def data_dir(self) -> Path:
        """Where the collector writes its shards."""
        return self.folder / "HL_data"


@dataclass(frozen=True)
class SessionView:
    """One look at the running system; ``mid`` in quote currency, ``memory`` in bytes by part."""

    at: datetime
    coin: str
    mid: float | None
    bot: BotState | None
    parameters: ParameterSet | None
    parameters_fault: str | None
    memory: Mapping[str, int]
    logs: Mapping[str, Path]
    audit: QuoteAudit


class PaperSession:
    """Start the parts in order, watch them, stop them in the opposite order.

    Use as a context manager; whatever ends the block, no process is left behind.

    Raises
    ------
    PartDiedError
        From ``start`` and ``look``, when a part has ended by itself.
    """

    def __init__(self, options: SessionOptions) -> None:
        self.options = options
        self.parts: list[Part] = []
        self.rest_address = ""
        self.bot_address = ""
        self.audit = QuoteAudit(options.folder / "logs" / "quotes.jsonl")
        self._files = ParameterFiles(options.folder)
        self._bot: BotView | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self, ended: threading.Event) -> None:
        """Start all parts; returns when the bot answers over REST, or when ``ended`` is set."""
        (self.options.folder / "logs").mkdir(parents=True, exist_ok=True)
        venue = self._launch("venue", self._venue_command())
        addresses = self._wait_for_venue(venue, ended)
        if addresses is None:
            return
        self.rest_address = addresses["rest"]
        self._launch("collector", self._collector_command(addresses["ws"]))
        overlay, credentials = self._write_overlay(addresses)
        self._launch("runner", self._runner_command(overlay))
        self._launch("bot", self._bot_command(overlay))
        self._bot = BotView(self.bot_address, *credentials)
        deadline = time.monotonic() + _START_PATIENCE_SECONDS
        while self._bot.state() is None and not ended.is_set():
            self.raise_if_dead()
            if time.monotonic() > deadline:
                raise PartDiedError(
                    f"the bot does not answer at {self.bot_address}; see {self.parts[-1].log_path}."
                )
            time.sleep(0.3)

    def stop(self) -> None:
        """Stop all parts, last started first."""
        for part in reversed(self.parts):
            part.stop()

    def raise_if_dead(self) -> None:
        """Raise ``PartDiedError`` where a part has ended."""
        for part in self.parts:
            if part.exit_code is not None:
                lines = "\n  ".join(part.last_lines())
                raise PartDiedError(
                    f"the {part.name} ended with exit code {part.exit_code}; "
                    f"the end of {part.log_path}:\n  {lines}"
                )

    def look(self) -> SessionView:
        """Gather the state of everything."""
        self.raise_if_dead()
        parameters, fault = None, None
        try:
            parameters = self._files.read(self.options.coin)
            self.audit.see_parameters(parameters)
        except ParameterFileError as error:
            fault = str(error)
        self.audit.read_journal()
        return SessionView(
            at=datetime.now(UTC),
            coin=self.options.coin,
            mid=self._mid(),
            bot=None if self._bot is None else self._bot.state(),
            parameters=parameters,
            parameters_fault=fault,
            memory={part.name: part.sample_memory() for part in self.parts},
            logs={part.name: part.log_path for part in self.parts},
            audit=self.audit,
        )

    def summary(self, last: SessionView) -> dict[str, Any]:
        """Return the figures of the session as ``--summary`` writes them."""
        bot = last.bot
        return {
            "coin": last.coin,
            "refits": self.audit.refits,
            "quotes": self.audit.quotes,
            "requotes": self.audit.requotes,
            "touch_quotes": self.audit.touch_quotes,
            "unmatched_quotes": self.audit.unmatched,
            "max_distance_ticks": round(self.audit.max_distance_ticks, 4),
            "fills": None if bot is None else bot.fills,
            "pnl": None if bot is None else round(bot.profit, 6),
            "closed_pnl": None if bot is None else round(bot.closed_profit, 6),
            "peak_rss_mb": {p.name: round(p.peak_rss_bytes / 2**20, 1) for p in self.parts},
        }

    def _launch(self, name: str, command: list[str]) -> Part:
        part = Part(name, command, self.options.folder / "logs" / f"{name}.log", self.options.root)
        self.parts.append(part)
        return part

    def _script(self, name: str, *arguments: object) -> list[str]:
        script = self.options.root / "scripts" / name
        return [sys.executable, str(script), *map(str, arguments)]

    def _venue_command(self) -> list[str]:
        options = self.options
        market = (
            ["--synthetic", "--seed", options.seed]
            if options.replay is None
            else ["--replay", options.replay]
        )
        return self._script(
            "paper_exchange.py",
            "--port",
            0,
            "--coin",
            options.coin,
            "--history-dir",
            options.data_dir,
            *market,
        )

    def _collector_command(self, websocket: str) -> list[str]:
        return self._script(
            "hyperliquid_data_collector.py",
            "--crypto", self.options.coin, "--url", websocket, "--data-dir", self.options.data_dir,
        )  # fmt: skip

    def _runner_command(self, overlay: Path) -> list[str]:
        options = self.options
        return self._script(
            "periodic_test_runner.py",
            "--crypto", options.coin, "--data-dir", options.data_dir,
            "--output-dir", options.folder,
            "--config", options.root / "user_data" / "config.json", overlay,
        )  # fmt: skip

    def _bot_command(self, overlay: Path) -> list[str]:
        user_data = self.options.root / "user_data"
        return [
            sys.executable, "-m", "freqtrade", "trade", "--dry-run",
            "--strategy", "Market_Making", "--strategy-path", str(user_data / "strategies"),
            "--userdir", str(self.options.folder),
            "--config", str(user_data / "config.json"), "--config", str(overlay),
        ]  # fmt: skip

    def _wait_for_venue(self, venue: Part, ended: threading.Event) -> dict[str, str] | None:
        """Read the addresses the venue prints once it listens; None when ``ended`` comes first."""
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
        raise VenueError(f"the venue did not come up; see {venue.log_path}.")

    def _write_overlay(self, addresses: Mapping[str, str]) -> tuple[Path, tuple[str, str]]:
        """Write the configuration that points the bot at this session; returns it and the login."""
        user, password, port = "paper", secrets.token_urlsafe(16), _free_port()
        self.bot_address = f"http://127.0.0.1:{port}"
        market_making = dict(self.options.overrides)
        if self.options.replay is not None:
            market_making.setdefault("toxicity_limit", _REPLAY_TOXICITY_LIMIT)
        overlay = {
            "dry_run": True,
            "db_url": f"sqlite:///{self.options.folder / 'trades.dryrun.sqlite'}",
            "exchange": {
                "pair_whitelist": [f"{self.options.coin}/USDC:USDC"],
                "ccxt_config": {
                    "enableRateLimit": False,
                    "urls": {
                        "api": {
                            "public": addresses["rest"],
                            "private": addresses["rest"],
                            "ws": {"public": addresses["ws"]},
                        }
                    },
                },
            },
            "api_server": {
                "enabled": True,
                "listen_ip_address": "127.0.0.1",
                "listen_port": port,
                "verbosity": "error",
                "username": user,
                "password": password,
                "jwt_secret_key": secrets.token_hex(32),
                "ws_token": secrets.token_urlsafe(16),
            },
            "market_making": market_making,
        }
        path = self.options.folder / "config.session.json"
        write_json_atomically(path, overlay, mode=0o600)
        return path, (user, password)

    def _mid(self) -> float | None:
        try:
            answer = requests.post(f"{self.rest_address}/info", json={"type": "allMids"}, timeout=2)
            return float(answer.json()[self.options.coin])
        except (requests.RequestException, ValueError, KeyError):
            return None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
