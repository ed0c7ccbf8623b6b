"""What a person is told of, when, and how often: the conditions that Prometheus' rules have too.

The rules of docker/monitoring/rules.yml are these, written by docs/tools/monitoring.py.
"""

import math
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

from advanced_mm.metrics.table import BY_NAME, Sample

__all__ = ["ALERTS", "Alert", "AlertBook"]

REPEAT_SECONDS: Final = 900.0
"""The same alert is told at most this often, however often it clears and comes back."""
_MOST, _WITHIN_SECONDS = 6, 600.0
"""Messages in all within that time; the others wait."""


@dataclass(frozen=True)
class Alert:
    """A condition on a metric that lasts.

    Attributes
    ----------
    name
        As in Prometheus.
    metric
        Of the table.
    of
        What is compared with the limit: the ``value``, its ``size`` without the sign, or the
        ``age`` of a time.
    beyond
        ``above`` or ``below`` the limit it is wrong; ``reached`` counts the limit itself.
    limit
        In the metric's unit, of an age in seconds.
    for_seconds
        How long it must have been wrong.
    severity
        ``critical`` where nothing is quoted or money may be lost, else ``warning``.
    what, remedy
        In words.
    """

    name: str
    metric: str
    of: Literal["value", "size", "age"]
    beyond: Literal["above", "below", "reached"]
    limit: float
    for_seconds: float
    severity: Literal["warning", "critical"]
    what: str
    remedy: str

    @property
    def expression(self) -> str:
        """The condition in PromQL."""
        name = BY_NAME[self.metric].full_name
        compared = {"value": name, "size": f"abs({name})", "age": f"time() - {name}"}[self.of]
        sign = {"above": ">", "below": "<", "reached": ">="}[self.beyond]
        return f"{compared} {sign} {self.limit:g}"

    def wrong(self, value: float, now_s: float) -> bool:
        """Whether a value is beyond the limit at that time; one that is not known is not."""
        compared = {"value": value, "size": abs(value), "age": now_s - value}[self.of]
        if self.beyond == "below":
            return compared < self.limit
        return compared > self.limit or (self.beyond == "reached" and compared == self.limit)


ALERTS: Final = (
    Alert(
        "ParametersStale", "parameters_published_timestamp_seconds", "age", "above", 120.0, 0.0,
        "critical", "the newest parameters were published too long ago",
        "is the runner running? see its log",
    ),
    Alert(
        "DataStale", "parameters_fitted_timestamp_seconds", "age", "above", 120.0, 0.0,
        "critical", "the newest parameters rest on old data",
        "is the collector running, and does the venue send? see its log",
    ),
    Alert(
        "RecordingSilent", "recording_newest_timestamp_seconds", "age", "above", 60.0, 0.0,
        "critical", "nothing has been written to the recording for a minute",
        "see the collector's log, the network and the disk",
    ),
    Alert(
        "InventoryAtLimit", "inventory_limit_ratio", "value", "reached", 1.0, 1800.0,
        "warning", "as much is held as may be, for half an hour",
        "does an exit rest? FreqUI and the journal say why not",
    ),
    Alert(
        "Drawdown", "drawdown_limit_ratio", "value", "reached", 0.5, 0.0,
        "critical", "half of the drawdown at which entries pause has been lost",
        "look at the performance report",
    ),
    Alert(
        "BudgetLow", "requests_left", "value", "below", 1000.0, 0.0,
        "warning", "the venue allows fewer than 1000 further requests",
        "requests are earned by trading: replace quotes less often (requote_loss_percent, "
        "min_quote_age_seconds)",
    ),
    Alert(
        "LoopLate", "loop_timestamp_seconds", "age", "above", 30.0, 0.0,
        "critical", "no loop has begun for half a minute",
        "see the log: does the exchange answer, is the processor busy?",
    ),
    Alert(
        "ClockOff", "clock_offset_seconds", "size", "above", 5.0, 60.0,
        "warning", "this machine's clock and the venue's are more than 5 s apart",
        "set the clock: timedatectl set-ntp true",
    ),
)  # fmt: skip
"""All alerts on metrics."""


@dataclass
class _Known:
    """Since when a condition holds (None: it does not), whether it is told, and when it was."""

    since: float | None = None
    told: bool = False
    told_at: float = -math.inf


class AlertBook:
    """Decides which messages are sent: each alert once until it clears, and then that it has.

    One that comes and goes is told once in a quarter of an hour, and of all together there are at
    most six messages in ten minutes; what still holds is told later.

    Parameters
    ----------
    alerts
        What is watched.
    """

    def __init__(self, alerts: Iterable[Alert] = ALERTS) -> None:
        self._alerts = tuple(alerts)
        self._known: dict[tuple[str, tuple[str, ...]], _Known] = {}
        self._sent: deque[float] = deque()

    def look(self, samples: Iterable[Sample], now_s: float) -> list[str]:
        """Return the messages that are due, in Markdown as Telegram reads it.

        Parameters
        ----------
        samples
            All that is known.
        now_s
            Seconds since 1970.
        """
        while self._sent and now_s - self._sent[0] >= _WITHIN_SECONDS:
            self._sent.popleft()
        by_metric: dict[str, list[Sample]] = {}
        for sample in samples:
            by_metric.setdefault(sample.metric, []).append(sample)
        found = (
            self._judged(alert, sample, now_s)
            for alert in self._alerts
            for sample in by_metric.get(alert.metric, ())
        )
        return [message for message in found if message is not None]

    def _judged(self, alert: Alert, sample: Sample, now_s: float) -> str | None:
        known = self._known.setdefault((alert.name, sample.labels), _Known())
        if not alert.wrong(sample.value, now_s):
            known.since = None
            if known.told and self._may_send(now_s):
                known.told = False
                return f"Over: {_named(alert, sample)}."
            return None
        known.since = now_s if known.since is None else known.since
        if known.told or now_s - known.since < alert.for_seconds:
            return None
        if now_s - known.told_at < REPEAT_SECONDS or not self._may_send(now_s):
            return None
        known.told, known.told_at = True, now_s
        return f"{alert.severity.capitalize()}: {_named(alert, sample)}: `{alert.what}`. " + (
            f"To do: `{alert.remedy}`."
        )

    def _may_send(self, now_s: float) -> bool:
        if len(self._sent) >= _MOST:
            return False
        self._sent.append(now_s)
        return True


def _named(alert: Alert, sample: Sample) -> str:
    place = ", ".join(label for label in sample.labels if label)
    return f"{alert.name} (`{place}`)" if place else alert.name
