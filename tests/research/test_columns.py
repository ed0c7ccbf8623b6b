"""What holds for every column: its value by the definition, no later row, no invented value."""

import time
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from advanced_mm.research import columns as module
from advanced_mm.research.columns import COLUMNS, STRATEGY_METRICS, columns
from tests.research.random_candles import GAP, candles_of, first, random_candles

PLAIN = {  # by the definition, from the candles' frame f, its predecessor b and earlier ones
    "returns": lambda f, b: f.close / b.close - 1,
    "log_returns": lambda f, b: np.log(f.close) - np.log(b.close),
    "true_range": lambda f, b: pd.concat(
        [f.high - f.low, (f.high - b.close).abs(), (f.low - b.close).abs()], axis=1
    ).max(axis=1, skipna=True).where(f.high.notna()),
    "vwap": lambda f, b: (f.quote_volume.cumsum() / f.volume.cumsum()),
    "trades_per_second": lambda f, b: f.trades,
    "avg_trade_size": lambda f, b: (f.volume / f.trades).where(f.trades > 0),
    "taker_buy_ratio": lambda f, b: (f.taker_buy_volume / f.volume).where(f.trades > 0),
    "taker_sell_ratio": lambda f, b: ((f.volume - f.taker_buy_volume) / f.volume),
    "order_flow_imbalance": lambda f, b: (f.taker_buy_volume - f.volume / 2) / f.volume,
    "hl_spread": lambda f, b: f.high - f.low,
    "hl_spread_bps": lambda f, b: (f.high - f.low) / f.close * 10_000,
    "price_change": lambda f, b: f.close - f.open,
    "price_change_bps": lambda f, b: (f.close / f.open - 1) * 10_000,
    "tick_direction": lambda f, b: (f.close > f.open) * 1.0 - (f.close < f.open) + 0 * f.close,
    "amihud_illiq": lambda f, b: ((f.close / b.close - 1).abs() / f.quote_volume).where(
        f.trades > 0
    ),
    "ba_bounce": lambda f, b: (f.close - f.quote_volume / f.volume).abs(),
    "inventory_drift": lambda f, b: (f.taker_buy_volume / f.volume - 0.5)
    .where(f.trades != 0, 0.0)
    .cumsum(),
    "theoretical_pnl": lambda f, b: (f.high - f.low) / 2 * f.trades,
    "theoretical_pnl_cumsum": lambda f, b: ((f.high - f.low) / 2 * f.trades).cumsum(),
}  # fmt: skip


def of_window(values, row, rows, figure, least=None):
    """A figure of the last rows, by slicing; NaN if too few of them are known."""
    part = values[max(0, row - rows + 1) : row + 1]
    part = part[~np.isnan(part)]
    least = int(np.ceil(0.9 * rows)) if least is None else least
    return figure(part) if len(part) >= least else np.nan


def mean(values):
    return values.sum() / len(values)


def deviation(values):
    return np.sqrt(((values - mean(values)) ** 2).sum() / (len(values) - 1))


def divided(above, below):
    return above / below if below else np.nan


