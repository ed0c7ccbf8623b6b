"""One market of a maker, as it is set up."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from advanced_mm.maker.desk import HedgeDesk
from advanced_mm.maker.limits import Limits
from advanced_mm.policies import Policy

__all__ = ["MarketSetup", "StreamingVolatility"]


class StreamingVolatility(Protocol):
    """What a market's volatility is learnt with; per square root of a second, NaN while unknown."""

    def saw(self, time_ms: int, mid: float) -> None:
        """Take in a mid, quote currency, and the exchange's time, ms."""

    @property
    def effective(self) -> float:
        """What the policy goes by."""

    @property
    def usual(self) -> float:
        """Over the long window, to compare with."""


@dataclass(frozen=True, kw_only=True)
class MarketSetup:
    """One market.

    Parameters
    ----------
    exchange, symbol
        The exchange's name among those the maker is given, and ccxt's unified symbol.
    policy
        What wants the ladder.
    limits
        What is allowed.
    volatility
        Makes the estimator that the policy's state is filled from; None: unknown volatility.
    desk
        Hedges this market; None: nobody does.
    """

    exchange: str
    symbol: str
    policy: Policy
    limits: Limits = field(default_factory=Limits)
    volatility: Callable[[], StreamingVolatility] | None = None
    desk: HedgeDesk | None = None
