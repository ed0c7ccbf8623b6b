"""Log of refusals and skipped rows, without repetition; the journal gets them, too."""

import logging
from collections import Counter
from datetime import UTC, datetime, timedelta

from advanced_mm.bad_rows import BadRows
from advanced_mm.quoting.journaling.trade_journal import TradeJournal
from advanced_mm.quoting.quoter import kind_of

__all__ = ["QuoteLog"]

logger = logging.getLogger(__name__)

REPEAT = timedelta(seconds=60)


class QuoteLog:
    """Logs why nothing is quoted and which rows were skipped; also writes both to the journal.

    Parameters
    ----------
    bad_rows
        Counter of the rows skipped in replies and files.
    repeats
        Whether a refusal is logged again every minute; in a backtest each kind is logged once, and
        `counts` tells how often it came.
    """

    def __init__(self, bad_rows: BadRows, *, repeats: bool) -> None:
        self.journal: TradeJournal | None = None
        self._bad_rows = bad_rows
        self._repeats = repeats
        self._counts: Counter[tuple[str, str]] = Counter()
        self._refusals: dict[str, tuple[datetime, str]] = {}
        self._rows_logged_at = datetime.min.replace(tzinfo=UTC)

    def refusal(self, pair: str, coin: str, reason: str, now: datetime) -> None:
        """Log why a pair is not quoted, if the reason is new or a minute has passed."""
        if self.journal is not None:
            self.journal.refused(coin, reason)
        kind = kind_of(reason)
        if not self._repeats:
            self._counts[pair, kind] += 1
            if self._counts[pair, kind] == 1:
                logger.warning("%s: not quoting: %s", pair, reason)
            return
        last = self._refusals.get(pair)
        if last is None or last[1] != kind or now - last[0] >= REPEAT:
            logger.warning("%s: not quoting: %s", pair, reason)
            self._refusals[pair] = (now, kind)

    def counts(self) -> list[str]:
        """Return how often each kind of refusal came in a backtest, most frequent first."""
        return [f"{pair}: {kind}: {n}" for (pair, kind), n in self._counts.most_common()]

    def skipped_rows(self, now: datetime) -> None:
        """Log newly skipped rows, at most once a minute."""
        if now - self._rows_logged_at < REPEAT:
            return
        news = self._bad_rows.news()
        if news is not None:
            self._rows_logged_at = now
            logger.warning("skipped so far: %s", news)
            if self.journal is not None:
                self.journal.bad_rows(news)