WINDOWED = {  # by the definition: at a row, from the candles f and finished columns c
    "volatility": lambda f, c, t, w: of_window(c["returns"], t, w, deviation) * w**0.5,
    "atr": lambda f, c, t, w: of_window(c["true_range"], t, w, mean),
    "bb_upper": lambda f, c, t, w: of_window(
        f["close"], t, w, lambda x: mean(x) + 2 * deviation(x)
    ),
    "bb_lower": lambda f, c, t, w: of_window(
        f["close"], t, w, lambda x: mean(x) - 2 * deviation(x)
    ),
    "bb_width": lambda f, c, t, w: of_window(
        f["close"], t, w, lambda x: 4 * deviation(x) / mean(x)
    ),
    "vwap": lambda f, c, t, w: divided(
        of_window(f["quote_volume"], t, w, sum), of_window(f["volume"], t, w, sum)
    ),
    "volume_ma": lambda f, c, t, w: of_window(f["volume"], t, w, mean),
    "volume_ratio": lambda f, c, t, w: divided(f["volume"][t], of_window(f["volume"], t, w, mean)),
    "trades_ma": lambda f, c, t, w: of_window(f["trades"], t, w, mean),
    "reversal_rate": lambda f, c, t, w: of_window(np.abs(c["price_reversal"]), t, w, mean),
    "inventory_risk": lambda f, c, t, w: of_window(c["inventory_drift"], t, w, deviation),
    "optimal_spread": lambda f, c, t, w: np.maximum(
        of_window(c["returns"], t, w, deviation)
        * w**0.5
        * (1 + 2 * of_window(c["inventory_drift"], t, w, deviation)),
        0.01 / f["close"][t],
    ),
    "sharpe_ratio": lambda f, c, t, w: of_window(
        c["theoretical_pnl"], t, w, lambda x: mean(x) / deviation(x)
    ),
}
OF_300_S = {
    "amihud_illiq_ma": lambda f, c, t: (
        of_window(c["amihud_illiq"], t, 300, mean, least=1)
        + 0 * of_window(f["close"], t, 300, mean)
    ),
    "ba_bounce_ma": lambda f, c, t: (
        of_window(c["ba_bounce"], t, 300, mean, least=1) + 0 * of_window(f["close"], t, 300, mean)
    ),
    "vol_cluster": lambda f, c, t: (
        of_window(c["returns"], t, 60, deviation) / of_window(c["returns"], t, 300, deviation)
    ),
    "max_position_size": lambda f, c, t: (
        1 / (of_window(c["returns"], t, 300, deviation) * 300**0.5)
    ),
    "price_deviation_vwap": lambda f, c, t: (
        f["close"][t]
        / (of_window(f["quote_volume"], t, 300, sum) / of_window(f["volume"], t, 300, sum))
        - 1
    ),
    "adverse_selection_risk": lambda f, c, t: of_window(
        np.abs(c["price_deviation_vwap"]), t, 300, mean
    ),
}
ELSEWHERE = {  # in test_microstructure.py and test_making.py, by what they are for
    "price_reversal", "tick_runs", "roll_spread", "variance_ratio_2", "variance_ratio_5",
    "variance_ratio_10", "mm_opportunity_score",
}  # fmt: skip
WITH_WINDOW = [name for name, column in COLUMNS.items() if column.window_seconds]
ROWS = [0, 1, 53, 54, 55, 270, 810, *range(1_995, 2_400, 9), *range(3_270, 3_290), 4_500, 4_999]


@pytest.fixture(scope="module")
def candles():
    return random_candles()


@pytest.fixture(scope="module")
def report(candles):
    return columns(candles)


@pytest.fixture(scope="module")
def arrays(candles, report):
    """The candles' columns, and the report's."""
    return (
        {name: candles.frame[name].to_numpy() for name in candles.frame},
        {name: report[name].to_numpy() for name in report},
    )


def test_every_column_has_a_test_of_its_value():
    bases = {name.removesuffix(f"_{COLUMNS[name].window_seconds}s") for name in WITH_WINDOW}
    assert bases == WINDOWED.keys()
    tested = {*PLAIN, *OF_300_S, *ELSEWHERE, *WITH_WINDOW}
    assert tested == COLUMNS.keys()


@pytest.mark.parametrize("name", PLAIN)
def test_a_column_without_a_window_is_as_defined(candles, report, name):
    frame = candles.frame
    expected = PLAIN[name](frame, frame.shift(1))
    assert expected.notna().sum() > 2_000
    pd.testing.assert_series_equal(
        report[name], expected, check_names=False, check_freq=False, rtol=1e-11, atol=1e-13
    )


@pytest.mark.parametrize("name", WITH_WINDOW)
def test_a_column_over_a_window_is_as_defined(arrays, name):
    frame, done = arrays
    seconds = COLUMNS[name].window_seconds
    definition = WINDOWED[name.removesuffix(f"_{seconds}s")]
    expected = [definition(frame, done, row, seconds) for row in ROWS]
    assert 5 < np.isfinite(expected).sum() < len(ROWS)
    np.testing.assert_allclose(done[name][ROWS], expected, rtol=1e-9)


