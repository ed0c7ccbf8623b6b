"""The admin interface: counters, faults, accounts, price gaps, saving. Loopback only.

- GET /admin/state: markets, accounts, orders with their queues, limits with their counters, faults.
- GET /admin/accounts/0x…: an account's trading record, see `trading_record`.
- POST /admin/faults, a fault such as ``{"kind": "latency", "milliseconds": 80, "seconds": 10}``:
  ``{"id": 1}``. DELETE /admin/faults/1 ends it, DELETE /admin/faults all: ``{"cleared": 1}``.
- POST /admin/accounts, ``{"address": "0x…", "play_money": 500, "sub_accounts": [{"name": "a"}],
  "dex_money": {"xyz": 100}, "dex_abstraction": false}``, of which only ``address`` is required:
  the money of each address at the main exchange.
- POST /admin/price_gap, ``{"coin": "ETH", "percent": -5}``: ``{"time": …}``, when it takes effect.
- POST /admin/save, ``{"file": "venue.json"}`` or nothing: ``{"file": …, "market_time_ms": …}``.

Faults are those of `faults` and of scenario files. An invalid body is answered with status 400 and
``{"error": message}``.
"""

from decimal import Decimal
from pathlib import Path

from aiohttp import web
from pydantic import BaseModel, ConfigDict, TypeAdapter

from advanced_mm.errors import InputError
from advanced_mm.markets.units import micros_text
from advanced_mm.venue.conditions.gateway import Gateway
from advanced_mm.venue.conditions.limits import REST_WEIGHT_A_MINUTE
from advanced_mm.venue.conditions.opening import OpenVenue
from advanced_mm.venue.conditions.saved_state import save_state
from advanced_mm.venue.conditions.scenario import AccountPlan, check_dexs, open_accounts
from advanced_mm.venue.engine.accounts import Account
from advanced_mm.venue.engine.orders import Order
from advanced_mm.venue.engine.trading_record import trading_record
from advanced_mm.venue.protocol.messages.wire_views import Json
from advanced_mm.venue.server.admin_forms import (
    Handler,
    add_price_gap,
    clear_faults,
    explained,
    fault_view,
    read_body,
    set_fault,
)
from advanced_mm.venue.server.server import PaperServer

__all__ = ["Admin"]


class SaveRequest(BaseModel):
    """Where to save; without ``file``, to the file the venue was started with."""

    model_config = ConfigDict(extra="forbid")

    file: Path | None = None


_ACCOUNT = TypeAdapter(AccountPlan)
_SAVE = TypeAdapter(SaveRequest)


