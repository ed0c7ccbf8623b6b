"""Random problems over the whole range that the model must handle, and their classes.

The range is κ 0.01 … 1e5 per price unit, λ 0.01 … 20 /s, φ 0 … 1,
T 60 s … a day or none, bounds up to ±100, ε 0 … 3/κ, unequal sides, floors, fees, one order at a
time, impact slopes (some of 1 and more).
"""

import math
from collections.abc import Iterator

import numpy as np

from advanced_mm.model import ModelParameters

__all__ = ["CLASSES", "problem_class", "random_problem", "random_problems"]

LINEAR, UNEQUAL, KINKED = "linear", "unequal κ", "floors, slopes or one side"
ERGODIC, ERGODIC_ONE, WITHDRAWN = "ergodic", "ergodic, one side", "ergodic, a side withdrawn"
CLASSES = (LINEAR, UNEQUAL, KINKED, ERGODIC, ERGODIC_ONE, WITHDRAWN)


def random_problems(count: int) -> Iterator[ModelParameters]:
    """Yield the first ``count`` problems; each depends only on its number."""
    return (random_problem(number) for number in range(count))


def random_problem(number: int) -> ModelParameters:
    """Return a problem by number: 1 in 12 has bounds of 30 to 100, half of the others ±1 or ±3."""
    rng = np.random.default_rng([3, number])

    def between(low: float, high: float) -> float:
        return float(np.exp(rng.uniform(math.log(low), math.log(high))))

    def sometimes(share: float, value: float, otherwise: float = 0.0) -> float:
        return value if rng.random() < share else otherwise

    kappa = between(0.01, 1e5)
    equal = rng.random() < 0.45
    kappa_minus = kappa if equal else kappa * between(0.2, 5)
    largest = int(rng.choice([1, 3, 5, 10, 20], p=[0.2, 0.3, 0.2, 0.2, 0.1]))
    if rng.random() < 1 / 12:
        largest = int(rng.choice([30, 60, 100]))
    floorless = rng.random() < 0.6
    one_sided = not floorless and rng.random() < 0.45
    sloped = not floorless and rng.random() < 0.3
    ergodic = rng.random() < 0.3
    return ModelParameters(
        lambda_plus=between(0.01, 20),
        lambda_minus=between(0.01, 20),
        kappa_plus=kappa,
        kappa_minus=kappa_minus,
        epsilon_plus=rng.uniform(0, 3) / kappa,
        epsilon_minus=rng.uniform(0, 3) / kappa_minus,
        phi=sometimes(0.85, between(1e-9, 1)),
        alpha=sometimes(0.5, between(1e-6, 1)),
        fee=sometimes(0.6, rng.uniform(-0.5, 1) / kappa),
        terminal_cost=sometimes(0.3, rng.uniform(0, 2) / kappa),
        q_min=int(rng.choice([-largest, -largest, 0, -(largest // 2)])),
        q_max=largest,
        horizon_seconds=None if ergodic else between(60, 86_400),
        sides="one" if one_sided else "both",
        min_depth=-math.inf if floorless else sometimes(0.3, rng.uniform(0, 2) / kappa),
        compensate_drift=bool(rng.random() < 0.6),
        impact_slope_plus=float(rng.choice([0, 0.4, 0.8, 1.1])) if sloped else 0.0,
        impact_slope_minus=float(rng.choice([0, 0.4, 0.8, 1.1])) if sloped else 0.0,
    )


def problem_class(p: ModelParameters) -> str:
    """Return the problem's class of ``CLASSES``, which determines the truth to compare with."""
    withdrawn = max(p.impact_slope_plus, p.impact_slope_minus) >= 1.0
    if p.horizon_seconds is None:
        if withdrawn:
            return WITHDRAWN
        return ERGODIC_ONE if p.sides == "one" else ERGODIC
    if p.sides == "one" or p.min_depth > -math.inf:
        return KINKED
    return LINEAR if p.kappa_plus == p.kappa_minus else UNEQUAL
