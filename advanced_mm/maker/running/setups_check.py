"""Markets that cannot be made together, told before anything is opened."""

from collections.abc import Collection, Sequence

from advanced_mm.errors import InputError
from advanced_mm.maker.desk import Place
from advanced_mm.maker.setup import MarketSetup

__all__ = ["check_setups"]


def check_setups(markets: Sequence[MarketSetup], exchanges: Collection[str]) -> None:
    """Check that markets and their hedges name exchanges that are there, and each place once.

    Raises
    ------
    InputError
        They do not.
    """
    seen: set[Place] = set()
    for one in markets:
        place = (one.exchange, one.symbol)
        needed = [place, *(one.desk.needs if one.desk is not None else ())]
        for exchange, _ in needed:
            if exchange not in exchanges:
                known = ", ".join(sorted(exchanges)) or "none"
                raise InputError(
                    f"{one.symbol}: exchange {exchange!r} is not among the exchanges: {known}."
                )
        if place in seen:
            raise InputError(
                f"{one.symbol} on {one.exchange} is set up twice: leave one of the markets out."
            )
        seen.add(place)
    hedged: set[Place] = set()
    for one in markets:
        for place in one.desk.needs if one.desk is not None else ():
            if place != (one.exchange, one.symbol) and place in seen | hedged:
                raise InputError(
                    f"{one.symbol} is hedged on {place[1]} of {place[0]}, where another market "
                    "is quoted or hedged: their positions could not be told apart. Choose "
                    "another market for the hedge."
                )
            hedged.add(place)
    if not markets:
        raise InputError("The maker has no markets: add one to its configuration.")
