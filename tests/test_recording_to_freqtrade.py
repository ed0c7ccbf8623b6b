"""The script that makes candles: Freqtrade's own files, continued as the recording grows."""

import runpy
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from freqtrade.configuration import TimeRange
from freqtrade.data.history import load_pair_history
from freqtrade.enums import CandleType

from advanced_mm.errors import InputError
from advanced_mm.marketdata.records import Trades
from advanced_mm.marketdata.store import ShardStore
from advanced_mm.markets.candle_notes import CandleNotes
from tests.calibration.test_runner import lay
from tests.markets.test_recorded_candles import T0, recording

pytestmark = pytest.mark.filterwarnings("ignore::pandas.errors.Pandas4Warning")  # Freqtrade's

main = runpy.run_path(str(Path(__file__).parents[1] / "scripts/recording_to_freqtrade.py"))["main"]
PAIR = "ETH/USDC:USDC"


def market(seconds):
    prints = [(k * 700, 100.0 + 0.1 * (k % 7), 1.0) for k in range(seconds * 10 // 7)]
    return recording(prints, seconds, mid=lambda k: 100.05 + 0.1 * (k % 3), holes=[(200, 210)])


@pytest.fixture
def data_dir(tmp_path):
    """Five minutes with a hole of ten seconds in the fourth."""
    lay(ShardStore(tmp_path / "HL_data"), "ETH", market(310))
    return tmp_path / "HL_data"


@pytest.fixture
def convert(data_dir, tmp_path):
    def run(*options):
        where = ["--data-dir", str(data_dir), "--out", str(tmp_path / "data")]
        return main(["--crypto", "eth", *where, *options])

    return run


def candles(folder, timeframe, candle_type=CandleType.FUTURES):
    return load_pair_history(
        PAIR, timeframe, folder, candle_type=candle_type, fill_up_missing=False
    )


def starts(frame):
    return ((frame["date"].to_numpy("datetime64[ms]").astype(np.int64) - T0) // 1000).tolist()


def test_freqtrade_reads_both_kinds_of_both_lengths(convert, tmp_path, capsys):
    assert convert("--funding-rate", "0.0001") == 0
    for kind in ("touch", "through"):
        folder = tmp_path / "data" / kind
        assert starts(candles(folder, "1m")) == [0, 60, 120, 240]
        seconds = starts(candles(folder, "1s"))
        assert seconds == [k for k in range(309) if not 199 <= k < 210]
        rates = candles(folder, "1h", CandleType.FUNDING_RATE)
        whole_hour = rates["date"] == rates["date"].dt.floor("1h")
        assert whole_hour.sum() == 1
        assert rates["funding_rate"].tolist() == [0.0001 if due else 0.0 for due in whole_hour]
        notes = CandleNotes.read(folder)
        assert notes.kind == kind
        assert notes.pairs[PAIR].minutes == 4
        assert len(notes.pairs[PAIR].left_out) == 1
    touch, through = (candles(tmp_path / "data" / kind, "1s") for kind in ("touch", "through"))
    assert (touch["high"] - through["high"]).max() == pytest.approx(0.1)
    assert (touch["open"] == through["open"]).all()
    told = capsys.readouterr().out
    assert "4 new minutes, 4 in all" in told
    assert "left out, as not observed from start to end: 1 minutes" in told


def test_any_part_of_the_candles_has_what_funding_is_taken_from(convert, tmp_path):
    """Freqtrade cuts the time of a backtest out of the hours, and stops if nothing is left."""
    convert()
    folder = tmp_path / "data" / "touch"
    cut = TimeRange("date", "date", T0 // 1000 + 60, T0 // 1000 + 180)
    marks, rates = (
        load_pair_history(PAIR, "1h", folder, candle_type=kind, timerange=cut, fill_up_missing=fill)
        for kind, fill in ((CandleType.FUTURES, True), (CandleType.FUNDING_RATE, False))
    )
    assert len(marks) == 1
    assert marks["date"].iloc[0].minute == 0
    assert len(rates) == 2


def test_it_continues_where_it_ended(convert, data_dir, tmp_path, capsys):
    convert()
    longer = market(400)
    late, traded = longer.quotes.time_ms >= T0 + 310_000, longer.trades.time_ms >= T0 + 310_000
    trades = Trades(*(column[traded] for column in vars(longer.trades).values()))
    quotes, books = longer.quotes.rows(np.flatnonzero(late)), longer.book_time_ms[late]
    news = replace(longer, quotes=quotes, trades=trades, book_time_ms=books)
    lay(ShardStore(tmp_path / "news"), "ETH", news)
    shutil.copytree(tmp_path / "news", data_dir, dirs_exist_ok=True)
    capsys.readouterr()
    convert()
    assert "touch: 1 new minutes, 5 in all" in capsys.readouterr().out
    grown = candles(tmp_path / "data" / "touch", "1s")
    convert("--rebuild")
    assert "touch: 5 new minutes, 5 in all" in capsys.readouterr().out
    assert grown.equals(candles(tmp_path / "data" / "touch", "1s"))


def test_what_cannot_be_done_is_said(convert, tmp_path, data_dir):
    with pytest.raises(InputError, match="--funding-rate is 1"):
        convert("--funding-rate", "1")
    with pytest.raises(InputError, match="coin 'DOGE' has no recording"):
        convert("--crypto", "DOGE")
    downloaded = tmp_path / "data" / "touch"
    (downloaded / "futures").mkdir(parents=True)
    with pytest.raises(InputError, match="not of the kind 'touch' from a recording"):
        convert("--kind", "touch")
    convert("--kind", "through")
    (tmp_path / "data" / "through").rename(tmp_path / "data" / "moved")
    downloaded.joinpath("futures").rmdir()
    downloaded.rmdir()
    (tmp_path / "data" / "moved").rename(downloaded)
    with pytest.raises(InputError, match="not of the kind 'touch' from a recording"):
        convert("--kind", "touch")


def test_two_recordings_are_not_mixed(convert, data_dir, tmp_path):
    convert()
    data_dir.rename(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="were made of"):
        convert("--data-dir", str(tmp_path / "elsewhere"))
    assert convert("--data-dir", str(tmp_path / "elsewhere"), "--rebuild") == 0


def test_too_short_a_recording_is_refused(tmp_path):
    lay(ShardStore(tmp_path / "HL_data"), "ETH", recording(seconds=50))
    with pytest.raises(InputError, match="no minute of the recording"):
        main(["--crypto", "ETH", "--data-dir", str(tmp_path / "HL_data"), "--out", str(tmp_path)])


def test_broken_notes_are_named(convert, tmp_path):
    convert()
    (tmp_path / "data" / "touch" / "recording.json").write_text('{"kind": "other"}')
    with pytest.raises(InputError, match=r"recording\.json: kind: .*make its candles again"):
        convert()
