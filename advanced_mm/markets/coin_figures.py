"""What the coins that can be named are like: price, steps, leverage, and how thick their flow is.

The figures say of which scale a coin is, not what it costs today. A coin that is not here is never
traded at another's figures: a scenario file gives it its own.
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
        As the venue's ``meta`` gives it; "" where cross margin is allowed, too.
    width
        How far market orders reach and move the price, as a share of the price, against ETH.
    depth
        How much USDC rests within such a reach, against ETH.
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
"""The first coin of a builder-deployed exchange is the first of its list here, as on the venue."""


def figures_of(coin: str) -> CoinFigures:
    """The figures of a coin, by the venue's name.

    Raises
    ------
    InputError
        It has none, or is spelled otherwise; the message names the coins that have some.
    """
    if coin not in KNOWN_COINS:
        (meant,) = named_coins([coin])
        raise InputError(f"coin {coin!r} is {meant!r} at the venue: write it so")
    return KNOWN_COINS[coin]


def named_coins(names: Iterable[str]) -> tuple[str, ...]:
    """The coins with figures that a person has named, in whichever spelling, in order.

    Raises
    ------
    InputError
        A name means none of them; the message tells which there are.
    """
    coins = []
    for name in names:
        try:
            coins.append(resolve_coin(name, KNOWN_COINS, "the loopback venue"))
        except InputError:
            meant = " or ".join(nearest(name, KNOWN_COINS))
            raise InputError(
                f"the loopback venue has no figures of a coin {name!r}"
                f"{f' (did you mean {meant})' if meant else ''}, but those of "
                f"{', '.join(KNOWN_COINS)}: name one of these, or give the coin its own in a "
                "scenario file (synthetic: start_price, size_decimals and max_leverage)"
            ) from None
    return tuple(coins)


def margin_mode_of(coin: str) -> MarginMode:
    """The margin mode of a coin; without figures, that of its exchange's usual listing."""
    if coin in KNOWN_COINS:
        return KNOWN_COINS[coin].margin_mode
    return "strictIsolated" if dex_of(coin) else ""


def tick_of(highest_price: float, size_decimals: int) -> float:
    """The price step at which every price up to ``highest_price`` (USDC) is on the venue's grid.

    That is, of five significant figures at most, and of 6 - ``size_decimals`` decimals at most.
    """
    by_figures = math.floor(math.log10(highest_price)) - (_SIGNIFICANT_FIGURES - 1)
    return float(f"1e{max(by_figures, size_decimals - _PERPETUAL_DECIMALS)}")
