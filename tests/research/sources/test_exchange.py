"""Candles through the real ccxt client, from a stand-in of Binance on this machine."""

import numpy as np
import pandas as pd
import pytest

from advanced_mm.errors import InputError, VenueError
from advanced_mm.research.candles import CANDLE_COLUMNS
from advanced_mm.research.sources.exchange import CandleCache, exchange_candles, exchange_named
from tests.research.sources.binance import T0_MS, binance

NOW = T0_MS + 3 * 3_600_000 + 1_500  # a second and a half into an hour


@pytest.fixture
def standin():
    with binance() as here:
        yield here


def client(standin, name="binance"):
    exchange = exchange_named(name, {"rateLimit": 1})
    exchange.urls["api"]["public"] = standin.url
    return exchange


def fetch(standin, **kwargs):
    options = {"days": 2.5 / 24, "now_ms": NOW, "sleep": lambda _: None} | kwargs
    return exchange_candles(client(standin), "POL/USDT", **options)


def test_every_column_of_binances_klines_arrives_page_by_page(standin):
    candles = fetch(standin)
    frame = candles.frame
    assert len(frame) == 9000
    assert frame.index[-1] == pd.Timestamp(T0_MS + 3 * 3_600_000, unit="ms", tz="UTC")
    assert (candles.step_seconds, candles.missing, candles.tick) == (1, 0, 1e-4)
    for row in (0, 4321, 8999):
        kline = standin.kline(int(frame.index[row].timestamp() * 1000), 1000)
        wanted = [float(kline[k]) for k in (1, 2, 3, 4, 5, 7, 8, 9, 10)]
        assert frame.iloc[row].to_list() == pytest.approx(wanted)
    assert max(int(query["limit"]) for query in standin.asked) <= 1000
    assert candles.notes == ()


def test_seconds_without_a_kline_are_rows_without_trades_and_counted(standin):
    hole = {T0_MS + 3_600_000 + 1000 * k for k in (10, 11, 12, 500)}
    standin.missing = hole
    candles = fetch(standin)
    rows = candles.frame.loc[pd.to_datetime(sorted(hole), unit="ms", utc=True)]
    before = candles.frame["close"].shift()
    assert candles.missing == 4
    assert (rows[["volume", "trades", "taker_buy_quote_volume"]] == 0).all(axis=None)
    for name in ("open", "high", "low", "close"):
        assert rows[name].iloc[0] == before.loc[rows.index[0]]
    assert candles.notes == (
        "4 of 9000 candles were missing and stand as rows without trades (the longest run: 3).",
    )


def test_a_part_that_is_over_is_asked_for_once(standin, tmp_path):
    cache = CandleCache(tmp_path)
    first = fetch(standin, cache=cache)
    asked = len(standin.asked)
    again = fetch(standin, cache=cache)
    pd.testing.assert_frame_equal(first.frame, again.frame)
    # What lies in the last two minutes is not kept: the hour that has just ended, and the new one.
    assert len(standin.asked) - asked == 5 < asked
    for file in tmp_path.rglob("*.parquet"):
        file.write_bytes(file.read_bytes()[:100])  # cut short by a full disk
    pd.testing.assert_frame_equal(fetch(standin, cache=cache).frame, first.frame)


def test_an_interrupted_download_goes_on_where_it_stopped(standin, tmp_path):
    cache = CandleCache(tmp_path)
    waits = []
    standin.fail_after = 6
    with pytest.raises(VenueError, match=r"after 1 of 4 parts of POL/USDT .*run the same command"):
        fetch(standin, cache=cache, sleep=waits.append)
    assert waits == [1, 2, 4, 8]
    kept = len(standin.asked)
    standin.fail_after = None
    assert len(fetch(standin, cache=cache).frame) == 9000
    assert min(int(query["startTime"]) for query in standin.asked[kept:]) >= T0_MS + 3_600_000


def test_an_unfinished_candle_is_left_out(standin):
    candles = fetch(standin, timeframe="1m", days=1)
    assert candles.step_seconds == 60
    assert int(candles.frame.index[-1].timestamp() * 1000) == T0_MS + 3 * 3_600_000 - 60_000


