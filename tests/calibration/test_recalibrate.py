"""Refits made afterwards equal those of a live runner, and know nothing of what came later."""

import json
import runpy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from advanced_mm.calibration.recalibrate import RecalibrationPlan, recalibrate
from advanced_mm.calibration.recorded_rows import RecordedRows
from advanced_mm.calibration.runner import PeriodicRunner, RunnerOptions
from advanced_mm.errors import InputError
from advanced_mm.marketdata.store import ShardStore
from advanced_mm.parameter_files import ParameterFiles, Settings
from advanced_mm.parameter_files.history import CalibrationHistory
from tests.calibration.test_runner import lay

ROOT = Path(__file__).parents[2]
SETTINGS = Settings(window_minutes=10.0, max_window_minutes=20.0)
LATE_S = 0.7


@pytest.fixture(scope="module")
def market(simulated):
    """Twenty minutes of a market, each row received 0.2 to 0.7 s after its exchange time."""
    found = simulated.simulate(simulated.Market(seconds=1200), seed=5)
    rng = np.random.default_rng(1)
    quotes, trades = (
        replace(rows, local_s=rows.time_ms / 1e3 + rng.uniform(0.2, LATE_S, len(rows)))
        for rows in (found.quotes, found.trades)
    )
    return replace(found, quotes=quotes, trades=trades)


