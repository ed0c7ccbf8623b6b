"""Each command of README, documentation and commands.txt is run by a test, or listed with its need.

``SCRATCH`` commands are run here as they are written, in a copy of the project beside a loopback
venue; ``SHORTER`` ones too, but for a moment; ``ELSEWHERE`` names the test that runs a command.
"""

import ast
import contextlib
import importlib
import io
import json
import os
import re
import runpy
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import pytest
import requests

from advanced_mm.errors import InputError
from tests.performance.journals import a_round_trip_of_freqtrade, session

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
PORT = "8792"  # of the loopback venue in the documentation

PAPER = "--config user_data/config.json --config user_data/config.paper.json"
LIVE = "--config user_data/config.json --config user_data/config.live.json"

SCRATCH = [
    "python scripts/periodic_test_runner.py --once --market-clock --crypto ETH "
    "--data-dir user_data/paper/HL_data --config user_data/config.json user_data/config.paper.json",
    "python scripts/periodic_test_runner.py --crypto ETH --once",
    "python scripts/health_check.py",
    "python scripts/health_check.py --crypto ETH",
    "python scripts/test_kappa.py --crypto ETH --time-range 60",
    "python scripts/test_kappa.py --crypto ETH --time-range 60 --json",
    "python scripts/test_kappa.py --crypto ETH --time-range 60 --plot kappa.png",
    "python scripts/test_epsilon.py --crypto ETH --json",
    "python scripts/test_epsilon.py --crypto ETH --time-range 60 --plot epsilon.png",
    "python scripts/test_epsilon.py --crypto ETH --time-range 60 --verbose",
    "python scripts/calibration_report.py --crypto ETH",
    "python scripts/market_screener.py",
    "python scripts/market_screener.py --json",
    "python scripts/market_research.py --recording scripts/HL_data "
    "--html user_data/plot/research.html",
    "python scripts/market_research.py --recording scripts/HL_data --coin ETH --csv --json",
    "python docs/tools/pictures.py research",
    "python scripts/performance_report.py",
    "python scripts/performance_report.py --html user_data/plot/performance.html",
    "python scripts/performance_report.py --coin ETH --since 2025-11-01 --json",
    "python scripts/performance_report.py --compare long_bot short_bot",
    "python scripts/performance_report.py --break-even --monthly-cost server=20",
    "python scripts/performance_report.py --db tradesv3.sqlite",
    "python scripts/hyperliquid_data_collector.py --check scripts/HL_data",
    "python scripts/query_recordings.py "
    '"select coin, count(*) as trades, sum(price * size) as usd from trades group by coin"',
    'python scripts/query_recordings.py "describe trades"',
    "python scripts/query_recordings.py "
    '"select * from trades order by time desc limit 5" --crypto ETH',
    "python scripts/compact_recordings.py",
    "python scripts/compact_recordings.py --data-dir scripts/HL_data --older-than-hours 24",
    "python benchmarks/fill_slope.py",
    "python docs/tools/settings_table.py",
    "python docs/tools/maker_file.py",
    "python docs/tools/monitoring.py",
    "python docs/tools/pictures.py mistakes",
    "python docs/tools/pictures.py report --crypto ETH",
    "python docs/tools/pictures.py performance",
    "python examples/solve_and_print.py",
    "python examples/fit_and_plot.py",
    "mkdir -p user_data/short",
    'python -c "import secrets; print(secrets.token_urlsafe())" > user_data/dashboard.token',
    f"curl http://127.0.0.1:{PORT}/admin/state",
    f"curl -X POST http://127.0.0.1:{PORT}/admin/faults "
    """-d '{"kind":"dropped_reply","requests":["order"],"count":1}'""",
    f"curl -X POST http://127.0.0.1:{PORT}/admin/faults "
    """-d '{"kind":"latency","distribution":"exponential","milliseconds":200,"seconds":60}'""",
    f"curl -X POST http://127.0.0.1:{PORT}/admin/faults "
    """-d '{"kind":"dropped_messages","channels":["trades"],"coins":["ETH"],"seconds":120}'""",
    f"curl -X POST http://127.0.0.1:{PORT}/admin/price_gap "
    """-d '{"coin":"ETH","percent":-5}'""",
    "ls scripts/HL_data/ETH/trades",
    "make help",
]
ON_TOUCH = f"--strategy Market_Making {PAPER} --datadir user_data/data/touch --timeframe 1m"
A_RANGE = "20261128T1200-20261128T1300"
ON_THROUGH = ON_TOUCH.replace("touch", "through")
PREPARATION = [
    "python scripts/recalibrate_recording.py --market-clock --crypto ETH "
    "--data-dir user_data/paper/HL_data --config user_data/config.json user_data/config.paper.json",
    "python scripts/recording_to_freqtrade.py --crypto ETH --data-dir user_data/paper/HL_data",
]
BACKTESTS = [
    f"freqtrade download-data {PAPER} --timeframes 1m --days 3",
    f"freqtrade backtesting {ON_TOUCH} --timeframe-detail 1s --fee 0.00015",
    f"freqtrade lookahead-analysis {ON_TOUCH} --timerange 20260101- --fee 0.00015 "
    "--minimum-trade-amount 3 --targeted-trade-amount 3",
    f"freqtrade recursive-analysis {ON_TOUCH} --timerange {A_RANGE}",
    f"freqtrade hyperopt {ON_TOUCH} --timeframe-detail 1s "
    "--hyperopt-loss MarketMakingHyperOptLoss --spaces buy quoting --min-trades 5 -e 10 -j 2 "
    "--fee 0.00015",
    "freqtrade hyperopt-show --best -n -1 --config user_data/config.json",
    f"freqtrade backtesting {ON_THROUGH} --timeframe-detail 1s --fee 0.00015",
]
IN_TURN = """
import json, shlex, sys
from pathlib import Path
from freqtrade.main import main

def run(command):
    try:
        main(shlex.split(command)[1:])
    except SystemExit as end:
        return end.code

def found_one():
    results = Path("user_data/hyperopt_results").glob("*.fthypt")
    return any('"is_best":true' in file.read_text() for file in results)

for command in json.loads(sys.argv[1]):
    code = run(command)
    tries = 10 if command.startswith("freqtrade hyperopt ") else 0
    while tries and not found_one():
        code, tries = run(command), tries - 1
    print("\\nended", command, code, flush=True)
"""
"""Runs Freqtrade's commands in one process: starting it takes longer than most of them.

Of ten random epochs on half an hour it can be that none trades five times: it is tried again then.
"""
VENUE = (
    f"python scripts/paper_exchange.py --synthetic --coin ETH --port {PORT} "
    "--history-dir user_data/paper/HL_data"
)
TRADE_WITH_CCXT = "python examples/trade_with_ccxt.py"

