"""The charts and texts of the calibration report, against numbers computed another way.

- Every panel has its series, each with finite points.
- Points, fitted lines and bands are those of the data and of the fit; tables say what the fit says.
- The window's book and its hole are those of the shards.
- Nothing is stated that the data do not support.
"""

import math
from collections import defaultdict
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest

from advanced_mm.calibration import CalibrationOptions, Sides, economics
from advanced_mm.marketdata import ShardStore
from advanced_mm.markets.recorded_books import read_books
from advanced_mm.parameter_files.history import CalibrationHistory
from advanced_mm.report import calibration_panels as panels
from advanced_mm.report.calibration_report import toxicity_gauge
from advanced_mm.report.page import write_page

MINUTES = 12.0
FEE_RATE = 0.00015
PARAMETERS = ["lambda", "lambda0", "kappa", "epsilon", "epsilon_fill"]
BY_SIDE = [[f"{name}+", f"{name}−"] for name in PARAMETERS]
SERIES = {
    "estimates": [],
    "toxicity": [
        ["toxicity, 95% interval", "toxic from 2", "unprofitable from 1.5", "competitive from 1"]
    ],
    "reach": [["observed +", "fit +", "observed −", "fit −"]],
    "fill_impact": [["mean move +", "a + bδ +", "mean move −", "a + bδ −", "move = depth"]],
    "fair_price": [],  # the sizes at this market's touch never change
    "residuals": [["residuals", "normal, same variance"]],
    "jumps": [["jumps +", "Pareto +", "jumps −", "Pareto −"]],
    "sizes": [["orders +", "orders −"]],
    "book": [["bids", "asks"]],
    "lengths": BY_SIDE,
    "over_time": BY_SIDE,
    "published": [[name.replace("−", "-") for name in pair] for pair in BY_SIDE],
    "coverage": [["observed"]],
}
BANDED = {"toxicity": 1, "reach": 2, "lengths": 10, "over_time": 10, "published": 10}
SIDES = [(1, "+", "plus"), (-1, "−", "minus")]
SAME = 1e-9  # relative error of numbers that should be the same


def test_every_panel_has_its_series_of_finite_points(sections):
    assert list(sections) == [
        "estimates", "toxicity", "reach", "fill_impact", "fair_price", "residuals", "jumps",
        "sizes", "book", "lengths", "over_time", "published", "coverage",
    ]  # fmt: skip
    for key, section in sections.items():
        # Marks of what is not ok carry their status behind a space; test_report_over_time.py.
        tracks = key in ("lengths", "over_time", "published")
        names = [
            [one.name for one in chart.series if not tracks or " " not in one.name]
            for chart in section.charts
        ]
        assert names == SERIES[key], key
        every = [one for chart in section.charts for one in chart.series]
        for one in every:
            assert len(one.x) == len(one.y) > 0, (key, one.name)
            assert np.isfinite(np.asarray(one.y, dtype=float)).all(), (key, one.name)
            if len(one.low):
                low, y, high = (np.asarray(v) for v in (one.low, one.y, one.high))
                assert ((low <= y) & (y <= high)).all(), (key, one.name)
                assert (high > low).any(), (key, one.name)
        assert sum(len(one.low) > 0 for one in every) == BANDED.get(key, 0), key


def test_the_estimates_are_the_fits(sections, fitted, table_of):
    rows = table_of(sections["estimates"])
    assert len(rows) == 10
    for side, sign, name in SIDES:
        n = fitted.n.plus if side > 0 else fitted.n.minus
        rate = getattr(fitted.arrivals, name).rate
        assert rows[f"lambda{sign}"][0] == f"{n / fitted.observed_seconds:.4g}"
        assert rows[f"lambda{sign}"][1] == f"{rate.se:.4g}"
        assert rows[f"lambda{sign}"][2:5] == [f"{rate.low:.4g} … {rate.high:.4g}", str(n), "ok"]
        for key, estimate in (
            ("lambda0", getattr(fitted.fill_curve, name).lambda0),
            ("kappa", getattr(fitted.fill_curve, name).kappa),
            ("epsilon", getattr(fitted.impact.epsilon, name)),
            ("epsilon_fill", getattr(fitted.fill_impact.epsilon_fill, name)),
        ):
            assert rows[f"{key}{sign}"][0] == f"{estimate.value:.4g}"
            assert rows[f"{key}{sign}"][4] == estimate.status


