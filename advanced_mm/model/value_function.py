"""The solution: value, optimal depths and what the inventory does under them."""

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
        inventory 0, or to the bound nearest 0 where 0 lies outside the bounds. Where a side is
        withdrawn, inventories that no fill leads out of have no relative value: h is 0 at each.
    ask_depth, bid_depth
        Optimal distances from the mid, quote currency; ``inf`` where the side is absent: at the
        bound, where no depth pays, where one order at a time rests on the other side, or where in
        the long run a fill could not be undone and would cost income for ever.
    value_rate
        ∂h/∂τ at the reference inventory, quote currency per unit and second. In the ergodic
        problem it is the income γ: the same for every inventory, but that of a start from the
        reference inventory where a side is withdrawn.
    ask_intensity, bid_intensity
        Expected fills per second at these depths, λ·exp(−κδ).
    inventory_drift
        Expected change of inventory, units per second: bid_intensity − ask_intensity.
    stationary_distribution
        Share of time spent at each inventory if these depths are kept for ever, starting from the
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
        """Ask and bid depth at inventory q, quote currency; ``inf`` where the side is absent.

        Raises
        ------
        InputError
            If q lies outside the bounds the problem was solved for: no depth is known there.
        """
        p = self.parameters
        if not p.q_min <= q <= p.q_max or q != int(q):
            raise InputError(
                f"q = {q!r} is not one of the inventories {p.q_min} … {p.q_max} of this value "
                "function: solve it for wider bounds."
            )
        index = int(q) - p.q_min
        return float(self.ask_depth[index]), float(self.bid_depth[index])
