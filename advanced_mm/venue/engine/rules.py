"""The venue's configurable rules: fees, play money, order limits, queue assumptions."""

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

__all__ = ["Rules"]


class Rules(BaseModel):
    """Settings of the trading venue; a scenario file may set any of them.

    Attributes
    ----------
    play_money
        USDC a new account starts with.
    maker_fee, taker_fee
        Share of the traded value; Hyperliquid's base tier. A negative maker fee is a rebate. It may
        not exceed the taker fee, or two accounts could profit by trading with each other.
    minimum_value
        Minimum order value, USDC (reduce-only orders that close a position are exempt).
    queue_position
        Where an order joins its level: 1 behind everything shown there, 0 in front of it.
    cancels_ahead
        Share of a level's unexplained decrease that is attributed to cancels ahead of a resting
        order: "proportional" to the part of the level ahead of it, or a number from 0 (all cancels
        are behind) to 1. There is never more ahead than the level shows.
    print_run_overs
        Whether fills are printed when the background's quote moves through an order. The
        background's quotes move without market orders, so such prints would be market orders that
        exist only because an order was in the way: a fit to this stream would find more market
        orders, with more impact, than a fit to the same stream without the bot.
    funding_rate
        Hourly, share of the position's value, paid by longs when positive.
    schedule_cancel_volume, sub_account_volume
        USDC an account must have traded before it may set a dead man's switch, or open a
        sub-account.
    dex_abstraction
        Whether new accounts start with DEX abstraction: one balance for all exchanges, from which
        the builder-deployed ones draw their margin. If off (the default, as on Hyperliquid),
        trading there requires a transfer (``sendAsset``) or enabling the abstraction first.
    maintenance_share
        Maintenance margin as a share of the initial margin at the coin's maximum leverage.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    play_money: Decimal = Field(default=Decimal(10_000), ge=0)
    maker_fee: Decimal = Field(default=Decimal("0.00015"), ge=Decimal("-0.01"), le=Decimal("0.01"))
    taker_fee: Decimal = Field(default=Decimal("0.00045"), ge=0, le=Decimal("0.01"))
    minimum_value: Decimal = Field(default=Decimal(10), ge=0)
    queue_position: float = Field(default=1.0, ge=0, le=1)
    cancels_ahead: Literal["proportional"] | Annotated[float, Field(ge=0, le=1)] = "proportional"
    print_run_overs: bool = False
    funding_rate: Decimal = Field(default=Decimal("0.0000125"))
    schedule_cancel_volume: Decimal = Field(default=Decimal(1_000_000), ge=0)
    sub_account_volume: Decimal = Field(default=Decimal(100_000), ge=0)
    dex_abstraction: bool = False
    maintenance_share: Decimal = Field(default=Decimal("0.5"), gt=0, le=1)

    @model_validator(mode="after")
    def _no_gift(self) -> "Rules":
        if self.maker_fee + self.taker_fee < 0:
            raise ValueError(
                f"maker_fee {self.maker_fee} is a rebate larger than taker_fee {self.taker_fee}; "
                "their sum must not be negative"
            )
        return self
