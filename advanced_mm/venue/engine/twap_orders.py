"""TWAP orders: what is asked for, and how far it is.

Addresses are lower-case, prices and sizes whole numbers (see `units`), times exchange ms.
"""

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Twap", "TwapEvent", "TwapRequest", "TwapStatus"]


class TwapStatus(StrEnum):
    """What has become of a TWAP, in the venue's words."""

    WAITING = "waitingForTrigger"
    ACTIVATED = "activated"
    FINISHED = "finished"
    TERMINATED = "terminated"
    STOPPED = "stopped"
    ERROR = "error"

    @property
    def ended(self) -> bool:
        """Whether nothing more can happen."""
        return self not in (TwapStatus.WAITING, TwapStatus.ACTIVATED)


@dataclass(frozen=True, slots=True)
class TwapRequest:
    """What a client asks for.

    ``randomize`` varies the size of the parts. It begins at once, or when the mark reaches
    ``trigger_price`` (``trigger_above``: from below), and is given up when the mark reaches
    ``stop_price``, from whichever side it was at when the TWAP was placed.
    """

    coin: str
    is_buy: bool
    lots: int
    minutes: int
    reduce_only: bool = False
    randomize: bool = False
    trigger_price: int | None = None
    trigger_above: bool = True
    stop_price: int | None = None


@dataclass(slots=True)
class Twap:
    """One TWAP. ``executed_value`` is micro-USDC; ``stop_above``: the stop price was above."""

    twap_id: int
    account: str
    request: TwapRequest
    placed_ms: int
    status: TwapStatus
    stop_above: bool = False
    begun_ms: int = 0
    parts_sent: int = 0
    executed_lots: int = 0
    executed_value: int = 0

    @property
    def coin(self) -> str:
        """The coin."""
        return self.request.coin


@dataclass(frozen=True, slots=True)
class TwapEvent:
    """A TWAP has changed its status: a copy of it as it then was, and why, if it failed."""

    time_ms: int
    twap: Twap
    error: str | None = None

    @property
    def account(self) -> str:
        """Whose it is."""
        return self.twap.account
