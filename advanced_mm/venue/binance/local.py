"""A loopback Binance inside a program: opened, served on a free port, and what ccxt needs for it.

async with spot_venue("SUI") as venue:
    exchange = ccxt.pro.binance(venue.ccxt_options())
"""

import contextlib
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from advanced_mm.markets.clock import MarketClock
from advanced_mm.markets.market import MarketSource
from advanced_mm.markets.recipes import MarketRecipe
from advanced_mm.markets.synthetic_parameters import SyntheticParameters
from advanced_mm.venue.binance.opening import PAPER_KEY, PAPER_SECRET, open_spot
from advanced_mm.venue.binance.server import BinanceServer
from advanced_mm.venue.conditions.gateway import Gateway
from advanced_mm.venue.conditions.limits import LimitSwitches
from advanced_mm.venue.conditions.opening import OpenVenue, VenueOptions, market_recipes, open_venue
from advanced_mm.venue.engine.rules import Rules
from advanced_mm.venue.server.admin import Admin
from advanced_mm.venue.server.server import PaperServer
from advanced_mm.venue.spot.exchange import SpotExchange
from advanced_mm.venue.spot.rules import SpotRules

__all__ = ["BothVenues", "LocalVenue", "both_venues", "spot_venue"]


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


@dataclass(frozen=True, slots=True)
class BothVenues:
    """A loopback Hyperliquid and a loopback Binance on one clock and one price path.

    Attributes
    ----------
    venue, server, gateway
        The Hyperliquid: its markets, its addresses and its faults.
    spot
        The Binance.
    clock
        The market time of both.
    """

    venue: OpenVenue
    server: PaperServer
    gateway: Gateway
    spot: LocalVenue
    clock: MarketClock

    def perpetual_options(self, address: str, key: str, **options: object) -> dict[str, object]:
        """Return what makes an unmodified ccxt client trade the perpetuals here.

        Parameters
        ----------
        address, key
            The wallet's, in hexadecimal.
        options
            Added to ccxt's ``options``.
        """
        rest = self.server.rest_url
        return {
            "walletAddress": address,
            "privateKey": key,
            "enableRateLimit": False,
            "options": {"builderFee": False, **options},
            "urls": {
                "api": {"public": rest, "private": rest, "ws": {"public": self.server.ws_url}}
            },
        }


@contextlib.asynccontextmanager
async def both_venues(
    *coins: str | MarketRecipe,
    basis_percent: float = 0.05,
    rules: SpotRules | None = None,
    volatility: float = 1.0,
    history_minutes: float = 0.0,
    speed: float = 1.0,
    seed: int = 1,
    limited: bool = False,
) -> AsyncIterator[BothVenues]:
    """Serve both venues on free ports of 127.0.0.1 while the block runs.

    Parameters
    ----------
    coins
        Coins with perpetuals and spot markets: names, or markets that have started already.
    basis_percent
        How far spot is above the perpetual, percent.
    rules
        Those of the spot exchange.
    volatility, history_minutes, seed
        Of the markets given by name, see `VenueOptions`.
    speed
        Market seconds per real second.
    limited
        Whether the venues' limits on requests apply.
    """
    now_ms = int(time.time() * 1000)
    recipes = [one for one in coins if isinstance(one, MarketRecipe)]
    if names := tuple(one for one in coins if isinstance(one, str)):
        options = VenueOptions(
            coins=names, seed=seed, volatility=volatility, history_minutes=history_minutes
        )
        recipes += market_recipes(options, now_ms)
    venue = open_venue(tuple(recipes), now_ms)
    opened = open_spot(venue, basis_percent, rules)
    clock = MarketClock(venue.opened_ms, speed)
    switches = LimitSwitches(rest=limited, websocket=limited, address=limited)
    gateway = Gateway(venue.exchange, switches, seed=seed, add_admin=Admin(venue).add)
    server = PaperServer(venue.exchange, clock, gateway=gateway)
    spot = BinanceServer(opened.exchange, clock, limited=limited, seed=seed, gaps=opened.gaps)
    await server.start()
    try:
        await spot.start()
        try:
            yield BothVenues(venue, server, gateway, LocalVenue(spot), clock)
        finally:
            await spot.stop()
    finally:
        await server.stop()
