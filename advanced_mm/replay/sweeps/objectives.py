"""What a trial is judged by: figures of one replay, and which way each is better."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from advanced_mm.marketdata.records import Float1D

__all__ = ["OBJECTIVES", "Objective", "ObjectiveName", "Outcome", "joined"]

ObjectiveName = Literal["net_per_hour", "max_drawdown", "time_at_limits", "fill_rate"]


@dataclass(frozen=True)
class Outcome:
    """What one replay of a stretch of the recording earned.

    Attributes
    ----------
    net : array
        P&L after fees in each minute that the recording covers, USDC.
    hours : float
        Time covered, hours.
    drawdown : float
        Largest fall of the equity below an earlier high, at whole minutes, USDC.
    at_limits : float
        Hours during which the inventory was at a limit other than 0.
    inventory_risk : float
        Standard deviation that the mid's moves give to the P&L of the positions held, USDC: that of
        the mid's change in a minute times the root of the sum of position² · minutes.
    quotes, filled : int
        Quotes that rested, and those of them that were filled at least in part.
    fills : int
        Fills.
    """

    net: Float1D
    hours: float
    drawdown: float
    at_limits: float
    inventory_risk: float
    quotes: int
    filled: int
    fills: int

    @property
    def figures(self) -> dict[ObjectiveName, float]:
        """The figures that a sweep can optimise."""
        return {
            "net_per_hour": float(self.net.sum()) / self.hours,
            "max_drawdown": self.drawdown,
            "time_at_limits": self.at_limits / self.hours,
            "fill_rate": self.filled / self.quotes if self.quotes else 0.0,
        }


@dataclass(frozen=True)
class Objective:
    """A figure's unit and direction, and its name for a reader."""

    title: str
    unit: str
    direction: Literal["maximize", "minimize"]


OBJECTIVES: Final[Mapping[ObjectiveName, Objective]] = {
    "net_per_hour": Objective("net P&L per hour", "USDC/h", "maximize"),
    "max_drawdown": Objective("largest drawdown", "USDC", "minimize"),
    "time_at_limits": Objective("share of time at an inventory limit", "", "minimize"),
    "fill_rate": Objective("share of quotes filled", "", "maximize"),
}


def joined(parts: Sequence[Outcome]) -> Outcome:
    """Put stretches one after the other; the drawdown is the largest within one of them."""
    return Outcome(
        net=np.concatenate([part.net for part in parts]),
        hours=sum(part.hours for part in parts),
        drawdown=max(part.drawdown for part in parts),
        at_limits=sum(part.at_limits for part in parts),
        inventory_risk=math.sqrt(sum(part.inventory_risk**2 for part in parts)),
        quotes=sum(part.quotes for part in parts),
        filled=sum(part.filled for part in parts),
        fills=sum(part.fills for part in parts),
    )
