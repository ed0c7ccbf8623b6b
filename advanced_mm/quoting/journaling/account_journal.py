"""With real orders: fills, funding and money for the journal, as the venue has them on record."""

from typing import Final

from advanced_mm.instruments import dex_of
from advanced_mm.journal import Fill, Funding, Look, NoJournalError, RequestsUsed, read_journal
from advanced_mm.quoting.journaling.account_records import HOUR_MS, AccountRecords, payment_key
from advanced_mm.quoting.journaling.journal_memory import Books, JournalMemory, harmless

__all__ = ["AccountJournal"]

FILLS_EVERY_MS: Final = 30_000  # weight 20, and only where something was filled
EARLIER_RUN_MS: Final = 86_400_000
"""So long a bot may have been down for its fills of that time to be told when it is back."""
UNTOLD_MS: Final = 3_600_000
"""So long before its last look a bot that was killed may not have told of a fill."""
FIRST_FUNDING_MS: Final = 20_000
LATE_FUNDING_MS: Final = 600_000
FUNDING_AGAIN_MS: Final = 60_000


class AccountJournal:
    """Tells what the venue has on record of a bot's account.

    Parameters
    ----------
    memory
        Where to tell it.
    records
        The venue's, installed.
    """

    def __init__(self, memory: JournalMemory, records: AccountRecords) -> None:
        self.memory = memory
        self._records = records
        self._requests: tuple[int, int] | None = None
        self._fills_missing = self._funding_missing = False
        self._fills_due_ms = self._funding_due_ms = 0
        self._settled_hour_ms = 0

    @harmless
    def find_earlier_run(self) -> None:
        """Go on where this bot's last run ended, so that fills meanwhile are told, and once."""
        since = self.memory.now_ms() - EARLIER_RUN_MS
        try:
            journal = read_journal(self.memory.writer.folder, since_ms=since)
        except NoJournalError:  # the first run
            return
        looks = journal.table(Look).to_pylist()
        own = [one for one in looks if one["bot"] == self.memory.bot and one["source"] == "venue"]
        if own:
            # It may not have told yet what was filled before its last look.
            last = max(one["time_ms"] for one in own)
            recent = [one["time_ms"] for one in own if one["time_ms"] >= last - UNTOLD_MS]
            self._records.since_ms = min(recent)
            self._records.seen |= set(journal.table(Fill)["fill"].to_pylist())
            payments = journal.table(Funding).to_pylist()
            self._records.seen |= {payment_key(one["coin"], one["time_ms"]) for one in payments}
            self._fills_missing = self._funding_missing = True

    def something_filled(self) -> None:
        """There is a fill that the venue may not have told yet."""
        self._fills_missing = True

    def take(self, *, last: bool = False) -> None:
        """Tell what is new on record, and ask for what may be.

        Raises
        ------
        ccxt.BaseError
            The venue does not answer.
        """
        records, now = self._records, self.memory.now_ms()
        if records.since_ms is None:
            return
        if last or (self._fills_missing and now >= self._fills_due_ms):
            self._fills_due_ms = now + FILLS_EVERY_MS
            self._fills_missing = not records.ask_fills()
        if self._funding_missing or self._funding_is_due(now, last):
            self._funding_due_ms = now + FUNDING_AGAIN_MS
            records.ask_funding()
            self._funding_missing = False
        if last:
            records.ask_requests()
        fills, payments = records.news(self.memory.coins.keys())
        for fill in fills:
            self.memory.tell_fill(fill, "taker" if fill.crossed else "maker", fill.position_after)
            quote = self.memory.sent.get(fill.order)
            if quote is not None and not quote.ended:
                quote.filled += fill.size
        for one in payments:
            self.memory.tell_funding(one.time_ms, one.coin, one.amount, one.position)
        if records.requests is not None and records.requests != self._requests:
            self._requests = used, allowed = records.requests
            self.memory.writer.record(
                RequestsUsed(time_ms=now, coin="", bot=self.memory.bot, used=used, allowed=allowed)
            )

    def look(self) -> Books:
        """The account now; raises as `take`."""
        coins = self.memory.coins
        states = self._records.ask_states(coins)
        first = min(state.time_ms for state in states.values())
        if self._records.since_ms is None:
            self._records.since_ms = first
        positions = {coin: states[dex_of(coin)].positions.get(coin, 0.0) for coin in coins}
        for coin, held in positions.items():
            known = coins[coin].positions
            if not known:
                known.append((first, held))
            elif abs(known[-1][1] - held) > 1e-9 * max(1.0, abs(held)):
                self._fills_missing = True  # something was filled that we have not heard of
        return Books(
            "venue",
            first,
            positions,
            {coin: mark for one in states.values() for coin, mark in one.marks.items()},
            sum(one.cash for one in states.values()),
            sum(one.equity for one in states.values()),
        )

    def _funding_is_due(self, now: int, last: bool) -> bool:
        """Whether a position was held over the last full hour whose payment is not known yet."""
        hour = now - now % HOUR_MS
        if hour <= max(self._settled_hour_ms, self._records.since_ms or 0):
            return False
        held = any(coin.position_at(hour) for coin in self.memory.coins.values())
        known = self._records.newest_funding_ms >= hour
        if not held or known or now > hour + LATE_FUNDING_MS:
            self._settled_hour_ms = hour
            return False
        return last or now >= max(hour + FIRST_FUNDING_MS, self._funding_due_ms)
