"""What may be asked, and what is said when it may not."""

import dataclasses
import math

import numpy as np
import pytest

from advanced_mm.errors import InputError
from advanced_mm.model import ModelParameters, risk_aversion_to_phi, solve

VALID = {
    "lambda_plus": 1.0,
    "lambda_minus": 0.5,
    "kappa_plus": 2.0,
    "kappa_minus": 3.0,
    "q_min": -1,
    "q_max": 2,
}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("lambda_plus", 0.0),
        ("lambda_minus", -1.0),
        ("kappa_plus", math.nan),
        ("kappa_minus", math.inf),
        ("kappa_plus", "2"),
        ("kappa_plus", None),
        ("epsilon_plus", math.nan),
        ("phi", -1e-9),
        ("alpha", math.inf),
        ("terminal_cost", -1.0),
        ("fee", math.inf),
        ("drift", math.nan),
        ("impact_slope_plus", math.inf),
        ("min_depth", -0.1),
        ("min_depth", math.inf),
        ("horizon_seconds", 0.0),
        ("horizon_seconds", math.inf),
        ("q_min", 0.5),
        ("q_max", "3"),
        ("q_max", True),
        ("q_max", -1),
        ("sides", "two"),
        ("compensate_drift", "no"),
    ],
)
def test_a_value_out_of_range_is_named(field: str, value: object) -> None:
    with pytest.raises(InputError, match=field) as caught:
        ModelParameters(**(VALID | {field: value}))
    assert repr(value) in str(caught.value)


def test_numbers_of_other_types_become_plain_ones() -> None:
    parameters = ModelParameters(
        **(VALID | {"lambda_plus": np.float32(2), "kappa_plus": 3, "q_max": np.int64(2)})
    )
    assert type(parameters.lambda_plus) is type(parameters.kappa_plus) is float
    assert type(parameters.q_max) is int


def test_parameters_and_solution_cannot_be_changed() -> None:
    parameters = ModelParameters(**VALID)
    with pytest.raises(dataclasses.FrozenInstanceError):
        parameters.phi = 1.0
    solution = solve(parameters)
    with pytest.raises(dataclasses.FrozenInstanceError):
        solution.value_rate = 1.0
    with pytest.raises(ValueError, match="read-only"):
        solution.ask_depth[0] = 1.0


def test_positional_arguments_are_refused() -> None:
    with pytest.raises(TypeError):
        ModelParameters(1.0, 1.0, 2.0, 2.0)


def test_drift_is_compensated_unless_asked_for() -> None:
    case = VALID | {"epsilon_plus": 0.3, "epsilon_minus": 0.2}
    assert ModelParameters(**case).mu == 0.0
    assert ModelParameters(**case, compensate_drift=False).mu == pytest.approx(0.2)
    assert ModelParameters(**case, drift=-0.7).mu == -0.7
    assert ModelParameters(**case, compensate_drift=False, drift=0.0).mu == 0.0


@pytest.mark.parametrize("q", [-2, 3, 0.5])
def test_depths_outside_the_bounds_are_not_guessed(q: float) -> None:
    with pytest.raises(InputError, match=r"q = .* -1 … 2"):
        solve(ModelParameters(**VALID)).depths(q)


def test_depths_are_those_of_the_arrays() -> None:
    solution = solve(ModelParameters(**VALID))
    for i, q in enumerate(solution.q):
        assert solution.depths(q) == (solution.ask_depth[i], solution.bid_depth[i])


def test_intensities_and_drift_follow_from_the_depths() -> None:
    solution = solve(ModelParameters(**VALID))
    np.testing.assert_allclose(solution.ask_intensity, np.exp(-2 * solution.ask_depth))
    np.testing.assert_allclose(solution.bid_intensity, 0.5 * np.exp(-3 * solution.bid_depth))
    np.testing.assert_array_equal(
        solution.inventory_drift, solution.bid_intensity - solution.ask_intensity
    )


def test_risk_aversion_means_the_same_skew_in_every_market() -> None:
    assert risk_aversion_to_phi(1e-3, 1.0, 100.0) == pytest.approx(1e-5)
    skews = []
    for rate, kappa in ((1.0, 100.0), (0.02, 3e4)):
        flow = {"lambda_plus": rate, "lambda_minus": rate}
        decay = {"kappa_plus": kappa, "kappa_minus": kappa}
        phi = risk_aversion_to_phi(0.05, rate, kappa)
        solution = solve(ModelParameters(**flow, **decay, phi=phi, q_min=-3, q_max=3))
        skews.append(kappa * (solution.ask_depth - solution.bid_depth)[1:-1])
    np.testing.assert_allclose(skews[0], skews[1], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("arguments", "name"),
    [((-1, 1, 1), "risk_aversion"), ((1, 0, 1), "lambda_bar"), ((1, 1, math.nan), "kappa_bar")],
)
def test_risk_aversion_out_of_range_is_named(arguments: tuple[float, ...], name: str) -> None:
    with pytest.raises(InputError, match=name):
        risk_aversion_to_phi(*arguments)
