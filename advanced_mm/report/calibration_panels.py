"""Panels of the calibration report about one window: the fits and their quality."""

from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from advanced_mm.calibration import (
    CoinCalibration,
    Estimate,
    ImpactEstimator,
    MarketOrders,
    ParetoFit,
    Sides,
    Window,
)
from advanced_mm.markets.recorded_books import RecordedBooks
from advanced_mm.report.charts import Chart, Series
from advanced_mm.report.page import Section, Table

__all__ = [
    "book_depth",
    "coverage",
    "estimates_table",
    "fill_impact",
    "jump_tail",
    "named_estimates",
    "number",
    "order_sizes",
    "reach_survival",
    "regression_residuals",
    "survival_of",
]

SIDES = ((1, "+", "buy market orders (ask side)"), (-1, "−", "sell market orders (bid side)"))
GREY = 6
"""Index in ``charts.COLOURS`` for series of neither side; the sides have 0 and 1."""
Float1D = NDArray[np.float64]


def estimates_table(calibration: CoinCalibration) -> Section:
    """Tabulate every estimate with its error, interval, count and status."""
    rows = []
    for name, pair in named_estimates(calibration).items():
        for (_, sign, _), estimate in zip(SIDES, pair, strict=True):
            low, high = number(estimate.low), number(estimate.high)
            known = [number(estimate.value), number(estimate.se), f"{low} … {high}"]
            rows.append(
                [
                    f"{name}{sign}",
                    *(known if estimate.usable else ["–", "–", "–"]),
                    str(estimate.n),
                    str(estimate.status),
                    estimate.reason,
                ]
            )
    until = datetime.fromtimestamp(calibration.end_ms / 1000, UTC)
    table = Table(
        f"Window of {calibration.window_seconds / 60:.0f} min until {until:%Y-%m-%d %H:%M} UTC, "
        f"{calibration.observed_seconds:.0f} s covered; mid {calibration.mid:g}, "
        f"tick {calibration.tick:g}",
        ["", "estimate", "standard error", "95% interval", "n", "status", "why"],
        rows,
    )
    paragraphs = [
        "λ: market orders per second. λ₀ and κ: a quote at depth δ beyond the touch is filled "
        "λ₀·exp(−κδ) times a second. ε: permanent move of the mid per market order; ε_fill: the "
        "same for orders that walked beyond the touch. Prices are in the quote currency.",
    ]
    return Section("estimates", "Estimates", paragraphs, (), [table])


def named_estimates(calibration: CoinCalibration) -> dict[str, Sides[Estimate]]:
    """Return the estimates behind the quotes, by their names in the parameter files."""
    return {
        "lambda": calibration.arrivals.map(lambda fit: fit.rate),
        "lambda0": calibration.fill_curve.map(lambda fit: fit.lambda0),
        "kappa": calibration.fill_curve.map(lambda fit: fit.kappa),
        "epsilon": calibration.impact.epsilon,
        "epsilon_fill": calibration.fill_impact.epsilon_fill,
    }


def reach_survival(window: Window, calibration: CoinCalibration) -> Section:
    """Show how far market orders reach, with the fitted tail and its band."""
    series, verdicts = [], []
    for colour, ((side, sign, name), fit) in enumerate(
        zip(SIDES, calibration.fill_curve, strict=True)
    ):
        reach = window.orders.of_side(side).with_quote().reach
        if not len(reach):
            continue
        ticks = np.arange(0, int(reach.max()) + 1)
        beyond = np.array([(reach >= k).mean() for k in ticks])
        series.append(Series(f"observed {sign}", ticks, beyond, "step", colour=colour))
        if fit.kappa.usable:
            tail = ticks[1:]
            curve, low, high = (
                fit.n1 / fit.n * np.exp(-k * window.tick * (tail - 1))
                for k in (fit.kappa.value, fit.kappa.high, fit.kappa.low)
            )
            series.append(
                Series(f"fit {sign}", tail, curve, dashed=True, low=low, high=high, colour=colour)
            )
        verdict = "fits" if fit.ks <= fit.ks_critical else "does not fit"
        if not fit.kappa.usable:
            verdict = "too few orders to tell"
        verdicts.append([name, str(fit.n1), number(fit.ks), number(fit.ks_critical), verdict])
        verdicts[-1].append(number(fit.r2))
    chart = Chart(
        "Probability that a market order walks at least this far",
        "ticks beyond the touch",
        "share of market orders",
        series,
        log_y=True,
    )
    table = Table(
        "Goodness of fit beyond the touch",
        ["side", "n₁", "KS distance", "5% critical", "verdict", "R² of log survival"],
        verdicts,
    )
    paragraphs = ["On this scale an exponential fill curve is a straight line with slope −κ."]
    return Section("reach", "Fill curve", paragraphs, [chart], [table])


