"""Compiled moments of a moving window."""

import numpy as np

from advanced_mm.compiled import compiled
from advanced_mm.research._types import FloatArray

__all__ = ["moments"]


@compiled
def moments(values: FloatArray, rows: int, least: int) -> tuple[FloatArray, FloatArray]:
    """Return mean and standard deviation (n − 1) of the last ``rows`` values, at each row.

    Unknown values (NaN) are left out; with fewer than ``least`` known ones both are NaN.

    Nothing is ever subtracted from a running sum, so no error is carried along, and a window of
    equal values has deviation 0. The rows are cut into blocks as long as the window: each window is
    the end of a block and the beginning of the next (van Herk, 1992). Both are summed as
    differences from their first value, and joined as by Chan, Golub & LeVeque (1983).
    """
    size = len(values)
    mean = np.full(size, np.nan)
    deviation = np.full(size, np.nan)
    end_count = np.zeros(rows + 1, np.int64)  # of a block's rows from each on
    end_mean = np.zeros(rows + 1)
    end_square = np.zeros(rows + 1)
    for start in range(0, size, rows):
        stop = min(start + rows, size)
        count, origin, total, square = 0, 0.0, 0.0, 0.0
        for i in range(start, stop):
            x = values[i]
            if not np.isnan(x):
                if count == 0:
                    origin = x
                count += 1
                total += x - origin
                square += (x - origin) ** 2
            before = end_count[i - start + 1]
            known = count + before
            if known < least or known == 0:
                continue
            around = square + end_square[i - start + 1]
            mean[i] = end_mean[i - start + 1]
            if count:
                here = origin + total / count
                gap = here - mean[i] if before else 0.0
                mean[i] = here - gap * (before / known)
                around += gap * gap * (before * (count / known)) - total * total / count
            deviation[i] = np.sqrt(max(around, 0.0) / (known - 1)) if known > 1 else np.nan
        count, origin, total, square = 0, 0.0, 0.0, 0.0
        for i in range(stop - 1, start - 1, -1):
            x = values[i]
            if not np.isnan(x):
                if count == 0:
                    origin = x
                count += 1
                total += x - origin
                square += (x - origin) ** 2
            end_count[i - start] = count
            end_mean[i - start] = origin + total / max(count, 1)
            end_square[i - start] = max(square - total * total / max(count, 1), 0.0)
    return mean, deviation
