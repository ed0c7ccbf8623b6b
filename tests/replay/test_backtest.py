"""The script from recording to verdict: its numbers, its words, and what it does without data."""

import json
import runpy
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from advanced_mm.calibration.recalibrate import RecalibrationPlan, recalibrate
from advanced_mm.errors import InputError
from advanced_mm.marketdata.store import ShardStore
from advanced_mm.parameter_files.history import CalibrationHistory
from advanced_mm.performance.judge import Wanted, judge_journal
from advanced_mm.replay import ReplayOptions
from advanced_mm.replay.backtest import Backtest, Policy, mean_depth_bp
from advanced_mm.replay.figures import equity_at, profit_by_piece, replay_figures
from advanced_mm.replay.policies import compare_policies, run_policy
from tests.replay.recordings import SETTINGS, START_MS, record, refit

ROOT = Path(__file__).parents[2]
MINUTES = 16


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A recording of a quarter of an hour, a minute of it missing, and its refits."""
    folder = tmp_path_factory.mktemp("replayed")
    record(folder / "data", MINUTES, (12.0, 13.0))
    refit(folder / "data", folder / "history")
    return folder


@pytest.fixture(scope="module")
def backtest(folder):
    return Backtest.load(folder / "data", "eth", CalibrationHistory(folder / "history"))


@pytest.fixture(scope="module")
def options(backtest):
    return ReplayOptions.of_settings(SETTINGS, size=backtest.order_size(100.0))


def script(folder, *arguments):
    name = ROOT / "scripts" / "replay_backtest.py"
    always = ["--crypto", "ETH", "--data-dir", folder / "data", "--history", folder / "history"]
    always += ["--config", ROOT / "user_data" / "config.json"]
    return runpy.run_path(str(name))["main"]([str(a) for a in (*always, *arguments)])


def time_of(milliseconds):
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat()


def told(capsys):
    return json.loads(capsys.readouterr().out)


def test_the_time_is_that_with_data_from_the_first_usable_parameters_on(backtest):
    assert backtest.warm_up_s == pytest.approx(300, abs=61)  # 300 s of data, a refit each minute
    (hole,) = backtest.holes
    assert (hole[1] - hole[0]) / 1000 == pytest.approx(60, abs=1)
    span_s = (backtest.end_ms - backtest.start_ms) / 1000
    assert 3600 * backtest.hours == pytest.approx(span_s - 60, abs=1)
    assert backtest.share_without_data == pytest.approx(60 / span_s, rel=0.02)


def test_the_figures_are_those_of_the_record(backtest, options):
    """Counted here fill by fill; the change of equity is that of the performance report."""
    run = run_policy(backtest, Policy.fixed(1.0), SETTINGS, options, ["model"])
    result, figures = run.results["model"], run.figures["model"]
    judged = run.performance(backtest, "model", 10.0)
    assert len(result.fills) > 20
    assert figures["fills_per_hour"].value == pytest.approx(len(result.fills) / backtest.hours)
    ((begin, end),) = backtest.holes
    over_hole = np.diff(equity_at(result, np.array([begin, end])))[0]
    net = judged.parts.equity_change - over_hole
    assert figures["net_per_hour"].value == pytest.approx(net / backtest.hours)
    assert judged.figures["net_per_hour"] == figures["net_per_hour"]
    assert figures["net_bp_per_fill"].value == pytest.approx(1e4 * net / judged.parts.turnover)
    assert mean_depth_bp(result) == pytest.approx(1.0)


def test_without_a_fill_only_the_rate_of_fills_is_known(backtest, options):
    run = run_policy(backtest, Policy.fixed(500.0), SETTINGS, options, ["front"])
    figures = run.figures["front"]
    fills = figures["fills_per_hour"]
    assert fills.low == fills.value == 0
    # With a rate this high, nothing would be seen in one session of forty.
    assert np.exp(-fills.high * backtest.hours) == pytest.approx(0.025, rel=0.01)
    assert np.isnan([figures["net_per_hour"].low, figures["net_bp_per_fill"].value]).all()


def test_the_optimal_depths_are_compared_with_constant_ones(backtest, options):
    runs = compare_policies(backtest, SETTINGS, options, ["front"])
    names = [run.name for run in runs]
    assert names[2:6] == [f"fixed {bp} bp" for bp in (1, 2, 3, 5)]
    depths = [run.mean_depth_bp for run in runs]
    assert depths[2:6] == pytest.approx([1, 2, 3, 5])
    reference = next(depth for depth in depths if depth is not None)
    assert depths[6] == pytest.approx(reference)
    fills = [run.figures["front"]["fills_per_hour"].value for run in runs[2:6]]
    assert fills == sorted(fills, reverse=True)


def test_json_has_the_keys_of_the_report_for_each_queue(folder, capsys):
    assert script(folder, "--json", "--policy", "fixed:1", "--fee-bp", "0") == 0
    found = told(capsys)
    assert list(found["queues"]) == ["front", "model", "back"]
    assert found["too_short"]
    assert found["verdict"].startswith("Too short: ")
    assert [round(hole["seconds"]) for hole in found["without_data"]] == [60]
    for one in found["queues"].values():
        assert one["fees"] == 0
        assert one["hours_covered"] == pytest.approx(found["hours"])
        for name in ("fills_per_hour", "net_bp_per_fill", "net_per_hour"):
            assert one[f"{name}_low"] <= one[name] <= one[f"{name}_high"]
        assert {"equity_change", "spread_captured", "figures", "markouts", "hours"} <= set(one)
    notes = " ".join(found["notes"])
    assert "No market impact" in notes
    assert "The place in the queue alone moves the result between" in notes
    assert "Funding is not included" in notes
    assert "Without data: 2025-10-09 09:05:" in notes


def test_a_distance_is_from_the_mid_or_the_fair_price(folder, capsys):
    """Both replay the same time, from the first usable parameters on."""
    found = {}
    always = ("--policy", "fixed:1", "--look", "0.5", "--json", "--feed-latency-ms", "120")
    for price in ("mid", "imbalance"):
        assert script(folder, *always, "--fair-price", price) == 0
        found[price] = told(capsys)
    assert found["mid"]["policy"] == "fixed 1 bp"
    assert found["imbalance"]["policy"] == "fixed 1 bp of the fair price"
    assert found["mid"]["since"] == found["imbalance"]["since"]
    assert found["mid"]["warm_up_seconds"] > 100
    assert any("120 ms" in note for note in found["mid"]["notes"])


def test_a_comparison_says_whether_anything_pays(folder, capsys):
    assert script(folder, "--json", "--compare", "--queue", "back", "--fee-bp", "30") == 0
    found = told(capsys)
    assert len(found["compare"]) in (6, 7)  # without quotes there is no mean depth
    assert "Nothing pays" in found["verdict"]
    assert script(folder, "--json", "--compare", "--queue", "back", "--fee-bp", "-30") == 0
    assert "these pay whatever the place in the queue: " in told(capsys)["verdict"]


def test_the_table_and_the_page_say_the_same(folder, tmp_path, capsys):
    page = tmp_path / "plots" / "replay.html"
    asked = ("--policy", "fixed:2", "--inventory=-1:1", "--html", page)
    assert script(folder, *asked, "--latency-ms", "20", "--funding-rate", "0.00001") == 0
    shown = capsys.readouterr().out
    text = page.read_text(encoding="utf-8")
    for words in ("front", "model", "back", "fixed 2 bp", "No market impact"):
        assert words in shown
        assert words in text
    assert "Funding is not included" not in shown
    assert "spread captured" in text
    assert "Too short" in text


def test_a_replay_can_be_written_as_a_journal_and_judged_from_it(folder, tmp_path, capsys):
    journal = tmp_path / "journal"
    assert script(folder, "--json", "--policy", "fixed:1", "--journal", journal) == 0
    found = told(capsys)["queues"]["back"]
    (judged,) = judge_journal(tmp_path, Wanted(bot="back", data_dir=folder / "data"))
    assert judged.parts.equity_change == pytest.approx(found["equity_change"])
    assert judged.parts.fills == found["fills"]
    assert judged.parts.fees == pytest.approx(found["fees"])
    assert judged.figures["quotes_sent"].value == found["figures"]["quotes_sent"]["value"]


def test_latencies_can_be_drawn_from_a_file(folder, tmp_path, capsys):
    measured = tmp_path / "latencies.txt"
    measured.write_text("400\n900\n")
    asked = ("--json", "--policy", "fixed:1", "--queue", "model")
    assert script(folder, *asked, "--latencies", measured) == 0
    slow = told(capsys)
    assert "measured latencies" in slow["notes"][0]
    assert script(folder, *asked, "--latency-ms", "1") == 0
    fast = told(capsys)
    ages = [one["queues"]["model"]["figures"]["order_age_at_fill"]["value"] for one in (slow, fast)]
    assert ages[0] != ages[1]
    measured.write_text("soon\n")
    with pytest.raises(InputError, match="must have one number a line"):
        script(folder, *asked, "--latencies", measured)


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        (["--crypto", "ABC"], "has no recording"),
        (["--history", "nowhere"], r"recalibrate_recording\.py --crypto ETH"),
        (["--policy", "best"], "must be optimal or fixed:BP"),
        (["--inventory", "few"], "must be LOW:HIGH"),
        (["--stake", "0"], "must be positive"),
        (["--look", "nan"], "must be 0.001 to 86400 seconds"),
        (["--funding-rate", "nan"], "share of the value an hour"),
        (["--since", "2001-01-01", "--until", "2001-01-02"], "within it"),
        (["--since", "2026-01-02", "--until", "2026-01-01"], "lies after"),
    ],
)
def test_what_is_missing_or_wrong_is_said_in_a_sentence(folder, asked, why):
    with pytest.raises(InputError, match=why):
        script(folder, *asked)


def test_a_time_within_a_hole_is_said_to_have_no_data(folder):
    low, high = (time_of(START_MS + round(minute * 60_000)) for minute in (12.2, 12.8))
    with pytest.raises(InputError, match="no data in all of the time asked for"):
        script(folder, "--policy", "fixed:1", "--since", low, "--until", high)


def test_a_replay_begins_where_it_is_told_to(folder):
    since = START_MS + 9 * 60_000
    later = Backtest.load(
        folder / "data", "ETH", CalibrationHistory(folder / "history"), since_ms=since
    )
    assert (later.start_ms, later.warm_up_s) == (since, 0.0)
    assert later.refits.published_ms[0] <= since


def test_the_pieces_of_time_add_up_to_the_figures(backtest, options):
    result = run_policy(backtest, Policy.fixed(1.0), SETTINGS, options, ["back"]).results["back"]
    start, hours, profit = profit_by_piece(result)
    assert hours.sum() == pytest.approx(backtest.hours)
    assert hours.max() <= 1 / 60 + 1e-9
    assert np.all(np.diff(start) > 0)
    net = replay_figures(result)["net_per_hour"].value
    assert profit.sum() / hours.sum() == pytest.approx(net)


@pytest.mark.recorded
def test_the_page_s_example_is_what_the_recording_gives(tmp_path):
    """The surest line of the table in docs/replay.md: a constant 1 bp loses at every fee."""
    recordings = ROOT.parent / "shared" / "hyperliquid"
    if not recordings.is_dir():
        pytest.skip(f"no recordings at {recordings}")
    settings = SETTINGS.model_copy(update={"window_minutes": 30.0, "max_window_minutes": 360.0})
    history = CalibrationHistory(tmp_path / "history")
    store = ShardStore(recordings)
    recalibrate(store, "ETH", settings, history, RecalibrationPlan(step_seconds=60.0))
    found = Backtest.load(recordings, "ETH", history, cache=tmp_path / "cache")
    for fee_bp in (1.5, 0.0, -0.3):
        paid = settings.model_copy(update={"fee_rate": fee_bp / 1e4})
        options = ReplayOptions.of_settings(paid, size=found.order_size(100.0))
        run = run_policy(found, Policy.fixed(1.0), paid, options, ["front", "back"])
        for figures in run.figures.values():
            assert figures["net_bp_per_fill"].high < 0
            assert figures["net_per_hour"].high < 0


def test_quotes_are_priced_for_the_age_they_reach_in_the_replay(backtest):
    """Looks of half a second and 0.1 s on the way; a setting of its own comes first."""
    options = ReplayOptions(size=0.1, look_ms=500, latency_ms=100.0, min_quote_age_seconds=1.0)
    priced = options.with_age(SETTINGS)
    assert priced.quote_age_seconds == pytest.approx(1.6)
    assert options.with_age(priced) is priced
    slow = ReplayOptions(
        size=0.1,
        min_quote_age_seconds=1.0,
        feed_latency_ms=2000.0,
        latencies_ms=np.array([50.0, 150.0]),
    )
    assert slow.with_age(SETTINGS).quote_age_seconds == pytest.approx(2 + 2.1)
    tables = [
        backtest.decisions(Policy("optimal"), one.with_age(SETTINGS)) for one in (options, slow)
    ]
    near, far = (table.bid_depth[np.isfinite(table.bid_depth)].mean() for table in tables)
    assert far > near


def test_a_policy_s_ladder_is_replayed_with_its_own_account(folder, capsys):
    settings = json.dumps(
        {"bin_step": 2, "price_up_pct_limit": 0.001, "price_down_pct_limit": 0.001}
    )
    asked = ["--policy", "curve", "--policy-settings", settings, "--queue", "back", "--json"]
    assert script(folder, *asked, "--capital", 2000, "--journal", folder / "ladder") == 0
    found = told(capsys)
    assert found["policy"] == "curve"
    assert "A spot account of" in found["notes"][0]
    assert found["queues"]["back"]["fills"] > 0
    judged = judge_journal(folder / "ladder", Wanted())
    assert judged[0].parts.fills == found["queues"]["back"]["fills"]
    assert judged[0].parts.equity_change == pytest.approx(
        found["queues"]["back"]["equity_change"], abs=1e-6
    )


def test_the_papers_policies_take_their_parameters_from_the_refits(folder, capsys):
    asked = ["--policy", "glft", "--queue", "back", "--fair-price", "imbalance", "--json"]
    assert script(folder, *asked) == 0
    found = told(capsys)
    assert found["warm_up_seconds"] > 0  # until the first refit
    assert found["queues"]["back"]["fills"] > 0
    assert "A perpetual account of 10000 USDC" in found["notes"][0]


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        (["--policy", "curve", "--inventory=-1:1"], "--inventory plays no part"),
        (["--policy", "curve", "--stake", "50"], "--stake plays no part"),
        (["--policy", "fixed:2", "--capital", "50"], "--capital plays no part"),
    ],
)
def test_options_of_the_other_kind_of_policy_are_refused(folder, asked, sentence):
    with pytest.raises(InputError, match=sentence):
        script(folder, *asked)
