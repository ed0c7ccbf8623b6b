"""Hyperopt's objective replays the recording of the candles with the epoch's parameters."""

import json
import runpy
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
from freqtrade.configuration import Configuration
from freqtrade.enums import RunMode, TradingMode
from freqtrade.exceptions import OperationalException
from freqtrade.optimize.backtesting import Backtesting
from freqtrade.optimize.hyperopt.hyperopt_optimizer import MAX_LOSS
from freqtrade.optimize.hyperopt.hyperopt_optimizer import HyperOptimizer as FreqtradesOptimizer
from freqtrade.persistence import LocalTrade
from freqtrade.resolvers import ExchangeResolver, StrategyResolver
from freqtrade.resolvers.hyperopt_resolver import HyperOptLossResolver

from advanced_mm.markets.candle_notes import CandleNotes, PairNotes
from advanced_mm.parameter_files.history import RECALIBRATED_FOLDER
from tests.replay.recordings import START_MS
from tests.test_candle_backtests import MARKET

pytestmark = pytest.mark.filterwarnings("ignore::pandas.errors.Pandas4Warning")  # Freqtrade's

ROOT = Path(__file__).parents[3]
PAIR = "ETH/USDC:USDC"
EAGER = {"min_edge_bp": -5.0, "toxicity_limit": 4.0, "window_minutes": 10.0,
         "max_window_minutes": 10.0, "fee_rate": 0.0}  # fmt: skip


@pytest.fixture
def epoch(recorded, tmp_path):
    """Evaluates the loss as Freqtrade's HyperOptimizer does, with given parameters."""
    (tmp_path / RECALIBRATED_FOLDER).symlink_to(recorded / "history")
    (tmp_path / "hyperopts").symlink_to(ROOT / "user_data" / "hyperopts")
    notes = PairNotes("ETH", str(recorded / "data"), "", "", 50, 0.0)
    CandleNotes("touch", {PAIR: notes}).write(tmp_path)
    config = {
        "strategy": "Market_Making",
        "strategy_path": str(ROOT / "user_data" / "strategies"),
        "hyperopt_loss": "TickReplayHyperOptLoss",
        "user_data_dir": tmp_path,
        "datadir": tmp_path,
        "runmode": RunMode.HYPEROPT,
        "timeframe": "1m",
        "spaces": ["buy", "quoting"],
        "stake_currency": "USDC",
        "trading_mode": TradingMode.FUTURES,
        "exchange": {"name": "hyperliquid"},
        "market_making": EAGER,
    }
    optimizer = HyperOptimizer(config)

    def run(**values):
        for name, value in values.items():
            getattr(optimizer.backtesting.strategy, name).value = value
        return optimizer.generate_optimizer()

    run.config = config
    run.optimizer = optimizer
    return run


class HyperOptimizer:
    """What the loss sees of Freqtrade's: its attributes, and that it is the caller."""

    def __init__(self, config):
        self.config = config
        self.backtesting = SimpleNamespace(strategy=StrategyResolver.load_strategy(config))
        self.backtesting.strategy.ft_load_hyper_params(hyperopt=True)
        loss = HyperOptLossResolver.load_hyperoptloss(config)
        self.calculate_loss = loss.hyperopt_loss_function

    def generate_optimizer(self):
        start, end = (
            datetime.fromtimestamp(START_MS / 1000 + 60 * minute, UTC) for minute in (12, 48)
        )
        return self.calculate_loss(
            results=pd.DataFrame({"stake_amount": [1000.0, 1000.0, 900.0]}),
            trade_count=3, min_date=start, max_date=end, config=self.config,
            processed={PAIR: pd.DataFrame()}, backtest_stats={}, starting_balance=10000.0,
        )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("risk_aversion_scale", 10.0),
        ("min_depth_bp", 4.0),
        ("requote_loss_percent", 20.0),
        ("toxicity_limit", 0.5),
        ("min_edge_bp", 4.0),
    ],
)
def test_the_loss_changes_with_each_parameter_that_is_searched(epoch, name, value):
    before = epoch()
    assert name in dict(epoch.optimizer.backtesting.strategy.enumerate_parameters())
    assert epoch(**{name: value}) != pytest.approx(before, rel=1e-3)


def test_all_parameters_that_are_searched_are_in_that_test(epoch):
    (mark,) = test_the_loss_changes_with_each_parameter_that_is_searched.pytestmark
    tested = {name for name, _ in mark.args[1]}
    assert set(dict(epoch.optimizer.backtesting.strategy.enumerate_parameters())) == tested


