"""A consistent parameter set, as one refit would publish it."""

from datetime import UTC, datetime

import pytest

from advanced_mm.parameter_files import EpsilonEntry, KappaEntry, LambdaEntry, ParameterSet


def parameter_set(calibration_id: str = "r1", **changes) -> ParameterSet:
    header = dict(
        status="ok",
        calibration_id=calibration_id,
        published_at=datetime(2026, 11, 23, 12, 0, 15, tzinfo=UTC),
        fitted_at=datetime(2026, 11, 23, 12, 0, 14, tzinfo=UTC),
        window_seconds=1800.0,
        observed_seconds=1795.5,
        n_plus=1150,
        n_minus=769,
        n1_plus=204,
        n1_minus=135,
        mid=3000.0,
        tick=0.1,
    )
    header.update(changes)
    return ParameterSet(
        "ETH",
        KappaEntry(
            **header, kappa_plus=2.6, kappa_minus=2.7, kappa_plus_se=0.2, kappa_minus_se=0.2
        ),
        EpsilonEntry(
            **header,
            epsilon_plus=0.12,
            epsilon_minus=0.13,
            epsilon_fill_plus=0.7,
            epsilon_fill_minus=0.6,
        ),
        LambdaEntry(
            **header, lambda_plus=1.0, lambda_minus=0.7, lambda0_plus=0.28, lambda0_minus=0.19
        ),
        (),
    )


@pytest.fixture
def make_set():
    return parameter_set
