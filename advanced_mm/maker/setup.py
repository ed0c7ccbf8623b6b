"""One market of a maker, as it is set up."""

from dataclasses import dataclass, field

from advanced_mm.maker.desk import HedgeDesk
from advanced_mm.maker.limits import Limits
from advanced_mm.policies import Policy, VolatilitySettings

__all__ = ["MarketSetup"]


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
        How the volatility that the policy sees is estimated.
    desk
        Hedges this market; None: nobody does.
    other_makers
        Whether makers of other names may have orders in the market and where it is hedged.
    """

    exchange: str
    symbol: str
    policy: Policy
    limits: Limits = field(default_factory=Limits)
    volatility: VolatilitySettings = field(default_factory=VolatilitySettings)
    desk: HedgeDesk | None = None
    other_makers: bool = False
