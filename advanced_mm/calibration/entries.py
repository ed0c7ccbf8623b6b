"""A fitted window as the entries of the parameter files."""

from datetime import UTC, datetime
from math import isfinite
from typing import Any

from advanced_mm.calibration.calibrate import CoinCalibration
from advanced_mm.calibration.estimate import Estimate, Sides, Status
from advanced_mm.parameter_files import EpsilonEntry, KappaEntry, LambdaEntry

__all__ = ["calibration_id", "common_fields", "epsilon_entry", "kappa_entry", "lambda_entry"]

Fields = dict[str, Any]


def calibration_id(coin: str, published_at: datetime) -> str:
    """Name a refit by coin and time; all entries of one refit carry the same."""
    return f"{coin}-{published_at.astimezone(UTC):%Y%m%dT%H%M%S.%f}Z"


def kappa_entry(calibration: CoinCalibration, published_at: datetime) -> KappaEntry:
    """Return the coin's entry of ``kappa.json``; status and counts only where insufficient."""
    status = calibration.kappa_status
    fields = common_fields(calibration, published_at, status)
    if status is not Status.INSUFFICIENT:
        curve = calibration.fill_curve
        fields |= _with_error("kappa", curve.map(lambda side: side.kappa))
        fields |= _finite("ks", curve.map(lambda side: side.ks))
        fields |= _finite("r2", curve.map(lambda side: side.r2))
    return KappaEntry(**fields)


def lambda_entry(calibration: CoinCalibration, published_at: datetime) -> LambdaEntry:
    """Return the coin's entry of ``lambda.json``; status and counts only where insufficient."""
    status = calibration.lambda_status
    fields = common_fields(calibration, published_at, status)
    if status is not Status.INSUFFICIENT:
        fields |= _with_error("lambda", calibration.arrivals.map(lambda side: side.rate))
        fields |= _with_error("lambda0", calibration.fill_curve.map(lambda side: side.lambda0))
    return LambdaEntry(**fields)


def epsilon_entry(calibration: CoinCalibration, published_at: datetime) -> EpsilonEntry:
    """Return the coin's entry of ``epsilon.json``; status and counts only where insufficient."""
    status = calibration.epsilon_status
    fields = common_fields(calibration, published_at, status)
    if status is not Status.INSUFFICIENT:
        profile, pareto = calibration.fill_impact.profile, calibration.pareto
        fields |= _with_error("epsilon", calibration.impact.epsilon)
        fields |= _with_error("epsilon_fill", calibration.fill_impact.epsilon_fill)
        intercept = profile.map(lambda side: side.intercept)
        fields |= _finite("epsilon_fill_intercept", intercept.map(lambda e: e.value))
        fields |= _with_error("epsilon_fill_slope", profile.map(lambda side: side.slope))
        alpha = pareto.map(lambda side: side.alpha)
        fields |= _with_error("pareto_alpha", alpha)
        fitted = Sides(*(e.usable for e in alpha))
        fields |= _finite("pareto_threshold", pareto.map(lambda side: side.threshold), fitted)
        fields |= _with_error("pareto_mean", pareto.map(lambda side: side.mean))
    return EpsilonEntry(**fields)


def common_fields(calibration: CoinCalibration, published_at: datetime, status: Status) -> Fields:
    """Return what every entry of this refit carries."""
    fields: Fields = {
        "status": status.value,
        "calibration_id": calibration_id(calibration.coin, published_at),
        "published_at": published_at,
        "window_seconds": calibration.window_seconds,
        "observed_seconds": calibration.observed_seconds,
        "n_plus": calibration.n.plus,
        "n_minus": calibration.n.minus,
        "n1_plus": calibration.n1.plus,
        "n1_minus": calibration.n1.minus,
    }
    if status is not Status.INSUFFICIENT:
        fitted_at = datetime.fromtimestamp(calibration.end_ms / 1000, UTC)
        fields |= {"fitted_at": fitted_at, "mid": calibration.mid, "tick": calibration.tick}
    return fields


def _with_error(name: str, pair: Sides[Estimate]) -> Fields:
    """Return value and standard error of each side that may be published."""
    usable = Sides(*(estimate.usable for estimate in pair))
    return _finite(name, pair.map(lambda e: e.value), usable) | _finite(
        name, pair.map(lambda e: e.se), usable, suffix="_se"
    )


def _finite(
    name: str, pair: Sides[float], usable: Sides[bool] | None = None, suffix: str = ""
) -> Fields:
    """Return the sides' finite values; an absent value is left out, never null."""
    usable = usable or Sides(True, True)
    signed = zip(("plus", "minus"), pair, usable, strict=True)
    return {f"{name}_{s}{suffix}": value for s, value, use in signed if use and isfinite(value)}
