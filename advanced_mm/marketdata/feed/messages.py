"""The venue's websocket messages as types; msgspec checks a frame against them while it parses.

Numbers arrive as text ("3000.5") and are read as numbers. A frame that does not fit raises
`msgspec.DecodeError`; `wire` then looks at its rows one by one to keep the sound ones.
"""

import sys
from typing import Annotated, Any, Final, Literal

from msgspec import Meta, Struct
from msgspec.json import Decoder

__all__ = [
    "LATEST_MS",
    "ActiveAssetCtx",
    "ActiveSpotAssetCtx",
    "Bbo",
    "Complaint",
    "Context",
    "L2Book",
    "Level",
    "Message",
    "Pong",
    "SubscriptionResponse",
    "Trade",
    "Trades",
    "parse",
]

LATEST_MS: Final = 10**14
"""Later times (beyond the year 5138) are not in milliseconds."""

_Price = Annotated[float, Meta(gt=0.0, le=sys.float_info.max)]
_Size = Annotated[float, Meta(ge=0.0, le=sys.float_info.max)]
_Finite = Annotated[float, Meta(ge=-sys.float_info.max, le=sys.float_info.max)]
_Time = Annotated[int, Meta(ge=0, lt=LATEST_MS)]
_TradeId = Annotated[int, Meta(ge=0, le=2**63 - 1)]


class Level(Struct, gc=False):
    """Price and size of a book level."""

    px: _Price
    sz: _Size


class _BboData(Struct, gc=False):
    coin: str
    time: _Time
    bbo: tuple[Level | None, Level | None]


class Bbo(Struct, tag_field="channel", tag="bbo", gc=False):
    """The touch, bid first; null if a side is empty."""

    data: _BboData


class Trade(Struct, gc=False):
    """One print; side "A" is a selling aggressor, "B" a buying one."""

    coin: str
    side: Literal["A", "B"]
    px: _Price
    sz: _Size
    time: _Time
    tid: _TradeId
    hash: str | None = None


class Trades(Struct, tag_field="channel", tag="trades", gc=False):
    """Prints of one block, or recent ones right after subscribing."""

    data: list[Trade]


class _BookData(Struct, gc=False):
    coin: str
    time: _Time
    levels: tuple[list[Level], list[Level]]
    fast: bool | None = None


class L2Book(Struct, tag_field="channel", tag="l2Book", gc=False):
    """The visible book, bids first, best level first."""

    data: _BookData


class Context(Struct, gc=False):
    """Figures of a coin. Spot pairs have no funding, premium, oracle price or open interest.

    ``funding`` is the hour's rate, positive where longs pay; ``openInterest`` and ``dayBaseVlm``
    are in the base currency, ``dayNtlVlm`` in the quote currency.
    """

    markPx: _Price
    midPx: _Price | None = None
    oraclePx: _Price | None = None
    funding: _Finite | None = None
    premium: _Finite | None = None
    openInterest: _Size | None = None
    impactPxs: tuple[_Price, _Price] | None = None
    prevDayPx: _Finite | None = None
    dayNtlVlm: _Size | None = None
    dayBaseVlm: _Size | None = None


class _ContextData(Struct, gc=False):
    coin: str
    ctx: Context


class ActiveAssetCtx(Struct, tag_field="channel", tag="activeAssetCtx", gc=False):
    """A perpetual's context. The message carries no time."""

    data: _ContextData


class ActiveSpotAssetCtx(Struct, tag_field="channel", tag="activeSpotAssetCtx", gc=False):
    """A spot pair's context."""

    data: _ContextData


class SubscriptionResponse(Struct, tag_field="channel", tag="subscriptionResponse"):
    """Acknowledgement of a subscription or of its end."""

    data: Any = None


class Pong(Struct, tag_field="channel", tag="pong"):
    """Answer to a ping."""


class Complaint(Struct, tag_field="channel", tag="error"):
    """The venue's own error message."""

    data: Any = None


Message = (
    Bbo
    | Trades
    | L2Book
    | ActiveAssetCtx
    | ActiveSpotAssetCtx
    | SubscriptionResponse
    | Pong
    | Complaint
)

_DECODER: Final[Decoder[Message]] = Decoder(Message, strict=False)  # numbers may be text


def parse(frame: bytes | str) -> Message:
    """Parse a frame.

    Raises
    ------
    msgspec.DecodeError
        If the frame is not JSON, its channel is unknown or a field is missing or unsound.
    """
    return _DECODER.decode(frame)
