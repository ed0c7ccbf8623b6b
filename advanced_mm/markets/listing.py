"""Which perpetual exchange lists which coin, and the numbers that orders name coins by.

The main exchange is named by the empty string. A builder-deployed one (HIP-3) lists coins that
begin with its name, as ``xyz:XYZ100``. A coin of the main exchange is numbered by its place in
``meta``; one of the n-th builder-deployed exchange by 100000 + 10000 n + its place there.
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
        The venue's names. Coins, and builder-deployed exchanges, are numbered in this order.
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
        """The coins of an exchange in the order of their numbers; none where it does not exist."""
        return tuple(self._coins.get(dex, ()))

    def asset_of(self, coin: str) -> int:
        """The number of a coin; KeyError where it is not listed."""
        return self._assets[coin]

    def coin_of(self, asset: int) -> str | None:
        """The coin with a number; None where there is none."""
        return self._by_asset.get(asset)
