"""The estimators: from a window to λ, κ, ε, the Pareto tail, σ and the fair price's β."""

from advanced_mm.calibration.estimators.arrivals import ArrivalEstimator, ArrivalFit
from advanced_mm.calibration.estimators.fair_price import FairPriceEstimator, FairPriceFit
from advanced_mm.calibration.estimators.fill_curve import FillCurveEstimator, FillCurveFit
from advanced_mm.calibration.estimators.fill_impact import (
    DepthProfile,
    FillImpactEstimator,
    FillImpactFit,
)
from advanced_mm.calibration.estimators.impact import ImpactEstimator, ImpactFit
from advanced_mm.calibration.estimators.pareto import ParetoEstimator, ParetoFit
from advanced_mm.calibration.estimators.volatility import VolatilityEstimator

__all__ = [
    "ArrivalEstimator",
    "ArrivalFit",
    "DepthProfile",
    "FairPriceEstimator",
    "FairPriceFit",
    "FillCurveEstimator",
    "FillCurveFit",
    "FillImpactEstimator",
    "FillImpactFit",
    "ImpactEstimator",
    "ImpactFit",
    "ParetoEstimator",
    "ParetoFit",
    "VolatilityEstimator",
]
