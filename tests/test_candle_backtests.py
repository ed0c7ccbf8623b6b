"""Backtests by Freqtrade itself, in this process, on candles and a history that were made up."""

import json
import logging
import runpy
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from freqtrade.configuration import Configuration
from freqtrade.enums import RunMode
from freqtrade.exceptions import OperationalException
from freqtrade.optimize.backtesting import Backtesting
from freqtrade.persistence import LocalTrade
from freqtrade.resolvers import ExchangeResolver
from freqtrade.resolvers.hyperopt_resolver import HyperOptLossResolver

from advanced_mm.markets.recorded_candles import Bars
from advanced_mm.parameter_files import ParameterFiles
from advanced_mm.parameter_files.history import RECALIBRATED_FOLDER, CalibrationHistory

pytestmark = pytest.mark.filterwarnings("ignore::pandas.errors.Pandas4Warning")  # Freqtrade's

ROOT = Path(__file__).parents[1]
SCRIPT = runpy.run_path(str(ROOT / "scripts" / "recording_to_freqtrade.py"))
PAIR = "ETH/USDC:USDC"
START = datetime(2026, 11, 20, 10, tzinfo=UTC)
MINUTES = 16
MARKET = {
    "id": "0",
    "symbol": PAIR,
    "base": "ETH",
    "quote": "USDC",
    "settle": "USDC",
    "type": "swap",
    "spot": False,
    "swap": True,
    "future": False,
    "option": False,
    "active": True,
    "contract": True,
    "linear": True,
    "inverse": False,
    "taker": 0.00045,
    "maker": 0.00015,
    "contractSize": 1.0,
    "precision": {"amount": 0.0001, "price": 0.1},
    "limits": {
        "leverage": {"min": None, "max": 25},
        "amount": {"min": None, "max": None},
        "price": {"min": None, "max": None},
        "cost": {"min": 10.0, "max": None},
    },
    "info": {"name": "ETH", "szDecimals": 4, "maxLeverage": 25},
}
"""What ccxt makes of the venue's record of ETH."""


def seconds_of_a_market(minutes=MINUTES):
    """A mid that wanders in half ticks, with prints up to a few ticks around it in most seconds."""
    rng = np.random.default_rng(5)
    n = 60 * minutes
    mid = 3000.05 + np.round(np.cumsum(rng.normal(0.0, 0.25, n + 1)), 1)
    start, end = mid[:-1], mid[1:]
    reach = np.round(rng.exponential(0.4, (2, n)), 1) + 0.05
    lowest = np.where(rng.random(n) < 0.6, np.minimum(start, end) - reach[0], np.nan)
    highest = np.where(rng.random(n) < 0.6, np.maximum(start, end) + reach[1], np.nan)
    open_ms = round(START.timestamp() * 1000) + 1000 * np.arange(n)
    return Bars(1000, 0.1, open_ms, start, end, lowest, highest, np.ones(n))


def refits(make_set, minutes=MINUTES, shift=timedelta(0)):
    """A refit each 15 s: what a fill costs and how toxic it is changes from one to the next."""
    sets = []
    for k in range(4 * minutes):
        at = START + timedelta(seconds=15 * k) + shift
        epsilon = 0.25 + 0.5 * (k % 5)
        changes = {"epsilon_fill+": epsilon, "epsilon_fill-": epsilon}
        sets.append(make_set(published_at=at, fitted_at=at, calibration_id=f"c{k}", **changes))
    return sets


@pytest.fixture(scope="module")
def user_data(tmp_path_factory, make_set):
    """A folder with candles of both kinds and the history that belongs to them."""
    folder = tmp_path_factory.mktemp("user_data")
    for name in ("strategies", "hyperopts"):
        (folder / name).symlink_to(ROOT / "user_data" / name)
    seconds = seconds_of_a_market()
    for kind in ("touch", "through"):
        candles = SCRIPT["Folder"](folder / "data" / kind, kind, PAIR)
        SCRIPT["write"](candles, seconds, seconds.merged(60_000), 0.0)
        SCRIPT["tell"](candles, "ETH", Path("HL_data"), 0.0, added=MINUTES)
    history = CalibrationHistory(folder / RECALIBRATED_FOLDER)
    history.extend(refits(make_set))
    history.merge()
    return folder


