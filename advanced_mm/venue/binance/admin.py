"""The admin interface of the spot exchange: state, faults, accounts, price gaps. Loopback only.

- GET /admin/state: markets, accounts with amounts, orders and queues, limits, faults.
- POST /admin/faults, DELETE /admin/faults, DELETE /admin/faults/1: as at the other venue.
- POST /admin/accounts, ``{"key": "…", "secret": "…", "amounts": {"USDC": 500, "SUI": 10}}``;
  without ``amounts`` it gets play money.
- POST /admin/price_gap, ``{"coin": "SUI", "percent": -5}``: ``{"time": …}``, when it takes effect.
  Where this market follows the other venue's, set the gap there, so that both jump.
"""

from collections.abc import Mapping
from decimal import Decimal

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from advanced_mm.errors import InputError
from advanced_mm.markets.price_gaps import GapMarket
from advanced_mm.venue.binance.calls import Calls
from advanced_mm.venue.binance.line import BinanceLine
from advanced_mm.venue.binance.order_views import OrderViews
from advanced_mm.venue.binance.weights import WEIGHT_A_MINUTE
from advanced_mm.venue.server.admin_forms import (
    Handler,
    add_price_gap,
    clear_faults,
    explained,
    fault_view,
    read_body,
    set_fault,
)
from advanced_mm.venue.spot.amounts import atoms_text
from advanced_mm.venue.spot.exchange import SpotExchange
from advanced_mm.venue.spot.wallets import SpotAccount

__all__ = ["BinanceAdmin"]


class _AccountRequest(BaseModel):
    model_config = ConfigDict(extra="forbid")

    key: str = Field(min_length=1, max_length=100)
    secret: str = Field(min_length=1, max_length=100)
    amounts: dict[str, Decimal] | None = None


_ACCOUNT = TypeAdapter(_AccountRequest)


class BinanceAdmin:
    """Answers requests below /admin.

    Parameters
    ----------
    exchange
        The engine.
    line
        The faults.
    calls
        Counts requests.
    gaps
        The markets by coin that can jump.
    """

    def __init__(
        self,
        exchange: SpotExchange,
        line: BinanceLine,
        calls: Calls,
        gaps: Mapping[str, GapMarket],
    ) -> None:
        self._exchange = exchange
        self._line = line
        self._calls = calls
        self._gaps = gaps
        self._views = OrderViews(exchange)

    def add(self, app: web.Application) -> None:
        """Add the routes to an application."""
        routes: list[tuple[str, str, Handler]] = [
            ("GET", "/admin/state", self._state),
            ("POST", "/admin/faults", lambda request: set_fault(self._line, request)),
            ("DELETE", "/admin/faults", lambda request: clear_faults(self._line, request)),
            ("DELETE", "/admin/faults/{id}", lambda request: clear_faults(self._line, request)),
            ("POST", "/admin/accounts", self._open_account),
            ("POST", "/admin/price_gap", self._price_gap),
        ]
        for method, path, handler in routes:
            app.router.add_route(method, path, explained(handler))

    async def _state(self, _: web.Request) -> web.Response:
        exchange, line, calls = self._exchange, self._line, self._calls
        return web.json_response(
            {
                "market_time_ms": exchange.now_ms,
                "post_only": exchange.post_only,
                "markets": {
                    market.symbol: {
                        "mid": market.records.mid,
                        "last": market.records.last_price,
                        "halted": market.halted,
                    }
                    for market in exchange.markets.values()
                },
                "accounts": {one.key: self._account(one) for one in exchange.accounts},
                "limits": {
                    "on": calls.limited,
                    "rest": {
                        address: {
                            "weight": one.used,
                            "limit": WEIGHT_A_MINUTE,
                            "refused": one.refused,
                        }
                        for address, one in calls.weights.items()
                    },
                },
                "faults": [fault_view(one, line.clock()) for one in line.faults.active],
            }
        )

    def _account(self, account: SpotAccount) -> dict[str, object]:
        """Describe an account; ``ahead`` of an order is the size before it, base currency."""
        orders = []
        for order in account.orders.values():
            lot = self._exchange.markets[order.symbol].units.size(1)
            orders.append(
                {
                    **self._views.order(order),
                    "ahead": round(order.core.ahead * lot, 9),
                    "ahead_at_start": round(order.core.ahead_at_start * lot, 9),
                }
            )
        return {
            "value": round(self._exchange.value(account), 8),
            "amounts": {
                asset: {"free": atoms_text(one.free), "locked": atoms_text(one.locked)}
                for asset, one in account.wallet.items()
            },
            "fills": len(account.fills),
            "orders": orders,
        }

    async def _open_account(self, request: web.Request) -> web.Response:
        plan = await read_body(request, _ACCOUNT)
        if self._exchange.accounts.get(plan.key) is not None:
            raise InputError(f"account {plan.key} already exists: choose another key")
        assets = [self._exchange.rules.quote_asset]
        assets += [market.base for market in self._exchange.markets.values()]
        for asset, amount in (plan.amounts or {}).items():
            if asset not in assets:
                raise InputError(f"asset {asset!r} is not traded here: give {', '.join(assets)}")
            if not (amount.is_finite() and amount >= 0):
                raise InputError(f"amount of {asset} is {amount}, must not be negative")
        account = self._exchange.open_account(plan.key, plan.secret, plan.amounts)
        return web.json_response(self._account(account))

    async def _price_gap(self, request: web.Request) -> web.Response:
        return await add_price_gap(self._gaps, request)
