"""Simple market-making models as policies for comparison.

All quote ``half − skew·q`` above the mid and ``half + skew·q`` below it. As published, none
includes fees or adverse selection. Each respects the market's bounds and floor on the depths; for a
bot that rests one order at a time, the quote closer to the mid is kept.
"""

import math

import numpy as np
from numpy.typing import NDArray

from advanced_mm.errors import InputError
from advanced_mm.model.parameters import ModelParameters
from advanced_mm.model.policy import DepthPolicy, keep_one_side, tabulate

__all__ = [
    "avellaneda_stoikov",
    "avellaneda_stoikov_terms",
    "fixed_spread",
    "gueant_lehalle_fernandez_tapia",
    "gueant_lehalle_fernandez_tapia_terms",
    "risk_adjusted_half_spread",
]

Float1D = NDArray[np.float64]

_BASIS_POINT = 1e-4


def fixed_spread(
    parameters: ModelParameters,
    *,
    half_spread_bp: float,
    mid: float,
    skew_bp_per_unit: float = 0.0,
) -> DepthPolicy:
    """Quote a constant spread, moved against the inventory in proportion to it.

    Parameters
    ----------
    parameters
        The market.
    half_spread_bp
        Distance of both quotes from the mid at inventory 0, basis points of the mid, ≥ 0.
    mid
        The mid price, quote currency, > 0.
    skew_bp_per_unit
        How far both quotes move down for each unit held, basis points of the mid, ≥ 0.
    """
    _require_not_negative("half_spread_bp", half_spread_bp)
    _require_not_negative("skew_bp_per_unit", skew_bp_per_unit)
    _require_positive("mid", mid)
    unit = mid * _BASIS_POINT
    return _constant(parameters, "fixed spread", half_spread_bp * unit, skew_bp_per_unit * unit)


def avellaneda_stoikov(
    parameters: ModelParameters,
    *,
    gamma: float,
    sigma: float,
    seconds_left: float | None = None,
    steps: int = 300,
) -> DepthPolicy:
    """Return the depths of Avellaneda & Stoikov (2008): a spread around an indifference price.

    The price is s − qγσ²τ with τ = T − t, the spread γσ²τ + (2/γ) ln(1 + γ/k), so that
    half = γσ²τ/2 + ln(1 + γ/k)/γ and skew = γσ²τ. Their market is symmetric: k is the mean of
    the two sides' κ.

    Parameters
    ----------
    parameters
        The market; its horizon is their T.
    gamma
        Absolute risk aversion γ, per quote currency, > 0.
    sigma
        Volatility of the mid, quote currency per √second, ≥ 0.
    seconds_left
        Constant τ instead of the time left to the horizon, seconds, as used by bots in markets
        without a close; required if the parameters have no horizon.
    steps
        Rows over a finite horizon.
    """
    k = _mean_kappa(parameters)

    def half_and_skew(tau: float) -> tuple[float, float]:
        return avellaneda_stoikov_terms(gamma=gamma, sigma=sigma, kappa=k, seconds_left=tau)

    half_and_skew(0.0)  # refuses numbers out of range whatever the horizon
    name = "Avellaneda–Stoikov"
    if seconds_left is not None:
        _require_not_negative("seconds_left", seconds_left)
        return _constant(parameters, name, *half_and_skew(seconds_left))
    if parameters.horizon_seconds is None:
        raise InputError("seconds_left must be given: the parameters have no horizon.")

    def depths_at(problem: ModelParameters) -> tuple[Float1D, Float1D]:
        return _depths(problem, *half_and_skew(problem.horizon_seconds or 0.0))

    return tabulate(parameters, depths_at, name=name, steps=steps)