def regression_residuals(window: Window, estimator: ImpactEstimator) -> Section:
    """Show the residuals of the regression behind ε and a normal law of the same variance."""
    _, moves, counts = estimator.regression(window)
    if len(moves) < 10 or np.linalg.matrix_rank(counts) < counts.shape[1]:
        return Section("residuals", "ε: residuals", ["Too few bins to regress."])
    beta = np.linalg.lstsq(counts, moves, rcond=None)[0]
    residual = moves - counts @ beta
    spread = float(residual.std())
    edge = max(5 * spread, window.tick)
    density, edges = np.histogram(residual, bins=81, range=(-edge, edge), density=True)
    middle = (edges[:-1] + edges[1:]) / 2
    normal = np.exp(-(middle**2) / (2 * spread**2)) / (spread * np.sqrt(2 * np.pi))
    chart = Chart(
        f"Residuals of {len(moves)} bins of {estimator.bin_ms} ms",
        "residual (quote currency)",
        "density",
        [
            Series("residuals", middle, density, "step"),
            Series("normal, same variance", middle, normal, dashed=True),
        ],
    )
    explained = 1 - float(residual @ residual) / float(moves @ moves)
    paragraphs = [
        f"Moves of the mid are regressed on the market orders of the same and the previous bin, "
        f"which explain {100 * explained:.1f}% of the variation. The tails are usually fatter than "
        "the normal's, so the standard errors allow for unequal variances (HC1).",
    ]
    return Section("residuals", "ε: residuals", paragraphs, [chart])


def jump_tail(window: Window, calibration: CoinCalibration) -> Section:
    """Show the survival of jumps on logarithmic scales with the fitted Pareto tail."""
    series, rows = [], []
    for colour, ((side, sign, name), fit) in enumerate(zip(SIDES, calibration.pareto, strict=True)):
        jumps = np.asarray(window.orders.of_side(side).reach * window.tick, dtype=np.float64)
        jumps = np.sort(jumps[jumps > 0])
        if not len(jumps):
            continue
        sizes, survival = survival_of(jumps)
        series.append(Series(f"jumps {sign}", np.log10(sizes), survival, "points", colour=colour))
        if fit.alpha.usable:
            grid = np.geomspace(fit.threshold, jumps[-1], 60)
            at_threshold = float((jumps >= fit.threshold).mean())
            half = window.tick / 4  # continuity correction of the fit: half of a half tick
            tail = at_threshold * ((grid - half) / (fit.threshold - half)) ** -fit.alpha.value
            series.append(
                Series(f"Pareto {sign}", np.log10(grid), tail, dashed=True, colour=colour)
            )
        rows.append([name, *_tail_cells(fit)])
    chart = Chart(
        "Jumps at least this large",
        "log₁₀ of the jump (quote currency)",
        "share of jumps",
        series,
        log_y=True,
    )
    table = Table(
        "Pareto tail",
        ["side", "α", "se", "threshold", "mean", "α at thresholds in half ticks"],
        rows,
    )
    paragraphs = [
        "A Pareto tail is a straight line here and has the same α at every threshold. If α grows "
        "with the threshold, the tail is thinner than Pareto; the quote then uses the "
        "least-squares or fill-conditional ε instead.",
    ]
    return Section("jumps", "Jumps and their tail", paragraphs, [chart], [table])


def _tail_cells(fit: ParetoFit) -> list[str]:
    """Return one side's cells of the tail table; a tail that is not usable has no numbers."""
    if not fit.alpha.usable:
        return ["–", "–", number(fit.threshold), "–", fit.alpha.reason]
    others = ", ".join(f"{u}: {number(alpha)}" for u, alpha in fit.by_threshold)
    kind = "truncated" if fit.truncated else "full"
    mean = f"{number(fit.mean.value)} ({kind})" if fit.mean.usable else f"– ({fit.mean.reason})"
    return [number(fit.alpha.value), number(fit.alpha.se), number(fit.threshold), mean, others]


def fill_impact(calibration: CoinCalibration) -> Section:
    """Show the move of the mid after a fill against the depth of the fill."""
    series, rows = [], []
    for colour, ((_, sign, name), profile) in enumerate(
        zip(SIDES, calibration.fill_impact.profile, strict=True)
    ):
        if not len(profile.depth):
            rows.append([name, "–", "–", "–", "too few fills to tell"])
            continue
        series.append(
            Series(f"mean move {sign}", profile.depth, profile.mean_move, "points", colour=colour)
        )
        if not profile.slope.usable:
            rows.append([name, "–", "–", "–", profile.slope.reason])
            continue
        line = profile.intercept.value + profile.slope.value * profile.depth
        series.append(Series(f"a + bδ {sign}", profile.depth, line, dashed=True, colour=colour))
        verdict = "no depth pays: b is 1 or more" if profile.no_depth_pays else "b may be below 1"
        rows.append([name, number(profile.intercept.value), number(profile.slope.value)])
        rows[-1] += [f"{number(profile.slope.low)} … {number(profile.slope.high)}", verdict]
    paragraphs = [
        "A quote at depth δ earns δ and pays this move. If the points lie above the line "
        "move = depth, a fill loses money before any fee. If the slope b is 1 or more, quoting "
        "deeper does not help.",
    ]
    table = Table("Slope", ["side", "a", "b", "95% interval of b", "verdict"], rows)
    if not series:
        return Section("fill_impact", "What a fill pays", paragraphs, (), [table])
    deepest = max(float(s.x[-1]) for s in series)
    series.append(Series("move = depth", [0.0, deepest], [0.0, deepest], colour=GREY))
    chart = Chart(
        "Mean move of the mid in the second after an order that reached beyond δ",
        "depth δ (quote currency)",
        "move (quote currency)",
        series,
    )
    return Section("fill_impact", "What a fill pays", paragraphs, [chart], [table])


