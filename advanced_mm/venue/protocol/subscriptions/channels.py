"""The websocket's market data subscriptions, and the messages of each."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Protocol

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from advanced_mm.markets.candles import INTERVALS, bar_start
from advanced_mm.markets.coin_markets import Venue
from advanced_mm.markets.listing import MAIN_DEX
from advanced_mm.venue.protocol.messages.book_merging import Mantissa, SignificantFigures
from advanced_mm.venue.protocol.messages.market_messages import bbo_message, trades_message
from advanced_mm.venue.protocol.messages.market_views import MarketViews
from advanced_mm.venue.protocol.messages.wire_views import all_mids, candle_wire, shown_book
from advanced_mm.venue.protocol.subscriptions.fast_contexts import FastContextsChannel
from advanced_mm.venue.protocol.subscriptions.time_step import Message, Step

__all__ = ["CHANNELS", "Channel", "InvalidSubscriptionError", "Subscription", "WithFields"]

SLOW_BOOK = (20, 5_000)  # levels, ms of market time
FAST_BOOK = (5, 500)
MIDS_CADENCE_MS = 1_000
CONTEXT_CADENCE_MS = 1_000


class InvalidSubscriptionError(Exception):
    """The subscription's type is unknown, a field is invalid, or its coin does not trade here."""


