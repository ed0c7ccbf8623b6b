"""Parameters of the control problem: order flow, penalties, fees, bounds and horizon."""

import math
import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, SupportsIndex

from advanced_mm.errors import InputError

__all__ = ["ModelParameters", "Sides"]

Sides = Literal["both", "one"]

_POSITIVE = ("lambda_plus", "lambda_minus", "kappa_plus", "kappa_minus")
_NOT_NEGATIVE = ("phi", "alpha", "terminal_cost")
_FINITE = ("epsilon_plus", "epsilon_minus", "fee", "impact_slope_plus", "impact_slope_minus")


@dataclass(frozen=True, kw_only=True)
class ModelParameters:
    """Parameters of the market-making problem with adverse selection, validated on construction.

    Plus is the ask side, lifted by buy market orders; minus is the bid side. Prices are in the
    quote currency, times in seconds, inventory in units of the order size.

    Parameters
    ----------
    lambda_plus, lambda_minus
        Fill intensity of a quote extrapolated to depth 0 (the calibration's λ₀), per second, > 0.
    kappa_plus, kappa_minus
        Decay of the fill intensity with depth, λ·exp(−κδ), per quote currency, > 0.
    epsilon_plus, epsilon_minus
        Adverse selection: mean cost of a fill at depth 0 from the subsequent move of the mid, quote
        currency per fill. It enters the depths (and μ if ``compensate_drift`` is off).
    phi
        Running inventory penalty φ, quote currency per unit² and second, ≥ 0.
    alpha
        Terminal inventory penalty α, quote currency per unit², ≥ 0; finite horizons only.
    fee
        Maker fee for each fill in price (rate × mid), quote currency; a rebate is negative.
    q_min, q_max
        Bounds of the inventory, whole units, q_min < q_max. No ask rests at q_min, no bid at q_max.
    horizon_seconds
        Length of the session; None is the ergodic problem of a market without a close.
    sides
        "both" quotes ask and bid together, "one" rests a single order at a time.
    min_depth
        Floor δ_min of the depths, quote currency, ≥ 0. ``-math.inf`` removes the floor, which is
        the book's own problem: its depths can be negative, where exp(−κδ) is not a probability.
    compensate_drift
        True sets the mid's drift μ to 0 and keeps ε in the depths; False uses λ⁺ε⁺ − λ⁻ε⁻.
    drift
        The drift μ itself, quote currency per second; overrides ``compensate_drift``. Set it if μ
        follows from the arrival rates and the unconditional ε rather than from those above.
    impact_slope_plus, impact_slope_minus
        Slope b of the move given a fill in the quote's depth, ε + bδ. A side with b ≥ 1 is not
        profitable at any depth and is not quoted.
    terminal_cost
        Taker cost k for each unit left at the end, quote currency, ≥ 0; finite horizons only.

    Raises
    ------
    InputError
        Names the field, its value and what is allowed.
    """

    lambda_plus: float
    lambda_minus: float
    kappa_plus: float
    kappa_minus: float
    epsilon_plus: float = 0.0
    epsilon_minus: float = 0.0
    phi: float = 0.0
    alpha: float = 0.0
    fee: float = 0.0
    q_min: int
    q_max: int
    horizon_seconds: float | None = None
    sides: Sides = "both"
    min_depth: float = 0.0
    compensate_drift: bool = True
    drift: float | None = None
    impact_slope_plus: float = 0.0
    impact_slope_minus: float = 0.0
    terminal_cost: float = 0.0

    def __post_init__(self) -> None:
        for name in _POSITIVE:
            self._store_number(name, lambda x: 0 < x < math.inf, "a finite number above 0")
        for name in _NOT_NEGATIVE:
            self._store_number(name, lambda x: 0 <= x < math.inf, "a finite number of at least 0")
        for name in _FINITE:
            self._store_number(name, math.isfinite, "a finite number")
        self._store_number(
            "min_depth",
            lambda x: x == -math.inf or 0 <= x < math.inf,
            "at least 0 (or minus infinity for no floor)",
        )
        if self.horizon_seconds is not None:
            self._store_number(
                "horizon_seconds",
                lambda x: 0 < x < math.inf,
                "a finite number of seconds above 0, or None for the ergodic problem",
            )
        if self.drift is not None:
            self._store_number("drift", math.isfinite, "a finite number or None")
        self._check_inventory()
        self._check_choices()

    def _store_number(self, name: str, allowed: Callable[[float], bool], expected: str) -> None:
        value = getattr(self, name)
        try:
            number = math.nan if isinstance(value, str | bytes | bool) else float(value)
        except (TypeError, ValueError, OverflowError):
            number = math.nan
        if not allowed(number):
            raise InputError(f"{name} = {value!r} cannot be used: it must be {expected}.")
        object.__setattr__(self, name, number)

    def _check_inventory(self) -> None:
        for name in ("q_min", "q_max"):
            object.__setattr__(self, name, _whole_number(name, getattr(self, name)))
        if self.q_min >= self.q_max:
            raise InputError(
                f"q_min = {self.q_min} must be below q_max = {self.q_max}: "
                "widen the inventory bounds."
            )

    def _check_choices(self) -> None:
        if self.sides not in ("both", "one"):
            raise InputError(f"sides = {self.sides!r} cannot be used: it must be 'both' or 'one'.")
        if not isinstance(self.compensate_drift, bool):
            raise InputError(
                f"compensate_drift = {self.compensate_drift!r} cannot be used: "
                "it must be true or false."
            )

    @property
    def mu(self) -> float:
        """Drift μ of the mid in the value function, quote currency per second."""
        if self.drift is not None:
            return self.drift
        if self.compensate_drift:
            return 0.0
        return self.lambda_plus * self.epsilon_plus - self.lambda_minus * self.epsilon_minus

    @property
    def reference_inventory(self) -> int:
        """Inventory at which an ergodic h is 0: 0, or the bound nearest to it."""
        return min(max(0, self.q_min), self.q_max)


def _whole_number(name: str, value: SupportsIndex) -> int:
    try:
        if isinstance(value, bool):
            raise TypeError
        return operator.index(value)
    except TypeError:
        raise InputError(f"{name} = {value!r} cannot be used: it must be a whole number.") from None
