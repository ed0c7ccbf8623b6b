"""A recording with its refits that the tests of sweeps share."""

import pytest

from tests.replay.recordings import record, refit


@pytest.fixture(scope="package")
def recorded(tmp_path_factory):
    """Folder with 50 minutes of a synthetic market in ``data``, refitted in ``history``."""
    folder = tmp_path_factory.mktemp("swept")
    record(folder / "data", 50)
    refit(folder / "data", folder / "history")
    return folder
