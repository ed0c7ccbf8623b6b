"""A throwaway account at the loopback venue, and the guard that keeps it there."""

import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from eth_account import Account

from advanced_mm.errors import VenueError
from advanced_mm.parameter_files.config import load_config

__all__ = ["AccountMoney", "AdminClient", "LiveAccount", "require_loopback"]

_OURS_IN_ENVIRONMENT = "FREQTRADE__MARKET_MAKING__"
_TIMEOUT_SECONDS = 2.0
_TRIES = 3

PLAY_MONEY = 10_000
"""USDC of a sub-account; the account itself gets the amount set in the venue's rules."""


@dataclass(frozen=True)
class AccountMoney:
    """What an account holds: ``cash`` (USDC) and ``positions`` by coin (signed, base currency).

    Its value is the cash plus the positions at the mark, so that the cash changes only with fills,
    fees, funding and transfers.
    """

    cash: float
    positions: Mapping[str, float]


class AdminClient:
    """A client of the venue's admin interface; its requests do not count towards the limits."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._session = requests.Session()
        self._session.trust_env = False  # no proxy for loopback

    def close(self) -> None:
        """Close the connection."""
        self._session.close()

    def state(self) -> dict[str, Any] | None:
        """Return markets, accounts and limits; None while the venue does not answer."""
        return self._get("state")

    def money(self, account: str) -> AccountMoney | None:
        """Return what an account holds; None if the venue does not answer, or does not know it."""
        for _ in range(_TRIES):
            state = self.state()
            if state is None:
                continue
            found = state["accounts"].get(account)
            if found is None:
                return None
            positions = {coin: float(size) for coin, size in found["positions"].items()}
            return AccountMoney(float(found["cash"]), positions)
        return None

    def record(self, account: str) -> dict[str, Any] | None:
        """Return an account's trading record; None if there is none yet."""
        return self._get(f"accounts/{account}")

    def open_account(
        self, address: str, sub_accounts: Sequence[str], *, dex_abstraction: bool = False
    ) -> None:
        """Open an account with play money, and sub-accounts with `PLAY_MONEY` each.

        With ``dex_abstraction`` the money can also be used at builder-deployed exchanges.

        Raises
        ------
        VenueError
            If the venue refuses or does not answer.
        """
        money = {"dex_abstraction": True} if dex_abstraction else {}
        subs = [{"name": name, "play_money": PLAY_MONEY, **money} for name in sub_accounts]
        plan: dict[str, Any] = {"address": address, "sub_accounts": subs, **money}
        try:
            answer = self._session.post(
                f"{self._address}/accounts", json=plan, timeout=_TIMEOUT_SECONDS
            )
        except requests.RequestException as error:
            raise VenueError(f"the account could not be opened at the venue: {error}") from None
        if answer.status_code != requests.codes.ok:
            raise VenueError(f"the account could not be opened at the venue: {answer.text}")

    def _get(self, path: str) -> dict[str, Any] | None:
        try:
            answer = self._session.get(f"{self._address}/{path}", timeout=_TIMEOUT_SECONDS)
            return dict(answer.json()) if answer.status_code == requests.codes.ok else None
        except (requests.RequestException, ValueError):
            return None


@dataclass
class LiveAccount:
    """A key made for one session, held only in this process and in the bots' environment."""

    address: str
    sub_accounts: Mapping[str, str]
    _key: str = field(repr=False)

    @classmethod
    def open(
        cls, admin: AdminClient, sub_accounts: Sequence[str] = (), *, dex_abstraction: bool = False
    ) -> "LiveAccount":
        """Make a key and open its account, with sub-accounts of the given names.

        Raises
        ------
        VenueError
            If the venue refuses or does not answer.
        """
        made = Account.create()
        address = made.address.lower()
        admin.open_account(address, sub_accounts, dex_abstraction=dex_abstraction)
        accounts = (admin.state() or {}).get("accounts", {})
        subs = {one["name"]: sub for sub, one in accounts.items() if one.get("master") == address}
        return cls(address, subs, made.key.to_0x_hex())

    def environment(self, base: Mapping[str, str]) -> dict[str, str]:
        """Return the environment of a bot: the user's, made safe, plus the key.

        Of the user's ``FREQTRADE__`` variables, only those of the ``market_making`` block are kept;
        the others could name a real venue or a real key.
        """
        kept = {
            name: value
            for name, value in base.items()
            if not name.startswith("FREQTRADE__") or name.startswith(_OURS_IN_ENVIRONMENT)
        }
        return {
            **kept,
            "FREQTRADE__EXCHANGE__WALLET_ADDRESS": self.address,
            "FREQTRADE__EXCHANGE__PRIVATE_KEY": self._key,
        }


def require_loopback(paths: Sequence[Path], environment: Mapping[str, str]) -> None:
    """Refuse a configuration, as the bot will read it, that could reach a real venue.

    The exchange must be Hyperliquid, because the addresses checked are those of its client. Every
    address must be on this machine, and the testnet switch, which would replace them, must be off.

    Raises
    ------
    VenueError
        If any of this does not hold; the message names the field.
    """
    exchange = load_config(paths, environment).get("exchange", {})
    if exchange.get("name") != "hyperliquid":
        raise VenueError(
            f"exchange.name is {exchange.get('name')!r}, must be 'hyperliquid' for a paper session."
        )
    for section in ("ccxt_config", "ccxt_sync_config", "ccxt_async_config"):
        config = exchange.get(section, {})
        options = config.get("options", {})
        if config.get("sandbox") or options.get("sandboxMode"):
            raise VenueError(
                f"exchange.{section} switches to the testnet, which is not paper trading: "
                "remove sandbox and sandboxMode."
            )
        addresses = dict(_addresses(config.get("urls", {}), f"exchange.{section}.urls"))
        if section == "ccxt_config":
            needed = ("api.public", "api.private", "api.ws.public")
            missing = [one for one in needed if f"exchange.ccxt_config.urls.{one}" not in addresses]
            if missing:
                raise VenueError(
                    f"exchange.ccxt_config.urls.{missing[0]} is missing: set the venue's address."
                )
        for name, address in addresses.items():
            if not _is_loopback(address):
                raise VenueError(
                    f"{name} = {address!r} is not on this machine, so the bot is not started: "
                    "use a 127.0.0.1 address."
                )


def _addresses(urls: object, name: str) -> Iterator[tuple[str, str]]:
    if isinstance(urls, Mapping):
        for key, value in urls.items():
            yield from _addresses(value, f"{name}.{key}")
    else:
        yield name, str(urls)


def _is_loopback(address: str) -> bool:
    try:
        host = urlsplit(address).hostname
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:  # a host name could resolve to anything
        return False