@pytest.fixture
def backtest(user_data, tmp_path, monkeypatch):
    """Run one backtest and return its trades, the engine and the strategy."""

    def run(kind="touch", detail="1s", parameter_dir=None, tuned=None, **settings):
        overlay = tmp_path / "overlay.json"
        block = {"parameter_dir": str(parameter_dir or user_data), **settings}
        overlay.write_text(json.dumps({"market_making": block, "dry_run_wallet": 10000}))
        options = {
            "config": [str(ROOT / "user_data" / "config.json"), str(overlay)],
            "user_data_dir": str(user_data),
            "datadir": str(user_data / "data" / kind),
            "strategy": "Market_Making",
            "strategy_path": str(ROOT / "user_data" / "strategies"),
            "timeframe": "1m",
            "fee": 0.0,
            **({"timeframe_detail": detail} if detail else {}),
        }
        config = Configuration(options, RunMode.BACKTEST).get_config()
        config["candle_type_def"] = "futures"
        exchange = ExchangeResolver.load_exchange(config, validate=False)
        monkeypatch.setattr(exchange, "_markets", {PAIR: MARKET})
        engine = Backtesting(config, exchange)
        (strategy,) = engine.strategylist
        if tuned:
            start = strategy.ft_load_hyper_params

            def tune(hyperopt=False):
                start(hyperopt)
                for name, value in tuned.items():
                    getattr(strategy, name).value = value

            monkeypatch.setattr(strategy, "ft_load_hyper_params", tune)
        data, timerange = engine.load_bt_data()
        engine.backtest_one_strategy(strategy, data, timerange)
        result = engine.all_bt_content["Market_Making"]
        return SimpleNamespace(
            trades=result["results"], result=result, engine=engine, strategy=strategy, data=data,
            config=config,
        )  # fmt: skip

    yield run
    LocalTrade.reset_trades()
    Backtesting.cleanup()


@pytest.fixture(scope="module")
def kept():
    """Results that several tests look at."""
    return {}


@pytest.fixture
def usual(backtest, kept):
    """The trades on touch candles with a second's detail, and their loss."""
    if not kept:
        done = backtest()
        kept["trades"], kept["loss"] = done.trades, loss_of(done)
    return SimpleNamespace(**kept)


def loss_of(done):
    done.config["hyperopt_loss"] = "MarketMakingHyperOptLoss"
    loss = HyperOptLossResolver.load_hyperoptloss(done.config)
    return loss.hyperopt_loss_function(
        results=done.trades, trade_count=len(done.trades), min_date=START, max_date=START,
        config=done.config, processed=done.data, backtest_stats={}, starting_balance=10000.0,
    )  # fmt: skip


def parts_of(trades):
    return trades[["open_date", "open_rate", "close_date", "close_rate"]].to_numpy().tolist()


def entries_filled_ms(trades):
    orders = (trade_orders[0] for trade_orders in trades["orders"])
    return np.array([order["order_filled_timestamp"] for order in orders])


# ---- what Freqtrade makes of the candles


def test_a_quote_is_replaced_within_the_minute_but_only_one_is_entered(backtest):
    done = backtest()
    assert len(done.trades) >= 4
    assert done.trades["open_date"].dt.floor("min").is_unique
    filled_ms = entries_filled_ms(done.trades)
    assert (filled_ms % 60_000 != 0).any()
    # Else a quote that rests before it fills is a look into the future for lookahead-analysis.
    assert done.trades["open_date"].to_numpy("datetime64[ms]").astype(int).tolist() == list(
        filled_ms
    )
    assert done.result["replaced_entry_orders"] > 0
    assert done.result["timedout_entry_orders"] == done.result["timedout_exit_orders"] == 0
    # A position is offered from the candle after its entry on, as a bot would see it.
    assert (done.trades["close_date"].to_numpy("datetime64[ms]").astype(int) > filled_ms).all()


def test_without_detail_a_round_trip_takes_a_minute_at_least(backtest):
    trades = backtest(detail=None).trades
    assert len(trades) >= 3
    closed_ms = trades["close_date"].to_numpy("datetime64[ms]").astype(int)
    assert (closed_ms - entries_filled_ms(trades) >= 60_000).all()


