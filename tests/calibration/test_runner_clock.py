"""When the runner's rounds are due."""

import datetime
import time
from types import SimpleNamespace

import pytest
import schedule

from advanced_mm.calibration.runner import PeriodicRunner, RunnerOptions
from advanced_mm.marketdata.store import ShardStore
from advanced_mm.parameter_files import ParameterFiles, Settings


def test_rounds_go_on_while_the_clock_is_set_back(tmp_path, monkeypatch):
    """Local time repeats an hour when summer time ends: it plays no part in when a round is due.

    Rounds of 3 s every 15 s, the third of 40 s; the wall clock goes back an hour in the second.
    """
    clock, rounds, slept = [0.0], [], []
    options = RunnerOptions(coins=("SIM",), interval_seconds=15.0)
    store, files = ShardStore(tmp_path), ParameterFiles(tmp_path)
    periodic = PeriodicRunner(options, Settings(), store, files)
    before_the_change = 1_792_889_990.0  # 2026-10-25 02:59:50 in Berlin

    def wall():
        return before_the_change + clock[0] - (3600.0 if clock[0] > 16 else 0.0)

    class LocalTime(datetime.datetime):
        @classmethod
        def now(cls, tz=None):
            return cls.fromtimestamp(wall(), tz)

    def sleep(seconds):
        assert seconds > 0
        slept.append(seconds)
        clock[0] += seconds

    def refit():
        rounds.append(clock[0])
        clock[0] += 40.0 if len(rounds) == 3 else 3.0
        if len(rounds) == 6:
            periodic.stop()

    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(time, "time", wall)
    monkeypatch.setattr(time, "sleep", sleep)
    local_clock = SimpleNamespace(datetime=LocalTime, timedelta=datetime.timedelta)
    monkeypatch.setattr(schedule, "datetime", local_clock)
    periodic.refit_all = refit
    try:
        periodic.run()
    finally:
        monkeypatch.undo()
        time.tzset()
    assert rounds == pytest.approx([0, 15, 30, 75, 90, 105], abs=1e-6)
    assert max(slept) <= 0.2  # a stop is noticed soon
