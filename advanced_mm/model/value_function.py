"""Solution of the control problem: value, optimal depths and inventory dynamics."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from advanced_mm.errors import InputError
from advanced_mm.model.parameters import ModelParameters

__all__ = ["ValueFunction"]

Float1D = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ValueFunction:
    """Optimal market making for each inventory q, at time to the end τ = T.

    All arrays have shape (q_max − q_min + 1,) and are read-only.

    Attributes
    ----------
    q
        Inventories q_min … q_max, units.
    h
        Value of the remaining session above cash and inventory at mid, quote currency per unit.
        For a finite horizon it includes the level; in the ergodic problem it is relative to
        inventory 0, or to the bound nearest 0 if 0 is outside the bounds. If a side is withdrawn,
        inventories that no fill can leave have no relative value: h is 0 at each.
    ask_depth, bid_depth
        Optimal distances from the mid, quote currency; ``inf`` where the side is absent: at the
        bound, where no depth is profitable, where one order at a time rests on the other side, or
        where a fill in the long run could not be reversed and would cost income forever.
    value_rate
        ∂h/∂τ at the reference inventory, quote currency per unit and second. In the ergodic
        problem it is the income γ, equal for every inventory; if a side is withdrawn, it is that of
        a start from the reference inventory.
    ask_intensity, bid_intensity
        Expected fills per second at these depths, λ·exp(−κδ).
    inventory_drift
        Expected change of inventory, units per second: bid_intensity − ask_intensity.
    stationary_distribution
        Share of time at each inventory if these depths are kept forever, starting from the
        reference inventory.
    method
        The solver used.
    parameters
        The problem solved.
    """

    q: NDArray[np.int64]
    h: Float1D
    ask_depth: Float1D
    bid_depth: Float1D
    value_rate: float
    ask_intensity: Float1D
    bid_intensity: Float1D
    inventory_drift: Float1D
    stationary_distribution: Float1D
    method: str
    parameters: ModelParameters

    def __post_init__(self) -> None:
        for name in (
            "q",
            "h",
            "ask_depth",
            "bid_depth",
            "ask_intensity",
            "bid_intensity",
            "inventory_drift",
            "stationary_distribution",
        ):
            getattr(self, name).flags.writeable = False

    def depths(self, q: int) -> tuple[float, float]:
        """Return ask and bid depth at inventory q, quote currency; ``inf`` if the side is absent.

        Raises
        ------
        InputError
            q is outside the bounds of the solved problem.
        """
        p = self.parameters
        if not p.q_min <= q <= p.q_max or q != int(q):
            raise InputError(
                f"q = {q!r} is not one of the inventories {p.q_min} … {p.q_max} of this value "
                "function: solve it for wider bounds."
            )
        index = int(q) - p.q_min
        return float(self.ask_depth[index]), float(self.bid_depth[index])