def gueant_lehalle_fernandez_tapia(
    parameters: ModelParameters, *, gamma: float, sigma: float
) -> DepthPolicy:
    """Return the closed-form long-run depths of Guéant, Lehalle & Fernandez-Tapia (2013).

    half = ln(1 + γ/k)/γ + skew/2 with skew = √(σ²γ/(2kA)·(1 + γ/k)^(1 + k/γ)). Their market is
    symmetric: A and k are the means of the two sides' λ and κ.

    Parameters
    ----------
    parameters
        The market.
    gamma
        Absolute risk aversion γ, per quote currency, > 0.
    sigma
        Volatility of the mid, quote currency per √second, ≥ 0.
    """
    half, skew = gueant_lehalle_fernandez_tapia_terms(
        gamma=gamma,
        sigma=sigma,
        kappa=_mean_kappa(parameters),
        intensity=(parameters.lambda_plus + parameters.lambda_minus) / 2.0,
    )
    return _constant(parameters, "Guéant–Lehalle–Fernandez-Tapia", half, skew)


def avellaneda_stoikov_terms(
    *, gamma: float, sigma: float, kappa: float, seconds_left: float
) -> tuple[float, float]:
    """Return half and skew of Avellaneda & Stoikov (2008), equations 3.17 and 3.18.

    half = γσ²τ/2 + ln(1 + γ/κ)/γ and skew = γσ²τ a unit, both quote currency. The rate at which
    market orders arrive is not in it, and the spread does not depend on the inventory.
    """
    xi = risk_adjusted_half_spread(gamma, kappa)
    _require_not_negative("sigma", sigma)
    _require_not_negative("seconds_left", seconds_left)
    skew = gamma * sigma**2 * seconds_left
    return skew / 2.0 + xi, skew


def gueant_lehalle_fernandez_tapia_terms(
    *, gamma: float, sigma: float, kappa: float, intensity: float
) -> tuple[float, float]:
    """Return half and skew a unit of Guéant, Lehalle & Fernandez-Tapia (2013), quote currency.

    Their closed form for a long horizon, see `gueant_lehalle_fernandez_tapia`.
    """
    xi = risk_adjusted_half_spread(gamma, kappa)
    _require_not_negative("sigma", sigma)
    _require_positive("intensity", intensity)
    growth = math.exp((1.0 + kappa / gamma) * math.log1p(gamma / kappa))
    skew = math.sqrt(sigma**2 * gamma / (2.0 * kappa * intensity) * growth)
    return xi + skew / 2.0, skew


def risk_adjusted_half_spread(gamma: float, kappa: float) -> float:
    """Return the half-spread of a market maker without inventory risk, ln(1 + γ/κ)/γ."""
    _require_positive("gamma", gamma)
    _require_positive("kappa", kappa)
    return math.log1p(gamma / kappa) / gamma


def _mean_kappa(parameters: ModelParameters) -> float:
    return (parameters.kappa_plus + parameters.kappa_minus) / 2.0


def _constant(parameters: ModelParameters, name: str, half: float, skew: float) -> DepthPolicy:
    ask, bid = _depths(parameters, half, skew)
    q = np.arange(parameters.q_min, parameters.q_max + 1)
    return DepthPolicy(q, np.zeros(1), ask[None, :], bid[None, :], name)


def _depths(parameters: ModelParameters, half: float, skew: float) -> tuple[Float1D, Float1D]:
    q = np.arange(parameters.q_min, parameters.q_max + 1)
    ask = np.maximum(half - skew * q, parameters.min_depth)
    bid = np.maximum(half + skew * q, parameters.min_depth)
    ask[0] = bid[-1] = math.inf
    if parameters.sides == "one":
        return keep_one_side(q, ask, bid, -ask, -bid)
    return ask, bid


def _require_positive(name: str, value: float) -> None:
    if not 0.0 < value < math.inf:
        raise InputError(f"{name} = {value!r} must be a finite number above 0.")


def _require_not_negative(name: str, value: float) -> None:
    if not 0.0 <= value < math.inf:
        raise InputError(f"{name} = {value!r} must be a finite number of at least 0.")
