"""What a maker will do, in sentences, before it does it."""

from collections.abc import Iterator

from advanced_mm.hedging import HedgeSettings
from advanced_mm.maker.config.keys import KEY_VARIABLES
from advanced_mm.maker.config.read import MakerConfig
from advanced_mm.maker.config.settings import ExchangeSettings, MakerSettings, MarketSettings
from advanced_mm.maker.dry.account import currencies_of
from advanced_mm.maker.limits import Limits

__all__ = ["sentences"]


def sentences(config: MakerConfig, *, live: bool) -> Iterator[str]:
    """Yield what the maker will do, a sentence each."""
    settings = config.settings
    for name, exchange in settings.exchanges.items():
        yield _account(name, exchange, settings, live=live)
    for market, policy in zip(settings.markets, config.policies, strict=True):
        held = "" if market.limits.target_inventory == 0 else _target(market)
        yield (f"It quotes {market.symbol} on {market.exchange} by the policy {policy.name}{held}.")
        yield from _limits(market.limits)
        if market.hedge is not None:
            yield from _hedge(market.hedge)
    yield f"It journals to {settings.journal_in(live=live)}; stop it with Ctrl-C, SIGTERM or " + (
        f"touch {settings.kill_path}."
    )


def _account(name: str, exchange: ExchangeSettings, settings: MakerSettings, *, live: bool) -> str:
    where = exchange.url or f"the real {exchange.kind}"
    if live:
        variables = " and ".join(KEY_VARIABLES[exchange.kind].values())
        return f"It sends orders to {name} ({where}) with the keys in {variables}."
    symbols = [market.symbol for market in settings.markets if market.exchange == name]
    symbols += [
        market.hedge.symbol
        for market in settings.markets
        if market.hedge is not None and market.hedge.exchange == name
    ]
    quote = currencies_of(symbols[0])[1] if symbols else "quote currency"
    fees = exchange.dry.fees(exchange.kind)
    return (
        f"It follows {name} ({where}) and makes up orders and fills there, with "
        f"{float(exchange.dry.capital):g} {quote} and fees of {float(fees.maker) * 10_000:g} bp "
        f"(maker) and {float(fees.taker) * 10_000:g} bp (taker)."
    )


def _target(market: MarketSettings) -> str:
    base, _ = currencies_of(market.symbol)
    return f", around {market.limits.target_inventory:g} {base}"


def _limits(limits: Limits) -> Iterator[str]:
    if limits.capital is not None:
        yield f"It uses no more than {limits.capital:g} of the account there."
    parts = []
    if limits.max_position_value is not None:
        parts.append(f"beyond a position worth {limits.max_position_value:g}")
    if limits.max_daily_loss is not None:
        parts.append(f"after a loss of {limits.max_daily_loss:.1%} in a day")
    if limits.max_drawdown is not None:
        parts.append(f"after a loss of {limits.max_drawdown:.1%} from its peak")
    if parts:
        yield f"It opens nothing there {' or '.join(parts)}."


def _hedge(hedge: HedgeSettings) -> Iterator[str]:
    where = f"{hedge.symbol} on {hedge.exchange}"
    if (active := hedge.active) is not None:
        yield (
            f"It trades {where} when the inventory's share moves by more than "
            f"{active.active_hedge_iqv_ratio:.0%}, post-only first, the rest at market."
        )
    if (delta := hedge.delta) is not None:
        yield (
            f"It holds {where} against the inventory beyond {delta.target_inventory}, within "
            f"{delta.delta_band}."
        )
    if (passive := hedge.passive) is not None:
        sides = "on both sides" if passive.dual_sided_hedge else "on the side of its loss"
        yield (
            f"Trigger orders rest on {where}, {passive.passive_hedge_ratio:.1%} from the mid "
            f"{sides}, for {passive.passive_hedge_proportion:.0%} of the inventory, with a stop "
            f"{passive.passive_hedge_sp_ratio:.1%} from their fill."
        )