class Subscription(BaseModel):
    """A client's subscription; equal subscriptions share their messages."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)

    type: str
    coin: str = ""
    dex: str = MAIN_DEX
    interval: str = ""
    fast: bool = False
    nSigFigs: SignificantFigures | None = None
    mantissa: Mantissa | None = None
    aggregateByTime: bool = False
    user: Annotated[str, StringConstraints(pattern=r"^(0[xX][0-9a-fA-F]{40})?$", to_lower=True)] = (
        ""
    )

    @classmethod
    def parse(
        cls, raw: object, venue: Venue, channels: "Mapping[str, WithFields]"
    ) -> "Subscription":
        """Parse a subscription to one of ``channels`` (by type).

        Raises
        ------
        InvalidSubscriptionError
            If the venue does not serve it.
        """
        try:
            asked = cls.model_validate(raw)
        except ValidationError as error:
            raise InvalidSubscriptionError from error
        channel = channels.get(asked.type)
        if channel is None:
            raise InvalidSubscriptionError
        # Drop fields that the type does not use, so that equal subscriptions compare equal.
        own = cls(type=asked.type, **{name: getattr(asked, name) for name in channel.fields})
        if (
            ("coin" in channel.fields and own.coin not in venue.markets)
            or ("interval" in channel.fields and own.interval not in INTERVALS)
            or ("user" in channel.fields and not own.user)
            or (own.mantissa is not None and own.nSigFigs != 5)
            or own.dex not in venue.listing.dexs
        ):
            raise InvalidSubscriptionError
        return own


class WithFields(Protocol):
    """Any kind of subscription."""

    fields: ClassVar[tuple[str, ...]]
    """The fields of `Subscription`, besides the type, that distinguish two of this kind."""


class Channel(WithFields, Protocol):
    """One kind of market data subscription."""

    def on_subscribe(self, views: MarketViews, subscription: Subscription) -> list[Message]:
        """Return the messages for a new subscriber."""
        ...

    def on_step(self, views: MarketViews, subscription: Subscription, step: Step) -> list[Message]:
        """Return the messages for all subscribers after a step of the market."""
        ...


class TradesChannel:
    """Prints, one message per block; a new subscriber first gets the recent ones."""

    fields: ClassVar[tuple[str, ...]] = ("coin",)

    def on_subscribe(self, views: MarketViews, subscription: Subscription) -> list[Message]:
        """Return the recent prints in one message, if there are any."""
        market = views.venue.markets[subscription.coin]
        prints = [(one.time_ms, one.print) for one in market.recent]
        return [trades_message(market.spec, prints)] if prints else []

    def on_step(self, views: MarketViews, subscription: Subscription, step: Step) -> list[Message]:
        """Return a message for each block with prints."""
        spec = views.venue.markets[subscription.coin].spec
        return [
            trades_message(spec, [(update.time_ms, one) for one in update.prints])
            for update in step.updates[subscription.coin]
            if update.prints
        ]


class BboChannel:
    """The touch whenever it changes."""

    fields: ClassVar[tuple[str, ...]] = ("coin",)

    def on_subscribe(self, views: MarketViews, subscription: Subscription) -> list[Message]:
        """Return the current touch."""
        market = views.venue.markets[subscription.coin]
        return [bbo_message(market.spec, market.touch_time_ms, market.touch)]

    def on_step(self, views: MarketViews, subscription: Subscription, step: Step) -> list[Message]:
        """Return a message for each block that changed it."""
        spec = views.venue.markets[subscription.coin].spec
        return [
            bbo_message(spec, update.time_ms, update.quote)
            for update in step.updates[subscription.coin]
            if update.quote is not None
        ]


class BookChannel:
    """The visible book: 20 levels every 5 s, or with ``fast`` 5 levels every 0.5 s."""

    fields: ClassVar[tuple[str, ...]] = ("coin", "nSigFigs", "mantissa", "fast")

    def on_subscribe(self, views: MarketViews, subscription: Subscription) -> list[Message]:
        """Return the current book."""
        levels, _ = FAST_BOOK if subscription.fast else SLOW_BOOK
        market = views.venue.markets[subscription.coin]
        data = shown_book(market, levels, subscription.nSigFigs, subscription.mantissa)
        return [
            {"channel": "l2Book", "data": {**data, "fast": True} if subscription.fast else data}
        ]

    def on_step(self, views: MarketViews, subscription: Subscription, step: Step) -> list[Message]:
        """Return the book, if an update is due."""
        _, cadence_ms = FAST_BOOK if subscription.fast else SLOW_BOOK
        return self.on_subscribe(views, subscription) if step.crosses(cadence_ms) else []


class CandleChannel:
    """The current bar of an interval, after every print and at the start of a new bar."""

    fields: ClassVar[tuple[str, ...]] = ("coin", "interval")

    def on_subscribe(self, views: MarketViews, subscription: Subscription) -> list[Message]:
        """Return the current bar."""
        market, interval = views.venue.markets[subscription.coin], subscription.interval
        bar = market.candles.current(interval)
        return [{"channel": "candle", "data": candle_wire(market, interval, bar)}]

    def on_step(self, views: MarketViews, subscription: Subscription, step: Step) -> list[Message]:
        """Return the bar, if it changed."""
        interval = subscription.interval
        printed = any(update.prints for update in step.updates[subscription.coin])
        begun = bar_start(interval, step.now_ms) > bar_start(interval, step.previous_ms)
        return self.on_subscribe(views, subscription) if printed or begun else []


class MidsChannel:
    """The mids of all coins of an exchange, once a second."""

    fields: ClassVar[tuple[str, ...]] = ("dex",)

    def on_subscribe(self, views: MarketViews, subscription: Subscription) -> list[Message]:
        """Return the current mids; the main exchange is not named in the message."""
        dex = subscription.dex
        data = {"mids": all_mids(views.venue, dex)}
        return [{"channel": "allMids", "data": {"dex": dex, **data} if dex else data}]

    def on_step(self, views: MarketViews, subscription: Subscription, step: Step) -> list[Message]:
        """Return the mids, if an update is due."""
        return self.on_subscribe(views, subscription) if step.crosses(MIDS_CADENCE_MS) else []


class DexContextsChannel:
    """The contexts of all coins of an exchange, once a second."""

    fields: ClassVar[tuple[str, ...]] = ("dex",)

    def on_subscribe(self, views: MarketViews, subscription: Subscription) -> list[Message]:
        """Return the current contexts."""
        data = {"dex": subscription.dex, "ctxs": views.contexts(subscription.dex)}
        return [{"channel": "assetCtxs", "data": data}]

    def on_step(self, views: MarketViews, subscription: Subscription, step: Step) -> list[Message]:
        """Return the contexts, if an update is due."""
        return self.on_subscribe(views, subscription) if step.crosses(CONTEXT_CADENCE_MS) else []


class AllContextsChannel:
    """The contexts of all coins of all exchanges, once a second."""

    fields: ClassVar[tuple[str, ...]] = ()

    def on_subscribe(self, views: MarketViews, subscription: Subscription) -> list[Message]:
        """Return the current contexts."""
        data = {"ctxs": [[dex, views.contexts(dex)] for dex in views.venue.listing.dexs]}
        return [{"channel": "allDexsAssetCtxs", "data": data}]

    def on_step(self, views: MarketViews, subscription: Subscription, step: Step) -> list[Message]:
        """Return the contexts, if an update is due."""
        return self.on_subscribe(views, subscription) if step.crosses(CONTEXT_CADENCE_MS) else []


class AssetContextChannel:
    """A coin's context, as in ``metaAndAssetCtxs``, once a second."""

    fields: ClassVar[tuple[str, ...]] = ("coin",)

    def on_subscribe(self, views: MarketViews, subscription: Subscription) -> list[Message]:
        """Return the current contexts."""
        data = {"coin": subscription.coin, "ctx": views.context(subscription.coin)}
        return [{"channel": "activeAssetCtx", "data": data}]

    def on_step(self, views: MarketViews, subscription: Subscription, step: Step) -> list[Message]:
        """Return the contexts, if an update is due."""
        return self.on_subscribe(views, subscription) if step.crosses(CONTEXT_CADENCE_MS) else []


CHANNELS: dict[str, Channel] = {
    # In this order within a step: prints precede the touch after them.
    "trades": TradesChannel(),
    "bbo": BboChannel(),
    "l2Book": BookChannel(),
    "candle": CandleChannel(),
    "allMids": MidsChannel(),
    "activeAssetCtx": AssetContextChannel(),
    "assetCtxs": DexContextsChannel(),
    "allDexsAssetCtxs": AllContextsChannel(),
    "fastAssetCtxs": FastContextsChannel(),
}
