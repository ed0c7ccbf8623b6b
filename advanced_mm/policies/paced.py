"""A policy whose prices are renewed only every so often."""

from dataclasses import replace

from advanced_mm.policies.ladder import EMPTY, Ladder
from advanced_mm.policies.policy import Policy
from advanced_mm.policies.state import MarketState

__all__ = ["PacedPolicy"]

_MS_PER_SECOND = 1000.0


class PacedPolicy:
    """Gives a policy's ladder of the bar's first look until the bar is over.

    Bars begin at whole multiples of their length by the exchange's clock. A side that the policy
    withdraws within a bar is empty at once, and comes back with the next bar. One for each market:
    it remembers the last ladder.
    """

    def __init__(self, policy: Policy, seconds: float) -> None:
        self.policy = policy
        self.update_seconds = seconds
        self._bar = -1.0
        self._ladder = EMPTY

    @property
    def name(self) -> str:
        """The name of the policy that is paced."""
        return self.policy.name

    def ladder(self, state: MarketState) -> Ladder:
        """Return the bar's ladder, less the sides that are withdrawn by now."""
        now = self.policy.ladder(state)
        bar = state.time_ms // (self.update_seconds * _MS_PER_SECOND)
        if bar != self._bar:
            self._bar, self._ladder = bar, now
        elif not (now.bids and now.asks):
            kept = self._ladder
            self._ladder = replace(
                now, bids=kept.bids if now.bids else (), asks=kept.asks if now.asks else ()
            )
        return self._ladder
