"""Accounts in Hyperliquid's wire format: margin, positions, and capacity for further trades."""

from advanced_mm.instruments import dex_of
from advanced_mm.markets.listing import MAIN_DEX
from advanced_mm.markets.units import micros_text
from advanced_mm.venue.engine.accounts import Account, Leverage, Position
from advanced_mm.venue.engine.exchange import Exchange
from advanced_mm.venue.engine.orders import Order
from advanced_mm.venue.protocol.messages.fill_messages import fills_data
from advanced_mm.venue.protocol.messages.market_views import MarketViews
from advanced_mm.venue.protocol.messages.money_messages import ledger_entry, spot_state
from advanced_mm.venue.protocol.messages.order_messages import full_order_data, order_entry
from advanced_mm.venue.protocol.messages.spot import SPOT_CONTEXTS
from advanced_mm.venue.protocol.messages.twap_messages import part_data, twap_entry, twap_state
from advanced_mm.venue.protocol.messages.wire_views import Json, decimal_text

__all__ = ["AccountViews"]

MAX_FILLS = 2_000  # the venue's limit for one answer


class AccountViews:
    """The venue's answers about accounts. A queried address may act from then on.

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
        """Return the account of an address for reading; a new one has play money."""
        return self.exchange.accounts.look(address)

    def fills(self, address: str, aggregate: bool = False) -> list[Json]:
        """Return the newest fills of an account, newest first."""
        self.account(address)
        newest = list(self.exchange.fills(address))[-MAX_FILLS:]
        return fills_data(reversed(newest), self.units, aggregate)

    def twap_states(self, address: str, dex: str = MAIN_DEX) -> list[Json]:
        """Return the active TWAPs at an exchange, with their numbers."""
        twaps = (one for one in self.exchange.twaps.of(address) if dex_of(one.coin) == dex)
        return [[one.twap_id, twap_state(one, self.units[one.coin])] for one in twaps]

    def order_history(self, address: str) -> list[Json]:
        """Return all orders that are still kept, newest first."""
        orders = self.exchange.history(address)
        return [order_entry(one, self.units[one.coin]) for one in reversed(orders)]

    def twap_parts(self, address: str) -> list[Json]:
        """Return the newest fills of parts of TWAPs, newest first."""
        parts = [one for one in self.exchange.fills(address) if one.twap_id is not None]
        return [part_data(one, self.units[one.coin]) for one in parts[: -MAX_FILLS - 1 : -1]]

    def twap_history(self, address: str) -> list[Json]:
        """Return the status changes of TWAPs, newest first."""
        events = self.account(address).twaps
        return [twap_entry(one, self.units[one.twap.coin]) for one in reversed(events)]

    def ledger(self, address: str, since_ms: int = 0, until_ms: int | None = None) -> list[Json]:
        """Return deposits, transfers and withdrawals in [since_ms, until_ms], oldest first."""
        lines = self.account(address).money
        return [
            ledger_entry(one)
            for one in lines
            if since_ms <= one.time_ms and (until_ms is None or one.time_ms <= until_ms)
        ]

    def live_orders(self, address: str, dex: str = MAIN_DEX) -> list[Order]:
        """Return the live orders at an exchange, newest first."""
        orders = self.exchange.open_orders(address)
        return [one for one in reversed(orders) if dex_of(one.coin) == dex]

    def open_orders(self, address: str, dex: str = MAIN_DEX) -> list[Json]:
        """Return the live orders at an exchange with types and triggers, newest first."""
        orders = self.live_orders(address, dex)
        return [full_order_data(one, self.units[one.coin]) for one in orders]

    def states(self, address: str) -> list[tuple[str, dict[str, Json]]]:
        """Return margin and positions at every exchange, with its name."""
        return [(dex, self.clearinghouse(address, dex)) for dex in self.markets.venue.listing.dexs]

    def web_data(self, address: str) -> dict[str, Json]:
        """Return the web page's data of an account and the markets, ``webData2``.

        It covers the main exchange only. There are no vaults, and agents are listed by
        ``extraAgents`` only.
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
            "twapStates": self.twap_states(address),
            "spotState": spot_state(self.account(address)),
            "spotAssetCtxs": SPOT_CONTEXTS,
        }

    def clearinghouse(self, address: str, dex: str = MAIN_DEX) -> dict[str, Json]:
        """Return margin and positions at one exchange, which has its own clearinghouse."""
        account, margin = self.account(address), self.exchange.margin
        positions = [one for one in account.positions.values() if dex_of(one.coin) == dex]
        isolated = [one for one in positions if one.isolated]
        cross = [one for one in positions if not one.isolated]
        money = margin.money_at(account, dex)
        cross_value = money + sum(one.value(margin.mark(one.coin)) for one in cross)
        cross_used = sum(margin.of_position(account, one) for one in cross)
        isolated_used = sum(one.equity(margin.mark(one.coin)) for one in isolated)
        # With DEX abstraction all free money is at the main exchange.
        elsewhere = bool(account.dex_abstraction and dex)
        withdrawable = 0 if elsewhere else margin.withdrawable(account, dex)
        return {
            "marginSummary": _summary(
                cross_value + isolated_used,
                sum(abs(one.value(margin.mark(one.coin))) for one in positions),
                money + sum(one.usdc for one in isolated),
                cross_used + isolated_used,
            ),
            "crossMarginSummary": _summary(
                cross_value,
                sum(abs(one.value(margin.mark(one.coin))) for one in cross),
                money,
                cross_used,
            ),
            "crossMaintenanceMarginUsed": micros_text(sum(map(margin.maintenance, cross))),
            "withdrawable": micros_text(withdrawable),
            "assetPositions": [
                {"type": "oneWay", "position": self._position(account, one)}
                for one in sorted(positions, key=lambda one: list(self.units).index(one.coin))
            ],
            "time": self.exchange.now_ms,
        }

    def active_asset(self, address: str, coin: str) -> dict[str, Json]:
        """Return an account's leverage in a coin, and how much of it it could buy and sell."""
        account, margin = self.account(address), self.exchange.margin
        leverage, mark, units = margin.leverage(account, coin), margin.mark(coin), self.units[coin]
        purse = margin.purse(account, coin)
        free = max(0, margin.equity(account, purse) - margin.required(account, purse=purse))
        # Closing a position frees its margin for a position of that size on the other side.
        held = margin.held(account, coin)
        extra = {True: 2 * max(0, -held), False: 2 * max(0, held)}
        most = [free * leverage.value // mark + extra[is_buy] for is_buy in (True, False)]
        return {
            "user": address,
            "coin": coin,
            "leverage": _leverage(leverage, None if leverage.is_cross else 0),
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
    """Format a price; None if there is none or it rounds to zero."""
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
