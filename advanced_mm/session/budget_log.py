"""A live session's use of the venue's two request budgets."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["BudgetLog"]

MINUTE_SECONDS = 60.0


@dataclass
class BudgetLog:
    """Follows the venue's counters: REST weight in the last minute, actions of all addresses.

    Averages start one minute after actions were first seen, because the start of a session costs
    more than what follows. ``clock`` is real time in seconds.
    """

    clock: Callable[[], float] = time.monotonic
    weight: int | None = None
    most_weight: int = 0
    refused: int = 0
    _started: tuple[float, int] | None = None
    _settled: tuple[float, int] | None = None
    _last: tuple[float, int] | None = None
    _weights: list[int] = field(default_factory=list)

    def note(self, state: Mapping[str, Any] | None) -> None:
        """Record the counters of a state from the venue's admin interface."""
        if state is None:
            return
        rest = state["limits"]["rest"].values()
        self.weight = sum(int(one["weight"]) for one in rest)
        self.refused = sum(int(one["refused"]) for one in rest)
        used = sum(int(one["requests_used"]) for one in state["accounts"].values())
        now = self.clock()
        if self._started is None:
            if used:
                self._started = (now, used)
            return
        self._last = (now, used)
        if now - self._started[0] >= MINUTE_SECONDS:
            self._settled = self._settled or self._last
            self._weights.append(self.weight)
            self.most_weight = max(self.most_weight, self.weight)

    @property
    def mean_weight(self) -> float | None:
        """Mean of the last minute's weight, None during the first minute."""
        return sum(self._weights) / len(self._weights) if self._weights else None

    @property
    def actions_a_minute(self) -> float | None:
        """Actions per minute since the end of the first minute; None before."""
        if self._settled is None or self._last is None or self._last[0] <= self._settled[0]:
            return None
        seconds = self._last[0] - self._settled[0]
        return (self._last[1] - self._settled[1]) / seconds * MINUTE_SECONDS

    def summary(self) -> dict[str, Any]:
        """Return the figures as ``--summary`` writes them."""
        return {
            "rest_weight_a_minute": None if self.mean_weight is None else round(self.mean_weight),
            "most_rest_weight_a_minute": self.most_weight or None,
            "rest_requests_refused": self.refused,
            "actions_a_minute": (
                None if self.actions_a_minute is None else round(self.actions_a_minute, 2)
            ),
        }
