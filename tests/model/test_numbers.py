"""The published and twice computed numbers of the design notes, to their printed digits."""

import math

import numpy as np
import pytest

from advanced_mm.model import ModelParameters, ValueFunction, solve

CASE_A = {
    "lambda_plus": 1.0,
    "lambda_minus": 1.0,
    "kappa_plus": 100.0,
    "kappa_minus": 100.0,
    "phi": 1e-5,
    "alpha": 1e-4,
    "q_min": -3,
    "q_max": 3,
}
ASYMMETRIC = {
    "lambda_plus": 1.2,
    "lambda_minus": 0.7,
    "kappa_plus": 100.0,
    "kappa_minus": 60.0,
    "epsilon_plus": 0.004,
    "epsilon_minus": 0.006,
    "phi": 2e-5,
    "alpha": 1e-4,
    "q_min": -3,
    "q_max": 3,
    "compensate_drift": False,
}
FLOOR_AND_FEE = ASYMMETRIC | {"alpha": 0.02, "fee": 0.001, "terminal_cost": 0.003}


def solved(case: dict, **changes: object) -> ValueFunction:
    return solve(ModelParameters(**(case | changes)))


def assert_close(actual: object, printed: object, digits: float = 6e-13) -> None:
    np.testing.assert_allclose(actual, printed, rtol=0, atol=digits)


def test_case_a_value_depths_and_income() -> None:
    solution = solved(CASE_A, horizon_seconds=30)
    right = [0.205348302124, 0.204526060923, 0.201770490869, 0.195529361037]
    assert_close(solution.h, right[:0:-1] + right)
    ask = [
        0.016241129832,
        0.012755570053,
        0.010822241202,
        0.009177758798,
        0.007244429947,
        0.003758870168,
    ]
    assert_close(solution.ask_depth[1:], ask)
    assert_close(solution.bid_depth[:-1], ask[::-1])
    assert_close(solved(CASE_A).value_rate, 0.00677681487541, 6e-15)


def test_case_a_with_adverse_selection() -> None:
    solution = solved(CASE_A, horizon_seconds=30, epsilon_plus=0.005, epsilon_minus=0.005)
    assert_close(solution.h[3], 0.125135900367)
    ask = [
        0.021304049604,
        0.017805579128,
        0.015840811809,
        0.014159188191,
        0.012194420872,
        0.008695950396,
    ]
    assert_close(solution.ask_depth[1:], ask)


def test_stationary_floor_under_a_rebate() -> None:
    case = CASE_A | {"fee": -0.008}
    finite = solved(case, horizon_seconds=30)
    assert_close(finite.h[3], 0.452299979352)
    assert_close(finite.ask_depth[1:], [0.00908444, 0.00500293, 0.00288053, 0.00111947, 0, 0], 6e-9)
    assert finite.ask_depth[5] == finite.ask_depth[6] == 0.0
    assert_close(solved(case).value_rate, 0.0149944419098, 6e-14)
    assert_close(solved(case, min_depth=-math.inf).value_rate, 0.0151073801977, 6e-14)


def test_asymmetric_sides_with_drift() -> None:
    finite = solved(ASYMMETRIC, horizon_seconds=120)
    assert finite.parameters.mu == pytest.approx(0.0006, rel=1e-14)
    expected = [
        0.641855821211,
        0.657543384501,
        0.670095005598,
        0.680142609838,
        0.687340357210,
        0.690751532422,
        0.687551487509,
    ]
    assert_close(finite.h, expected)
    assert_close(solved(ASYMMETRIC).value_rate, 0.00569516441461, 6e-15)


def test_asymmetric_sides_with_compensated_jumps() -> None:
    case = ASYMMETRIC | {"compensate_drift": True}
    assert_close(solved(case, horizon_seconds=120).h[3], 0.642457835448)
    assert_close(solved(case).value_rate, 0.00531922422161, 6e-15)


