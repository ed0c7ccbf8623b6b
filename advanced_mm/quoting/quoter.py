"""Quoting decision from parameters, inventory and touch: a price on the grid, or a refusal."""

import logging
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from advanced_mm.errors import AdvancedMMError
from advanced_mm.model import ModelParameters, QuoteAge, ValueFunction, from_best, kept, solve
from advanced_mm.parameter_files import (
    ParameterFileError,
    ParameterSet,
    Settings,
    configuration_of,
    model_problem,
    published_solution,
    quote_age,
    same_problem,
)
from advanced_mm.price_grid import PriceGrid
from advanced_mm.quoting.edge import Side, expected_edge
from advanced_mm.quoting.guards import narrow_round_trip
from advanced_mm.quoting.layers import offers_at
from advanced_mm.quoting.parameter_feed import ParameterSource
from advanced_mm.quoting.parameter_guards import (
    CLOCK_TOLERANCE_SECONDS,
    entry_refusal,
    imbalance_refusal,
    quote_refusal,
)
from advanced_mm.quoting.policy_quotes import PolicyQuotes

__all__ = ["Quote", "Quoter", "Refusal", "Touch", "kind_of"]

logger = logging.getLogger(__name__)

_FEE_TOLERANCE = 0.01
"""The published depths are valid while the mid, and thus the fee, is within 1% of the refit's."""

_FARTHEST = 0.01
"""A fair price farther than this share of the mid from it indicates a bad estimate."""

_SPARE_TICKS, _SPARE_BP = 2.0, 0.5
"""By how much less an entry may earn that has paid at the look before: rounding the two prices
moves the edge by up to two ticks, which must not take an order away and back at each look."""

_SPARE_IMBALANCE = 0.1
"""By how much less the sizes may speak against an entry after they forbade one: they change with
each message, which must not take an order away and back at each look."""

_DEEPEST = 0.1
"""A depth above this share of the mid indicates a bad estimate and is not quoted."""

_SIDES: tuple[Side, Side] = ("ask", "bid")
_SAME = 1e-12  # share of the mid; depths nearer to each other are the same


@dataclass(frozen=True)
class Touch:
    """Best bid and offer (quote currency) and the time the venue published them.

    The sizes (base currency) are None where they are not known.
    """

    bid: float
    ask: float
    at: datetime
    bid_size: float | None = None
    ask_size: float | None = None

    @property
    def mid(self) -> float:
        """Mid price, quote currency."""
        return (self.bid + self.ask) / 2

    @property
    def imbalance(self) -> float:
        """The bid's size minus the ask's over their sum, -1 to 1; 0 where it is not known."""
        bid, ask = self.bid_size or 0.0, self.ask_size or 0.0
        return (bid - ask) / (bid + ask) if self.shows_sizes else 0.0

    @property
    def shows_sizes(self) -> bool:
        """Whether the sizes, and so the imbalance, are known."""
        bid, ask = self.bid_size, self.ask_size
        return bid is not None and ask is not None and 0 < bid < math.inf and 0 < ask < math.inf

    @property
    def is_sane(self) -> bool:
        """Whether both prices are finite, positive and not crossed."""
        return math.isfinite(self.bid) and math.isfinite(self.ask) and 0 < self.bid < self.ask


@dataclass(frozen=True)
class Quote:
    """A price to quote, and the inputs it was computed from.

    ``price``, ``mid``, ``depth``, ``tick`` and ``edge`` are in the quote currency; ``edge`` is the
    expected profit of a fill per unit. ``calibration_id`` is None for an exit at the touch, which
    needs no parameters. ``fair_price`` is what ``depth`` is measured from, None for the mid.
    ``kappa`` (per quote currency) and ``from_best`` say what another depth would be worth, see
    `model.value_kept`; ``kappa`` is 0 where that is not known.
    ``widened`` is the factor by which guards made the model's depth larger.
    """

    side: Side
    inventory: int
    price: float
    mid: float
    depth: float
    tick: float
    calibration_id: str | None
    edge: float | None = None
    fair_price: float | None = None
    widened: float = 1.0
    kappa: float = 0.0
    from_best: float = 0.0

    def value_lost(self, price: float) -> float:
        """Return the share of this quote's value that one at another price lacks; 0 if unknown."""
        if self.kappa == 0:
            return 0.0
        fair = self.mid if self.fair_price is None else self.fair_price
        away = 1.0 if self.side == "ask" else -1.0
        here, there = (
            kept(self.kappa * (away * (at - fair) - self.depth), self.from_best)
            for at in (self.price, price)
        )
        return 1 - there / here if here > 0 else 1.0

    opens: bool | None = None
    """Whether a fill adds to the bot's own position; None: as the inventory says, from 0."""

    @property
    def is_entry(self) -> bool:
        """Whether a fill opens or adds to the bot's own position."""
        return self.inventory == 0 if self.opens is None else self.opens


