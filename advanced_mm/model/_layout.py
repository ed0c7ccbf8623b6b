"""How the compiled kernels find their numbers: columns, branches and named tuples of arrays."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "ABSENT",
    "COST",
    "FLOOR",
    "FLOOR_DEPTH",
    "FLOOR_RATE",
    "FREE",
    "INTENSITY",
    "KEPT",
    "STEEPNESS",
    "WORTH",
    "Equation",
    "Float1D",
    "Float2D",
    "Int2D",
    "Workspace",
]

Float1D = NDArray[np.float64]
Float2D = NDArray[np.float64]
Int2D = NDArray[np.int8]

# Columns of ``Equation.sides``; their meaning is told in ``scaled.ScaledProblem``.
INTENSITY, COST, KEPT, FLOOR_DEPTH, STEEPNESS, WORTH, FLOOR_RATE = range(7)

ABSENT, FREE, FLOOR = 0, 1, 2  # branches of F


class Equation(NamedTuple):
    """What the kernels know of a problem; the fields are those of ``ScaledProblem``."""

    sides: Float2D
    source: Float1D
    one_sided: bool
    reference: int


class Workspace(NamedTuple):
    """Arrays of one integration, allocated once."""

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