# The arguments that let a benchmark run for a moment.
SHORTER = {
    "calibration": ["--seeds", "2", "--workers", "1"],
    "runner": ["--coins", "1", "--rounds", "2", "--minutes", "5"],
    "venue": ["--coins", "2", "--rate", "20", "--seconds", "1"],
    "journal": ["--quick", "--hours", "1", "--events", "20"],
}
SESSIONS = {
    "make paper REPLAY=scripts/HL_data COIN=ETH": "make paper REPLAY=scripts/HL_data COIN=ETH",
    "make paper SCENARIO=tests/scenarios/toxic_flow.yaml": "make paper "
    "SCENARIO=tests/scenarios/toxic_flow.yaml",
}

MAKER = "python scripts/market_maker.py --config user_data/makers/eth_hyperliquid.yaml"
NEW_MAKER = "python scripts/init_maker.py --loopback --defaults"
FIRST_MAKER = [
    NEW_MAKER,
    f"{MAKER} --check",
    MAKER,
    "python scripts/performance_report.py --journal user_data/journal/eth_hyperliquid_dry",
]
SWEEP_TESTS = "tests/replay/sweeps"
METRICS_TESTS = "tests/metrics"
DOCTOR_TESTS = "tests/doctor"
PAGE_TESTS = "tests/dashboard"
REPLAY_TESTS = "tests/replay/test_backtest.py"
VENUE_TESTS = "tests/venue/server/test_paper_exchange.py"
PAIR_OF_KEYS = (
    'python -c "from eth_account import Account; a = Account.create(); '
    "print(f'export HYPERLIQUID_WALLET_ADDRESS={a.address} "
    "HYPERLIQUID_PRIVATE_KEY=0x{bytes(a.key).hex()}')\""
)
SPOT_CURLS = "tests/venue/binance/test_beside.py::test_the_documented_commands_are_understood"
ELSEWHERE = {
    "python scripts/import_recordings.py csv HL_data --data-dir scripts/HL_data": "tests/"
    "marketdata/importing/test_csv.py::test_a_folder_becomes_shards_of_an_hour_each_once",
    "make doctor": f"{DOCTOR_TESTS}/test_script.py::test_make_hands_its_variables_to_the_doctor",
    "python scripts/doctor.py --config user_data/config.json user_data/config.eth_dry.json": ""
    f"{DOCTOR_TESTS}/test_script.py::test_it_prints_what_is_wrong_and_what_to_do",
    "python scripts/doctor.py --config user_data/makers/eth_cartea_jaimungal.yaml": ""
    f"{DOCTOR_TESTS}/test_makers.py::"
    "test_the_script_takes_makers_with_and_without_a_bots_configuration",
    "python scripts/health_check.py --bot": "tests/test_health_check.py::"
    "test_a_bot_is_healthy_while_its_loop_tells_the_journal_something",
    "python scripts/doctor.py --env-file docker/secrets.env": f"{DOCTOR_TESTS}/test_script.py::"
    "test_it_takes_the_variables_of_a_container_from_its_file",
    "python scripts/doctor.py --offline --json": f"{DOCTOR_TESTS}/test_script.py::"
    "test_json_has_the_lines_and_the_exit_code",
    "python scripts/init_config.py": f"{DOCTOR_TESTS}/test_init_config.py::"
    "test_the_questions_can_be_typed",
    "python scripts/init_config.py --defaults --mode paper": f"{DOCTOR_TESTS}/test_init_config.py::"
    "test_it_passes_the_doctor",
    "python scripts/init_config.py --coin kPEPE --capital 2000 --mode live --sides both "
    "--name pepe": f"{DOCTOR_TESTS}/test_init_config.py::test_options_answer_in_advance",
    "python scripts/dashboard.py": f"{PAGE_TESTS}/test_page.py::"
    "test_it_shows_a_fill_at_once_and_goes_on_after_a_restart",
    "python scripts/dashboard.py --host 0.0.0.0 --token-file user_data/dashboard.token "
    "--name bots.lan": f"{PAGE_TESTS}/test_script.py::test_a_token_in_a_file_is_demanded",
    "python scripts/hyperliquid_data_collector.py --crypto ETH --metrics-port 9101": ""
    f"{METRICS_TESTS}/test_scripts.py::test_a_collector_is_asked_for_its_metrics",
    "python scripts/periodic_test_runner.py --crypto ETH --metrics-port 9102": ""
    f"{METRICS_TESTS}/test_scripts.py::test_a_runner_is_asked_for_its_metrics",
    "curl http://127.0.0.1:9101/metrics": f"{METRICS_TESTS}/test_scripts.py::"
    "test_a_collector_is_asked_for_its_metrics",
    "make paper": "tests/test_paper_session.py::test_a_minute_of_trading_on_the_loopback_venue",
    "make paper COIN=kPEPE": "tests/test_coins_by_other_names.py::"
    "test_a_bot_quotes_coins_whose_names_freqtrade_does_not_know",
    "make paper COIN=xyz:XYZ100": "tests/test_coins_by_other_names.py::"
    "test_a_bot_quotes_coins_whose_names_freqtrade_does_not_know",
    "make paper MINUTES=3": "tests/test_paper_session.py::"
    "test_a_minute_of_trading_on_the_loopback_venue",
    "make paper SUMMARY=FILE": "tests/test_paper_session.py::"
    "test_a_minute_of_trading_on_the_loopback_venue",
    "make paper DRY=1": "tests/test_paper_session.py::test_an_interrupt_ends_every_part",
    "make paper BOTH=1": "tests/live/test_live_both_sides.py::"
    "test_both_sides_are_quoted_at_once_without_an_error",
    "python scripts/market_making_introduction.py": "tests/report/test_introduction.py::"
    "test_the_page_opens_and_every_picture_is_drawn",
    "python scripts/market_making_introduction.py --json": "tests/report/test_introduction.py::"
    "test_the_numbers_are_printed_as_json_and_nothing_is_written",
    f"python scripts/hyperliquid_data_collector.py --crypto ETH --url ws://127.0.0.1:{PORT}/ws "
    "--data-dir user_data/paper/HL_data": "tests/marketdata/collector/test_collector_script.py::"
    "test_signal_flushes_and_ends_with_success",
    "python scripts/periodic_test_runner.py --crypto ETH": "tests/calibration/test_runner.py::"
    "test_signals_end_the_process_cleanly",
    "python scripts/periodic_test_runner.py --crypto ETH --data-dir user_data/paper/HL_data "
    "--config user_data/config.json user_data/config.paper.json": "tests/test_sidecar.py::"
    "test_collector_and_runner_are_kept_alive_and_end_together",
    "python scripts/periodic_test_runner.py --crypto ETH --data-dir user_data/testnet/HL_data "
    "--output-dir user_data/testnet": "tests/calibration/test_runner.py::"
    "test_signals_end_the_process_cleanly",
    f"freqtrade trade --dry-run --strategy Market_Making {PAPER}": "tests/test_paper_session.py::"
    "test_an_interrupt_ends_every_part",
    "python scripts/paper_exchange.py": f"{VENUE_TESTS}::"
    "test_it_announces_where_it_listens_and_stops_cleanly_on_a_signal",
    "python scripts/paper_exchange.py --coins ETH,BTC,SOL": f"{VENUE_TESTS}::"
    "test_several_coins_trade_side_by_side",
    "python scripts/paper_exchange.py --coins ETH,SUI --binance-port 8793": f"{VENUE_TESTS}::"
    "test_several_coins_trade_side_by_side",
    "curl http://127.0.0.1:8793/admin/state": SPOT_CURLS,
    "curl -X POST http://127.0.0.1:8793/admin/faults "
    """-d '{"kind":"dropped_reply","requests":["order.place"],"count":1}'""": SPOT_CURLS,
    "curl -X POST http://127.0.0.1:8793/admin/faults "
    """-d '{"kind":"duplicated_messages","channels":["executionReport"]}'""": SPOT_CURLS,
    "curl -X POST http://127.0.0.1:8793/admin/accounts "
    """-d '{"key":"me","secret":"mine","amounts":{"USDC":5000,"SUI":2000}}'""": SPOT_CURLS,
    "python scripts/paper_exchange.py --replay scripts/HL_data --coin ETH": f"{VENUE_TESTS}::"
    "test_a_replay_lays_at_most_half_the_recording_and_plays_on",
    "python scripts/paper_exchange.py --scenario tests/scenarios/flash_crash.yaml": f"{VENUE_TESTS}"
    "::test_a_scenario_file_opens_its_markets_accounts_and_limits",
    "python scripts/paper_exchange.py --save venue.json": f"{VENUE_TESTS}::"
    "test_a_saved_venue_goes_on_where_it_was",
    "python scripts/paper_exchange.py --restore venue.json": f"{VENUE_TESTS}::"
    "test_a_saved_venue_goes_on_where_it_was",
    PAIR_OF_KEYS: "tests/maker/config/test_read.py::test_the_documented_pair_of_keys_is_accepted",
    "python benchmarks/research.py": "tests/research/test_benchmark.py::"
    "test_the_benchmark_runs_for_a_moment",
    "python benchmarks/quote_age.py": "tests/test_documented_commands.py::"
    "test_the_benchmark_of_a_quotes_age_runs_on_one_market",
    "python benchmarks/requotes.py": "tests/test_documented_commands.py::"
    "test_the_benchmark_of_requotes_runs_on_one_market",
    "python benchmarks/newcomer.py": "tests/test_documented_commands.py::"
    "test_sessions_are_judged_together_and_only_missing_ones_are_run",
    "python benchmarks/strategy.py": "tests/test_resting_value.py::"
    "test_a_run_is_shown_as_a_table_or_as_json",
    "python benchmarks/model.py": "tests/test_documented_commands.py::"
    "test_the_solver_s_benchmark_runs_on_a_few_problems",
    **dict.fromkeys(
        (
            "python benchmarks/recording_truth.py",
            "python benchmarks/recording_truth.py --minutes 3 --faults 4 --speed 20",
        ),
        "tests/marketdata/collector/test_recording_truth.py::"
        "test_what_was_recorded_is_what_was_published",
    ),
    "python benchmarks/long_running.py": "tests/test_long_running.py::"
    "test_a_day_shows_a_leak_of_1_mb_an_hour_or_2_beneath_merges",
    "python benchmarks/long_running.py --hours 48 --minutes 16": "tests/test_long_running.py::"
    "test_a_day_shows_a_leak_of_1_mb_an_hour_or_2_beneath_merges",
    "python benchmarks/held_position.py": "tests/test_freqtrade_books.py::"
    "test_the_benchmark_s_position_is_held_and_its_replaced_exits_are_counted",
    "python benchmarks/policies.py": "tests/replay/ladders/test_policies_benchmark.py::"
    "test_every_policy_is_replayed_and_the_page_is_written",
    **dict.fromkeys(
        (
            "python scripts/replay_backtest.py --crypto ETH --policy curve",
            "python scripts/replay_backtest.py --crypto ETH --policy curve --compare --fee-bp 0",
            "python scripts/replay_backtest.py --crypto ETH --policy spot --policy-settings "
            """'{"bin_step": 2, "price_up_pct_limit": 0.002, "price_down_pct_limit": 0.002}'""",
        ),
        f"{REPLAY_TESTS}::test_a_policy_s_ladder_is_replayed_with_its_own_account",
    ),
    "python benchmarks/request_budget.py": "tests/test_documented_commands.py::"
    "test_the_bot_without_sparing_is_the_strategy_less_one_call",
    "python benchmarks/alert_rules.py": "tests/metrics/test_alert_rules.py::"
    "test_a_fault_is_timed_from_its_beginning_and_from_its_end",
    "python benchmarks/hedge.py": "tests/hedging/test_crash.py::"
    "test_the_benchmarks_table_counts_what_is_allowed",
    "python docs/tools/pictures.py screen": "tests/test_documented_commands.py::"
    "test_sessions_run_as_make_starts_them",
    "python scripts/recalibrate_recording.py --crypto ETH": ""
    "tests/calibration/test_recalibrate.py::test_the_script_tells_what_it_made",
    "python scripts/replay_backtest.py --crypto ETH": f"{REPLAY_TESTS}::"
    "test_the_table_and_the_page_say_the_same",
    "python scripts/replay_backtest.py --crypto ETH --compare --html user_data/plot/replay.html": ""
    f"{REPLAY_TESTS}::test_a_comparison_says_whether_anything_pays",
    "python scripts/replay_backtest.py --crypto ETH --policy fixed:2 --queue back --fee-bp 0": ""
    f"{REPLAY_TESTS}::test_json_has_the_keys_of_the_report_for_each_queue",
    **dict.fromkeys(
        (
            "python scripts/replay_backtest.py --crypto ETH --policy fixed:1 --look 0.5 "
            f"--fair-price {price} --fee-bp 0 --json"
            for price in ("mid", "imbalance")
        ),
        f"{REPLAY_TESTS}::test_a_distance_is_from_the_mid_or_the_fair_price",
    ),
    "python scripts/replay_backtest.py --crypto ETH --look 5 --latency-ms 200 --json": ""
    f"{REPLAY_TESTS}::test_latencies_can_be_drawn_from_a_file",
    "python scripts/replay_sweep.py examples/sweep.yaml --crypto ETH": f"{SWEEP_TESTS}/"
    "test_script.py::test_it_prints_the_verdict_below_the_folds",
    "python scripts/replay_sweep.py examples/sweep.yaml --crypto ETH --trials 200 "
    "--storage user_data/sweep.log --html user_data/plot/sweep.html": f"{SWEEP_TESTS}/"
    "test_script.py::test_it_goes_on_from_the_trials_it_has_kept",
    "python scripts/replay_sweep.py examples/sweep.yaml --crypto ETH "
    "--scheduler tcp://192.168.0.5:8786 --json": f"{SWEEP_TESTS}/"
    "test_sweep.py::test_workers_elsewhere_are_used_as_they_are",
    f"freqtrade hyperopt --strategy Market_Making {PAPER} --datadir user_data/data/touch "
    "--timeframe 1m --hyperopt-loss TickReplayHyperOptLoss --spaces buy quoting -e 100 -j 2 "
    "--fee 0.00015": f"{SWEEP_TESTS}/test_hyperopt_loss.py::"
    "test_freqtrade_s_own_hyperopt_evaluates_an_epoch_with_it",
    **dict.fromkeys(
        FIRST_MAKER, "tests/test_documented_commands.py::test_a_new_user_s_maker_runs_dry"
    ),
    "python scripts/init_maker.py": "tests/maker/config/test_draft.py::"
    "test_answers_may_be_piped_and_empty_ones_take_the_default",
    "touch user_data/makers/eth_hyperliquid.stop": "tests/maker/dry/test_with_the_maker.py::"
    "test_ladders_rest_fill_and_are_withdrawn_at_the_kill_file",
    **dict.fromkeys(
        (
            "python benchmarks/maker_truth.py",
            "python benchmarks/maker_truth.py --minutes 3",
        ),
        "tests/maker/test_truth.py::"
        "test_nothing_is_lost_or_doubled_and_nothing_rests_after_the_kill_file",
    ),
    TRADE_WITH_CCXT: "tests/test_documented_commands.py::test_the_example_trades_on_a_venue",
    VENUE: "tests/test_documented_commands.py::scratch",
}

