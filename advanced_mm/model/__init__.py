"""Optimal market making by Cartea and Jaimungal: value, depths, simulation, comparisons."""

from advanced_mm.model.mistakes import averaged_kappa, fee_outside, phantom_fill, wrong_bounds
from advanced_mm.model.parameters import ModelParameters
from advanced_mm.model.policy import DepthPolicy, optimal_policy
from advanced_mm.model.policy_value import policy_income, policy_value
from advanced_mm.model.quote_age import (
    QuoteAge,
    SideProblem,
    lost_depth,
    mean_age,
    more_fills,
    oldest_age,
    problem_of,
)
from advanced_mm.model.risk_aversion import risk_aversion_to_phi
from advanced_mm.model.simple_models import (
    avellaneda_stoikov,
    avellaneda_stoikov_terms,
    fixed_spread,
    gueant_lehalle_fernandez_tapia,
    gueant_lehalle_fernandez_tapia_terms,
    risk_adjusted_half_spread,
)
from advanced_mm.model.simulate import Simulation, simulate
from advanced_mm.model.solve import solve
from advanced_mm.model.value_function import ValueFunction
from advanced_mm.model.value_kept import from_best, kept

__all__ = [
    "DepthPolicy",
    "ModelParameters",
    "QuoteAge",
    "SideProblem",
    "Simulation",
    "ValueFunction",
    "avellaneda_stoikov",
    "avellaneda_stoikov_terms",
    "averaged_kappa",
    "fee_outside",
    "fixed_spread",
    "from_best",
    "gueant_lehalle_fernandez_tapia",
    "gueant_lehalle_fernandez_tapia_terms",
    "kept",
    "lost_depth",
    "mean_age",
    "more_fills",
    "oldest_age",
    "optimal_policy",
    "phantom_fill",
    "policy_income",
    "policy_value",
    "problem_of",
    "risk_adjusted_half_spread",
    "risk_aversion_to_phi",
    "simulate",
    "solve",
    "wrong_bounds",
]
