"""Freqtrade settings that conflict with quoting are found in its merged configuration.

- the shipped configurations, with each overlay and in each run mode, break no rule;
- every rule is broken by a configuration that Freqtrade itself merged (files, environment, command
  line, the strategy's attributes and its parameter file), and causes a refusal or a warning;
- all findings come in one message, each with name, value, effect and remedy;
- the table in the documentation matches the rules.
"""

import json
import re
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from freqtrade.configuration import Configuration
from freqtrade.enums import RunMode
from freqtrade.exceptions import OperationalException
from freqtrade.resolvers import StrategyResolver

from advanced_mm.parameter_files import ParameterFiles, Settings
from advanced_mm.parameter_files.history import HISTORY_FOLDER, CalibrationHistory
from advanced_mm.quoting.settings_check.freqtrade_settings import (
    MODES,
    ConfiguredBot,
    find_contradictions,
    quoted_spread,
    told,
)
from advanced_mm.quoting.settings_check.settings_rules import RULES

ROOT = Path(__file__).parents[3]
USER_DATA = ROOT / "user_data"
LIMITS = {
    "entry": "limit", "exit": "limit", "stoploss": "market", "emergency_exit": "market",
    "force_exit": "market", "stoploss_on_exchange": False,
}  # fmt: skip
OTHER = {"price_side": "other", "use_order_book": True, "order_book_top": 1}
SECONDS = {"exit_timeout_count": 0, "unit": "seconds"}
LAYERED = {"inventory_mode": "layered", "q_max": 3, "compensate_drift": False}


@pytest.fixture(autouse=True)
def history(tmp_path, make_set):
    """Let a backtest start: it refuses to price candles without a history."""
    CalibrationHistory(tmp_path / HISTORY_FOLDER).append({"ETH": make_set()})


def load(
    tmp_path: Path,
    overlay: dict[str, Any] | None = None,
    mode: RunMode = RunMode.DRY_RUN,
    overlays: tuple[str, ...] = (),
    strategies: Path = USER_DATA / "strategies",
    **arguments: Any,
) -> Any:
    """Load the strategy as Freqtrade does, from files, environment and command line."""
    configs = [USER_DATA / "config.json", *(USER_DATA / f"config.{name}.json" for name in overlays)]
    changes = {"dry_run": mode is not RunMode.LIVE, **(overlay or {})}
    changes.setdefault("market_making", {}).setdefault("parameter_dir", str(tmp_path))
    configs.append(tmp_path / "overlay.json")
    configs[-1].write_text(json.dumps(changes))
    given = {
        "config": [str(path) for path in configs],
        "strategy": "Market_Making",
        "strategy_path": str(strategies),
        "user_data_dir": str(tmp_path / "user_data"),
        **arguments,
    }
    (tmp_path / "user_data").mkdir(exist_ok=True)
    trades = mode in (RunMode.LIVE, RunMode.DRY_RUN)
    config = Configuration(given, None if trades else mode).get_config()
    assert config["runmode"] is mode
    strategy = StrategyResolver.load_strategy(config)
    strategy.bot_start = lambda: None
    market = {"info": {"name": "ETH", "szDecimals": 4}, "precision": {"price": 0.1}}
    strategy.dp = SimpleNamespace(market=lambda pair: market)
    return strategy


def findings(strategy: Any, caplog: pytest.LogCaptureFixture) -> tuple[str, str]:
    """Return the refusals and the warnings logged at start."""
    caplog.clear()
    try:
        strategy.ft_bot_start()
    except OperationalException as error:
        refused, _, warned = str(error).partition("Also, as warnings:")
        return refused, warned
    return "", "\n".join(
        record.getMessage() for record in caplog.records if "hinder quoting" in record.getMessage()
    )


@pytest.mark.parametrize(
    "overlays",
    [
        *[(), ("paper",), ("live",), ("live", "testnet")],
        *[("live", "short"), ("paper", "short"), ("live", "long")],
    ],
)
@pytest.mark.parametrize(
    "mode", [RunMode.DRY_RUN, RunMode.LIVE, RunMode.BACKTEST, RunMode.HYPEROPT]
)
def test_what_is_shipped_breaks_no_rule(tmp_path, caplog, overlays, mode):
    extra = {"spaces": ["buy", "quoting"]} if mode is RunMode.HYPEROPT else {}
    strategy = load(tmp_path, {}, mode, overlays, fee=0.00015, **extra)
    strategy.wallets = SimpleNamespace(get_total_stake_amount=lambda: 9500.0)
    assert findings(strategy, caplog) == ("", "")


