"""The notebook runs from its first cell to its last, and is kept without output."""

import json
import shutil
from pathlib import Path

import pytest

NOTEBOOK = Path(__file__).parents[3] / "user_data" / "notebooks" / "market_research.ipynb"


def test_it_is_stripped_of_output():
    for cell in json.loads(NOTEBOOK.read_text())["cells"]:
        assert cell["metadata"] == {}
        if cell["cell_type"] == "code":
            assert cell["outputs"] == []
            assert cell["execution_count"] is None


def test_it_runs_on_a_recording_of_the_loopback_venue(data_dir, tmp_path):
    reason = "nbclient and ipykernel are not installed (requirements-dev.txt)"
    nbclient = pytest.importorskip("nbclient", reason=reason)
    nbformat = pytest.importorskip("nbformat", reason=reason)
    pytest.importorskip("ipykernel", reason=reason)
    folder = tmp_path / "user_data" / "notebooks"
    folder.mkdir(parents=True)
    shutil.copytree(data_dir / "GOOD", tmp_path / "scripts" / "HL_data" / "GOOD")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbclient.NotebookClient(
        notebook, timeout=240, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    ).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    assert not [one for one in outputs if one.output_type == "error" or one.get("name") == "stderr"]
    printed = "".join(one.text for one in outputs if one.output_type == "stream")
    assert "GOOD (Hyperliquid recording) 1" in printed
    assert "Spread 0.333 bp is below the fee of 1.5 bp" in printed
    pictures = [one for one in outputs if "application/vnd.plotly.v1+json" in one.get("data", {})]
    assert len(pictures) == 10
    assert (tmp_path / "user_data" / "plot" / "market_research.html").stat().st_size > 2_000_000
