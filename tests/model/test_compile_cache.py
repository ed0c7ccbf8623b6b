"""The compiled kernels where no cache can be written, and where none is needed."""

import ctypes
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import advanced_mm

# The smallest of the kernels: one decorator compiles them all.
SIMULATE = """
import os
import numpy as np
import advanced_mm
from advanced_mm.model import DepthPolicy, ModelParameters, simulate
case = {"lambda_plus": 1, "lambda_minus": 1, "kappa_plus": 100, "kappa_minus": 100, "phi": 1e-5}
parameters = ModelParameters(**case, q_min=-3, q_max=3, horizon_seconds=30)
ask = np.array([[np.inf, *[0.01] * 6]])
policy = DepthPolicy(np.arange(-3, 4), np.zeros(1), ask, ask[:, ::-1], "one depth")
objective = simulate(parameters, policy, paths=100).mean_objective
"""
TELL = """
assert not os.access(os.path.dirname(advanced_mm.__file__) + "/model", os.W_OK)
print(advanced_mm.__file__, objective, sep="|")
"""
PR_CAPBSET_DROP, CAP_DAC_OVERRIDE = 24, 1


def respect_permissions() -> None:
    """Read-only folders hold for root too, as they do in a container without capabilities."""
    ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, 0, 0, 0)


@pytest.fixture
def read_only_copy(tmp_path: Path) -> Iterator[Path]:
    package = Path(advanced_mm.__file__).parent
    root = tmp_path / "installed"
    hidden = shutil.ignore_patterns("__pycache__")
    shutil.copytree(package / "model", root / "advanced_mm/model", ignore=hidden)
    for name in ("__init__.py", "compiled.py", "errors.py"):
        shutil.copy(package / name, root / "advanced_mm")
    yield from locked(root)


def locked(root: Path) -> Iterator[Path]:
    folders = [root, *(path for path in root.rglob("*") if path.is_dir())]
    for folder in folders:
        folder.chmod(0o555)
    yield root
    for folder in folders:
        folder.chmod(0o755)


@pytest.mark.skipif(sys.platform != "linux", reason="takes root's privilege away as Linux does")
def test_a_read_only_package_without_a_cache_folder_computes(read_only_copy: Path) -> None:
    """Neither beside the package nor at home can a cache be written, and none is named."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(read_only_copy)}
    run = subprocess.run(
        [sys.executable, "-c", SIMULATE + TELL],
        cwd=read_only_copy,
        env=environment | {"PYTHONPATH": str(read_only_copy)},
        preexec_fn=respect_permissions,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    where, objective = run.stdout.strip().split("|")
    assert Path(where).is_relative_to(read_only_copy)
    here: dict[str, Any] = {}
    exec(SIMULATE, here)
    assert float(objective) == here["objective"] > 0
    assert not list(read_only_copy.rglob("*.nb*"))


def test_the_default_problem_needs_neither_numba_nor_optimize() -> None:
    """They would cost every runner and bot 80 MB."""
    code = """
import sys
from advanced_mm.calibration.runner import PeriodicRunner
from advanced_mm.model import ModelParameters, solve
from advanced_mm.parameter_files import Settings
s = Settings()
case = {"lambda_plus": 1, "lambda_minus": 0.7, "kappa_plus": 100, "kappa_minus": 90, "phi": 1e-5}
bounds = {"q_min": s.q_min, "q_max": s.q_max, "sides": s.sides, "min_depth": s.min_depth}
assert solve(ModelParameters(**case, **bounds, horizon_seconds=s.horizon_seconds)).value_rate > 0
print({"numba", "llvmlite", "scipy.optimize"} & set(sys.modules))
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.stdout == "set()\n", run.stderr
