"""The best level of a policy's ladder, as the distance that a bot with one order a side quotes."""

import math

from advanced_mm.parameter_files import Settings
from advanced_mm.policies import Level, MarketState, Policy, VolatilityEstimator
from advanced_mm.policies.paced import PacedPolicy
from advanced_mm.quoting.edge import Side

__all__ = ["PolicyQuotes"]

_MS_PER_SECOND = 1000.0


class PolicyQuotes:
    """A policy asked in the bot's units, see `Settings.quoting_policy`.

    The account it sees is what the bot's bounds allow: a unit is one of base currency, and the
    quote balance is what the units up to ``q_max`` cost. It decides where the order rests and
    whether it does; how large it is the bot decides.

    The volatility is measured on the mids of the looks, and the last refit's until there are enough
    of them; the usual one is the refit's.
    """

    def __init__(self, policy: Policy, settings: Settings) -> None:
        self._policy = policy
        self._q_min, self._q_max = settings.q_min, settings.q_max
        self._estimator = VolatilityEstimator()
        self.reason = ""
        """Why the last answer was None."""
        self.holds = False
        """Whether the last answer was None because the policy quotes the other side alone."""

    def depth(
        self,
        side: Side,
        inventory: int,
        touch: tuple[tuple[float, float], tuple[float, float]],
        fair_price: float,
        sigma: float | None,
        time_s: float,
        *,
        assumed: bool = False,
    ) -> float | None:
        """Return the distance of a side's best level from the fair price; None if it is empty.

        Parameters
        ----------
        side, inventory
            What would be quoted, and the units held.
        touch
            Best bid and ask: price (quote currency) and size (base currency, NaN if unknown).
        fair_price
            Quote currency. Where a skew leads beyond it the distance is negative.
        sigma
            The refit's volatility of the mid, quote currency per √second; None while unknown.
        time_s
            When the book was published, s since the epoch.
        assumed
            Whether the inventory is only thought of, so that nothing is remembered.
        """
        time_ms = round(time_s * _MS_PER_SECOND)
        (bid, _), (ask, _) = touch
        mid = (bid + ask) / 2
        seen = self._estimator.current if assumed else self._estimator.update(time_ms, mid)
        usual = math.nan if sigma is None else sigma / mid
        state = MarketState(
            time_ms=time_ms,
            bids=(touch[0],),
            asks=(touch[1],),
            inventory=float(inventory),
            quote_balance=(self._q_max - inventory) * mid,
            volatility=seen.effective if math.isfinite(seen.effective) else usual,
            usual_volatility=usual if math.isfinite(usual) else seen.long,
            fair_price=fair_price,
        )
        policy = self._policy
        if assumed and isinstance(policy, PacedPolicy):
            policy = policy.policy
        ladder = policy.ladder(state)
        levels: tuple[Level, ...] = ladder.bids if side == "bid" else ladder.asks
        self.reason = "" if levels else ladder.reason
        self.holds = not levels and bool(ladder.bids or ladder.asks)
        # Not every policy has bounds, and its own may be wider than the bot's.
        full = inventory >= self._q_max if side == "bid" else inventory <= self._q_min
        if levels and full:
            most = "most" if side == "bid" else "least"
            self.reason = f"the inventory is at its {most}, by the bounds of the bot"
            return None
        if not levels:
            return None
        return fair_price - levels[0].price if side == "bid" else levels[0].price - fair_price
