"""The spot exchange's configurable rules: fees, filters, what a new account holds."""

from decimal import Decimal

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["SpotRules"]


class SpotRules(BaseModel):
    """Settings of the spot exchange.

    Attributes
    ----------
    maker_fee, taker_fee
        Share of what a fill brings, taken from it: base currency of a buy, quote currency of a
        sale. Binance's base tier, without the discount for BNB.
    minimum_notional
        Least value of an order, quote currency (filter NOTIONAL).
    most_orders, most_stops
        Most open orders of an account on one market, and most stops among them.
    multiplier_up, multiplier_down
        Bounds of an order's price, times the average price of five minutes
        (filter PERCENT_PRICE_BY_SIDE).
    play_quote
        Quote currency that a new account is given; of each base asset it gets the same value.
    quote_asset
        The asset that every market is quoted in.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    maker_fee: Decimal = Field(default=Decimal("0.001"), ge=0, le=Decimal("0.01"))
    taker_fee: Decimal = Field(default=Decimal("0.001"), ge=0, le=Decimal("0.01"))
    minimum_notional: Decimal = Field(default=Decimal(5), ge=0)
    most_orders: int = Field(default=200, ge=1)
    most_stops: int = Field(default=5, ge=0)
    multiplier_up: Decimal = Field(default=Decimal(5), gt=1)
    multiplier_down: Decimal = Field(default=Decimal("0.2"), ge=0, lt=1)
    play_quote: Decimal = Field(default=Decimal(10_000), ge=0)
    quote_asset: str = Field(default="USDC", pattern=r"^[A-Z0-9]{2,12}$")
