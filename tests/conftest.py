"""What several parts' tests share."""

import logging
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import settings

from advanced_mm.parameter_files import (
    EpsilonEntry,
    FairPriceEntry,
    KappaEntry,
    LambdaEntry,
    ParameterSet,
)

# Two busy cores say nothing about how long an example takes; pytest-timeout guards against hangs.
settings.register_profile("no deadline", deadline=None, max_examples=40)
# Forty examples keep the suite within its time; `pytest --hypothesis-profile thorough` tries more.
settings.register_profile("thorough", deadline=None, max_examples=1000)
settings.load_profile("no deadline")

PUBLISHED = datetime(2026, 11, 23, 12, 0, 15, tzinfo=UTC)
FITTED = datetime(2026, 11, 23, 12, 0, 14, tzinfo=UTC)


def parameter_set(
    calibration_id: str = "r1", beta: float | None = None, **changes: object
) -> ParameterSet:
    """A consistent parameter set as one refit would publish it; ``changes`` replace any field.

    With ``beta`` it has a fair price, too, and where that is not 0, the same numbers around it.
    """
    header = {
        "status": "ok",
        "calibration_id": calibration_id,
        "published_at": PUBLISHED,
        "fitted_at": FITTED,
        "window_seconds": 1800.0,
        "observed_seconds": 1795.5,
        "n_plus": 1150,
        "n_minus": 769,
        "n1_plus": 204,
        "n1_minus": 135,
        "mid": 3000.0,
        "tick": 0.1,
    }
    values = {
        KappaEntry: {
            "kappa_plus": 2.6,
            "kappa_minus": 2.7,
            "kappa_plus_se": 0.2,
            "kappa_minus_se": 0.2,
        },
        EpsilonEntry: {
            "epsilon_plus": 0.12,
            "epsilon_minus": 0.13,
            "epsilon_fill_plus": 0.7,
            "epsilon_fill_minus": 0.6,
        },
        LambdaEntry: {
            "lambda_plus": 1.0,
            "lambda_minus": 0.7,
            "lambda0_plus": 0.28,
            "lambda0_minus": 0.19,
        },
    }
    entries = {
        kind: kind(
            **{
                **header,
                **fields,
                **{k: v for k, v in changes.items() if k in header or k in kind.model_fields},
            }
        )
        for kind, fields in values.items()
    }
    fair_price = None
    if beta is not None:
        fields = {"beta": beta, "significant": beta != 0, "horizon_seconds": 5.0}
        fields |= {k: v for k, v in changes.items() if k in header}
        if beta != 0:
            anchored = {
                kind: entry.model_copy(update={"anchor": "fair price"})
                for kind, entry in entries.items()
            }
            names = {KappaEntry: "kappa", EpsilonEntry: "epsilon", LambdaEntry: "lambda_"}
            fields |= {name: anchored[kind] for kind, name in names.items()}
        fair_price = FairPriceEntry(**{**header, **fields})
    whole = (entries[KappaEntry], entries[EpsilonEntry], entries[LambdaEntry], (), fair_price)
    return ParameterSet("ETH", *whole)


@pytest.fixture(autouse=True)
def root_logger_as_before() -> Iterator[None]:
    """Undo what Freqtrade and scripts set in this process: the level, and handlers of their own."""
    level = logging.root.level
    yield
    logging.root.setLevel(level)
    for handler in logging.root.handlers[:]:
        if type(handler).__module__.startswith(("freqtrade", "rich")):
            logging.root.removeHandler(handler)


@pytest.fixture(scope="session")
def make_set() -> Callable[..., ParameterSet]:
    """The factory of parameter sets."""
    return parameter_set


LONGEST_FIRST = (
    "test_live_bot",
    "test_live_both_sides",
    "test_live_layers",
    "test_a_minute_of_trading",
    "test_sessions_run_as_make_starts_them",
    "test_backtest_and_hyperopt_run",
    "test_over_the_socket",
    "test_paper_session",
    "test_sidecar",
    "test_settings_at_start",
    "test_silent_channels",
    "test_coins_by_other_names",
)
"""Tests that mostly wait for other processes, by a part of their ids."""


def pytest_configure(config: pytest.Config) -> None:
    """Let each worker begin its collection at another place of the suite.

    Pytest rewrites the assertions of each file that it imports and keeps the result, which takes as
    long as all imports together. So each worker rewrites its share and finds the rest done by the
    others, instead of all doing the same at the same time.
    """
    name = os.environ.get("PYTEST_XDIST_WORKER")
    if name is None or config.args_source is not pytest.Config.ArgsSource.TESTPATHS:
        return
    number, workers = int(name.removeprefix("gw")), int(os.environ["PYTEST_XDIST_WORKER_COUNT"])
    files = sorted(Path(__file__).parent.rglob("test_*.py"))
    first = len(files) * number // workers
    config.args[:] = [str(file) for file in files[first:] + files[:first]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Deal the long tests to the workers, so that each begins with some of them.

    They wait rather than compute, and run beside the others' short ones. xdist's ``worksteal``
    gives each worker an equal stretch of the list to begin with.
    """
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    items.sort(key=lambda item: item.path)  # whatever order this worker collected them in

    def rank(item: pytest.Item) -> int:
        ranks = (i for i, part in enumerate(LONGEST_FIRST) if part in item.nodeid.partition("[")[0])
        return next(ranks, len(LONGEST_FIRST))

    long = sorted((item for item in items if rank(item) < len(LONGEST_FIRST)), key=rank)
    short = [item for item in items if rank(item) == len(LONGEST_FIRST)]
    dealt: list[pytest.Item] = []
    for worker in range(workers):
        begin, end = (len(items) * k // workers for k in (worker, worker + 1))
        hand = long[worker::workers]
        taken = max(0, end - begin - len(hand))
        dealt += [*hand, *short[:taken]]
        del short[:taken]
    items[:] = [*dealt, *short]