def test_the_loss_is_income_less_risk_in_percent_of_the_balance(epoch):
    script = runpy.run_path(str(ROOT / "user_data" / "hyperopts" / "TickReplayHyperOptLoss.py"))
    strategy, config = epoch.optimizer.backtesting.strategy, epoch.config
    start, end = (datetime.fromtimestamp(START_MS / 1000 + 60 * minute, UTC) for minute in (12, 48))
    outcome = script["replayed"](config, strategy, PAIR, 1000.0, start, end)
    assert outcome.fills > 30
    assert outcome.hours == pytest.approx(37 / 60, rel=0.01)
    assert outcome.drawdown > 0 < outcome.inventory_risk
    earned = outcome.net.sum() - outcome.inventory_risk - outcome.drawdown
    assert epoch() == pytest.approx(-earned / 100)


def test_nothing_quoted_is_no_loss(epoch):
    assert str(epoch(min_edge_bp=100.0)) == "0.0"  # and not -0.0, which Freqtrade would print


def test_candles_that_were_not_made_from_a_recording_are_refused(epoch, tmp_path):
    (tmp_path / "recording.json").unlink()
    with pytest.raises(OperationalException, match=r"names no recording of ETH/USDC:USDC; make"):
        epoch()


def test_a_recording_without_refits_is_refused_with_the_command(epoch, tmp_path):
    (tmp_path / RECALIBRATED_FOLDER).unlink()
    with pytest.raises(OperationalException, match=r"recalibrate_recording\.py"):
        epoch()


def test_a_caller_without_a_strategy_is_named(epoch):
    script = runpy.run_path(str(ROOT / "user_data" / "hyperopts" / "TickReplayHyperOptLoss.py"))
    with pytest.raises(OperationalException, match="the epoch's parameters are not known"):
        script["strategy_of_caller"]()
    self = SimpleNamespace(backtesting=SimpleNamespace(strategy="SampleStrategy"))
    with pytest.raises(OperationalException, match="needs the strategy Market_Making, not Sample"):
        script["strategy_of_caller"]()
    assert self


def test_freqtrade_s_own_hyperopt_evaluates_an_epoch_with_it(recorded, tmp_path, monkeypatch):
    candles = runpy.run_path(str(ROOT / "scripts" / "recording_to_freqtrade.py"))["main"]
    candles([
        "--crypto", "ETH", "--data-dir", str(recorded / "data"), "--out", str(tmp_path / "data"),
        "--kind", "touch",
    ])  # fmt: skip
    (tmp_path / RECALIBRATED_FOLDER).symlink_to(recorded / "history")
    (tmp_path / "hyperopts").symlink_to(ROOT / "user_data" / "hyperopts")
    overlay = tmp_path / "overlay.json"
    overlay.write_text(json.dumps({"market_making": EAGER | {"parameter_dir": str(tmp_path)}}))
    options = {
        "config": [str(ROOT / "user_data" / "config.json"), str(overlay)],
        "user_data_dir": str(tmp_path),
        "datadir": str(tmp_path / "data" / "touch"),
        "strategy": "Market_Making",
        "strategy_path": str(ROOT / "user_data" / "strategies"),
        "hyperopt_loss": "TickReplayHyperOptLoss",
        "timeframe": "1m",
        "spaces": ["buy", "quoting"],
        "epochs": 1,
        "hyperopt_min_trades": 1,
        "fee": 0.0,
    }
    config = Configuration(options, RunMode.HYPEROPT).get_config()
    config["candle_type_def"] = "futures"
    exchange = ExchangeResolver.load_exchange(config, validate=False)
    monkeypatch.setattr(exchange, "_markets", {PAIR: MARKET})
    monkeypatch.setattr(ExchangeResolver, "load_exchange", lambda *_, **__: exchange)
    optimizer = FreqtradesOptimizer(config, tmp_path / "candles.pkl")
    try:
        optimizer.prepare_hyperopt()
        losses = [
            optimizer.generate_optimizer({
                "risk_aversion_scale": 1.0, "min_depth_bp": depth, "requote_loss_percent": 5.0,
                "toxicity_limit": 4.0, "min_edge_bp": -5.0,
            })["loss"]
            for depth in (0.0, 4.0)
        ]  # fmt: skip
    finally:
        LocalTrade.reset_trades()
        Backtesting.cleanup()
    assert MAX_LOSS not in losses
    assert losses[0] != losses[1]
