"""Cost of a constant ε_fill if the move after a fill grows with its depth.

Bot on {0, 1}, equal sides: λ₀ = 0.25 per second, κ = 2.65 and a fee of 0.45, as on ETH at 3000
USDC. A fill at depth δ moves the mid by a + bδ, a = 0.3. The optimum uses that line (setting
``epsilon_source: fill_slope``). The other bot uses the value at 0.1, the smallest depth of a fill
beyond the touch at a tick of 0.1, for every depth (``epsilon_source: fill``). Both incomes are
exact.

    python benchmarks/fill_slope.py
"""

import argparse
import sys
from dataclasses import replace

from rich.console import Console
from rich.table import Table

from advanced_mm.cli import run
from advanced_mm.model import ModelParameters, optimal_policy, policy_income, solve

MARKET = ModelParameters(
    lambda_plus=0.25,
    lambda_minus=0.25,
    kappa_plus=2.65,
    kappa_minus=2.65,
    epsilon_plus=0.3,
    epsilon_minus=0.3,
    fee=0.45,
    q_min=0,
    q_max=1,
)
TICK = 0.1
SLOPES = (0.0, 0.2, 0.4, 0.6)


def main(argv: list[str] | None = None) -> int:
    """Print the table; exit code 0."""
    argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0]).parse_args(argv)
    table = Table("b", "optimal, USDC/h", "its depth", "one ε_fill, USDC/h", "its depth")
    for slope in SLOPES:
        market = replace(MARKET, impact_slope_plus=slope, impact_slope_minus=slope)
        move = MARKET.epsilon_plus + slope * TICK
        believed = replace(MARKET, epsilon_plus=move, epsilon_minus=move)
        incomes = [policy_income(market, optimal_policy(one)) for one in (market, believed)]
        depths = [float(solve(one).ask_depth[1]) for one in (market, believed)]
        cells = [
            text
            for income, depth in zip(incomes, depths, strict=True)
            for text in (f"{3600 * income:.1f}", f"{depth:.2f}")
        ]
        table.add_row(f"{slope:g}", *cells)
    Console().print(table)
    return 0


if __name__ == "__main__":
    sys.exit(run(main))
