"""Guéant, Lehalle & Fernandez-Tapia (2013): the closed form for a long horizon.

*Dealing with the inventory risk: a solution to the market making problem*, Mathematics and
Financial Economics 7 (4), 477–507, section 4.
"""

import math

from pydantic import Field

from advanced_mm.model import gueant_lehalle_fernandez_tapia_terms
from advanced_mm.policies.state import MarketState
from advanced_mm.policies.units import Depths, MeasuredSettings, UnitPolicy, linear_depths

__all__ = ["GueantLehalleFernandezTapiaPolicy", "GueantLehalleFernandezTapiaSettings"]


class GueantLehalleFernandezTapiaSettings(MeasuredSettings):
    """Settings of the model."""

    intensity: float = Field(
        gt=0, description="fills a second of a quote at the price itself (A of the paper)"
    )


class GueantLehalleFernandezTapiaPolicy(UnitPolicy[GueantLehalleFernandezTapiaSettings]):
    """Depths ξ + (2q ± 1)/2·√(σ²γ/(2κA)·(1 + γ/κ)^(1 + κ/γ)) with ξ = ln(1 + γ/κ)/γ.

    An approximation of the exact stationary depths far from the bounds: it has none itself, so that
    with few units `CarteaJaimungalPolicy` is the better answer.
    """

    kind = "glft"
    Settings = GueantLehalleFernandezTapiaSettings

    def depths(self, state: MarketState, units: float) -> Depths | str:
        """Return the depths; why not, while the volatility is unknown."""
        wanted = self.settings
        sigma = wanted.sigma(state)
        if math.isnan(sigma):
            return "the volatility is not known yet"
        half, skew = gueant_lehalle_fernandez_tapia_terms(
            gamma=wanted.unit_gamma,
            sigma=sigma,
            kappa=wanted.kappa,
            intensity=wanted.intensity,
        )
        return linear_depths(half, skew, units, wanted.levels)
