"""What to quote at which time and inventory, as arrays that a compiled maker can read."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from advanced_mm.errors import InputError

__all__ = ["BY_INVENTORY", "DecisionTable", "fixed_bp", "fixed_depth"]

Floats = NDArray[np.float64]
Codes = NDArray[np.int16]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class DecisionTable:
    """What to quote from each moment on, by inventory.

    Row ``i`` holds from ``time_ms[i]`` until ``time_ms[i + 1]``; before the first row nothing is
    quoted. A row begins when a refit is published, and also when a refusal begins or ends because
    of the parameters' age. Column ``j`` is the inventory ``q_min + j`` in units; all arrays but
    ``time_ms`` have shape (n, Q). Whatever makes a bot refuse for other reasons than the book and
    the data is in this table; the maker itself checks the book's age and sanity, the least and the
    greatest age of a quote and the limits of the recording.

    Attributes
    ----------
    time_ms
        Shape (n,), ascending, exchange ms.
    q_min
        Inventory of column 0, units.
    ask_depth, bid_depth
        Distance from the mid, quote currency (or bp of the mid, see ``depths_in_bp``), at least 0;
        NaN where the side is not quoted at a depth.
    ask_edge, bid_edge
        Expected profit of a fill, quote currency per unit of the base currency; NaN if unknown.
    ask_refusal, bid_refusal
        0 where the side may be quoted, else the place of the reason in ``refusals``.
    ask_at_touch, bid_at_touch
        Where the position is offered at the touch, because there are no usable parameters. The
        depth is ignored there; a refusal takes precedence.
    calibration_id
        Length n: the refit that each row rests on, empty if there is none.
    refusals
        Reasons, in words; the first is empty.
    depths_in_bp
        Depths are in bp of the mid at the time of each look instead of in quote currency.
    beta
        Shape (n,), quote currency: quotes are set around the fair price, the mid plus beta times
        the imbalance of the sizes at the touch; None: around the mid.
    adverse_limit
        Shape (2, n), bid and ask: a side opens no position while the imbalance against it is above
        this (1 is no limit). None: no limits.
    """

    time_ms: NDArray[np.int64]
    q_min: int
    ask_depth: Floats
    bid_depth: Floats
    ask_edge: Floats
    bid_edge: Floats
    ask_refusal: Codes
    bid_refusal: Codes
    ask_at_touch: Flags
    bid_at_touch: Flags
    calibration_id: tuple[str, ...]
    refusals: tuple[str, ...] = ("",)
    depths_in_bp: bool = False
    beta: Floats | None = None
    adverse_limit: Floats | None = None

    def __post_init__(self) -> None:
        n, width = len(self.time_ms), self.ask_depth.shape[-1]
        if n == 0 or np.any(np.diff(self.time_ms) < 0):
            raise InputError("decision table: time_ms must have at least one row and ascend.")
        if not self.q_min <= 0 < self.q_min + width:
            raise InputError(
                f"decision table: the inventories {self.q_min} to {self.q_max} must include 0."
            )
        for name in BY_INVENTORY:
            found = getattr(self, name)
            if found.shape != (n, width):
                raise InputError(
                    f"decision table: {name} has shape {found.shape}, must be {(n, width)}."
                )
        if self.beta is not None and not (
            self.beta.shape == (n,) and np.all(np.isfinite(self.beta))
        ):
            raise InputError(f"decision table: beta must be {n} finite numbers, one for each row.")
        limits = self.adverse_limit
        if limits is not None and limits.shape != (2, n):
            raise InputError(
                f"decision table: adverse_limit has shape {limits.shape}, must be {(2, n)}."
            )
        self._check_sides()
        if len(self.calibration_id) != n:
            raise InputError(
                f"decision table: calibration_id has length {len(self.calibration_id)}, not {n}."
            )
        if not self.refusals or self.refusals[0]:
            raise InputError("decision table: refusals[0] must be empty: code 0 is no refusal.")

    def _check_sides(self) -> None:
        for name in ("ask_depth", "bid_depth"):
            if np.any(getattr(self, name) < 0):
                raise InputError(f"decision table: {name} is negative, must be at least 0 or NaN.")
        for name in ("ask_refusal", "bid_refusal"):
            codes = getattr(self, name)
            if codes.min() < 0 or codes.max() >= len(self.refusals):
                raise InputError(
                    f"decision table: {name} has codes outside 0 to {len(self.refusals) - 1}, the "
                    "places in refusals."
                )

    @property
    def q_max(self) -> int:
        """Inventory of the last column, units."""
        return int(self.q_min + self.ask_depth.shape[1] - 1)


BY_INVENTORY = (
    *("ask_depth", "bid_depth", "ask_edge", "bid_edge"),
    *("ask_refusal", "bid_refusal", "ask_at_touch", "bid_at_touch"),
)
"""Columns with one value for each row and inventory."""


def fixed_depth(depth: float, q_min: int, q_max: int, time_ms: int = 0) -> DecisionTable:
    """Return a table that always quotes both sides at one depth (quote currency).

    At ``q_max`` there is no bid, at ``q_min`` no ask. Nothing is quoted before ``time_ms``.

    Raises
    ------
    InputError
        The depth is negative or the inventories do not include 0.
    """
    return _constant(depth, q_min, q_max, time_ms, in_bp=False)


def fixed_bp(bp: float, q_min: int, q_max: int, time_ms: int = 0) -> DecisionTable:
    """Return a table that always quotes both sides ``bp`` basis points from the mid.

    Raises
    ------
    InputError
        The distance is negative or the inventories do not include 0.
    """
    return _constant(bp, q_min, q_max, time_ms, in_bp=True)


def _constant(depth: float, q_min: int, q_max: int, time_ms: int, in_bp: bool) -> DecisionTable:
    width = q_max - q_min + 1
    if width < 1:
        raise InputError(f"q_min = {q_min} is above q_max = {q_max}.")
    ask, bid = (np.full((1, width), depth, dtype=np.float64) for _ in range(2))
    ask[0, 0] = bid[0, -1] = np.nan
    unknown = np.full((1, width), np.nan)
    none = np.zeros((1, width), dtype=np.int16)
    never = np.zeros((1, width), dtype=np.bool_)
    return DecisionTable(
        time_ms=np.array([time_ms], dtype=np.int64),
        q_min=q_min,
        ask_depth=ask,
        bid_depth=bid,
        ask_edge=unknown,
        bid_edge=unknown,
        ask_refusal=none,
        bid_refusal=none,
        ask_at_touch=never,
        bid_at_touch=never,
        calibration_id=("",),
        depths_in_bp=in_bp,
    )
