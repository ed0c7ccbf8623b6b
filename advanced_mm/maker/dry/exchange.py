"""A `MakerExchange` without an account: the public streams are real, orders and money are not."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Final, TypeVar

from advanced_mm.maker.dry.account import DryFunds, Fees
from advanced_mm.maker.dry.desk import DryDesk
from advanced_mm.maker.exchange import (
    Account,
    Book,
    Change,
    Event,
    Fill,
    MakerExchange,
    MarketRules,
    OrderRefusedError,
    OrderRequest,
    OrderUpdate,
    Reconnected,
    RestingOrder,
    TellsFundingRates,
    Trade,
)

__all__ = ["DryExchange"]

Asked = TypeVar("Asked")
_FIRST_BOOKS_SECONDS: Final = 15.0


class DryExchange:
    """Orders, balances and fills made up over another exchange's books and trades.

    The inner exchange needs no account: only its markets and public streams are used. How orders
    fill is told in `advanced_mm.maker.dry.queue.DryQueue`; each request takes ``latency_s``.
    Funding is not paid.

    Parameters
    ----------
    inner
        The exchange whose streams are followed.
    funds, fees
        What the account begins with, and pays.
    latency_s
        From a request to its effect, seconds.
    sleep
        Waits that long.
    run_id
        Begins the ids of orders and fills, so that two runs never share one.
    """

    def __init__(
        self,
        inner: MakerExchange,
        funds: DryFunds,
        fees: Fees,
        *,
        latency_s: float = 0.05,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        run_id: str | None = None,
    ) -> None:
        self._inner = inner
        self._funds, self._fees = funds, fees
        self._latency_s, self._sleep = latency_s, sleep
        self._run_id = run_id or uuid.uuid4().hex[:8]
        self._told: asyncio.Queue[Event | Exception | None] = asyncio.Queue()
        self._listener: asyncio.Task[None] | None = None
        self._funded = asyncio.Event()
        self._desk: DryDesk

    @property
    def name(self) -> str:
        """The inner exchange's name."""
        return self._inner.name

    async def open(self, symbols: Sequence[str]) -> dict[str, MarketRules]:
        """Load the markets and begin to stream; return their rules by symbol."""
        rules = await self._inner.open(symbols)
        self._desk = DryDesk(rules, self._funds, self._fees, self._run_id)
        if not self._desk.unfunded():
            self._funded.set()
        self._listener = asyncio.create_task(self._listen())
        return rules

    async def events(self) -> AsyncIterator[Event]:
        """Yield the public streams and what they do to own orders, until `close`."""
        while (event := await self._told.get()) is not None:
            if isinstance(event, Exception):
                raise event
            yield event

    async def place(self, orders: Sequence[OrderRequest]) -> list[RestingOrder | Exception]:
        """Place orders; a result or an error for each."""
        await self._sleep(self._latency_s)
        return self._each(self._desk.place, orders)

    async def edit(self, changes: Sequence[Change]) -> list[RestingOrder | Exception]:
        """Change resting orders; a result or an error for each."""
        await self._sleep(self._latency_s)
        return self._each(self._desk.edit, changes)

    async def cancel(self, orders: Sequence[RestingOrder]) -> list[Exception | None]:
        """Cancel orders; one that is gone already counts as cancelled."""
        await self._sleep(self._latency_s)
        for order in orders:
            self._desk.cancel(order)
        self._hand_on()
        return [None] * len(orders)

    async def look_up(self, symbol: str, client_ids: Sequence[str]) -> list[OrderUpdate | None]:
        """Say what became of orders; None for those that never were, or are forgotten."""
        await self._sleep(self._latency_s)
        return [self._desk.look_up(symbol, client_id) for client_id in client_ids]

    async def open_orders(self, symbol: str) -> list[RestingOrder]:
        """Return the orders at rest, triggers included."""
        await self._sleep(self._latency_s)
        return self._desk.orders(symbol)

    async def fills_since(self, symbol: str, time_ms: int) -> list[Fill]:
        """Return own fills from a time on, oldest first."""
        await self._sleep(self._latency_s)
        fills = self._desk.fills
        return [one for one in fills if one.symbol == symbol and one.time_ms >= time_ms]

    async def account(self) -> Account:
        """Return balances and positions, once the first books say what spot funds are worth.

        Raises
        ------
        ConnectionError
            They do not come.
        """
        try:
            await asyncio.wait_for(self._funded.wait(), _FIRST_BOOKS_SECONDS)
        except TimeoutError:
            raise ConnectionError(
                f"{self.name} has sent no book of {', '.join(self._desk.unfunded())} within "
                f"{_FIRST_BOOKS_SECONDS:g} s"
            ) from None
        await self._sleep(self._latency_s)
        return self._desk.account()

    async def funding_rates(self) -> dict[str, float]:
        """Return the inner exchange's rates; none where it tells none."""
        inner = self._inner
        return await inner.funding_rates() if isinstance(inner, TellsFundingRates) else {}

    def allowance(self) -> int:
        """How many orders may be placed or changed now: as many as the inner exchange allows."""
        return self._inner.allowance()

    def requests_left(self) -> None:
        """Nothing is requested of the exchange's account."""

    async def arm(self, seconds: float | None) -> bool:
        """Return False: nothing rests anywhere but in this process."""
        return False

    async def close(self) -> None:
        """End the streams; cancels nothing."""
        if self._listener is not None:
            self._listener.cancel()
            await asyncio.gather(self._listener, return_exceptions=True)
        await self._inner.close()
        self._told.put_nowait(None)

    async def _listen(self) -> None:
        try:
            async for event in self._inner.events():
                if isinstance(event, Book | Trade | Reconnected):
                    self._hear(event)
        except Exception as error:
            self._told.put_nowait(error)
        else:
            self._told.put_nowait(None)

    def _hear(self, event: Book | Trade | Reconnected) -> None:
        """Hand on a public event, books with own orders in them, then what it did to orders."""
        if isinstance(event, Book):
            self._desk.on_book(event)
            if not self._desk.unfunded():
                self._funded.set()
        else:
            self._told.put_nowait(event)
        if isinstance(event, Trade):
            self._desk.on_trade(event)
        self._hand_on()

    def _each(
        self, do: Callable[[Asked], RestingOrder], asked: Sequence[Asked]
    ) -> list[RestingOrder | Exception]:
        results: list[RestingOrder | Exception] = []
        for one in asked:
            try:
                results.append(do(one))
            except OrderRefusedError as error:
                results.append(error)
        self._hand_on()
        return results

    def _hand_on(self) -> None:
        for event in self._desk.told():
            self._told.put_nowait(event)
