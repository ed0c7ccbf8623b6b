"""The screener: ranks coins by income on the runner's windows and reports what is unknown."""

import io
import json
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rich.console import Console

from advanced_mm.calibration import calibrate
from advanced_mm.calibration.rolling import RollingWindow
from advanced_mm.calibration.runner import PeriodicRunner, RunnerOptions
from advanced_mm.calibration.toxicity import economics
from advanced_mm.errors import InputError
from advanced_mm.marketdata import ShardStore, Trades
from advanced_mm.parameter_files import ParameterFiles, Settings
from advanced_mm.report.screener import ScreenOptions, age_warnings, screen_coins, screen_table

FEE_RATE = 0.00015
SPREAD_BP = 0.1 / 3000 * 1e4  # one tick
DAY = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def screened(data_dir, minutes=30.0, longest=360.0, fee_rate=FEE_RATE, age=0.0) -> dict:
    screen = ScreenOptions(
        minutes, longest, fee_rate, stake=2000.0, quote_age_seconds=lambda _: age
    )
    rows = screen_coins(ShardStore(data_dir), screen, track=lambda coins: coins)
    return {row.coin: row for row in rows}


@pytest.fixture(scope="module")
def rows(data_dir):
    return screened(data_dir)


def test_coins_are_ranked_by_income_and_the_unknown_come_last(rows, data_dir):
    assert list(rows)[-1] == "THIN"
    incomes = [row.income_per_hour.value for row in rows.values()]
    assert incomes[:-1] == sorted(incomes[:-1], reverse=True)
    assert np.isnan(incomes[-1])
    good = rows["GOOD"]
    fitted = calibrate(ShardStore(data_dir).read("GOOD"), window_minutes=30)
    income = economics(fitted, fee_rate=FEE_RATE).income_per_hour
    for found, expected in (
        (good.income_per_hour.value, income.value),
        (good.income_per_hour.low, income.low),
        (good.income_per_hour.high, income.high),
    ):
        assert found == pytest.approx(expected * 2000 / fitted.mid)
    assert good.spread_bp == pytest.approx(SPREAD_BP, rel=0.02)
    assert good.volatility_bp == pytest.approx(3.33, rel=0.15)
    poison = fitted.fill_impact.epsilon_fill
    kappa = fitted.fill_curve.map(lambda side: side.kappa.value)
    worst = max(kappa.plus * poison.plus.value, kappa.minus * poison.minus.value)
    assert good.toxicity == pytest.approx(worst)
    assert good.coverage == pytest.approx(20 / 30, abs=0.001)


def test_verdicts_follow_from_the_income(rows, data_dir):
    assert rows["GOOD"].verdict == "pays"
    assert rows["THIN"].status == "insufficient"
    assert rows["THIN"].verdict.startswith("not enough data: ")
    dear = screened(data_dir, fee_rate=0.01)["GOOD"]
    assert dear.income_per_hour.value < 0
    assert dear.verdict == "no measured depth pays: do not quote at this fee"


def test_a_silent_channel_and_a_curve_that_does_not_fit_show_in_the_status(data_dir, monkeypatch):
    """Trades stop two minutes before the end, while bbo and book continue."""
    read = RollingWindow.update

    def deaf(rolling):
        found = read(rolling)
        kept = np.flatnonzero(found.trades.time_ms < found.newest_ms - 120_000)
        trades = Trades(*(column[kept] for column in vars(found.trades).values()))
        return replace(found, trades=trades)

    monkeypatch.setattr(RollingWindow, "update", deaf)
    monkeypatch.setattr(
        "advanced_mm.calibration.estimators.fill_curve._ks_critical_root_n", lambda *_: 1e-6
    )
    screen = ScreenOptions(30.0, 30.0, FEE_RATE, stake=2000.0)
    found = screen_coins(ShardStore(data_dir), screen, track=lambda coins: coins)
    good = next(row for row in found if row.coin == "GOOD")
    assert (good.status, good.silent) == ("stale", ("trades",))
    assert good.to_json()["silent"] == ["trades"]
    console = Console(file=io.StringIO(), width=300)
    console.print(screen_table(found, screen))
    assert "stale, silent: trades" in console.file.getvalue()
    monkeypatch.setattr(RollingWindow, "update", read)
    assert screened(data_dir)["GOOD"].status == "misfit"


def test_a_thin_coin_is_fitted_on_the_window_of_the_runner(data_dir, tmp_path):
    rare = screened(data_dir, minutes=5.0)["RARE"]
    assert rare.window_minutes > 20  # what the rates ask for, though no more was recorded
    assert rare.status != "insufficient"
    options = RunnerOptions(("RARE",), window_minutes=5.0, market_clock=True)
    files = ParameterFiles(tmp_path)
    PeriodicRunner(options, Settings(), ShardStore(data_dir), files).run_once()
    published = files.read("RARE").kappa
    assert published.window_seconds == rare.window_minutes * 60
    assert published.fitted_at == rare.fitted_at

    bounded = screened(data_dir, minutes=5.0, longest=5.0)["RARE"]
    assert bounded.window_minutes == 5
    assert bounded.status == "insufficient"
    assert not bounded.income_per_hour.usable


