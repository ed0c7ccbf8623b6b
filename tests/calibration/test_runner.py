"""Periodic refits: missing data are waited for, one coin's error does not affect the others.

Ages are measured on the right clock; thin coins keep a longer window while they need it; every
refit is in the history before it is published; many coins are fast and memory stays flat.
"""

import gc
import json
import logging
import re
import runpy
import shutil
import signal
import statistics
import subprocess
import sys
import time
import tracemalloc
from dataclasses import replace
from itertools import count, pairwise
from pathlib import Path
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from advanced_mm.calibration.runner import PeriodicRunner, RunnerOptions
from advanced_mm.errors import InputError
from advanced_mm.marketdata.store import ShardStore
from advanced_mm.parameter_files import ParameterFiles, Settings
from advanced_mm.parameter_files.history import CalibrationHistory
from advanced_mm.parameter_files.history_rows import parameter_set_of

ROOT = Path(__file__).parents[2]


class TroubledStore(ShardStore):
    """A store that raises for some coins."""

    troubles: ClassVar[dict[str, Exception]] = {}

    def tail(self, coin):
        if coin in self.troubles:
            raise self.troubles[coin]
        return super().tail(coin)


def lay(store, coin, recording, *, more=False):
    """Write a recording as the coin's only (or further) shards, as a tool without a journal."""
    if not more:
        shutil.rmtree(store.data_dir / coin, ignore_errors=True)
    quotes, trades = recording.quotes, recording.trades
    kinds = {
        "prices": {
            "timestamp": np.repeat(quotes.local_s, 2),
            "price": np.column_stack((quotes.bid, quotes.ask)).ravel(),
            "size": np.column_stack((quotes.bid_size, quotes.ask_size)).ravel(),
            "side": ["bid", "ask"] * len(quotes),
            "exchange_timestamp": np.repeat(quotes.time_ms, 2),
        },
        "trades": {
            "timestamp": trades.local_s,
            "price": trades.price,
            "size": trades.size,
            "side": ["buy" if side > 0 else "sell" for side in trades.side],
            "trade_id": [str(i) for i in trades.trade_id],
            "exchange_timestamp": trades.time_ms,
            "hash": [f"0x{int(t) % 2**64:064x}" for t in trades.transaction],
        },
        "orderbooks": {"exchange_timestamp": recording.book_time_ms},
    }
    for kind, columns in kinds.items():
        folder = store.data_dir / coin / kind
        folder.mkdir(parents=True, exist_ok=True)
        if len(columns["exchange_timestamp"]):
            newest = int(columns["exchange_timestamp"][-1])
            table = pa.table(columns).replace_schema_metadata({"tick": str(recording.tick)})
            pq.write_table(table, folder / f"{kind}_{newest}.parquet")


@pytest.fixture(scope="module")
def recording(simulated):
    return simulated.simulate(simulated.Market(), seed=2)


@pytest.fixture
def runner(tmp_path, recording):
    def build(recordings, *, age_s=1.0, history=None, filled_age=lambda _: None, **options):
        """A runner over recordings by coin; None is a coin without a folder."""
        options.setdefault("coins", tuple(recordings))
        store = TroubledStore(tmp_path / "data")
        store.data_dir.mkdir(exist_ok=True)
        store.troubles = {c: r for c, r in recordings.items() if isinstance(r, Exception)}
        for coin, rows in recordings.items():
            if rows is not None and coin not in store.troubles:
                lay(store, coin, rows)
        return PeriodicRunner(
            RunnerOptions(**options),
            Settings(),
            store,
            ParameterFiles(tmp_path),
            history,
            wall_clock=lambda: recording.newest_ms / 1000 + age_s,
            filled_age=filled_age,
        )

    return build


def status(directory, coin):
    return json.loads((directory / "kappa.json").read_text())[coin]["status"]