def test_through_candles_fill_no_order_that_was_only_touched(backtest, usual):
    through = backtest("through").trades
    assert parts_of(through) != parts_of(usual.trades)
    seconds = seconds_of_a_market()
    lowest = dict(zip(seconds.open_ms.tolist(), seconds.lowest.tolist(), strict=True))
    for at, price in zip(entries_filled_ms(through), through["open_rate"], strict=True):
        assert lowest[at] <= price - 0.1 + 1e-6


# ---- parameters of their time


def test_what_is_published_later_changes_no_earlier_trade(backtest, usual, make_set, tmp_path):
    cut = START + timedelta(minutes=MINUTES / 2)
    changed = [
        one if one.kappa.published_at < cut else replace(
            one, epsilon=one.epsilon.model_copy(
                update={"epsilon_fill_plus": 0.1, "epsilon_fill_minus": 0.1}))
        for one in refits(make_set)
    ]  # fmt: skip
    CalibrationHistory(tmp_path / RECALIBRATED_FOLDER).extend(changed)
    others = backtest(parameter_dir=tmp_path).trades
    earlier = usual.trades[usual.trades["close_date"] < cut]
    assert len(earlier) >= 2
    assert parts_of(others[others["close_date"] < cut]) == parts_of(earlier)
    assert parts_of(others) != parts_of(usual.trades)


def test_without_history_it_refuses_and_names_the_command(backtest, tmp_path):
    with pytest.raises(OperationalException, match=r"recalibrate_recording\.py --crypto ETH"):
        backtest(parameter_dir=tmp_path)


def test_a_history_of_another_time_is_refused(backtest, make_set, tmp_path):
    history = CalibrationHistory(tmp_path / RECALIBRATED_FOLDER)
    history.extend(refits(make_set, shift=timedelta(days=2)))
    with pytest.raises(OperationalException, match="no parameters for the candles from 2026-11-20"):
        backtest(parameter_dir=tmp_path)


def test_fixed_parameters_are_used_only_when_told_to(backtest, make_set, tmp_path, caplog):
    now = datetime.now(UTC)
    ParameterFiles(tmp_path).publish({"ETH": make_set(published_at=now, fitted_at=now)})
    with pytest.raises(OperationalException, match="backtest_parameters to published"):
        backtest(parameter_dir=tmp_path)
    done = backtest(parameter_dir=tmp_path, backtest_parameters="published")
    assert len(done.trades)
    assert "parameters published last, which know the candles' future" in caplog.text


# ---- what is said


def test_start_and_end_say_what_candles_cannot_tell(backtest, caplog):
    caplog.set_level(logging.INFO)
    backtest("through")
    told = [record.getMessage() for record in caplog.records if record.name == "Market_Making"]
    first = "at most one entry a minute, fills orders whole, and knows no queue and no latency"
    assert sum(first in line for line in told) == 2
    assert first in told[-2]
    assert "on 'through' candles; a run on 'touch' ones shows" in told[-2]
    assert "python scripts/replay_backtest.py --crypto ETH --data-dir HL_data" in told[-1]
    shown = "16 of 16 candles have parameters published within 60 s"
    assert shown in caplog.text


def test_the_command_of_the_replay_names_the_configuration_in_order(backtest, tmp_path, caplog):
    """Freqtrade's list begins with the file that wins; the script's ends with it."""
    backtest()
    command = next(one for one in caplog.messages if "replay_backtest.py" in one)
    assert command.endswith(f"config.json {tmp_path / 'overlay.json'}")


# ---- hyperopt

SEARCHED = {
    "risk_aversion_scale": 10.0,
    "min_depth_bp": 6.0,
    "requote_loss_percent": 20.0,
    "toxicity_limit": 0.6,
    "min_edge_bp": 5.0,
}


@pytest.mark.parametrize("name", SEARCHED)
def test_trades_and_loss_change_with_each_parameter_that_is_searched(name, backtest, usual):
    done = backtest(tuned={name: SEARCHED[name]})
    assert parts_of(done.trades) != parts_of(usual.trades)
    assert loss_of(done) != pytest.approx(usual.loss, rel=1e-6)


def test_hyperopt_searches_no_other_parameter(backtest):
    strategy = backtest(detail=None).strategy
    assert {name for name, _ in strategy.enumerate_parameters()} == set(SEARCHED)
