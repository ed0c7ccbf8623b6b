"""Hyperliquid's perpetuals for the maker."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Sequence
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
    FundingPayment,
    MarketRules,
    OrderDoubtError,
    OrderRequest,
    OrderUpdate,
    RestingOrder,
)
from advanced_mm.maker.exchanges import hyperliquid_messages as messages
from advanced_mm.maker.exchanges.budget import ActionBudget, OrderWindows
from advanced_mm.maker.exchanges.errors import as_read_error, as_request_error, is_gone, refusal
from advanced_mm.maker.exchanges.hyperliquid_client import HyperliquidClient
from advanced_mm.maker.exchanges.streams import Streams
from advanced_mm.maker.grid import Grid

__all__ = ["HyperliquidExchange"]

logger = logging.getLogger(__name__)

_MIN_VALUE: Final = Decimal(10)
_MAX_ORDERS: Final = 1000
_SLIPPAGE: Final = 0.05
"""A market order is one that takes up to so far from the mid."""
_SILENCE_SECONDS: Final = 5.0
_BOOK_SECONDS: Final = 6.0
"""Each book comes twice a second, changed or not."""
_MESSAGES: Final = ((2000, 60.0),)
"""Messages to the exchange from one address of the internet, over all sockets."""
_SHARE: Final = 0.9
_ASK_SECONDS: Final = 60.0
_SURE_SECONDS: Final = 2.0
"""So long after a nonce is known to be used, what it has done is seen everywhere."""
_SAME_FILLS_SECONDS: Final = 0.5
_PAGE: Final = 2000


class HyperliquidExchange:
    """Perpetuals on Hyperliquid, with one account.

    A changed order gets a new order id and keeps its client id. A request whose reply was lost is
    made void by a no-op with the same nonce, so that "unknown" is final.

    Parameters
    ----------
    name
        In the configuration.
    config
        Of ccxt: ``walletAddress``, ``privateKey``, and ``urls`` of another venue. ``options`` may
        name a ``vaultAddress`` or ``subAccountAddress``.
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
        options = {"builderFee": False, **config.get("options", {})}
        self._client = HyperliquidClient(
            {"enableRateLimit": False, **config, "options": options}, self._heard
        )
        self._name, self._clock_ms, self._public = name, clock_ms, public
        self._streams = Streams(
            name, self._client, self._subscribe, clock_ms, _SILENCE_SECONDS, _BOOK_SECONDS
        )
        self._symbols: dict[str, str] = {}
        self._coins: dict[str, str] = {}
        self._assets: dict[str, int] = {}
        self._grids: dict[str, Grid] = {}
        self._books: dict[str, Book] = {}
        self._mids: dict[str, float] = {}
        self._windows = OrderWindows(_MESSAGES, _SHARE, time.monotonic)
        self._budget = ActionBudget(time.monotonic)
        self._nonces: dict[str, dict[int, float | None]] = {}
        """By client id: nonces of requests in doubt, and when each was found to be used."""
        self._fills: tuple[int, float, list[Fill]] | None = None
        self._asking: asyncio.Task[None] | None = None
        self._fills_lock = asyncio.Lock()
        vault = options.get("subAccountAddress") or options.get("vaultAddress")
        self._vault = vault.lower().removeprefix("0x") if vault else None
        self._user = str(vault or config.get("walletAddress") or "").lower()

    @property
    def name(self) -> str:
        """The exchange's name in the configuration."""
        return self._name

    # ---- opening and streams

    async def open(self, symbols: Sequence[str]) -> dict[str, MarketRules]:
        """Load the markets, begin to stream and return the rules."""
        for field, variable in (
            ("walletAddress", "HYPERLIQUID_WALLET_ADDRESS"),
            ("privateKey", "HYPERLIQUID_PRIVATE_KEY"),
        ):
            if not (self._public or getattr(self._client, field, None)):
                raise InputError(f"{self._name}: the environment lacks {variable}.")
        await self._asked(self._client.load_markets())
        rules = {}
        for symbol in symbols:
            market = self._client.markets.get(symbol)
            if market is None or not market["swap"]:
                raise InputError(
                    f"{self._name} has no perpetual {symbol!r}; write it like BTC/USDC:USDC."
                )
            decimals = int(market["info"]["szDecimals"])
            step = Decimal(1).scaleb(-decimals)
            rules[symbol] = MarketRules(
                symbol, False, None, step, step, _MIN_VALUE, _MAX_ORDERS, decimals
            )
            coin = market["baseName"]
            self._symbols[coin], self._coins[symbol] = symbol, coin
            self._assets[symbol] = int(market["baseId"])
            self._grids[symbol] = Grid(rules[symbol])
        self._streams.start(symbols)
        if not self._public:
            await self._ask_once()
            self._asking = asyncio.create_task(self._ask_actions())
        return rules

    async def _subscribe(self) -> None:
        asked = []
        for coin in self._symbols:
            asked += [self._client.subscription(one, coin=coin) for one in ("l2Book", "bbo")]
            asked.append(self._client.subscription("trades", coin=coin))
        own = () if self._public else ("orderUpdates", "userFills", "clearinghouseState")
        for kind in own:
            asked.append(self._client.subscription(kind, user=self._user))
        await asyncio.gather(*asked)

    def _heard(self, url: str, channel: str, data: Any) -> None:
        self._streams.heard(url)
        if channel in {"l2Book", "bbo"}:
            self._heard_book(channel, data)
        elif channel == "trades":
            for one in data:
                if one["coin"] in self._symbols:
                    self._streams.tell(messages.trade(self._symbols[one["coin"]], one))
        elif channel == "orderUpdates":
            for one in data:
                symbol = self._symbols.get(one["order"]["coin"])
                if symbol is not None:
                    self._streams.tell(messages.update(symbol, one))
        elif channel == "userFills" and not data.get("isSnapshot"):
            for one in data["fills"]:
                self._budget.earned(float(one["px"]) * float(one["sz"]))
                if one["coin"] in self._symbols:
                    self._streams.tell(messages.fill(self._symbols[one["coin"]], one))
        elif channel == "clearinghouseState":
            self._streams.tell(messages.account(data["clearinghouseState"], self._symbols))

    def _heard_book(self, channel: str, data: Any) -> None:
        symbol = self._symbols.get(data["coin"])
        if symbol is None:
            return
        self._streams.heard_book(symbol)
        last = self._books.get(symbol)
        book: Book | None = None
        if channel == "l2Book":
            book = messages.book(symbol, data)
            if last is not None and book.time_ms < last.time_ms:
                return
        elif last is not None:
            book = messages.with_touch(last, data)
        if book is not None:
            self._books[symbol] = book
            if book.bids and book.asks:
                self._mids[symbol] = (book.bids[0][0] + book.asks[0][0]) / 2
            self._streams.tell(book)

    def events(self) -> AsyncIterator[Event]:
        """Yield what the streams tell."""
        return self._streams.events()

    async def close(self) -> None:
        """End the streams and close the sockets."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.gather(self._asking, return_exceptions=True)
        await self._streams.close()
        await self._client.close()

    # ---- orders

    async def place(self, orders: Sequence[OrderRequest]) -> list[RestingOrder | Exception]:
        """Place orders in one action."""
        wires = [self._wire(one) for one in orders]
        action = {"type": "order", "orders": wires, "grouping": "na"}
        statuses = await self._acted(action, [one.client_id for one in orders])
        return [
            status if isinstance(status, Exception) else self._rests(one, wire, status)
            for one, wire, status in zip(orders, wires, statuses, strict=True)
        ]

    async def edit(self, changes: Sequence[Change]) -> list[RestingOrder | Exception]:
        """Change resting orders in one action; each gets a new order id."""
        asked = [
            OrderRequest(one.order.symbol, one.order.side, one.size, one.order.client_id, one.price)
            for one in changes
        ]
        wires = [self._wire(one) for one in asked]
        modifies = [
            {"oid": int(one.order.order_id), "order": wire}
            for one, wire in zip(changes, wires, strict=True)
        ]
        statuses = await self._acted(
            {"type": "batchModify", "modifies": modifies}, [one.client_id for one in asked]
        )
        return [
            status if isinstance(status, Exception) else self._rests(one, wire, status)
            for one, wire, status in zip(asked, wires, statuses, strict=True)
        ]

    async def cancel(self, orders: Sequence[RestingOrder]) -> list[Exception | None]:
        """Cancel orders in one action."""
        cancels = [{"a": self._assets[one.symbol], "o": int(one.order_id)} for one in orders]
        statuses = await self._acted(
            {"type": "cancel", "cancels": cancels}, [one.client_id for one in orders]
        )
        return [
            None if not isinstance(status, Exception) or is_gone(status) else status
            for status in statuses
        ]

    def _wire(self, asked: OrderRequest) -> Any:
        mid = self._mids.get(asked.symbol, 0.0)
        price, rising = asked.price, False
        if asked.trigger_price is not None:
            rising = float(asked.trigger_price) > mid
        if price is None:
            base = float(asked.trigger_price) if asked.trigger_price is not None else mid
            reach = 1 + _SLIPPAGE if asked.side == "buy" else 1 - _SLIPPAGE
            price = self._grids[asked.symbol].price(asked.side, base * reach)
        return messages.order_wire(self._assets[asked.symbol], asked, price, rising=rising)

    async def _acted(self, action: Any, client_ids: Sequence[str]) -> list[Any]:
        """Send an action; return each part's status, or the error it ended in."""
        nonce = self._client.incrementing_nonce()
        request = self._client.signed(action, nonce, self._vault)
        self._windows.count(1)
        self._budget.spent(len(client_ids))
        # In doubt from now on: a task that is cancelled here leaves a request on its way.
        for one in client_ids:
            self._nonces.setdefault(one, {})[nonce] = None
        try:
            response = await self._client.act(request)
            statuses = response["data"]["statuses"]
            if len(statuses) != len(client_ids):
                raise ValueError(f"{len(statuses)} statuses for {len(client_ids)} orders")
        except (ccxt.BaseError, OSError, TimeoutError, LookupError, TypeError, ValueError) as error:
            meant = as_request_error(error)
            if not isinstance(meant, OrderDoubtError):
                self._settled(nonce, client_ids)
            return [meant] * len(client_ids)
        self._settled(nonce, client_ids)
        return [
            refusal(one["error"]) if isinstance(one, dict) and "error" in one else one
            for one in statuses
        ]

    def _settled(self, nonce: int, client_ids: Sequence[str]) -> None:
        """Forget a nonce whose request was answered."""
        for one in client_ids:
            nonces = self._nonces.get(one, {})
            nonces.pop(nonce, None)
            if not nonces:
                self._nonces.pop(one, None)

    @staticmethod
    def _rests(asked: OrderRequest, wire: Any, status: Any) -> RestingOrder | Exception:
        told = status.get("resting") or status.get("filled") if isinstance(status, dict) else None
        if told is None:
            return OrderDoubtError(f"unexpected status {status!r}")
        return RestingOrder(
            order_id=str(told["oid"]),
            client_id=asked.client_id,
            symbol=asked.symbol,
            side=asked.side,
            price=asked.price or Decimal(wire["p"]),
            size=asked.size,
            filled=Decimal(told.get("totalSz", 0)),
            trigger_price=asked.trigger_price,
        )

    async def look_up(self, symbol: str, client_ids: Sequence[str]) -> list[OrderUpdate | None]:
        """Make void what may still be on its way, then ask what became of the orders."""
        now = time.monotonic()
        for nonces in [self._nonces.get(one, {}) for one in client_ids]:
            for nonce in [one for one, used in nonces.items() if used is None]:
                if await self._void(nonce):
                    for known in self._nonces.values():
                        known.pop(nonce, None)
                else:
                    for known in self._nonces.values():
                        if nonce in known:
                            known[nonce] = now
        found: list[OrderUpdate | None] = []
        for one in client_ids:
            reply = await self._info(type="orderStatus", user=self._user, oid=one)
            if reply.get("status") == "order":
                found.append(messages.update(symbol, reply["order"]))
                continue
            used = [at for at in self._nonces.get(one, {}).values() if at is not None]
            if used and now - max(used) < _SURE_SECONDS:
                raise OrderDoubtError(f"{symbol}: an order was sent that is not seen yet")
            found.append(None)
        for one in client_ids:
            self._nonces.pop(one, None)
        return found

    async def _void(self, nonce: int) -> bool:
        """Use up a nonce; True if no request with it was or will be carried out."""
        request = self._client.signed({"type": "noop"}, nonce, self._vault)
        try:
            await self._client.privatePostExchange(request)
        except (ccxt.BaseError, OSError, TimeoutError) as error:
            if "nonce" in str(error).lower() and not isinstance(error, ccxt.OperationFailed):
                return False
            if isinstance(error, ccxt.InvalidNonce):
                return False
            raise OrderDoubtError(f"a request cannot be made void: {error}"[:300]) from error
        return True

    # ---- questions

    async def open_orders(self, symbol: str) -> list[RestingOrder]:
        """Fetch the orders at rest, triggers included."""
        found = await self._info(type="frontendOpenOrders", user=self._user)
        coin = self._coins[symbol]
        return [messages.order(symbol, one) for one in found if one["coin"] == coin]

    async def fills_since(self, symbol: str, time_ms: int) -> list[Fill]:
        """Fetch own fills; those of all markets come at once, so the answer is shared shortly."""
        async with self._fills_lock:
            known = self._fills
            if (
                known is None
                or known[0] != time_ms
                or time.monotonic() - known[1] > _SAME_FILLS_SECONDS
            ):
                known = (time_ms, time.monotonic(), await self._all_fills(time_ms))
                self._fills = known
        return [one for one in known[2] if one.symbol == symbol]

    async def _all_fills(self, time_ms: int) -> list[Fill]:
        found: dict[str, Fill] = {}
        while True:
            page = await self._info(type="userFillsByTime", user=self._user, startTime=time_ms)
            before = len(found)
            for one in page:
                if one["coin"] in self._symbols:
                    fill = messages.fill(self._symbols[one["coin"]], one)
                    found[fill.fill_id] = fill
            if len(page) < _PAGE or len(found) == before:
                return sorted(found.values(), key=lambda one: one.time_ms)
            time_ms = max(int(one["time"]) for one in page)

    async def account(self) -> Account:
        """Fetch equity and positions."""
        state = await self._info(type="clearinghouseState", user=self._user)
        return messages.account(state, self._symbols)

    async def funding_since(self, symbol: str, time_ms: int) -> list[FundingPayment]:
        """Fetch funding payments from the exchange's time on, oldest first."""
        told = await self._info(type="userFunding", user=self._user, startTime=time_ms)
        coin = self._coins[symbol]
        paid = [messages.funding(symbol, one) for one in told if one["delta"]["coin"] == coin]
        return sorted(paid, key=lambda one: one.time_ms)

    async def funding_rates(self) -> dict[str, float]:
        """Fetch the hour's funding rates by symbol, shares, positive where longs pay."""
        meta, contexts = await self._info(type="metaAndAssetCtxs")
        return messages.funding_rates(meta, contexts, self._symbols)

    async def _info(self, **request: Any) -> Any:
        return await self._asked(self._client.publicPostInfo(request))

    async def _asked(self, question: Any) -> Any:
        try:
            return await question
        except (ccxt.BaseError, OSError, TimeoutError) as error:
            raise as_read_error(error, self._name) from error

    # ---- what may be sent

    def allowance(self) -> int:
        """How many orders may be placed or changed now."""
        return self._budget.left() if self._windows.left() > 0 else 0

    def requests_left(self) -> int | None:
        """How many requests the account has left until it trades; None until that is known."""
        return self._budget.in_all()

    async def _ask_actions(self) -> None:
        """Ask now and then how many actions the account has left."""
        while True:
            await asyncio.sleep(_ASK_SECONDS)
            await self._ask_once()

    async def _ask_once(self) -> None:
        try:
            told = await self._info(type="userRateLimit", user=self._user)
            self._budget.told(int(told["nRequestsCap"]) - int(told["nRequestsUsed"]))
        except (ConnectionError, InputError, LookupError, TypeError, ValueError) as error:
            logger.warning("%s: the actions left are not known: %s", self._name, error)

    async def arm(self, seconds: float | None) -> bool:
        """Set or lift the dead man's switch; accounts that traded too little may not."""
        action: dict[str, Any] = {"type": "scheduleCancel"}
        if seconds is not None:
            action["time"] = self._client.milliseconds() + round(1000 * seconds)
        request = self._client.signed(action, self._client.incrementing_nonce(), self._vault)
        try:
            await self._client.privatePostExchange(request)
        except (ccxt.OperationFailed, OSError, TimeoutError) as error:
            raise ConnectionError(str(error)[:200]) from error
        except ccxt.BaseError as error:
            logger.info("%s: no dead man's switch: %s", self._name, str(error)[:200])
            return False
        return True
