"""A sweep: for each fold tune, then test what came out best on the time that follows."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from optuna.storages import BaseStorage
from optuna.study import Study

from advanced_mm.parameter_files import Settings
from advanced_mm.replay.figures import TOO_SHORT_HOURS
from advanced_mm.replay.options import QUEUES, Queue
from advanced_mm.replay.sweeps.evaluate import Conditions, Job, Source, evaluate
from advanced_mm.replay.sweeps.folds import Fold, Span
from advanced_mm.replay.sweeps.luck import SIGNIFICANT, Luck, luck_of, mean_interval
from advanced_mm.replay.sweeps.objectives import OBJECTIVES, Outcome, joined
from advanced_mm.replay.sweeps.plan import SweepPlan
from advanced_mm.replay.sweeps.pool import Pool
from advanced_mm.replay.sweeps.search import Trial, open_study, search

__all__ = ["FoldResult", "SweepResult", "replays_of", "run_sweep"]

Asked = tuple[Settings, Span, Queue]
"""A replay: with what settings, on what stretch, at what place in the queue."""


@dataclass(frozen=True)
class FoldResult:
    """What one fold came to.

    Attributes
    ----------
    fold : Fold
        Where it was tuned and where tested.
    study : Study
        Optuna's study of the trials.
    trials : list of Trial
        All trials, on the stretch to tune on.
    invalid : list of str
        For each trial whose settings contradicted each other, how.
    best : Trial or None
        The best by the first objective; None if no settings were valid.
    tested : dict
        The best trial on the test, for each queue assumption.
    present : Outcome
        The configuration's own settings on the test, for the plan's queue assumption.
    luck : Luck
        What luck does among the trials that were spread evenly.
    """

    fold: Fold
    study: Study
    trials: list[Trial]
    invalid: list[str]
    best: Trial | None
    tested: dict[Queue, Outcome]
    present: Outcome
    luck: Luck


@dataclass(frozen=True)
class SweepResult:
    """All folds in the order of time; the last has what one would trade with now."""

    plan: SweepPlan
    folds: list[FoldResult]

    @property
    def best(self) -> Trial | None:
        """The best trial of the last fold, which was tuned on the newest data."""
        return self.folds[-1].best

    @property
    def luck(self) -> Luck:
        """What luck does among the trials that the best comes from."""
        return self.folds[-1].luck

    def walk_forward(self, queue: Queue) -> Outcome | None:
        """All tests, each with what was best before it; None if one fold has no best."""
        tested = [fold.tested[queue] for fold in self.folds if queue in fold.tested]
        return joined(tested) if len(tested) == len(self.folds) else None

    @property
    def present(self) -> Outcome:
        """All tests with the configuration's own settings."""
        return joined([fold.present for fold in self.folds])

    @property
    def too_short(self) -> bool:
        """Whether the tests together cover less than an hour."""
        return self.present.hours < TOO_SHORT_HOURS

    @property
    def has_winner(self) -> bool:
        """Whether the best beats luck where it was tuned, and earned where it was tested."""
        tested = self.walk_forward(self.plan.queue)
        return (
            tested is not None
            and not self.too_short
            and self.luck.p_value < SIGNIFICANT
            and tested.figures["net_per_hour"] > 0
        )

    def interval(self, outcome: Outcome) -> tuple[float, float]:
        """The 95% interval of an outcome's net P&L per hour."""
        low, high = mean_interval(outcome.net, self.plan.seed)
        per_hour = len(outcome.net) / outcome.hours
        return low * per_hour, high * per_hour

    @property
    def gain(self) -> tuple[float, float, float]:
        """Net P&L per hour in all tests above the present settings', with its 95% interval."""
        tested = self.walk_forward(self.plan.queue)
        if tested is None:
            return np.nan, np.nan, np.nan
        more = tested.net - self.present.net
        low, high = mean_interval(more, self.plan.seed)
        per_hour = len(more) / tested.hours
        return float(more.mean()) * per_hour, low * per_hour, high * per_hour


def run_sweep(
    plan: SweepPlan,
    source: Source,
    conditions: Conditions,
    folds: Sequence[Fold],
    storage: BaseStorage,
    pool: Pool,
    done: Callable[[], object] = lambda: None,
    run: Callable[[Job], Outcome] = evaluate,
) -> SweepResult:
    """Tune and test fold by fold; trials that the storage has are not run again.

    Parameters
    ----------
    plan, source, conditions, folds
        What to vary, on what, how orders trade, and how the recording is split.
    storage, pool
        Where trials are kept and where they run.
    done
        Called after each replay; `replays_of` tells how many there will be at most.
    run
        Replays one job.

    Raises
    ------
    InputError
        The storage belongs to another sweep, or a replay's data cannot be used.
    """

    def replayed(asked: Sequence[Asked]) -> list[Outcome]:
        return pool(run, [Job(source, conditions, *one) for one in asked], done)

    key = (source.coin, source.key, conditions)
    return SweepResult(
        plan,
        [_run_fold(plan, fold, n, storage, key, replayed) for n, fold in enumerate(folds)],
    )


def _run_fold(
    plan: SweepPlan,
    fold: Fold,
    number: int,
    storage: BaseStorage,
    key: object,
    replayed: Callable[[Sequence[Asked]], list[Outcome]],
) -> FoldResult:
    def train(several: Sequence[Settings]) -> list[Outcome]:
        return replayed([(one, fold.train, plan.queue) for one in several])

    study = open_study(storage, f"fold {number + 1}", plan, _key(plan, fold, key))
    trials, invalid = search(study, plan, train, plan.seed + number)
    best = _best(plan, trials)
    asked: list[Asked] = [(plan.base, fold.test, plan.queue)]
    if best is not None:
        chosen = Settings.from_config({"market_making": plan.base.model_dump() | best.values})
        asked += [(chosen, fold.test, queue) for queue in QUEUES]
    present, *tested = replayed(asked)
    luck = luck_of([one.outcome.net for one in trials if one.even], plan.seed)
    by_queue = dict(zip(QUEUES, tested, strict=False))
    return FoldResult(fold, study, trials, invalid, best, by_queue, present, luck)


def replays_of(plan: SweepPlan, folds: Sequence[Fold]) -> int:
    """Return how many replays a sweep takes, if the storage has none of its trials."""
    return len(folds) * (plan.trials + len(QUEUES) + 1)


def _best(plan: SweepPlan, trials: Sequence[Trial]) -> Trial | None:
    first = plan.objectives[0]
    sign = 1 if OBJECTIVES[first].direction == "maximize" else -1
    return max(trials, key=lambda one: sign * one.outcome.figures[first], default=None)


def _key(plan: SweepPlan, fold: Fold, key: object) -> str:
    """A digest of all that a fold's trials depend on, but their number."""
    told = repr(
        (
            sorted((name, repr(one)) for name, one in plan.space.ranges.items()),
            plan.base.model_dump_json(),
            (plan.objectives, plan.batch, plan.sampler, plan.queue, plan.seed),
            (fold, key),
        )
    )
    return hashlib.sha256(told.encode()).hexdigest()[:16]
