"""The benchmark runs the notebook's cells, which agree with ours where they are right."""

import contextlib
import io
import warnings
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from advanced_mm.research.columns import columns
from benchmarks import research
from benchmarks.research_notebook import CELLS

RIGHT = {  # of the columns without a window
    "returns", "log_returns", "true_range", "hl_spread", "hl_spread_bps", "price_change",
    "price_change_bps", "price_reversal", "tick_direction", "tick_runs", "vol_cluster",
    "trades_per_second", "trades_ma_300s", "theoretical_pnl", "theoretical_pnl_cumsum",
    "volume_ratio_60s", "volume_ratio_300s", "volatility_60s", "volatility_300s",
    "volatility_900s", "volatility_3600s", "atr_300s", "atr_900s", "atr_3600s", "bb_upper_300s",
    "bb_lower_300s", "bb_width_300s", "bb_upper_900s", "bb_lower_900s", "bb_width_900s",
    "volume_ma_60s", "volume_ma_300s", "volume_ma_3600s", "sharpe_ratio_300s",
}  # fmt: skip


@pytest.fixture(scope="module")
def both():
    """Columns of the same candles: ours, and the notebook's without its score."""
    candles = research.a_day(5_000)
    names = {
        "candles": SimpleNamespace(data=research.of_the_notebook(candles)), "np": np, "pd": pd,
    }  # fmt: skip
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for cells in CELLS.values():
            for cell in cells:
                exec(cell, names)
                names["df"]["mm_opportunity_score"] = 0.0
    return columns(candles), names["df"]


def test_the_notebook_agrees_where_it_is_right(both):
    ours, theirs = both
    for name in RIGHT:
        there = theirs[name].dropna().index.intersection(ours[name].dropna().index)
        assert len(there) > 1_000, name
        np.testing.assert_allclose(
            ours.loc[there, name], theirs.loc[there, name], rtol=1e-5, atol=1e-12, err_msg=name
        )


def test_the_notebook_differs_where_it_is_wrong(both):
    ours, theirs = both
    assert theirs["roll_spread"].max() <= 0
    assert ours["roll_spread"].mean() > 0
    assert theirs["inventory_drift"].iloc[-1] < -500
    assert abs(ours["inventory_drift"].iloc[-1]) < 100
    quiet = theirs["n_trades"] == 0
    assert (theirs["order_flow_imbalance"][quiet] == -0.5).all()
    assert ours["order_flow_imbalance"][quiet].isna().all()
    assert abs(theirs["reversal_rate_300s"].mean()) < 0.005  # turns up less turns down
    assert ours["reversal_rate_300s"].mean() > 0.05


def test_the_benchmark_runs_for_a_moment(capsys):
    assert research.main(["--rows", "4000", "--scored", "3"]) == 0
    shown = capsys.readouterr().out
    for group in research.GROUPS:
        assert group in shown
