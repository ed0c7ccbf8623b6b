"""Saving a venue to a file and restoring it.

The file holds the market recipes, the rules, the journal of every command given to the exchange,
keys and nonces, and a summary of accounts and orders. Restoring rebuilds the markets, replays the
journal at its market times and compares the result with the summary. Faults and the counters of IP
addresses are not saved. The time between saving and restoring is caught up, as if the markets had
kept trading while no client could connect.
"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from advanced_mm.errors import InputError
from advanced_mm.markets.recipes import MarketRecipe
from advanced_mm.parameter_files import write_json_atomically
from advanced_mm.venue.conditions.opening import OpenVenue, open_venue
from advanced_mm.venue.engine.accounts import Account
from advanced_mm.venue.engine.command_log import Entry, LoggedExchange
from advanced_mm.venue.engine.exchange import Exchange
from advanced_mm.venue.engine.rules import Rules
from advanced_mm.venue.protocol.actions.signers import Agent, NonceBook, Signers

__all__ = ["SavedKeys", "SavedVenue", "load_state", "restore", "save_state"]

FORMAT: Final = "advanced_mm venue"
VENUE_STATE_VERSION: Final = 1


class _Form(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SavedKeys(_Form):
    """Keys and nonces known to the venue, see `Signers`."""

    nonces: dict[str, list[int]] = {}
    agents: dict[str, tuple[str, str]] = {}
    agents_end: dict[str, int] = {}
    builders: list[tuple[str, str, int]] = []
    retired: list[str] = []

    @classmethod
    def of(cls, signers: Signers) -> "SavedKeys":
        """Copy the state of ``signers``."""
        return cls(
            nonces={signer: list(book.used) for signer, book in signers.nonces.items()},
            agents={address: (one.owner, one.name) for address, one in signers.agents.items()},
            agents_end={
                address: one.valid_until
                for address, one in signers.agents.items()
                if one.valid_until is not None
            },
            builders=[(*pair, tenths) for pair, tenths in signers.builders.items()],
            retired=sorted(signers.retired),
        )

    def into(self, signers: Signers) -> None:
        """Restore the state into ``signers``."""
        for signer, used in self.nonces.items():
            signers.nonces[signer] = book = NonceBook()
            book.used = list(used)
        for address, (owner, name) in self.agents.items():
            signers.agents[address] = Agent(owner, name, self.agents_end.get(address))
        for account, builder, tenths in self.builders:
            signers.builders[(account, builder)] = tenths
        signers.retired.update(self.retired)


class SavedVenue(_Form):
    """The content of a state file. ``opened_ms`` and ``saved_ms`` are market time."""

    format: Literal["advanced_mm venue"] = "advanced_mm venue"
    version: Literal[1] = 1
    opened_ms: int
    saved_ms: int
    markets: tuple[MarketRecipe, ...]
    rules: Rules
    keys: SavedKeys
    requests_used: dict[str, int]
    summary: dict[str, Any]
    journal: list[Entry]


def summary(exchange: Exchange) -> dict[str, Any]:
    """Return what the accounts hold; two venues have equal summaries only in the same state."""
    return {
        account.address: {
            "usdc": account.usdc,
            "volume": account.volume,
            "fees": account.fees,
            "positions": {coin: asdict(one) for coin, one in account.positions.items()},
            "orders": [
                [order.oid, order.remaining, round(order.ahead, 6)]
                for order in account.orders.values()
            ],
            "fills": len(account.fills),
            "last_tid": account.fills[-1].tid if account.fills else None,
            # Omitted when empty: states saved by older versions lack these keys.
            **({"spot": account.spot_usdc} if account.spot_usdc else {}),
            **({"twaps": twaps} if (twaps := _twaps(exchange, account)) else {}),
            **({"dex_usdc": account.dex_usdc} if account.dex_usdc else {}),
            **({} if account.dex_abstraction is None else {"dexs": account.dex_abstraction}),
        }
        for account in exchange.accounts
    }


def _twaps(exchange: Exchange, account: Account) -> list[list[int]]:
    """Return the progress of an account's TWAPs."""
    twaps = exchange.twaps.of(account.address)
    return [[one.twap_id, one.parts_sent, one.executed_lots] for one in twaps]


def save_state(path: Path, venue: OpenVenue, signers: Signers) -> None:
    """Write the state of a venue that keeps a journal, atomically.

    Raises
    ------
    InputError
        If the venue keeps no journal, or the file cannot be written.
    """
    exchange = venue.exchange
    if not isinstance(exchange, LoggedExchange):
        raise InputError("the venue keeps no journal: start it with --save FILE")
    saved = SavedVenue(
        opened_ms=venue.opened_ms,
        saved_ms=exchange.now_ms,
        markets=venue.recipes_now(),
        rules=exchange.rules,
        keys=SavedKeys.of(signers),
        requests_used={one.address: one.requests_used for one in exchange.accounts},
        summary=summary(exchange),
        journal=exchange.entries(),
    )
    try:
        write_json_atomically(path, saved.model_dump(mode="json"), mode=0o600)
    except OSError as error:
        raise InputError(f"state {path} cannot be written: {error.strerror}") from None


def load_state(path: Path) -> SavedVenue:
    """Read a state file.

    Raises
    ------
    InputError
        If it cannot be read, has another version or is not a state file.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"state {path} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise InputError(
            f"state {path} is not valid JSON ({error}): the save was incomplete; "
            "start without --restore"
        ) from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise InputError(f"state {path} is not a venue state: give a file written by --save")
    if content.get("version") != VENUE_STATE_VERSION:
        raise InputError(
            f"state {path} has version {content.get('version')!r}, this venue reads version "
            f"{VENUE_STATE_VERSION}: start without --restore"
        )
    try:
        return _SAVED.validate_python(content)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise InputError(f"state {path}: {field}: {first['msg']}") from None


_SAVED = TypeAdapter(SavedVenue)


def restore(path: Path, now_ms: int) -> tuple[OpenVenue, SavedVenue]:
    """Open the venue of a state file and run its markets to ``now_ms`` (exchange ms).

    Returns
    -------
    tuple
        The venue and the content of the file. The caller still has to restore the keys.

    Raises
    ------
    InputError
        If the file cannot be used, or the restored accounts differ from the saved ones.
    """
    saved = load_state(path)
    venue = open_venue(saved.markets, saved.opened_ms, saved.rules, journaled=True)
    exchange = venue.exchange
    if not isinstance(exchange, LoggedExchange):
        raise RuntimeError("open_venue(journaled=True) returned an exchange without a journal")
    try:
        exchange.repeat(saved.journal)
    except (ValueError, KeyError) as error:
        raise InputError(f"state {path}: {' '.join(str(error).split())}") from None
    exchange.run(saved.saved_ms)
    found = json.loads(json.dumps(summary(exchange)))
    for address in saved.summary.keys() | found.keys():
        if found.get(address) != saved.summary.get(address):
            raise InputError(
                f"state {path}: account {address} differs after the journal was replayed: the file "
                "is from another version of the venue, or its recording has changed; "
                "start without --restore"
            )
    for address, used in saved.requests_used.items():
        exchange.accounts.open(address).requests_used = used
    exchange.run(now_ms)
    exchange.take_events()  # discard: no client was connected
    return venue, saved