def test_several_units_are_held_without_another_setting(tmp_path, caplog):
    strategy = load(tmp_path, {"market_making": {**LAYERED}})
    assert findings(strategy, caplog) == ("", "")
    assert strategy.config["position_adjustment_enable"] is True
    assert strategy.max_entry_position_adjustment == -1


def test_a_unit_is_the_share_of_the_stake_that_it_is_set_to(tmp_path, caplog):
    for overlay in ({"stake_amount": 90}, {"dry_run_wallet": 90}):
        fine = load(tmp_path, overlay)
        assert findings(fine, caplog) == ("", "")
        small = load(tmp_path, {**overlay, "market_making": {**LAYERED}})
        assert re.search(r"units of (30|28)\.\d\d, minimum", findings(small, caplog)[0])


BROKEN: list[tuple[str, bool, dict[str, Any]]] = [
    ("unfilledtimeout.exit_timeout_count", True, {"unfilledtimeout": {"exit_timeout_count": 1}}),
    ("unfilledtimeout.entry, .exit", True, {"unfilledtimeout": {"exit": 2, **SECONDS}}),
    ("unfilledtimeout.entry, .exit", False, {"unfilledtimeout": {"entry": 5, **SECONDS}}),
    ("order_types.entry", True,
     {"order_types": {**LIMITS, "entry": "market"}, "entry_pricing": OTHER}),
    ("order_types.exit", True,
     {"order_types": {**LIMITS, "exit": "market"}, "exit_pricing": OTHER}),
    ("order_types.stoploss", True, {"order_types": {**LIMITS, "stoploss": "limit"}}),
    ("order_types.emergency_exit", False, {"order_types": {**LIMITS, "emergency_exit": "limit"}}),
    ("order_types.force_exit", False, {"order_types": {**LIMITS, "force_exit": "limit"}}),
    ("order_types.stoploss_on_exchange", False,
     {"order_types": {**LIMITS, "stoploss_on_exchange": True}}),
    ("stoploss", True, {"stoploss": -0.001}),
    ("stoploss", False, {"stoploss": -0.005}),
    ("trailing_stop", True, {"trailing_stop": True, "trailing_stop_positive": 0.001}),
    ("trailing_stop", False, {"trailing_stop": True}),
    ("use_custom_stoploss", False, {"use_custom_stoploss": True}),
    ("minimal_roi", True, {"minimal_roi": {"0": 0.04, "60": 0}}),
    ("minimal_roi", False, {"minimal_roi": {"0": 0.005}}),
    ("use_exit_signal", True, {"use_exit_signal": False}),
    ("liquidation_buffer", False, {"liquidation_buffer": 0.97}),
    ("stake_amount", True, {"stake_amount": 20}),
    ("max_open_trades", True, {"max_open_trades": 10, "dry_run_wallet": 200}),
    ("max_open_trades", False,
     {"exchange": {"pair_whitelist": ["ETH/USDC:USDC", "BTC/USDC:USDC"]}}),
    ("amend_last_stake_amount", False, {"stake_amount": 50, "amend_last_stake_amount": True}),
    ("cancel_open_orders_on_exit", False, {"cancel_open_orders_on_exit": False}),
    ("custom_price_max_distance_ratio", True, {"custom_price_max_distance_ratio": 0.001}),
    ("custom_price_max_distance_ratio", False, {"custom_price_max_distance_ratio": 0.02}),
    ("internals.process_throttle_secs", True,
     {"internals": {"process_throttle_secs": 7}, "unfilledtimeout": {"entry": 600, "exit": 600}}),
    ("internals.process_throttle_secs", False, {"internals": {"process_throttle_secs": 5}}),
    ("exchange.ccxt_config.rateLimit", False, {"exchange": {"ccxt_config": {"rateLimit": 1000}}}),
    ("exchange.ccxt_config.options.builderFee", False,
     {"exchange": {"ccxt_config": {"options": {"builderFee": True}}}}),
    ("entry_pricing.check_depth_of_market", False,
     {"entry_pricing": {"check_depth_of_market": {"enabled": True, "bids_to_ask_delta": 1.2}}}),
    ("entry_pricing.use_order_book, exit_pricing.use_order_book", False,
     {"exit_pricing": {"use_order_book": False}}),
    ("exit_pricing.order_book_top", False, {"exit_pricing": {"order_book_top": 3}}),
    ("position_adjustment_enable", True,
     {"position_adjustment_enable": False, "market_making": {**LAYERED}}),
    ("position_adjustment_enable", False, {"position_adjustment_enable": True}),
    ("max_entry_position_adjustment", True,
     {"max_entry_position_adjustment": 3, "market_making": {**LAYERED}}),
    ("market_making.compensate_drift", False,
     {"market_making": {**LAYERED, "compensate_drift": True}}),
    ("exchange.name", True, {"exchange": {"name": "bybit"}}),
    ("trading_mode", True, {"trading_mode": "spot", "margin_mode": ""}),
    ("margin_mode", False, {"margin_mode": "cross"}),
    ("pairlists", False, {"pairlists": [{"method": "VolumePairList", "number_assets": 5}]}),
    ("exchange.pair_whitelist", False, {"exchange": {"pair_whitelist": [".*/USDC:USDC"]}}),
    ("timeframe", False, {"timeframe": "5m"}),
    ("ignore_buying_expired_candle_after", False, {"ignore_buying_expired_candle_after": 10}),
    ("fee", False, {"fee": 0.0005}),
]  # fmt: skip
"""Setting, whether a dry run refuses it, and a configuration with it."""


