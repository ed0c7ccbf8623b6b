"""Fitted windows as tables for a person."""

from collections.abc import Iterator
from math import isfinite

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from advanced_mm.calibration.calibrate import CoinCalibration
from advanced_mm.calibration.estimate import Estimate, Sides, Status

__all__ = ["WIDTH", "epsilon_table", "kappa_table"]

WIDTH = 88  # columns a table needs

BASIS_POINT = 1e-4
_COLOURS = {
    Status.OK: "green",
    Status.POOLED: "yellow",
    Status.BOUND: "yellow",
    Status.STALE: "red",
    Status.INSUFFICIENT: "red",
}


def kappa_table(calibration: CoinCalibration, *, details: bool = False) -> RenderableType:
    """Return arrivals and fill curve: estimate, error, interval, per basis point, n, status."""
    bp = BASIS_POINT * calibration.mid
    table = _table(
        f"{calibration.coin}: fill curve lambda0 exp(-kappa depth); "
        "rates per second, kappa per quote currency"
    )
    _add(table, "lambda", calibration.arrivals.map(lambda f: f.rate))
    _add(table, "lambda0", calibration.fill_curve.map(lambda f: f.lambda0))
    _add(table, "kappa", calibration.fill_curve.map(lambda f: f.kappa), bp)
    notes = [_coverage(calibration)]
    if details:
        notes += list(_fill_curve_notes(calibration))
    return _with_notes(table, calibration, notes)


def epsilon_table(calibration: CoinCalibration, *, details: bool = False) -> RenderableType:
    """Return the moves per market order and per fill, and the tail of the jumps."""
    per_bp = 1.0 / (BASIS_POINT * calibration.mid) if calibration.mid > 0 else float("nan")
    table = _table(f"{calibration.coin}: permanent moves of the mid, in quote currency")
    _add(table, "epsilon", calibration.impact.epsilon, per_bp)
    fill = calibration.fill_impact
    _add(table, "epsilon_fill", fill.epsilon_fill, per_bp)
    _add(table, "fill slope", fill.profile.map(lambda p: p.slope))
    _add(table, "pareto alpha", calibration.pareto.map(lambda f: f.alpha))
    notes = [_coverage(calibration), *_toxicity_notes(calibration)]
    if details:
        notes += list(_impact_notes(calibration))
    return _with_notes(table, calibration, notes)


def _table(title: str) -> Table:
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("", no_wrap=True)
    for heading in ("estimate", "std error", "95% interval", "in bp", "n"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("status", no_wrap=True)
    return table


def _add(table: Table, name: str, pair: Sides[Estimate], scale: float | None = None) -> None:
    """Add a row a side; ``scale`` turns the value into one per basis point, or in basis points."""
    for sign, e in zip("+-", pair, strict=True):
        scaled = "" if scale is None else _number(e.value * scale)
        interval = f"[{_number(e.low, 3)}, {_number(e.high, 3)}]"
        status = Text(e.status.value, style=_COLOURS[e.status])
        row = (name + sign, _number(e.value), _number(e.se, 3), interval, scaled, str(e.n))
        table.add_row(*(Text(cell) for cell in row), status)


def _number(value: float, digits: int = 4) -> str:
    return f"{value:.{digits}g}" if isfinite(value) else "–"


def _coverage(c: CoinCalibration) -> str:
    return (
        f"{c.observed_seconds:.0f} s covered in a window of {c.window_seconds:.0f} s; "
        f"market orders +{c.n.plus} -{c.n.minus}, beyond the touch +{c.n1.plus} -{c.n1.minus}; "
        f"mid {c.mid:.6g}, tick {c.tick:g}"
    )


def _fill_curve_notes(c: CoinCalibration) -> Iterator[str]:
    for sign, rate, curve in zip("+-", c.arrivals, c.fill_curve, strict=True):
        yield (
            f"{sign}: counts' variance/mean {rate.dispersion:.2f}; reach KS {_number(curve.ks)} "
            f"(5% critical {_number(curve.ks_critical)}), R2 of log survival {_number(curve.r2)}; "
            f"kappa's error if orders were independent {_number(curve.kappa_formula_se)}; "
            f"cap {curve.cap} ticks"
        )
    yield f"volatility {_number(c.volatility.value)} ± {_number(c.volatility.se)} price/sqrt(s)"


def _toxicity_notes(c: CoinCalibration) -> Iterator[str]:
    for sign, curve, epsilon, fill, profile in zip(
        "+-",
        c.fill_curve,
        c.impact.epsilon,
        c.fill_impact.epsilon_fill,
        c.fill_impact.profile,
        strict=True,
    ):
        if not (curve.kappa.usable and epsilon.usable and fill.usable):
            continue
        kappa = curve.kappa.value
        note = (
            f"{sign}: kappa*epsilon {_number(kappa * epsilon.value)}, "
            f"kappa*epsilon_fill {_number(kappa * fill.value)}"
        )
        if profile.slope.usable:
            note += (
                f"; the move given a fill grows as {_number(profile.intercept.value)} + "
                f"{_number(profile.slope.value)} depth"
            )
        if profile.no_depth_pays:
            note += ": no depth pays, the side is to be withdrawn"
        yield note


def _impact_notes(c: CoinCalibration) -> Iterator[str]:
    yield f"least squares on {c.impact.bins} bins, R2 {_number(c.impact.r2)}"
    for sign, tail in zip("+-", c.pareto, strict=True):
        by = ", ".join(f"{_number(alpha)} at {u}" for u, alpha in tail.by_threshold)
        kind = "truncated" if tail.truncated else "fitted"
        yield (
            f"{sign}: alpha by threshold in half ticks: {by}; {kind} mean of a jump of at least "
            f"{tail.threshold:g}: {_number(tail.mean.value)} ± {_number(tail.mean.se, 2)} "
            "(a Pareto tail shows one alpha at each)"
        )


def _with_notes(table: Table, c: CoinCalibration, notes: list[str]) -> RenderableType:
    reasons = (Text(reason, style="yellow") for reason in c.reasons())
    return Group(table, *(Text(note) for note in notes), *reasons)
