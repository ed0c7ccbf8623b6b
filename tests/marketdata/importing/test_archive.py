"""The public archive's files become shards that calibration and conversion read."""

import importlib
import json
import re
import shutil
from pathlib import Path

import fsspec
import numpy as np
import pyarrow.parquet as pq
import pytest

from advanced_mm.errors import InputError
from advanced_mm.marketdata import ShardStore
from advanced_mm.marketdata.importing.archive import fill_files, hours_between
from advanced_mm.marketdata.sharing.locations import Location, LocationError
from advanced_mm.markets.recorded_books import read_books
from advanced_mm.replay.conversion import convert

ROOT = Path(__file__).parents[3]


@pytest.fixture
def script(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    return importlib.import_module("import_recordings")


def asked(archive, data_dir, *more, coins="ETH"):
    return ["archive", "--crypto", coins, "--since", "2025-12-10T21:00", "--until",
            "2025-12-10T22:00", "--books", f"{archive}/books", "--fills", f"{archive}/fills",
            "--data-dir", str(data_dir), *more]  # fmt: skip


def everything(data_dir):
    return {path.relative_to(data_dir): path.read_bytes() for path in data_dir.rglob("*.parquet")}


def test_an_hour_is_imported_once(archive, script, tmp_path, made, capsys):
    market = made.Market()
    assert script.main(asked(archive, tmp_path)) == 0
    recording = ShardStore(tmp_path).read("ETH")
    assert recording.book_time_ms.tolist() == market.time_ms.tolist()
    assert recording.trades.time_ms.tolist() == market.trade_ms.tolist()
    assert np.allclose(recording.trades.price, market.price)
    assert np.allclose(recording.trades.size, market.size)
    assert (recording.trades.side == np.where(market.buys, 1, -1)).all()
    assert (recording.trades.local_s == recording.trades.time_ms / 1000).all()
    assert recording.trades.transaction[0] == recording.trades.transaction[1] != 0
    assert recording.tick == pytest.approx(0.1)
    before = everything(tmp_path)
    assert len(before) == 3
    assert script.main(asked(archive, tmp_path)) == 0
    assert everything(tmp_path) == before
    shown = capsys.readouterr().out
    assert re.search(r"ETH .* trades +. +0 . +1 . +0 . +0 ", shown)


def test_quotes_are_the_tops_of_the_books_and_say_so(archive, script, tmp_path, made):
    market = made.Market()
    script.main(asked(archive, tmp_path, "--only", "books"))
    quotes = ShardStore(tmp_path).read("ETH").quotes
    assert quotes.time_ms.tolist() == market.time_ms.tolist()
    assert np.allclose(quotes.bid, market.mid - 0.05)
    assert np.allclose(quotes.ask_size, 1.5)
    (shard,) = (tmp_path / "ETH/prices").glob("*.parquet")
    notes = pq.read_schema(shard).metadata
    assert notes[b"derived"] == b"best bid and offer of the orderbooks"
    assert notes[b"local_time"] == b"exchange_timestamp"
    assert notes[b"imported_from"].endswith(b"20251210/21/l2Book/ETH.lz4")


def test_one_reading_of_the_fills_serves_several_coins_and_a_later_one_another(
    archive, script, tmp_path
):
    script.main(asked(archive, tmp_path, "--only", "fills", coins="ETH,WLFI"))
    script.main(asked(archive, tmp_path, "--only", "fills", coins="WLFI,BTC"))
    store = ShardStore(tmp_path)
    assert {coin: len(store.read(coin).trades) for coin in store.coins()} == dict.fromkeys(
        ("BTC", "ETH", "WLFI"), 120
    )
    assert len(list((tmp_path / "WLFI/trades").iterdir())) == 1


def test_a_file_that_has_grown_is_read_on_from_its_old_end(script, tmp_path, made):
    market = made.Market(minutes=4)
    name = tmp_path / "a/fills/node_fills_by_block/hourly/20251210/21.lz4"
    lines = market.block_lines()
    made.write(name, lines[:50])
    command = asked(tmp_path / "a", tmp_path / "data", "--only", "fills")
    script.main(command)
    made.write(name, lines)
    script.main(command)
    script.main(command)
    shards = sorted((tmp_path / "data/ETH/trades").iterdir())
    assert [pq.read_metadata(shard).num_rows for shard in shards] == [50, 70]
    assert len(ShardStore(tmp_path / "data").read("ETH").trades) == 120


def test_an_import_killed_between_two_shards_is_taken_up(
    archive, script, tmp_path, monkeypatch, made
):
    whole = tmp_path / "whole"
    script.main(asked(archive, whole))
    written = []
    write = ShardStore.write

    def killed(self, coin, kind, table):
        if len(written) == 1:
            raise KeyboardInterrupt
        written.append(kind)
        return write(self, coin, kind, table)

    with monkeypatch.context() as context:
        context.setattr(ShardStore, "write", killed)
        with pytest.raises(KeyboardInterrupt):
            script.main(asked(archive, tmp_path / "cut"))
    assert len(everything(tmp_path / "cut")) == 1
    script.main(asked(archive, tmp_path / "cut"))
    assert everything(tmp_path / "cut") == everything(whole)


def test_bad_lines_and_unclear_trades_are_counted_and_left_out(script, tmp_path, made, capsys):
    market = made.Market(minutes=1)
    blocks = market.block_lines()
    blocks[0]["events"][1][1]["px"] = "NaN"
    blocks[1]["events"][0][1]["crossed"] = True  # neither party is the one who crossed
    blocks[2]["events"][1][1]["side"] = "C"
    del blocks[3]["events"][1][1]["tid"]
    made.write(
        tmp_path / "a/fills/node_fills_by_block/hourly/20251210/21.lz4",
        [*blocks, ["ETH", {"coin": "ETH"}]],
    )
    script.main(asked(tmp_path / "a", tmp_path / "data", "--only", "fills"))
    assert len(ShardStore(tmp_path / "data").read("ETH").trades) == 26
    assert "left out: 5 bad trades rows (last: " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("folder", "day"), [("node_trades", "20250410"), ("node_fills", "20250610")]
)
def test_the_older_layouts(script, tmp_path, made, folder, day):
    start_ms = int(np.datetime64(f"{day[:4]}-{day[4:6]}-{day[6:]}T05:00", "ms").astype(int))
    market = made.Market(minutes=2, start_ms=start_ms)
    lines = market.trade_lines()
    if folder == "node_fills":
        lines = [fill for fills in market.fills() for fill in fills]
    made.write(tmp_path / f"a/fills/{folder}/hourly/{day}/5.lz4", lines)
    date = f"{day[:4]}-{day[4:6]}-{day[6:]}"
    command = ["archive", "--crypto", "ETH", "--since", f"{date}T05", "--until", f"{date}T06",
               "--fills", f"{tmp_path}/a/fills", "--only", "fills",
               "--data-dir", str(tmp_path / "data")]  # fmt: skip
    script.main(command)
    trades = ShardStore(tmp_path / "data").read("ETH").trades
    assert trades.time_ms.tolist() == market.trade_ms.tolist()
    assert (trades.side == np.where(market.buys, 1, -1)).all()
    assert len(set(trades.trade_id.tolist())) == len(trades)