NEEDS = {
    "a network": [
        "freqtrade install-ui",
        "python scripts/market_research.py --exchange binance --pair POL/USDT --timeframe 1s "
        "--days 1 --html user_data/plot/research.html",
        "python scripts/hyperliquid_data_collector.py --crypto ETH",
        "python scripts/hyperliquid_data_collector.py --crypto ETH --keep-days 90 "
        "--keep-gigabytes 50",
        "python scripts/hyperliquid_data_collector.py --crypto ETH,WLFI --data-dir scripts/HL_data",
        "python scripts/hyperliquid_data_collector.py --crypto kPEPE,XYZ-XYZ100/USDC:USDC",
        "pip install s3fs",
        "apt-get install clickhouse-server",
        "python scripts/hyperliquid_data_collector.py --crypto ETH --testnet "
        "--data-dir user_data/testnet/HL_data",
        "freqtrade trade --dry-run --strategy Market_Making --config user_data/config.json "
        "--logfile user_data/logs/freqtrade.log",
    ],
    "S3, with an account there, or a running ClickHouse": [
        "export AWS_PROFILE=me",
        "python scripts/import_recordings.py archive --crypto ETH,WLFI --since 2025-12-10T21:00 "
        "--until 2025-12-11",
        "python scripts/hyperliquid_data_collector.py --crypto ETH "
        "--publish-to s3://my-bucket/market",
        "python scripts/hyperliquid_data_collector.py --crypto ETH "
        "--publish-to clickhouse://default@localhost:8123/market",
        "python scripts/publish_recordings.py --to s3://my-bucket/market --follow",
        "python scripts/publish_recordings.py --to s3://my-bucket/market",
        "python scripts/publish_recordings.py --to clickhouse://default@localhost:8123/market "
        "--follow",
        "python scripts/fetch_recordings.py --from s3://my-bucket/market "
        "--data-dir user_data/fetched --crypto ETH "
        "--since 2026-11-28T12:00 --until 2026-11-28T18:00",
    ],
    "an account": [
        "python scripts/market_maker.py --config user_data/makers/eth_cartea_jaimungal.yaml --live",
        f"freqtrade trade --strategy Market_Making {LIVE}",
        f"freqtrade trade --strategy Market_Making {LIVE} --config user_data/config.testnet.json",
        f"freqtrade trade --strategy Market_Making {LIVE} --config user_data/config.long.json",
        "freqtrade trade --strategy Market_Making --strategy-path user_data/strategies "
        f"--userdir user_data/short {LIVE} --config user_data/config.short.json",
        "export FREQTRADE__EXCHANGE__CCXT_CONFIG__OPTIONS__subAccountAddress=0x…",
        "export FREQTRADE__EXCHANGE__PRIVATE_KEY=0x…",
        "export FREQTRADE__EXCHANGE__PRIVATE_KEY_FILE=docker/secrets/hyperliquid",
        f"python scripts/with_keys.py freqtrade trade --strategy Market_Making {LIVE}",
        "(umask 077; cat > docker/secrets/hyperliquid)",
        "export FREQTRADE__EXCHANGE__WALLET_ADDRESS=0x…",
    ],
    "Docker": [
        "docker compose --env-file docker/paper.env --profile paper up -d",
        "docker compose --profile dashboard up -d",
        "MM_MAKER=eth_hyperliquid docker compose --profile maker up -d maker",
        "docker compose --env-file docker/monitoring/monitoring.env --profile monitoring up -d",
        "docker compose --env-file docker/paper.env "
        "--env-file docker/monitoring/monitoring.env --profile paper --profile monitoring up -d",
        "docker compose down",
        "docker compose restart freqtrade",
        "docker compose up -d",
        "docker logs MM_ADV -f",
        "docker ps",
        "make image",
        "make image-check",
        "make image-check IMAGE=NAME",
    ],
    "live sessions of minutes, with both cores for themselves": [
        "python benchmarks/maker.py",
        "python benchmarks/collector.py",
        "python benchmarks/eyes.py",
        "python benchmarks/recording_truth.py --soak",
    ],
    "another machine": [
        "ssh -L 8790:127.0.0.1:8790 me@my-server",
    ],
    "a terminal": [
        "export FREQTRADE__MARKET_MAKING__METRICS_PORT=9103",
        "export FREQTRADE__MARKET_MAKING__TOXICITY_LIMIT=1.5",
        "source .venv/bin/activate",
        "tail -f user_data/logs/freqtrade.log",
        "make docs-serve",
    ],
    "to be what installs, or runs the tests": [
        ".ci/run",
        ".venv/bin/pre-commit install",
        "make docs",
        "make install",
        "make install-dev",
        "make lint",
        "make test",
    ],
}