def minute(market, minutes):
    """A moment so long after the market's start, a multiple of 15 s."""
    return (int(market.quotes.time_ms[0]) // 15_000 + 4 * minutes) * 15_000


def stored(folder, market):
    store = ShardStore(folder)
    lay(store, "SIM", market)
    return store


def made(folder, market, settings=SETTINGS, **plan):
    history = CalibrationHistory(folder / "history")
    store = stored(folder / "data", market)
    done = recalibrate(store, "SIM", settings, history, RecalibrationPlan(**plan))
    return done, history.read("SIM").to_pylist()


def known_by(rows, moment_ms):
    return (rows.local_s * 1000 <= moment_ms) & (rows.time_ms <= moment_ms)


def test_each_refit_equals_what_a_live_runner_publishes_on_what_it_had_received(market, tmp_path):
    since, until = minute(market, 12), minute(market, 13)
    _, afterwards = made(tmp_path, market, since_ms=since, until_ms=until)
    now = [0]
    live = CalibrationHistory(tmp_path / "live" / "history")
    store = ShardStore(tmp_path / "live" / "data")
    runner = None
    seen = dict.fromkeys(("quotes", "trades"), None)
    books_before = -1
    for moment in range(since, until + 1, 15_000):
        now[0] = moment
        parts = {}
        for kind in seen:
            rows = getattr(market, kind)
            known = known_by(rows, moment)
            new = known if seen[kind] is None else known & ~seen[kind]
            seen[kind] = known
            parts[kind] = rows.rows(np.flatnonzero(new))
        quotes, books = market.quotes, market.book_time_ms
        before = np.searchsorted(quotes.time_ms, books, "right") - 1
        delay = np.ceil(quotes.local_s * 1000)[before] - quotes.time_ms[before]
        books = books[(books + delay <= moment) & (books > books_before)]
        books_before = books[-1]
        lay(store, "SIM", replace(market, book_time_ms=books, **parts), more=True)
        runner = runner or PeriodicRunner(
            RunnerOptions(("SIM",), window_minutes=10.0, max_window_minutes=20.0),
            SETTINGS,
            store,
            ParameterFiles(tmp_path / "live"),
            live,
            wall_clock=lambda: now[0] / 1000,
        )
        assert not runner.refit_all(hurried=False)
    published = live.read("SIM").to_pylist()
    assert [row["published_at"] for row in published] == [r["published_at"] for r in afterwards]
    assert len({row["kappa+"] for row in published}) == 5  # they do differ from one another
    assert published == afterwards


def test_what_comes_later_changes_nothing_before(market, tmp_path):
    change = minute(market, 15)
    later = {kind: ~known_by(getattr(market, kind), change) for kind in ("quotes", "trades")}

    def dearer(rows, names, mask):
        return replace(
            rows, **{n: np.where(mask, getattr(rows, n) + 3.0, getattr(rows, n)) for n in names}
        )

    changed = replace(
        market,
        quotes=dearer(market.quotes, ["bid", "ask"], later["quotes"]),
        trades=replace(market.trades, side=np.where(later["trades"], 1, market.trades.side)),
    )
    span = {"since_ms": minute(market, 13), "until_ms": minute(market, 17)}
    _, first = made(tmp_path / "a", market, **span)
    _, second = made(tmp_path / "b", changed, **span)
    before = [row["published_at"].timestamp() * 1000 <= change for row in first]
    assert sum(before) == 9
    assert first[:9] == second[:9]
    assert all(one != other for one, other in zip(first[9:], second[9:], strict=True))


def test_a_row_received_later_counts_later(market, tmp_path):
    """A row that was held up is not used until it arrives, and then it is."""
    late, moment = minute(market, 13), minute(market, 12)
    trades = market.trades
    held = (trades.time_ms > moment - 60_000) & (trades.time_ms <= moment)
    assert held.sum() > 50
    delayed = replace(trades, local_s=np.where(held, late / 1000, trades.local_s))
    rows = RecordedRows(stored(tmp_path, replace(market, trades=delayed)), "SIM")
    then = rows.between(0, moment + 5_000).trades
    assert not np.isin(trades.trade_id[held], then.trade_id).any()
    assert np.isin(trades.trade_id[held], rows.between(0, late).trades.trade_id).all()
    assert rows.newest_by(moment) <= moment


def test_made_refits_are_kept_and_the_rest_is_added(market, tmp_path):
    settings = SETTINGS.model_copy(update={"max_window_minutes": 5.0})
    _, at_once = made(tmp_path / "a", market, settings, since_ms=minute(market, 11))
    for until, new, kept in ((13, 9, 0), (13, 0, 9), (15, 8, 9)):
        done, rows = made(
            tmp_path / "b",
            market,
            settings,
            since_ms=minute(market, 11),
            until_ms=minute(market, until),
        )
        assert (done.made, done.kept, done.failed) == (new, kept, 0)
    assert rows == at_once[: len(rows)]


def test_the_last_good_values_are_known_after_a_pause(market, tmp_path):
    quiet = market.trades.rows(np.flatnonzero(market.trades.time_ms < minute(market, 12)))
    thin = replace(market, trades=quiet)
    settings = Settings(window_minutes=5.0, max_window_minutes=5.0)
    made(tmp_path, thin, settings, since_ms=minute(market, 11), until_ms=minute(market, 12))
    _, rows = made(tmp_path, thin, settings, since_ms=minute(market, 18))
    assert {row["kappa_status"] for row in rows[:5]} <= {"ok", "misfit", "bound"}
    assert {row["kappa_status"] for row in rows[5:]} == {"stale"}
    assert rows[-1]["kappa+"] == rows[4]["kappa+"]


def test_refits_made_differently_are_not_mixed(market, tmp_path):
    span = {"since_ms": minute(market, 12), "until_ms": minute(market, 12)}
    made(tmp_path, market, **span)
    with pytest.raises(InputError, match=r"made with window_minutes 10\.0, not 12\.0"):
        made(tmp_path, market, SETTINGS.model_copy(update={"window_minutes": 12.0}), **span)
    (tmp_path / "history" / "SIM" / "made_from.json").unlink()
    with pytest.raises(InputError, match="not made from a recording"):
        made(tmp_path, market, **span)


def test_the_step_of_prices_is_that_of_the_shards_known_by_then(market, tmp_path):
    store = stored(tmp_path, market)
    finer = replace(market.quotes, bid=market.quotes.bid + 0.05)
    for path in (tmp_path / "SIM").rglob("*.parquet"):
        pq.write_table(pq.read_table(path).replace_schema_metadata(None), path)
    rows = RecordedRows(store, "SIM")
    assert rows.between(0, minute(market, 5)).tick == pytest.approx(0.1)
    later = market.quotes.time_ms > minute(market, 6)
    lay(
        store,
        "SIM",
        replace(market, quotes=replace(finer, bid=np.where(later, finer.bid, market.quotes.bid))),
    )
    for path in (tmp_path / "SIM").rglob("*.parquet"):
        pq.write_table(pq.read_table(path).replace_schema_metadata(None), path)
    rows = RecordedRows(store, "SIM")
    assert rows.between(0, minute(market, 5)).tick == pytest.approx(0.1)
    assert rows.between(0, minute(market, 8)).tick == pytest.approx(0.05)


def test_a_silence_is_known_once_it_is_logged(market, tmp_path):
    store = stored(tmp_path, market)
    begins, logged, ends = (minute(market, m) for m in (5, 6, 7))
    log = pa.table(
        {
            "timestamp": [logged / 1000, ends / 1000],
            "event": ["silent", "speaks"],
            "detail": ["trades: no message for 60.0 s", "trades: heard again"],
            "exchange_timestamp": [begins, ends - 200],
        }
    )
    folder = tmp_path / "SIM" / "connections"
    folder.mkdir()
    pq.write_table(log, folder / f"connections_{ends}.parquet")
    rows = RecordedRows(store, "SIM")
    assert rows.between(0, logged - 1000).silences == ()
    (open_one,) = rows.between(0, logged + 1000).silences
    assert (open_one.start_ms, open_one.end_ms) == (begins, None)
    (over,) = rows.between(0, ends + 1000).silences
    assert over.end_ms == ends - 200


def script(*arguments):
    name = ROOT / "scripts" / "recalibrate_recording.py"
    return runpy.run_path(str(name))["main"]([str(a) for a in arguments])


def test_the_script_tells_what_it_made(market, tmp_path, capsys):
    store = stored(tmp_path / "data", market)
    asked = ["--crypto", "sim", "--data-dir", store.data_dir, "--history", tmp_path / "h"]
    asked += ["--config", ROOT / "user_data" / "config.json", "--window", "10", "--step", "60"]
    assert script(*asked, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["coin"], told["window_minutes"], told["step_seconds"]) == ("SIM", 10, 60)
    assert told["refits"] == 20 - told["failed"]
    assert sum(told["statuses"].values()) == told["refits"]
    assert script(*asked) == 0
    assert "SIM: 0 refits" in capsys.readouterr().out
    with pytest.raises(InputError, match="no rows were recorded in the time asked for"):
        script(*asked, "--since", "2001-01-01", "--until", "2001-01-02")
    with pytest.raises(InputError, match="has no recording"):
        script("--crypto", "ABC", *asked[2:])
