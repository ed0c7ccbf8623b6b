"""Replay a policy's ladder on recorded ticks."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from advanced_mm.errors import InputError
from advanced_mm.policies import Policy
from advanced_mm.policies.volatility import VolatilitySettings
from advanced_mm.replay.account import Account, Opening
from advanced_mm.replay.backtest import Backtest
from advanced_mm.replay.binding import END_OF_DATA
from advanced_mm.replay.conversion import NS_PER_MS, SIZE_UNITS
from advanced_mm.replay.decisions import DecisionTable, fixed_bp
from advanced_mm.replay.events import ReplayData
from advanced_mm.replay.figures import replay_figures
from advanced_mm.replay.hft_venue import in_base, prepared, seen_touches, venue
from advanced_mm.replay.ladders.maker import LadderMaker, Rules
from advanced_mm.replay.ladders.orders import Grid, Tolerances
from advanced_mm.replay.ladders.sight import FairPrices, MarketSight
from advanced_mm.replay.options import QUEUES, Queue, ReplayOptions
from advanced_mm.replay.policies import PolicyRun
from advanced_mm.replay.result import ReplayResult
from advanced_mm.replay.run import price_bands

__all__ = ["LadderOptions", "replay_ladder", "run_ladder"]


@dataclass(frozen=True, kw_only=True)
class LadderOptions:
    """Options of a ladder's replay beside `ReplayOptions`, whose ``size`` plays no part.

    Parameters
    ----------
    account
        What there is to trade with.
    min_value
        Orders of less are not sent, quote currency.
    size_tolerance
        A resting order stays while its unfilled size is off the wanted one by at most this share.
    book_levels
        Levels of each side of the book that the policy sees.
    large_order_multiple
        As in `Settings`: what the policy hears of as a large trade. None: of none.
    volatility
        Windows and weights of the volatility that the policy knows.

    Raises
    ------
    InputError
        A value is out of range.
    """

    account: Account = field(default_factory=Account)
    min_value: float = 10.0
    size_tolerance: float = 0.25
    book_levels: int = 20
    large_order_multiple: float | None = 20.0
    volatility: VolatilitySettings = field(default_factory=VolatilitySettings)

    def __post_init__(self) -> None:
        if not 0 <= self.min_value < np.inf:
            raise InputError(f"min_value = {self.min_value} must be at least 0, quote currency.")
        if not 0 <= self.size_tolerance < 10:
            raise InputError(f"size_tolerance = {self.size_tolerance} must be 0 to 10, a share.")
        if not 1 <= self.book_levels <= 1000:
            raise InputError(f"book_levels = {self.book_levels} must be 1 to 1000.")


def replay_ladder(
    data: ReplayData,
    policy: Policy,
    options: ReplayOptions,
    ladder: LadderOptions | None = None,
    queue: Queue = "model",
    fair: FairPrices | None = None,
) -> ReplayResult:
    """Replay one coin's recording with a policy's ladder.

    Orders fill as in `replay`. A resting order stays while a level of the ladder lies within
    ``requote_ticks`` of its price and its size is right (see `LadderOptions`).

    Parameters
    ----------
    data, options, queue
        As in `replay`.
    policy
        What is wanted at rest.
    ladder
        Account and tolerances; None: the defaults.
    fair
        None: the fair price stays unknown to the policy.

    Raises
    ------
    InputError
        The queue is unknown, or there are no data in the time asked for.
    """
    ladder = ladder or LadderOptions()
    data, options = prepared(data, options)
    options = replace(options, one_at_a_time=False)
    touch = seen_touches(data, options)
    opening = _opening(data, touch, options, ladder)
    sight = MarketSight(
        data,
        options,
        touch,
        levels=ladder.book_levels,
        large_order_multiple=ladder.large_order_multiple,
        fair=fair,
        volatility=ladder.volatility,
    )
    with venue(data, options, queue) as backtest:
        rules = _rules(data, options, ladder, opening)
        told = LadderMaker(backtest, sight, policy, rules).run()
    if told.ended not in (0, END_OF_DATA):
        raise RuntimeError(f"{data.coin}: hftbacktest ended the replay with error {told.ended}")
    return ReplayResult(
        data=data,
        decisions=_undecided(options, told.reasons),
        options=options,
        queue=queue,
        touch=touch,
        quotes=in_base(told.quotes, "size", "filled", "position"),
        fills=in_base(told.fills, "size")[np.argsort(told.fills["exchange_ns"], kind="stable")],
        looks=in_base(told.looks, "position"),
        refusals=told.refusals,
        opening=opening,
        account=ladder.account,
    )


def run_ladder(
    backtest: Backtest,
    policy: Callable[[], Policy],
    options: ReplayOptions,
    ladder: LadderOptions | None = None,
    queues: Sequence[Queue] = QUEUES,
    fair: FairPrices | None = None,
) -> PolicyRun:
    """Replay a policy's ladder once for each queue assumption, each time with a new policy.

    Raises
    ------
    InputError
        As `replay_ladder`.
    """
    bounded = backtest.bounded(options)
    results = {
        queue: replay_ladder(backtest.data, policy(), bounded, ladder, queue, fair)
        for queue in queues
    }
    figures = {queue: replay_figures(result) for queue, result in results.items()}
    return PolicyRun(policy().name, results, figures)


def _opening(
    data: ReplayData, touch: NDArray[Any], options: ReplayOptions, ladder: LadderOptions
) -> Opening:
    """Return the account at the first known mid of the replay."""
    known = touch[np.isfinite(touch["bid"]) & np.isfinite(touch["ask"])]
    if not len(known):
        raise InputError(f"{data.coin}: the recording has no mid to open an account at.")
    start_ns = (options.start_ms or 0) * NS_PER_MS
    place = int(np.searchsorted(known["exchange_ns"], start_ns + NS_PER_MS, side="left")) - 1
    first = known[max(place, 0)]
    grid = options.grid or data.grid
    step = float(f"1e-{grid.size_decimals}")
    return ladder.account.opening(0.5 * float(first["bid"] + first["ask"]), step)


def _rules(
    data: ReplayData, options: ReplayOptions, ladder: LadderOptions, opening: Opening
) -> Rules:
    grid = options.grid or data.grid
    bands, steps = price_bands(grid, data.tick)
    longest = options.max_quote_age_seconds
    account = ladder.account
    return Rules(
        start=(options.start_ms or 0) * NS_PER_MS,
        end=(options.end_ms or 0) * NS_PER_MS,
        look=options.look_ms * NS_PER_MS,
        grid=Grid(
            bands,
            steps,
            data.tick,
            round(SIZE_UNITS / 10**grid.size_decimals),
            ladder.min_value,
        ),
        tolerances=Tolerances(
            options.requote_ticks,
            round(options.min_quote_age_seconds * 1e9),
            np.iinfo(np.int64).max if longest is None else round(longest * 1e9),
            ladder.size_tolerance,
        ),
        fee_rate=options.fee_rate,
        inventory=float(round(opening.inventory * SIZE_UNITS)),
        cash=opening.cash,
        largest_value=None if account.spot else account.leverage * account.capital,
    )


def _undecided(options: ReplayOptions, reasons: tuple[str, ...]) -> DecisionTable:
    """Return a table of no decisions: a ladder has no calibration, and its edge is unknown."""
    return replace(fixed_bp(0.0, 0, 0, options.start_ms or 0), refusals=reasons)