def test_floor_and_fee_over_a_finite_horizon() -> None:
    assert_close(solved(FLOOR_AND_FEE, horizon_seconds=120).h[3], 0.61994419578, 6e-12)
    free = solved(FLOOR_AND_FEE, horizon_seconds=120, min_depth=-math.inf)
    # The design notes print 0.620796207; Radau, LSODA, DOP853 and SEULEX all give this.
    assert_close(free.h[3], 0.620796237150, 6e-13)


@pytest.mark.parametrize(
    ("q_min", "q_max", "sides", "income"),
    [
        (-3, 3, "both", 0.00533529699952),
        (-3, 3, "one", 0.00408411780117),
        (0, 5, "both", 0.00634745768805),
        (0, 5, "one", 0.00501087494941),
    ],
)
def test_floor_and_fee_income(q_min: int, q_max: int, sides: str, income: float) -> None:
    solution = solved(FLOOR_AND_FEE, q_min=q_min, q_max=q_max, sides=sides)
    assert_close(solution.value_rate, income, 6e-15)


def test_one_sided_bot_of_the_floor_and_fee_case_cycles_between_two_and_three() -> None:
    solution = solved(FLOOR_AND_FEE, sides="one")
    assert_close(solution.stationary_distribution[:5], 0.0, 1e-12)
    assert solution.stationary_distribution[5:].min() > 0.3


@pytest.mark.parametrize(
    ("phi", "low", "high"), [(5e-4, 4.95, 5.05), (1e-3, 2.4, 2.6), (2e-3, 1.0, 2.0)]
)
def test_book_figure_10_9_inventory_reverts_to_where_drift_and_penalty_balance(
    phi: float, low: float, high: float
) -> None:
    solution = solve(
        ModelParameters(
            lambda_plus=2,
            lambda_minus=1,
            kappa_plus=100,
            kappa_minus=100,
            epsilon_plus=0.005,
            epsilon_minus=0.005,
            phi=phi,
            alpha=1e-4,
            q_min=-10,
            q_max=10,
            compensate_drift=False,
        )
    )
    drift = solution.inventory_drift
    before = int(np.flatnonzero(drift > 1e-9)[-1])
    after = int(np.flatnonzero(drift < -1e-9)[0])
    crossing = np.interp(0.0, -drift[[before, after]], solution.q[[before, after]])
    assert low < crossing < high
    if phi == 1e-3:
        assert_close(drift[[12, 13]], [0.146, -0.146], 6e-4)


def gueant(horizon_seconds: float | None) -> np.ndarray:
    """Bid depths of Guéant, Lehalle & Fernandez-Tapia (2013), mapped to this model."""
    sigma, intensity, k, gamma = 0.3, 0.9, 0.3, 0.01
    eta = intensity * (1 + gamma / k) ** -(1 + k / gamma)
    solution = solve(
        ModelParameters(
            lambda_plus=eta * math.e,
            lambda_minus=eta * math.e,
            kappa_plus=k,
            kappa_minus=k,
            phi=gamma * sigma**2 / 2,
            q_min=-30,
            q_max=30,
            horizon_seconds=horizon_seconds,
        )
    )
    xi = math.log(1 + gamma / k) / gamma
    return solution.bid_depth - 1 / k + xi


def test_gueant_lehalle_fernandez_tapia_depths() -> None:
    long_run = [3.2449191458, 3.3130454188, 3.3811681006, 3.4492800127]
    assert_close(gueant(None)[29:33], long_run, 6e-11)
    ten_minutes = [3.2449191548, 3.3130454098, 3.3811680739, 3.4492799682]
    assert_close(gueant(600.0)[29:33], ten_minutes, 6e-11)


def test_simulated_value_of_case_a() -> None:
    """Monte Carlo of the exact model over 400 000 paths found 0.205341 ± 7e-5."""
    assert solved(CASE_A, horizon_seconds=30).h[3] == pytest.approx(0.205341, abs=1.4e-4)
