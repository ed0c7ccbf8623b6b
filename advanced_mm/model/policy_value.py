"""Exact value of a policy from its linear equation, without simulation.

Under given depths the inventory is a birth–death chain, and the HJB equation without its supremum
is linear: ∂h/∂τ = Gh + r, with G the chain's generator and r the income per second in each state.
Differences between policies therefore have no noise.
"""

import math

import numpy as np
from numpy.typing import NDArray

from advanced_mm.errors import InputError
from advanced_mm.model.inventory import stationary_distribution
from advanced_mm.model.parameters import ModelParameters
from advanced_mm.model.policy import DepthPolicy, session_length

__all__ = ["policy_income", "policy_value"]

Float1D = NDArray[np.float64]
Float2D = NDArray[np.float64]

_TAYLOR_TERMS = 14  # remainder below 1e-17 at norm 1/2


def policy_value(
    parameters: ModelParameters, policy: DepthPolicy, seconds: float | None = None
) -> Float1D:
    """Return the expected objective of a session under a policy, for each initial inventory.

    It is the mean of :func:`~advanced_mm.model.simulate`, computed by matrix exponentials of the
    policy's rows. The maximum over all policies is ``solve(…).h``.

    Parameters
    ----------
    parameters
        The market, the penalties and the bounds.
    policy
        The depths quoted. Negative ones fill more often than orders arrive, as in the book's
        problem without a floor.
    seconds
        Length of the session; the horizon of the parameters if not given.

    Returns
    -------
    Float1D
        Values (q_max − q_min + 1,), quote currency per unit, above cash and inventory at mid.

    Raises
    ------
    InputError
        If no length is known or it is out of range, or the policy quotes both sides for a bot
        that rests one order at a time.
    """
    p = parameters
    length = session_length(p, seconds)
    ask, bid = policy.resting(p)
    q = np.arange(p.q_min, p.q_max + 1)
    value = -p.alpha * q**2 - p.terminal_cost * np.abs(q)
    ends = np.append(policy.times[1:], math.inf)
    for row in range(policy.times.size - 1, -1, -1):
        duration = min(ends[row], length) - policy.times[row]
        if duration > 0.0:
            asks, bids, income = _chain(p, ask[row], bid[row])
            value = _carried_back(asks, bids, income, value, duration)
    return np.asarray(value)


def policy_income(parameters: ModelParameters, policy: DepthPolicy) -> float:
    """Return the long-run income per second of a policy, less penalties.

    It is the share of time at each inventory, starting from the reference inventory (0, or the
    bound nearest to it), times the income there. The maximum over all policies is the
    ``value_rate`` of the ergodic solution.

    Parameters
    ----------
    parameters
        The market, the penalties and the bounds; the horizon is ignored.
    policy
        Depths that do not depend on time.

    Returns
    -------
    float
        Quote currency per unit and second.

    Raises
    ------
    InputError
        If the policy has more than one row, or quotes both sides for a bot that rests one order
        at a time.
    """
    p = parameters
    if policy.times.size != 1:
        raise InputError(
            f"Policy {policy.name!r} depends on time and has no long-run income: use policy_value, "
            "or create it for parameters without a horizon."
        )
    ask, bid = policy.resting(p)
    asks, bids, income = _chain(p, ask[0], bid[0])
    shares = stationary_distribution(asks, bids, p.reference_inventory - p.q_min)
    return float(shares @ income)


def _chain(
    parameters: ModelParameters, ask: Float1D, bid: Float1D
) -> tuple[Float1D, Float1D, Float1D]:
    """Return fills per second of ask and bid, and income per second, at each inventory (n,)."""
    p = parameters
    q = np.arange(p.q_min, p.q_max + 1)
    asks = p.lambda_plus * np.exp(-p.kappa_plus * ask)
    bids = p.lambda_minus * np.exp(-p.kappa_minus * bid)
    income = q * p.mu - p.phi * q**2
    for fills, depth, epsilon, slope in (
        (asks, ask, p.epsilon_plus, p.impact_slope_plus),
        (bids, bid, p.epsilon_minus, p.impact_slope_minus),
    ):
        quoted = np.where(np.isinf(depth), 0.0, depth)  # at an infinite depth nothing fills
        income += fills * (quoted * (1.0 - slope) - epsilon - p.fee)
    return asks, bids, income


def _carried_back(
    asks: Float1D, bids: Float1D, income: Float1D, value: Float1D, duration: float
) -> Float1D:
    """Return exp(Gt)·value + ∫exp(Gs)·income ds: Taylor over a short time, doubled up to t.

    The rows of exp(Gs) are probability distributions: normalising them after each doubling prevents
    rounding errors from doubling too.
    """
    generator = np.diag(asks[1:], -1) + np.diag(bids[:-1], 1)
    generator -= np.diag(generator.sum(axis=1))
    norm = 2.0 * float(-generator.diagonal().min())
    doublings = max(0, math.ceil(math.log2(max(1.0, 2.0 * norm * duration))))
    short = duration / 2**doublings
    identity = np.eye(len(generator))
    law, spent = identity, identity * short  # exp(Gs) and ∫exp(Gs)ds
    for term in range(_TAYLOR_TERMS, 0, -1):
        law = identity + (short / term) * (generator @ law)
        spent = identity * short + (short / (term + 1)) * (generator @ spent)
    earned = spent @ income
    for _ in range(doublings):
        earned = earned + law @ earned
        law = law @ law
        law /= law.sum(axis=1, keepdims=True)
    return np.asarray(law @ value + earned)