def test_refit_publishes_and_logs_one_line(runner, recording, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    runner({"SIM": recording}).run_once()
    assert status(tmp_path, "SIM") == "ok"
    lines = [r.getMessage() for r in caplog.records if r.name.endswith("calibration.runner")]
    assert len(lines) == 1
    for word in ("SIM", "lambda", "kappa", "epsilon_fill", "beta", "status ok", "cost"):
        assert word in lines[0]


def test_what_was_published_is_told_with_its_cost_and_the_clocks(runner, recording, tmp_path):
    told, errors = [], []
    one = runner({"SIM": recording, "BAD": InputError("no such data")})
    one.on_published = lambda *refit: told.append(refit)
    one.on_errors = errors.append
    one.refit_all()
    ((parameters, seconds, offset),) = told
    assert parameters.coin == "SIM"
    assert 0 < seconds < 60
    assert abs(offset) < 1
    assert errors == [1]
    (tmp_path / "kappa.json").unlink()
    (tmp_path / "kappa.json").mkdir()  # nothing can be published
    one.refit_all()
    assert (len(told), errors) == (1, [1, 2])


def test_a_journal_that_cannot_be_read_stops_no_refit(runner, recording, tmp_path, caplog):
    def unreadable(coin):
        raise PermissionError(f"journal of {coin}")

    runner({"SIM": recording}, filled_age=unreadable).run_once()
    (entry,) = json.loads((tmp_path / "value_function.json").read_text())["SIM"]
    assert entry["quote_age_seconds"] == Settings().oldest_quote_seconds()
    assert "the age of filled quotes cannot be read: journal of SIM" in caplog.text


def test_bad_rows_cost_themselves_and_are_counted_in_the_line(runner, recording, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    size = recording.trades.size.copy()
    size[[40, 70]] = np.nan
    spoilt = replace(recording, trades=replace(recording.trades, size=size))
    refits = runner({"SIM": spoilt, "CLEAN": recording})
    refits.run_once()
    told = "2 bad trades rows (last: row 70: price"
    infos = [r.getMessage() for r in caplog.records if r.levelno == logging.INFO]
    (line,) = [text for text in infos if text.startswith("SIM lambda")]
    assert told in line
    assert "status ok" in line
    assert not any("bad" in text for text in infos if text.startswith("CLEAN"))
    refits.run_once()
    warnings = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert len([text for text in warnings if told in text]) == 1
    spoilt_entry, entry = (
        json.loads((tmp_path / "lambda.json").read_text())[coin] for coin in ("SIM", "CLEAN")
    )
    assert entry["n+"] + entry["n-"] - 2 <= spoilt_entry["n+"] + spoilt_entry["n-"]


@pytest.mark.parametrize(
    "trouble", [None, InputError("A: no shards"), np.linalg.LinAlgError("singular"), OSError("io")]
)
def test_one_coin_in_trouble_does_not_stop_the_others(runner, recording, tmp_path, caplog, trouble):
    errors = runner({"A": trouble, "SIM": recording}).refit_all()
    assert len(errors) == 1
    assert status(tmp_path, "SIM") == "ok"
    assert "A" in caplog.text


def test_repeated_trouble_is_told_once(runner, caplog):
    waiting = runner({"A": None})
    for _ in range(3):
        waiting.refit_all()
    assert caplog.text.count("'A' has no recording") == 1


@pytest.mark.parametrize("name", ["KPEPE", "KPEPE/USDC:USDC", "kPEPE"])
def test_the_recording_tells_which_coin_is_meant_once_it_is_there(
    runner, recording, tmp_path, caplog, name
):
    waiting = runner({"kPEPE": None}, coins=(name, "SIM"))
    lay(ShardStore(tmp_path / "data"), "SIM", recording)
    for _ in range(2):
        (error,) = waiting.refit_all()
        assert f"{name!r} has no recording" in str(error)
    lay(ShardStore(tmp_path / "data"), "kPEPE", recording)
    assert waiting.refit_all() == []
    assert set(json.loads((tmp_path / "kappa.json").read_text())) == {"SIM", "kPEPE"}
    shutil.rmtree(tmp_path / "data" / "kPEPE")  # known once, known for good
    lay(ShardStore(tmp_path / "data"), "KPEPE", recording)
    waiting.refit_all()
    assert set(json.loads((tmp_path / "kappa.json").read_text())) == {"SIM", "kPEPE"}


def test_a_coin_named_twice_is_fitted_once(runner, recording, caplog):
    caplog.set_level(logging.INFO)
    assert runner({"kPEPE": recording}, coins=("kPEPE", "KPEPE/USDC:USDC")).refit_all() == []
    assert caplog.text.count("kPEPE lambda") == 1


def test_a_wrong_name_gets_the_right_one_in_the_answer(runner, recording):
    (error,) = runner({"kPEPE": recording}, coins=("PEPE",)).refit_all()
    assert "did you mean kPEPE" in str(error)


def test_missing_data_is_waited_for(tmp_path, recording, caplog):
    files = ParameterFiles(tmp_path / "out")
    store = ShardStore(tmp_path / "not yet")
    waiting = PeriodicRunner(RunnerOptions(coins=("SIM",)), Settings(), store, files)
    assert waiting.refit_all()
    assert "not yet" in caplog.text
    assert not files.directory.exists()
    with pytest.raises(InputError, match="not yet"):
        waiting.run_once()


def test_coin_without_rows_is_waited_for(runner, recording, make_recording):
    errors = runner({"A": replace(make_recording(), coin="A")}).refit_all()
    assert "no rows" in str(errors[0])


def test_old_rows_are_no_ground_for_a_quote(runner, recording, tmp_path):
    runner({"SIM": recording}, age_s=29.0).run_once()
    assert status(tmp_path, "SIM") == "ok"
    runner({"SIM": recording}, age_s=31.0).run_once()
    assert status(tmp_path, "SIM") == "stale"


@pytest.mark.parametrize("ahead_s", [180.0, -180.0])
@pytest.mark.parametrize(("silent_s", "fitted"), [(20.0, True), (120.0, False)])
def test_a_clock_that_is_minutes_off_is_named_and_changes_no_age(
    runner, recording, tmp_path, caplog, ahead_s, silent_s, fitted
):
    quotes, trades = recording.quotes, recording.trades
    received = replace(
        recording,
        quotes=replace(quotes, local_s=quotes.local_s + ahead_s),
        trades=replace(trades, local_s=trades.local_s + ahead_s),
    )
    runner({"SIM": received}, age_s=ahead_s + silent_s).run_once()
    assert (status(tmp_path, "SIM") == "ok") is fitted
    side = "ahead of" if ahead_s > 0 else "behind"
    assert f"clock is about 180 s {side} the venue's" in caplog.text
    assert fitted or "newest row is 120 s old" in caplog.text


def test_a_clock_that_is_wrong_again_is_warned_of_again(runner, recording, caplog):
    periodic = runner({"SIM": recording})
    for ahead_s, warnings in ((20.0, 1), (20.0, 1), (0.1, 1), (-20.0, 2), (0.0, 2), (20.0, 3)):
        periodic._watch_clocks("SIM", ahead_s)
        told = [r for r in caplog.records if "clock is about" in r.message and r.levelno >= 30]
        assert len(told) == warnings
    assert "messages arrive late" in told[0].message and "late" not in told[1].message


@pytest.mark.parametrize("minutes", ["window_minutes", "max_window_minutes"])
@pytest.mark.parametrize("length", [0.0, float("nan"), float("inf")])
def test_a_length_of_time_is_a_number(minutes, length):
    with pytest.raises(InputError, match=minutes):
        RunnerOptions(coins=("A",), **{minutes: length})


def test_fast_market_s_ages_count_against_the_newest_exchange_time(runner, recording, tmp_path):
    half = recording.trades.time_ms <= recording.quotes.time_ms[len(recording.quotes) // 2]
    middle = int(recording.trades.time_ms[half][-1])
    early = replace(
        recording,
        coin="OLD",
        quotes=_until(recording.quotes, middle),
        trades=_until(recording.trades, middle),
        book_time_ms=recording.book_time_ms[recording.book_time_ms <= middle],
    )
    runner({"SIM": recording, "OLD": early}, age_s=1e6, market_clock=True).run_once()
    assert status(tmp_path, "SIM") == "ok"
    assert status(tmp_path, "OLD") == "insufficient"


def test_a_channel_that_falls_silent_is_told_of_once_and_heals(runner, recording, tmp_path, caplog):
    trades = recording.trades
    kept = trades.time_ms < recording.newest_ms - 300_000
    deaf = replace(recording, trades=type(trades)(*(a[kept] for a in vars(trades).values())))
    caplog.set_level(logging.INFO)
    refitting = runner({"SIM": deaf})
    for _ in range(3):
        refitting.refit_all()
    entry = ParameterFiles(tmp_path).read("SIM").lambda_
    assert (entry.status, entry.silent) == ("stale", "trades")
    assert entry.observed_seconds == pytest.approx(1500, abs=5)
    assert entry.fitted_at.timestamp() == pytest.approx(recording.newest_ms / 1000 - 300, abs=5)
    told = [
        r.getMessage() for r in caplog.records if "nothing received on trades since" in r.message
    ]
    assert len(told) == 1
    line = next(m for m in caplog.messages if "status stale" in m)
    assert re.search(r"observed 1[45]\d\d s \(not heard: trades (299|30\d) s\)", line)
    lay(ShardStore(tmp_path / "data"), "SIM", recording)
    again = runner({"SIM": recording})
    again._warned = refitting._warned
    again.refit_all()
    assert ParameterFiles(tmp_path).read("SIM").lambda_.silent is None
    assert status(tmp_path, "SIM") == "ok"
    assert "SIM: all channels are active again" in caplog.text


def test_a_coin_whose_rows_end_while_another_s_go_on_is_in_doubt(runner, recording, tmp_path):
    """Without a record of it: three minutes behind the other coin's."""
    both = {"SIM": recording, "BTC": recording}
    runner(both).run_once()
    assert ParameterFiles(tmp_path).read("BTC").kappa.silent is None
    early = between(recording, 0, recording.newest_ms - 180_000)
    runner({"SIM": recording, "BTC": early}).run_once()
    files = ParameterFiles(tmp_path)
    assert files.read("SIM").kappa.silent is None
    assert (files.read("BTC").kappa.status, files.read("BTC").kappa.silent) == (
        "stale",
        "bbo, l2Book, trades",
    )
    runner({"SIM": early, "BTC": early}).run_once()  # nothing comes at all: stale, not in doubt
    assert files.read("BTC").kappa.silent is None
    assert status(tmp_path, "BTC") == "stale"


def _until(records, end_ms):
    keep = records.time_ms <= end_ms
    return type(records)(*(getattr(records, f)[keep] for f in records.__dataclass_fields__))


def between(recording, start_ms, end_ms):
    def cut(records):
        keep = (records.time_ms > start_ms) & (records.time_ms <= end_ms)
        return type(records)(*(array[keep] for array in vars(records).values()))

    books = recording.book_time_ms
    return replace(
        recording,
        quotes=cut(recording.quotes),
        trades=cut(recording.trades),
        book_time_ms=books[(books > start_ms) & (books <= end_ms)],
    )


def test_a_new_process_goes_on_from_the_published_fit(runner, recording, simulated, tmp_path):
    runner({"SIM": recording}).run_once()
    thin = simulated.simulate(simulated.Market(seconds=200), seed=1)
    runner({"SIM": thin}, age_s=-1600.0).run_once()
    assert status(tmp_path, "SIM") == "stale"


def test_file_that_is_not_json_is_left_alone(runner, recording, tmp_path, caplog):
    (tmp_path / "kappa.json").write_text("{ half")
    assert runner({"SIM": recording}).refit_all()
    assert (tmp_path / "kappa.json").read_text() == "{ half"
    assert "kappa.json" in caplog.text


def test_repeats_until_stopped(runner, recording, tmp_path):
    fast = runner({"SIM": recording}, interval_seconds=0.05)
    calls = []
    original = fast.refit_all

    def counted():
        calls.append(time.monotonic())
        if len(calls) == 3:
            fast.stop()
        return original()

    fast.refit_all = counted
    fast.run()
    assert len(calls) == 3


@pytest.mark.parametrize(
    "options", [{"coins": ()}, {"interval_seconds": 0.0}, {"window_minutes": float("nan")}]
)
def test_options_out_of_range_are_refused(options):
    with pytest.raises(InputError):
        RunnerOptions(**{"coins": ("ETH",), **options})


def test_named_coins_are_fitted_with_the_configured_settings(simulated, tmp_path):
    """--crypto takes the place of the configured pairs; block_seconds still counts."""
    market = simulated.Market(rate=5)
    lay(ShardStore(tmp_path / "data"), "SIM", simulated.simulate(market, seed=2))
    main = runpy.run_path(str(ROOT / "scripts/periodic_test_runner.py"))["main"]
    config, rates = tmp_path / "config.json", []
    for block_seconds in (None, 0.1):
        settings = {"block_seconds": block_seconds}
        pairs = {"pair_whitelist": ["ETH/USDC:USDC"]}
        config.write_text(json.dumps({"market_making": settings, "exchange": pairs}))
        options = ["--once", "--market-clock", "--crypto", "SIM", "--config", str(config)]
        options += ["--data-dir", str(tmp_path / "data"), "--output-dir", str(tmp_path / "out")]
        assert main(options) == 0
        published = json.loads((tmp_path / "out" / "lambda.json").read_text())
        assert set(published) == {"SIM"}
        rates.append(published["SIM"]["lambda+"] / market.printed_rate)
    assert rates == pytest.approx([0.81, 1.0], abs=0.04)


def test_every_refit_is_in_the_history_before_it_is_published(runner, recording, tmp_path):
    history = CalibrationHistory(tmp_path / "history")
    periodic = runner({"SIM": recording, "TWO": recording}, history=history)
    periodic._wall_clock = count(recording.newest_ms / 1000).__next__
    seen = []

    def publish(sets):
        seen.append({coin: history.read(coin).num_rows for coin in sets})

    periodic._files.publish = publish
    periodic.refit_all()
    periodic.refit_all()
    assert seen == [{"SIM": 1, "TWO": 1}, {"SIM": 2, "TWO": 2}]  # and one publication a round
    periodic.run_once()
    assert not list((tmp_path / "history").rglob("*.jsonl"))


def test_what_is_published_is_what_the_history_tells(runner, recording, tmp_path):
    history = CalibrationHistory(tmp_path / "history")
    runner({"SIM": recording}, history=history).run_once()
    (row,) = history.read("SIM").to_pylist()
    published = ParameterFiles(tmp_path).read("SIM")
    assert replace(published, value_functions=()) == parameter_set_of("SIM", row)
    assert row["value_rate"] == published.value_functions[0].value_rate


def test_a_history_that_cannot_be_written_does_not_stop_the_publication(
    runner, recording, tmp_path, caplog
):
    (tmp_path / "history").write_text("in the way")
    periodic = runner({"SIM": recording}, history=CalibrationHistory(tmp_path / "history"))
    for _ in range(3):
        assert "cannot be written" in str(periodic.refit_all()[0])
        assert status(tmp_path, "SIM") == "ok"
    assert caplog.text.count("cannot be written") == 1


def test_a_round_longer_than_an_interval_publishes_what_it_has(runner, recording, tmp_path):
    coins = dict.fromkeys("ABC", recording)
    periodic = runner(coins, interval_seconds=1e-6)
    published = []
    periodic._files.publish = lambda sets: published.append(set(sets))
    periodic.refit_all()
    assert published == [{"A"}, {"B"}, {"C"}]


def test_a_thin_coin_s_window_is_grown_and_reported(runner, simulated, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    market = simulated.Market(rate=0.05, seconds=7200, realistic=True, sweep_probability=0.4)
    thin = simulated.simulate(market, seed=8)
    middle = thin.newest_ms - 30 * 60_000
    periodic = runner({"SIM": thin}, age_s=5400.0)
    lay(ShardStore(tmp_path / "data"), "SIM", between(thin, 0, middle))  # in two shards a kind
    lay(ShardStore(tmp_path / "data"), "SIM", between(thin, middle, thin.newest_ms), more=True)
    periodic.run_once()
    entry = ParameterFiles(tmp_path).read("SIM").kappa
    assert (entry.status, entry.window_seconds, entry.window_grown) == ("ok", 7200, True)
    assert "window 120 min" in caplog.text
    never = runner({"SIM": thin}, age_s=5400.0, max_window_minutes=30.0)
    never.run_once()
    assert "window 30 min" in caplog.text


def test_memory_stays_flat_while_the_market_goes_on(runner, simulated, tmp_path):
    """What is held after every eighth round, just packed, does not rise over 60 of them."""
    recording = simulated.simulate(simulated.Market(seconds=1500), seed=9)
    store, coins = ShardStore(tmp_path / "data"), ("A",)
    start, window_ms = int(recording.quotes.time_ms[0]) - 1, 600_000
    periodic = runner(dict.fromkeys(coins), window_minutes=10.0, max_window_minutes=10.0)
    periodic._history = CalibrationHistory(tmp_path / "history")
    for at in range(start, start + window_ms, 15_000):
        for coin in coins:
            lay(store, coin, between(recording, at, at + 15_000), more=True)
    periodic.refit_all()
    held = []
    tracemalloc.start()
    try:
        for round_ in range(60):
            at = start + window_ms + round_ * 15_000
            for coin in coins:
                lay(store, coin, between(recording, at, at + 15_000), more=True)
            assert periodic.refit_all() == []
            if periodic._windows["A"].rolling._held.additions % 8 == 0:
                gc.collect()
                held.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    assert len(held) >= 6
    # A leak rises each time. What rises once is the process's own, such as the table of names that
    # Python keeps and enlarges by 8 MB at a time after a thousand tests.
    rises = [after - before for before, after in pairwise(held[1:])]
    assert statistics.median(rises) < 0.02 * held[1]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_the_process_cleanly(tmp_path, number):
    config = tmp_path / "config.json"
    config.write_text('{"exchange": {"pair_whitelist": ["ETH/USDC:USDC"]}}')
    command = [sys.executable, "scripts/periodic_test_runner.py", "--config", str(config)]
    command += ["--data-dir", str(tmp_path / "none"), "--output-dir", str(tmp_path / "out")]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    said = ""
    while "none" not in said:  # it waits for the data
        line = process.stderr.readline()
        assert line, said
        said += line
    process.send_signal(number)
    _, rest = process.communicate(timeout=30)
    assert process.returncode == 0, said + rest
    assert "stopped" in rest
    assert not (tmp_path / "out").exists()
