"""A loopback Binance around a market that does what it is told, and clients of it."""

import contextlib
from decimal import Decimal
from types import SimpleNamespace

import ccxt.pro
import pytest

from advanced_mm.venue.binance.local import spot_venue

RICH = {"USDC": Decimal(10_000), "ETH": Decimal(3)}


@pytest.fixture
async def venue(scripted):
    """The exchange, its scripted market, and a ccxt.pro client that has loaded the markets."""
    market = scripted.Market(bid=3000.0, ask=3001.0)
    async with spot_venue(market, amounts=RICH) as local, client_of(local) as client:
        yield SimpleNamespace(local=local, market=market, client=client, server=local.server)


@contextlib.asynccontextmanager
async def client_of(local, **options):
    client = ccxt.pro.binance(local.ccxt_options(**options))
    try:
        await client.load_markets()
        yield client
    finally:
        await client.close()
