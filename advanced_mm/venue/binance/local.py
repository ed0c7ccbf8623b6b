"""A loopback Binance inside a program: opened, served on a free port, and what ccxt needs for it.

async with spot_venue("SUI") as venue:
    exchange = ccxt.pro.binance(venue.ccxt_options())
"""

import contextlib
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from advanced_mm.errors import InputError
from advanced_mm.markets.clock import MarketClock
from advanced_mm.markets.market import MarketSource
from advanced_mm.markets.price_gaps import Gap
from advanced_mm.markets.recipes import MarketRecipe
from advanced_mm.markets.synthetic_parameters import SyntheticParameters
from advanced_mm.venue.binance.server import BinanceServer
from advanced_mm.venue.engine.rules import Rules
from advanced_mm.venue.spot.exchange import SpotExchange
from advanced_mm.venue.spot.rules import SpotRules

__all__ = ["PAPER_KEY", "PAPER_SECRET", "LocalVenue", "is_listed", "spot_recipes", "spot_venue"]

PAPER_KEY, PAPER_SECRET = "paper-key", "paper-secret"
"""Keys of the account that every loopback exchange opens with."""

MOST_BASIS = 10


@dataclass(frozen=True, slots=True)
class LocalVenue:
    """A running exchange."""

    server: BinanceServer

    @property
    def exchange(self) -> SpotExchange:
        """The engine."""
        return self.server.exchange

    def ccxt_options(
        self, key: str = PAPER_KEY, secret: str = PAPER_SECRET, **options: object
    ) -> dict[str, object]:
        """Return what makes an unmodified ccxt or ccxt.pro client trade here.

        Parameters
        ----------
        key, secret
            The account's.
        options
            Added to ccxt's ``options``.
        """
        rest = self.server.rest_url
        return {
            "apiKey": key,
            "secret": secret,
            "enableRateLimit": False,
            "options": options,
            "urls": {
                "api": {
                    "public": f"{rest}/api/v3",
                    "private": f"{rest}/api/v3",
                    "sapi": f"{rest}/sapi/v1",
                    "fapiPublic": f"{rest}/fapi/v1",
                    "dapiPublic": f"{rest}/dapi/v1",
                    "ws": {
                        "spot": self.server.ws_url,
                        "ws-api": {"spot": self.server.ws_api_url},
                    },
                }
            },
        }


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


@contextlib.asynccontextmanager
async def spot_venue(
    *markets: MarketSource | str,
    rules: SpotRules | None = None,
    queues: Rules | None = None,
    amounts: Mapping[str, Decimal] | None = None,
    clock: MarketClock | None = None,
    speed: float = 1.0,
    seed: int = 1,
    limited: bool = False,
) -> AsyncIterator[LocalVenue]:
    """Serve a spot exchange on a free port of 127.0.0.1 while the block runs.

    Parameters
    ----------
    markets
        Markets, or names of coins for synthetic ones that start now.
    rules, queues
        The exchange's rules, and those of its queues.
    amounts
        What the account of `PAPER_KEY` holds, by asset; None: play money.
    clock
        Market time shared with another venue; None for one that runs at ``speed``.
    seed
        Seed of the synthetic markets.
    limited
        Whether the exchange's limits on requests apply.
    """
    now_ms = int(time.time() * 1000) if clock is None else clock.now_ms
    sources = [
        MarketRecipe(
            coin=one, seed=seed, start_ms=now_ms, synthetic=SyntheticParameters.for_coin(one)
        ).make()
        if isinstance(one, str)
        else one
        for one in markets
    ]
    exchange = SpotExchange(sources, rules, queues)
    exchange.open_account(PAPER_KEY, PAPER_SECRET, amounts)
    server = BinanceServer(exchange, clock or MarketClock(exchange.now_ms, speed), limited=limited)
    await server.start()
    try:
        yield LocalVenue(server)
    finally:
        await server.stop()