def test_toxicity_is_the_product_with_its_interval_and_the_fee_is_said(
    sections, fitted, series_of, table_of
):
    section = sections["toxicity"]
    bars, kappas = series_of(section, "toxicity, 95% interval"), fitted.fill_curve
    expected = [
        curve.kappa.value * epsilon.value
        for pair in (fitted.impact.epsilon, fitted.fill_impact.epsilon_fill)
        for curve, epsilon in zip(kappas, pair, strict=True)
    ]
    assert list(bars.y) == pytest.approx(expected, rel=SAME)
    assert list(bars.x) == ["κ·ε per order +", "κ·ε per order −", "κ·ε_fill +", "κ·ε_fill −"]
    found = economics(fitted, fee_rate=FEE_RATE)
    for place, side in enumerate(found.sides):
        assert bars.low[2 + place] == side.kappa_epsilon_fill.low
        assert bars.high[2 + place] == side.kappa_epsilon_fill.high
        rows = {name: cells[place] for name, cells in table_of(section).items()}
        assert rows["optimal depth"] == f"{side.optimal_depth:.4g}"
        assert rows["depth of edge and income"] == f"{side.depth:.4g}"
        assert rows["edge per fill"].startswith(f"{side.expected_edge.value:.4g} [")
        assert rows["verdict"] == "pays"
    for line, height in (("toxic from 2", 2), ("unprofitable from 1.5", 1.5)):
        assert list(series_of(section, line).y) == [height] * 4
    told = " ".join(section.paragraphs)
    fee = FEE_RATE * fitted.mid
    assert f"1.5 bp of the mid of {fitted.mid:.7g}: {fee:.4g} per fill" in told
    assert f"expected to earn {found.income_per_hour.value:.4g} [" in told


def test_the_fill_curve_is_counted_and_its_fit_starts_at_the_hurdle(
    sections, window, fitted, series_of
):
    for side, sign, name in SIDES:
        reach = window.orders.of_side(side).with_quote().reach.tolist()
        observed, fit = (series_of(sections["reach"], f"{n} {sign}") for n in ("observed", "fit"))
        shares = [sum(r >= k for r in reach) / len(reach) for k in range(max(reach) + 1)]
        assert list(observed.x) == list(range(max(reach) + 1))
        assert list(observed.y) == pytest.approx(shares, rel=SAME)
        curve = getattr(fitted.fill_curve, name)
        assert observed.y[1] == pytest.approx(curve.n1 / curve.n, rel=SAME)
        assert fit.y[0] == pytest.approx(curve.n1 / curve.n, rel=SAME)
        walked = window.tick * (max(reach) - 1)
        for drawn, kappa in (
            (fit.y, curve.kappa.value), (fit.low, curve.kappa.high), (fit.high, curve.kappa.low)
        ):  # fmt: skip
            last = curve.n1 / curve.n * math.exp(-kappa * walked)
            assert drawn[-1] == pytest.approx(last, rel=SAME)


def test_the_verdict_on_the_fill_curve_follows_from_its_distance(window, fitted):
    plus, minus = fitted.fill_curve
    curves = Sides(
        replace(plus, ks=0.9 * plus.ks_critical), replace(minus, ks=1.1 * minus.ks_critical)
    )
    section = panels.reach_survival(window, replace(fitted, fill_curve=curves))
    assert [row[4] for row in section.tables[0].rows] == ["fits", "does not fit"]
    few = panels.reach_survival(window, fitted.rejected("too short"))
    assert [row[4] for row in few.tables[0].rows] == ["too few orders to tell"] * 2


def test_what_a_fill_pays_is_the_mean_move_beyond_each_depth(sections, window, fitted, series_of):
    section = sections["fill_impact"]
    for side, sign, name in SIDES:
        orders = window.orders.of_side(side).with_quote()
        later = orders.time_ms + 1000
        move = side * (window.path.at(later) - orders.mid)
        inside = (window.stretches.index(later) == orders.stretch) & np.isfinite(move)
        points, line = (series_of(section, f"{n} {sign}") for n in ("mean move", "a + bδ"))
        counts = []
        for depth, mean in zip(points.x, points.y, strict=True):
            beyond = inside & (orders.walk > depth + 1e-9)
            counts.append(beyond.sum())
            assert mean == pytest.approx(move[beyond].mean(), rel=SAME)
        assert min(counts) >= 30
        slope, intercept = np.polyfit(points.x, points.y, 1, w=np.sqrt(counts))
        profile = getattr(fitted.fill_impact.profile, name)
        assert profile.slope.value == pytest.approx(slope, rel=1e-6)
        for place in (0, -1):
            assert line.y[place] == pytest.approx(intercept + slope * line.x[place], rel=1e-6)
            assert line.x[place] == points.x[place]
    equal = series_of(section, "move = depth")
    assert list(equal.x) == list(equal.y)


