"""The maker: one process, several markets and exchanges."""

import asyncio
import contextlib
import logging
import signal
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from advanced_mm.errors import InputError
from advanced_mm.journal import JournalWriter
from advanced_mm.maker.accounts import AccountBook
from advanced_mm.maker.client_ids import ClientIds
from advanced_mm.maker.desk import DeskRoom, HedgeDesk, Place
from advanced_mm.maker.exchange import (
    Account,
    Event,
    Fill,
    MakerExchange,
    MarketRules,
    OrderDoubtError,
    OrderUpdate,
    Reconnected,
    TellsFundingRates,
)
from advanced_mm.maker.keeper import Keeper
from advanced_mm.maker.records import Records, coin_name
from advanced_mm.maker.setup import MarketSetup
from advanced_mm.maker.start_check import check_start, moves_allowed
from advanced_mm.maker.views import MarketView
from advanced_mm.quoting.journaling.last_mark import last_mark

__all__ = ["Maker"]

logger = logging.getLogger(__name__)

_TICK_SECONDS: Final = 0.1
"""How often it is looked whether something is due, the kill file among it."""
_DESK_SECONDS: Final = 0.25
_FIRST_BOOK_SECONDS: Final = 15.0
_MINUTE_MS: Final = 60_000
_SETTLE_MS: Final = 30_000
"""How often the accounts are compared with what the fills say."""
_FUNDING_SECONDS: Final = 30.0
"""How often funding rates are asked for, and how long that may take."""
_ROUND_SECONDS: Final = 0.7
"""How long a round of requests that is under way may delay the withdrawal."""
_ARM_AGAIN_SECONDS: Final = 6 * 3600.0
"""An account that may not use the switch asks again: it may have traded enough by then."""
_LAST_SETTLE_SECONDS: Final = 10.0
"""How long the accounts are compared for a last time, after all quotes are gone."""
_WITHDRAW_SECONDS: Final = 60.0
"""How long an exchange that does not answer is asked again to withdraw the quotes."""


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
        self.name = name
        self.keepers: list[Keeper] = []
        self.why_ended = ""
        self.left_behind: list[str] = []
        """After the end: markets in which orders may still rest, as their exchange was silent."""
        self.left_open: list[str] = []
        """After the end: what hedges hold, and which stops protect it, in words."""
        self._exchanges, self._markets = dict(exchanges), list(markets)
        self._journal, self._clock_ms, self._kill_file = journal, clock_ms, kill_file
        self._accounts = {
            one: AccountBook(one, exchange, self._route) for one, exchange in exchanges.items()
        }
        self._rules: dict[Place, MarketRules] = {}
        self._by_place: dict[Place, Keeper] = {}
        self._desks_of: dict[str, list[tuple[HedgeDesk, frozenset[str]]]] = {}
        self._desk_wakes: dict[int, asyncio.Event] = {}
        self._ending = asyncio.Event()
        self._ended = asyncio.Event()
        self._running = self._quoting = False
        self._arm_at_s: dict[str, float] = {}
        self._armed: set[str] = set()
        self._check_setups()

    def _check_setups(self) -> None:
        seen: set[Place] = set()
        for one in self._markets:
            place = (one.exchange, one.symbol)
            needed = [place, *(one.desk.needs if one.desk is not None else ())]
            for exchange, _ in needed:
                if exchange not in self._exchanges:
                    known = ", ".join(sorted(self._exchanges)) or "none"
                    raise InputError(
                        f"{one.symbol}: exchange {exchange!r} is not among the exchanges: {known}."
                    )
            if place in seen:
                raise InputError(
                    f"{one.symbol} on {one.exchange} is set up twice: leave one of the markets out."
                )
            seen.add(place)
        hedged: set[Place] = set()
        for one in self._markets:
            for place in one.desk.needs if one.desk is not None else ():
                if place != (one.exchange, one.symbol) and place in seen | hedged:
                    raise InputError(
                        f"{one.symbol} is hedged on {place[1]} of {place[0]}, where another market "
                        "is quoted or hedged: their positions could not be told apart. Choose "
                        "another market for the hedge."
                    )
                hedged.add(place)
        if not self._markets:
            raise InputError("The maker has no markets: add one to its configuration.")

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
            await self._open()
            if self._kill_file is not None and self._kill_file.exists():
                await self._clear(_WITHDRAW_SECONDS)
                raise InputError(
                    f"The kill file {str(self._kill_file)!r} exists: delete it to let the maker "
                    "quote."
                )
            tasks += [
                asyncio.create_task(self._listen(name), name=f"events of {name}")
                for name in self._exchanges
            ]
            try:
                await self._or_ended(self._begin(), tasks)
            except Exception:
                await self._clear(_LAST_SETTLE_SECONDS)
                raise
            quoting = [asyncio.create_task(one.run(), name="keeper") for one in self.keepers]
            desks = [
                asyncio.create_task(self._run_desk(one.desk), name="hedge desk")
                for one in self._markets
                if one.desk is not None
            ]
            self._quoting = True
            minute = asyncio.create_task(self._housekeeping(), name="housekeeping")
            comparing = [
                asyncio.create_task(self._compare(name), name=f"account of {name}")
                for name in self._accounts
            ]
            funding = [
                asyncio.create_task(self._heed_funding(name), name=f"funding at {name}")
                for name in self._exchanges
            ]
            tasks += [*quoting, *desks, *comparing, *funding, minute]
            try:
                await self._or_ended(self._watch(), tasks)
            finally:  # also if it is cancelled, as Ctrl-C does where signals have no handlers
                self.end("broken off")
                await self._withdraw(quoting, desks)
        finally:
            self._running = False
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await asyncio.gather(
                *(one.close() for one in self._exchanges.values()), return_exceptions=True
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

    # ---- the start

    async def _open(self) -> None:
        needed: dict[str, list[str]] = {name: [] for name in self._exchanges}
        for one in self._markets:
            needed[one.exchange].append(one.symbol)
            for exchange, symbol in one.desk.needs if one.desk is not None else ():
                needed[exchange].append(symbol)
        for name, symbols in needed.items():
            wanted = list(dict.fromkeys(symbols))
            found = await self._exchanges[name].open(wanted)
            for symbol in wanted:
                if symbol not in found:
                    raise InputError(f"{name} has no market {symbol!r}.")
                self._rules[name, symbol] = found[symbol]
            self._accounts[name].holdings.add_rules(found.values())
        for one in self._markets:
            place = (one.exchange, one.symbol)
            records = self._records(place)
            keeper = Keeper(
                one,
                self._exchanges[one.exchange],
                self._rules[place],
                self._accounts[one.exchange].holdings,
                ClientIds(self.name, *place),
                records,
                self._accounts[one.exchange].settle,
                self._clock_ms,
            )
            self.keepers.append(keeper)
            self._by_place[place] = keeper
            self._seat_desk(one)

    def _seat_desk(self, setup: MarketSetup) -> None:
        if setup.desk is None:
            return
        symbols: dict[str, set[str]] = {setup.exchange: {setup.symbol}}
        for exchange, symbol in setup.desk.needs:
            symbols.setdefault(exchange, set()).add(symbol)
        for exchange, some in symbols.items():
            self._desks_of.setdefault(exchange, []).append((setup.desk, frozenset(some)))
        self._desk_wakes[id(setup.desk)] = asyncio.Event()

    async def _begin(self) -> None:
        """Learn what is held and what rests, wait for the books, check, and open the desks."""
        for account in self._accounts.values():
            account.begin(self._journal.folder if self._journal is not None else None)
            await account.first()
        await self._first_books()
        now = self._clock_ms()
        for keeper in self.keepers:
            keeper.state = keeper.see(now)
            check_start(keeper.setup, keeper.rules, keeper.state)
            allowed = self._exchanges[keeper.setup.exchange].allowance()
            warning = moves_allowed(keeper.setup, keeper.state, allowed)
            if warning:
                logger.warning("%s", warning)
            if keeper.state is not None:
                keeper.profit.begin(keeper.state.mid, keeper.state.inventory)
                keeper.records.look("start", keeper.state, venue=True)
            self._resume_guards(keeper)
            await self._refuse_other_makers(keeper.setup)
            foreign = await self._foreign(keeper)
            if foreign:
                logger.warning(
                    "%s: %d orders that are not this maker's rest there and are left alone",
                    keeper.rules.symbol,
                    foreign,
                )
        for one in self._markets:
            if one.desk is not None:
                await one.desk.open(self._room(one))
        for keeper in self.keepers:
            keeper.wake()

    async def _first_books(self) -> None:
        deadline = asyncio.get_running_loop().time() + _FIRST_BOOK_SECONDS
        for keeper in self.keepers:
            while keeper.see(self._clock_ms()) is None:
                if asyncio.get_running_loop().time() > deadline:
                    raise InputError(
                        f"{keeper.rules.symbol}: {keeper.setup.exchange} has sent no book of both "
                        f"sides within {_FIRST_BOOK_SECONDS:g} s: is the market open?"
                    )
                await asyncio.sleep(0.02)

    async def _foreign(self, keeper: Keeper) -> int:
        """Return how many orders rest in a market that are neither quotes nor hedges of ours."""
        place = (keeper.setup.exchange, keeper.setup.symbol)
        own = (keeper.ids, self.ids(place, "hedge"))
        there = await self._exchanges[place[0]].open_orders(place[1])
        return sum(not any(ids.owns(one.client_id) for ids in own) for one in there)

    async def _refuse_other_makers(self, setup: MarketSetup) -> None:
        """Two makers would undo each other's inventory, and count each other's fills."""
        if setup.other_makers:
            return
        places = [(setup.exchange, setup.symbol), *(setup.desk.needs if setup.desk else ())]
        for exchange, symbol in dict.fromkeys(places):
            ours = [self.ids((exchange, symbol), role) for role in ("quote", "hedge")]
            for one in await self._exchanges[exchange].open_orders(symbol):
                theirs = not any(ids.owns(one.client_id) for ids in ours)
                if theirs and ClientIds.is_makers(one.client_id):
                    raise InputError(
                        f"{symbol} on {exchange}: orders of a maker of another name than "
                        f"{self.name!r} rest there: stop that maker, or cancel the orders it left, "
                        "or say other_makers: true for the market in the file."
                    )

    def _resume_guards(self, keeper: Keeper) -> None:
        if self._journal is not None:
            at = datetime.fromtimestamp(self._clock_ms() / 1000, UTC)
            mark = last_mark(self._journal.folder, keeper.mark_name, at)
            if mark is not None:
                keeper.resume(mark)

    def ids(self, place: Place, role: str = "hedge") -> ClientIds:
        """Return the client ids of a place, a desk's by default."""
        return ClientIds(self.name, *place, "quote" if role == "quote" else "hedge")

    def _room(self, setup: MarketSetup) -> DeskRoom:
        holdings = {name: one.holdings for name, one in self._accounts.items()}
        mine = holdings[setup.exchange]

        def quote_balance(mid: float) -> float:
            value = float(mine.inventory(setup.symbol)) * mid
            return setup.limits.quote_balance(mine.quote_balance(setup.symbol, mid), value)

        return DeskRoom(
            market=(setup.exchange, setup.symbol),
            exchanges=self._exchanges,
            rules=self._rules,
            holdings=holdings,
            ids=self.ids,
            inventory=lambda: mine.inventory(setup.symbol),
            quote_balance=quote_balance,
            records=self._records,
            state_file=self._hedge_file(setup),
        )

    def _hedge_file(self, setup: MarketSetup) -> Path | None:
        if self._journal is None:
            return None
        coin = coin_name(self._rules[setup.exchange, setup.symbol])
        return self._journal.folder / f"hedge.{self.name}.{setup.exchange}.{coin}.json"

    def _records(self, place: Place) -> Records:
        return Records(self._journal, f"{self.name}.{place[0]}", self._rules[place], self._clock_ms)

    # ---- events

    async def _listen(self, name: str) -> None:
        account = self._accounts[name]
        async for event in self._exchanges[name].events():
            if isinstance(event, Fill):
                account.filled(event)
            else:
                if isinstance(event, Account):
                    account.told(event)
                self._route(name, event)
        if not self._ending.is_set():
            raise ConnectionError(f"{name}: its streams have ended")

    def _route(self, name: str, event: Event) -> None:
        symbol = event.order.symbol if isinstance(event, OrderUpdate) else None
        if symbol is None and not isinstance(event, Account | Reconnected):
            symbol = event.symbol  # type: ignore[union-attr]
        if symbol is None:
            for keeper in self.keepers:
                if keeper.setup.exchange == name:
                    keeper.saw(event)
        elif (name, symbol) in self._by_place:
            self._by_place[name, symbol].saw(event)
        for desk, symbols in self._desks_of.get(name, ()):
            if symbol is None or symbol in symbols:
                desk.saw(name, event)
                self._desk_wakes[id(desk)].set()

    async def _run_desk(self, desk: HedgeDesk) -> None:
        wake = self._desk_wakes[id(desk)]
        while not self._ending.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(wake.wait(), _DESK_SECONDS)
            wake.clear()
            if not self._ending.is_set():
                await desk.step(self._clock_ms())

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
        looked = self._clock_ms()
        while True:
            now = self._clock_ms()
            await self._arm()
            for keeper in self.keepers:
                keeper.mark(now)
            if now - looked >= _MINUTE_MS:
                looked = now
                self._look("minute")
            await asyncio.sleep(1.0)

    async def _compare(self, name: str) -> None:
        """Compare an account now and then; an exchange that is silent delays nothing else."""
        account, settled = self._accounts[name], self._clock_ms()
        while True:
            await asyncio.sleep(1.0)
            now = self._clock_ms()
            if not 0 <= now - settled < _SETTLE_MS or account.is_off(now):
                settled = now
                await self._settle(name)

    async def _heed_funding(self, name: str) -> None:
        """Tell the guards what funding costs now; unknown rates forbid nothing."""
        exchange = self._exchanges[name]
        mine = [one for one in self.keepers if one.setup.exchange == name and not one.rules.spot]
        if not (mine and isinstance(exchange, TellsFundingRates)):
            return
        while True:
            rates: dict[str, float] = {}
            try:
                async with asyncio.timeout(_FUNDING_SECONDS):
                    rates = await exchange.funding_rates()
            except (ConnectionError, InputError, LookupError, TypeError, ValueError) as error:
                logger.warning("%s: funding rates not told: %s", name, str(error)[:200])
            except TimeoutError:
                logger.warning("%s: funding rates not told in time", name)
            for keeper in mine:
                keeper.guards.funding(keeper.rules.symbol, rates.get(keeper.rules.symbol))
            await asyncio.sleep(_FUNDING_SECONDS)

    def _look(self, what: str) -> None:
        for keeper in self.keepers:
            if keeper.state is not None:
                state = keeper.see(self._clock_ms()) or keeper.state
                keeper.records.look("end" if what == "end" else "minute", state, venue=True)
                keeper.remember_mark()

    async def _settle(self, name: str) -> None:
        try:
            await self._accounts[name].settle()
        except (ConnectionError, OrderDoubtError) as error:
            logger.warning("%s: the account is not told: %s", name, str(error)[:200])

    async def _arm(self) -> None:
        """Renew the dead man's switches once half of their time is over."""
        clock = asyncio.get_running_loop().time()
        for name, exchange in self._exchanges.items():
            seconds = [
                one.limits.dead_mans_switch_seconds
                for one in self._markets
                if one.exchange == name and one.limits.dead_mans_switch_seconds is not None
            ]
            if not seconds or clock < self._arm_at_s.get(name, 0.0):
                continue
            try:
                armed = await exchange.arm(min(seconds))
            except (ConnectionError, OrderDoubtError) as error:
                logger.warning("%s: dead man's switch not set: %s", name, str(error)[:200])
                self._arm_at_s[name] = clock + 1.0
                continue
            if armed:
                self._armed.add(name)
                self._arm_at_s[name] = clock + min(seconds) / 2
            else:
                logger.info("%s has no dead man's switch for this account", name)
                self._arm_at_s[name] = clock + _ARM_AGAIN_SECONDS

    # ---- the end

    async def _withdraw(
        self, quoting: Sequence[asyncio.Task[None]], desks: Sequence[asyncio.Task[None]]
    ) -> None:
        """Take everything off the book; a round under way is waited for first, shortly."""
        for keeper in self.keepers:
            keeper.end()
        await asyncio.wait([*quoting, *desks], timeout=_ROUND_SECONDS)
        for task in desks:
            task.cancel()
        # An exchange that is down must not delay what the others can withdraw at once.
        withdrawn = await asyncio.gather(
            self._withdraw_quotes(quoting, _WITHDRAW_SECONDS),
            *(self._withdraw_desk(one) for one in self._markets if one.desk is not None),
            return_exceptions=True,
        )
        for error in withdrawn:
            if isinstance(error, Exception):
                logger.error("%s: not all is withdrawn", self.name, exc_info=error)
                self.left_behind.append(repr(error)[:200])
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(
                asyncio.gather(*map(self._settle, self._accounts)), _LAST_SETTLE_SECONDS
            )
        self._look("end")
        if self.left_behind:
            self._tell_of_the_left()
            return  # with the switches as they are: they are what is left to cancel those orders
        for name in self._armed:
            with contextlib.suppress(ConnectionError, OrderDoubtError):
                await self._exchanges[name].arm(None)

    async def _clear(self, seconds: float) -> None:
        """Take off the books what an earlier run has left there: this one will not watch it."""
        await self._withdraw_quotes((), seconds)
        self._tell_of_the_left()

    def _tell_of_the_left(self) -> None:
        if self.left_behind:
            where = ", ".join(self.left_behind)
            logger.error("%s: orders may still rest in %s: look there", self.name, where)

    async def _withdraw_quotes(self, quoting: Sequence[asyncio.Task[None]], seconds: float) -> None:
        deadline = asyncio.get_running_loop().time() + seconds

        async def until_gone(keeper: Keeper) -> None:
            pause = 0.05
            while True:
                # What a round that is still under way places is only seen once it is over.
                over = all(task.done() for task in quoting)
                try:
                    if await keeper.withdraw() and over:
                        return
                except Exception:  # whatever it is, the orders must go
                    logger.exception("%s: not withdrawn yet", keeper.rules.symbol)
                if asyncio.get_running_loop().time() > deadline:
                    self.left_behind.append(f"{keeper.rules.symbol} on {keeper.setup.exchange}")
                    return
                await asyncio.sleep(pause)
                pause = min(2 * pause, 1.0)

        await asyncio.gather(*map(until_gone, self.keepers))

    async def _withdraw_desk(self, setup: MarketSetup) -> None:
        assert setup.desk is not None
        gone = await setup.desk.withdraw()
        if setup.desk.left_open:
            self.left_open.append(setup.desk.left_open)
        if not gone:
            places = ", ".join(f"{symbol} on {exchange}" for exchange, symbol in setup.desk.needs)
            self.left_behind.append(f"{places} (the hedge's)")
