"""Policies replayed on one recording, for each assumption about the queue."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeVar

from advanced_mm.parameter_files import Settings
from advanced_mm.performance import Figure, Performance, assess
from advanced_mm.replay.backtest import OPTIMAL, Backtest, Policy, mean_depth_bp, unguarded
from advanced_mm.replay.figures import replay_figures
from advanced_mm.replay.options import QUEUES, Queue, ReplayOptions
from advanced_mm.replay.result import ReplayResult
from advanced_mm.replay.run import replay

__all__ = ["COMPARED_BP", "UNGUARDED", "PolicyRun", "compare_policies", "run_policy"]

COMPARED_BP: Final = (1.0, 2.0, 3.0, 5.0)
"""Constant distances that the optimal depths are compared with, bp."""
UNGUARDED: Final = "optimal, no limits"
"""The optimal depths without the limits on edge and toxicity."""

T = TypeVar("T")
Track = Callable[[Sequence[T], str], Iterable[T]]


@dataclass(frozen=True)
class PolicyRun:
    """One policy's replays and their figures (`replay_figures`), by the place in the queue."""

    name: str
    results: Mapping[Queue, ReplayResult]
    figures: Mapping[Queue, Mapping[str, Figure]]

    @property
    def mean_depth_bp(self) -> float | None:
        """Mean distance of the quotes sent, bp; None without quotes."""
        depths = (mean_depth_bp(result) for result in self.results.values())
        return next((depth for depth in depths if depth is not None), None)

    @property
    def best(self) -> Queue:
        """The queue assumption with the highest profit. Where fills lose money it is the back."""
        return max(self.figures, key=lambda queue: self.figures[queue]["net_per_hour"].value)

    @property
    def worst(self) -> Queue:
        """The queue assumption with the lowest profit."""
        return min(self.figures, key=lambda queue: self.figures[queue]["net_per_hour"].value)

    @property
    def fills(self) -> int:
        """Fills of all replays."""
        return sum(len(result.fills) for result in self.results.values())

    def performance(self, backtest: Backtest, queue: Queue, horizon_s: float) -> Performance:
        """Judge one of the replays, with the code that judges bots.

        Its net per hour is that of the time with data.
        """
        result, net = self.results[queue], self.figures[queue]["net_per_hour"]
        judged = assess(result.record(), [result.mids], backtest.history, horizon_s)
        return replace(judged, figures=judged.figures | {"net_per_hour": net})


def run_policy(
    backtest: Backtest,
    policy: Policy,
    settings: Settings,
    options: ReplayOptions,
    queues: Sequence[Queue] = QUEUES,
) -> PolicyRun:
    """Replay a policy once for each queue assumption.

    Raises
    ------
    InputError
        As `Backtest.decisions` and `replay`.
    """
    decisions = backtest.decisions(policy, options.with_age(settings), options.grid)
    bounded = backtest.bounded(options)
    results = {queue: replay(backtest.data, decisions, bounded, queue) for queue in queues}
    figures = {queue: replay_figures(result) for queue, result in results.items()}
    return PolicyRun(policy.name, results, figures)


def compare_policies(
    backtest: Backtest,
    settings: Settings,
    options: ReplayOptions,
    queues: Sequence[Queue] = QUEUES,
    track: "Track[tuple[Policy, Settings]]" = lambda steps, _: steps,
) -> list[PolicyRun]:
    """Replay the optimal depths beside constant ones.

    These are the optimal depths as configured, the same without the limits on edge and toxicity,
    `COMPARED_BP`, and the constant distance equal to the mean of the optimal quotes (as configured,
    or without the limits if those let nothing through).

    Raises
    ------
    InputError
        As `run_policy`.
    """
    optimal = [
        (Policy(OPTIMAL), settings),
        (Policy(UNGUARDED), unguarded(settings)),
    ]
    constant = [(Policy.fixed(distance), settings) for distance in COMPARED_BP]
    runs = [
        run_policy(backtest, policy, wanted, options, queues)
        for policy, wanted in track([*optimal, *constant], "replaying")
    ]
    means = (run.mean_depth_bp for run in runs[:2])
    mean = next((depth for depth in means if depth is not None), None)
    if mean is not None:
        same = Policy("fixed, same mean depth", mean)
        runs.append(run_policy(backtest, same, settings, options, queues))
    return runs
