"""The least spread that pays: what a unit bought and sold costs, in basis points of its price."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from advanced_mm.errors import InputError
from advanced_mm.performance.assess import Performance

__all__ = ["BreakEven", "Cost", "StatedCosts", "break_even"]

_MONTH_MS: Final = 30 * 86_400_000


@dataclass(frozen=True)
class StatedCosts:
    """Costs that the record does not contain, or that replace measured ones.

    ``fee_rate`` a share of the price, ``slippage_bp`` and ``adverse_bp`` of one side; None takes
    each as it was measured. ``monthly`` has fixed costs by name, USDC a month.

    Raises
    ------
    InputError
        A cost is not a finite number, or a monthly one is negative.
    """

    fee_rate: float | None = None
    slippage_bp: float | None = None
    adverse_bp: float | None = None
    monthly: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        stated = {
            "fee rate": self.fee_rate,
            "slippage": self.slippage_bp,
            "adverse selection": self.adverse_bp,
        }
        for name, value in stated.items():
            if value is not None and not np.isfinite(value):
                raise InputError(f"a {name} of {value:g}: it must be a number")
        for name, value in self.monthly.items():
            if not 0 <= value < np.inf:
                raise InputError(f"monthly cost {name}={value:g}: it must be a number from 0")


@dataclass(frozen=True)
class Cost:
    """One cost, bp of the price, on one side; ``origin`` says measured or stated."""

    name: str
    one_side_bp: float
    origin: str


@dataclass(frozen=True)
class BreakEven:
    """The costs, and the spread (both sides, bp) that they ask for and that was captured.

    ``monthly_turnover`` is what fixed costs are spread over, USDC: the record's, at the same pace.
    """

    costs: Sequence[Cost]
    captured_bp: float
    monthly_turnover: float

    @property
    def least_spread_bp(self) -> float:
        """Both sides' costs together; NaN where one is not known."""
        return 2 * sum(cost.one_side_bp for cost in self.costs)

    @property
    def pays(self) -> bool | None:
        """Whether what was captured covers it, None where that is not known."""
        gap = self.captured_bp - self.least_spread_bp
        return None if np.isnan(gap) else bool(gap >= 0)


def break_even(performance: Performance, stated: StatedCosts) -> BreakEven:
    """List the costs of one side as they were measured, or as they are stated.

    Slippage is what fills that took paid beyond the mid, spread over all fills; their spread does
    not count as captured.
    """
    record, by_fill, parts = performance.record, performance.by_fill, performance.parts
    value = record.fills.price * record.fills.size
    turnover = parts.turnover
    span_ms = max(record.end_ms - record.start_ms, 1)
    monthly_turnover = turnover / span_ms * _MONTH_MS
    took = record.fills.maker == 0
    known = float(value @ by_fill.known_mid)
    after = float(value @ by_fill.known_markout)
    slippage = -_bp(by_fill.spread @ took, known)
    costs = [
        _cost("fee", stated.fee_rate, 1e4, -_bp(parts.fees, turnover)),
        _cost("slippage of orders that took", stated.slippage_bp, 1.0, slippage),
        _cost(
            f"adverse selection, {performance.marks.horizon_s:g} s",
            stated.adverse_bp,
            1.0,
            -_bp(float(by_fill.adverse.sum()), after),
        ),
    ]
    costs += [
        Cost(f"{name}, {usdc:g} USDC a month", _bp(usdc, monthly_turnover), "stated")
        for name, usdc in stated.monthly.items()
    ]
    captured = 2 * _bp(by_fill.spread @ ~took, known)
    return BreakEven(costs, captured, monthly_turnover)


def _cost(name: str, stated: float | None, factor: float, measured: float) -> Cost:
    if stated is not None:
        return Cost(name, stated * factor, "stated")
    return Cost(name, measured + 0.0, "measured")


def _bp(amount: float, value: float) -> float:
    return float(amount) / float(value) * 1e4 if value else np.nan