def test_the_verdict_on_a_side_follows_from_its_slope(fitted, series_of):
    plus, minus = fitted.fill_impact.profile
    steep = replace(plus, slope=replace(plus.slope, value=1.3, low=1.1, high=1.5))
    unsure = replace(minus, slope=replace(minus.slope, value=1.3, low=0.9, high=1.5))
    changed = replace(fitted.fill_impact, profile=Sides(steep, unsure))
    section = panels.fill_impact(replace(fitted, fill_impact=changed))
    verdicts = [row[-1] for row in section.tables[0].rows]
    assert verdicts == ["no depth pays: b is 1 or more", "b may be below 1"]
    line = series_of(section, "a + bδ +")
    assert (line.y[-1] - line.y[0]) / (line.x[-1] - line.x[0]) == pytest.approx(1.3)


def test_residuals_are_those_of_least_squares(sections, window, fitted, series_of):
    section = sections["residuals"]
    _, moves, counts = CalibrationOptions().impact.regression(window)
    beta, squares, _, _ = np.linalg.lstsq(counts, moves, rcond=None)
    residual = moves - counts @ beta
    drawn, normal = (series_of(section, n) for n in ("residuals", "normal, same variance"))
    x, density = np.asarray(drawn.x), np.asarray(drawn.y)
    width = x[1] - x[0]
    assert density.sum() * width == pytest.approx(1)
    inside = np.abs(residual) <= x[-1] + width / 2
    assert inside.mean() > 0.99
    variance = (density * x**2).sum() * width
    assert variance == pytest.approx((residual[inside] ** 2).mean(), rel=0.03)
    for place in (0, 40, 60):
        count = (np.abs(residual[inside] - x[place]) < width / 2).sum()
        assert density[place] * width * inside.sum() == pytest.approx(count, abs=1)
    deviation = math.sqrt(squares[0] / len(moves))
    assert max(normal.y) == pytest.approx(1 / (deviation * math.sqrt(2 * math.pi)), rel=1e-3)
    assert f"explain {100 * fitted.impact.r2:.1f}% of the variation" in section.paragraphs[0]


def test_jumps_and_the_pareto_line_are_those_of_the_fit(sections, window, fitted, series_of):
    section = sections["jumps"]
    for side, sign, name in SIDES:
        reach = window.orders.of_side(side).reach
        jumps = reach[reach > 0]
        points, line = (series_of(section, f"{n} {sign}") for n in ("jumps", "Pareto"))
        sizes = sorted(set(jumps.tolist()))
        assert 10 ** np.asarray(points.x) == pytest.approx(np.array(sizes) * window.tick)
        assert list(points.y) == pytest.approx([(jumps >= k).mean() for k in sizes], rel=SAME)
        # In half ticks, the threshold 2 and each jump corrected by one half.
        alpha = len(jumps) / np.log(2 * jumps / 1.5).sum()
        assert getattr(fitted.pareto, name).alpha.value == pytest.approx(alpha, rel=SAME)
        assert line.y[0] == pytest.approx(1)
        assert line.y[-1] == pytest.approx(((2 * jumps.max() - 0.5) / 1.5) ** -alpha, rel=1e-6)
        assert 10 ** line.x[-1] == pytest.approx(window.tick * jumps.max())
    cells = section.tables[0].rows[0]
    assert cells[1] == f"{fitted.pareto.plus.alpha.value:.4g}"


def test_sizes_are_whole_orders(sections, recording, window, series_of):
    """Prints summed by hand over those of one time, side and transaction."""
    sizes: dict[tuple[int, int, int], float] = defaultdict(float)
    trades = recording.trades
    rows = zip(trades.time_ms, trades.side, trades.transaction, trades.size, strict=True)
    inside = window.stretches.index(trades.time_ms) >= 0
    for (time_ms, side, transaction, size), covered in zip(rows, inside, strict=True):
        if covered:
            sizes[(int(time_ms), int(side), int(transaction))] += float(size)
    for side, sign, _ in SIDES:
        sample = np.array([size for (_, s, _), size in sizes.items() if s == side])
        drawn = series_of(sections["sizes"], f"orders {sign}")
        expected = [(sample >= 10**x * (1 - 1e-9)).mean() for x in drawn.x]
        assert list(drawn.y) == pytest.approx(expected, rel=SAME)
        assert 10 ** drawn.x[-1] == pytest.approx(sample.max())
        assert drawn.y[0] == 1
        assert len(drawn.x) > 20