@dataclass(frozen=True)
class Refusal:
    """Decision not to quote, with its reason.

    ``keeps_resting``: what already rests may stay, because it reduces the position and only the
    book is in doubt, not what the order was priced from.
    """

    reason: str
    keeps_resting: bool = False


def kind_of(reason: str) -> str:
    """Reduce a reason to its kind, so that reasons differing only in numbers are logged once."""
    return re.sub(r"[\d.]+", "#", reason.partition(":")[0])


class Quoter:
    """Quotes one coin at the optimal depths of the control problem.

    They are distances from the fair price: the venue's mid, moved by what the sizes at the touch
    foretell (setting ``fair_price``), from the parameters that were fitted around it. Where there
    are none of those, or the sizes are not known, everything is around the mid. Quotes never reach
    the other side of the touch.
    """

    def __init__(self, settings: Settings, feed: ParameterSource, grid: PriceGrid) -> None:
        self.settings = settings
        self._feed = feed
        self._grid = grid
        policy = settings.quoting_policy()
        self._policy = None if policy is None else PolicyQuotes(policy, settings)
        self._solved: ValueFunction | None = None
        self._depths: dict[str, _Depths] = {}
        self._touch_reason = ""  # logged once
        self._paid: set[Side] = set()  # entries that were worth it at the last look
        self._against: dict[Side, datetime] = {}  # when sizes that forbid an entry were last seen

    def entry(
        self, side: Side, inventory: int, touch: Touch, now: datetime, widen: float = 1.0
    ) -> Quote | Refusal:
        """Quote to open or enlarge a position; refuse if parameters or market are in doubt.

        The depth is ``widen`` times the model's.
        """
        stale_book = self._book_fault(touch, now)
        if stale_book is not None:
            return Refusal(stale_book)
        try:
            parameters = self._parameters(touch)
        except ParameterFileError as error:
            return Refusal(str(error))
        refusal = entry_refusal(parameters, self.settings, now) or self._sizes_against(
            parameters, side, touch.imbalance, now
        )
        if refusal is not None:
            return Refusal(refusal)
        quote = self._at_optimal_depth(parameters, side, inventory, touch, widen, opens=True)
        if isinstance(quote, Quote):
            loss = self._too_little(parameters, quote, touch)
            if loss is None:
                self._paid.add(side)
                return quote
            self._paid.discard(side)
            return Refusal(loss)
        return quote

    def exit(self, side: Side, inventory: int, touch: Touch, now: datetime) -> Quote | Refusal:
        """Quote to close a position at the optimal depth; without usable parameters, at the touch.

        With a stale or crossed book nothing new is quoted and the position is held; what rests
        stays while its parameters may be used. The position is held, too, where a policy quotes
        only the side that adds to it.
        """
        stale_book = self._book_fault(touch, now)
        if stale_book is not None:
            return Refusal(stale_book, keeps_resting=self.exit_may_rest(now))
        try:
            parameters = self._parameters(touch)
            refusal = quote_refusal(parameters, self.settings, now)
            if refusal is not None:
                return self._without_parameters(side, inventory, touch, refusal)
            quote = self._at_optimal_depth(parameters, side, inventory, touch, opens=False)
        except AdvancedMMError as error:
            return self._without_parameters(side, inventory, touch, str(error))
        if isinstance(quote, Refusal):
            if self._policy is not None and self._policy.holds:
                return quote
            return self._at_touch(side, inventory, touch, quote.reason)
        self._touch_reason = ""
        return quote

    def _parameters(self, touch: Touch) -> ParameterSet:
        """Return the newest parameters of quotes around the price that the touch shows."""
        return self._feed.latest().around(self.settings.fair_price if touch.shows_sizes else "mid")

    @property
    def usual_volatility(self) -> float | None:
        """The newest refit's volatility of the mid, quote currency per √s; None if unknown."""
        try:
            return self._feed.latest().epsilon.sigma
        except AdvancedMMError:
            return None

    def exit_may_rest(self, now: datetime) -> bool:
        """Return whether an exit may keep resting where it is although no book can be seen."""
        try:
            parameters = self._feed.latest().around(self.settings.fair_price)
            return quote_refusal(parameters, self.settings, now) is None
        except AdvancedMMError:
            return False

    def one_order(
        self, inventory: int, touch: Touch, now: datetime, widen: float = 1.0
    ) -> Quote | Refusal:
        """Quote the one order that may rest at an inventory of several units.

        It rests on the side whose fills are worth more, by the one-sided problem. Where nothing may
        be added, the position is offered; without one, nothing is quoted.
        """
        best = self._better_side(inventory, touch)
        if inventory == 0:
            opening: Side = "bid" if self.settings.q_max > 0 else "ask"
            return self.entry(best or opening, 0, touch, now, widen)
        closing: Side = "ask" if inventory > 0 else "bid"
        if best is not None and best != closing:
            entry = self.entry(best, inventory, touch, now, widen)
            if isinstance(entry, Quote):
                return entry
        return self.exit(closing, inventory, touch, now)

    def _better_side(self, inventory: int, touch: Touch) -> Side | None:
        """Return the side that the problem rests; None if there is none, or no parameters.

        Of a policy, the side that is nearer to the price; in doubt the one that closes.
        """
        try:
            parameters = self._parameters(touch)
            if self._policy is not None:
                return self._nearer_side(parameters, inventory, touch)
            depths = self._depths_for(parameters, touch.mid)
        except AdvancedMMError:
            return None
        ask, bid = depths.by_inventory.get(inventory, (None, None))
        if (ask is None) == (bid is None):
            return None
        return "bid" if ask is None else "ask"

    def _nearer_side(self, parameters: ParameterSet, inventory: int, touch: Touch) -> Side | None:
        fair = self._fair_price(parameters, touch)
        ask, bid = (
            self._policy_depth(parameters, side, inventory, touch, fair, assumed=True)
            for side in _SIDES
        )
        if ask is None or bid is None:
            return None if ask is bid else "ask" if bid is None else "bid"
        if abs(ask - bid) <= _SAME * touch.mid:
            return "ask" if inventory > 0 else "bid"
        return "ask" if ask < bid else "bid"

    def is_outdated(
        self,
        resting_price: float,
        age_seconds: float,
        wanted: Quote | Refusal,
        tolerance_percent: float | None = None,
    ) -> bool:
        """Decide whether a resting order must be cancelled.

        If quoting is refused, it is cancelled at once, unless it may stay. Otherwise it rests for
        at least ``min_quote_age_seconds``, because a replacement costs requests. After that it is
        cancelled if it has lost more than the tolerance of its value (default
        ``requote_loss_percent``; where the value is not known, at once) and its price is
        ``requote_ticks`` or more from the wanted one; after ``max_quote_age_seconds``, if the price
        differs at all.
        """
        settings = self.settings
        if isinstance(wanted, Refusal):
            return not wanted.keeps_resting
        if age_seconds < settings.min_quote_age_seconds:
            return False
        off = abs(resting_price - wanted.price) / wanted.tick
        if off < 1e-6:
            return False
        longest = settings.max_quote_age_seconds
        if longest is not None and age_seconds >= longest:
            return True
        if off < settings.requote_ticks - 1e-6:
            return False
        if wanted.kappa == 0:
            return True
        if tolerance_percent is None:
            tolerance_percent = settings.requote_loss_percent
        return wanted.value_lost(resting_price) > tolerance_percent / 100

    def _book_fault(self, touch: Touch, now: datetime) -> str | None:
        if not touch.is_sane:
            return f"the book is crossed or empty: bid {touch.bid}, ask {touch.ask}"
        age = (now - touch.at).total_seconds()
        if age > self.settings.max_book_age_seconds:
            limit = self.settings.max_book_age_seconds
            return f"the book is {age:.0f} s old, at most {limit:g} s allowed"
        if age < -CLOCK_TOLERANCE_SECONDS:
            return f"the book is {-age:.0f} s in the future: synchronize this machine's clock"
        return None

    def _at_optimal_depth(
        self,
        parameters: ParameterSet,
        side: Side,
        inventory: int,
        touch: Touch,
        widen: float = 1.0,
        *,
        opens: bool,
    ) -> Quote | Refusal:
        if not self.settings.q_min <= inventory <= self.settings.q_max:
            return Refusal(
                f"inventory {inventory} is outside market_making.q_min = {self.settings.q_min} to "
                f"q_max = {self.settings.q_max}"
            )
        fair = self._fair_price(parameters, touch)
        if self._policy is None:
            depth = self._depth(parameters, side, inventory, touch.mid, closes=not opens)
        else:
            depth = self._policy_depth(parameters, side, inventory, touch, fair)
        if depth is None:
            why = "" if self._policy is None else f": {self._policy.reason}"
            return Refusal(f"no {side} is quoted at inventory {inventory}{why}")
        if depth > 0:
            depth *= widen
        if depth > _DEEPEST * touch.mid:
            return Refusal(f"a depth of {depth:g} is more than {_DEEPEST:.0%} of the mid")
        most = self.settings.greatest_depth(touch.mid)
        if depth > most:
            if opens:
                return Refusal(
                    f"spread too wide: the optimal depth of {depth / touch.mid * 1e4:.2f} bp is "
                    f"above half of max_spread_bp = {self.settings.max_spread_bp:g}"
                )
            depth = most
        age = quote_age(parameters, self.settings)
        if abs(fair - touch.mid) > _FARTHEST * touch.mid:
            return Refusal(f"a fair price of {fair:g} is more than {_FARTHEST:.0%} from the mid")
        price = self._price(side, fair, depth, touch)
        fee = self.settings.fee_rate * touch.mid
        return Quote(
            side=side,
            inventory=inventory,
            price=price,
            mid=touch.mid,
            depth=depth,
            tick=self._grid.tick(touch.mid),
            calibration_id=parameters.calibration_id,
            edge=expected_edge(parameters, side, self._distance(side, price, fair), fee, age),
            fair_price=None if fair == touch.mid else fair,
            opens=opens,
            widened=widen,
            # By the model alone, a quote too near for a guard would lose nothing: the depth that it
            # asks for counts as the best.
            **(
                self._worth(parameters, side, inventory, depth)
                | ({} if widen == 1 else {"from_best": 0.0})
            ),
        )

    def _worth(
        self, parameters: ParameterSet, side: Side, inventory: int, depth: float
    ) -> dict[str, float]:
        """Return what tells the worth of other depths, as fields of `Quote`.

        A policy's own depth counts as the best.
        """
        if self._policy is not None:
            fitted = parameters.kappa
            kappa = fitted.kappa_plus if side == "ask" else fitted.kappa_minus
            return {"kappa": kappa or 0.0}
        depths = self._depths.get(parameters.anchor)
        if depths is None or not depths.h:
            return {}
        p, h = depths.problem, depths.h
        if side == "ask":
            kappa, cost, slope = p.kappa_plus, p.epsilon_plus, p.impact_slope_plus
        else:
            kappa, cost, slope = p.kappa_minus, p.epsilon_minus, p.impact_slope_minus
        after = inventory + (-1 if side == "ask" else 1)
        gain = h[after - p.q_min] - h[inventory - p.q_min]
        return {"kappa": kappa, "from_best": from_best(depth, kappa, cost + p.fee, slope, gain)}

    def _fair_price(self, parameters: ParameterSet, touch: Touch) -> float:
        if parameters.anchor == "mid":
            return touch.mid
        return touch.mid + parameters.quoted_beta * touch.imbalance

    def _price(self, side: Side, fair: float, depth: float, touch: Touch) -> float:
        """Return the price on the grid, moved so far away that it takes no liquidity.

        Around the mid it lies on our side of it anyway; a fair price may lie beyond the touch.
        """
        beyond = max(-depth, 0.0)  # a policy's skew may lead past the fair price
        if side == "bid":
            price = self._grid.bid(fair + beyond, depth + beyond)
            if price >= touch.ask:
                price = self._grid.bid(touch.ask, self._grid.tick(touch.ask))
        else:
            price = self._grid.ask(fair - beyond, depth + beyond)
            if price <= touch.bid:
                price = self._grid.ask(touch.bid, self._grid.tick(touch.bid))
        return price

    def _sizes_against(
        self, parameters: ParameterSet, side: Side, imbalance: float, now: datetime
    ) -> str | None:
        """Return why the sizes at the touch forbid an entry; None if they do not.

        They take an entry away at once. It comes back when they have been clearly better for the
        least age of a quote, so that it costs no more requests than other replacements.
        """
        since = self._against.get(side)
        spare = 0.0 if since is None else _SPARE_IMBALANCE
        refusal = imbalance_refusal(parameters, self.settings, side, imbalance, spare)
        if refusal is not None:
            self._against[side] = now
            return refusal
        least = self.settings.min_quote_age_seconds
        if since is not None and 0 <= (now - since).total_seconds() < least:
            return f"the sizes are against a {side}: they were less than {least:g} s ago"
        self._against.pop(side, None)
        return None

    def _too_little(self, parameters: ParameterSet, entry: Quote, touch: Touch) -> str | None:
        """Return why an entry's round trip is not worth it; None if it is.

        Both edges are those of prices on the grid, the closing one's as if it were sent now. The
        optimal depths assume the same move for every fill. If it grows with the depth, a fill may
        have a negative expected profit.
        """
        least_bp, mid = self.settings.min_edge_bp, entry.mid
        buys = entry.side == "bid"
        closing: Side = "ask" if buys else "bid"
        held = entry.inventory + (1 if buys else -1)
        fair = mid if entry.fair_price is None else entry.fair_price
        if self._policy is None:
            depth = self._depth(parameters, closing, held, mid, closes=True)
        else:
            depth = self._policy_depth(parameters, closing, held, touch, fair, assumed=True)
        fee = self.settings.fee_rate * mid
        narrow = narrow_round_trip(entry.depth, depth or 0.0, fee, mid)
        if narrow is not None or least_bp is None:
            return narrow
        # Where the model quotes nothing, the position is offered at the touch, where it is soon
        # filled.
        if depth is None:
            closed = expected_edge(parameters, closing, 0.0, fee, QuoteAge())
        else:
            age = quote_age(parameters, self.settings)
            distance = self._distance(closing, self._price(closing, fair, depth, touch), fair)
            closed = expected_edge(parameters, closing, distance, fee, age)
        if entry.edge is None or closed is None:
            return "no edge: the cost of a fill (epsilon_fill) was not fitted"
        earned_bp = (entry.edge + closed) / mid * 1e4
        spare_bp = min(_SPARE_TICKS * entry.tick / mid * 1e4, _SPARE_BP)
        if earned_bp >= least_bp - (spare_bp if entry.side in self._paid else 0.0):
            return None
        depths = "the optimal depths" if self._policy is None else "the policy's quotes"
        return (
            f"no edge: a round trip at {depths} is expected to earn {earned_bp:.2f} bp, "
            f"less than min_edge_bp = {least_bp:g}"
        )

    def _without_parameters(
        self, side: Side, inventory: int, touch: Touch, why: str
    ) -> Quote | Refusal:
        """Return an exit that needs no parameters: the policy's, or one at the touch."""
        if self._policy is None:
            return self._at_touch(side, inventory, touch, why)
        try:
            depth = self._policy_depth(None, side, inventory, touch, touch.mid)
            if depth is None and self._policy.holds:
                return Refusal(
                    f"no {side} is quoted at inventory {inventory}: {self._policy.reason}"
                )
            if depth is None:
                return self._at_touch(side, inventory, touch, f"{why}; {self._policy.reason}")
            price = self._price(side, touch.mid, depth, touch)
        except AdvancedMMError as error:
            return self._at_touch(side, inventory, touch, str(error))
        return Quote(
            side=side,
            inventory=inventory,
            price=price,
            mid=touch.mid,
            depth=depth,
            tick=self._grid.tick(touch.mid),
            calibration_id=None,
            opens=False,
        )

    def _policy_depth(
        self,
        parameters: ParameterSet | None,
        side: Side,
        inventory: int,
        touch: Touch,
        fair: float,
        *,
        assumed: bool = False,
    ) -> float | None:
        """Return the policy's distance from the fair price, at least the least one that is set."""
        assert self._policy is not None
        sizes = (touch.bid_size, touch.ask_size)
        bid_size, ask_size = (math.nan if size is None else size for size in sizes)
        depth = self._policy.depth(
            side,
            inventory,
            ((touch.bid, bid_size), (touch.ask, ask_size)),
            fair,
            None if parameters is None else parameters.epsilon.sigma,
            touch.at.timestamp(),
            assumed=assumed,
        )
        least = self.settings.least_depth(touch.mid)
        return max(depth, least) if depth is not None and least > 0 else depth

    @staticmethod
    def _distance(side: Side, price: float, fair: float) -> float:
        """Return how far a price is from the fair one, negative beyond it."""
        return fair - price if side == "bid" else price - fair

    def _at_touch(self, side: Side, inventory: int, touch: Touch, why: str) -> Quote:
        price = touch.bid if side == "bid" else touch.ask
        kind = kind_of(why)
        if kind != self._touch_reason:
            logger.warning(
                "%s; the position is offered at the touch, at %s", why.rstrip("."), price
            )
            self._touch_reason = kind
        return Quote(
            side=side,
            inventory=inventory,
            price=price,
            mid=touch.mid,
            depth=abs(touch.mid - price),
            tick=self._grid.tick(touch.mid),
            calibration_id=None,
            opens=False,
        )

    def _depth(
        self, parameters: ParameterSet, side: Side, inventory: int, mid: float, *, closes: bool
    ) -> float | None:
        """Return the optimal depth (quote currency), or None if the side is not quoted.

        With ``closes``, where one order at a time rests on the other side, it is the depth that
        this side would have.
        """
        depths = self._depths_for(parameters, mid)
        ask, bid = depths.by_inventory[inventory]
        depth = ask if side == "ask" else bid
        return depths.would_be.get((side, inventory)) if depth is None and closes else depth

    def _depths_for(self, parameters: ParameterSet, mid: float) -> "_Depths":
        """Return the depths; the published ones are used if they match the problem."""
        depths = self._depths.get(parameters.anchor)
        fee = self.settings.fee_rate * mid
        # Building and comparing problems takes longer than all else, and between refits only the
        # fee changes.
        if (
            depths is None
            or depths.parameters is not parameters
            or abs(fee - depths.fee) > _FEE_TOLERANCE * abs(fee)
        ):
            depths = self._depths[parameters.anchor] = self._solve(parameters, mid)
        return depths

    def _solve(self, parameters: ParameterSet, mid: float) -> "_Depths":
        problem = model_problem(parameters, self.settings, mid)
        tolerance = _FEE_TOLERANCE * abs(problem.fee)
        inventories = range(problem.q_min, problem.q_max + 1)
        published = published_solution(parameters, problem, tolerance)
        if published is not None and problem.sides == "one" and not published.h:
            published = None  # the depths of the side that does not rest follow from it
        if published is not None and published.configuration is not None:
            fee = float(published.configuration["fee"])  # type: ignore[arg-type]
            return _Depths(
                parameters,
                fee,
                {q: published.depths_at(q) for q in inventories},
                problem,
                published.h or (),
                _would_be(replace(problem, fee=fee), published.h or ()),
            )
        if self._solved is None or not same_problem(
            configuration_of(self._solved.parameters), configuration_of(problem), tolerance
        ):
            self._solved = solve(problem)
        solved = self._solved
        columns = (solved.ask_depth.tolist(), solved.bid_depth.tolist())
        pairs = zip(*([d if math.isfinite(d) else None for d in c] for c in columns), strict=True)
        fee = solved.parameters.fee
        by_inventory = dict(zip(inventories, pairs, strict=True))
        return _Depths(
            parameters,
            fee,
            by_inventory,
            problem,
            solved.h.tolist(),
            _would_be(solved.parameters, solved.h.tolist()),
        )


def _would_be(problem: ModelParameters, h: Sequence[float]) -> dict[tuple[Side, int], float]:
    """Return the depths of sides that are absent only as one order rests at a time."""
    if problem.sides != "one" or len(h) != problem.q_max - problem.q_min + 1:
        return {}
    return {
        (side, q): offer.depth
        for q in range(problem.q_min, problem.q_max + 1)
        for side, offer in offers_at(problem, h, q).items()
    }


@dataclass(frozen=True)
class _Depths:
    """Ask and bid depth by inventory, for one refit and about one fee (quote currency a unit).

    ``problem`` is what they solve, ``h`` its value function from ``q_min`` on, quote currency.
    """

    parameters: ParameterSet
    fee: float
    by_inventory: dict[int, tuple[float | None, float | None]]
    problem: ModelParameters
    h: Sequence[float]
    would_be: dict[tuple[Side, int], float]
