"""From a maker's file to its exchanges and markets."""

import time
from collections.abc import Callable, Mapping
from typing import Any

from advanced_mm.maker.config.keys import ExchangeKind, keys_of
from advanced_mm.maker.config.read import MakerConfig
from advanced_mm.maker.dry import DryExchange, DryFunds
from advanced_mm.maker.exchange import MakerExchange
from advanced_mm.maker.exchanges import BinanceSpotExchange, HyperliquidExchange
from advanced_mm.maker.hedge_desk import HedgeDesk
from advanced_mm.maker.setup import MarketSetup

__all__ = ["exchanges_of", "setups_of"]


def exchanges_of(
    config: MakerConfig,
    *,
    live: bool,
    environment: Mapping[str, str],
    clock_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
) -> dict[str, MakerExchange]:
    """Return the exchanges by name: with keys, or dry ones over their public streams.

    Raises
    ------
    InputError
        A key is missing or has not the form of one.
    """
    exchanges: dict[str, MakerExchange] = {}
    for name, settings in config.settings.exchanges.items():
        keys = keys_of(settings.kind, environment) if live else {}
        exchange = _exchange(name, settings.kind, settings.url, keys, clock_ms)
        if not live:
            dry = settings.dry
            exchange = DryExchange(
                exchange,
                DryFunds(dry.capital, dry.leverage),
                dry.fees(settings.kind),
                latency_s=dry.latency_ms / 1000,
            )
        exchanges[name] = exchange
    return exchanges


def _exchange(
    name: str,
    kind: ExchangeKind,
    url: str | None,
    keys: Mapping[str, str],
    clock_ms: Callable[[], int],
) -> MakerExchange:
    """Return an exchange; without keys it follows the markets only."""
    options: dict[str, Any] = dict(keys)
    if url is not None:
        options["urls"] = {"api": _addresses(kind, url.rstrip("/"))}
    made = HyperliquidExchange if kind == "hyperliquid" else BinanceSpotExchange
    return made(name, options, clock_ms, public=not keys)


def _addresses(kind: ExchangeKind, url: str) -> dict[str, Any]:
    """Return ccxt's addresses of a loopback venue."""
    sockets = url.replace("http", "ws", 1)
    if kind == "hyperliquid":
        return {"public": url, "private": url, "ws": {"public": f"{sockets}/ws"}}
    return {
        "public": f"{url}/api/v3",
        "private": f"{url}/api/v3",
        "sapi": f"{url}/sapi/v1",
        "fapiPublic": f"{url}/fapi/v1",
        "dapiPublic": f"{url}/dapi/v1",
        "ws": {"spot": f"{sockets}/ws", "ws-api": {"spot": f"{sockets}/ws-api/v3"}},
    }


def setups_of(config: MakerConfig) -> list[MarketSetup]:
    """Return the markets, each with its policy, limits and hedge desk."""
    return [
        MarketSetup(
            exchange=market.exchange,
            symbol=market.symbol,
            policy=policy,
            limits=market.limits,
            volatility=market.volatility,
            desk=None if market.hedge is None else HedgeDesk(market.hedge),
            other_makers=market.other_makers,
        )
        for market, policy in zip(config.settings.markets, config.policies, strict=True)
    ]