# ---- what is documented


def commands_in(text: str) -> list[str]:
    """The commands of a page: the lines of its shell blocks, and those quoted in its sentences."""
    found = []
    for block in re.findall(r"^ *```bash\n(.*?)^ *```", text, re.M | re.S):
        for line in block.replace("\\\n", " ").splitlines():
            found.append(re.sub(r"(^|\s+)# .*$", "", line))
    prose = re.sub(r"^ *```.*?^ *```", "", text, flags=re.M | re.S)
    quoted = r"`((?:python|make|freqtrade|docker|curl|ls|tail|source|\.\S+/\S+) [^`…]+)`"
    found += re.findall(quoted, prose)
    tidy = (" ".join(one.split()) for one in found)
    return [one for one in tidy if one and not one.startswith("--8<--")]


@cache
def documented() -> dict[str, str]:
    """Every command and the first place that names it."""
    listed = (ROOT / "commands.txt").read_text().splitlines()
    found = {one: "commands.txt" for one in listed if one and one[0] != "#"}
    for page in PAGES:
        for one in commands_in(page.read_text()):
            found.setdefault(one, str(page.relative_to(ROOT)))
    return found


def normal(command: str) -> str:
    """A paper session for some minutes is the same command; so is a benchmark made quick."""
    if command.startswith("make paper") and command != "make paper MINUTES=3":
        command = re.sub(r" MINUTES=\S+", "", command)
    if command.startswith("python benchmarks/"):
        command = re.sub(r" --(quick|look-seconds [\d.]+)$", "", command)
    return command


