"""Figures of the known coins: price, price and size steps, leverage, and thickness of their flow.

The figures give a coin's scale, not today's price. A coin missing here is never traded at another
coin's figures; a scenario file must provide them.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from advanced_mm.errors import InputError
from advanced_mm.instruments import dex_of, nearest, resolve_coin
from advanced_mm.markets.market import MarginMode

__all__ = ["KNOWN_COINS", "CoinFigures", "figures_of", "margin_mode_of", "named_coins", "tick_of"]

_SIGNIFICANT_FIGURES = 5
_PERPETUAL_DECIMALS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class CoinFigures:
    """The scale of a coin.

    Attributes
    ----------
    price
        USDC.
    size_decimals, max_leverage
        As the venue's ``meta`` gives them.
    margin_mode
        As the venue's ``meta`` gives it; "" if cross margin is allowed too.
    width
        How far market orders reach and move the price, as a share of the price, relative to ETH.
    depth
        USDC resting within such a reach, relative to ETH.
    """

    price: float
    size_decimals: int
    max_leverage: int
    margin_mode: MarginMode = ""
    width: float = 1.0
    depth: float = 1.0


KNOWN_COINS: dict[str, CoinFigures] = {
    "BTC": CoinFigures(price=60_000.0, size_decimals=5, max_leverage=40),
    "ETH": CoinFigures(price=3_000.0, size_decimals=4, max_leverage=25),
    "SOL": CoinFigures(price=150.0, size_decimals=2, max_leverage=20),
    "BNB": CoinFigures(price=550.0, size_decimals=3, max_leverage=10),
    "HYPE": CoinFigures(price=30.0, size_decimals=2, max_leverage=10),
    "AVAX": CoinFigures(price=25.0, size_decimals=2, max_leverage=10),
    "LINK": CoinFigures(price=15.0, size_decimals=1, max_leverage=10),
    "XRP": CoinFigures(price=2.0, size_decimals=0, max_leverage=20),
    "DOGE": CoinFigures(price=0.15, size_decimals=0, max_leverage=10),
    "ADA": CoinFigures(price=0.6, size_decimals=0, max_leverage=10, width=1.5, depth=0.3),
    "SUI": CoinFigures(price=2.5, size_decimals=1, max_leverage=10, width=1.5, depth=0.3),
    "LTC": CoinFigures(price=90.0, size_decimals=2, max_leverage=10, width=1.5, depth=0.3),
    "AAVE": CoinFigures(price=200.0, size_decimals=2, max_leverage=10, width=2.0, depth=0.2),
    "PAXG": CoinFigures(price=4_000.0, size_decimals=3, max_leverage=10, width=1.5, depth=0.3),
    "ENA": CoinFigures(price=0.35, size_decimals=0, max_leverage=10, width=2.5, depth=0.1),
    "FARTCOIN": CoinFigures(price=0.5, size_decimals=1, max_leverage=10, width=3.0, depth=0.1),
    "PUMP": CoinFigures(price=0.003, size_decimals=0, max_leverage=10, width=4.0, depth=0.05),
    "kPEPE": CoinFigures(price=0.0065, size_decimals=0, max_leverage=10, width=3.0, depth=0.05),
    "kSHIB": CoinFigures(price=0.0095, size_decimals=0, max_leverage=10, width=3.0, depth=0.05),
    "kBONK": CoinFigures(price=0.014, size_decimals=0, max_leverage=10, width=3.0, depth=0.05),
    "xyz:XYZ100": CoinFigures(
        price=25_000.0, size_decimals=4, max_leverage=20, margin_mode="strictIsolated", depth=0.2
    ),
    "xyz:TSLA": CoinFigures(
        price=430.0,
        size_decimals=3,
        max_leverage=10,
        margin_mode="strictIsolated",
        width=2.0,
        depth=0.1,
    ),
    "xyz:NVDA": CoinFigures(
        price=180.0,
        size_decimals=3,
        max_leverage=10,
        margin_mode="strictIsolated",
        width=2.0,
        depth=0.1,
    ),
    "xyz:GOLD": CoinFigures(
        price=4_000.0, size_decimals=4, max_leverage=20, margin_mode="noCross", depth=0.2
    ),
}
"""The first coin of a builder-deployed exchange here is the first of its listing on the venue."""


def figures_of(coin: str) -> CoinFigures:
    """Return the figures of a coin, given the venue's name for it.

    Raises
    ------
    InputError
        If the coin has no figures, or the name is not the venue's spelling.
    """
    if coin not in KNOWN_COINS:
        (meant,) = named_coins([coin])
        raise InputError(f"coin {coin!r} is called {meant!r} at the venue: use that name")
    return KNOWN_COINS[coin]


def named_coins(names: Iterable[str]) -> tuple[str, ...]:
    """Return the venue's names for coins given by the user in any spelling, in order.

    Raises
    ------
    InputError
        If a name matches no coin with figures; the message lists them.
    """
    coins = []
    for name in names:
        try:
            coins.append(resolve_coin(name, KNOWN_COINS, "the loopback venue"))
        except InputError:
            meant = " or ".join(nearest(name, KNOWN_COINS))
            raise InputError(
                f"the loopback venue has no figures for coin {name!r}"
                f"{f' (did you mean {meant})' if meant else ''}, only for "
                f"{', '.join(KNOWN_COINS)}: name one of these, or set the coin's own figures in a "
                "scenario file (synthetic: start_price, size_decimals and max_leverage)"
            ) from None
    return tuple(coins)


def margin_mode_of(coin: str) -> MarginMode:
    """Return a coin's margin mode; without figures, the usual one of its exchange."""
    if coin in KNOWN_COINS:
        return KNOWN_COINS[coin].margin_mode
    return "strictIsolated" if dex_of(coin) else ""


def tick_of(highest_price: float, size_decimals: int) -> float:
    """Return the price step at which every price up to ``highest_price`` (USDC) is valid.

    Valid prices have at most five significant figures and at most 6 - ``size_decimals`` decimals.
    """
    by_figures = math.floor(math.log10(highest_price)) - (_SIGNIFICANT_FIGURES - 1)
    return float(f"1e{max(by_figures, size_decimals - _PERPETUAL_DECIMALS)}")
