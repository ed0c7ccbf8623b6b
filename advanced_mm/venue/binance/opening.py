"""Opening the spot exchange beside the other venue: the same coins on the same price path."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from advanced_mm.errors import InputError
from advanced_mm.markets.price_gaps import Gap, GapMarket
from advanced_mm.markets.recipes import MarketRecipe
from advanced_mm.venue.conditions.opening import OpenVenue, make_up_past
from advanced_mm.venue.engine.rules import Rules
from advanced_mm.venue.spot.exchange import SpotExchange
from advanced_mm.venue.spot.rules import SpotRules

__all__ = ["PAPER_KEY", "PAPER_SECRET", "OpenSpot", "is_listed", "open_spot", "spot_recipes"]

PAPER_KEY, PAPER_SECRET = "paper-key", "paper-secret"
"""Keys of the account that every loopback exchange opens with."""

MOST_BASIS = 10


@dataclass(frozen=True, slots=True)
class OpenSpot:
    """A spot exchange whose markets have run to the present, and those markets by coin."""

    exchange: SpotExchange
    gaps: dict[str, GapMarket]


def is_listed(coin: str) -> bool:
    """Return whether a coin can be an asset here: no builder-deployed one, no thousands of one."""
    return coin.isalnum() and coin.isupper()


def spot_recipes(
    recipes: Iterable[MarketRecipe], basis_percent: float = 0.0
) -> tuple[MarketRecipe, ...]:
    """Return the spot markets beside perpetuals: the same path, ``basis_percent`` above it.

    Both are moved by the same orders of others; the bot's own orders in one do not move the other.
    Coins that cannot be assets here are left out.

    Raises
    ------
    InputError
        If the basis is out of range, or no coin is left.
    """
    if not abs(basis_percent) <= MOST_BASIS:
        raise InputError(
            f"spot basis is {basis_percent:g}%, must be between -{MOST_BASIS} and {MOST_BASIS}"
        )
    listed = [one for one in recipes if is_listed(one.coin)]
    if not listed:
        raise InputError(
            "none of the coins can be traded on spot: give at least one like ETH or SUI"
        )
    if basis_percent == 0:
        return tuple(listed)
    return tuple(replace(one, gaps=(Gap(one.start_ms, basis_percent), *one.gaps)) for one in listed)


def open_spot(
    venue: OpenVenue,
    basis_percent: float = 0.0,
    rules: SpotRules | None = None,
    queues: Rules | None = None,
) -> OpenSpot:
    """Open a spot exchange beside an open venue, with the account of `PAPER_KEY`.

    Price gaps set at the venue later happen here, too.

    Raises
    ------
    InputError
        If the basis is out of range, or no coin of the venue can be traded on spot.
    """
    recipes = spot_recipes(venue.recipes, basis_percent)
    sources = {recipe.coin: recipe.make() for recipe in recipes}
    exchange = SpotExchange(list(sources.values()), rules, queues)
    exchange.advance(venue.opened_ms)
    for recipe in recipes:
        make_up_past(exchange.venue.markets[recipe.coin], recipe)
        venue.gaps[recipe.coin].followers.append(sources[recipe.coin])
    exchange.open_account(PAPER_KEY, PAPER_SECRET)
    return OpenSpot(exchange, sources)