RUN = {
    *SCRATCH,
    *PREPARATION,
    *BACKTESTS,
    *SESSIONS,
    *ELSEWHERE,
    *(f"python benchmarks/{name}.py" for name in SHORTER),
}
LISTED = {command for needy in NEEDS.values() for command in needy}


def test_each_documented_command_is_run_or_says_what_it_needs():
    for command, place in documented().items():
        known = normal(command)
        assert (known in RUN) != (known in LISTED), f"{place}: {command}"


def test_nothing_is_listed_that_is_not_documented():
    written = {normal(command) for command in documented()}
    assert (RUN | LISTED) - written == set()


@pytest.mark.parametrize("test", sorted(set(ELSEWHERE.values())))
def test_the_test_that_runs_a_command_exists(test):
    path, name = test.split("::")
    tree = ast.parse((ROOT / path).read_text())
    assert name in {node.name for node in ast.walk(tree) if hasattr(node, "name")}


# ---- options of those that are not run as they are written


@cache
def help_of(program: str, subcommand: str = "") -> str:
    if program == "freqtrade":
        words = [sys.executable, "-m", "freqtrade", subcommand, "--help"]
        return subprocess.run(words, capture_output=True, text=True, check=True).stdout
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown), pytest.raises(SystemExit, match=r"^0$"):
        runpy.run_path(str(ROOT / program))["main"]([*subcommand.split(), "--help"])
    return shown.getvalue()


