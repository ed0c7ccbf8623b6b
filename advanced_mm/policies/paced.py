"""A policy whose prices are renewed only every so often."""

import math

from advanced_mm.policies.ladder import EMPTY, Ladder, Level
from advanced_mm.policies.policy import Policy
from advanced_mm.policies.sides import side_of
from advanced_mm.policies.state import MarketState

__all__ = ["PacedPolicy"]

_MS_PER_SECOND = 1000.0


class PacedPolicy:
    """Keeps a policy's ladder from the first look of a bar until the bar is over.

    Bars begin at whole multiples of their length by the exchange's clock. Prices stay; sizes are
    cut to what the policy would trade now, from the worst level inwards, so that fills within a bar
    never lead beyond its bounds. A side that the policy withdraws within a bar is empty at once and
    comes back with the next bar. Use one for each market: it remembers the last ladder.
    """

    def __init__(self, policy: Policy, seconds: float) -> None:
        self.policy = policy
        self.update_seconds = seconds
        self._bar = -math.inf
        self._ladder = EMPTY

    @property
    def name(self) -> str:
        """The name of the policy that is paced."""
        return self.policy.name

    def ladder(self, state: MarketState) -> Ladder:
        """Return the bar's ladder, less what the policy would no longer trade."""
        now = self.policy.ladder(state)
        bar = state.time_ms // (self.update_seconds * _MS_PER_SECOND)
        if bar != self._bar:
            self._bar, self._ladder = bar, now
            return now
        kept = self._ladder
        if not (now.bids and now.asks):
            kept = self._ladder = Ladder(
                kept.bids if now.bids else (), kept.asks if now.asks else (), now.reason
            )
        bids, asks = _cut(kept.bids, -1, now.bids), _cut(kept.asks, 1, now.asks)
        waits = [
            f"no {name}: withdrawn until the next bar"
            for name, rests, wanted in (("bids", bids, now.bids), ("asks", asks, now.asks))
            if wanted and not rests
        ]
        reason = "; ".join([now.reason] * bool(now.reason) + waits)
        same = (bids, asks, reason) == (kept.bids, kept.asks, kept.reason)
        return kept if same else Ladder(bids, asks, reason)


def _cut(kept: tuple[Level, ...], sign: int, now: tuple[Level, ...]) -> tuple[Level, ...]:
    """Return kept levels whose sizes together do not exceed those of now."""
    room = math.fsum(level.size for level in now)
    if math.fsum(level.size for level in kept) <= room * (1.0 + 1e-12):
        return kept
    return side_of(((level.price, level.size) for level in kept), sign, room)
