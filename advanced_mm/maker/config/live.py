"""What must hold before a maker sends orders for money."""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from advanced_mm.errors import InputError
from advanced_mm.file_lock import only_holder
from advanced_mm.maker.config.keys import KEY_VARIABLES, keys_of
from advanced_mm.maker.config.settings import MakerSettings

__all__ = ["check_bounds", "only_maker_there"]


def check_bounds(settings: MakerSettings) -> None:
    """Refuse a spot market without a bound on what it may use.

    A spot account holds what its owner held before, and the maker cannot tell that from its own.

    Raises
    ------
    InputError
        A spot market has neither ``limits.capital`` nor ``limits.max_position_value``.
    """
    for number, market in enumerate(settings.markets):
        spot = settings.exchanges[market.exchange].kind == "binance_spot"
        if spot and market.limits.capital is None and market.limits.max_position_value is None:
            raise InputError(
                f"markets[{number}] ({market.symbol} on {market.exchange}): without limits.capital "
                "or limits.max_position_value the maker would trade all coins of the account, "
                "those that you held before too: set one of them before --live."
            )


@contextmanager
def only_maker_there(
    settings: MakerSettings, environment: Mapping[str, str], folder: Path
) -> Iterator[None]:
    """Hold a lock for each market of the account, so that no other maker trades there.

    Markets with ``other_makers`` are not locked.

    Parameters
    ----------
    environment
        Holds the keys.
    folder
        Where the locks lie: the same one for all makers of the machine.

    Raises
    ------
    InputError
        Another maker of this machine trades one of the markets with the same account, or a key is
        missing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as held:
        for exchange, symbol in _places(settings):
            account = _account(settings, exchange, environment)
            coin = symbol.replace("/", "_").replace(":", "_")
            held.enter_context(
                only_holder(
                    folder / f".{coin}.{account}.lock",
                    f"Another maker already trades {symbol} on {exchange} with this account",
                    "stop that one first, or say other_makers: true for the market in both files",
                    "keep user_data on a local disk",
                )
            )
        yield


def _places(settings: MakerSettings) -> list[tuple[str, str]]:
    found = []
    for market in settings.markets:
        if not market.other_makers:
            found.append((market.exchange, market.symbol))
            if market.hedge is not None:
                found.append((market.hedge.exchange, market.hedge.symbol))
    return list(dict.fromkeys(found))


def _account(settings: MakerSettings, exchange: str, environment: Mapping[str, str]) -> str:
    """Return what names an account and shows nothing of its keys."""
    one = settings.exchanges[exchange]
    public = next(iter(KEY_VARIABLES[one.kind]))  # the address, or the API key
    named = keys_of(one.kind, environment)[public].lower()
    return hashlib.sha256(f"{one.kind} {one.url or ''} {named}".encode()).hexdigest()[:16]
