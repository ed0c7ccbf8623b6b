"""Quoting policies: depths by time and inventory."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from advanced_mm.errors import InputError
from advanced_mm.model.parameters import ModelParameters
from advanced_mm.model.solve import solve

__all__ = [
    "DepthPolicy",
    "keep_one_side",
    "optimal_depths",
    "optimal_policy",
    "session_length",
    "tabulate",
]

Float1D = NDArray[np.float64]
Float2D = NDArray[np.float64]

_TIE = 1e-9  # relative difference below which the two sides are worth the same

DepthsAt = Callable[[ModelParameters], tuple[Float1D, Float1D]]


@dataclass(frozen=True, eq=False)
class DepthPolicy:
    """Depths by time and inventory, validated on construction; the arrays are read-only.

    Parameters
    ----------
    q
        The n inventories of the policy, units: consecutive whole numbers, ascending.
    times
        Seconds since the start (m,), ascending, the first 0. A row of depths applies from its time
        until that of the next row, the last one indefinitely.
    ask_depth, bid_depth
        Distances from the mid (m, n), quote currency; ``inf`` where the side is not quoted. No
        ask rests at the lowest inventory and no bid at the highest.
    name
        Name of the policy in tables and figures.

    Raises
    ------
    InputError
        Names the array and what is wrong with it.
    """

    q: NDArray[np.int64]
    times: Float1D
    ask_depth: Float2D
    bid_depth: Float2D
    name: str

    def __post_init__(self) -> None:
        self._store("q", np.array(self.q, dtype=np.int64))
        for name in ("times", "ask_depth", "bid_depth"):
            self._store(name, np.array(getattr(self, name), dtype=np.float64))
        shape = (self.times.size, self.q.size)
        if self.q.ndim != 1 or self.q.size == 0 or (np.diff(self.q) != 1).any():
            raise InputError(f"q of policy {self.name!r} must be consecutive whole numbers.")
        if self.times.ndim != 1 or self.times.size == 0 or self.times[0] != 0.0:
            raise InputError(f"times of policy {self.name!r} must start with 0.")
        if not (np.diff(self.times) > 0.0).all():
            raise InputError(f"times of policy {self.name!r} must ascend.")
        for name in ("ask_depth", "bid_depth"):
            depth = getattr(self, name)
            if depth.shape != shape or np.isnan(depth).any() or (depth == -math.inf).any():
                raise InputError(
                    f"{name} of policy {self.name!r} must be numbers of shape {shape}, times by "
                    "inventories, with inf where the side is not quoted."
                )
        if np.isfinite(self.ask_depth[:, 0]).any() or np.isfinite(self.bid_depth[:, -1]).any():
            raise InputError(
                f"Policy {self.name!r} quotes beyond its inventories {self.q[0]} … {self.q[-1]}: "
                "set the ask's depth at the lowest and the bid's at the highest to inf."
            )

    def _store(self, name: str, array: NDArray[np.int64] | Float1D) -> None:
        array.flags.writeable = False
        object.__setattr__(self, name, array)

    def depths(self, q: int, t: float = 0.0) -> tuple[float, float]:
        """Return ask and bid depth at inventory q, t seconds after the start, quote currency.

        Raises
        ------
        InputError
            The inventory is not part of the policy, or t is before its start.
        """
        index = int(q) - int(self.q[0])
        if not 0 <= index < self.q.size or q != int(q):
            raise InputError(
                f"q = {q!r} is not one of the inventories {self.q[0]} … {self.q[-1]} of policy "
                f"{self.name!r}."
            )
        if not t >= 0.0:
            raise InputError(f"t = {t!r} must be at least 0 seconds.")
        row = int(np.searchsorted(self.times, t, side="right")) - 1
        return float(self.ask_depth[row, index]), float(self.bid_depth[row, index])

    def resting(self, parameters: ModelParameters) -> tuple[Float2D, Float2D]:
        """Return the ask and bid depths (m, n) on the inventories q_min … q_max of a bot.

        Nothing is quoted on inventories that are not part of the policy, nor where a fill would
        exceed the bot's bounds.

        Raises
        ------
        InputError
            If the bot rests one order at a time and the policy quotes both sides at once.
        """
        p = parameters
        known = np.flatnonzero((self.q >= p.q_min) & (self.q <= p.q_max))
        shape = (self.times.size, p.q_max - p.q_min + 1)
        ask, bid = np.full(shape, math.inf), np.full(shape, math.inf)
        ask[:, self.q[known] - p.q_min] = self.ask_depth[:, known]
        bid[:, self.q[known] - p.q_min] = self.bid_depth[:, known]
        ask[:, 0] = bid[:, -1] = math.inf
        if p.sides == "one" and (np.isfinite(ask) & np.isfinite(bid)).any():
            raise InputError(
                f"Policy {self.name!r} quotes both sides at once, but sides = 'one' rests a single "
                "order: drop one side of the policy, or set sides = 'both'."
            )
        return ask, bid


def optimal_policy(parameters: ModelParameters, steps: int = 300) -> DepthPolicy:
    """Tabulate the depths of :func:`~advanced_mm.model.solve`.

    Parameters
    ----------
    parameters
        The problem. Without a horizon the depths do not depend on time and need one row.
    steps
        Rows over a finite horizon, each solved separately: below 1 ms per row at ±3, 30 ms at ±100.
    """
    return tabulate(parameters, optimal_depths, name="optimal", steps=steps)


def optimal_depths(parameters: ModelParameters) -> tuple[Float1D, Float1D]:
    """Return the optimal ask and bid depths (n,) at the start of the problem's horizon."""
    solution = solve(parameters)
    return solution.ask_depth, solution.bid_depth