def order_sizes(orders: MarketOrders) -> Section:
    """Show the sizes of market orders by side."""
    series = []
    for side, sign, _ in SIDES:
        size = orders.of_side(side).size
        size = size[size > 0]
        if len(size):
            sizes, survival = survival_of(size)
            series.append(Series(f"orders {sign}", np.log10(sizes), survival, "step"))
    chart = Chart(
        "Market orders at least this large",
        "log₁₀ of the size (base currency)",
        "share of market orders",
        series,
        log_y=True,
    )
    return Section(
        "sizes", "Sizes of market orders", ["All prints of an order are summed."], [chart]
    )


def book_depth(books: RecordedBooks, start_ms: int, end_ms: int) -> Section:
    """Show the mean size at each book level between two exchange times (ms), ends included."""
    first, end = np.searchsorted(books.time_ms, (start_ms, end_ms + 1))
    if first == end:
        return Section("book", "Book", ["No L2 snapshot was recorded in this window."])
    levels = np.arange(1, books.bid.shape[1] + 1)
    series = []
    for name, every in (("bids", books.bid_size), ("asks", books.ask_size)):
        sizes = every[first:end]
        known = np.isfinite(sizes) & (sizes > 0)
        counted = known.sum(axis=0)
        mean = np.where(known, sizes, 0.0).sum(axis=0) / np.maximum(counted, 1)
        shown = counted > 0
        series.append(Series(name, levels[shown], mean[shown], "bars"))
    chart = Chart(
        f"Mean size by level, {end - first} snapshots",
        "level, best first",
        "size (base currency)",
        series,
    )
    return Section(
        "book",
        "Book",
        ["The resting size of each level, averaged over the window's snapshots."],
        [chart],
    )


def coverage(window: Window) -> Section:
    """Show which stretches of the window were observed, and the holes between them."""
    start, end = window.stretches.start_ms, window.stretches.end_ms
    if not len(start):
        return Section("coverage", "Coverage", ["Nothing was observed in this window."])
    origin = int(start[0])
    x, y = [], []
    for first, last in zip(start, end, strict=True):
        x += [(first - origin) / 6e4, (first - origin) / 6e4]
        y += [0.0, 1.0]
        x += [(last - origin) / 6e4, (last - origin) / 6e4]
        y += [1.0, 0.0]
    chart = Chart(
        "Observed time",
        "minutes since the window's first row",
        "observed (1) or a hole (0)",
        [Series("observed", x, y)],
    )
    holes = [
        [f"{(b - origin) / 6e4:.2f} min", f"{(c - b) / 1e3:.1f} s"]
        for b, c in zip(end[:-1], start[1:], strict=True)
    ]
    silent = [
        [
            hole.channel,
            f"{(hole.start_ms - origin) / 6e4:.2f} min",
            f"{(hole.end_ms - hole.start_ms) / 1e3:.1f} s",
            "until the end" if hole.open else "",
        ]
        for hole in window.holes
    ]
    tables = [
        Table("Holes; no estimate is computed across one", ["from", "length"], holes),
        Table(
            "Channels that were silent while others were not, for longer than chance explains",
            ["channel", "from", "length", ""],
            silent,
        ),
    ]
    heard = window.heard
    share = window.observed_seconds * 1e3 / max(int(heard.end_ms[-1] - heard.start_ms[0]), 1)
    paragraphs = [
        f"{window.observed_seconds:.0f} s observed, {100 * share:.1f}% of the time between the "
        "first and the last row. Rates are per observed time.",
    ]
    return Section("coverage", "Coverage", paragraphs, [chart], tables)


def survival_of(sample: Float1D) -> tuple[Float1D, Float1D]:
    """Return the distinct values of a sample and, for each, the share that is at least as large."""
    values, counts = np.unique(sample, return_counts=True)
    return values, 1 - (np.cumsum(counts) - counts) / len(sample)


def number(value: float) -> str:
    """Format with four significant digits; a dash if the value is not finite."""
    return "–" if not np.isfinite(value) else f"{value:.4g}"
