"""Inventory penalty from a dimensionless risk aversion."""

import math

from advanced_mm.errors import InputError

__all__ = ["risk_aversion_to_phi"]


def risk_aversion_to_phi(risk_aversion: float, lambda_bar: float, kappa_bar: float) -> float:
    """Return the running inventory penalty φ = risk_aversion · λ̄ / κ̄.

    The ergodic depths in units of 1/κ depend on φ only through κφ/λ. With that ratio fixed, a
    setting has the same skew on every coin and after every refit.

    Parameters
    ----------
    risk_aversion
        κφ/λ, dimensionless, ≥ 0.
    lambda_bar
        Mean of the two sides' fill intensities, per second, > 0.
    kappa_bar
        Mean of the two sides' decays of the fill intensity, per quote currency, > 0.

    Returns
    -------
    float
        φ in quote currency per unit² and second.

    Raises
    ------
    InputError
        If an argument is not finite or out of its range.
    """
    if not (math.isfinite(risk_aversion) and risk_aversion >= 0):
        raise InputError(
            f"risk_aversion = {risk_aversion!r} must be a finite number of at least 0."
        )
    for name, value in (("lambda_bar", lambda_bar), ("kappa_bar", kappa_bar)):
        if not (math.isfinite(value) and value > 0):
            raise InputError(f"{name} = {value!r} must be a finite number above 0.")
    return risk_aversion * lambda_bar / kappa_bar
