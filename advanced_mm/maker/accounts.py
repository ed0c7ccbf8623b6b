"""An account as the maker counts it, compared now and then with what the exchange says."""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Final

from advanced_mm.journal import Fill as FillEvent
from advanced_mm.journal import Look, NoJournalError, read_journal
from advanced_mm.maker.exchange import Account, Fill, MakerExchange
from advanced_mm.maker.holdings import Holdings

__all__ = ["AccountBook"]

logger = logging.getLogger(__name__)

_OVERLAP_MS: Final = 30_000
"""Fills are asked for from so long before the newest that is known."""
_MISSED_MS: Final = 86_400_000
"""Fills that were missed while no maker ran are looked for so far back."""
_UNTOLD_MS: Final = 300_000
"""A maker that died may have missed fills for so long before the last one that it recorded."""
_CLOCKS_MS: Final = 5_000
"""So much may an exchange's clock be behind ours."""
_TRIES: Final = 4
_MOST_TRIES: Final = 12
_TRY_SECONDS: Final = 0.25
"""A fill may be in the account before it is told: it is waited for."""
_QUIET_MS: Final = 2_000


class AccountBook:
    """One account's holdings, with each fill counted once, and the comparison with the exchange.

    Parameters
    ----------
    name, exchange
        Whose account it is, and the exchange's name in the configuration.
    on_fill
        Gets that name and each fill that is new.
    """

    def __init__(
        self, name: str, exchange: MakerExchange, on_fill: Callable[[str, Fill], None]
    ) -> None:
        self.holdings = Holdings()
        self._name = name
        self._exchange = exchange
        self._on_fill = on_fill
        self._lock = asyncio.Lock()
        self._told: Account | None = None
        self._recorded: set[tuple[str, str]] = set()
        self._symbols: tuple[str, ...] = ()
        self._from_ms = self._first_ms = 0
        self._begun = False
        self._sure_ms = 0
        self._early: list[Fill] = []

    def begin(self, journal: Path | None) -> None:
        """Learn from an earlier run's journal which fills are known, and since when it ran.

        Raises
        ------
        NewerVersionError
            The journal is of a later version of this program.
        """
        if journal is None:
            return
        try:
            found = read_journal(journal, columns={FillEvent: ("fill", "order"), Look: ("what",)})
        except NoJournalError:  # the first run
            return
        fills = found.table(FillEvent).to_pylist()
        self._recorded = {(row["order"], row["fill"]) for row in fills}
        times = [row["time_ms"] for row in (*fills, *found.table(Look).to_pylist())]
        if times:
            self._first_ms = min(times) - _CLOCKS_MS
            self._from_ms = max([row["time_ms"] for row in fills], default=min(times))

    async def first(self) -> None:
        """Learn what is held; fills from before are no longer counted, but those missed are told.

        Raises
        ------
        ConnectionError
            The exchange does not answer.
        """
        account = await self._exchange.account()
        self.holdings.adopt(account)
        self._symbols = self.holdings.symbols()
        since = account.time_ms - _OVERLAP_MS
        if self._from_ms:
            since = min(self._from_ms, since) - _UNTOLD_MS
            since = max(since, self._first_ms, account.time_ms - _MISSED_MS)
        for symbol in self._symbols:
            for fill in await self._exchange.fills_since(symbol, since):
                if fill.time_ms <= account.time_ms:
                    self.holdings.remember([fill])
                    if self._from_ms and (fill.order_id, fill.fill_id) not in self._recorded:
                        self._on_fill(self._name, fill)
        self._sure_ms = account.time_ms
        self._begun = True
        for fill in self._early:
            self.filled(fill)
        self._early.clear()

    def filled(self, fill: Fill) -> None:
        """Count a fill, unless it was counted before."""
        if not self._begun:
            self._early.append(fill)
        elif self.holdings.filled(fill):
            self._on_fill(self._name, fill)

    def told(self, account: Account) -> None:
        """Take in what the exchange tells of its own accord."""
        self._told = account
        self.holdings.told(account)

    def is_off(self, now_ms: int) -> bool:
        """Return whether a told account differs from ours though nothing was filled lately."""
        told = self._told
        if not self._begun or told is None or now_ms - self.holdings.last_fill_ms < _QUIET_MS:
            return False
        return bool(self.holdings.differences(told))

    async def settle(self) -> None:
        """Compare with the exchange: fetch fills that were not told; if that is not it, believe it.

        A snapshot of the account is some milliseconds old when it comes, and a fill may have been
        told since: it is believed against our fills only if it is off by the same each time, with
        nothing filled meanwhile. While fills come so fast that this cannot be said, ours stand.

        Raises
        ------
        ConnectionError, OrderDoubtError
            The exchange does not answer.
        """
        async with self._lock:
            newest = self.holdings.last_fill_ms
            found: tuple[int, list[str]] = (-1, [])
            same = 0
            for attempt in range(_MOST_TRIES):
                if attempt:
                    await asyncio.sleep(_TRY_SECONDS)
                if attempt % _TRIES == 0:
                    await self._fetch_fills()
                account = await self._exchange.account()
                before, found = found, (self.holdings.fills, self.holdings.differences(account))
                if not found[1]:
                    self._believe(account, newest)
                    return
                same = same + 1 if found == before else 1
                if same == _TRIES:
                    logger.warning(
                        "%s: the account differs from our fills and is believed: %s",
                        self._name,
                        "; ".join(found[1]),
                    )
                    self._believe(account, newest)
                    return
            logger.info(
                "%s: fills come too fast to compare the account; later: %s",
                self._name,
                "; ".join(found[1]),
            )

    async def _fetch_fills(self) -> None:
        for symbol in self._symbols:
            for fill in await self._exchange.fills_since(symbol, self._sure_ms - _OVERLAP_MS):
                self.filled(fill)

    def _believe(self, account: Account, newest_ms: int) -> None:
        """Start from an account; fills up to the newest that was known before are all counted."""
        self.holdings.adopt(account)
        self._told = None
        self._sure_ms = max(self._sure_ms, newest_ms)
