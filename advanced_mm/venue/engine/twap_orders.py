"""TWAP orders: the request, and its progress.

Addresses are lower-case, prices and sizes whole numbers (see `units`), times exchange ms.
"""

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Twap", "TwapEvent", "TwapRequest", "TwapStatus"]


class TwapStatus(StrEnum):
    """The status of a TWAP, as the venue names it."""

    WAITING = "waitingForTrigger"
    ACTIVATED = "activated"
    FINISHED = "finished"
    TERMINATED = "terminated"
    STOPPED = "stopped"
    ERROR = "error"

    @property
    def ended(self) -> bool:
        """Whether the status is final."""
        return self not in (TwapStatus.WAITING, TwapStatus.ACTIVATED)


@dataclass(frozen=True, slots=True)
class TwapRequest:
    """A client's request.

    ``randomize`` varies the size of the parts. The TWAP starts at once, or when the mark reaches
    ``trigger_price`` (``trigger_above``: from below). It stops when the mark reaches
    ``stop_price``, from the side on which the mark was when the TWAP was placed.
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
    """One TWAP. ``executed_value`` is micro-USDC; ``stop_above``: the stop price is above."""

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
    """A change of a TWAP's status: a copy of the TWAP, and the reason if it failed."""

    time_ms: int
    twap: Twap
    error: str | None = None

    @property
    def account(self) -> str:
        """The account the TWAP belongs to."""
        return self.twap.account
