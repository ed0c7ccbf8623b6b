"""What tests of exchanges share: a listener, and an exchange that is opened and closed."""

import asyncio
import contextlib
import time

from advanced_mm.maker.exchange import Book
from tests.venue.conftest import until


def now_ms():
    return time.time_ns() // 1_000_000


class Told:
    """What an exchange's streams have told so far."""

    def __init__(self, exchange):
        self.events = []
        self.exchange = exchange

    async def listen(self):
        async for one in self.exchange.events():
            self.events.append(one)

    def of(self, kind):
        return [one for one in self.events if isinstance(one, kind)]


@contextlib.asynccontextmanager
async def opened(exchange, *symbols):
    """Open an exchange; yield it and what it tells once the first book is there."""
    told = Told(exchange)
    listening = asyncio.create_task(told.listen())
    try:
        await exchange.open(symbols)
        await until(lambda: told.of(Book))
        yield exchange, told
    finally:
        await exchange.close()
        listening.cancel()
