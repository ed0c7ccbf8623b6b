"""Estimation of lambda, kappa, epsilon and sigma, with uncertainty, from a window of records."""

from advanced_mm.calibration.calibrate import CalibrationOptions, CoinCalibration, calibrate
from advanced_mm.calibration.estimators.arrivals import ArrivalEstimator, ArrivalFit
from advanced_mm.calibration.estimators.fill_curve import FillCurveEstimator, FillCurveFit
from advanced_mm.calibration.estimators.fill_impact import (
    DepthProfile,
    FillImpactEstimator,
    FillImpactFit,
)
from advanced_mm.calibration.estimators.impact import ImpactEstimator, ImpactFit
from advanced_mm.calibration.estimators.pareto import ParetoEstimator, ParetoFit
from advanced_mm.calibration.estimators.volatility import VolatilityEstimator
from advanced_mm.calibration.toxicity import Economics, Regime, SideEconomics, economics
from advanced_mm.calibration.windows.blocks import TimeBlocks, block_covariance
from advanced_mm.calibration.windows.bootstrap import BlockBootstrap
from advanced_mm.calibration.windows.estimate import Estimate, Sides, Status
from advanced_mm.calibration.windows.window import MarketOrders, Window, WindowOptions

__all__ = [
    "ArrivalEstimator",
    "ArrivalFit",
    "BlockBootstrap",
    "CalibrationOptions",
    "CoinCalibration",
    "DepthProfile",
    "Economics",
    "Estimate",
    "FillCurveEstimator",
    "FillCurveFit",
    "FillImpactEstimator",
    "FillImpactFit",
    "ImpactEstimator",
    "ImpactFit",
    "MarketOrders",
    "ParetoEstimator",
    "ParetoFit",
    "Regime",
    "SideEconomics",
    "Sides",
    "Status",
    "TimeBlocks",
    "VolatilityEstimator",
    "Window",
    "WindowOptions",
    "block_covariance",
    "calibrate",
    "economics",
]
