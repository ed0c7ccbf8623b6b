"""The cost of mistakes, simple rules and risk aversion, valued exactly or simulated."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from advanced_mm.model import DepthPolicy, ModelParameters, optimal_policy, simulate, solve
from advanced_mm.model.mistakes import averaged_kappa, fee_outside, phantom_fill, wrong_bounds
from advanced_mm.model.policy_value import policy_income, policy_value
from advanced_mm.model.simple_models import (
    avellaneda_stoikov,
    fixed_spread,
    gueant_lehalle_fernandez_tapia,
)
from advanced_mm.report.charts import Chart, Series
from advanced_mm.report.introduction import MARKET, Chapter
from advanced_mm.report.page import Section, Table

__all__ = ["cost_chapters"]

HORIZON_SECONDS = 300.0
SIGMA = 0.01
"""Volatility of the example's mid, quote currency per square root of a second."""


def cost_chapters(paths: int, seed: int) -> list[Chapter]:
    """Return the chapters on losses and risk, with ``paths`` simulated sessions per histogram."""
    return [mistakes(), simple_models(), profit_and_loss(paths, seed)]


@dataclass(frozen=True)
class _Case:
    """A market and a mistake made on it, each with its label."""

    market: str
    parameters: ModelParameters
    mistake: str
    policy: Callable[[ModelParameters], DepthPolicy]


def _cases() -> list[_Case]:
    long_only = replace(MARKET, q_min=0)
    one_unit = replace(MARKET, q_min=0, q_max=1)
    costly = replace(MARKET, fee=0.5 / MARKET.kappa_plus)
    lopsided = replace(MARKET, kappa_plus=100.0, kappa_minus=60.0)
    return [
        _Case("−3 … 3", MARKET, "phantom fill", phantom_fill),
        _Case("{0 … 3}", long_only, "phantom fill", phantom_fill),
        _Case("{0 … 3}", long_only, "bounds −3 … 3", lambda p: wrong_bounds(p, -3, 3)),
        _Case("{0, 1}", one_unit, "bounds −1 … 1", lambda p: wrong_bounds(p, -1, 1)),
        _Case("κc = ½", costly, "fee ignored", lambda p: fee_outside(p, times=0)),
        _Case("κc = ½", costly, "fee added twice", lambda p: fee_outside(p, times=2)),
        _Case("κ = 100, 60", lopsided, "averaged κ", averaged_kappa),
    ]


def mistakes() -> Chapter:
    """Compute the income lost to well-known mistakes, exactly, from linear equations."""
    labels, losses, rows, numbers = [], [], [], []
    for case in _cases():
        best = solve(case.parameters).value_rate
        earned = policy_income(case.parameters, case.policy(case.parameters))
        lost = 1 - earned / best
        labels.append(f"{case.mistake}\n{case.market}")
        losses.append(100 * lost)
        rows.append(
            [case.market, case.mistake, f"{best:.7f}", f"{earned:.7f}", f"{100 * lost:.2f}%"]
        )
        numbers.append(
            {
                "market": case.market,
                "mistake": case.mistake,
                "optimal": best,
                "earned": earned,
                "lost": lost,
            }
        )
    chart = Chart(
        "Share of the achievable income lost",
        "mistake and market",
        "lost (%)",
        [Series("lost", labels, losses, "bars")],
    )
    table = Table(
        "Income per second, infinite horizon (quote currency)",
        ["market", "mistake", "optimal", "earned", "lost"],
        rows,
    )
    paragraphs = [
        "Programs in use make each of these mistakes. Phantom fill: the solver assumes fills at an "
        "inventory bound, where the bot may not quote. Wrong bounds: depths for inventories the "
        "bot cannot reach. Fee outside: the equation is solved without the fee, which is then "
        "ignored or added to both depths. Averaged κ: one κ for two different sides, because that "
        "makes the equation linear.",
        "The losses are exact: for given depths the inventory is a birth-death process, and its "
        "income follows from a linear equation.",
    ]
    section = Section("mistakes", "What mistakes cost", paragraphs, [chart], [table])
    return Chapter(section, {"cases": numbers})


