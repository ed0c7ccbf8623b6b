"""Journal of quotes sent and the inputs of their prices, for audits and the paper session."""

import json
import logging
from dataclasses import asdict
from datetime import datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path

from advanced_mm.quoting.quoter import Quote

__all__ = ["QuoteJournal"]


class QuoteJournal:
    """Appends quotes as JSON lines to a file that rotates at 10 MB and keeps five old files.

    A line has the fields of ``Quote``, ``coin``, ``at`` (UTC, ISO 8601) and ``sent_price``, the
    price after Freqtrade's own checks, in the quote currency. A line with ``refusal`` gives the
    reason for not quoting, one with ``bad_rows`` the invalid rows skipped so far.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._handler = RotatingFileHandler(
            path, maxBytes=10_000_000, backupCount=5, encoding="utf-8"
        )
        self._handler.setFormatter(logging.Formatter("%(message)s"))

    def record(self, coin: str, quote: Quote, sent_price: float, at: datetime) -> None:
        """Write a quote as one line, in a single write so that readers see whole lines only."""
        line = {"at": at.isoformat(), "coin": coin, "sent_price": sent_price, **asdict(quote)}
        self._handler.emit(logging.makeLogRecord({"msg": json.dumps(line)}))

    def record_refusal(self, coin: str, reason: str, at: datetime) -> None:
        """Write the reason for not quoting as one line."""
        line = {"at": at.isoformat(), "coin": coin, "refusal": reason}
        self._handler.emit(logging.makeLogRecord({"msg": json.dumps(line)}))

    def record_bad_rows(self, told: str, at: datetime) -> None:
        """Write the invalid rows of venue replies and files skipped so far as one line."""
        line = {"at": at.isoformat(), "bad_rows": told}
        self._handler.emit(logging.makeLogRecord({"msg": json.dumps(line)}))

    def close(self) -> None:
        """Release the file."""
        self._handler.close()
