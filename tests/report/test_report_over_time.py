"""Estimates by the window's length, over time and as published: each point is a fit of its own.

- A length, a refit's end or a publication is drawn with what was fitted or published there.
- What is not ok is marked with its status, on the axis where there was no estimate.
"""

from collections import defaultdict
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pyarrow as pa
import pytest

from advanced_mm.calibration import CoinCalibration, calibrate
from advanced_mm.marketdata.records import Recording, Trades
from advanced_mm.markets.recorded_books import RecordedBooks
from advanced_mm.parameter_files.history import CalibrationHistory
from advanced_mm.report.calibration_report import REFITS_OVER_TIME, published

PARAMETERS = ["lambda", "lambda0", "kappa", "epsilon", "epsilon_fill"]
SIDES = [(1, "+", "plus"), (-1, "−", "minus")]
SAME = 1e-9  # relative error of numbers that should be the same


def estimates_of(calibration) -> dict[str, object]:
    """Every drawn estimate by its name in the charts."""
    pairs = {
        "lambda": calibration.arrivals.map(lambda side: side.rate),
        "lambda0": calibration.fill_curve.map(lambda side: side.lambda0),
        "kappa": calibration.fill_curve.map(lambda side: side.kappa),
        "epsilon": calibration.impact.epsilon,
        "epsilon_fill": calibration.fill_impact.epsilon_fill,
    }
    return {
        f"{name}{sign}": getattr(pair, side)
        for name, pair in pairs.items()
        for _, sign, side in SIDES
    }


def assert_tracks(section, fits: dict[float, object]) -> None:
    """The section draws the estimates of these fits, by place, and marks those not ok."""
    expected = defaultdict(list)
    for x, fit in fits.items():
        for name, estimate in estimates_of(fit).items():
            if estimate.usable:
                expected[name].append((x, estimate.value, estimate.low, estimate.high))
            if estimate.status != "ok":
                height = estimate.value if estimate.usable else 0.0
                expected[f"{name} {estimate.status}"].append((x, height))
    drawn = {
        one.name: list(
            zip(one.x, one.y, *((one.low, one.high) if len(one.low) else ()), strict=True)
        )
        for chart in section.charts
        for one in chart.series
    }
    assert set(drawn) == set(expected)
    for name, points in expected.items():
        assert np.array(drawn[name]) == pytest.approx(np.array(points), rel=SAME), name


def test_each_length_of_the_window_is_fitted_on_itself(sections, recording):
    whole = (
        recording.newest_ms - min(recording.quotes.time_ms[0], recording.book_time_ms[0])
    ) / 6e4
    lengths = [5.0, 10.0, 15.0, whole]
    fits = {m: calibrate(recording, window_minutes=m) for m in lengths}
    assert len({fit.fill_curve.plus.kappa.value for fit in fits.values()}) == 4
    assert_tracks(sections["lengths"], fits)


def refits(recording: Recording) -> dict[float, CoinCalibration]:
    """Fits along the second half of a recording, by minutes before its newest row."""
    newest, first = recording.newest_ms, int(recording.quotes.time_ms[0])
    ends = np.linspace((first + newest) / 2, newest, REFITS_OVER_TIME).astype(int).tolist()
    minutes = (newest - first) / 60_000 / 2
    return {
        (end - newest) / 6e4: calibrate(recording, window_minutes=minutes, end_ms=end)
        for end in ends
    }


def test_each_refit_over_time_ends_where_it_is_drawn(sections, recording, table_of):
    fits = refits(recording)
    assert len({fit.fill_curve.plus.kappa.value for fit in fits.values()}) > 30
    assert_tracks(sections["over_time"], fits)
    # The simulated reach is nearly geometric, not quite: its own test finds out now and then.
    for counts, side in zip(
        table_of(sections["over_time"])["kappa"], ("plus", "minus"), strict=True
    ):
        found = [str(getattr(fit.fill_curve, side).kappa.status) for fit in fits.values()]
        assert set(found) <= {"ok", "misfit"}
        assert counts == ", ".join(f"{s}: {found.count(s)}" for s in dict.fromkeys(found))