def test_the_book_is_the_mean_over_the_snapshots_of_the_window(
    sections, data_dir, fitted, series_of
):
    start_ms = fitted.end_ms - round(MINUTES * 60_000)
    sums = {name: np.zeros(20) for name in ("bid", "ask")}
    counts = {name: np.zeros(20) for name in ("bid", "ask")}
    snapshots = 0
    for path in (data_dir / "GOOD" / "orderbooks").glob("*.parquet"):
        for row in pq.read_table(path).to_pylist():
            if not start_ms <= row["exchange_timestamp"] <= fitted.end_ms:
                continue
            snapshots += 1
            for name in ("bid", "ask"):
                for level in range(20):
                    size = row[f"{name}_size_{level}"]
                    if size is not None and size > 0:
                        sums[name][level] += size
                        counts[name][level] += 1
    (chart,) = sections["book"].charts
    for name in ("bid", "ask"):
        drawn = series_of(sections["book"], f"{name}s")
        assert list(drawn.x) == list(range(1, 21))
        assert list(drawn.y) == pytest.approx(sums[name] / counts[name], rel=SAME)
        assert 5.1 < drawn.y[0] < 7.9  # grown from 5 to 8 within the window, 5 all the time before
    assert f"{snapshots} snapshots" in chart.title


def test_coverage_shows_the_hole_and_the_observed_time(sections, fitted):
    section = sections["coverage"]
    (drawn,) = section.charts[0].series
    minutes = np.trapezoid(drawn.y, drawn.x)
    assert minutes * 60 == pytest.approx(fitted.observed_seconds, rel=1e-6)
    assert MINUTES * 60 - 42 < fitted.observed_seconds < MINUTES * 60 - 38
    assert f"{fitted.observed_seconds:.0f} s observed" in section.paragraphs[0]
    ((start, length),) = section.tables[0].rows
    assert float(start.removesuffix(" min")) == pytest.approx(7.0, abs=0.02)
    assert float(length.removesuffix(" s")) == pytest.approx(40, abs=1.1)


def test_of_a_coin_with_too_little_it_says_that_it_cannot_tell(
    data_dir, tmp_path, report_of, table_of
):
    recording = ShardStore(data_dir).read("THIN")
    nothing = CalibrationHistory(tmp_path).read("THIN")
    sections = report_of(recording, read_books(data_dir, "THIN"), 30.0, nothing)
    told = " ".join(sections["toxicity"].paragraphs)
    assert "There is not enough data to tell what quoting earns: buy market orders" in told
    assert " needed" in told
    for wrong in ("pays", "expected to earn –", "expected to lose"):
        assert wrong not in told
    rows = table_of(sections["toxicity"])
    assert rows.pop("verdict") == ["not enough data to tell"] * 2
    assert all(cells == ["–", "–"] for cells in rows.values())
    undrawn = [chart.title for one in sections.values() for chart in one.charts if not chart.series]
    assert undrawn[0].startswith("Toxicity")
    page = tmp_path / "page.html"
    write_page(page, "THIN", "", list(sections.values()))
    assert page.read_text().count("nothing to draw yet") == len(undrawn)


def test_a_market_that_does_not_pay_is_said_not_to_at_this_fee(fitted, table_of):
    """At a fee of 1% the optimum lies beyond what was measured, where the edge is a loss."""
    found = economics(fitted, fee_rate=0.01)
    section = toxicity_gauge(fitted, found, 0.01)
    told = " ".join(section.paragraphs)
    assert "No measured depth pays: do not quote this market at this fee." in told
    assert "100 bp of the mid" in told
    assert f"is expected to lose, with the ask at {found.bot.ask_depth:.4g}" in told
    for place, side in enumerate(found.sides):
        rows = {name: cells[place] for name, cells in table_of(section).items()}
        assert float(rows["optimal depth"]) > float(rows["depth of edge and income"])
        assert rows["depth of edge and income"] == rows["deepest measured"]
        assert rows["depth of edge and income"] == f"{side.measured_depth:.4g}"
        assert rows["edge per fill"].startswith("-")
        assert rows["verdict"] == "no measured depth pays"


def test_a_slope_of_one_or_more_has_no_optimal_depth(fitted, table_of):
    plus, minus = fitted.fill_impact.profile
    steep = replace(plus, slope=replace(plus.slope, value=1.2))
    changed = replace(fitted.fill_impact, profile=Sides(steep, minus))
    calibration = replace(fitted, fill_impact=changed)
    section = toxicity_gauge(calibration, economics(calibration, fee_rate=FEE_RATE), FEE_RATE)
    rows = table_of(section)
    assert rows["optimal depth"][0] == "none (∞): b is 1 or more"
    assert float(rows["optimal depth"][1]) > 0
    assert rows["verdict"] == ["no measured depth pays", "pays"]
