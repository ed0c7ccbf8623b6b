"""The maker: one process, several markets and exchanges."""

import asyncio
import contextlib
import logging
import signal
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from advanced_mm.errors import InputError
from advanced_mm.journal import JournalWriter
from advanced_mm.maker.accounts import AccountBook
from advanced_mm.maker.client_ids import ClientIds
from advanced_mm.maker.desk import HedgeDesk, Place
from advanced_mm.maker.exchange import Account, Fill, MakerExchange
from advanced_mm.maker.running.funding import heed_funding
from advanced_mm.maker.running.keeper import Keeper
from advanced_mm.maker.running.opening import begin, open_exchanges
from advanced_mm.maker.running.routes import Routes
from advanced_mm.maker.running.setups_check import check_setups
from advanced_mm.maker.running.shared import Shared
from advanced_mm.maker.running.switches import Switches
from advanced_mm.maker.running.withdrawal import Withdrawal
from advanced_mm.maker.setup import MarketSetup
from advanced_mm.maker.views import MarketView

__all__ = ["Maker"]

logger = logging.getLogger(__name__)

_TICK_SECONDS: Final = 0.1
"""How often it is looked whether something is due, the kill file among it."""
_DESK_SECONDS: Final = 0.25
_MINUTE_MS: Final = 60_000
_SETTLE_MS: Final = 30_000
"""How often the accounts are compared with what the fills say."""


