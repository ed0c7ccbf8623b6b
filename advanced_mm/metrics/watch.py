"""A bot's metrics, offered to Prometheus if asked for, and the messages that are due about them."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from advanced_mm.metrics.alerts import ALERTS, Alert, AlertBook
from advanced_mm.metrics.trading import TradingMetrics

if TYPE_CHECKING:
    from advanced_mm.metrics.server import MetricsServer

__all__ = ["BotWatch"]

logger = logging.getLogger(__name__)

_EVERY: Final = timedelta(seconds=5)
_LATE_SECONDS: Final = 5.0
"""A loop that came sooner is not worth a look at the alerts."""


class BotWatch:
    """Takes in what a bot does.

    Parameters
    ----------
    bot
        Its name.
    alerts
        Whether messages are made.
    port
        Of 127.0.0.1, for Prometheus; None: nothing is offered.
    limits
        By the names of alerts, limits of this bot's own where they are above the usual ones.
    """

    def __init__(
        self,
        bot: str,
        *,
        alerts: bool,
        port: int | None,
        limits: Mapping[str, float] | None = None,
    ) -> None:
        self.metrics = TradingMetrics(bot)
        self._alerts = AlertBook(_with(limits or {})) if alerts else None
        self._looked: datetime | None = None
        self._pending: list[str] = []
        self._server = None if port is None else _served(port, self.metrics)
        self._failed = False

    def loop(self, began: datetime, ended: datetime) -> None:
        """A loop begins, and when the one before ended."""
        if self._server is not None or self._alerts is not None:
            self._note_late(began.timestamp())
            self.metrics.looped(began.timestamp(), ended.timestamp())

    def _note_late(self, now_s: float) -> None:
        """Have the book see that no loop came for long, before the one that has come hides it."""
        before = self.metrics.newest_loop
        if self._alerts is None or before is None or now_s - before.value < _LATE_SECONDS:
            return
        self._pending += self._alerts.look([before], now_s)

    def is_due(self, now: datetime) -> bool:
        """Whether it is time to take in what takes longer; once in five seconds."""
        if self._server is None and self._alerts is None:
            return False
        if self._looked is not None and timedelta(0) <= now - self._looked < _EVERY:
            return False
        self._looked = now
        return True

    def messages(self, now: datetime) -> list[str]:
        """Return the messages that are due."""
        if self._alerts is None:
            return []
        pending, self._pending = self._pending, []
        return pending + self._alerts.look(self.metrics.samples(), now.timestamp())

    def failed(self, text: str) -> None:
        """Log the exception that is being handled, once."""
        if not self._failed:
            self._failed = True
            logger.exception("%s", text)

    def close(self) -> None:
        """Offer nothing any longer."""
        if self._server is not None:
            self._server.close()


def _with(limits: Mapping[str, float]) -> list[Alert]:
    return [replace(one, limit=max(one.limit, limits.get(one.name, one.limit))) for one in ALERTS]


def _served(port: int, metrics: TradingMetrics) -> "MetricsServer":
    from advanced_mm.metrics.server import MetricsServer  # 10 MB that most bots do without

    return MetricsServer(port, metrics.samples)
