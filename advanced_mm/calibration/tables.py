"""Fits as tables for the terminal."""

from collections.abc import Iterator
from math import isfinite

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from advanced_mm.calibration.calibrate import CoinCalibration
from advanced_mm.calibration.toxicity import Economics, SideEconomics, economics
from advanced_mm.calibration.windows.estimate import Estimate, Sides, Status

__all__ = ["WIDTH", "epsilon_table", "kappa_table"]

WIDTH = 94  # characters needed by a table

BASIS_POINT = 1e-4
_COLOURS = {
    Status.OK: "green",
    Status.POOLED: "yellow",
    Status.BOUND: "yellow",
    Status.MISFIT: "yellow",
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


def epsilon_table(
    calibration: CoinCalibration,
    *,
    fee_rate: float,
    quote_age_seconds: float = 0.0,
    details: bool = False,
) -> RenderableType:
    """Return the moves per market order and per fill, their tail, and the value of a fill.

    ``fee_rate`` is the maker fee as a fraction of the price, ``quote_age_seconds`` the age at which
    quotes are replaced.
    """
    per_bp = 1.0 / (BASIS_POINT * calibration.mid) if calibration.mid > 0 else float("nan")
    table = _table(f"{calibration.coin}: permanent moves of the mid, in quote currency")
    _add(table, "epsilon", calibration.impact.epsilon, per_bp)
    fill = calibration.fill_impact
    _add(table, "epsilon_fill", fill.epsilon_fill, per_bp)
    _add(table, "fill slope", fill.profile.map(lambda p: p.slope))
    _add(table, "pareto alpha", calibration.pareto.map(lambda f: f.alpha))
    _add(table, "pareto mean", calibration.pareto.map(lambda f: f.mean), per_bp)
    worth = economics(calibration, fee_rate=fee_rate, quote_age_seconds=quote_age_seconds)
    _add(table, "kappa*epsilon", worth.sides.map(lambda s: s.kappa_epsilon))
    _add(table, "kappa*eps_fill", worth.sides.map(lambda s: s.kappa_epsilon_fill))
    _add(table, "edge per fill", worth.sides.map(lambda s: s.expected_edge), per_bp)
    _add(table, "income per hour", worth.sides.map(lambda s: s.income_per_hour), per_bp)
    notes = [_coverage(calibration), *_worth_notes(calibration, worth)]
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
    """Add one row per side; ``scale`` converts the value to basis points or to per basis point.

    An estimate that must not be used is shown without numbers: with so little data even the size of
    its error is chance. The reason is given below the table.
    """
    for sign, e in zip("+-", pair, strict=True):
        scaled = "" if scale is None else _number(e.value * scale)
        interval = f"[{_number(e.low, 3)}, {_number(e.high, 3)}]"
        status = Text(e.status.value, style=_COLOURS[e.status])
        if not e.usable:
            unknown = ("–", "–", "–", "" if scale is None else "–")
            table.add_row(*(Text(cell) for cell in (name + sign, *unknown, str(e.n))), status)
            continue
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
        if not curve.kappa.usable:
            continue
        yield (
            f"{sign}: variance/mean of counts {rate.dispersion:.2f}; KS of reach "
            f"{_number(curve.ks)} (5% critical {_number(curve.ks_critical)}), R2 of log survival "
            f"{_number(curve.r2)}; std error of kappa if orders were independent "
            f"{_number(curve.kappa_formula_se)}; cap {curve.cap} ticks"
        )
    if c.volatility.usable:
        yield f"volatility {_number(c.volatility.value)} ± {_number(c.volatility.se)} price/sqrt(s)"


def _worth_notes(c: CoinCalibration, worth: Economics) -> Iterator[str]:
    if not any(side.expected_edge.usable for side in worth.sides):
        return
    yield (
        f"edge and income per unit of the base currency, after a fee of {worth.fee:.4g} and the "
        "move that comes with a fill, each side alone at its best measured depth"
    )
    for sign, side, profile in zip("+-", worth.sides, c.fill_impact.profile, strict=True):
        if side.regime is None or not side.expected_edge.usable:
            continue
        yield f"{sign}: {_verdict(side)}"
        if profile.no_depth_pays:
            yield f"{sign}: the slope is significantly 1 or more, no depth pays: withdraw this side"
    bot = worth.bot
    if not bot.income_per_hour.usable:
        return
    income = bot.income_per_hour
    earns = "loses even at its best measured depths:" if bot.no_depth_pays else "earns"
    yield (
        f"the long-only bot (inventory 0 or 1) {earns} {_number(income.value)} "
        f"[{_number(income.low, 3)}, {_number(income.high, 3)}] per hour and unit, "
        f"{_number(bot.income_bp_per_hour.value, 3)} bp, in {bot.round_trips_per_hour:.3g} round "
        f"trips: ask at {_number(bot.ask_depth)}, bid at {_number(bot.bid_depth)} from the mid"
    )
    if worth.no_depth_pays:
        yield "no measured depth pays: do not quote this market at this fee"


def _verdict(side: SideEconomics) -> str:
    """Describe a side's regime and its best depth."""
    best = (
        f"best depth {_number(side.optimal_depth)}"
        if isfinite(side.optimal_depth)
        else "no best depth"
    )
    return f"{side.regime_text}; {best}, measured up to {_number(side.measured_depth)}" + (
        ": no measured depth pays" if side.no_depth_pays else ""
    )


def _impact_notes(c: CoinCalibration) -> Iterator[str]:
    yield f"least squares on {c.impact.bins} bins, R2 {_number(c.impact.r2)}"
    for sign, tail in zip("+-", c.pareto, strict=True):
        if not tail.alpha.usable:
            continue
        by = ", ".join(f"{_number(alpha)} at {u}" for u, alpha in tail.by_threshold)
        kind = "truncated" if tail.truncated else "fitted"
        yield (
            f"{sign}: alpha by threshold in half ticks: {by} (equal for a Pareto tail); {kind} "
            f"mean of jumps of at least {tail.threshold:g}: {_number(tail.mean.value)} ± "
            f"{_number(tail.mean.se, 2)}, sample mean {_number(tail.sample_mean)}"
        )


def _with_notes(table: Table, c: CoinCalibration, notes: list[str]) -> RenderableType:
    reasons = (Text(reason, style="yellow") for reason in c.reasons())
    return Group(table, *(Text(note) for note in notes), *reasons)
