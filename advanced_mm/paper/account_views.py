"""An account in Hyperliquid's words: margin, positions, and how much more it could trade."""

from advanced_mm.paper.exchange.accounts import Account, Leverage, Position
from advanced_mm.paper.exchange.engine import Exchange
from advanced_mm.paper.exchange.units import micros_text
from advanced_mm.paper.market_views import MarketViews
from advanced_mm.paper.order_messages import fill_data, full_order_data
from advanced_mm.paper.spot import SPOT_CONTEXTS, SPOT_STATE
from advanced_mm.paper.views import Json, decimal_text

__all__ = ["AccountViews"]

MAX_FILLS = 2_000  # the venue gives no more of the past at once


class AccountViews:
    """What the venue tells of accounts. An address that is asked about may act from then on.

    Parameters
    ----------
    exchange
        The engine.
    """

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.markets = MarketViews(exchange)
        self.units = self.markets.units

    def account(self, address: str) -> Account:
        """The account of an address, with play money if nobody has heard of it before; to read."""
        return self.exchange.accounts.look(address)

    def fills(self, address: str) -> list[Json]:
        """The newest fills of an account, newest first."""
        self.account(address)
        newest = list(self.exchange.fills(address))[-MAX_FILLS:]
        return [fill_data(one, self.units[one.coin]) for one in reversed(newest)]

    def open_orders(self, address: str) -> list[Json]:
        """The live orders with their types and triggers, newest first."""
        orders = self.exchange.open_orders(address)
        return [full_order_data(one, self.units[one.coin]) for one in reversed(orders)]

    def web_data(self, address: str) -> dict[str, Json]:
        """All that the venue's own page shows of an account and the markets, ``webData2``.

        There are no vaults, and agents are told of by ``extraAgents`` alone.
        """
        return {
            "clearinghouseState": self.clearinghouse(address),
            "leadingVaults": [],
            "totalVaultEquity": "0.0",
            "openOrders": self.open_orders(address),
            "agentAddress": None,
            "agentValidUntil": None,
            "cumLedger": "0.0",
            "meta": self.markets.meta(),
            "assetCtxs": self.markets.contexts(),
            "serverTime": self.exchange.now_ms,
            "isVault": False,
            "user": address,
            "twapStates": [],
            "spotState": SPOT_STATE,
            "spotAssetCtxs": SPOT_CONTEXTS,
        }

    def clearinghouse(self, address: str) -> dict[str, Json]:
        """Margin and positions."""
        account, margin = self.account(address), self.exchange.margin
        positions = list(account.positions.values())
        isolated = [one for one in positions if one.isolated]
        cross_used = margin.of_positions(account)
        isolated_used = sum(one.equity(margin.mark(one.coin)) for one in isolated)
        return {
            "marginSummary": _summary(
                margin.value(account),
                sum(abs(one.value(margin.mark(one.coin))) for one in positions),
                account.usdc + sum(one.usdc for one in isolated),
                cross_used + isolated_used,
            ),
            "crossMarginSummary": _summary(
                margin.equity(account),
                sum(abs(o.value(margin.mark(o.coin))) for o in positions if not o.isolated),
                account.usdc,
                cross_used,
            ),
            "crossMaintenanceMarginUsed": micros_text(margin.cross_maintenance(account)),
            "withdrawable": micros_text(margin.withdrawable(account)),
            "assetPositions": [
                {"type": "oneWay", "position": self._position(account, one)}
                for one in sorted(positions, key=lambda one: list(self.units).index(one.coin))
            ],
            "time": self.exchange.now_ms,
        }

    def active_asset(self, address: str, coin: str) -> dict[str, Json]:
        """An account's leverage in a coin, and how much it could buy and sell of it."""
        account, margin = self.account(address), self.exchange.margin
        leverage, mark, units = margin.leverage(account, coin), margin.mark(coin), self.units[coin]
        free = max(0, margin.equity(account) - margin.required(account))
        # Closing a position frees its margin, which opens as much again on the other side.
        held = margin.held(account, coin)
        extra = {True: 2 * max(0, -held), False: 2 * max(0, held)}
        most = [free * leverage.value // mark + extra[is_buy] for is_buy in (True, False)]
        return {
            "user": address,
            "coin": coin,
            "leverage": _leverage(leverage, None),
            "maxTradeSzs": [units.size_text(lots) for lots in most],
            "availableToTrade": [micros_text(lots * mark // leverage.value) for lots in most],
            "markPx": self.markets.mark(coin),
        }

    def _position(self, account: Account, position: Position) -> dict[str, Json]:
        coin, margin = position.coin, self.exchange.margin
        units, mark = self.units[coin], margin.mark(coin)
        leverage = margin.leverage(account, coin)
        gain = position.unrealized(mark)
        used = position.equity(mark) if position.isolated else margin.of_position(account, position)
        liquidation = margin.liquidation_price(account, coin)
        funding = -sum(one.usdc for one in account.funding if one.coin == coin)
        return {
            "coin": coin,
            "szi": units.size_text(position.lots),
            "leverage": _leverage(
                Leverage(leverage.value, not position.isolated),
                position.usdc if position.isolated else None,
            ),
            "entryPx": units.price_text(round(position.entry_price)),
            "positionValue": micros_text(abs(position.value(mark))),
            "unrealizedPnl": micros_text(gain),
            "returnOnEquity": decimal_text(gain * leverage.value / abs(position.entry_cost)),
            "liquidationPx": _price_or_none(liquidation),
            "marginUsed": micros_text(used),
            "maxLeverage": self.markets.venue.markets[coin].spec.max_leverage,
            # The venue counts funding paid as positive.
            "cumFunding": {
                "allTime": micros_text(funding),
                "sinceOpen": micros_text(-position.funding),
                "sinceChange": micros_text(-position.funding),
            },
        }


def _price_or_none(price: float | None) -> str | None:
    """A price in words; none where it is so low that its decimals leave nothing of it."""
    text = None if price is None else decimal_text(price)
    return None if text == "0.0" else text


def _summary(value: int, positions: int, raw: int, used: int) -> dict[str, Json]:
    return {
        "accountValue": micros_text(value),
        "totalNtlPos": micros_text(positions),
        "totalRawUsd": micros_text(raw),
        "totalMarginUsed": micros_text(used),
    }


def _leverage(leverage: Leverage, raw: int | None) -> dict[str, Json]:
    data: dict[str, Json] = {
        "type": "cross" if leverage.is_cross else "isolated",
        "value": leverage.value,
    }
    if raw is not None:
        data["rawUsd"] = micros_text(raw)
    return data