def test_crossed_quotes_have_no_spread(data_dir, tmp_path):
    """One quote in fifty is crossed by half the price: the mean over all would be negative."""
    shutil.copytree(data_dir / "GOOD", tmp_path / "GOOD")
    crossed = 0
    for path in (tmp_path / "GOOD" / "prices").glob("*.parquet"):
        table = pq.read_table(path)
        price = table["price"].to_numpy().copy()
        bids = np.flatnonzero(np.array(table["side"].to_pylist()) == "bid")
        price[bids[::50]] *= 1.5
        place = table.column_names.index("price")
        crossed += len(bids[::50])
        pq.write_table(table.set_column(place, table.schema.field("price"), pa.array(price)), path)
    assert crossed > 100
    assert screened(tmp_path)["GOOD"].spread_bp == pytest.approx(SPREAD_BP, rel=0.02)


def test_old_data_and_data_of_different_times_are_said(rows):
    def at(**ends):
        return [replace(rows["GOOD"], coin=coin, fitted_at=end) for coin, end in ends.items()]

    fresh = at(ETH=DAY, BTC=DAY - timedelta(minutes=29))
    assert list(age_warnings(fresh, DAY, 1800)) == []
    assert list(age_warnings([], DAY, 1800)) == []
    (old,) = age_warnings(fresh, DAY + timedelta(hours=3), 1800)
    assert old == "data too old for the bot to quote from: ETH 3 h, BTC 3 h old"
    days = at(ETH=DAY, BTC=DAY - timedelta(days=4), SOL=None)
    old, apart = age_warnings(days, DAY, 1800)
    assert old == "data too old for the bot to quote from: BTC 4 days old"
    assert apart == (
        "the coins' data end at different times, so their incomes are not comparable: BTC at "
        "2026-11-19 12:00, ETH at 2026-11-23 12:00 UTC, 4 days later"
    )


def test_the_script_prints_json_and_warns_beside_it(data_dir, run_script, monkeypatch):
    monkeypatch.setenv("FREQTRADE__MARKET_MAKING__MAX_DATA_AGE_SECONDS", "60")
    result = run_script("market_screener.py", "--data-dir", data_dir, "--json", "--stake", 2000)
    assert result.returncode == 0, result.stderr
    rows = {row["coin"]: row for row in json.loads(result.stdout)}
    assert set(rows) == {"GOOD", "DEEP", "RARE", "THIN"}
    assert rows["THIN"]["income_per_hour"] is None
    good = rows["GOOD"]
    assert good["window_minutes"] == 30
    newest_ms = ShardStore(data_dir).newest_ms("GOOD")
    assert datetime.fromisoformat(good["fitted_at"]) == datetime.fromtimestamp(newest_ms / 1e3, UTC)
    assert good["income_per_hour"] == pytest.approx(
        screened(data_dir, age=Settings().oldest_quote_seconds())["GOOD"].income_per_hour.value
    )
    assert "the coins' data end at different times" in result.stderr


def test_the_script_prints_a_table_with_the_windows_and_their_ends(
    data_dir, run_script, monkeypatch
):
    monkeypatch.setenv("FREQTRADE__MARKET_MAKING__MAX_DATA_AGE_SECONDS", "60")
    result = run_script("market_screener.py", "--data-dir", data_dir, "--time-range", 5)
    assert result.returncode == 0, result.stderr
    row = next(line for line in result.stdout.splitlines() if "RARE" in line)
    assert " of 80 min" in row
    assert "2026-09-21 14:33" in row
    assert "maker fee of 1.5 bp" in result.stdout
    assert "the coins' data end at different times" in result.stdout


@pytest.mark.parametrize("name", ["window_minutes", "max_window_minutes", "stake"])
@pytest.mark.parametrize("value", [np.nan, np.inf, 0.0, -1.0])
def test_windows_and_stake_are_positive_numbers(name, value):
    valid = {"window_minutes": 30.0, "max_window_minutes": 360.0, "stake": 1000.0}
    with pytest.raises(InputError):
        ScreenOptions(**(valid | {name: value}), fee_rate=FEE_RATE)


@pytest.mark.parametrize(
    "option", ["--time-range=nan", "--time-range=inf", "--max-time-range=nan", "--stake=inf"]
)
def test_a_number_that_is_none_is_one_sentence(data_dir, run_script, option):
    result = run_script("market_screener.py", "--data-dir", data_dir, option)
    assert result.returncode == 2
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) == 1
    assert result.stderr.startswith("error: ")
