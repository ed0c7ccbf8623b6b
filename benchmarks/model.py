"""Accuracy and speed of the solver; exits with 1 if the accuracy is insufficient, never for time.

Accuracy: 500 random problems over the whole difficult range, compared with the stored truth of
``model_truth.py``, part of which is recomputed. Depth errors are in units of 1/κ; against a second
method, relative for depths above 1/κ.

    python benchmarks/model.py            # about a minute
    python benchmarks/model.py --quick    # every fifth problem, under 30 s
"""

import argparse
import math
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from scipy.linalg import expm

sys.path.insert(0, str(Path(__file__).parents[1]))
from advanced_mm.cli import run
from advanced_mm.model import ModelParameters, ValueFunction, solve
from benchmarks.model_problems import CLASSES, problem_class, random_problem
from benchmarks.model_scipy import scipy_gaps
from benchmarks.model_truth import LSODA, Truth, find_truth, load_truths

GOOD, GOOD_SHARE, WORST = 1e-10, 0.98, 1e-9  # against arbitrary precision
SECOND_METHOD_WORST = 1e-8
FIRST_SOLVE = """
import time; start = time.perf_counter()
from advanced_mm.model import ModelParameters, solve
case = dict(lambda_plus=1, lambda_minus=1, kappa_plus=100, kappa_minus=60, q_min=-3, q_max=3)
for horizon in (None, 300):
    solve(ModelParameters(**case, horizon_seconds=horizon))
print(time.perf_counter() - start)
"""


@dataclass(frozen=True)
class Row:
    """A class of problems, with the errors and methods of its solutions."""

    name: str
    truth: str
    errors: NDArray[np.float64]
    methods: str

    @property
    def good(self) -> bool:
        """Whether the class is accurate enough; a NaN error fails."""
        if self.truth == LSODA:
            return bool((self.errors <= SECOND_METHOD_WORST).all())
        share = np.mean(self.errors <= GOOD)
        return bool(share >= GOOD_SHARE and (self.errors <= WORST).all())


def scaled_error(solution: ValueFunction, truth: Truth) -> float:
    """Return the largest depth error; NaN if the solution contains any."""
    p = solution.parameters
    found = np.stack([p.kappa_plus * solution.ask_depth, p.kappa_minus * solution.bid_depth])
    if np.isnan(found).any() or not np.isfinite(solution.h).all():
        return math.nan
    quoted = np.isfinite(found)
    error = np.abs(found[quoted] - truth.depths[quoted])
    if truth.method == LSODA:
        error /= 1 + truth.depths[quoted]
    return float(error.max(initial=0.0))


def accuracy(truths: Sequence[Truth]) -> list[Row]:
    """Solve every problem and compare, by class and truth."""
    groups: dict[tuple[str, str], list[tuple[float, str]]] = {}
    for truth in truths:
        solution = solve(truth.parameters)
        key = problem_class(truth.parameters), truth.method
        groups.setdefault(key, []).append((scaled_error(solution, truth), solution.method))
    rows = []
    for kind, method in sorted(groups, key=lambda key: (CLASSES.index(key[0]), key[1])):
        errors, methods = zip(*groups[kind, method], strict=True)
        names = ", ".join(f"{methods.count(x)} {x}" for x in sorted(set(methods)))
        rows.append(Row(kind, method, np.array(errors), names))
    return rows


def show_accuracy(rows: Sequence[Row], console: Console) -> None:
    table = Table(
        "problem", "truth", "problems", "median", "≤ 1e-10", "worst", "", "solved by",
        title="Depth errors in units of 1/κ",
    )  # fmt: skip
    for row in rows:
        table.add_row(
            row.name,
            row.truth,
            str(row.errors.size),
            f"{np.median(row.errors):.0e}",
            f"{np.mean(row.errors <= GOOD):.1%}",
            f"{row.errors.max():.0e}",
            "ok" if row.good else "[red]missed[/]",
            row.methods,
        )
    console.print(table)


def raw_exponential(truths: Sequence[Truth], console: Console) -> None:
    """Show the accuracy of a plain exp(AT) on the linear problems."""
    good = overflows = 0
    linear = [t for t in truths if problem_class(t.parameters) == CLASSES[0]]
    for truth in linear:
        p = truth.parameters
        q = np.arange(p.q_min, p.q_max + 1).astype(float)
        kappa = p.kappa_plus
        down = p.lambda_plus * math.exp(-1 - kappa * (p.epsilon_plus + p.fee))
        up = p.lambda_minus * math.exp(-1 - kappa * (p.epsilon_minus + p.fee))
        matrix = np.diag(kappa * (q * p.mu - p.phi * q**2))
        matrix += np.diag(np.full(q.size - 1, down), -1) + np.diag(np.full(q.size - 1, up), 1)
        terminal = -kappa * (p.alpha * q**2 + p.terminal_cost * np.abs(q))
        with np.errstate(all="ignore"):
            omega = expm(matrix * (p.horizon_seconds or 0.0)) @ np.exp(terminal)
            depth = 1 + kappa * (p.epsilon_plus + p.fee) - np.log(omega[:-1] / omega[1:])
            error = np.abs(depth - truth.depths[0, 1:]).max()
        overflows += not math.isfinite(error)
        good += bool(error <= GOOD)
    console.print(
        f"scipy's expm(AT) on the {len(linear)} linear problems: {good} within 1e-10, "
        f"{overflows} not finite (over- or underflow)"
    )


