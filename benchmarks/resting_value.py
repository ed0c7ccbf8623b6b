"""What a resting quote is worth each moment, beside what the control problem promises.

A maker at inventory q whose quote rests delta from the mid earns, by the model,

    f(delta) = lambda exp(-kappa delta) (delta - epsilon - c + Delta h)

per second and unit, with the market's true parameters; nothing while no quote rests. The problem
promises the greatest f, of quotes that grow as old as the bot's settings say. What is missing is
split so that the parts add up exactly: at each moment

- dead: the whole promise, where no quote rests;
- else, from the promise to the quote as it is:
  age: f where it would be put now less f where it rests, and what the promise counts for age;
  ticks: f at the depth decided on less f at that depth's price on the grid;
  counted age: f at the best depth less f at the best one for the age that the settings count;
  estimates: f there less f at the depth decided on, which comes from fitted parameters.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from advanced_mm.journal import QuoteSent
from advanced_mm.markets.synthetic import SyntheticParameters
from advanced_mm.model import (
    QuoteAge,
    SideProblem,
    problem_of,
    risk_aversion_to_phi,
    solve,
)
from advanced_mm.parameter_files import Settings
from benchmarks.quote_age import sides_of, volatility

__all__ = ["PARTS", "Promise", "Stay", "Worth", "promise", "stays", "worth"]

Float1D = npt.NDArray[np.float64]
Int1D = npt.NDArray[np.int64]

STEP_MS: Final = 10
"""Much finer than the venue's blocks of 0.1 s, which start the bot's requests: steps of that length
would always or never fall between two orders."""
PARTS: Final = ("dead", "age", "ticks", "counted age", "estimates")


@dataclass(frozen=True)
class Stay:
    """One order at the venue: from when to when it rested, and what was decided.

    ``price``, ``depth`` (from the mid) and ``tick`` in the quote currency, ``units`` the inventory.
    ``ended`` is the venue's word for how: ``canceled``, ``filled``, ``open``.
    """

    placed_ms: int
    ended_ms: int
    side: str
    units: int
    price: float
    depth: float
    tick: float
    ended: str


@dataclass(frozen=True)
class Promise:
    """What the control problem promises at each inventory, with the market's true parameters.

    ``age`` is that of the quotes it counts. By side and inventory: ``gain`` is Delta h of a fill,
    ``depth`` the best one, both quote currency; ``rate`` what is earned there, quote currency per
    unit and second. A pair that is not quoted is absent.
    """

    age: QuoteAge
    ask: SideProblem
    bid: SideProblem
    fee: float
    gain: Mapping[tuple[str, int], float]
    depth: Mapping[tuple[str, int], float]
    rate: Mapping[tuple[str, int], float]

    def at(self, inventory: int) -> float:
        """Return what is promised at an inventory, where one quote rests: that of the best side."""
        return max(rate for (_, units), rate in self.rate.items() if units == inventory)

    def value(self, side: str, inventory: int, depth: Float1D) -> Float1D:
        """Return f(depth): what a quote there earns a unit and second; shape as ``depth``.

        A mid beyond the quote fills it at once, so that its distance counts as 0.
        """
        law = self.ask if side == "ask" else self.bid
        far = np.maximum(depth, 0.0)
        earned = far - law.cost - law.slope * far - self.fee + self.gain[side, inventory]
        return np.asarray(law.intensity * np.exp(-law.kappa * far) * earned)


def promise(market: SyntheticParameters, settings: Settings, mid: float, seconds: float) -> Promise:
    """Solve the settings' problem with the market's true parameters.

    ``seconds`` is the age at which quotes are replaced, 0 for an instant maker.
    """
    ask, bid = sides_of(market)
    age, fee = QuoteAge(seconds, volatility(market)), settings.fee_rate * mid
    aged = {name: age.effective(side, fee) for name, side in (("ask", ask), ("bid", bid))}
    phi = settings.phi
    if phi is None:
        intensity, kappa = (ask.intensity + bid.intensity) / 2, (ask.kappa + bid.kappa) / 2
        phi = risk_aversion_to_phi(settings.risk_aversion, intensity, kappa)
    solution = solve(
        problem_of(
            aged["ask"],
            aged["bid"],
            phi=phi,
            fee=fee,
            q_min=settings.q_min,
            q_max=settings.q_max,
            sides=settings.sides,
            min_depth=settings.min_depth,
        )
    )
    gains: dict[tuple[str, int], float] = {}
    depths: dict[tuple[str, int], float] = {}
    rates: dict[tuple[str, int], float] = {}
    h = dict(zip(solution.q.tolist(), solution.h.tolist(), strict=True))
    for side, step, best in (("ask", -1, solution.ask_depth), ("bid", 1, solution.bid_depth)):
        law = aged[side]
        for units, depth in zip(h, best.tolist(), strict=True):
            if units + step not in h:
                continue
            gain = gains[side, units] = h[units + step] - h[units]
            if np.isfinite(depth):
                depths[side, units] = depth
                earned = depth * (1 - law.slope) - law.cost - fee + gain
                rates[side, units] = law.intensity * float(np.exp(-law.kappa * depth)) * earned
    return Promise(age, ask, bid, fee, gains, depths, rates)


def stays(history: Sequence[Mapping[str, Any]], sent: Mapping[str, QuoteSent]) -> list[Stay]:
    """Return the orders of a venue's list that the journal knows, in the order they were placed."""
    found = []
    for one in sorted(history, key=lambda entry: int(entry["order"]["timestamp"])):
        quote = sent.get(str(one["order"]["oid"]))
        if quote is None:
            continue
        anchor = quote.mid if quote.fair_price is None else quote.fair_price
        sign = 1 if quote.side == "bid" else -1
        found.append(
            Stay(
                placed_ms=int(one["order"]["timestamp"]),
                ended_ms=2**62 if one["status"] == "open" else int(one["statusTimestamp"]),
                side=quote.side,
                units=quote.units,
                price=quote.price,
                depth=max(quote.depth + sign * (quote.mid - anchor), 0.0),
                tick=quote.tick,
                ended=str(one["status"]),
            )
        )
    return found


