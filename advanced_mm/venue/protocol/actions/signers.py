"""Who may sign for whom, which nonces are used up, and which builders may be paid."""

import bisect
import re
from dataclasses import dataclass, field
from decimal import Decimal

__all__ = ["Agent", "NonceBook", "RefusedError", "Signers"]

NONCES_KEPT = 100
LONGEST_NAME = 16  # of an agent
_VALID_UNTIL = re.compile(r" ?valid_until ([0-9]{1,18})$")
NONCE_PAST_MS = 2 * 86_400_000
NONCE_FUTURE_MS = 86_400_000
MAX_BUILDER_TENTHS = 100  # 0.1%, the most a builder of perpetuals may take
TENTHS_PER_PERCENT = 1_000  # a builder's fee is counted in tenths of a basis point


class RefusedError(Exception):
    """The venue will not do it; the message is the venue's own sentence.

    Whoever answers the request puts the sentence into a reply with status "err" (HTTP 200).
    """


class NonceBook:
    """The greatest nonces of one signer, by which the venue tells a message sent twice.

    A nonce is a time in ms. Of each signer the 100 greatest are kept; a new one must be greater
    than the smallest of them and none of them, and lie within two days before and one day after
    the present.
    """

    def __init__(self) -> None:
        self.used: list[int] = []

    def use(self, nonce: int) -> None:
        """Use a nonce up.

        Raises
        ------
        RefusedError
            If it was used before, or is older than all that are kept.
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
        """Refuse a nonce too far from the present (ms by the computer's clock, as clients count).

        Raises
        ------
        RefusedError
            If it is.
        """
        oldest, newest = wall_ms - NONCE_PAST_MS, wall_ms + NONCE_FUTURE_MS
        if nonce <= oldest:
            raise RefusedError(f"Invalid nonce: nonce too low {nonce} < {oldest}")
        if nonce >= newest:
            raise RefusedError(f"Invalid nonce: nonce too high {nonce} > {newest}")


@dataclass(frozen=True, slots=True)
class Agent:
    """A key that signs for an owner, until ``valid_until`` (ms) if that is given.

    Each owner has one agent of a name at most.
    """

    owner: str
    name: str
    valid_until: int | None = None


@dataclass
class Signers:
    """What the venue knows of keys: nonces by signer, agents by address, builders by account."""

    nonces: dict[str, NonceBook] = field(default_factory=dict)
    agents: dict[str, Agent] = field(default_factory=dict)
    retired: set[str] = field(default_factory=set)
    """Keys that were agents once: they sign for nobody any more, themselves neither."""
    builders: dict[tuple[str, str], int] = field(default_factory=dict)
    """Tenths of a basis point that an account (first) lets a builder (second) take."""

    def use_nonce(self, signer: str, nonce: int) -> None:
        """Use up a signer's nonce.

        Raises
        ------
        RefusedError
            See `NonceBook.use`.
        """
        self.nonces.setdefault(signer, NonceBook()).use(nonce)

    def approve_agent(self, owner: str, address: str, name: str, most_named: int) -> None:
        """Let ``address`` sign for ``owner``, in place of the agent that had the name.

        Parameters
        ----------
        owner, address
            Addresses.
        name
            Empty for the nameless one; " valid_until" and a time in ms may stand behind it.
        most_named
            How many agents with a name the owner may have.

        Raises
        ------
        RefusedError
            If it already signs for somebody else, its name is too long, or it is one too many.
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
        """Let a builder take up to a share of the account's orders, written as "0.01%".

        Raises
        ------
        RefusedError
            If it is more than any builder may take.
        """
        tenths = Decimal(max_fee_rate.rstrip("%")) * TENTHS_PER_PERCENT
        if tenths > MAX_BUILDER_TENTHS:
            raise RefusedError("Builder fee too high.")
        self.builders[(account, builder)] = int(tenths)

    def check_builder(self, account: str, builder: str, tenths: int) -> None:
        """Refuse a fee above what the account has approved; a builder that takes none is welcome.

        Raises
        ------
        RefusedError
            If it is.
        """
        if tenths > self.builders.get((account, builder), 0):
            raise RefusedError("Builder fee has not been approved.")