def test_a_node_s_own_trades_listed_for_both_sides_are_one(script, tmp_path, made):
    market = made.Market(minutes=2, start_ms=1_744_261_200_000)  # 2025-04-10 05:00
    twice = [line | {"side": side} for line in market.trade_lines() for side in ("B", "A")]
    made.write(tmp_path / "a/node_trades/hourly/20250410/5.lz4", twice)
    script.main(["archive", "--crypto", "ETH", "--since", "2025-04-10T05", "--until",
                 "2025-04-10T06", "--fills", f"{tmp_path}/a", "--only", "fills",
                 "--data-dir", str(tmp_path / "data")])  # fmt: skip
    trades = ShardStore(tmp_path / "data").read("ETH").trades
    assert (trades.side == np.where(market.buys, 1, -1)).all()
    assert trades.time_ms.tolist() == market.trade_ms.tolist()


def test_the_hour_in_which_the_layouts_change_is_read_from_both():
    (hour,) = hours_between(1_753_603_200_000, 1_753_603_200_001)  # 2025-07-27 08:00
    assert [file.name for file in fill_files(hour)] == [
        "node_fills/hourly/20250727/8.lz4",
        "node_fills_by_block/hourly/20250727/8.lz4",
    ]
    assert [file.name for file in fill_files(hour + 3_600_000)] == [
        "node_fills_by_block/hourly/20250727/9.lz4"
    ]
    assert fill_files(1_700_000_000_000) == []


def test_what_is_not_there_is_said_in_one_sentence(archive, script, tmp_path, capsys):
    with pytest.raises(InputError, match=r"has no coin 'ETTH' at 2025-12-10 21:00; did you mean"):
        script.main(asked(archive, tmp_path, coins="ETTH"))
    late = [word.replace("T21", "T19").replace("T22", "T20") for word in asked(archive, tmp_path)]
    with pytest.raises(InputError, match="has no snapshots of ETH from 2025-12-10 19:00"):
        script.main(late)
    with pytest.raises(InputError, match="has no fills of that time"):
        script.main([*late, "--only", "fills"])
    with pytest.raises(InputError, match="--until is not after --since"):
        script.main([word.replace("T22", "T20") for word in asked(archive, tmp_path)])
    wider = [word.replace("T22", "T23") for word in asked(archive, tmp_path)]
    script.main(wider)
    assert "20251210/22/l2Book/ETH.lz4" in capsys.readouterr().out