class Maker:
    """Makes markets until it is stopped.

    Parameters
    ----------
    exchanges
        By the names that the markets use.
    markets
        Each place at most once.
    journal
        Gets what happens; None: nothing is written. The maker does not close it.
    clock_ms
        Epoch milliseconds.
    name
        Of the maker: it marks its orders and its lines in the journal.
    kill_file
        While it exists nothing is quoted: the maker withdraws its orders and ends.

    Raises
    ------
    InputError
        Two markets are the same, or one names an exchange that is not there.
    """

    def __init__(
        self,
        exchanges: Mapping[str, MakerExchange],
        markets: Sequence[MarketSetup],
        journal: JournalWriter | None,
        clock_ms: Callable[[], int],
        name: str = "maker",
        kill_file: Path | None = None,
    ) -> None:
        check_setups(markets, exchanges)
        self.name = name
        self.why_ended = ""
        self._kill_file = kill_file
        self._routes = Routes()
        self._accounts = {
            one: AccountBook(one, exchange, self._routes.route)
            for one, exchange in exchanges.items()
        }
        self._shared = Shared(
            name, dict(exchanges), self._accounts, list(markets), journal, clock_ms
        )
        self._switches = Switches(exchanges, markets)
        self._withdrawal = Withdrawal(self._shared, self._switches)
        self._ending = asyncio.Event()
        self._ended = asyncio.Event()
        self._running = self._quoting = False

    @property
    def keepers(self) -> list[Keeper]:
        """One a market, once `run` has opened the exchanges."""
        return self._shared.keepers

    @property
    def left_behind(self) -> list[str]:
        """After the end: markets in which orders may still rest, as their exchange was silent."""
        return self._withdrawal.left_behind

    @property
    def left_open(self) -> list[str]:
        """After the end: what hedges hold, and which stops protect it, in words."""
        return self._withdrawal.left_open

    def ids(self, place: Place, role: str = "hedge") -> ClientIds:
        """Return the client ids of a place, a desk's by default."""
        return self._shared.ids(place, role)

    # ---- running

    async def run(self) -> None:
        """Open the exchanges, check, reconcile, and quote until `stop` or the kill file.

        Raises
        ------
        InputError
            Something that the user can mend forbids the first order.
        """
        self._running = True
        tasks: list[asyncio.Task[None]] = []
        try:
            await open_exchanges(self._shared, self._routes)
            if self._kill_file is not None and self._kill_file.exists():
                await self._withdrawal.clear(patiently=True)
                raise InputError(
                    f"The kill file {str(self._kill_file)!r} exists: delete it to let the maker "
                    "quote."
                )
            tasks += [
                asyncio.create_task(self._listen(name), name=f"events of {name}")
                for name in self._shared.exchanges
            ]
            try:
                await self._or_ended(begin(self._shared), tasks)
            except Exception:
                await self._withdrawal.clear(patiently=False)
                raise
            quoting = [asyncio.create_task(one.run(), name="keeper") for one in self.keepers]
            desks = [
                asyncio.create_task(self._run_desk(one.desk), name="hedge desk")
                for one in self._shared.markets
                if one.desk is not None
            ]
            self._quoting = True
            minute = asyncio.create_task(self._housekeeping(), name="housekeeping")
            comparing = [
                asyncio.create_task(self._compare(name), name=f"account of {name}")
                for name in self._accounts
            ]
            funding = [
                asyncio.create_task(heed_funding(self._shared, name), name=f"funding at {name}")
                for name in self._shared.exchanges
            ]
            tasks += [*quoting, *desks, *comparing, *funding, minute]
            try:
                await self._or_ended(self._watch(), tasks)
            finally:  # also if it is cancelled, as Ctrl-C does where signals have no handlers
                self.end("broken off")
                await self._withdrawal.withdraw(quoting, desks)
        finally:
            self._running = False
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await asyncio.gather(
                *(one.close() for one in self._shared.exchanges.values()), return_exceptions=True
            )
            self._ended.set()

    async def stop(self, why: str = "asked to stop") -> None:
        """Withdraw all quotes and end `run`; returns when that has ended."""
        self.end(why)
        if self._running:
            await self._ended.wait()

    def end(self, why: str) -> None:
        """Have `run` withdraw all quotes and end; for handlers of signals."""
        if not self._ending.is_set():
            logger.warning("%s ends: %s", self.name, why)
            self.why_ended = why
            self._ending.set()

    def views(self) -> list[MarketView]:
        """Return what there is to see of each market."""
        return [one.view() for one in self.keepers]

    async def _or_ended(self, work: Awaitable[None], tasks: Iterable[asyncio.Task[None]]) -> None:
        """Do some work; a task that fails meanwhile ends the maker as a signal does.

        Before anything is quoted there is nothing to withdraw: the work is broken off.
        """
        mine = asyncio.ensure_future(work)
        waiting: set[asyncio.Future[None]] = {mine, *tasks}
        while not mine.done():
            try:
                done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            except asyncio.CancelledError:
                mine.cancel()
                raise
            for one in done - {mine}:
                error = one.exception() if not one.cancelled() else None
                if error is None:
                    continue
                logger.error("%s: a task failed", self.name, exc_info=error)
                self.end(f"an error of its own: {error!r}")
                if not self._quoting and not mine.done():
                    mine.cancel()
                    await asyncio.gather(mine, return_exceptions=True)
                    raise error
        await mine

    def heed_signals(self) -> None:
        """Have SIGINT, SIGTERM and SIGUSR1 end `run`, with all quotes withdrawn.

        Call it in the running loop. Windows has no such handlers: there Ctrl-C cancels `run`, which
        withdraws the quotes as well.
        """
        loop = asyncio.get_running_loop()
        for name in ("SIGINT", "SIGTERM", "SIGUSR1"):
            number = getattr(signal, name, None)
            if number is not None:
                with contextlib.suppress(NotImplementedError):
                    loop.add_signal_handler(number, self.end, f"{name} received")

    # ---- events

    async def _listen(self, name: str) -> None:
        account = self._accounts[name]
        async for event in self._shared.exchanges[name].events():
            if isinstance(event, Fill):
                account.filled(event)
            else:
                if isinstance(event, Account):
                    account.told(event)
                self._routes.route(name, event)
        if not self._ending.is_set():
            raise ConnectionError(f"{name}: its streams have ended")

    async def _run_desk(self, desk: HedgeDesk) -> None:
        wake = self._routes.desk_wake(desk)
        while not self._ending.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(wake.wait(), _DESK_SECONDS)
            wake.clear()
            if not self._ending.is_set():
                await desk.step(self._shared.clock_ms())

    # ---- while it runs

    async def _watch(self) -> None:
        """Wake the keepers, and end the maker when the kill file appears."""
        while not self._ending.is_set():
            if self._kill_file is not None and self._kill_file.exists():
                self.end(f"the kill file {str(self._kill_file)!r} is there")
                return
            for keeper in self.keepers:
                keeper.wake()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ending.wait(), _TICK_SECONDS)

    async def _housekeeping(self) -> None:
        """Arm the exchanges' switches, mark the accounts, note the state."""
        looked = self._shared.clock_ms()
        while True:
            now = self._shared.clock_ms()
            await self._switches.arm()
            for keeper in self.keepers:
                keeper.mark(now)
            if now - looked >= _MINUTE_MS:
                looked = now
                self._shared.note("minute")
            await asyncio.sleep(1.0)

    async def _compare(self, name: str) -> None:
        """Compare an account now and then; an exchange that is silent delays nothing else."""
        account, settled = self._accounts[name], self._shared.clock_ms()
        while True:
            await asyncio.sleep(1.0)
            now = self._shared.clock_ms()
            if not 0 <= now - settled < _SETTLE_MS or account.is_off(now):
                settled = now
                await self._shared.settle(name)
