"""The coins of each perpetual exchange, and the asset numbers that identify coins in orders.

The name of the main exchange is the empty string. A builder-deployed exchange (HIP-3) lists coins
prefixed with its name, like ``xyz:XYZ100``. The asset number of a coin of the main exchange is its
index in ``meta``; on the n-th builder-deployed exchange it is 100000 + 10000 n + its index there.
"""

from collections.abc import Iterable

from advanced_mm.instruments import dex_of

__all__ = ["MAIN_DEX", "Listing"]

MAIN_DEX = ""
_BUILDER_ASSETS = 100_000
_ASSETS_A_DEX = 10_000


class Listing:
    """The exchanges of the venue and their coins.

    Parameters
    ----------
    coins
        The venue's coin names. Coins and builder-deployed exchanges are numbered in this order.
    """

    def __init__(self, coins: Iterable[str]) -> None:
        self._coins: dict[str, list[str]] = {MAIN_DEX: []}
        for coin in coins:
            self._coins.setdefault(dex_of(coin), []).append(coin)
        self._assets = {
            coin: place + (_BUILDER_ASSETS + _ASSETS_A_DEX * number if number else 0)
            for number, listed in enumerate(self._coins.values())
            for place, coin in enumerate(listed)
        }
        self._by_asset = {asset: coin for coin, asset in self._assets.items()}

    @property
    def dexs(self) -> tuple[str, ...]:
        """The exchanges in the order of their numbers, the main one first."""
        return tuple(self._coins)

    def coins_of(self, dex: str) -> tuple[str, ...]:
        """Return an exchange's coins in the order of their numbers; none if it does not exist."""
        return tuple(self._coins.get(dex, ()))

    def asset_of(self, coin: str) -> int:
        """Return the number of a coin; raise KeyError if it is not listed."""
        return self._assets[coin]

    def coin_of(self, asset: int) -> str | None:
        """Return the coin with a number, None if there is none."""
        return self._by_asset.get(asset)