@pytest.mark.parametrize(("setting", "refused", "overlay"), BROKEN)
def test_each_rule_is_found_in_the_configuration_freqtrade_merges(
    tmp_path, caplog, setting, refused, overlay
):
    refusals, warnings = findings(load(tmp_path, overlay), caplog)
    (sentence,) = re.findall(rf"^- {re.escape(setting)} = .*$", refusals + warnings, re.MULTILINE)
    assert sentence in (refusals if refused else warnings)
    (rule,) = (
        rule
        for rule in RULES
        if rule.setting == setting and f": {rule.happens}; {rule.remedy}." in sentence
    )
    assert ("dry_run" in rule.refused_in) is refused
    assert (refusals + warnings).count("\n- ") == 1  # and nothing else


@pytest.mark.parametrize(
    ("setting", "mode", "refused", "overlay", "arguments"),
    [
        ("position_stacking", RunMode.BACKTEST, True, {}, {"position_stacking": True}),
        ("position_stacking", RunMode.HYPEROPT, True, {},
         {"position_stacking": True, "spaces": ["buy", "quoting"]}),
        ("position_stacking", RunMode.DRY_RUN, False, {"position_stacking": True}, {}),
        ("spaces", RunMode.HYPEROPT, False, {}, {"spaces": ["buy", "quoting", "roi", "stoploss"]}),
        ("fee", RunMode.BACKTEST, False, {}, {"fee": 0.0}),
        ("cancel_open_orders_on_exit", RunMode.LIVE, True,
         {"cancel_open_orders_on_exit": False}, {}),
        ("exchange.ccxt_config.options.builderFee", RunMode.LIVE, True,
         {"exchange": {"ccxt_config": {"options": {"builderFee": None}}}}, {}),
        ("max_open_trades", RunMode.LIVE, False, {"max_open_trades": 1000}, {}),
        ("max_open_trades", RunMode.BACKTEST, True, {}, {"max_open_trades": 1000}),
        ("unfilledtimeout.exit_timeout_count", RunMode.LIVE, True,
         {"unfilledtimeout": {"exit_timeout_count": 3}}, {}),
        ("unfilledtimeout.exit_timeout_count", RunMode.BACKTEST, True,
         {"unfilledtimeout": {"exit_timeout_count": 3}}, {}),
        ("use_exit_signal", RunMode.BACKTEST, True, {"use_exit_signal": False}, {}),
        ("stake_amount", RunMode.BACKTEST, True, {}, {"stake_amount": "20"}),
    ],
)  # fmt: skip
def test_rules_of_other_run_modes_and_of_the_command_line(
    tmp_path, caplog, setting, mode, refused, overlay, arguments
):
    strategy = load(tmp_path, overlay, mode, **arguments)
    strategy.wallets = SimpleNamespace(get_total_stake_amount=lambda: 9500.0)
    refusals, warnings = findings(strategy, caplog)
    assert f"- {setting} = " in (refusals if refused else warnings)
    assert (refusals + warnings).count("\n- ") == 1


def test_every_rule_is_exercised():
    tried = {(setting, refused) for setting, refused, _ in BROKEN}
    tried |= {("position_stacking", False), ("spaces", False)}
    assert {(rule.setting, "dry_run" in rule.refused_in) for rule in RULES} == tried
    assert len({(rule.setting, rule.happens) for rule in RULES}) == len(RULES)


