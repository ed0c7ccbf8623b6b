"""Avellaneda & Stoikov (2008): quotes around the price at which one is indifferent to trading.

*High-frequency trading in a limit order book*, Quantitative Finance 8 (3), 217–224.
"""

import math
from typing import Literal, Self

from pydantic import Field, model_validator

from advanced_mm.model import avellaneda_stoikov_terms, risk_adjusted_half_spread
from advanced_mm.policies.state import MarketState
from advanced_mm.policies.units import Depths, MeasuredSettings, UnitPolicy, linear_depths

__all__ = ["AvellanedaStoikovPolicy", "AvellanedaStoikovSettings"]

Horizon = Literal["session", "rolling", "infinite"]
_MS_PER_SECOND = 1000.0


class AvellanedaStoikovSettings(MeasuredSettings):
    """Settings of the model, and what its end is."""

    horizon: Horizon = Field(
        "rolling",
        description="session (ends at each full horizon_seconds of the exchange's clock), rolling "
        "(horizon_seconds are always left) or infinite (the paper's stationary quotes, whose skew "
        "follows from max_inventory alone)",
    )
    horizon_seconds: float | None = Field(
        None, gt=0, description="length of the session or time always left, seconds"
    )

    @model_validator(mode="after")
    def _horizon_is_whole(self) -> Self:
        if (self.horizon == "infinite") != (self.horizon_seconds is None):
            needs = "must be null with" if self.horizon == "infinite" else "must be set with"
            raise ValueError(
                f"horizon_seconds = {self.horizon_seconds} {needs} horizon = {self.horizon}"
            )
        return self

    def seconds_left(self, time_ms: int) -> float:
        """Return T - t, seconds."""
        length = self.horizon_seconds or math.inf
        if self.horizon == "session":
            return length - (time_ms / _MS_PER_SECOND) % length
        return length


class AvellanedaStoikovPolicy(UnitPolicy[AvellanedaStoikovSettings]):
    """The paper's quotes, with inventories in orders.

    With an end: reservation price s - qγσ²τ (equation 3.17) and spread γσ²τ + (2/γ)·ln(1 + γ/κ)
    (3.18), which does not depend on the inventory. Without one (section 2.3), with
    ω = γ²σ²(Q + 1)²/2 for bounds of ±Q orders, the reservation prices are those at which the
    discounted utility V(q) = -e^{-γ(x + qs)}/(2ω - γ²σ²q²) is the same after the trade:

        r⁻ = s + ln(1 - (2q + 1)/((Q + 1)² - q²))/γ
        r⁺ = s - ln(1 + (2q - 1)/((Q + 1)² - q²))/γ

    and the quotes lie ln(1 + γ/κ)/γ beyond. σ cancels. The paper prints r⁺ as
    s + ln(1 + (1 - 2q)/…)/γ, which agrees to first order only and asks at -Q; the form here is the
    mirror of its r⁻.
    """

    kind = "avellaneda_stoikov"
    Settings = AvellanedaStoikovSettings

    def depths(self, state: MarketState, units: float) -> Depths | str:
        """Return the depths; why not, while the volatility is unknown."""
        wanted = self.settings
        if wanted.horizon == "infinite":
            return self._stationary(units)
        sigma = wanted.sigma(state)
        if math.isnan(sigma):
            return "the volatility is not known yet"
        half, skew = avellaneda_stoikov_terms(
            gamma=wanted.unit_gamma,
            sigma=sigma,
            kappa=wanted.kappa,
            seconds_left=wanted.seconds_left(state.time_ms),
        )
        return linear_depths(half, skew, units, wanted.levels)

    def _stationary(self, units: float) -> Depths:
        wanted = self.settings
        gamma, bound = wanted.unit_gamma, wanted.max_inventory / wanted.order_size
        xi = risk_adjusted_half_spread(gamma, wanted.kappa)

        def depth(q: float) -> float:
            """Return the bid's depth at q; the ask's at q is that of the bid at -q."""
            after = (bound + 1.0) ** 2 - (q + 1.0) ** 2
            now = (bound + 1.0) ** 2 - q**2
            return math.inf if min(after, now) <= 0.0 else xi - math.log(after / now) / gamma

        steps = range(wanted.levels)
        return Depths([depth(units + i) for i in steps], [depth(-units + i) for i in steps])
