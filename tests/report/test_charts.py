"""What Plotly is told of a chart."""

import numpy as np
import pytest

from advanced_mm.report.charts import Chart, Series, chart_to_plotly

TIMES = np.datetime64("2026-01-01T00:00") + np.arange(6).astype("timedelta64[m]")


def test_a_band_ends_where_nothing_is_known():
    """Two stretches of three and two minutes are two outlines, with a gap between them."""
    low = np.array([1.0, 2.0, 3.0, np.nan, 5.0, 6.0])
    chart = Chart("", "", "", [Series("a", TIMES, low + 1, low=low, high=low + 2)])
    band, _ = chart_to_plotly(chart).data
    minutes = [None if one is None else int(one[-2:]) for one in band.x]
    assert minutes == [0, 1, 2, 2, 1, 0, None, 4, 5, 5, 4]
    assert band.y == pytest.approx([3, 4, 5, 3, 2, 1, np.nan, 7, 8, 6, 5], nan_ok=True)
    nothing = np.full(6, np.nan)
    chart = Chart("", "", "", [Series("a", TIMES, nothing, low=nothing, high=nothing)])
    assert len(chart_to_plotly(chart).data[0].x) == 0


@pytest.mark.parametrize(("least", "ticks"), [(0.02, "D2"), (0.0, "D2"), (1e-4, 1)])
def test_a_long_logarithmic_axis_names_powers_of_ten_only(least, ticks):
    y = [1.0, 0.1, least]
    chart = Chart("", "", "", [Series("a", [1.0, 2.0, 3.0], y)], log_y=True)
    assert chart_to_plotly(chart).layout.yaxis.dtick == ticks