@dataclass(frozen=True)
class Worth:
    """Means over the time looked at, quote currency per unit and second.

    ``promised`` = ``value`` + Σ ``lost``;
    ``dead_after`` divides the loss by dead time by what had ended the order before, ``depth`` is
    the mean depth of quotes when they were decided, ``resting`` the share of time with a quote.
    """

    promised: float
    value: float
    lost: Mapping[str, float]
    dead_after: Mapping[str, float]
    depth: float
    resting: float

    @property
    def share(self) -> float:
        """The value as a share of what is promised."""
        return self.value / self.promised


def worth(
    orders: Sequence[Stay],
    time_ms: Int1D,
    mids: Float1D,
    promised: Promise,
    start_ms: int,
    end_ms: int,
    counted: Promise | None = None,
) -> Worth:
    """Follow the resting quote in steps of `STEP_MS`.

    Parameters
    ----------
    orders
        In the order they were placed, at least one.
    time_ms, mids
        The recorded mids, shape (n,), times ascending.
    promised
        What to compare with.
    start_ms, end_ms
        The time to look at, the end excluded.
    counted
        The promise for the age that the bot's settings count, if that is another.
    """
    counted = counted or promised
    at = np.arange(start_ms, end_ms, STEP_MS, dtype=np.int64)
    known = np.isfinite(mids)
    place = np.searchsorted(time_ms[known], at, side="right") - 1
    mid = mids[known][np.maximum(place, 0)]
    last = np.searchsorted([one.placed_ms for one in orders], at, side="right") - 1
    ended = np.array([one.ended_ms for one in orders])
    rests = (last >= 0) & (at < ended[np.maximum(last, 0)])
    # Inventory changes by fills alone, so without a quote it is that of the next one.
    units = np.array([one.units for one in orders])
    inventory = units[np.where(rests, last, np.minimum(last + 1, len(orders) - 1))]
    total = np.array([promised.at(int(q)) for q in inventory])
    value = np.zeros(len(at))
    lost = {part: np.zeros(len(at)) for part in PARTS}
    lost["dead"][~rests] = total[~rests]
    after: dict[str, float] = {}
    for number, amount in zip(last[~rests], total[~rests], strict=True):
        why = orders[number].ended if number >= 0 else "nothing"
        after[why] = after.get(why, 0.0) + float(amount) / len(at)
    depths = np.zeros(len(at))
    for number in np.unique(last[rests]):
        order, here = orders[number], np.flatnonzero(rests & (last == number))
        sign = -1 if order.side == "bid" else 1
        # On the grid, away from the mid; the product has lost the last digits of a whole number.
        ticks = sign * (mid[here] + sign * order.depth) / order.tick
        placed_now = sign * np.ceil(ticks - 1e-6) * order.tick
        key = order.side, order.units
        best = promised.depth.get(key, order.depth)
        ideal, for_age, decided, on_grid, actual = (
            promised.value(order.side, order.units, np.asarray(depth))
            for depth in (
                best,
                counted.depth.get(key, best),
                order.depth,
                sign * (placed_now - mid[here]),
                sign * (order.price - mid[here]),
            )
        )
        value[here] = actual
        depths[here] = order.depth
        lost["age"][here] = (on_grid - actual) + (total[here] - ideal)
        lost["ticks"][here] = decided - on_grid
        lost["counted age"][here] = ideal - for_age
        lost["estimates"][here] = for_age - decided
    return Worth(
        promised=float(total.mean()),
        value=float(value.mean()),
        lost={part: float(amounts.mean()) for part, amounts in lost.items()},
        dead_after=after,
        depth=float(depths[rests].mean()) if rests.any() else np.nan,
        resting=float(rests.mean()),
    )
