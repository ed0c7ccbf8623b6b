"""Array types of the report."""

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = ["FloatArray"]

FloatArray: TypeAlias = npt.NDArray[np.float64]