@dataclass(frozen=True)
class Kind:
    """Change applied to every market for a row of the speed table."""

    name: str
    changes: dict[str, object]
    equal: bool = False


KINDS = (
    Kind("equal κ", {"sides": "both"}, equal=True),
    Kind("unequal κ", {"sides": "both"}),
    Kind("one side at a time", {"sides": "one"}),
    Kind("stationary", {"sides": "both", "horizon_seconds": None}),
    Kind("stationary, one side", {"sides": "one", "horizon_seconds": None}),
)


def market(number: int, bound: int, kind: Kind) -> ModelParameters:
    """Return a random difficult market with the row's bounds, both sides quoted and floor 0."""
    p = random_problem(number)
    kappa_minus = p.kappa_plus if kind.equal else 0.7 * p.kappa_plus
    common = replace(
        p,
        kappa_minus=kappa_minus,
        q_min=-bound,
        q_max=bound,
        min_depth=0.0,
        horizon_seconds=p.horizon_seconds or 300.0,
        impact_slope_plus=0.0,
        impact_slope_minus=0.0,
    )
    return replace(common, **kind.changes)  # type: ignore[arg-type]


def show_speed(quick: bool, console: Console) -> None:
    """Time the solver and, on the first markets of each row, scipy's integrators."""
    count, few, repeats = (8, 1, 3) if quick else (30, 3, 5)
    table = Table(
        "problems", "median ms", "p95 ms", "LSODA ms", "times", "Radau ms", "times",
        title=f"Time of solve, {count} nasty markets a row; scipy on the first {few}",
    )  # fmt: skip
    for bound in (3, 10) if quick else (3, 10, 100):
        for kind in KINDS:
            markets = [market(number, bound, kind) for number in range(count)]
            times = np.array([milliseconds(partial(solve, p), repeats) for p in markets])
            cells = [f"{np.median(times):.2f}", f"{np.quantile(times, 0.95):.2f}"]
            for method in ("LSODA", "Radau"):
                theirs = np.array([once(partial(scipy_gaps, p, method)) for p in markets[:few]])
                cells += [f"{np.median(theirs):.0f}", f"{np.median(theirs / times[:few]):.0f}"]
            table.add_row(f"±{bound}, {kind.name}", *cells)
    console.print(table)


def once(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return 1e3 * (time.perf_counter() - start)


def milliseconds(work: Callable[[], object], repeats: int) -> float:
    """Return the median time of a call after a warm-up call."""
    work()
    return float(np.median([once(work) for _ in range(repeats)]))


def first_solve_seconds() -> float:
    """Time import and first two solves in a new process with a warm cache; best of three."""
    command = [sys.executable, "-c", FIRST_SOLVE]
    runs = [subprocess.run(command, capture_output=True, text=True, check=True) for _ in range(4)]
    return min(float(run.stdout) for run in runs[1:])


def audit(truths: Sequence[Truth], count: int, console: Console) -> bool:
    """Recompute the stored truth of the first small problems."""
    small = [t for t in truths if t.depths.shape[1] <= 7][:count]
    errors = [0.0]
    for truth in small:
        again, known = find_truth(truth.parameters).depths, np.isfinite(truth.depths)
        errors.extend(
            np.abs(again[known] - truth.depths[known]) / (1 + np.abs(truth.depths[known]))
        )
    worst = float(np.max(errors))
    console.print(f"stored truth of {len(small)} small problems reproduced to {worst:.0e}")
    return worst <= SECOND_METHOD_WORST


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="every fifth problem, no ±100")
    quick: bool = parser.parse_args(argv).quick
    console = Console(width=120)
    started = time.perf_counter()
    truths = load_truths()[:: 5 if quick else 1]
    rows = accuracy(truths)
    show_accuracy(rows, console)
    raw_exponential(truths, console)
    sound = audit(truths, 10 if quick else 60, console)
    show_speed(quick, console)
    console.print(f"import and first solve, compile cache warm: {first_solve_seconds():.2f} s")
    console.print(f"took {time.perf_counter() - started:.0f} s")
    return 0 if sound and all(row.good for row in rows) else 1


if __name__ == "__main__":
    sys.exit(run(main))
