"""The single spot market, which is listed but does not trade.

Clients load the list of spot markets at start and fail if it is empty. So the pair that exists on
every Hyperliquid network is listed here at a fixed price.
"""

from advanced_mm.venue.protocol.messages.wire_views import Json

__all__ = ["SPOT_CONTEXTS", "SPOT_META"]

SPOT_META: dict[str, Json] = {
    "tokens": [
        {
            "name": "USDC",
            "szDecimals": 8,
            "weiDecimals": 8,
            "index": 0,
            "tokenId": "0x6d1e7cde53ba9467b783cb7c530ce054",
            "isCanonical": True,
            "evmContract": None,
            "fullName": None,
            "deployerTradingFeeShare": "0.0",
        },
        {
            "name": "PURR",
            "szDecimals": 0,
            "weiDecimals": 5,
            "index": 1,
            "tokenId": "0xc1fb593aeffbeb02f85e0308e9956a90",
            "isCanonical": True,
            "evmContract": None,
            "fullName": None,
            "deployerTradingFeeShare": "0.0",
        },
    ],
    "universe": [{"name": "PURR/USDC", "tokens": [1, 0], "index": 0, "isCanonical": True}],
}
SPOT_CONTEXTS: list[Json] = [
    {
        "coin": "PURR/USDC",
        "prevDayPx": "0.2",
        "dayNtlVlm": "0.0",
        "dayBaseVlm": "0.0",
        "markPx": "0.2",
        "midPx": "0.2",
        "circulatingSupply": "0.0",
        "totalSupply": "0.0",
    }
]