def test_coin_margined_contracts_give_base_units():
    exchange = exchange_named("binancecoinm")
    kline = [T0_MS, "9", "9", "9", "9", "500", T0_MS + 59_999, "55.5", 7, "200", "22.2", "0"]
    row = exchange.parse_ohlcvs([kline], {"inverse": True})[0]
    assert dict(zip(CANDLE_COLUMNS[4:], row[5:], strict=True)) == {
        "volume": 55.5,
        "quote_volume": None,
        "trades": 7,
        "taker_buy_volume": 22.2,
        "taker_buy_quote_volume": None,
    }


class Plain:
    """Another exchange: six columns, pages of 300, none in between when a page is empty."""

    id = name = "plain"
    precisionMode = 4

    def __init__(self, silent):
        self.silent = silent
        self.timeframes = {"1m": "1m", "1M": "1M"}
        self.markets = {"A/B": {}}

    def load_markets(self, reload=False):
        return self.markets

    def market(self, symbol):
        return {"symbol": symbol, "precision": {"price": 0.5}}

    def parse_timeframe(self, name):
        return {"1m": 60, "1M": 2_592_000}[name]

    def fetch_ohlcv(self, symbol, timeframe, since, limit):
        times = range(since, since + min(limit, 300) * 60_000, 60_000)
        return [[at, 1.0, 2.0, 1.0, 2.0, 5.0] for at in times if at not in self.silent]


def test_other_exchanges_give_prices_and_volume_across_silent_pages():
    day = T0_MS - T0_MS % 86_400_000
    silent = set(range(day + 600_000, day + 600_000 + 400 * 60_000, 60_000))
    found = exchange_candles(Plain(silent), "A-B", "1m", 1, now_ms=day + 86_400_000)
    assert (len(found.frame), found.missing, found.tick) == (1440, 400, 0.5)
    assert found.frame["volume"].sum() == 1040 * 5.0
    assert found.frame[["trades", "quote_volume"]].isna().all(axis=None)
    assert "The exchange's candles do not tell: quote volume, trades" in found.notes[-1]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"timeframe": "7s"}, "--timeframe is '7s', Binance offers: 1s, 1m"),
        ({"timeframe": "1M"}, "--timeframe is '1M'"),
        ({"days": 0}, "--days is 0, must be above 0"),
    ],
)
def test_wrong_options_get_one_sentence(standin, change, words):
    with pytest.raises(InputError, match=words):
        fetch(standin, **change)


def test_an_unknown_pair_or_exchange_is_met_with_the_nearest(standin):
    with pytest.raises(InputError, match=r"'POLL/USDT', which Binance does not list; .*POL/USDT"):
        exchange_candles(client(standin), "POLL/USDT")
    with pytest.raises(InputError, match=r"'binanse', which ccxt does not know; .*binance"):
        exchange_named("binanse")


def test_no_network_is_one_sentence(standin):
    exchange = client(standin)
    exchange.urls["api"]["public"] = "http://127.0.0.1:9/api/v3"
    with pytest.raises(VenueError) as caught:
        exchange_candles(exchange, "POL/USDT")
    assert str(caught.value).startswith("Binance cannot be reached (")
    assert str(caught.value).endswith("--recording, --file.")
    assert "\n" not in str(caught.value)


def test_an_exchange_without_such_old_candles_says_so():
    day = T0_MS - T0_MS % 86_400_000
    everything = set(range(day, day + 2 * 86_400_000, 60_000))
    with pytest.raises(InputError, match=r"A/B \(plain\) has no 1m candles of the last 1 days"):
        exchange_candles(Plain(everything), "A/B", "1m", 1, now_ms=day + 86_400_000)
    late = set(range(day, day + 600_000, 60_000))
    found = exchange_candles(Plain(late), "A/B", "1m", 1, now_ms=day + 86_400_000)
    assert found.notes[0] == "The exchange gave no 1m candles before 2025-09-08 00:10 UTC."
    assert np.isfinite(found.frame["close"]).all()