@pytest.mark.parametrize("name", OF_300_S)
def test_a_column_over_300_s_is_as_defined(arrays, name):
    frame, done = arrays
    expected = [OF_300_S[name](frame, done, row) for row in ROWS]
    assert 5 < np.isfinite(expected).sum() < len(ROWS)
    np.testing.assert_allclose(done[name][ROWS], expected, rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize("rows", [1, 2, 299, 700, 2_020, 4_500])
def test_no_row_depends_on_a_later_one(candles, report, rows):
    pd.testing.assert_frame_equal(
        columns(first(candles, rows)), report.iloc[:rows], check_exact=True, check_freq=False
    )


def test_a_second_that_nobody_observed_is_unknown(report):
    windowless = report.drop(columns=WITH_WINDOW).iloc[GAP]
    assert windowless.iloc[-1].isna().all()
    assert report["volatility_3600s"].iloc[GAP].isna().all()  # not yet full
    assert report["volatility_3600s"].iloc[4_000:].notna().all()  # 40 of 3600 are missing


def test_a_source_without_flows_leaves_what_needs_them_unknown():
    rng = np.random.default_rng(1)
    close = 100 + np.round(np.cumsum(rng.normal(size=6_000)), 2) * 0.01
    report = columns(candles_of(close=close, volume=rng.poisson(1.0, 6_000)))
    unknown = set(report.columns[report.isna().all()])
    assert unknown == {
        "trades_per_second", "avg_trade_size", "trades_ma_300s",
        "taker_buy_ratio", "taker_sell_ratio", "order_flow_imbalance",
        "inventory_drift", "inventory_risk_60s", "inventory_risk_300s",
        "optimal_spread_60s", "optimal_spread_300s", "mm_opportunity_score",
        "theoretical_pnl", "theoretical_pnl_cumsum", "sharpe_ratio_300s",
    }  # fmt: skip


def test_windows_are_seconds_whatever_the_candles():
    candles = random_candles(300, step_seconds=60)
    done = columns(candles)
    change = candles.frame["close"].pct_change(fill_method=None)
    assert done["volatility_300s"].iloc[50] == pytest.approx(change[46:51].std() * 5**0.5)
    assert done["trades_ma_300s"].iloc[50] == pytest.approx(
        candles.frame["trades"][46:51].mean() / 60
    )
    assert done["volatility_60s"].isna().all()  # one candle has no deviation
    assert done["volume_ma_60s"].equals(candles.frame["volume"].rename("volume_ma_60s"))
    odd = columns(random_candles(300, step_seconds=180))
    assert odd["volume_ma_300s"].isna().all()  # 1⅔ candles
    assert odd["volume_ma_3600s"].notna().any()


def test_some_columns_by_name(candles, report):
    names = ["sharpe_ratio_300s", "returns", "volatility_300s"]
    some = columns(candles, names)
    assert list(some) == names
    pd.testing.assert_frame_equal(some, report[names], check_exact=True)
    with pytest.raises(KeyError, match=r"not columns of the report: \['rsi'\]"):
        columns(candles, ["returns", "rsi"])


def test_each_column_is_computed_once_and_from_those_above(monkeypatch):
    computed = []

    def spied(name, column):
        def compute(market):
            computed.append(name)
            return column.compute(market)

        return replace(column, compute=compute)

    monkeypatch.setattr(module, "COLUMNS", {n: spied(n, c) for n, c in COLUMNS.items()})
    columns(random_candles(50))
    assert sorted(computed) == sorted(COLUMNS)


def test_many_rows_are_kept_as_float32(monkeypatch, candles, report):
    monkeypatch.setattr(module, "FLOAT32_ROWS", 4_999)
    small = columns(candles)
    assert set(small.dtypes) == {np.dtype(np.float32)}
    pd.testing.assert_frame_equal(small.astype(float), report, rtol=1e-6)


def test_every_column_is_explained():
    for name, column in COLUMNS.items():
        assert column.name == name
        assert column.meaning.endswith("."), name
        assert column.formula, name
        assert column.unit, name
        assert column.source, name
        assert "- " not in column.note[:2], name
    differing = {
        "volatility_60s": "not annualised",
        "vwap_300s": "not from the closes",
        "taker_buy_ratio": "Unknown in a candle without trades",
        "order_flow_imbalance": "−½",
        "inventory_drift": "half a unit a second",
        "roll_spread": "0 where the covariance is positive",
        "variance_ratio_2": "seconds for candles of a second",
        "hl_spread": "not a spread",
        "mm_opportunity_score": "last hour",
        "theoretical_pnl": "Nobody could have earned it",
        "optimal_spread_60s": "not their spread",
        "reversal_rate_300s": "absolute value",
        "max_position_size": "√300",
    }
    for name, words in differing.items():
        assert words in COLUMNS[name].note, name
    assert "Not an income" in COLUMNS["theoretical_pnl"].meaning
    assert set(STRATEGY_METRICS) - {"close", "volume"} <= COLUMNS.keys()


def test_a_day_of_seconds_takes_a_second_at_most():
    day = random_candles(86_400)
    started = time.process_time()
    columns(day)
    assert time.process_time() - started < 1.5
