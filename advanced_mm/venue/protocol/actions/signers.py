"""Which keys may sign for which accounts, used nonces, and approved builder fees."""

import bisect
import re
from dataclasses import dataclass, field
from decimal import Decimal

__all__ = ["Agent", "NonceBook", "RefusedError", "Signers"]

NONCES_KEPT = 100
LONGEST_NAME = 16  # characters of an agent's name
_VALID_UNTIL = re.compile(r" ?valid_until ([0-9]{1,18})$")
NONCE_PAST_MS = 2 * 86_400_000
NONCE_FUTURE_MS = 86_400_000
MAX_BUILDER_TENTHS = 100  # 0.1%, the maximum builder fee for perpetuals
TENTHS_PER_PERCENT = 1_000  # a builder's fee is given in tenths of a basis point


class RefusedError(Exception):
    """The venue refuses the action; the message is the venue's own.

    It is sent in a reply with status "err" (HTTP 200).
    """


class NonceBook:
    """The highest nonces of one signer, which protect against replayed messages.

    A nonce is a time in ms. The 100 highest of each signer are kept. A new one must be above the
    lowest of them, must not be among them, and must lie between two days before and one day after
    the present.
    """

    def __init__(self) -> None:
        self.used: list[int] = []

    def use(self, nonce: int) -> None:
        """Use up a nonce.

        Raises
        ------
        RefusedError
            If it was used before, or is lower than all that are kept.
        """
        place = bisect.bisect_left(self.used, nonce)
        if place < len(self.used) and self.used[place] == nonce:
            raise RefusedError(f"Invalid nonce: duplicate nonce {nonce}")
        if len(self.used) == NONCES_KEPT:
            if place == 0:
                raise RefusedError(f"Invalid nonce: nonce too low {nonce} < {self.used[0]}")
            del self.used[0]
            place -= 1
        self.used.insert(place, nonce)

    @staticmethod
    def check_time(nonce: int, wall_ms: int) -> None:
        """Check that a nonce is close enough to the wall clock (ms), which clients use.

        Raises
        ------
        RefusedError
            If it is more than two days old or more than a day ahead.
        """
        oldest, newest = wall_ms - NONCE_PAST_MS, wall_ms + NONCE_FUTURE_MS
        if nonce <= oldest:
            raise RefusedError(f"Invalid nonce: nonce too low {nonce} < {oldest}")
        if nonce >= newest:
            raise RefusedError(f"Invalid nonce: nonce too high {nonce} > {newest}")


@dataclass(frozen=True, slots=True)
class Agent:
    """A key that signs for an owner, until ``valid_until`` (ms) if given.

    An owner's agents have different names.
    """

    owner: str
    name: str
    valid_until: int | None = None


@dataclass
class Signers:
    """Nonces by signer, agents by address, and approved builders by account."""

    nonces: dict[str, NonceBook] = field(default_factory=dict)
    agents: dict[str, Agent] = field(default_factory=dict)
    retired: set[str] = field(default_factory=set)
    """Former agents' keys: they can no longer sign, not even for their own address."""
    builders: dict[tuple[str, str], int] = field(default_factory=dict)
    """Maximum fee, tenths of a basis point, by account and builder."""

    def use_nonce(self, signer: str, nonce: int) -> None:
        """Use up a signer's nonce.

        Raises
        ------
        RefusedError
            See `NonceBook.use`.
        """
        self.nonces.setdefault(signer, NonceBook()).use(nonce)

    def approve_agent(self, owner: str, address: str, name: str, most_named: int) -> None:
        """Let ``address`` sign for ``owner``, replacing any agent of the same name.

        Parameters
        ----------
        owner, address
            Addresses.
        name
            Empty for the unnamed agent; " valid_until" and a time in ms may follow.
        most_named
            Maximum number of the owner's named agents.

        Raises
        ------
        RefusedError
            If it already signs for another owner, its name is too long, or there are too many.
        """
        known = self.agents.get(address)
        if known is not None and known.owner != owner:
            raise RefusedError("Extra agent already used.")
        ending = _VALID_UNTIL.search(name)
        valid_until = None if ending is None else int(ending[1])
        name = name if ending is None else name[: ending.start()]
        if len(name) > LONGEST_NAME:
            raise RefusedError("Extra agent name must be between 1 and 16 characters long.")
        own = {a: one.name for a, one in self.agents.items() if one.owner == owner}
        replaced = [a for a, given in own.items() if given == name]
        named = sum(1 for a, given in own.items() if given and a not in (*replaced, address))
        if name and named >= most_named:
            raise RefusedError(
                f"Too many extra agents for cumulative volume traded. Current limit is {most_named}"
            )
        for other in replaced:
            del self.agents[other]
            self.retired.add(other)
        self.retired.discard(address)
        self.agents[address] = Agent(owner, name, valid_until)

    def approve_builder(self, account: str, builder: str, max_fee_rate: str) -> None:
        """Approve a builder's maximum fee for the account's orders, e.g. "0.01%".

        Raises
        ------
        RefusedError
            If it is above the venue's maximum.
        """
        tenths = Decimal(max_fee_rate.rstrip("%")) * TENTHS_PER_PERCENT
        if tenths > MAX_BUILDER_TENTHS:
            raise RefusedError("Builder fee too high.")
        self.builders[(account, builder)] = int(tenths)

    def check_builder(self, account: str, builder: str, tenths: int) -> None:
        """Check a builder's fee against the account's approval; zero needs none.

        Raises
        ------
        RefusedError
            If the fee is above the approved one.
        """
        if tenths > self.builders.get((account, builder), 0):
            raise RefusedError("Builder fee has not been approved.")