def test_refits_that_are_not_ok_are_marked_with_their_status(
    recording, history, report_of, table_of
):
    """Sells begin after twelve minutes: before, their kappa is not known and epsilon is pooled."""
    from_ms = recording.quotes.time_ms[0] + 12 * 60_000
    trades = recording.trades
    kept = np.flatnonzero((trades.side > 0) | (trades.time_ms > from_ms))
    few = replace(recording, trades=Trades(*(column[kept] for column in vars(trades).values())))
    section = report_of(few, RecordedBooks.none(), 12.0, history)["over_time"]
    fits = refits(few)
    assert_tracks(section, fits)
    names = {one.name for chart in section.charts for one in chart.series}
    assert {"kappa− insufficient", "lambda− insufficient", "epsilon− pooled"} <= names
    assert "kappa+ insufficient" not in names
    statuses = [str(fit.fill_curve.minus.kappa.status) for fit in fits.values()]
    assert statuses[0] == "insufficient"
    counts = ", ".join(f"{s}: {statuses.count(s)}" for s in dict.fromkeys(statuses))
    assert table_of(section)["kappa"][1] == counts


def test_published_refits_are_those_of_the_history(sections, series_of, table_of):
    section = sections["published"]
    hours = [-1.0, -0.75, -0.5, -0.25, 0.0]
    for name in PARAMETERS:
        for sign in "+-":
            drawn = series_of(section, f"{name}{sign}")
            values = np.arange(5) + 0.3
            low = 0.9 * values
            if (name, sign) == ("epsilon", "-"):
                low[2] = 0.0
            assert list(drawn.x) == hours
            assert list(drawn.y) == pytest.approx(values.tolist())
            assert list(drawn.low) == pytest.approx(low.tolist())
            assert list(drawn.high) == pytest.approx((1.2 * values).tolist())
            stale = series_of(section, f"{name}{sign} stale")
            assert (list(stale.x), list(stale.y)) == (hours[3:], [3.3, 4.3])
    for name in ("epsilon+ pooled", "epsilon- bound"):
        mark = series_of(section, name)
        assert (list(mark.x), list(mark.y)) == ([-0.5], [2.3])
    assert table_of(section)["kappa"] == ["ok: 3, stale: 2"]


def test_a_refit_without_values_is_marked_and_drawn_nowhere_else(tmp_path, make_set, series_of):
    store = CalibrationHistory(tmp_path)
    good = make_set()
    newest = good.kappa.published_at
    absent = {f"{name}_{side}": None for name in PARAMETERS for _, _, side in SIDES}
    earlier = newest - timedelta(hours=1)
    store.append({"ETH": make_set("r0", status="insufficient", published_at=earlier, **absent)})
    store.append({"ETH": good})
    section = published(store.read("ETH"))
    assert list(series_of(section, "kappa+").x) == [0.0]
    mark = series_of(section, "kappa+ insufficient")
    assert (list(mark.x), list(mark.y)) == ([-1.0], [0.0])


def test_of_many_refits_some_are_drawn_and_all_are_counted(tmp_path, make_set, series_of, table_of):
    store = CalibrationHistory(tmp_path)
    newest = make_set().kappa.published_at
    for number in range(10):
        at = newest - timedelta(minutes=9 - number)
        store.append({"ETH": make_set(f"r{number}", published_at=at)})
    few = store.read("ETH")
    many = pa.concat_tables([few] * 400).sort_by("published_at")
    section = published(many)
    drawn = list(series_of(section, "kappa+").x)
    assert len(drawn) == 1500
    assert (drawn[0], drawn[-1]) == (pytest.approx(-0.15), 0.0)
    assert table_of(section)["kappa"] == ["ok: 4000"]
    assert "One in 2.7 is drawn" in section.paragraphs[0]
    assert store.newest_day("ETH") == newest.date()
    assert store.newest_day("BTC") is None
