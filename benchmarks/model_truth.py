"""Compute and store the true depths of 500 random problems for the tests.

- Equal κ without floor, finite horizon: exp(AT) by squaring a matrix without negative entries in
  ball arithmetic, whose radii guarantee the digits.
- Other two-sided problems without floor: collocation in 256 bits (``model_collocation``); ergodic
  problems are integrated from h = 0 until settled.
- Floors, impact slopes, one order at a time: LSODA at rtol 1e-12 (``model_scipy``), a second method
  rather than truth.

Takes about four minutes on one core, mostly for the one problem in 12 with bounds of 30 to 100:

    python benchmarks/model_truth.py
"""

import argparse
import math
import sys
from dataclasses import fields
from pathlib import Path
from typing import NamedTuple

import numpy as np
from flint import arb, arb_mat, ctx
from numpy.typing import NDArray
from rich.progress import track

sys.path.insert(0, str(Path(__file__).parents[1]))
from advanced_mm.cli import run
from advanced_mm.model import ModelParameters
from benchmarks.model_collocation import collocation_gaps
from benchmarks.model_problems import problem_class, random_problem
from benchmarks.model_scipy import scipy_gaps, sides_at

__all__ = ["FIXTURE", "Truth", "find_truth", "load_truths", "store_truths"]

FIXTURE = Path(__file__).parents[1] / "tests/model/fixtures/random_problems.npz"
COUNT = 500
BITS, TAYLOR_TERMS = 256, 50  # remainder below 1e-80 at norm 1/2
TIE = 1e-6  # relative difference in worth below which sides count as equal

BALLS, COLLOCATION, LSODA = "ball arithmetic", "collocation", "LSODA"


class Truth(NamedTuple):
    """Depths κ⁺δ⁺ and κ⁻δ⁻ (2, n) by ``method``; inf at the bounds and where no depth pays.

    ``better`` (n,) is the side to rest for one order at a time: 1 the ask, −1 the bid, 0 either;
    both depths are given then.
    """

    parameters: ModelParameters
    depths: NDArray[np.float64]
    better: NDArray[np.int8]
    method: str


def ball_gaps(p: ModelParameters) -> list[arb]:
    """Return κ[h(q − 1) − h(q)] (n − 1,) from ω = exp(AT)ω(0), as balls."""
    ctx.prec = BITS
    kappa, fee, q = arb(p.kappa_plus), arb(p.fee), range(p.q_min, p.q_max + 1)
    source = [kappa * (arb(p.mu) * x - arb(p.phi) * x * x) for x in q]
    down = arb(p.lambda_plus) * (-1 - kappa * (arb(p.epsilon_plus) + fee)).exp()
    up = arb(p.lambda_minus) * (-1 - kappa * (arb(p.epsilon_minus) + fee)).exp()
    lowest, highest = min(source, key=float), max(source, key=float)
    horizon, n = arb(p.horizon_seconds), len(q)
    norm = float((highest - lowest + down + up) * horizon)
    doublings = max(0, math.ceil(math.log2(2 * norm)))
    time = horizon / arb(2) ** doublings
    matrix, one = arb_mat(n, n), arb_mat(n, n)
    for i in range(n):
        matrix[i, i], one[i, i] = (source[i] - lowest) * time, 1
        if i > 0:
            matrix[i, i - 1], matrix[i - 1, i] = down * time, up * time
    power = one
    for term in range(TAYLOR_TERMS, 0, -1):
        power = one + matrix * power * (arb(1) / term)
    for _ in range(doublings):
        power = power * power
    terminal = [-kappa * (arb(p.alpha) * x * x + arb(p.terminal_cost) * abs(x)) for x in q]
    omega = (power * arb_mat(n, 1, [x.exp() for x in terminal])).entries()
    gaps = [(omega[i - 1] / omega[i]).log() for i in range(1, n)]
    if max(float(gap.rad()) for gap in gaps) > 1e-20:
        raise ArithmeticError("the error bounds are too wide: increase BITS")
    return gaps


def find_truth(p: ModelParameters) -> Truth:
    """Compute the depths with the best method for the problem."""
    n = p.q_max - p.q_min + 1
    if p.min_depth > -math.inf:
        gaps = scipy_gaps(p, LSODA)
        sides = sides_at(p, gaps)
        better = np.zeros(n, dtype=np.int8)
        if p.sides == "one":
            ask, bid = sides.worth
            clear = np.abs(ask - bid) > TIE * np.maximum(ask, bid)
            better[clear] = np.sign(ask - bid)[clear]
        return Truth(p, sides.depth, better, LSODA)
    linear = p.horizon_seconds is not None and p.kappa_plus == p.kappa_minus
    exact = ball_gaps(p) if linear else collocation_gaps(p)
    ratio, fee = arb(p.kappa_minus) / arb(p.kappa_plus), arb(p.fee)
    ask_constant = 1 + arb(p.kappa_plus) * (arb(p.epsilon_plus) + fee)
    bid_constant = 1 + arb(p.kappa_minus) * (arb(p.epsilon_minus) + fee)
    depths = np.full((2, n), math.inf)
    depths[0, 1:] = [float(ask_constant - gap) for gap in exact]
    depths[1, :-1] = [float(bid_constant + gap * ratio) for gap in exact]
    return Truth(p, depths, np.zeros(n, dtype=np.int8), BALLS if linear else COLLOCATION)


def store_truths(path: Path, truths: list[Truth]) -> None:
    """Write problems and depths to a compressed file."""
    columns = {
        f"parameters.{field.name}": [getattr(t.parameters, field.name) for t in truths]
        for field in fields(ModelParameters)
        if field.name != "drift"  # no random problem sets it
    }
    horizons = columns["parameters.horizon_seconds"]
    columns["parameters.horizon_seconds"] = [math.nan if x is None else x for x in horizons]
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(
        path,
        allow_pickle=False,
        depths=np.concatenate([t.depths for t in truths], axis=1),
        better=np.concatenate([t.better for t in truths]),
        method=[t.method for t in truths],
        **{name: np.array(values) for name, values in columns.items()},
    )


def load_truths(path: Path = FIXTURE) -> list[Truth]:
    """Read a file of ``store_truths``."""
    with np.load(path) as stored:
        columns = {name: stored[name] for name in stored.files}
    names = [name for name in columns if name.startswith("parameters.")]
    truths, start = [], 0
    for i, method in enumerate(columns["method"].tolist()):
        values = {name.removeprefix("parameters."): columns[name][i].item() for name in names}
        if math.isnan(values["horizon_seconds"]):
            values["horizon_seconds"] = None
        p = ModelParameters(**values)
        here = slice(start, start := start + p.q_max - p.q_min + 1)
        truths.append(Truth(p, columns["depths"][:, here], columns["better"][here], method))
    return truths


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--output", type=Path, default=FIXTURE)
    output: Path = parser.parse_args(argv).output
    problems = [random_problem(number) for number in range(COUNT)]
    truths = [find_truth(p) for p in track(problems, "problems", transient=True)]
    store_truths(output, truths)
    kinds = [problem_class(p) for p in problems]
    for kind in sorted(set(kinds)):
        print(f"{kind}: {kinds.count(kind)}")
    print(f"{len(truths)} problems in {output}, {output.stat().st_size / 1000:.0f} kB")
    return 0


if __name__ == "__main__":
    sys.exit(run(main))
