"""The cache of compiled functions."""

import subprocess
import sys
from pathlib import Path

KERNEL = """
from advanced_mm.compiled import compiled
from kernels.constants import FACTOR

@compiled
def scaled(x):
    return FACTOR * x

print(scaled(1.0), sum(scaled.stats.cache_hits.values()))
"""


def test_a_change_of_another_module_of_the_package_is_noticed(tmp_path: Path) -> None:
    package = tmp_path / "kernels"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "kernel.py").write_text(KERNEL)

    def run(factor: float) -> str:
        (package / "constants.py").write_text(f"FACTOR = {factor}\n")
        command = [sys.executable, "-c", f"import sys; sys.path.append({str(tmp_path)!r}); "
                   "import kernels.kernel"]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    assert run(2.0) == "2.0 0"
    assert run(2.0) == "2.0 1"  # from the cache
    assert run(3.0) == "3.0 0"  # compiled anew
