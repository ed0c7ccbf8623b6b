"""Sweeps of settings over tick replays, with what luck alone would have found."""

from advanced_mm.replay.sweeps.evaluate import Conditions, Job, Source, backtest_of, evaluate
from advanced_mm.replay.sweeps.folds import Fold, Span, folds_of
from advanced_mm.replay.sweeps.luck import Luck
from advanced_mm.replay.sweeps.objectives import OBJECTIVES, Outcome
from advanced_mm.replay.sweeps.plan import SweepPlan, load_plan
from advanced_mm.replay.sweeps.pool import open_pool
from advanced_mm.replay.sweeps.search import open_storage
from advanced_mm.replay.sweeps.sweep import FoldResult, SweepResult, replays_of, run_sweep

__all__ = [
    "OBJECTIVES",
    "Conditions",
    "Fold",
    "FoldResult",
    "Job",
    "Luck",
    "Outcome",
    "Source",
    "Span",
    "SweepPlan",
    "SweepResult",
    "backtest_of",
    "evaluate",
    "folds_of",
    "load_plan",
    "open_pool",
    "open_storage",
    "replays_of",
    "run_sweep",
]
