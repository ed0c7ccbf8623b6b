"""One coin, three spellings: the venue's name, ccxt's code, and a Freqtrade pair.

========================  =====================  ==========================
the venue's name (coin)   ccxt's code            Freqtrade's pair
========================  =====================  ==========================
``ETH``                   ``ETH``                ``ETH/USDC:USDC``
``kPEPE``                 ``KPEPE``              ``KPEPE/USDC:USDC``
``xyz:XYZ100``            ``XYZ-XYZ100``         ``XYZ-XYZ100/USDC:USDC``
========================  =====================  ==========================

The last is of a builder-deployed exchange, ``xyz``. Everything of ours is keyed by the venue's
name: recordings, parameter files, subscriptions, the journal. A code cannot be turned back into a
name by spelling alone, so a name is taken from the market's own record (`coin_of_market`) or found
among names that are known (`resolve_coin`).
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
    """Whether ``text`` could be the venue's name of a coin; dashes and slashes cannot."""
    return _COIN_NAME.fullmatch(text) is not None


def code_of(name: str) -> str:
    """ccxt's code of a coin, from any spelling: the venue's name, the code itself or a pair."""
    return name.partition("/")[0].upper().replace(":", "-")


def code_of_pair(pair: str) -> str:
    """ccxt's code of a Freqtrade pair: ``KPEPE/USDC:USDC`` is ``KPEPE``.

    Raises
    ------
    InputError
        The text is not a pair.
    """
    code, slash, _ = pair.partition("/")
    if not (code and slash):
        raise InputError(f"exchange.pair_whitelist has {pair!r}; a pair looks like ETH/USDC:USDC.")
    return code


def pair_of(coin: str, stake: str = "USDC") -> str:
    """Freqtrade's pair of a coin whose collateral is ``stake``: ``kPEPE`` is KPEPE/USDC:USDC."""
    return f"{code_of(coin)}/{stake}:{stake}"


def coin_of_market(market: Mapping[str, Any]) -> str:
    """The venue's name of a ccxt market, from the venue's own record of it (``info.name``).

    Raises
    ------
    InputError
        The record carries no name: it is not a perpetual of Hyperliquid.
    """
    name = market.get("info", {}).get("name")
    if not isinstance(name, str) or not is_coin_name(name):
        raise InputError(
            f"market {market.get('symbol')!r} has the name {name!r} at the venue; only perpetuals "
            "of Hyperliquid can be quoted: correct exchange.pair_whitelist."
        )
    return name


def dex_of(coin: str) -> str:
    """The builder-deployed exchange that lists a coin, empty for the main one."""
    dex, colon, _ = coin.partition(":")
    return dex if colon else ""


def folder_of(coin: str) -> str:
    """Name of a coin's folder: no colon, which not every file system takes.

    Raises
    ------
    InputError
        ``coin`` is not a coin's name.
    """
    if not is_coin_name(coin):
        raise InputError(
            f"coin {coin!r} is not a coin's name at the venue: use one such as ETH, kPEPE or "
            "xyz:XYZ100"
        )
    return coin.replace(":", "-")


def coin_of_folder(name: str) -> str | None:
    """The coin whose folder has this name, None where it is no coin's folder.

    Recordings of before have the colon in the name; they are the same coin's.
    """
    coin = name.replace("-", ":", 1)
    return coin if is_coin_name(coin) else None


def resolve_coin(name: str, known: Iterable[str], where: str) -> str:
    """Find the venue's name of what a person wrote, in whichever spelling.

    Parameters
    ----------
    name
        The venue's name, ccxt's code, a Freqtrade pair, or any of them in other capitals.
    known
        The venue's names that can be meant.
    where
        Who knows them, for the message: ``"the venue at ws://…"``.

    Raises
    ------
    InputError
        No known coin has the name, or several have; the message tells the nearest ones.
    """
    coins = sorted(set(known))
    if name in coins:
        return name
    meant = [coin for coin in coins if code_of(coin) == code_of(name)]
    if len(meant) == 1:
        return meant[0]
    if meant:
        raise InputError(f"{name!r} could be {' or '.join(meant)} of {where}: write one of them.")
    raise InputError(f"{where} has no coin {name!r}; {_proposal(name, coins)}.")


def resolve_coins(names: Iterable[str], known: Iterable[str], where: str) -> tuple[str, ...]:
    """`resolve_coin` for each name in order; one that is named twice is returned once."""
    coins = frozenset(known)
    return tuple(dict.fromkeys(resolve_coin(name, coins, where) for name in names))


def nearest(name: str, known: Iterable[str]) -> tuple[str, ...]:
    """Return the known coins, three at most, that a name which is none of them may mean."""
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