def test_a_second_import_at_the_same_time_is_refused(archive, script, tmp_path):
    from advanced_mm.marketdata.importing.ledger import Ledger

    with Ledger(tmp_path), pytest.raises(InputError, match="another import into"):
        script.main(asked(archive, tmp_path))


def test_over_http(archive, script, tmp_path, serve):
    script.main(asked(serve(archive), tmp_path / "http"))
    script.main(asked(archive, tmp_path / "local"))
    store = ShardStore(tmp_path / "http")
    assert len(store.read("ETH").trades) == 120
    there = {path.name for path in (tmp_path / "http").rglob("*.parquet")}
    assert there == {path.name for path in (tmp_path / "local").rglob("*.parquet")}


def test_from_s3_whose_readers_pay(archive, script, tmp_path, s3):
    bucket = fsspec.filesystem("s3", skip_instance_cache=True)
    bucket.put(str(archive), "lake/", recursive=True)
    url = "s3://lake/" + archive.name
    script.main(asked(url, tmp_path / "s3"))
    assert len(ShardStore(tmp_path / "s3").read("ETH").trades) == 120
    with pytest.raises(InputError, match=r"has no coin 'WLFY' at .*; did you mean WLFI"):
        script.main(asked(url, tmp_path / "s3", coins="WLFY"))
    paying = Location(url, requester_pays=True)
    assert paying._fs.req_kw == {"RequestPayer": "requester"}


def test_snapshots_too_far_apart_to_calibrate_on_are_mentioned(script, tmp_path, made, capsys):
    lines = made.Market(minutes=4).book_lines()[::11]
    made.write(tmp_path / "a/books/20251210/21/l2Book/ETH.lz4", lines)
    script.main(asked(tmp_path / "a", tmp_path / "data", "--only", "books"))
    assert "ETH: snapshots are 5.5 s apart; calibration takes gaps" in capsys.readouterr().out


def test_no_network_is_said_in_one_sentence(script, tmp_path):
    with pytest.raises(LocationError, match="cannot be reached"):
        script.main(asked("http://127.0.0.1:9", tmp_path))


def test_an_imported_recording_is_calibrated_and_becomes_candles(
    made, script, tmp_path, capsys, monkeypatch
):
    data_dir = tmp_path / "data"
    script.main(asked(made.hour(tmp_path / "archive", made.Market(minutes=20)), data_dir))
    kappa = importlib.import_module("test_kappa")
    epsilon = importlib.import_module("test_epsilon")
    capsys.readouterr()
    window = ["--crypto", "ETH", "--data-dir", str(data_dir), "--time-range", "60", "--json"]
    assert kappa.main(window) == 0
    fitted = json.loads(capsys.readouterr().out)["ETH"]
    assert fitted["status"] == "ok"
    assert "not_heard" not in fitted
    assert fitted["kappa+"] == pytest.approx(np.log(2) / 0.1, rel=0.2)
    assert epsilon.main(window) == 0
    assert (
        json.loads(capsys.readouterr().out)["ETH"]["status"] == "bound"
    )  # this market has no impact
    refits = importlib.import_module("recalibrate_recording")
    (tmp_path / "user_data").mkdir()
    shutil.copy(ROOT / "user_data/config.json", tmp_path / "user_data")
    monkeypatch.chdir(tmp_path)
    assert refits.main(["--crypto", "ETH", "--data-dir", str(data_dir), "--step", "300"]) == 0
    assert "refits" in capsys.readouterr().out
    candles = importlib.import_module("recording_to_freqtrade")
    assert candles.main(["--crypto", "ETH", "--data-dir", str(data_dir), "--out",
                         str(tmp_path / "candles")]) == 0  # fmt: skip
    assert re.search(r"touch: (1[89]|20) new minutes", capsys.readouterr().out)
    store = ShardStore(data_dir)
    replayed = convert(store.read("ETH"), read_books(data_dir, "ETH"))
    assert replayed.rows == 2400 + 2400 + 600


def test_a_file_of_several_frames_is_read_and_a_damaged_one_is_refused(script, tmp_path, made):
    market = made.Market(minutes=4)
    name = tmp_path / "a/fills/node_fills_by_block/hourly/20251210/21.lz4"
    lines = market.block_lines()
    halves = [made.write(name, part).read_bytes() for part in (lines[:60], lines[60:])]
    name.write_bytes(halves[0] + halves[1])
    command = asked(tmp_path / "a", tmp_path / "data", "--only", "fills")
    script.main(command)
    assert len(ShardStore(tmp_path / "data").read("ETH").trades) == 120
    for damaged in (halves[0][:-100], b"no frame at all"):
        name.write_bytes(damaged)
        with pytest.raises(InputError, match=r"21\.lz4 cannot be decompressed"):
            script.main(command)
    assert len(ShardStore(tmp_path / "data").read("ETH").trades) == 120