def test_the_environment_and_the_strategys_parameter_file_are_judged_too(
    tmp_path, caplog, monkeypatch
):
    monkeypatch.setenv("FREQTRADE__UNFILLEDTIMEOUT__EXIT_TIMEOUT_COUNT", "2")
    strategies = tmp_path / "strategies"
    strategies.mkdir()
    shutil.copy(USER_DATA / "strategies" / "Market_Making.py", strategies)
    found = {"stoploss": {"stoploss": -0.0011}, "roi": {"0": 0.001}}
    (strategies / "Market_Making.json").write_text(
        json.dumps({"strategy_name": "Market_Making", "params": found})
    )
    refusals, _ = findings(load(tmp_path, strategies=strategies), caplog)
    assert "- unfilledtimeout.exit_timeout_count = 2: " in refusals
    assert "- stoploss = -0.0011 (bid and ask quotes are 0.10% apart, fees" in refusals
    assert "- minimal_roi = " in refusals


def test_all_findings_come_in_one_message_the_refused_first(tmp_path, caplog):
    overlay = {
        "unfilledtimeout": {"exit_timeout_count": 1},
        "stoploss": -0.001,
        "timeframe": "5m",
        "margin_mode": "cross",
    }
    strategy = load(tmp_path, overlay)
    with pytest.raises(OperationalException) as raised:
        strategy.ft_bot_start()
    lines = str(raised.value).splitlines()
    assert "the bot does not start" in lines[0]
    assert [line.split(" = ")[0] for line in lines[1:]] == [
        "- unfilledtimeout.exit_timeout_count", "- stoploss", "Also, as warnings:",
        "- margin_mode", "- timeframe",
    ]  # fmt: skip


def test_harmless_settings_are_not_reported(tmp_path, caplog):
    overlay = {
        "exit_profit_only": True, "ignore_roi_if_entry_signal": True, "minimal_roi": {"0": 0.0},
        "process_only_new_candles": False,
        "disable_dataframe_checks": True, "force_entry_enable": True, "reduce_df_footprint": True,
        "entry_pricing": {"price_side": "other"}, "exit_pricing": {"price_side": "other"},
    }  # fmt: skip
    assert findings(load(tmp_path, overlay), caplog) == ("", "")


def test_the_spread_is_that_of_the_published_parameters(tmp_path, caplog, make_set):
    """A stop of 1% is fine for quotes 0.1% apart, but too close for wide ones."""
    kappa = {"kappa_plus": 0.1, "kappa_minus": 0.1, "mid": 3000.0}
    wide = make_set()
    wide = type(wide)(
        wide.coin, wide.kappa.model_copy(update=kappa), wide.epsilon, wide.lambda_, ()
    )
    spread = quoted_spread(wide, 0.00015)
    assert spread is not None
    assert 20 / 3000 < spread < 23 / 3000
    unknown = wide.kappa.model_copy(update={"mid": None})
    assert quoted_spread(type(wide)("ETH", unknown, wide.epsilon, wide.lambda_, ()), 0.0) is None
    refused, warned = findings(load(tmp_path, {"stoploss": -0.01}), caplog)
    assert (refused, warned) == ("", "")
    ParameterFiles(tmp_path).publish({"ETH": wide})
    refused, _ = findings(load(tmp_path, {"stoploss": -0.01}), caplog)
    assert f"- stoploss = -0.01 (bid and ask quotes are {spread:.2%} apart" in refused


def test_other_run_modes_are_not_checked(tmp_path, caplog):
    """Lists and plots load the strategy too, but do not trade."""
    strategy = load(tmp_path, {"unfilledtimeout": {"exit_timeout_count": 1}}, RunMode.PLOT)
    assert findings(strategy, caplog) == ("", "")


@pytest.mark.parametrize("mode", sorted(MODES))
def test_an_empty_configuration_is_judged_by_freqtrades_defaults(mode):
    bot = ConfiguredBot({"runmode": mode}, Settings(), mode)
    found = find_contradictions(bot, RULES)
    assert {"trading_mode"} <= {one.rule.setting for one in found}
    assert told(found).startswith("Freqtrade settings conflict with quoting")
    assert told([]) == ""


def rows_of_the_table() -> list[tuple[str, ...]]:
    text = (ROOT / "docs" / "freqtrade_settings.md").read_text(encoding="utf-8")
    table = text.partition("| setting | effect |")[2].partition("\n\n")[0]
    return [
        tuple(cell.strip() for cell in line.strip("|").split(" | "))
        for line in table.splitlines()[2:]
    ]


def test_the_table_in_the_documentation_matches_the_rules():
    assert rows_of_the_table() == [
        (f"`{rule.setting}`", rule.happens, rule.verdict, rule.remedy) for rule in RULES
    ]
