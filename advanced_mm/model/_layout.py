"""Data layout of the compiled kernels: columns, branches and named tuples of arrays.

Nothing is compiled here, so that code without kernels does not import numba.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "ABSENT",
    "ASK_FILLS",
    "BID_FILLS",
    "CASH",
    "COST",
    "FLOOR",
    "FLOOR_DEPTH",
    "FLOOR_RATE",
    "FREE",
    "INTENSITY",
    "INVENTORY",
    "KEPT",
    "MID",
    "SQUARES",
    "STEEPEST",
    "STEEPNESS",
    "WORTH",
    "Equation",
    "Float1D",
    "Float2D",
    "Int2D",
    "Int64D2",
    "Market",
    "Workspace",
]

Float1D = NDArray[np.float64]
Float2D = NDArray[np.float64]
Int2D = NDArray[np.int8]
Int64D2 = NDArray[np.int64]

# Columns of ``Equation.sides``, described in ``scaled.ScaledProblem``.
INTENSITY, COST, KEPT, FLOOR_DEPTH, STEEPNESS, WORTH, FLOOR_RATE = range(7)

ABSENT, FREE, FLOOR = 0, 1, 2  # branches of F
# Beyond −κδ* = 60, F is continued linearly so that exp does not overflow. Gaps that steep fall
# below 60 within e^{−60} of the mean time between fills, so the continuation has no lasting effect.
STEEPEST = 60.0

# Columns of a simulation's results ``amounts`` and ``counts``; SQUARES is ∫q².
CASH, MID, SQUARES = range(3)
INVENTORY, ASK_FILLS, BID_FILLS = range(3)


class Equation(NamedTuple):
    """Problem data for the kernels; the fields are those of ``ScaledProblem``."""

    sides: Float2D
    source: Float1D
    one_sided: bool
    reference: int


class Workspace(NamedTuple):
    """Work arrays of one integration, allocated once."""

    modes: Int2D  # (2, n), the branch of F each side is on
    slope: Float1D  # ∂g/∂s
    down: Float1D  # the Jacobian is a birth–death generator: F⁺′ below the diagonal,
    up: Float1D  # F⁻′ above it, minus their sum on it
    pivots: Float1D  # inverse pivots of (weight − J)
    times: Float1D  # its solution for a right-hand side of ones
    values: Float1D
    state: Float1D  # gaps along an Euler row
    table: Float2D  # (columns + 1, n + 1), the last row of extrapolated increments
    errors: Float1D  # (columns + 1,), of each column, over the tolerance


class Market(NamedTuple):
    """Market of a simulation, independent of the bot; pairs are (ask side, bid side)."""

    arrivals: float  # market orders per second, both sides
    buy_share: float  # share of them that lift the ask
    reach: Float1D  # (2,) mean depth 1/κ that an order reaches into the book
    move: Float1D  # (2,) mean move of the mid by an order
    slope: Float1D  # (2,) additional move per unit of reach
    drift: float  # of the mid between orders
    sigma: float  # of the mid between orders
    fee: float
    seconds: float