def keep_one_side(
    q: NDArray[np.int64],
    ask_depth: Float2D,
    bid_depth: Float2D,
    ask_worth: Float2D,
    bid_worth: Float2D,
) -> tuple[Float2D, Float2D]:
    """Keep the side worth more; on a tie the one that leads towards 0, at 0 the bid.

    All arrays except q (n,) are (…, n); a side that cannot be quoted must be worth ``-inf``.
    """
    equal = np.isclose(ask_worth, bid_worth, rtol=_TIE, atol=0.0)
    ask = np.where(equal, q > 0, ask_worth > bid_worth)
    return np.where(ask, ask_depth, math.inf), np.where(ask, math.inf, bid_depth)


def tabulate(
    parameters: ModelParameters, depths_at: DepthsAt, *, name: str, steps: int = 300
) -> DepthPolicy:
    """Tabulate a rule that gives the depths for each remaining time.

    The remaining time τ at the ends of rows is T·(j/steps)²: rows are short near the end, where the
    depths change, and each has the depths of its middle. The error of the depths is the change
    within a row, that of the value only its square.

    Parameters
    ----------
    parameters
        The problem; its inventories are the policy's.
    depths_at
        Ask and bid depths (n,) for the same problem with τ as its horizon.
    name
        The policy's name.
    steps
        Rows over a finite horizon; without a horizon there is one row.
    """
    if steps < 1:
        raise InputError(f"steps = {steps!r} must be at least 1.")
    horizon = parameters.horizon_seconds
    if horizon is None:
        times, rows = np.zeros(1), [depths_at(parameters)]
    else:
        left = horizon * (np.arange(steps, -1, -1) / steps) ** 2
        times = horizon - left[:-1]
        middles = (left[:-1] + left[1:]) / 2.0
        rows = [depths_at(replace(parameters, horizon_seconds=tau)) for tau in middles.tolist()]
    return DepthPolicy(
        q=np.arange(parameters.q_min, parameters.q_max + 1),
        times=times,
        ask_depth=np.array([ask for ask, _ in rows]),
        bid_depth=np.array([bid for _, bid in rows]),
        name=name,
    )


def session_length(parameters: ModelParameters, seconds: float | None) -> float:
    """Return the length of a session: ``seconds``, or the parameters' horizon if it is None.

    Raises
    ------
    InputError
        If neither is given, or ``seconds`` is not finite and above 0.
    """
    length = parameters.horizon_seconds if seconds is None else seconds
    if length is None:
        raise InputError("seconds must be given: the parameters have no horizon.")
    if not 0.0 < length < math.inf:
        raise InputError(f"seconds = {seconds!r} must be a finite number above 0.")
    return float(length)
