"""Settings of hedges: frozen, validated, with the names of the configuration file."""

from decimal import Decimal
from typing import Annotated, Self

from pydantic import Field, model_validator

from advanced_mm.policies.settings import PolicySettings

__all__ = [
    "ActiveSettings",
    "DeltaSettings",
    "ExecutionSettings",
    "HedgeSettings",
    "PassiveSettings",
]

Share = Annotated[Decimal, Field(gt=0, lt=1)]
Seconds = Annotated[float, Field(gt=0, le=3600)]


class ExecutionSettings(PolicySettings):
    """How a hedge is traded: first post-only at the touch, then the rest at market.

    Attributes
    ----------
    post_only_seconds
        How long a post-only order may wait for its fill before the rest goes at market.
    retry_seconds
        Pause after a market order that was refused or found nobody to trade with.
    """

    post_only_seconds: Seconds = 5.0
    retry_seconds: Seconds = 5.0


class ActiveSettings(ExecutionSettings):
    """Hedge when the inventory's share of the account (IQV) has moved too far.

    Attributes
    ----------
    active_hedge_iqv_ratio
        A move of the IQV ratio, (IQV - initial) / initial, beyond this hedges.
    active_hedge_target_ratio
        The move it is brought back to; empty: to `active_hedge_iqv_ratio` itself, the threshold.
    dual_sided_hedge
        Whether too little inventory is hedged by buying; if not, buying only closes a short hedge.
    """

    active_hedge_iqv_ratio: Annotated[Decimal, Field(gt=0)]
    active_hedge_target_ratio: Annotated[Decimal, Field(ge=0)] | None = None
    dual_sided_hedge: bool = False

    @model_validator(mode="after")
    def _target_within(self) -> Self:
        if self.target_ratio > self.active_hedge_iqv_ratio:
            raise ValueError(
                f"active_hedge_target_ratio = {self.target_ratio} must not exceed "
                f"active_hedge_iqv_ratio = {self.active_hedge_iqv_ratio}: lower it"
            )
        return self

    @property
    def target_ratio(self) -> Decimal:
        """The move the IQV ratio is brought back to."""
        target = self.active_hedge_target_ratio
        return self.active_hedge_iqv_ratio if target is None else target


class PassiveSettings(PolicySettings):
    """Trigger orders that hedge part of the inventory in a crash (or a rally).

    Attributes
    ----------
    passive_hedge_ratio
        Distance of the triggers from the mid: mid·(1 ± ratio).
    passive_hedge_sp_ratio
        Distance of the stop from the hedge's entry price.
    passive_hedge_proportion
        Share of the inventory that is hedged.
    passive_hedge_refresh_iqv_ratio
        The triggers follow price and inventory only while the IQV ratio has moved by no more.
    passive_hedge_refresh_interval
        Seconds between refreshes.
    passive_hedge_refresh_tolerance
        A refresh leaves triggers whose distance and size are off by no more than this share: each
        replacement leaves the inventory unprotected for a moment and loses nothing but that.
    dual_sided_hedge
        Whether both triggers rest; if not, only the one against the inventory's loss.
    retry_seconds
        Pause after an order was refused.
    """

    passive_hedge_ratio: Share
    passive_hedge_sp_ratio: Share
    passive_hedge_proportion: Annotated[Decimal, Field(gt=0, le=1)]
    passive_hedge_refresh_iqv_ratio: Annotated[Decimal, Field(gt=0)]
    passive_hedge_refresh_interval: Seconds = 60.0
    passive_hedge_refresh_tolerance: Annotated[Decimal, Field(ge=0, lt=1)] = Decimal("0.1")
    dual_sided_hedge: bool = False
    retry_seconds: Seconds = 5.0


class DeltaSettings(ExecutionSettings):
    """Hold a hedge against all inventory beyond a target.

    Attributes
    ----------
    target_inventory
        Inventory that is left unhedged, base currency of the maker's market.
    delta_band
        The hedge is corrected when it is off by more than this, base units of the hedge.
    """

    target_inventory: Decimal = Decimal(0)
    delta_band: Annotated[Decimal, Field(gt=0)]


class HedgeSettings(PolicySettings):
    """A market's hedge; `read` validates it as a configuration file holds it.

    Attributes
    ----------
    exchange, symbol
        Where the hedge trades; the maker's own market may be named.
    ratio
        Base units of the hedge for one base unit of inventory: 1 for the same coin; for another
        coin the hedge ratio that `scripts/market_research.py --against` prints.
    init_iqv_ratio
        The IQV ratio that moves are measured from; empty: that of the first observation.
    active, passive, delta
        The hedges in use. ``active`` and ``delta`` exclude each other: both set the position.
    """

    exchange: str
    symbol: str
    ratio: Annotated[Decimal, Field(gt=0)] = Decimal(1)
    init_iqv_ratio: Annotated[Decimal, Field(gt=0)] | None = None
    active: ActiveSettings | None = None
    passive: PassiveSettings | None = None
    delta: DeltaSettings | None = None

    @model_validator(mode="after")
    def _one_position(self) -> Self:
        if self.active is not None and self.delta is not None:
            raise ValueError("active and delta both set the hedge's position: remove one of them")
        if self.active is None and self.passive is None and self.delta is None:
            raise ValueError("it hedges nothing: give active, passive or delta")
        return self
