"""The scripts' option: off, or a port at which they tell what they know."""

import asyncio
import runpy
import socket
from pathlib import Path
from types import SimpleNamespace
from urllib.request import urlopen

import pytest

from advanced_mm.calibration.runner import PeriodicRunner, RunnerOptions
from advanced_mm.journal import Funding, JournalWriter
from advanced_mm.maker.limits import Limits
from advanced_mm.marketdata.collector.collector import Collector
from advanced_mm.marketdata.store import ShardStore
from advanced_mm.metrics.trading import TradingMetrics
from advanced_mm.parameter_files import ParameterFiles, Settings
from tests.skipped_time import in_skipped_time

ROOT = Path(__file__).parents[2]


@pytest.fixture
def port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def script(name):
    return SimpleNamespace(**runpy.run_path(str(ROOT / "scripts" / f"{name}.py")))


def text_of(port):
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
        return answer.read().decode()


def test_a_collector_is_asked_for_its_metrics(tmp_path, port):
    module = script("hyperliquid_data_collector")
    collector = Collector(ShardStore(tmp_path), ["ETH"], "ws://127.0.0.1:1/ws")
    options = module._parser().parse_args(["--crypto", "ETH", "--metrics-port", str(port)])
    with module._metrics(options, collector):
        assert "advanced_mm_messages_total 0.0\n" in text_of(port)
        collector._recorder._sequence = 7
        assert "advanced_mm_messages_total 7.0\n" in text_of(port)


def test_a_runner_is_asked_for_its_metrics(tmp_path, port):
    module = script("periodic_test_runner")
    files = ParameterFiles(tmp_path)
    runner = PeriodicRunner(RunnerOptions(("ETH",)), Settings(), ShardStore(tmp_path), files)
    args = module._parser().parse_args(["--crypto", "ETH", "--metrics-port", str(port)])
    with module._metrics(args, runner, files):
        assert "advanced_mm_refit_errors_total 0.0\n" in text_of(port)
        runner.refit_all()  # there is no recording
        assert "advanced_mm_refit_errors_total 1.0\n" in text_of(port)


@pytest.mark.parametrize("name", ["hyperliquid_data_collector", "periodic_test_runner"])
@pytest.mark.parametrize("word", ["0", "65536", "here", "-1", "9101.5"])
def test_what_is_no_port_is_refused(name, word, capsys):
    with pytest.raises(SystemExit):
        script(name)._parser().parse_args(["--crypto", "ETH", f"--metrics-port={word}"])
    assert f"{word!r} is no port: give a number from 1 to 65535" in capsys.readouterr().err


def test_without_the_option_nothing_is_offered():
    module = script("hyperliquid_data_collector")
    options = module._parser().parse_args(["--crypto", "ETH"])
    with module._metrics(options, None) as server:
        assert server is None


@in_skipped_time
async def test_a_maker_tells_its_beat_its_inventory_and_its_drawdown(monkeypatch):
    module = runpy.run_path(str(ROOT / "scripts" / "market_maker.py"))
    beat = module["beat"]
    monkeypatch.setitem(beat.__globals__, "BEAT_SECONDS", 0.01)
    keeper = SimpleNamespace(
        setup=SimpleNamespace(limits=Limits(target_inventory=1.0, max_position_value=1000.0)),
        view=lambda: SimpleNamespace(inventory=0.25, mid=400.0),
        guards=SimpleNamespace(account=SimpleNamespace(drawdown_used=0.25)),
        records=SimpleNamespace(coin="SUI", bot="m.hyperliquid"),
        earned=lambda: 12.5,
        exchange=SimpleNamespace(requests_left=lambda: 4321),
    )
    metrics = TradingMetrics("m")
    task = asyncio.create_task(beat(SimpleNamespace(keepers=[keeper]), metrics))
    await asyncio.sleep(0.05)
    task.cancel()
    found = {(s.metric, *s.labels): s.value for s in metrics.samples()}
    assert found["inventory_limit_ratio", "m", "SUI"] == pytest.approx(0.3)
    assert found["drawdown_limit_ratio", "m", "SUI"] == 0.25
    assert found["market_profit_quote", "m.hyperliquid", "SUI"] == 12.5
    assert found["requests_left", "m.hyperliquid"] == 4321
    assert found["loops_total", "m"] >= 2
    assert found["loop_seconds_total", "m"] < 0.05


def test_a_maker_s_events_are_offered_where_a_port_is_set(tmp_path, port):
    watched = runpy.run_path(str(ROOT / "scripts" / "market_maker.py"))["watched"]
    journal = JournalWriter(tmp_path, "m")
    assert watched(SimpleNamespace(name="m", metrics_port=None), journal)[1] is None
    assert journal.listener is None
    _, server = watched(SimpleNamespace(name="m", metrics_port=port), journal)
    with server:
        journal.record(Funding(time_ms=1, coin="SUI", bot="m", amount=0.5))
        assert 'advanced_mm_funding_quote{bot="m",coin="SUI"} 0.5\n' in text_of(port)
    journal.close()
