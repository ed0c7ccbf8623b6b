"""Second methods: 60 digits for the linear problem, scipy's integrators for the rest."""

import math
from collections.abc import Sequence

import mpmath as mp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

from advanced_mm.model import ModelParameters, solve
from advanced_mm.model.linear import MATRIX_EXPONENTIAL, solve_linear
from advanced_mm.model.scaled import scale
from advanced_mm.model.stiff import SEULEX, solve_stiff

Matrix = list[list[mp.mpf]]


def product(left: Matrix, right: Matrix) -> Matrix:
    columns = list(zip(*right, strict=True))
    return [[mp.fdot(zip(row, column, strict=True)) for column in columns] for row in left]


def exact_differences(p: ModelParameters) -> tuple[np.ndarray, float]:
    """κ[h(q−1) − h(q)] and κh(reference) without a floor, from exp(AT) in 60 digits."""
    with mp.workdps(60):
        kappa = mp.mpf(p.kappa_plus)
        q = range(p.q_min, p.q_max + 1)
        diagonal = [kappa * (x * mp.mpf(p.mu) - mp.mpf(p.phi) * x * x) for x in q]
        down = p.lambda_plus * mp.exp(-1 - kappa * (mp.mpf(p.epsilon_plus) + mp.mpf(p.fee)))
        up = p.lambda_minus * mp.exp(-1 - kappa * (mp.mpf(p.epsilon_minus) + mp.mpf(p.fee)))
        n, shift = len(q), min(diagonal)
        a = [[mp.mpf(0)] * n for _ in q]
        for i in range(n):
            a[i][i] = diagonal[i] - shift
            if i > 0:
                a[i][i - 1] = down
            if i < n - 1:
                a[i][i + 1] = up
        horizon = mp.mpf(p.horizon_seconds)
        doublings = max(0, int(mp.ceil(mp.log(max(sum(row) for row in a) * horizon * 2, 2))))
        power = taylor_exponential(a, horizon / 2**doublings)
        for _ in range(doublings):
            power = product(power, power)
        terminal = [mp.exp(-kappa * (p.alpha * x * x + p.terminal_cost * abs(x))) for x in q]
        g = [mp.log(mp.fdot(zip(row, terminal, strict=True))) + shift * horizon for row in power]
        differences = np.array([float(g[i - 1] - g[i]) for i in range(1, n)])
        return differences, float(g[p.reference_inventory - p.q_min])


def taylor_exponential(a: Matrix, time: mp.mpf) -> Matrix:
    n = len(a)
    power = [[mp.mpf(i == j) for j in range(n)] for i in range(n)]
    for term in range(36, 0, -1):
        power = product(a, power)
        power = [[x * time / term + (i == j) for j, x in enumerate(r)] for i, r in enumerate(power)]
    return power


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(math.log(low), math.log(high))))


def nasty_linear(seed: int) -> ModelParameters:
    rng = np.random.default_rng(seed)
    kappa = log_uniform(rng, 0.01, 1e5)
    bound = int(rng.choice([1, 3, 3, 6]))
    return ModelParameters(
        kappa_plus=kappa,
        kappa_minus=kappa,
        lambda_plus=log_uniform(rng, 0.01, 20),
        lambda_minus=log_uniform(rng, 0.01, 20),
        phi=float(rng.choice([0, 1, 1])) * log_uniform(rng, 1e-9, 1),
        alpha=float(rng.choice([0, 1])) * log_uniform(rng, 1e-6, 1),
        epsilon_plus=rng.uniform(0, 3) / kappa,
        epsilon_minus=rng.uniform(0, 3) / kappa,
        fee=rng.uniform(-0.3, 0.5) / kappa,
        terminal_cost=float(rng.choice([0, 1])) * rng.uniform(0, 2) / kappa,
        q_min=int(rng.choice([-bound, 0])),
        q_max=bound,
        horizon_seconds=log_uniform(rng, 60, 86_400),
        compensate_drift=bool(rng.integers(2)),
        min_depth=-math.inf,
    )