def simple_models() -> Chapter:
    """Value common simple rules on a plain market and on one with fee and adverse selection."""
    plain = replace(MARKET, q_min=-5, q_max=5, phi=1e-4, horizon_seconds=HORIZON_SECONDS)
    harsh = replace(plain, epsilon_plus=0.005, epsilon_minus=0.005, fee=0.003)
    gamma = 2 * plain.phi / SIGMA**2  # the risk aversion whose running penalty is φ
    rules: list[tuple[str, Callable[[ModelParameters], DepthPolicy]]] = [
        ("optimal", optimal_policy),
        ("fixed spread, no skew", lambda p: fixed_spread(p, half_spread_bp=1.0, mid=100.0)),
        (
            "fixed spread, linear skew",
            lambda p: fixed_spread(p, half_spread_bp=1.0, mid=100.0, skew_bp_per_unit=0.3),
        ),
        ("Avellaneda–Stoikov", lambda p: avellaneda_stoikov(p, gamma=gamma, sigma=SIGMA)),
        (
            "Guéant–Lehalle–Fernandez-Tapia",
            lambda p: gueant_lehalle_fernandez_tapia(p, gamma=gamma, sigma=SIGMA),
        ),
    ]
    rows, numbers = [], {}
    for name, rule in rules:
        values = [
            float(policy_value(p, rule(p))[p.reference_inventory - p.q_min]) for p in (plain, harsh)
        ]
        numbers[name] = {"plain": values[0], "with_costs": values[1]}
        best = next(iter(numbers.values()))
        shares = [values[0] / best["plain"], values[1] / best["with_costs"]]
        rows.append(
            [
                name,
                f"{values[0]:.4f}",
                f"{100 * shares[0]:.1f}%",
                f"{values[1]:.4f}",
                f"{100 * shares[1]:.1f}%",
            ]
        )
    table = Table(
        f"Value of {HORIZON_SECONDS:.0f} s from inventory 0 (quote currency), inventories −5 … 5",
        ["rule", "plain market", "of the best", "with ε and fee", "of the best"],
        rows,
    )
    paragraphs = [
        "A fixed spread with a skew proportional to the position, Avellaneda & Stoikov (2008) and "
        "the closed form of Guéant, Lehalle & Fernandez-Tapia (2013) do well on the market they "
        "were made for. None of them accounts for market orders moving the price (ε = 0.005) or "
        "for a fee per fill (0.003). With those, at a depth scale of 0.01, they lose much of the "
        "achievable value.",
    ]
    section = Section("simple_models", "Simple models", paragraphs, (), [table])
    return Chapter(section, numbers)


def profit_and_loss(paths: int, seed: int) -> Chapter:
    """Simulate P&L by running penalty: less risk for a little less money."""
    base = replace(
        MARKET,
        q_min=-10,
        q_max=10,
        alpha=0.0,
        epsilon_plus=0.005,
        epsilon_minus=0.005,
        horizon_seconds=HORIZON_SECONDS,
    )
    series, rows, numbers = [], [], {}
    for phi in (1e-6, 1e-4, 1e-3):
        problem = replace(base, phi=phi)
        run = simulate(problem, optimal_policy(problem), paths=paths, seed=seed, sigma=SIGMA)
        mean, spread = float(run.pnl.mean()), float(run.pnl.std(ddof=1))
        h = float(solve(problem).h[problem.reference_inventory - problem.q_min])
        series.append(Series(f"φ = {phi:g}", run.pnl, kind="histogram"))
        rows.append(
            [
                f"{phi:g}",
                f"{mean:.3f}",
                f"{spread:.3f}",
                f"{mean / spread:.1f}",
                f"{run.mean_objective:.4f} ± {run.standard_error:.4f}",
                f"{h:.4f}",
            ]
        )
        numbers[f"{phi:g}"] = {
            "mean": mean,
            "sd": spread,
            "percentile_5": float(np.percentile(run.pnl, 5)),
            "objective": run.mean_objective,
            "standard_error": run.standard_error,
            "h": h,
        }
    chart = Chart(
        f"P&L of {HORIZON_SECONDS:.0f} s over {paths} simulated sessions",
        "P&L (quote currency)",
        "density",
        series,
    )
    table = Table(
        "Simulated sessions; the last two columns should agree",
        ["φ", "mean", "sd", "mean/sd", "objective, simulated", "h, solved"],
        rows,
    )
    paragraphs = [
        "The same market with three running penalties φ. Every market order is simulated, and each "
        "moves the price. A higher penalty gives up income to hold less, so the distribution has "
        "thinner tails.",
    ]
    section = Section("pnl", "Risk and reward", paragraphs, [chart], [table])
    return Chapter(section, numbers)
