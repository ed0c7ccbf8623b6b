"""From a maker's file to its exchanges and markets."""

from collections.abc import Mapping

from advanced_mm.maker.ccxt_exchange import exchange_of
from advanced_mm.maker.config.keys import keys_of
from advanced_mm.maker.config.read import MakerConfig
from advanced_mm.maker.dry import DryExchange, DryFunds
from advanced_mm.maker.exchange import MakerExchange
from advanced_mm.maker.hedge_desk import HedgeDesk
from advanced_mm.maker.setup import MarketSetup

__all__ = ["exchanges_of", "setups_of"]


def exchanges_of(
    config: MakerConfig, *, live: bool, environment: Mapping[str, str]
) -> dict[str, MakerExchange]:
    """Return the exchanges by name: with keys, or dry ones over their public streams.

    Raises
    ------
    InputError
        A key is missing or has not the form of one.
    """
    exchanges: dict[str, MakerExchange] = {}
    for name, settings in config.settings.exchanges.items():
        keys = keys_of(settings.kind, environment) if live else None
        exchange = exchange_of(name, settings.kind, settings.url, keys)
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
        )
        for market, policy in zip(config.settings.markets, config.policies, strict=True)
    ]
