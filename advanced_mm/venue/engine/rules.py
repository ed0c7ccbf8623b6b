"""The venue's rules that can be set: fees, play money, limits of orders, assumptions on queues."""

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

__all__ = ["Rules"]


class Rules(BaseModel):
    """Settings of the trading venue; a scenario file may set every one of them.

    Attributes
    ----------
    play_money
        USDC an account begins with.
    maker_fee, taker_fee
        Share of the traded value; Hyperliquid's base tier. A negative maker fee is a rebate, at
        most what the taker pays: or two accounts would earn by trading with each other.
    minimum_value
        USDC an order must be worth at least (reduce-only orders that close a position are exempt).
    queue_position
        Where an order joins its level: 1 behind everything shown there, 0 in front of it.
    cancels_ahead
        Share of unexplained shrinking of a level that is taken from in front of a resting order:
        "proportional" to the part that stands in front of it, or a number from 0 (cancels are
        always behind) to 1. A level never has more in front than it shows.
    print_run_overs
        Whether it is printed when the background's quote moves through an order and fills it. The
        background's quotes move without market orders: printed, such fills are market orders that
        come only because somebody stood in the way, and whoever fits the stream on which a bot
        trades finds more of them, with more impact, than on the same stream without.
    funding_rate
        Hourly, share of the position's value, paid by longs when positive.
    schedule_cancel_volume, sub_account_volume
        USDC an account must have traded before it may set a dead man's switch, or open a
        sub-account.
    dex_abstraction
        Whether new accounts begin with DEX abstraction: one purse for all exchanges, of which what
        builder-deployed ones need is taken. Off, as on the venue, nothing can be traded there
        before money was sent there (``sendAsset``), or the abstraction switched on.
    maintenance_share
        Maintenance margin as a share of the initial margin at the coin's greatest leverage.
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
                f"maker_fee {self.maker_fee} gives back more than taker_fee {self.taker_fee} takes"
            )
        return self