class Admin:
    """Answers requests below /admin.

    Parameters
    ----------
    venue
        The venue.
    save_to
        The file of ``POST /admin/save`` if the request names none.
    """

    def __init__(self, venue: OpenVenue, save_to: Path | None = None) -> None:
        self._venue = venue
        self._exchange = venue.exchange
        self._save_to = save_to

    def add(self, gateway: Gateway, app: web.Application, server: object) -> None:
        """Add the routes to the application of ``server``, a `PaperServer`."""
        routes: list[tuple[str, str, Handler]] = [
            ("GET", "/admin/state", lambda _: self._state(gateway)),
            ("GET", "/admin/accounts/{address}", self._record),
            ("POST", "/admin/faults", lambda request: set_fault(gateway, request)),
            ("DELETE", "/admin/faults", lambda request: clear_faults(gateway, request)),
            ("DELETE", "/admin/faults/{id}", lambda request: clear_faults(gateway, request)),
            ("POST", "/admin/accounts", self._open_account),
            ("POST", "/admin/price_gap", self._price_gap),
            ("POST", "/admin/save", lambda request: self._save(server, request)),
        ]
        for method, path, handler in routes:
            app.router.add_route(method, path, explained(handler))

    async def _state(self, gateway: Gateway) -> web.Response:
        exchange = self._exchange
        faults: list[Json] = [fault_view(one, gateway.clock()) for one in gateway.faults.active]
        return web.json_response(
            {
                "market_time_ms": exchange.now_ms,
                "post_only": exchange.post_only,
                "markets": {coin: self._market_view(coin) for coin in exchange.venue.markets},
                "accounts": {one.address: self._account_view(one) for one in exchange.accounts},
                "limits": _limits_view(gateway),
                "faults": faults,
            }
        )

    async def _record(self, request: web.Request) -> web.Response:
        address = request.match_info["address"].lower()
        account = self._exchange.accounts.get(address)
        if account is None:
            raise InputError(f"account {address} does not exist: open it first")
        return web.json_response(trading_record(self._exchange, account))

    def _market_view(self, coin: str) -> dict[str, Json]:
        market = self._exchange.venue.markets[coin]
        return {
            "mid": market.mid,
            "last": market.last_price,
            "halted": coin in self._exchange.order_manager.halted,
            "gaps": [[gap.time_ms, gap.percent] for gap in self._venue.gaps[coin].gaps],
        }

    def _account_view(self, account: Account) -> dict[str, Json]:
        """Describe an account: ``value`` is that of all its money and positions at the mark,
        ``cash`` the same less the positions' value.
        """
        books, margin = self._exchange.books, self._exchange.margin
        value = margin.value(account)
        held = sum(one.value(margin.mark(one.coin)) for one in account.positions.values())
        return {
            "usdc": micros_text(account.usdc),
            "value": micros_text(value),
            "cash": micros_text(value - held),
            "dex_usdc": {dex: micros_text(usdc) for dex, usdc in account.dex_usdc.items()},
            "dex_abstraction": account.dex_abstraction,
            "master": account.master,
            "name": account.name,
            "volume": micros_text(account.volume),
            "fees": micros_text(account.fees),
            "fills": len(account.fills),
            "requests_used": account.requests_used,
            "positions": {
                coin: books[coin].units.size_text(position.lots)
                for coin, position in account.positions.items()
            },
            "orders": [self._order_view(order) for order in account.orders.values()],
        }

    def _order_view(self, order: Order) -> dict[str, Json]:
        """Describe an order and its queue: the size ahead at the start and now, base units."""
        units = self._exchange.books[order.coin].units
        lot = units.size(1)
        return {
            "coin": order.coin,
            "oid": order.oid,
            "side": "B" if order.request.is_buy else "A",
            "price": units.price_text(order.request.price),
            "size": units.size_text(order.request.lots),
            "remaining": units.size_text(order.remaining),
            "status": order.status.value,
            "resting": order.resting,
            "waited_ms": self._exchange.now_ms - order.placed_ms,
            "ahead_at_start": round(order.ahead_at_start * lot, 9),
            "ahead": round(order.ahead * lot, 9),
        }

    async def _open_account(self, request: web.Request) -> web.Response:
        plan = await read_body(request, _ACCOUNT)
        accounts = self._exchange.accounts
        if accounts.get(plan.address) is not None and (
            plan.play_money is not None or plan.dex_money or plan.dex_abstraction is not None
        ):
            raise InputError(
                f"account {plan.address} already exists, so its money cannot be set: "
                "omit play_money, dex_money and dex_abstraction"
            )
        check_dexs(plan, self._exchange.venue.listing)
        open_accounts((plan,), accounts)
        opened = [plan.address, *accounts.subs(plan.address)]
        return web.json_response(
            {address: str(_usdc(accounts.open(address))) for address in opened}
        )

    async def _price_gap(self, request: web.Request) -> web.Response:
        return await add_price_gap(self._venue.gaps, request)

    async def _save(self, server: object, request: web.Request) -> web.Response:
        if not isinstance(server, PaperServer):
            raise TypeError("the admin interface needs a PaperServer")
        path = (await read_body(request, _SAVE)).file or self._save_to
        if path is None:
            raise InputError(
                "file is missing, and the venue was started without --save FILE: give a file"
            )
        save_state(path, self._venue, server.answers.requests.signers)
        return web.json_response({"file": str(path), "market_time_ms": self._exchange.now_ms})


def _usdc(account: Account) -> Decimal:
    return Decimal(micros_text(account.usdc))


def _limits_view(gateway: Gateway) -> dict[str, Json]:
    """Return the counters by client address; weight, messages, new connections per minute."""
    now_s, switches = gateway.clock(), gateway.switches
    return {
        "on": {
            "rest": switches.rest,
            "websocket": switches.websocket,
            "address": switches.address,
        },
        "rest": {
            address: {
                "weight": one.minute.used(now_s),
                "limit": REST_WEIGHT_A_MINUTE,
                "refused": one.refused,
            }
            for address, one in gateway.rest.items()
        },
        "websocket": {
            address: {
                "connections": one.connections,
                "new_connections": one.new_connections(now_s),
                "subscriptions": one.subscriptions,
                "users": len(one.users),
                "messages": one.messages(now_s),
                "posts": one.posts,
                "refused": one.refused,
            }
            for address, one in gateway.streams.items()
        },
        "address_refused": gateway.addresses.refused,
    }
