"""The bots of a session: one, or two that share their inventory."""

import os
import secrets
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from advanced_mm.instruments import dex_of, pair_of
from advanced_mm.journal import JOURNAL_FOLDER
from advanced_mm.parameter_files import Leg, Settings, write_json_atomically
from advanced_mm.parameter_files.config import load_config
from advanced_mm.session.bot_view import BotState, BotView
from advanced_mm.session.live_account import AdminClient, LiveAccount, require_loopback
from advanced_mm.session.quote_audit import QuoteAudit

__all__ = ["BotLook", "BotPlan", "SessionBot", "bot_plans", "free_port"]


@dataclass(frozen=True)
class BotPlan:
    """A bot's name, and which leg it is where two bots share one inventory."""

    name: str
    leg: Leg | None = None

    @property
    def settings(self) -> dict[str, Any]:
        """Its own settings, complete, as the user's configuration may have others."""
        if self.leg is None:
            return {}
        bounds = {"q_min": -1, "q_max": 1, "sides": "both"}
        return {"inventory_mode": "two_legs", "leg": self.leg, **bounds}


@dataclass(frozen=True)
class BotLook:
    """A snapshot of a bot.

    ``state`` is what the bot reports (None: no answer), ``record`` what the venue reports about its
    account (None in a dry run).
    """

    name: str
    state: BotState | None
    audit: QuoteAudit
    record: dict[str, Any] | None = None


def bot_plans(both_sides: bool) -> tuple[BotPlan, ...]:
    """Return one bot as configured, or two legs, as Freqtrade rests only one order per pair."""
    if both_sides:
        return BotPlan("long_bot", "long"), BotPlan("short_bot", "short")
    return (BotPlan("bot"),)


class SessionBot:
    """One bot: its folder, configuration, command line and REST API.

    Parameters
    ----------
    plan
        Name of the bot, and which leg it is.
    root, folder
        The project's folder, and the session's, where the parameter files are.
    alone
        Whether it uses the session's folder directly; otherwise it gets a subfolder.
    account
        The account it trades from with real orders; None for a dry run.
    """

    def __init__(
        self, plan: BotPlan, root: Path, folder: Path, alone: bool, account: LiveAccount | None
    ) -> None:
        self.plan = plan
        self._root = root
        self._session_folder = folder
        self._account = account
        self.folder = folder if alone else folder / plan.name
        (self.folder / "logs").mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self._login = ("paper", secrets.token_urlsafe(16))
        self.view = BotView(self.address, *self._login)
        self.audit = QuoteAudit(folder / JOURNAL_FOLDER, plan.name)
        self.settings = Settings()
        """As configured, once `write_overlay` was called."""
        self.overlay = self.folder / "config.session.json"

    @property
    def live(self) -> bool:
        """Whether it sends real orders."""
        return self._account is not None

    @property
    def trading_address(self) -> str | None:
        """Address the bot trades from: the sub-account with the bot's name, or the account."""
        if self._account is None:
            return None
        return self._account.sub_accounts.get(self.plan.name, self._account.address)

    @property
    def configs(self) -> list[Path]:
        """Configuration files in the order in which Freqtrade merges them."""
        user_data = self._root / "user_data"
        live = [user_data / "config.live.json"] if self.live else []
        return [user_data / "config.json", *live, self.overlay]

    @property
    def command(self) -> list[str]:
        """The command line."""
        strategies = self._root / "user_data" / "strategies"
        words = [sys.executable, "-m", "freqtrade", "trade"]
        words += [] if self.live else ["--dry-run"]
        words += ["--strategy", "Market_Making", "--strategy-path", str(strategies)]
        words += ["--userdir", str(self.folder)]
        return words + [word for path in self.configs for word in ("--config", str(path))]

    @property
    def environment(self) -> Mapping[str, str] | None:
        """The complete environment; None for that of the session."""
        return None if self._account is None else self._account.environment(os.environ)

    def look(self, admin: AdminClient | None) -> BotLook:
        """Query the bot, its journal and the venue."""
        self.audit.read_journal()
        record = None
        if admin is not None and self.trading_address is not None:
            record = admin.record(self.trading_address)
        return BotLook(self.plan.name, self.view.state(), self.audit, record)

    def write_overlay(
        self, addresses: Mapping[str, str], coin: str, market_making: Mapping[str, Any]
    ) -> None:
        """Write the configuration that points the bot at the session's venue.

        Raises
        ------
        VenueError
            If the bot sends real orders and, combined with the user's configuration and
            environment, they could leave this machine.
        """
        shared = {"parameter_dir": str(self._session_folder)}
        settings = {**market_making, **shared, **self.plan.settings}
        overlay: dict[str, Any] = {
            "bot_name": self.plan.name,
            "dry_run": True,
            "db_url": f"sqlite:///{self.folder / 'trades.dryrun.sqlite'}",
            "exchange": self._exchange(addresses, coin),
            "api_server": self._api_server(),
            "market_making": settings,
        }
        write_json_atomically(self.overlay, overlay, mode=0o600)
        if self.live:
            require_loopback(self.configs, self.environment or {})
            overlay["dry_run"] = False
            overlay["db_url"] = f"sqlite:///{self.folder / 'trades.live.sqlite'}"
            write_json_atomically(self.overlay, overlay, mode=0o600)
        self.settings = Settings.from_config(load_config(self.configs, self.environment))
        if self.plan.leg is not None:
            self.audit.settings = self.settings

    def _exchange(self, addresses: Mapping[str, str], coin: str) -> dict[str, Any]:
        rest, websocket = addresses["rest"], addresses["ws"]
        urls = {"api": {"public": rest, "private": rest, "ws": {"public": websocket}}}
        # Requests are paced as on the real venue if orders are real.
        client: dict[str, Any] = {"enableRateLimit": self.live, "urls": urls, "sandbox": False}
        if self.live:
            client["options"] = {"builderFee": False, "sandboxMode": False}
            if self._account is not None and self.plan.name in self._account.sub_accounts:
                client["options"]["subAccountAddress"] = self.trading_address
        exchange = {
            "name": "hyperliquid",
            "pair_whitelist": [pair_of(coin)],
            "ccxt_config": client,
        }
        if dex := dex_of(coin):
            exchange["hip3_dexes"] = [dex]
        return exchange

    def _api_server(self) -> dict[str, Any]:
        user, password = self._login
        return {
            "enabled": True,
            "listen_ip_address": "127.0.0.1",
            "listen_port": self.port,
            "verbosity": "error",
            "username": user,
            "password": password,
            "jwt_secret_key": secrets.token_hex(32),
            "ws_token": secrets.token_urlsafe(16),
        }


def free_port() -> int:
    """Return a port of 127.0.0.1 on which nothing listens now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
