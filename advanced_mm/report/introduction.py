"""The model explained by its own figures: what a quote is worth and how it should move."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from advanced_mm.model import ModelParameters, risk_aversion_to_phi, solve
from advanced_mm.report.charts import Chart, Series
from advanced_mm.report.page import Section, Table

__all__ = ["MARKET", "Chapter", "model_chapters"]

Numbers = Mapping[str, object]

MARKET = ModelParameters(
    lambda_plus=1.0,
    lambda_minus=1.0,
    kappa_plus=100.0,
    kappa_minus=100.0,
    phi=1e-5,
    alpha=1e-4,
    q_min=-3,
    q_max=3,
)
"""The example: one market order a second on each side; one in e of them reaches 1 cent deep."""


@dataclass(frozen=True)
class Chapter:
    """A section of the page and the numbers behind its charts, by name (``--json``)."""

    section: Section
    numbers: Numbers


def model_chapters() -> list[Chapter]:
    """Return the chapters that need no simulation."""
    return [
        one_quote(),
        depths_by_inventory(),
        depths_by_time(),
        inventory_drift(),
        risk_aversion(),
        one_order_at_a_time(),
    ]


def one_quote() -> Chapter:
    """Explain a single quote: deeper earns more but fills less often."""
    kappa, epsilon = MARKET.kappa_plus, 0.005
    depth = np.linspace(0, 0.06, 241)
    fill = np.exp(-kappa * depth)
    plain, poisoned = 1 / kappa, 1 / kappa + epsilon
    charts = [
        Chart(
            "How often a quote is filled",
            "depth of the quote (quote currency)",
            "probability that a market order fills it",
            [Series("exp(−κδ), κ = 100", depth, fill)],
        ),
        Chart(
            "What a quote earns per market order",
            "depth of the quote (quote currency)",
            "expected profit (quote currency)",
            [
                Series("δ·exp(−κδ)", depth, depth * fill),
                Series("(δ − ε)·exp(−κδ), ε = 0.005", depth, (depth - epsilon) * fill),
            ],
            marks=[("1/κ", plain), ("1/κ + ε", poisoned)],
        ),
    ]
    paragraphs = [
        "A market maker rests an offer to sell above the mid-price and an offer to buy below it. "
        "The distance from the mid is the depth δ. Market orders arrive λ times a second on each "
        "side. Each walks a random distance into the book: it reaches depth δ with probability "
        "exp(−κδ). A deep quote earns more when it is filled, but is rarely filled.",
        "The best single quote balances the two, at depth 1/κ. If market orders also push the mid "
        "by ε on average, a fill loses ε right away, because you sold just before the price rose. "
        "The best depth is then 1/κ + ε: you charge for the expected loss. A fee per fill acts the "
        "same way.",
    ]
    section = Section("one_quote", "One quote", paragraphs, charts)
    return Chapter(section, {"best_depth": plain, "best_depth_with_epsilon": poisoned})


def depths_by_inventory() -> Chapter:
    """Show depths by inventory, beside those of a solver that clamps at the bounds."""
    solution = solve(MARKET)
    q = solution.q.tolist()
    clamped = [1 / MARKET.kappa_plus] * len(q)
    chart = Chart(
        "Optimal depths by inventory",
        "inventory q (units)",
        "depth (quote currency)",
        [
            Series("ask", q[1:], solution.ask_depth[1:].tolist(), "points"),
            Series("bid", q[:-1], solution.bid_depth[:-1].tolist(), "points"),
            Series("one quote alone, 1/κ", q, clamped, dashed=True),
        ],
    )
    paragraphs = [
        "A position is a risk, so it has a price. The value function h(q) is the value of holding "
        "inventory q, including all future trading. Selling a unit moves you from q to q − 1 and "
        "changes that value by h(q−1) − h(q). The optimal depths charge for it:",
        " ask depth = 1/κ⁺ + ε⁺ + fee − [h(q−1) − h(q)]\n"
        " bid depth = 1/κ⁻ + ε⁻ + fee − [h(q+1) − h(q)]",
        "When long, the ask moves in and the bid moves out, so the next fill is more likely to "
        "reduce the position. At the largest position the bot may hold there is no bid at all; its "
        "depth is infinite. Solvers that keep a bid there count fills that cannot happen.",
    ]
    table = Table(
        "Ergodic depths, inventories −3 … 3 (quote currency; – where no quote may rest)",
        ["q", "h(q)", "ask depth", "bid depth"],
        [
            [str(i), f"{h:.6f}", _depth(ask), _depth(bid)]
            for i, h, ask, bid in zip(
                q, solution.h, solution.ask_depth, solution.bid_depth, strict=True
            )
        ],
    )
    numbers = {
        "q": q,
        "h": solution.h.tolist(),
        "ask_depth": _finite(solution.ask_depth),
        "bid_depth": _finite(solution.bid_depth),
        "value_rate": solution.value_rate,
    }
    section = Section("depths", "What you hold moves your quotes", paragraphs, [chart], [table])
    return Chapter(section, numbers)


def depths_by_time() -> Chapter:
    """Show ask depths as the end of a session approaches."""
    remaining = np.concatenate([np.linspace(0.05, 2, 20), np.linspace(2.5, 30, 56)])
    solutions = [solve(replace(MARKET, horizon_seconds=float(tau))) for tau in remaining]
    held = [-2, 0, 1, 3]
    series = [
        Series(f"q = {q}", remaining, [solution.depths(q)[0] for solution in solutions])
        for q in held
    ]
    chart = Chart(
        "Ask depth by time left, terminal penalty α = 1e-4",
        "time to the horizon (s)",
        "ask depth (quote currency)",
        series,
    )
    paragraphs = [
        "With a closing bell, the last seconds are different: inventory held at the end costs αq². "
        "Far from the end the depths no longer change. A perpetual market is always far from its "
        "end, so the bot uses the depths of the infinite-horizon (ergodic) problem unless a "
        "horizon is set.",
    ]
    numbers = {
        "seconds_left": remaining.tolist(),
        "ask_depth": {str(q): list(s.y) for q, s in zip(held, series, strict=True)},
    }
    return Chapter(Section("time", "Time to the horizon", paragraphs, [chart]), numbers)


def inventory_drift() -> Chapter:
    """Reproduce figure 10.9 of the book: the inventory level that unequal sides pull towards."""
    lopsided = ModelParameters(
        lambda_plus=2.0,
        lambda_minus=1.0,
        kappa_plus=100.0,
        kappa_minus=100.0,
        epsilon_plus=0.005,
        epsilon_minus=0.005,
        alpha=1e-4,
        q_min=-10,
        q_max=10,
        compensate_drift=False,
    )
    series, levels = [], {}
    for phi in (5e-4, 1e-3, 2e-3):
        solution = solve(replace(lopsided, phi=phi))
        series.append(Series(f"φ = {phi:g}", solution.q.tolist(), solution.inventory_drift))
        levels[f"{phi:g}"] = _zero_crossing(solution.q, solution.inventory_drift)
    chart = Chart(
        "Expected change of inventory, twice as many buyers as sellers",
        "inventory q (units)",
        "units per second",
        series,
    )
    paragraphs = [
        "The depths pull the inventory towards the level where its drift crosses zero. Here buy "
        "orders arrive twice as often as sell orders and each pushes the price, so the mid tends "
        "to rise and it pays to be long. The running penalty φ decides how long. (Cartea, "
        "Jaimungal & Penalva, figure 10.9.)",
        "By default the bot does not bet on such a drift: estimated from half an hour of data, it "
        "is the difference of two noisy numbers. Set compensate_drift = false to bet on it.",
    ]
    section = Section("drift", "Where the inventory goes", paragraphs, [chart])
    return Chapter(section, {"level_of_zero_drift": levels})


def risk_aversion() -> Chapter:
    """Show how the dimensionless risk aversion affects position and income."""
    rows, numbers = [], {}
    free = solve(replace(MARKET, q_min=-10, q_max=10, phi=0.0)).value_rate
    for aversion in (0.0, 0.001, 0.01, 0.1, 1.0):
        phi = risk_aversion_to_phi(aversion, MARKET.lambda_plus, MARKET.kappa_plus)
        wide = solve(replace(MARKET, q_min=-10, q_max=10, phi=phi))
        narrow = solve(replace(MARKET, q_min=0, q_max=1, phi=phi))
        spread = float(np.sqrt(wide.stationary_distribution @ wide.q.astype(float) ** 2))
        held = float(narrow.stationary_distribution[1])
        rows.append(
            [
                f"{aversion:g}",
                f"{phi:.1e}",
                f"{spread:.2f}",
                f"{100 * wide.value_rate / free:.1f}%",
                f"{100 * held:.1f}%",
            ]
        )
        numbers[f"{aversion:g}"] = {
            "phi": phi,
            "inventory_sd": spread,
            "value_rate": wide.value_rate,
            "time_long_on_0_1": held,
        }
    table = Table(
        "Risk aversion a, with φ = a·λ/κ",
        ["a", "φ", "sd of q on −10 … 10", "objective kept", "time long on {0, 1}"],
        rows,
    )
    paragraphs = [
        "The book's φ is in money per unit² and second, so a good value for one coin is useless "
        "for another. The setting risk_aversion is dimensionless: it is multiplied by λ/κ, the "
        "scale of a market maker's income. 0 ignores risk, 0.01 keeps the position within a few "
        "units, and with 1 the bot hardly ever holds a position.",
    ]
    section = Section("risk_aversion", "A risk aversion you can set", paragraphs, (), [table])
    return Chapter(section, numbers)


def one_order_at_a_time() -> Chapter:
    """Compare the income with one and two resting orders, by largest position."""
    bounds = list(range(1, 11))
    base = replace(MARKET, phi=1e-6)
    both, one = (
        [solve(replace(base, q_min=-b, q_max=b, sides=sides)).value_rate for b in bounds]
        for sides in ("both", "one")
    )
    chart = Chart(
        "Income per second by the largest position",
        "largest position (units)",
        "income (quote currency per second)",
        [
            Series("two orders: bid and ask", bounds, both),
            Series("one order at a time", bounds, one),
        ],
    )
    lost = [1 - o / b for o, b in zip(one, both, strict=True)]
    paragraphs = [
        "Freqtrade keeps one resting order per pair. Quoting one side at a time is a different "
        f"control problem: it earns {100 * lost[0]:.0f}% less at one unit and "
        f"{100 * lost[-1]:.0f}% less at ten. Two bots, one long-only and one short-only, each on "
        "its own sub-account, quote both sides.",
        "The bot in this project holds {0, 1}: it bids when flat and asks when long. It never has "
        "more than one order to quote, so the restriction costs it nothing.",
    ]
    section = Section("one_sided", "One order or two", paragraphs, [chart])
    numbers = {"bound": bounds, "two_sided": both, "one_sided": one, "lost": lost}
    return Chapter(section, numbers)


def _zero_crossing(q: NDArray[np.int64], drift: NDArray[np.float64]) -> float:
    """Return the inventory at which the drift changes sign, by linear interpolation."""
    i = int(np.flatnonzero((drift[:-1] >= 0) & (drift[1:] < 0))[0])
    return float(q[i] + drift[i] / (drift[i] - drift[i + 1]))


def _depth(depth: float) -> str:
    return "–" if np.isinf(depth) else f"{depth:.6f}"


def _finite(depths: NDArray[np.float64]) -> list[float | None]:
    return [None if np.isinf(depth) else float(depth) for depth in depths]