@pytest.mark.parametrize("seed", range(25))
def test_linear_problem_agrees_with_sixty_digits(seed: int) -> None:
    """κ from 0.01 to 1e5, φ up to 1, a day long: both solvers within 1e-10/κ, most far closer."""
    parameters = nasty_linear(seed)
    expected, level = exact_differences(parameters)
    problem = scale(parameters)
    solutions = [s for s in (solve_linear(problem), solve_stiff(problem)) if s is not None]
    for solution in solutions:
        error = np.abs(solution.gaps[1:-1] - expected) / (1 + np.abs(expected))
        assert error.max() < (1e-13 if solution.method == MATRIX_EXPONENTIAL else 1e-11)
        assert solution.level == pytest.approx(level, rel=1e-10, abs=1e-10)


@pytest.mark.parametrize("phi", [0.0, 1e-6, 1e-4])
def test_the_two_solvers_agree_on_two_hundred_inventories(phi: float) -> None:
    problem = scale(
        ModelParameters(
            lambda_plus=0.9,
            lambda_minus=1.1,
            kappa_plus=3.0,
            kappa_minus=3.0,
            epsilon_plus=0.2,
            epsilon_minus=0.1,
            phi=phi,
            alpha=1e-4,
            q_min=-100,
            q_max=100,
            horizon_seconds=900,
            min_depth=-math.inf,
        )
    )
    linear, stiff = solve_linear(problem), solve_stiff(problem)
    assert linear is not None
    np.testing.assert_allclose(stiff.gaps, linear.gaps, rtol=1e-11, atol=1e-11)
    assert stiff.level == pytest.approx(linear.level, rel=1e-10)


def equation(p: ModelParameters, h: np.ndarray) -> np.ndarray:
    """∂h/∂τ straight from the notes."""

    def side(rate: float, kappa: float, cost: float, slope: float, gain: np.ndarray) -> np.ndarray:
        depth = np.maximum(p.min_depth, 1 / kappa + (cost - gain) / (1 - slope))
        return rate * np.exp(-kappa * depth) * (depth * (1 - slope) + gain - cost)

    ask, bid = np.zeros_like(h), np.zeros_like(h)
    cost_plus, cost_minus = p.epsilon_plus + p.fee, p.epsilon_minus + p.fee
    step = h[:-1] - h[1:]
    ask[1:] = side(p.lambda_plus, p.kappa_plus, cost_plus, p.impact_slope_plus, step)
    bid[:-1] = side(p.lambda_minus, p.kappa_minus, cost_minus, p.impact_slope_minus, -step)
    q = np.arange(p.q_min, p.q_max + 1)
    return q * p.mu - p.phi * q**2 + (np.maximum(ask, bid) if p.sides == "one" else ask + bid)


def integrated(p: ModelParameters, method: str) -> np.ndarray:
    q = np.arange(p.q_min, p.q_max + 1)
    terminal = -p.alpha * q**2 - p.terminal_cost * np.abs(q)
    options = {"lband": 1, "uband": 1} if method == "LSODA" else {}
    run = solve_ivp(
        lambda _, h: equation(p, h),
        (0, p.horizon_seconds),
        terminal,
        method=method,
        rtol=1e-11,
        atol=1e-13 / p.kappa_plus,
        **options,
    )
    return run.y[:, -1]


