"""Compile the solvers once, at installation: ``python -m advanced_mm.model``.

The compiled code is stored in numba's cache beside the package, which saves each bot and runner
seconds and a hundred megabytes for the compiler.
"""

from dataclasses import replace

from advanced_mm.model import ModelParameters, solve

_EXAMPLE = ModelParameters(
    lambda_plus=1.0, lambda_minus=0.7, kappa_plus=2.0, kappa_minus=1.5, phi=0.01, q_min=-1, q_max=1
)


def main() -> None:
    """Solve one problem of each kind."""
    for problem in (
        _EXAMPLE,
        replace(_EXAMPLE, sides="one"),
        replace(_EXAMPLE, horizon_seconds=60.0),
    ):
        solve(problem)


if __name__ == "__main__":
    main()