OTHERS = [
    command
    for command in documented()
    if command.startswith(("python", "freqtrade"))
    and not command.startswith("python -c")
    and command not in {*SCRATCH, *PREPARATION, *BACKTESTS}
]


@pytest.mark.parametrize("command", OTHERS)
def test_each_other_command_knows_its_options(command):
    words = shlex.split(command.removeprefix("python scripts/with_keys.py "))
    below = words[2] if words[1:2] == ["scripts/import_recordings.py"] else ""
    shown = help_of(words[1], below) if words[0] == "python" else help_of(*words[:2])
    for word in words:
        if word.startswith("-") and not word.lstrip("-").isdigit():
            assert re.search(rf"(^|[\s,]){re.escape(word)}\b", shown, re.M), word


@cache
def expanded(command: str) -> list[str]:
    """What make would run for a paper session, by its own word."""
    make = subprocess.run(
        ["make", "--dry-run", "--no-print-directory", *shlex.split(command)[1:]],
        capture_output=True, text=True, check=True, cwd=ROOT,
    )  # fmt: skip
    recipe = make.stdout.replace("\\\n", " ")
    (line,) = [one for one in recipe.splitlines() if "paper_trading.py" in one]
    return shlex.split(line)


@pytest.mark.parametrize("command", [one for one in documented() if one.startswith("make paper")])
def test_make_hands_its_variables_to_the_session(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    parse = runpy.run_path(str(ROOT / "scripts" / "paper_trading.py"))["parse"]
    asked = parse(expanded(command)[2:])
    given = dict(word.split("=") for word in shlex.split(command)[2:])
    assert asked.dry == ("DRY" in given)
    assert asked.both_sides == ("BOTH" in given)
    assert asked.minutes == (float(given["MINUTES"]) if "MINUTES" in given else None)
    for name, option in (("SCENARIO", "scenario"), ("REPLAY", "replay"), ("SUMMARY", "summary")):
        value = getattr(asked, option)
        assert (str(value) if value else None) == given.get(name)


@pytest.mark.parametrize("command", [one for one in documented() if one.startswith("make")])
def test_each_make_target_exists(command):
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M)
    assert shlex.split(command)[1] in targets


def test_make_help_lists_every_target():
    words = ["make", "--no-print-directory", "help"]
    shown = subprocess.run(words, capture_output=True, text=True, check=True, cwd=ROOT)
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M)
    assert {line.split()[0] for line in shown.stdout.splitlines()} == set(targets)