def nasty_nonlinear(seed: int) -> ModelParameters:
    rng = np.random.default_rng(seed)
    kappa, flow = log_uniform(rng, 0.01, 1e5), log_uniform(rng, 0.01, 20)
    bound = int(rng.choice([1, 3, 3, 8]))
    return ModelParameters(
        kappa_plus=kappa,
        kappa_minus=kappa * log_uniform(rng, 0.3, 3),
        lambda_plus=flow,
        lambda_minus=flow * log_uniform(rng, 0.3, 3),
        phi=float(rng.choice([0, 1, 1])) * log_uniform(rng, 1e-6, 0.3) * flow / kappa,
        alpha=float(rng.choice([0, 1])) * log_uniform(rng, 1e-4, 1) / kappa,
        epsilon_plus=rng.uniform(0, 2) / kappa,
        epsilon_minus=rng.uniform(0, 2) / kappa,
        fee=rng.uniform(-1, 0.5) / kappa,
        terminal_cost=float(rng.choice([0, 1])) * rng.uniform(0, 1) / kappa,
        q_min=int(rng.choice([-bound, 0])),
        q_max=bound,
        horizon_seconds=log_uniform(rng, 5, 100) / flow,
        compensate_drift=bool(rng.integers(2)),
        min_depth=float(rng.choice([0, 0, 0.3])) / kappa,
        sides=str(rng.choice(["both", "one"])),
        impact_slope_plus=float(rng.choice([0, 0, 0.5])),
        impact_slope_minus=float(rng.choice([0, 0, 0.8])),
    )


@pytest.mark.parametrize("seed", range(24))
def test_nonlinear_problem_agrees_with_scipy(seed: int) -> None:
    """Floors, fees, one side, unequal κ, impact slopes: depths as Radau or LSODA find them."""
    parameters = nasty_nonlinear(seed)
    solution = solve(parameters)
    reference = integrated(parameters, "Radau" if seed % 3 == 0 else "LSODA")
    error = parameters.kappa_plus * (np.diff(solution.h) - np.diff(reference))
    assert np.abs(error).max() < 3e-9
    assert solution.method in (SEULEX, MATRIX_EXPONENTIAL)


@pytest.mark.parametrize("seed", range(24))
def test_ergodic_solution_solves_the_equation(seed: int) -> None:
    finite = nasty_nonlinear(seed)
    fields = {name: getattr(finite, name) for name in finite.__dataclass_fields__}
    parameters = ModelParameters(**(fields | {"horizon_seconds": None}))
    solution = solve(parameters)
    residual = equation(parameters, solution.h) - solution.value_rate
    rate = max(parameters.lambda_plus, parameters.lambda_minus)
    assert np.abs(residual).max() * parameters.kappa_plus / rate < 1e-11
    assert solution.h[parameters.reference_inventory - parameters.q_min] == 0.0


def test_matrix_exponential_leaves_a_floor_to_the_integrator() -> None:
    """The floor binds only near the end, where the terminal penalty is steep."""
    case = {
        "lambda_plus": 1.0,
        "lambda_minus": 1.0,
        "kappa_plus": 100.0,
        "kappa_minus": 100.0,
        "phi": 1e-5,
        "q_min": -2,
        "q_max": 2,
        "horizon_seconds": 60.0,
    }
    assert solve(ModelParameters(**case, alpha=1e-3)).method == MATRIX_EXPONENTIAL
    steep = ModelParameters(**case, alpha=0.05)
    solution = solve(steep)
    assert solution.method == SEULEX
    assert solution.ask_depth.min() > 0.0
    np.testing.assert_allclose(solution.h, integrated(steep, "Radau"), rtol=0, atol=1e-11)


@pytest.mark.parametrize("q", [[-5, -1], [2, 6]])
def test_bounds_away_from_zero_are_normalised_at_the_nearest(q: Sequence[int]) -> None:
    case = {"lambda_plus": 1, "lambda_minus": 1, "kappa_plus": 9, "kappa_minus": 4, "phi": 1e-3}
    solution = solve(ModelParameters(**case, q_min=q[0], q_max=q[1]))
    nearest = -1 if q[0] < 0 else 0
    assert solution.h[nearest] == 0.0
    finite = solve(ModelParameters(**case, q_min=q[0], q_max=q[1], horizon_seconds=3000))
    np.testing.assert_allclose(finite.h - finite.h[nearest], solution.h, atol=1e-9)
    assert finite.value_rate == pytest.approx(solution.value_rate, rel=1e-9)
