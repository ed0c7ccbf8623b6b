"""``fastAssetCtxs``: marks and mids of all coins, compressed."""

import base64
import json
import zlib
from typing import ClassVar

from advanced_mm.venue.protocol.messages.market_views import MarketViews
from advanced_mm.venue.protocol.messages.wire_views import mid_text
from advanced_mm.venue.protocol.subscriptions.time_step import Message, Step

__all__ = ["FastContextsChannel"]

CADENCE_MS = 1_000


class FastContextsChannel:
    """Mark and mid of every coin: JSON, compressed with raw DEFLATE and encoded in base64."""

    fields: ClassVar[tuple[str, ...]] = ()

    def on_subscribe(self, views: MarketViews, subscription: object) -> list[Message]:
        """Return the current prices."""
        prices = {
            coin: {"markPx": views.mark(coin), "midPx": mid_text(market)}
            for coin, market in views.venue.markets.items()
        }
        packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        packed = packer.compress(json.dumps(prices).encode()) + packer.flush()
        return [{"channel": "fastAssetCtxs", "data": base64.b64encode(packed).decode()}]

    def on_step(self, views: MarketViews, subscription: object, step: Step) -> list[Message]:
        """Return the prices, if an update is due."""
        return self.on_subscribe(views, subscription) if step.crosses(CADENCE_MS) else []
