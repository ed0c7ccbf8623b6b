"""Solve the control problem for a market and print how far from the mid each quote should rest.

    python examples/solve_and_print.py
    python examples/solve_and_print.py --units 3 --risk-aversion 0.1

Neither a recording nor a network is needed. ``ModelParameters`` documents the units.
"""

import argparse
import math
import sys

from advanced_mm.cli import run
from advanced_mm.model import ModelParameters, risk_aversion_to_phi, solve

MID = 3000.0  # USDC
FEE_RATE = 0.00015  # Hyperliquid's base maker fee
ARRIVALS, KAPPA, EPSILON = 1.0, 2.0, 0.2  # per second, per USDC, USDC


def main(argv: list[str] | None = None) -> int:
    """Print one line for each inventory the bot can hold; exit code 0."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--units", type=int, default=1, help="most it holds, long only (default 1)")
    parser.add_argument("--risk-aversion", type=float, default=0.01, help="default %(default)g")
    options = parser.parse_args(argv)

    market = ModelParameters(
        lambda_plus=ARRIVALS,
        lambda_minus=ARRIVALS,
        kappa_plus=KAPPA,
        kappa_minus=KAPPA,
        epsilon_plus=EPSILON,
        epsilon_minus=EPSILON,
        fee=FEE_RATE * MID,
        phi=risk_aversion_to_phi(options.risk_aversion, ARRIVALS, KAPPA),
        q_min=0,
        q_max=options.units,
    )
    value = solve(market)

    print(f"mid {MID:g}; without inventory both depths would be "
          f"1/kappa + epsilon + fee = {1 / KAPPA + EPSILON + market.fee:.3f} USDC")  # fmt: skip
    print(f"{'inventory':>9}  {'bid':>18}  {'ask':>18}")
    for inventory, bid, ask in zip(value.q, value.bid_depth, value.ask_depth, strict=True):
        print(f"{inventory:>9}  {shown(-bid):>18}  {shown(ask):>18}")
    print(f"expected income, penalty deducted: {3600 * value.value_rate:.2f} USDC an hour")
    return 0


def shown(offset: float) -> str:
    """Write a price and its distance from the mid; a dash where nothing is quoted."""
    if math.isinf(offset):
        return "-"
    return f"{MID + offset:.1f} ({abs(offset) / MID * 1e4:.2f} bp)"


if __name__ == "__main__":
    sys.exit(run(main))
