"""Saving a venue to a file, and opening it again from there.

The file holds how the markets are made, the rules, the journal of everything that was asked of the
exchange, what is known of keys and nonces, and a summary of accounts and orders. Restoring makes
the markets again, does everything again at its market time, and compares with the summary. Faults
and the counters of IP addresses are not kept. The time between saving and restoring is caught up:
the market went on, and nobody could connect.
"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

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

FORMAT = "advanced_mm venue"
VERSION = 1


class _Form(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SavedKeys(_Form):
    """What the venue knows of keys, see `Signers`."""

    nonces: dict[str, list[int]] = {}
    agents: dict[str, tuple[str, str]] = {}
    agents_end: dict[str, int] = {}
    builders: list[tuple[str, str, int]] = []
    retired: list[str] = []

    @classmethod
    def of(cls, signers: Signers) -> "SavedKeys":
        """Write down."""
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
        """Put back."""
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
    """What accounts hold: the same for two venues only if they are in the same state."""
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
            # Left out where there is nothing, as in states of versions that did not know them.
            **({"spot": account.spot_usdc} if account.spot_usdc else {}),
            **({"twaps": twaps} if (twaps := _twaps(exchange, account)) else {}),
            **({"dex_usdc": account.dex_usdc} if account.dex_usdc else {}),
            **({} if account.dex_abstraction is None else {"dexs": account.dex_abstraction}),
        }
        for account in exchange.accounts
    }


def _twaps(exchange: Exchange, account: Account) -> list[list[int]]:
    """How far the TWAPs of an account are."""
    twaps = exchange.twaps.of(account.address)
    return [[one.twap_id, one.parts_sent, one.executed_lots] for one in twaps]


def save_state(path: Path, venue: OpenVenue, signers: Signers) -> None:
    """Write the state of a venue that keeps a journal, all at once or not at all.

    Raises
    ------
    InputError
        If the venue keeps none, or the file cannot be written.
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
        If it cannot be read, is of another version or not a state file.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"state {path} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise InputError(f"state {path} is no JSON ({error}): it was not saved whole") from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise InputError(f"state {path} is no state of a venue: give a file written by --save")
    if content.get("version") != VERSION:
        raise InputError(
            f"state {path} has version {content.get('version')!r}, this venue reads {VERSION}: "
            "start without --restore"
        )
    try:
        return _SAVED.validate_python(content)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise InputError(f"state {path}: {field}: {first['msg']}") from None


_SAVED = TypeAdapter(SavedVenue)


def restore(path: Path, now_ms: int) -> tuple[OpenVenue, SavedVenue]:
    """Open the venue of a state file and let its markets run to ``now_ms`` (exchange ms).

    Returns
    -------
    tuple
        The venue, and what else was saved: the keys are still to be put into their place.

    Raises
    ------
    InputError
        If the file cannot be used, or what comes out is not what was saved.
    """
    saved = load_state(path)
    venue = open_venue(saved.markets, saved.opened_ms, saved.rules, journaled=True)
    exchange = venue.exchange
    if not isinstance(exchange, LoggedExchange):
        raise RuntimeError("a journal was asked for")
    try:
        exchange.repeat(saved.journal)
    except (ValueError, KeyError) as error:
        raise InputError(f"state {path}: {' '.join(str(error).split())}") from None
    exchange.run(saved.saved_ms)
    found = json.loads(json.dumps(summary(exchange)))
    for address in saved.summary.keys() | found.keys():
        if found.get(address) != saved.summary.get(address):
            raise InputError(
                f"state {path}: account {address} does not come out as it was saved. The file is "
                "of another version of the venue, or its recording has changed: start without it"
            )
    for address, used in saved.requests_used.items():
        exchange.accounts.open(address).requests_used = used
    exchange.run(now_ms)
    exchange.take_events()  # nobody was there to hear of them
    return venue, saved
