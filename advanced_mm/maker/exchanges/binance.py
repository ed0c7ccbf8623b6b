"""Binance's spot markets for the maker."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from decimal import Decimal
from typing import Any, Final

import ccxt

from advanced_mm.errors import InputError
from advanced_mm.maker.exchange import (
    Account,
    Book,
    Change,
    Event,
    Fill,
    MarketRules,
    OrderDoubtError,
    OrderGoneError,
    OrderRequest,
    OrderStatus,
    OrderUpdate,
    RestingOrder,
)
from advanced_mm.maker.exchanges import binance_messages as messages
from advanced_mm.maker.exchanges.binance_client import BinanceClient
from advanced_mm.maker.exchanges.budget import OrderWindows
from advanced_mm.maker.exchanges.errors import as_read_error, as_request_error, refusal
from advanced_mm.maker.exchanges.streams import Streams

__all__ = ["BinanceSpotExchange"]

logger = logging.getLogger(__name__)

_WINDOW_MS: Final = 3_000
"""A request that arrives later than so long after it was signed is void."""
_VOID_SECONDS: Final = 4.2
"""Binance takes timestamps that are up to a second ahead of its clock."""
_SILENCE_SECONDS: Final = 6.0
_BOOK_SECONDS: Final = 60.0
"""A market may be quiet, but hardly for longer."""
_ALIVE_MS: Final = 4_500
"""A socket that was heard within two pings lives."""
_QUIET_SECONDS: Final = 0.5
_SHARE: Final = 0.9
_GONE: Final = frozenset({-2011, -2013})
_WRONG_TIME: Final = -1021
_UNKNOWN: Final = frozenset({-1000, -1001, -1006, -1007})
"""Answers that leave open whether the request was carried out."""
_PAGE: Final = 1000


class BinanceSpotExchange:
    """Spot markets on Binance, with one account.

    Binance takes one order a request: a batch is sent at once over one socket, in its order. An
    order that only becomes smaller is amended and keeps its place; any other change is a cancel
    and a new order in one request, which gives it a new order id. Binance has a dead man's switch
    for futures only: what rests when the machine dies keeps resting.

    Parameters
    ----------
    name
        In the configuration.
    config
        Of ccxt: ``apiKey``, ``secret``, and ``urls`` of another venue.
    clock_ms
        Epoch milliseconds.
    public
        Whether only markets are followed, without an account; there are no keys then.
    """

    def __init__(
        self,
        name: str,
        config: dict[str, Any],
        clock_ms: Callable[[], int],
        *,
        public: bool = False,
    ) -> None:
        options = {
            "defaultType": "spot",
            "fetchMarkets": {"types": ["spot"]},
            "fetchCurrencies": False,
            "adjustForTimeDifference": True,
            "recvWindow": _WINDOW_MS,
            **config.get("options", {}),
        }
        self._client = BinanceClient(
            {"enableRateLimit": False, **config, "options": options}, self._heard, self._told
        )
        self._name, self._clock_ms, self._public = name, clock_ms, public
        self._streams = Streams(
            name, self._client, self._subscribe, clock_ms, _SILENCE_SECONDS, _BOOK_SECONDS
        )
        self._symbols: dict[str, str] = {}
        self._ids: dict[str, str] = {}
        self._types: dict[str, list[str]] = {}
        self._books: dict[str, tuple[int, Book]] = {}
        self._mids: dict[str, float] = {}
        self._balances: dict[str, Decimal] = {}
        self._windows = OrderWindows((), _SHARE, time.monotonic)
        self._offset_ms = 0
        self._lost_at: dict[str, float] = {}
        self._breathing: asyncio.Task[None] | None = None
        self._setting: asyncio.Task[None] | None = None

    @property
    def name(self) -> str:
        """The exchange's name in the configuration."""
        return self._name

    # ---- opening and streams

    async def open(self, symbols: Sequence[str]) -> dict[str, MarketRules]:
        """Load the markets, begin to stream and return the rules."""
        for field, variable in (("apiKey", "BINANCE_API_KEY"), ("secret", "BINANCE_API_SECRET")):
            if not (self._public or getattr(self._client, field, None)):
                raise InputError(f"{self._name}: the environment lacks {variable}.")
        await self._asked(self._client.load_markets())
        ids = {one: self._market_id(one) for one in symbols}
        listed = '["' + '","'.join(ids.values()) + '"]'
        info = await self._asked(self._client.publicGetExchangeInfo({"symbols": listed}))
        infos = {one["symbol"]: one for one in info["symbols"]}
        self._windows = OrderWindows(
            messages.rate_windows(info["rateLimits"], "ORDERS"), _SHARE, time.monotonic
        )
        rules = {}
        for symbol, market_id in ids.items():
            types = infos[market_id]["orderTypes"]
            if "LIMIT_MAKER" not in types:
                raise InputError(
                    f"{self._name}: {symbol} takes no post-only orders (LIMIT_MAKER): quote "
                    "another market."
                )
            rules[symbol] = messages.market_rules(symbol, infos[market_id])
            self._types[symbol] = types
            self._symbols[market_id], self._ids[symbol] = symbol, market_id
        told = await self._asked(self._client.publicGetTime())
        self._offset_ms = int(told["serverTime"]) - self._clock_ms()
        self._streams.start(symbols)
        self._breathing = asyncio.create_task(self._breathe())
        return rules

    def _market_id(self, symbol: str) -> str:
        market = self._client.markets.get(symbol)
        if market is None or not market["spot"] or not market["active"]:
            raise InputError(
                f"{self._name} has no open spot market {symbol!r}; write it like SUI/USDC."
            )
        return str(market["id"])

    async def _subscribe(self) -> None:
        kinds = ("depth20@100ms", "bookTicker", "trade")
        streams = [f"{one.lower()}@{kind}" for one in self._symbols for kind in kinds]
        await self._client.stream_until_lost(streams, account=not self._public)

    def _now_ms(self) -> int:
        """The exchange's time: ours, and by how much its clock was ahead when last heard."""
        return self._clock_ms() + self._offset_ms

    def _heard(self, stream: str, data: Any) -> None:
        self._streams.heard(self._client.stream_url)
        coin, _, kind = stream.partition("@")
        symbol = self._symbols.get(coin.upper())
        if symbol is None:
            return
        if kind != "trade":
            self._streams.heard_book(symbol)
        if kind.startswith("depth"):
            number = int(data["lastUpdateId"])
            book = Book(
                symbol,
                self._now_ms(),
                messages.levels(data["bids"]),
                messages.levels(data["asks"]),
            )
            if number >= self._books.get(symbol, (0, None))[0]:
                self._tell_book(number, book)
        elif kind == "bookTicker":
            self._heard_touch(symbol, data)
        elif kind == "trade":
            self._offset_ms = int(data["E"]) - self._clock_ms()
            self._streams.tell(messages.trade(symbol, data))

    def _heard_touch(self, symbol: str, data: Any) -> None:
        number, last = self._books.get(symbol, (0, None))
        if last is None or int(data["u"]) <= number:
            return
        bid, ask = float(data["b"]), float(data["a"])
        bids = ((bid, float(data["B"])), *(one for one in last.bids if one[0] < bid))
        asks = ((ask, float(data["A"])), *(one for one in last.asks if one[0] > ask))
        self._tell_book(int(data["u"]), Book(symbol, self._now_ms(), bids, asks))

    def _tell_book(self, number: int, book: Book) -> None:
        self._books[book.symbol] = (number, book)
        if book.bids and book.asks:
            self._mids[book.symbol] = (book.bids[0][0] + book.asks[0][0]) / 2
        self._streams.tell(book)

    def _told(self, event: Any) -> None:
        self._streams.heard(self._client.api_url)
        kind = event.get("e")
        if "E" in event:
            self._offset_ms = int(event["E"]) - self._clock_ms()
        if kind == "executionReport":
            symbol = self._symbols.get(event["s"])
            if symbol is None:
                return
            if event["x"] == "TRADE":
                self._streams.tell(messages.fill(symbol, event))
            self._streams.tell(messages.report(symbol, event))
        elif kind == "outboundAccountPosition":
            self._balances |= messages.balances(event["B"], ("a", "f", "l"))
            self._streams.tell(Account(int(event["E"]), dict(self._balances), {}))

    async def _breathe(self) -> None:
        """Tell a quiet market's book again while its socket answers pings."""
        while True:
            await asyncio.sleep(_QUIET_SECONDS)
            now = self._client.milliseconds()
            alive = [
                url
                for url, socket in list(self._client.clients.items())
                if now - max(socket.last_message_at or 0, socket.lastPong or 0) < _ALIVE_MS
            ]
            for url in alive:
                self._streams.heard(url)
            if self._client.stream_url not in alive:
                continue
            for symbol, (number, book) in list(self._books.items()):
                if self._now_ms() - book.time_ms >= 1000 * _QUIET_SECONDS:
                    self._tell_book(number, Book(symbol, self._now_ms(), book.bids, book.asks))

    def events(self) -> AsyncIterator[Event]:
        """Yield what the streams tell."""
        return self._streams.events()

    async def close(self) -> None:
        """End the streams and close the sockets."""
        tasks = [one for one in (self._breathing, self._setting) if one is not None]
        for one in tasks:
            one.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._streams.close()
        await self._client.close()

    # ---- orders

    async def place(self, orders: Sequence[OrderRequest]) -> list[RestingOrder | Exception]:
        """Place orders, all at once."""
        return list(await asyncio.gather(*(self._place(one) for one in orders)))

    async def _place(self, asked: OrderRequest) -> RestingOrder | Exception:
        params = messages.order_params(self._ids[asked.symbol], asked, self._mid(asked.symbol))
        if params["type"] not in self._types[asked.symbol]:
            return refusal(f"{asked.symbol} takes no orders of the type {params['type']}")
        self._windows.count(1)
        reply = await self._acted("order.place", "privatePostOrder", params, asked.client_id)
        if isinstance(reply, Exception):
            return reply
        return RestingOrder(
            order_id=str(reply["orderId"]),
            client_id=asked.client_id,
            symbol=asked.symbol,
            side=asked.side,
            price=asked.price or asked.trigger_price or Decimal(str(self._mid(asked.symbol))),
            size=asked.size,
            filled=Decimal(reply.get("executedQty", 0)),
            trigger_price=asked.trigger_price,
        )

    async def edit(self, changes: Sequence[Change]) -> list[RestingOrder | Exception]:
        """Change resting orders, all at once."""
        return list(await asyncio.gather(*(self._edit(one) for one in changes)))

    async def _edit(self, change: Change) -> RestingOrder | Exception:
        order = change.order
        if change.price == order.price and change.size < order.left:
            return await self._amend(change)
        asked = OrderRequest(order.symbol, order.side, change.size, order.client_id, change.price)
        params = {
            **messages.order_params(self._ids[order.symbol], asked, 0.0),
            "cancelOrderId": int(order.order_id),
            "cancelReplaceMode": "STOP_ON_FAILURE",
        }
        self._windows.count(1)
        reply = await self._acted(
            "order.cancelReplace", "privatePostOrderCancelReplace", params, order.client_id
        )
        if isinstance(reply, Exception):
            return reply
        placed = str(reply["newOrderResponse"]["orderId"])
        return RestingOrder(
            placed, order.client_id, order.symbol, order.side, change.price, change.size
        )

    async def _amend(self, change: Change) -> RestingOrder | Exception:
        order = change.order
        size = order.filled + change.size
        params = {
            "symbol": self._ids[order.symbol],
            "orderId": int(order.order_id),
            "newQty": format(size, "f"),
            # Without one, Binance gives the order an id of its own.
            "newClientOrderId": order.client_id,
        }
        reply = await self._acted(
            "order.amend.keepPriority",
            "privatePutOrderAmendKeepPriority",
            params,
            order.client_id,
        )
        if isinstance(reply, Exception):
            return reply
        return RestingOrder(
            order.order_id,
            order.client_id,
            order.symbol,
            order.side,
            order.price,
            size,
            order.filled,
        )

    async def cancel(self, orders: Sequence[RestingOrder]) -> list[Exception | None]:
        """Cancel orders, all at once."""
        return list(await asyncio.gather(*(self._cancel(one) for one in orders)))

    async def _cancel(self, order: RestingOrder) -> Exception | None:
        params = {"symbol": self._ids[order.symbol], "orderId": int(order.order_id)}
        reply = await self._acted("order.cancel", "privateDeleteOrder", params, order.client_id)
        if isinstance(reply, _GoneError):
            return None
        return reply if isinstance(reply, Exception) else None

    async def _acted(
        self, method: str, by_http: str, params: dict[str, Any], client_id: str
    ) -> Any:
        """Send a request for an order; return its result, or the error it ended in."""
        try:
            if not self._client.has_api_socket:
                return await getattr(self._client, by_http)(params)
            reply = await self._client.ask(method, params)
            if reply.get("status") == 200:
                return reply["result"]
            error = reply.get("error") or {}
            if reply.get("status", 500) >= 500 or error.get("code") in _UNKNOWN:
                raise ccxt.OperationFailed(f"binance {error}")
            if error.get("code") == _WRONG_TIME:
                raise ccxt.InvalidNonce(f"binance {error}")
            return _refused(error)
        except asyncio.CancelledError:  # the request is on its way
            self._lost_at[client_id] = time.monotonic()
            raise
        except (ccxt.BaseError, OSError, TimeoutError, LookupError, TypeError) as caught:
            if isinstance(caught, ccxt.OrderNotFound):
                return _GoneError(str(caught)[:200])
            self._look_at_the_clock(caught)
            meant = as_request_error(caught)
            if isinstance(meant, OrderDoubtError):
                self._lost_at[client_id] = time.monotonic()
            return meant

    def _look_at_the_clock(self, error: BaseException) -> None:
        """Ask for the exchange's time if it finds ours wrong: it refuses all, cancels too."""
        if not isinstance(error, ccxt.InvalidNonce):
            return
        if self._setting is None or self._setting.done():
            self._setting = asyncio.create_task(self._set_clock(), name="clock of binance")

    async def _set_clock(self) -> None:
        try:
            await self._client.load_time_difference()
        except (ccxt.BaseError, OSError, TimeoutError) as error:
            logger.warning("%s: its time is not known: %s", self._name, str(error)[:200])
        else:
            ours = self._client.options["timeDifference"]
            logger.warning("%s: our clock is %+d ms off its own", self._name, ours)

    def _mid(self, symbol: str) -> float:
        return self._mids.get(symbol, 0.0)

    async def look_up(self, symbol: str, client_ids: Sequence[str]) -> list[OrderUpdate | None]:
        """Ask for orders once no request for them can arrive any more."""
        waits = [
            self._lost_at[one] + _VOID_SECONDS - time.monotonic()
            for one in client_ids
            if one in self._lost_at
        ]
        if waits and max(waits) > 0:
            raise OrderDoubtError(f"{symbol}: a request may still arrive for {max(waits):.1f} s")
        there = {one.client_id: one for one in await self.open_orders(symbol)}
        found: list[OrderUpdate | None] = []
        for one in client_ids:
            if one in there:
                found.append(OrderUpdate(there[one], OrderStatus.OPEN, self._now_ms()))
            else:
                found.append(await self._ended(symbol, one))
        for one in client_ids:
            self._lost_at.pop(one, None)
        return found

    async def _ended(self, symbol: str, client_id: str) -> OrderUpdate | None:
        params = {"symbol": self._ids[symbol], "origClientOrderId": client_id}
        try:
            told = await self._client.privateGetOrder(params)
        except ccxt.OrderNotFound:
            return None
        except (ccxt.BaseError, OSError, TimeoutError) as error:
            raise as_read_error(error, self._name) from error
        time_ms = int(told.get("updateTime") or self._now_ms())
        return OrderUpdate(messages.order(symbol, told), messages.status(told["status"]), time_ms)

    # ---- questions

    async def open_orders(self, symbol: str) -> list[RestingOrder]:
        """Fetch the orders at rest, triggers included."""
        market_id = self._ids[symbol]
        found = await self._asked(self._client.privateGetOpenOrders({"symbol": market_id}))
        return [messages.order(symbol, one) for one in found]

    async def fills_since(self, symbol: str, time_ms: int) -> list[Fill]:
        """Fetch own fills, without client ids."""
        market_id = self._ids[symbol]
        found: dict[str, Fill] = {}
        params: dict[str, Any] = {"symbol": market_id, "startTime": time_ms, "limit": _PAGE}
        while True:
            page = await self._asked(self._client.privateGetMyTrades(params))
            fills = [messages.own_trade(symbol, one) for one in page]
            new = [one for one in fills if one.fill_id not in found]
            found |= {one.fill_id: one for one in new}
            if len(page) < _PAGE or not new:
                return sorted(found.values(), key=lambda one: (one.time_ms, int(one.fill_id)))
            params = {
                "symbol": market_id,
                "fromId": max(int(one["id"]) for one in page) + 1,
                "limit": _PAGE,
            }

    async def account(self) -> Account:
        """Fetch the balances."""
        told = await self._asked(self._client.privateGetAccount())
        self._balances = messages.balances(told["balances"], ("asset", "free", "locked"))
        return Account(self._now_ms(), dict(self._balances), {})

    async def _asked(self, question: Coroutine[Any, Any, Any]) -> Any:
        try:
            return await question
        except (ccxt.BaseError, OSError, TimeoutError) as error:
            self._look_at_the_clock(error)
            raise as_read_error(error, self._name) from error

    # ---- what may be sent

    def allowance(self) -> int:
        """How many orders may be placed or changed now."""
        return self._windows.left()

    def requests_left(self) -> None:
        """Binance counts orders in windows of time only."""

    async def arm(self, seconds: float | None) -> bool:
        """Return False: Binance has this switch for futures only."""
        return False


class _GoneError(OrderGoneError):
    """The order is not on the book."""


def _refused(error: Any) -> Exception:
    code, text = error.get("code"), str(error.get("msg"))
    if code in _GONE:
        return _GoneError(text)
    # A replacement tells what became of its two halves.
    parts = error.get("data") or {}
    cancelled = parts.get("cancelResponse")
    if isinstance(cancelled, dict) and cancelled.get("code") in _GONE:
        return OrderGoneError(f"{code}: {text} {cancelled.get('msg')}")
    for half in ("cancelResponse", "newOrderResponse"):
        told = parts.get(half)
        if isinstance(told, dict) and "msg" in told:
            text = f"{text} {told['msg']}"
    return refusal(f"{code}: {text}")
