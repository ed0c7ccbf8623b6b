"""Panel of the calibration report about the fair price: what the sizes at the touch foretell."""

from dataclasses import replace

import numpy as np

from advanced_mm.calibration import (
    CalibrationOptions,
    CoinCalibration,
    Estimate,
    MarketOrders,
    Window,
)
from advanced_mm.calibration.toxicity import economics
from advanced_mm.report.calibration_panels import GREY, SIDES, number
from advanced_mm.report.charts import Chart, Series
from advanced_mm.report.page import Section, Table

__all__ = ["fair_price"]

_GROUPS = 10
_FEWEST_GROUPS = 2


def fair_price(
    window: Window,
    calibration: CoinCalibration,
    options: CalibrationOptions,
    *,
    fee_rate: float = 0.0,
    quote_age_seconds: float = 0.0,
) -> Section:
    """Show the mid's moves by imbalance, the slope, and what quotes around the fair price change.

    Those are: how much of a fill's move the sizes foretell, and the parameters around either price
    with the depth, edge and income of either side alone at that fee and age of quotes.
    """
    fit, slope = calibration.fair_price, calibration.fair_price.slope
    to_bp = 1e4 / calibration.mid
    paragraphs = [
        "The fair price is mid + β·(bid size − ask size)/(bid size + ask size), with the sizes at "
        "the touch. β is 0 unless the slope's interval excludes 0 and the slopes of the window's "
        "halves foretell each the moves of the other half (R² out of sample above 0).",
    ]
    why = slope.reason or ("significant" if fit.beta else "not significant: the mid is quoted")
    interval = f"{number(slope.low * to_bp)} … {number(slope.high * to_bp)}"
    row = [f"{fit.horizon_s:g}", number(slope.value * to_bp), interval, number(fit.r2)]
    tables = [
        Table(
            "Slope, bp of the mid per unit of imbalance",
            ["horizon, s", "slope", "95% interval", "R² out of sample", "β quoted, bp", "verdict"],
            [[*row, number(fit.beta * to_bp), why]],
        )
    ]
    foretold = _foretold(window, calibration, options)
    if foretold:
        seconds = options.fill_impact.horizon_ms / 1000
        paragraphs.append(
            f"ε_fill is the mid's move within {seconds:g} s of an order that walked beyond the "
            "touch. Part of it was to be seen in the sizes before: β for that time, times the "
            "imbalance before such orders. A quote around the fair price has charged for it, by "
            "resting that much farther from the mid."
        )
        columns = ["side", "imbalance before a fill", "ε_fill", "foretold", "rest"]
        tables.append(Table("What a fill pays beyond what the sizes foretold", columns, foretold))
    if calibration.around_fair is not None:
        paragraphs.append(
            "Depths and ε_fill of quotes around the fair price are distances and moves from it. "
            "ε_fill is at the same distance from either price, half the spread and a tick. Depth, "
            "edge and income are those of a side alone, at most at the deepest depth measured."
        )
        tables.append(_comparison(calibration, fee_rate, quote_age_seconds))
    chart = _moves(window, options, fit.horizon_s, slope.value)
    return Section("fair_price", "Fair price", paragraphs, [chart] if chart else (), tables)


def _comparison(calibration: CoinCalibration, fee_rate: float, quote_age_seconds: float) -> Table:
    """Return the parameters and what they are worth around the mid and around the fair price."""
    to_bp, rows = 1e4 / calibration.mid, []
    for used in (calibration, calibration.around_fair):
        if used is None:
            continue
        worth = economics(used, fee_rate=fee_rate, quote_age_seconds=quote_age_seconds)
        sides = (SIDES, used.fill_curve, used.impact.epsilon, worth.sides)
        fills = zip(used.fill_impact.epsilon_fill, used.fill_impact.profile, strict=True)
        for (_, _, name), curve, epsilon, side in zip(*sides, strict=True):
            epsilon_fill, line = next(fills)
            rows.append(
                [
                    used.anchor,
                    name,
                    _with_error(curve.kappa, 1 / to_bp),
                    _with_error(curve.lambda0),
                    _with_error(epsilon, to_bp),
                    _with_error(epsilon_fill, to_bp),
                    _with_error(line.slope),
                    number(side.depth * to_bp),
                    _with_error(side.expected_edge, to_bp),
                    number(side.income_per_hour.value * to_bp),
                ]
            )
    columns = ["around", "side", "κ, per bp", "λ₀, per s", "ε, bp", "ε_fill, bp", "b"]
    columns += ["depth, bp", "edge there, bp", "income, bp an hour"]
    return Table("Around the mid and around the fair price (± standard error)", columns, rows)


def _with_error(estimate: Estimate, scale: float = 1.0) -> str:
    if not (estimate.usable and np.isfinite(estimate.value)):
        return "–"
    return f"{number(estimate.value * scale)} ± {number(estimate.se * scale)}"


def _moves(
    window: Window, options: CalibrationOptions, horizon_s: float, slope: float
) -> Chart | None:
    """Return the mean moves of groups of looks with like imbalance; None if it hardly changes."""
    _, imbalance, moves = options.fair_price.looks(window)
    if len(moves) < options.fair_price.min_looks or not np.isfinite(slope):
        return None
    edges = np.unique(np.quantile(imbalance, np.linspace(0, 1, _GROUPS + 1)[1:-1]))
    group = np.searchsorted(edges, imbalance, side="right")
    count = np.bincount(group, minlength=len(edges) + 1)
    known = count > 0
    if known.sum() < _FEWEST_GROUPS:
        return None
    x, y = (
        np.bincount(group, weights=w, minlength=len(count))[known] / count[known]
        for w in (imbalance, moves)
    )
    line = moves.mean() + slope * (x - imbalance.mean())
    return Chart(
        f"Mean move of the mid within {horizon_s:g} s, by imbalance",
        "imbalance at the touch",
        "move (quote currency)",
        [
            Series("mean of a tenth of the looks", x, y, "points", colour=0),
            Series("slope", x, line, dashed=True, colour=GREY),
        ],
    )


def _foretold(
    window: Window, calibration: CoinCalibration, options: CalibrationOptions
) -> list[list[str]]:
    """Return a row for each side; none if nothing is foretold within the horizon of ε_fill."""
    same = replace(options.fair_price, horizon_ms=options.fill_impact.horizon_ms)
    beta = same.fit(window).beta
    rows = []
    pairs = zip(SIDES, window.sides, calibration.fill_impact.raw, strict=True)
    for (side, _, name), orders, raw in pairs if beta else ():
        against = _imbalance_before(window, orders, side)
        if len(against) and raw.usable:
            mean = float(against.mean())
            parts = (raw.value, beta * mean, raw.value - beta * mean)
            rows.append([name, number(mean), *map(number, parts)])
    return rows


def _imbalance_before(
    window: Window, orders: MarketOrders, side: int
) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    """Return the imbalance, towards the order's side, before orders that walked beyond the touch.

    It is of the last quote strictly before the order.
    """
    walked = orders.with_quote()
    time_ms = walked.time_ms[walked.reach >= 1]
    before = side * window.path.imbalance_at(time_ms - 1)
    return before[np.isfinite(before)]