# ---- those that are run here


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    """A copy of the project with half an hour of recording, beside the venue that wrote it."""
    folder = tmp_path_factory.mktemp("project")
    kept = ("scripts", "user_data", "benchmarks", "examples", "docs", "docker", "tests/scenarios")
    for name in kept:
        written = shutil.ignore_patterns(
            "HL_data",
            "__pycache__",
            "paper",
            "data",
            "plot",
            "*.sqlite*",
            "calibration_history",
            "journal",
            "*.stop",
        )
        shutil.copytree(ROOT / name, folder / name, ignore=written)
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    overlay = folder / "user_data" / "config.paper.json"
    overlay.write_text(overlay.read_text().replace(PORT, port))
    venue = subprocess.Popen(
        [sys.executable, *shlex.split(VENUE.replace(PORT, port))[1:]],
        cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    try:
        rest = json.loads(venue.stdout.readline())["rest"]
        shutil.copytree(folder / "user_data/paper/HL_data", folder / "scripts/HL_data")
        session(folder / "user_data", "long_bot")
        session(folder / "user_data", "short_bot")
        a_round_trip_of_freqtrade(folder / "tradesv3.sqlite")
        yield SimpleNamespace(folder=folder, port=port, rest=rest)
    finally:
        venue.send_signal(signal.SIGINT)
        venue.communicate(timeout=60)


@pytest.mark.parametrize("command", SCRATCH)
def test_a_command_runs_as_it_is_written(command, scratch, monkeypatch, capfd):
    monkeypatch.chdir(scratch.folder)
    if re.search(r"pictures.py (report|performance)", command) and shutil.which("chromium") is None:
        pytest.skip("Chromium is not installed (Debian's package chromium)")
    if command.startswith("python scripts/health_check.py"):
        run_as_written("python scripts/periodic_test_runner.py --crypto ETH --once", scratch)
    capfd.readouterr()
    run_as_written(command, scratch)
    shown = capfd.readouterr().out
    requests.delete(f"{scratch.rest}/admin/faults", timeout=30).raise_for_status()
    silent = (
        "mkdir",
        "python -c",
        "python docs/tools/settings",
        "python docs/tools/maker",
        "python docs/tools/monitoring",
        "python scripts/per",
    )
    if not command.startswith(silent):
        assert shown.strip()
    assert "Traceback" not in shown


def run_as_written(command: str, scratch: SimpleNamespace) -> None:
    words = shlex.split(command.replace(PORT, scratch.port))
    if words[:2] == ["python", "-c"]:
        subprocess.run(command.replace("python", sys.executable, 1), shell=True, check=True)
    elif words[0] == "python":
        main = runpy.run_path(words[1])["main"]
        assert main(words[2:]) == 0
    else:
        subprocess.run([*words, "--fail"] if words[0] == "curl" else words, check=True)


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("settings.md", "python docs/tools/settings_table.py"),
        ("maker_file.md", "python docs/tools/maker_file.py"),
        ("metrics.md", "python docs/tools/monitoring.py"),
        ("policies.md", "python docs/tools/settings_table.py"),
        ("assets/mistakes.png", "python docs/tools/pictures.py mistakes"),
    ],
)
def test_what_programs_write_is_what_they_write_today(name, command, scratch, monkeypatch):
    monkeypatch.chdir(scratch.folder)
    run_as_written(command, scratch)
    assert (scratch.folder / "docs" / name).read_bytes() == (ROOT / "docs" / name).read_bytes()


def test_the_example_trades_on_a_venue(scratch):
    done = subprocess.run(
        [sys.executable, *shlex.split(TRADE_WITH_CCXT)[1:]],
        cwd=scratch.folder, capture_output=True, text=True, timeout=200,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert re.search(r"resting: buy 0\.1 at \d+", done.stdout)
    assert re.search(r"closed: 9999\.\d+ USDC left, 0\.\d+ paid in fees, 0 orders", done.stdout)


def test_a_new_user_s_maker_runs_dry(scratch, monkeypatch, capsys):
    monkeypatch.chdir(scratch.folder)
    run_as_written(NEW_MAKER, scratch)
    file = Path("user_data/makers/eth_hyperliquid.yaml")
    file.write_text(file.read_text().replace(PORT, scratch.port))
    _, check, make, report = FIRST_MAKER
    capsys.readouterr()
    run_as_written(check, scratch)
    assert re.search(r"10 bids and 10 asks at first", capsys.readouterr().out)
    run_as_written(f"{make} --minutes 0.05", scratch)
    shown = capsys.readouterr().out
    assert "has ended: its time is up" in shown
    if re.search(r"fills 0 ", shown):
        with pytest.raises(InputError, match="There are no fills in the journal"):
            run_as_written(report, scratch)
        return
    run_as_written(report, scratch)
    assert "quotes sent" in capsys.readouterr().out


@pytest.mark.parametrize("name", SHORTER)
def test_a_benchmark_runs_for_a_moment(name):
    done = subprocess.run(
        [sys.executable, f"benchmarks/{name}.py", *SHORTER[name]],
        cwd=ROOT, capture_output=True, text=True, timeout=200,
    )  # fmt: skip
    assert done.returncode in (0, 1), done.stderr  # 1: a figure was missed in so short a time
    assert "Traceback" not in done.stderr
    assert len(done.stdout.splitlines()) >= 3


def test_the_benchmark_of_a_quotes_age_runs_on_one_market(monkeypatch, capsys):
    monkeypatch.syspath_prepend(str(ROOT))
    benchmark = importlib.import_module("benchmarks.quote_age")
    monkeypatch.setattr(benchmark, "MARKETS", {"calm": {"sigma": 0.4}})
    monkeypatch.setattr(benchmark, "AGES_S", (1.0,))
    assert benchmark.main(["--quick", "--look-seconds", "0.5"]) == 0
    shown = capsys.readouterr().out
    rows = re.findall(r"calm\D+([\d.]+)\W+(yes|no)\W+([\d.]+) .*?([-+][\d.]+)", shown)
    assert [row[:2] for row in rows] == [(age, p) for age in ("0.5", "1") for p in ("no", "yes")]


def test_the_benchmark_of_requotes_runs_on_one_market(monkeypatch, capsys):
    monkeypatch.syspath_prepend(str(ROOT))
    benchmark = importlib.import_module("benchmarks.requotes")
    monkeypatch.setattr(benchmark, "MARKETS", {"calm": benchmark.Market(0.2, 0.1, 0.02)})
    monkeypatch.setattr(benchmark, "AGES_S", (0.2, 1.0))
    monkeypatch.setattr(benchmark, "STAKES", (50.0,))
    assert benchmark.main(["--quick"]) == 0
    shown = capsys.readouterr().out
    rows = re.findall(r"(\d+)% \D+([\d.]+)%\s+([\d,]+)\D+([\d.]+)%\s+([\d,]+)", shown)
    actions = [int(row[2].replace(",", "")) for row in rows]
    assert len(rows) == 5
    assert actions == sorted(actions, reverse=True)


FIRST_SESSION = """
import argparse
from pathlib import Path

from advanced_mm.journal import Fill, JournalWriter, Look, QuoteSent

parser = argparse.ArgumentParser()
for name in ("minutes", "seed", "folder", "summary"):
    parser.add_argument(f"--{name}")
asked = parser.parse_args()
begin, now = 1_796_000_000_000, lambda: 1_796_001_000_000
writer = JournalWriter(Path(asked.folder) / "journal", "bot", None, now, now)
shared = {"coin": "ETH", "bot": "bot"}
for number in range(6):
    at, order = begin + 40_000 * number, str(number)
    writer.record(QuoteSent(
        time_ms=at, order=order, side="bid", price=2998.0, size=1.0, mid=3000.0, depth=2.0,
        tick=0.1, inventory=0.0, units=0, purpose="entry", expected_edge=0.3, **shared))
    writer.record(Fill(
        time_ms=at + 500, fill=order, order=order, side="bid", price=2998.0, size=1.0, fee=0.45,
        mid=2999.5, age_seconds=0.5, rested_seconds=0.5, position_after=number + 1.0, **shared))
    moved = (-1) ** number * 0.1 * int(asked.seed)
    writer.record(Look(
        time_ms=at + 10_500, what="minute", position=number + 1.0, mid=2998.75 + moved, **shared))
writer.close()
Path(asked.summary).write_text(asked.minutes)
"""
"""Six bids filled after half a second of drift against them, each worth 0.3 ten seconds later."""


def test_sessions_are_judged_together_and_only_missing_ones_are_run(tmp_path, monkeypatch, capsys):
    monkeypatch.syspath_prepend(str(ROOT))
    newcomer = importlib.import_module("benchmarks.newcomer")
    script = tmp_path / "session.py"
    script.write_text(FIRST_SESSION)
    monkeypatch.setattr(newcomer, "SCRIPT", script)
    monkeypatch.setattr(newcomer, "SECONDS_BETWEEN_STARTS", 0.0)
    asked = ["--folder", str(tmp_path / "kept"), "--minutes", "4", "--sessions"]
    assert newcomer.main([*asked, "1"]) == 0
    assert "1 sessions of 4 minutes. Promised +1.00 bp a fill" in capsys.readouterr().out
    before = (tmp_path / "kept" / "seed_1" / "summary.json").stat().st_mtime_ns
    assert newcomer.main([*asked, "2"]) == 0
    shown = capsys.readouterr().out
    assert (tmp_path / "kept" / "seed_1" / "summary.json").stat().st_mtime_ns == before
    verdict = " ".join(shown.split())
    assert "2 sessions of 4 minutes. Promised +1.00 bp a fill, realised +1.00" in verdict
    assert "the promise lies within the interval." in verdict
    assert [int(n) for n in re.findall(r"^.\s+(?:1|2|all)\s+.\s+(\d+) ", shown, re.M)] == [6, 6, 12]


def test_the_solver_s_benchmark_runs_on_a_few_problems(monkeypatch, capsys):
    monkeypatch.syspath_prepend(str(ROOT))
    model = importlib.import_module("benchmarks.model")
    truths = model.load_truths()[::50]
    assert all(row.good for row in model.accuracy(truths))


def test_the_bot_without_sparing_is_the_strategy_less_one_call(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))
    budget = importlib.import_module("benchmarks.request_budget")
    name = "user_data/strategies/Market_Making.py"
    changed = budget.project_with(tmp_path / "project", budget.without_sparing)
    text = (changed / name).read_text()
    assert (ROOT / name).read_text().replace(budget.SPARING, "") == text
    assert budget.SPARING not in text
    assert {case.name for case in budget.CASES if not case.sparing} == {"plain Freqtrade"}


