"""Conversion of a fit to entries of the parameter files."""

from datetime import UTC, datetime
from math import isfinite, nan
from typing import Any

from advanced_mm.calibration.calibrate import CoinCalibration
from advanced_mm.calibration.toxicity import toxicity
from advanced_mm.calibration.windows.estimate import Estimate, Sides, Status
from advanced_mm.parameter_files import EpsilonEntry, FairPriceEntry, KappaEntry, LambdaEntry

__all__ = [
    "calibration_id",
    "common_fields",
    "epsilon_entry",
    "fair_price_entry",
    "kappa_entry",
    "lambda_entry",
]

Fields = dict[str, Any]
_SIGNS = ("plus", "minus")


def calibration_id(coin: str, published_at: datetime) -> str:
    """Return the id of a refit, made of coin and time; all entries of a refit share it."""
    return f"{coin}-{published_at.astimezone(UTC):%Y%m%dT%H%M%S.%f}Z"


def kappa_entry(calibration: CoinCalibration, published_at: datetime) -> KappaEntry:
    """Return the coin's entry of ``kappa.json``; only status and counts if insufficient."""
    status = calibration.kappa_status
    fields = common_fields(calibration, published_at, status)
    if status is not Status.INSUFFICIENT:
        curve = calibration.fill_curve
        fields |= _with_error("kappa", curve.map(lambda side: side.kappa), verdict=True)
        fields |= _positive("ks", curve.map(lambda side: side.ks))
        fields |= _positive("ks_critical", curve.map(lambda side: side.ks_critical))
        fields |= _positive("r2", curve.map(lambda side: side.r2))
    return KappaEntry(**fields)


def lambda_entry(calibration: CoinCalibration, published_at: datetime) -> LambdaEntry:
    """Return the coin's entry of ``lambda.json``; only status and counts if insufficient."""
    status = calibration.lambda_status
    fields = common_fields(calibration, published_at, status)
    if status is not Status.INSUFFICIENT:
        rate = calibration.arrivals.map(lambda side: side.rate)
        lambda0 = calibration.fill_curve.map(lambda side: side.lambda0)
        fields |= _with_error("lambda", rate, verdict=True)
        fields |= _with_error("lambda0", lambda0, verdict=True)
    return LambdaEntry(**fields)


def epsilon_entry(calibration: CoinCalibration, published_at: datetime) -> EpsilonEntry:
    """Return the coin's entry of ``epsilon.json``; only status and counts if insufficient."""
    status = calibration.epsilon_status
    fields = common_fields(calibration, published_at, status)
    if status is not Status.INSUFFICIENT:
        fill, pareto = calibration.fill_impact, calibration.pareto
        fields |= _with_error("epsilon", calibration.impact.epsilon, verdict=True)
        fields |= _with_error("epsilon_fill", fill.epsilon_fill, verdict=True)
        fields |= _with_error("epsilon_fill_intercept", fill.profile.map(lambda p: p.intercept))
        fields |= _with_error("epsilon_fill_slope", fill.profile.map(lambda p: p.slope))
        fields |= _with_error("pareto_alpha", pareto.map(lambda side: side.alpha))
        fields |= _with_error("pareto_mean", pareto.map(lambda side: side.mean))
        for sign, tail in zip(_SIGNS, pareto, strict=True):
            if tail.mean.usable:
                fields[f"pareto_truncated_{sign}"] = tail.truncated
        fields |= _one("sigma", calibration.volatility)
        fitted = pareto.map(lambda side: side.threshold if side.alpha.usable else nan)
        fields |= _positive("pareto_threshold", fitted)
        of_order, of_fill = toxicity(calibration)
        fields |= _with_error("kappa_epsilon", of_order)
        fields |= _with_error("kappa_epsilon_fill", of_fill)
    return EpsilonEntry(**fields)


def fair_price_entry(calibration: CoinCalibration, published_at: datetime) -> FairPriceEntry:
    """Return the coin's entry of ``fair_price.json``; only status and counts if insufficient."""
    fit = calibration.fair_price
    status = calibration.fair_price_status
    fields = common_fields(calibration, published_at, status)
    if status is not Status.INSUFFICIENT:
        del fields["anchor"]  # beta is what leads from one price to the other
        slope = fit.slope
        errors = {"se": slope.se, "low": slope.low, "high": slope.high}
        numbers = {f"beta_slope_{name}": value for name, value in errors.items()}
        numbers |= {"beta_slope": slope.value, "r2_out_of_sample": fit.r2}
        fields |= {name: value for name, value in numbers.items() if isfinite(value)}
        fields |= {"beta": fit.beta, "significant": fit.beta != 0, "looks": slope.n}
        fields["horizon_seconds"] = fit.horizon_s
        fields |= _around_fair(calibration, published_at)
    return FairPriceEntry(**fields)


def _around_fair(calibration: CoinCalibration, published_at: datetime) -> Fields:
    """Return the entries of quotes around the fair price; empty unless all could be fitted."""
    around = calibration.around_fair
    if around is None or around.status is Status.INSUFFICIENT:
        return {}
    return {
        "kappa": kappa_entry(around, published_at),
        "epsilon": epsilon_entry(around, published_at),
        "lambda": lambda_entry(around, published_at),
    }


def common_fields(calibration: CoinCalibration, published_at: datetime, status: Status) -> Fields:
    """Return the fields common to all entries of this refit."""
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
    if calibration.silent:
        fields["silent"] = ", ".join(calibration.silent)
    if calibration.quiet:
        fields["not_heard"] = calibration.silence
    if status is not Status.INSUFFICIENT:
        fitted_at = datetime.fromtimestamp(calibration.sound_ms / 1000, UTC)
        fields |= {"fitted_at": fitted_at, "mid": calibration.mid, "tick": calibration.tick}
        fields["anchor"] = calibration.anchor
    return fields


def _with_error(name: str, pair: Sides[Estimate], *, verdict: bool = False) -> Fields:
    """Return value, standard error and interval of each side that may be published.

    An end of the interval that is not above zero is omitted.
    """
    fields: Fields = {}
    for sign, estimate in zip(_SIGNS, pair, strict=True):
        fields |= (found := _one(f"{name}_{sign}", estimate))
        if found and verdict:
            fields[f"{name}_{sign}_status"] = estimate.status.value
    return fields


def _one(name: str, estimate: Estimate) -> Fields:
    """Return one estimate's value, standard error and interval; empty if it has no value."""
    if not (estimate.usable and _publishable(estimate.value)):
        return {}
    parts = {"se": estimate.se, "low": estimate.low, "high": estimate.high}
    found = {f"{name}_{part}": x for part, x in parts.items() if _publishable(x)}
    return {name: estimate.value} | found


def _positive(name: str, pair: Sides[float]) -> Fields:
    """Return the sides' publishable values; a missing value is omitted, never null."""
    signed = zip(_SIGNS, pair, strict=True)
    return {f"{name}_{sign}": value for sign, value in signed if _publishable(value)}


def _publishable(value: float) -> bool:
    return isfinite(value) and value > 0
