"""Conversion between Hyperliquid's coin names, ccxt's codes and Freqtrade's pairs.

========================  =====================  ==========================
the venue's name (coin)   ccxt's code            Freqtrade's pair
========================  =====================  ==========================
``ETH``                   ``ETH``                ``ETH/USDC:USDC``
``kPEPE``                 ``KPEPE``              ``KPEPE/USDC:USDC``
``xyz:XYZ100``            ``XYZ-XYZ100``         ``XYZ-XYZ100/USDC:USDC``
========================  =====================  ==========================

The last one is on a builder-deployed exchange, ``xyz``. Recordings, parameter files, subscriptions
and the journal are keyed by the venue's name. A code cannot be converted back to a name by spelling
alone, so a name is taken from the market's record (`coin_of_market`) or looked up among known names
(`resolve_coin`).
"""

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from advanced_mm.errors import InputError

__all__ = [
    "code_of",
    "code_of_pair",
    "coin_of_folder",
    "coin_of_market",
    "dex_of",
    "folder_of",
    "is_coin_name",
    "nearest",
    "pair_of",
    "resolve_coin",
    "resolve_coins",
]

_COIN_NAME = re.compile(r"(?:[A-Za-z0-9]+:)?[A-Za-z0-9@][A-Za-z0-9_@]*")
_SUGGESTIONS = 3
_LISTED = 10


def is_coin_name(text: str) -> bool:
    """Return whether ``text`` is a possible coin name at the venue (no dashes or slashes)."""
    return _COIN_NAME.fullmatch(text) is not None


def code_of(name: str) -> str:
    """Return ccxt's code of a coin from any spelling: the venue's name, the code or a pair."""
    return name.partition("/")[0].upper().replace(":", "-")


def code_of_pair(pair: str) -> str:
    """Return ccxt's code of a Freqtrade pair: ``KPEPE`` for ``KPEPE/USDC:USDC``.

    Raises
    ------
    InputError
        The text is not a pair.
    """
    code, slash, _ = pair.partition("/")
    if not (code and slash):
        raise InputError(
            f"exchange.pair_whitelist: {pair!r} is not a pair; write it like ETH/USDC:USDC."
        )
    return code


def pair_of(coin: str, stake: str = "USDC") -> str:
    """Return Freqtrade's pair of a coin with collateral ``stake``: KPEPE/USDC:USDC for kPEPE."""
    return f"{code_of(coin)}/{stake}:{stake}"


def coin_of_market(market: Mapping[str, Any]) -> str:
    """Return the venue's name of a ccxt market, from the venue's record (``info.name``).

    Raises
    ------
    InputError
        The record has no name, so the market is not a Hyperliquid perpetual.
    """
    name = market.get("info", {}).get("name")
    if not isinstance(name, str) or not is_coin_name(name):
        raise InputError(
            f"market {market.get('symbol')!r} has the name {name!r} at the venue, but only "
            "Hyperliquid perpetuals can be quoted; correct exchange.pair_whitelist."
        )
    return name


def dex_of(coin: str) -> str:
    """Return the builder-deployed exchange that lists a coin, empty for the main one."""
    dex, colon, _ = coin.partition(":")
    return dex if colon else ""


def folder_of(coin: str) -> str:
    """Return the name of a coin's folder, without colons, which some file systems reject.

    Raises
    ------
    InputError
        ``coin`` is not a valid coin name.
    """
    if not is_coin_name(coin):
        raise InputError(
            f"coin {coin!r} is not a coin's name at the venue; use a name like ETH, kPEPE or "
            "xyz:XYZ100"
        )
    return coin.replace(":", "-")


def coin_of_folder(name: str) -> str | None:
    """Return the coin whose folder has this name, None if it is not a coin's folder.

    Older recordings have the colon in the folder's name.
    """
    coin = name.replace("-", ":", 1)
    return coin if is_coin_name(coin) else None


def resolve_coin(name: str, known: Iterable[str], where: str) -> str:
    """Return the venue's name of a coin given in any spelling.

    Parameters
    ----------
    name
        The venue's name, ccxt's code or a Freqtrade pair, in any case.
    known
        The venue's names to choose from.
    where
        Source of the known names, for the message: ``"the venue at ws://…"``.

    Raises
    ------
    InputError
        No known coin matches, or several do; the message names the closest ones.
    """
    coins = sorted(set(known))
    if name in coins:
        return name
    meant = [coin for coin in coins if code_of(coin) == code_of(name)]
    if len(meant) == 1:
        return meant[0]
    if meant:
        raise InputError(
            f"{name!r} is ambiguous: {where} has {' and '.join(meant)}; give one of them."
        )
    raise InputError(f"{where} has no coin {name!r}; {_proposal(name, coins)}.")


def resolve_coins(names: Iterable[str], known: Iterable[str], where: str) -> tuple[str, ...]:
    """Apply `resolve_coin` to each name in order, without duplicates."""
    coins = frozenset(known)
    return tuple(dict.fromkeys(resolve_coin(name, coins, where) for name in names))


def nearest(name: str, known: Iterable[str]) -> tuple[str, ...]:
    """Return up to three known coins that resemble an unknown name."""
    by_code: dict[str, list[str]] = {}
    for coin in sorted(set(known)):
        for alias in (code_of(coin), code_of(coin.rpartition(":")[2])):
            by_code.setdefault(alias, []).append(coin)
    close = difflib.get_close_matches(code_of(name), by_code, n=_SUGGESTIONS)
    return tuple(dict.fromkeys(coin for code in close for coin in by_code[code]))[:_SUGGESTIONS]


def _proposal(name: str, coins: Sequence[str]) -> str:
    if meant := nearest(name, coins):
        return f"did you mean {' or '.join(meant)}"
    if not coins:
        return "it has none"
    listed = ", ".join(coins[:_LISTED])
    return f"it has {listed}{' …' if len(coins) > _LISTED else ''}"