@pytest.mark.bot
def test_backtest_and_hyperopt_run_as_they_are_written(scratch, monkeypatch, capfd):
    monkeypatch.chdir(scratch.folder)
    for command in PREPARATION:
        run_as_written(command, scratch)
    *_, found = re.finditer(r"--timerange (\S+)", capfd.readouterr().out)
    commands = json.dumps(BACKTESTS).replace(A_RANGE, found[1])
    done = subprocess.run(
        [sys.executable, "-c", IN_TURN, commands],
        cwd=scratch.folder, capture_output=True, text=True, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    ended = re.findall(r"^ended (.*) (\S+)$", done.stdout, re.M)
    assert ended == [(command, "None") for command in json.loads(commands)], done.stderr
    log = re.sub(r"\s+", " ", done.stderr)
    assert "Traceback" not in log
    assert "Market_Making: no bias detected" in log
    assert "No variance on indicator(s) found due to recursive formula" in log
    assert "No lookahead bias on indicators found" in log
    assert "min_depth_bp" in done.stdout
    _, last = log.split("A result of hyperopt is in use")
    assert "on 'through' candles" in last


@pytest.mark.bot
def test_sessions_run_as_make_starts_them(scratch, monkeypatch):
    """A replay, a scenario and the picture's session, side by side; each ends by itself."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    commands = {
        one: [sys.executable, *expanded(one)[1:], "--minutes", "0.1"] for one in SESSIONS.values()
    }
    commands["screen"] = [sys.executable, "docs/tools/pictures.py", "screen", "--seconds", "5"]
    running = {
        name: subprocess.Popen(
            words, cwd=scratch.folder, env=environment, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, start_new_session=True,
        )
        for name, words in commands.items()
    }  # fmt: skip
    deadline = time.monotonic() + 150
    try:
        for name, process in running.items():
            output, _ = process.communicate(timeout=deadline - time.monotonic())
            assert process.returncode == 0, f"{name}: {output}"
            assert "Traceback" not in output
            assert '"refits"' in output or name == "screen"
    finally:
        for process in running.values():
            with contextlib.suppress(ProcessLookupError):
                process.kill()
    picture = (scratch.folder / "docs" / "assets" / "live_screen.svg").read_text()
    assert "paper" in picture
    assert "@font-face" not in picture
