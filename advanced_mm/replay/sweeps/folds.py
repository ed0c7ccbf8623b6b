"""Walk-forward folds: tune on what came before, leave a gap, test on what comes next."""

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

from advanced_mm.calibration.windows.coverage import Stretches
from advanced_mm.errors import InputError
from advanced_mm.marketdata.records import Int1D
from advanced_mm.replay.sweeps.plan import FoldPlan

__all__ = ["Fold", "Span", "folds_of"]

LEAST_TRAIN_S: Final = 600.0
"""A shorter stretch to tune on says nothing."""


@dataclass(frozen=True)
class Span:
    """A part of the recording, epoch milliseconds, end excluded."""

    start_ms: int
    end_ms: int


@dataclass(frozen=True)
class Fold:
    """A stretch to tune on and the later one to test on."""

    train: Span
    test: Span


def folds_of(covered: Stretches, plan: FoldPlan, purge_s: float) -> list[Fold]:
    """Split a recording by the hours it covers.

    The covered time is cut into ``tests + 1`` equal parts. Each but the first is a test; it is
    tuned for on what lies before it, less the purge (of time on the clock), and less what is older
    than ``train_hours``, counted in covered time.

    Raises
    ------
    InputError
        The recording is too short for so many tests and this purge.
    """
    length = covered.end_ms - covered.start_ms
    before = np.concatenate([[0], np.cumsum(length)]).astype(np.int64)
    total = int(before[-1])
    cuts = [round(total * part / (plan.tests + 1)) for part in range(plan.tests + 2)]
    found = []
    for first, last in pairwise(cuts[1:]):
        test = Span(_start(first, covered, before), _end(last, covered, before))
        end_ms = test.start_ms - round(purge_s * 1000)
        reached = int(covered.covered_ms(np.array([end_ms]))[0]) if len(covered) else 0
        back = 0 if plan.train_hours is None else reached - round(plan.train_hours * 3_600_000)
        if reached - max(back, 0) < LEAST_TRAIN_S * 1000:
            least = (plan.tests + 1) * (purge_s + LEAST_TRAIN_S) / 3600
            raise InputError(
                f"the recording covers {total / 3_600_000:.2f} hours, too few for "
                f"folds.tests = {plan.tests} with a purge of {purge_s / 60:g} minutes: the first "
                f"would be tuned on less than {LEAST_TRAIN_S / 60:g} minutes. Record "
                f"{math.ceil(10 * least) / 10:g} hours, or ask for fewer tests"
            )
        found.append(Fold(Span(_start(max(back, 0), covered, before), end_ms), test))
    return found


def _start(reached: int, covered: Stretches, before: Int1D) -> int:
    """The time on the clock after which so many milliseconds were covered, behind any hole."""
    place = min(int(np.searchsorted(before, reached, "right")), len(covered)) - 1
    return int(covered.start_ms[place] + reached - before[place])


def _end(reached: int, covered: Stretches, before: Int1D) -> int:
    """The time on the clock by which so many milliseconds were covered, ahead of any hole."""
    place = max(int(np.searchsorted(before, reached, "left")), 1) - 1
    return int(covered.start_ms[place] + reached - before[place])
