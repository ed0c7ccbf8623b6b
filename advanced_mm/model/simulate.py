"""Exact Monte Carlo simulation of the model's market under any policy."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from advanced_mm.errors import InputError
from advanced_mm.model._layout import (
    ASK_FILLS,
    BID_FILLS,
    CASH,
    INVENTORY,
    MID,
    SQUARES,
    Market,
)
from advanced_mm.model.parameters import ModelParameters
from advanced_mm.model.policy import DepthPolicy, session_length

__all__ = ["Simulation", "simulate"]

Float1D = NDArray[np.float64]
Int1D = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Simulation:
    """Results of all simulated sessions; arrays (paths,).

    Attributes
    ----------
    cash
        Cash from fills after fees, quote currency per unit. Prices are relative to the first mid.
    inventory
        Final inventory, units.
    mid
        Final mid, quote currency, relative to the first one.
    pnl
        cash + inventory·mid, quote currency: marked to the mid, before any penalty.
    objective
        What the model maximises: pnl − φ∫q² − αq² − k|q|. Its mean under the optimal policy is
        the value h at the first inventory.
    ask_fills, bid_fills
        Number of fills.
    seconds
        Length of a session.
    seed
        Seed of the market orders. With the same market, length and seed all policies meet the same
        orders, path by path.
    name
        Name of the policy.
    """

    cash: Float1D
    inventory: Int1D
    mid: Float1D
    pnl: Float1D
    objective: Float1D
    ask_fills: Int1D
    bid_fills: Int1D
    seconds: float
    seed: int
    name: str

    @property
    def mean_objective(self) -> float:
        """Mean of the objective, quote currency per unit."""
        return float(self.objective.mean())

    @property
    def standard_error(self) -> float:
        """Standard error of ``mean_objective``."""
        return _standard_error(self.objective)

    def gain_over(self, other: "Simulation") -> tuple[float, float]:
        """Return the mean difference of the objective to another policy's, and its standard error.

        It is computed path by path on the same market orders, so most of the noise cancels.

        Raises
        ------
        InputError
            If the two were simulated with different seeds, lengths or numbers of paths.
        """
        mine, theirs = ((run.seed, run.seconds, run.objective.size) for run in (self, other))
        if mine != theirs:
            raise InputError(
                f"Simulations with (seed, seconds, paths) {mine} and {theirs} have different "
                "market orders: use the same values for both."
            )
        difference = self.objective - other.objective
        return float(difference.mean()), _standard_error(difference)


def simulate(
    parameters: ModelParameters,
    policy: DepthPolicy,
    *,
    paths: int,
    seconds: float | None = None,
    seed: int = 0,
    initial_inventory: int = 0,
    sigma: float = 0.0,
) -> Simulation:
    """Simulate sessions of market making, event by event and without a time step.

    Market orders arrive as Poisson processes of rates λ⁺ and λ⁻. Each reaches R into the book,
    exponential with mean 1/κ, so that it fills a quote at depth δ with probability exp(−κδ). It
    moves the mid in its direction by ε + b(R − 1/κ), whether it fills the quote or not: by ε on
    average, and by ε + bδ if it fills one at δ (Cartea, Jaimungal & Penalva 2015, 10.4.1, for
    b = 0). Between orders the mid is a Brownian motion whose drift makes the total drift μ: the
    jumps are compensated unless ``compensate_drift`` is off.

    Parameters
    ----------
    parameters
        The market, the penalties and the bounds of the inventory, which no fill crosses.
    policy
        The depths quoted.
    paths
        Number of sessions.
    seconds
        Length of a session; the horizon of the parameters if not given. Each session ends with
        the terminal penalties α and k.
    seed
        Seed of the random numbers, which do not depend on the policy.
    initial_inventory
        Inventory at the start, units. Cash and mid start at 0.
    sigma
        Volatility of the mid between market orders, quote currency per √second. It changes the
        spread of P&L, never the mean.

    Returns
    -------
    Simulation
        Cash, inventory, P&L, objective and fills of each session.

    Raises
    ------
    InputError
        If an argument is out of range, or the policy quotes through the mid or both sides for a
        bot that rests one order at a time.

    Examples
    --------
    >>> case = ModelParameters(lambda_plus=1, lambda_minus=1, kappa_plus=100, kappa_minus=100,
    ...                        phi=1e-5, alpha=1e-4, q_min=-3, q_max=3, horizon_seconds=30)
    >>> run = simulate(case, optimal_policy(case), paths=100_000)
    >>> abs(run.mean_objective - solve(case).h[3]) < 3 * run.standard_error
    True
    """
    from advanced_mm.model._simulation_kernels import run_paths  # numba: 60 MB few processes need

    p = parameters
    length = session_length(p, seconds)
    ask, bid = policy.resting(p)
    _check(p, policy, paths, initial_inventory, sigma)
    if min(ask.min(), bid.min()) < 0.0:
        raise InputError(
            f"Policy {policy.name!r} has depths below 0, where exp(−κδ) is not a probability: "
            "set min_depth to at least 0."
        )
    amounts = np.empty((paths, 3))
    counts = np.empty((paths, 3), dtype=np.int64)
    run_paths(
        np.random.Generator(np.random.PCG64(seed)),
        _market(p, sigma, length),
        policy.times,
        ask,
        bid,
        p.q_min,
        initial_inventory - p.q_min,
        amounts,
        counts,
    )
    inventory = counts[:, INVENTORY]
    pnl = amounts[:, CASH] + inventory * amounts[:, MID]
    penalty = p.phi * amounts[:, SQUARES] + p.alpha * inventory**2
    return Simulation(
        cash=amounts[:, CASH],
        inventory=inventory,
        mid=amounts[:, MID],
        pnl=pnl,
        objective=pnl - penalty - p.terminal_cost * np.abs(inventory),
        ask_fills=counts[:, ASK_FILLS],
        bid_fills=counts[:, BID_FILLS],
        seconds=length,
        seed=seed,
        name=policy.name,
    )


def _market(parameters: ModelParameters, sigma: float, seconds: float) -> Market:
    p = parameters
    arrivals = p.lambda_plus + p.lambda_minus
    jumps = p.lambda_plus * p.epsilon_plus - p.lambda_minus * p.epsilon_minus
    return Market(
        arrivals=arrivals,
        buy_share=p.lambda_plus / arrivals,
        reach=1.0 / np.array([p.kappa_plus, p.kappa_minus]),
        move=np.array([p.epsilon_plus, p.epsilon_minus]),
        slope=np.array([p.impact_slope_plus, p.impact_slope_minus]),
        drift=p.mu - jumps,
        sigma=float(sigma),
        fee=p.fee,
        seconds=seconds,
    )


def _check(
    parameters: ModelParameters,
    policy: DepthPolicy,
    paths: int,
    initial_inventory: int,
    sigma: float,
) -> None:
    p = parameters
    if paths < 1:
        raise InputError(f"paths = {paths!r} must be at least 1.")
    if not p.q_min <= initial_inventory <= p.q_max:
        raise InputError(
            f"initial_inventory = {initial_inventory!r} must be within the bounds "
            f"{p.q_min} … {p.q_max}."
        )
    if initial_inventory not in policy.q:
        raise InputError(
            f"initial_inventory = {initial_inventory!r} must be within the inventories "
            f"{policy.q[0]} … {policy.q[-1]} of policy {policy.name!r}."
        )
    if not 0.0 <= sigma < math.inf:
        raise InputError(f"sigma = {sigma!r} must be a finite number of at least 0.")


def _standard_error(values: Float1D) -> float:
    return float(values.std(ddof=1) / math.sqrt(values.size)) if values.size > 1 else math.nan
