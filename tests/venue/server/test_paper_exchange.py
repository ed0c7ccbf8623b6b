"""The venue as a process: what it prints, writes and refuses, and Freqtrade trading on it."""

import contextlib
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from advanced_mm.errors import InputError
from advanced_mm.marketdata.store import ShardStore
from advanced_mm.markets.candles import MINUTE_MS
from advanced_mm.venue.conditions.opening import VenueOptions, market_recipes, open_venue

ROOT = Path(__file__).parents[3]
SCRIPT = ROOT / "scripts" / "paper_exchange.py"
RECORDINGS = ROOT.parent / "shared" / "hyperliquid"
FREQTRADE = Path(sys.executable).with_name("freqtrade")
NOW_MS = 1_800_000_030_000

recorded = [
    pytest.mark.recorded,
    pytest.mark.skipif(not RECORDINGS.is_dir(), reason="the recordings are not on this machine"),
]


@contextlib.contextmanager
def venue_process(*arguments):
    """The script as a child; yields it and the addresses from its first line."""
    process = subprocess.Popen(
        [sys.executable, SCRIPT, "--port", "0", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process, json.loads(process.stdout.readline())
    finally:
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=60)


def refused(*arguments):
    done = subprocess.run(
        [sys.executable, SCRIPT, *map(str, arguments)], capture_output=True, text=True, timeout=200
    )
    assert "Traceback" not in done.stderr
    assert done.returncode == 2
    return done.stderr.splitlines()[-1]


def opened(now_ms, **options):
    """The venue of some options, at its opening."""
    chosen = VenueOptions(**options)
    recipes = market_recipes(chosen, now_ms)
    return open_venue(recipes, now_ms, chosen.rules, chosen.history_dir).exchange.venue


def health(addresses):
    with urllib.request.urlopen(addresses["rest"] + "/health", timeout=30) as answer:
        return json.load(answer)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_announces_where_it_listens_and_stops_cleanly_on_a_signal(number):
    with venue_process("--history-minutes", 1) as (process, addresses):
        assert addresses["event"] == "listening"
        port = addresses["rest"].removeprefix("http://127.0.0.1:")
        assert addresses["ws"] == f"ws://127.0.0.1:{port}/ws"
        assert health(addresses)["coins"] == ["ETH"]
        process.send_signal(number)
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0
        assert "Traceback" not in errors


def test_speed_runs_the_market_faster_and_the_duration_counts_market_time():
    started = time.monotonic()
    with venue_process("--history-minutes", 1, "--speed", 60, "--duration-minutes", 5) as (
        process,
        addresses,
    ):

        def speed():
            first, first_s = health(addresses)["market_time_ms"], time.monotonic()
            time.sleep(0.3)
            last, last_s = health(addresses)["market_time_ms"], time.monotonic()
            return (last - first) / 1000 / (last_s - first_s)

        # A busy machine may hold up either process meanwhile.
        assert any(speed() == pytest.approx(60, rel=0.25) for _ in range(30))
        assert process.wait(timeout=60) == 0
        assert time.monotonic() - started > 5.0


def test_coins_of_every_spelling_and_exchange_are_served():
    coins = "KPEPE,XYZ-XYZ100/USDC:USDC,eth"
    with (
        venue_process("--coins", coins, "--history-minutes", 1) as (_, addresses),
        urllib.request.urlopen(addresses["rest"] + "/health", timeout=30) as answer,
    ):
        assert json.load(answer)["coins"] == ["kPEPE", "xyz:XYZ100", "ETH"]


def test_a_taken_port_and_other_bad_input_end_in_one_sentence_and_exit_code_2(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert f"port {port} " in refused("--port", port, "--history-minutes", 0)
    missing = tmp_path / "nowhere"
    assert str(missing) in refused("--replay", missing)
    unknown = refused("--coins", "ETH,NOPE")
    assert "'NOPE'" in unknown
    assert "kPEPE" in unknown
    assert "--coins BTC conflicts with --scenario" in refused(
        "--coins", "BTC", "--scenario", missing
    )


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("coins", ("E/TH",)),
        ("coins", ("",)),
        ("coins", ()),
        ("coins", ("ETH", "BTC", "ETH")),
        ("seed", -1),
        ("history_minutes", -1.0),
        ("history_minutes", float("nan")),
        ("history_minutes", 1e6),
        ("volatility", -0.1),
        ("volatility", float("nan")),
    ],
)
def test_options_out_of_range_are_refused_by_name(field, value):
    with pytest.raises(InputError, match=field.partition("_")[0].rstrip("s")):
        VenueOptions(**{field: value})


def test_volatility_scales_the_diffusion_alone():
    usual, calm = (
        market_recipes(VenueOptions(coins=("ETH", "BTC"), volatility=factor), NOW_MS)
        for factor in (1.0, 0.25)
    )
    for one, other in zip(usual, calm, strict=True):
        assert other.synthetic == replace(one.synthetic, sigma=one.synthetic.sigma / 4)


def test_the_market_has_a_past_of_its_own_and_candles_reach_back_5000_minutes_before_it():
    venue = opened(NOW_MS, history_minutes=10)
    market = venue.markets["ETH"]
    assert venue.now_ms == NOW_MS
    assert len(market.recent) == 30
    bars = market.candles.snapshot("1m", 0, NOW_MS)
    assert len(bars) == 5_000
    assert {b.open_ms - a.open_ms for a, b in itertools.pairwise(bars)} == {MINUTE_MS}
    assert bars[-1].open_ms == NOW_MS - NOW_MS % MINUTE_MS
    # The made-up bars join the market's first price and move about as much as it does.
    returns = np.abs(np.diff(np.log([bar.close for bar in bars])))
    made_up, own = returns[: 5_000 - 12], returns[-10:]
    assert 0.3 < np.mean(own) / np.mean(made_up) < 3


def test_the_past_is_laid_as_shards_that_hold_what_the_market_published(tmp_path):
    venue = opened(NOW_MS, history_minutes=3, history_dir=tmp_path)
    recording = ShardStore(tmp_path).read("ETH")
    without = opened(NOW_MS, history_minutes=3)
    assert list(venue.markets["ETH"].recent) == list(without.markets["ETH"].recent)
    tids = [one.print.tid for one in venue.markets["ETH"].recent]
    assert recording.trades.trade_id[-30:].tolist() == tids
    # The candles of the last minutes agree with the shards.
    bar = venue.markets["ETH"].candles.snapshot("1m", NOW_MS - 90_000, NOW_MS)[0]
    trades = recording.trades
    inside = (trades.time_ms >= bar.open_ms) & (trades.time_ms < bar.open_ms + MINUTE_MS)
    assert bar.prints == inside.sum()
    assert bar.volume == pytest.approx(trades.size[inside].sum())
    assert bar.high == trades.price[inside].max()


def test_a_second_past_is_not_mixed_into_the_first(tmp_path):
    opened(NOW_MS, history_minutes=2, history_dir=tmp_path)
    with pytest.raises(InputError, match="two markets would mix"):
        opened(NOW_MS + 60_000, history_minutes=2, history_dir=tmp_path)
    opened(NOW_MS + 300_000, history_minutes=2, history_dir=tmp_path)


@pytest.mark.parametrize("coin", [pytest.param(c, marks=recorded) for c in ("ETH", "WLFI")])
def test_a_replay_lays_at_most_half_the_recording_and_plays_on(tmp_path, coin):
    venue = opened(NOW_MS, coins=(coin,), replay=RECORDINGS, history_dir=tmp_path)
    original = ShardStore(RECORDINGS).read(coin)
    laid = ShardStore(tmp_path).read(coin)
    assert 0.3 < len(laid.quotes) / len(original.quotes) < 0.7
    assert laid.tick == original.tick
    # Prices are the recording's own, in the same order.
    own = laid.quotes.bid[:200]
    assert np.array_equal(own, original.quotes.bid[: len(own)])
    assert venue.advance(NOW_MS + 120_000)[coin]


def ask(addresses, path, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(addresses["rest"] + path, data=data)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def test_several_coins_trade_side_by_side():
    spot = ("--binance-port", 0, "--basis", 1)
    with venue_process("--coins", "ETH,BTC,SOL", "--history-minutes", 1, *spot) as (_, addresses):
        universe = ask(addresses, "/info", {"type": "meta"})["universe"]
        assert [entry["name"] for entry in universe] == ["ETH", "BTC", "SOL"]
        mids = ask(addresses, "/info", {"type": "allMids"})
        assert [float(mids[coin]) for coin in ("ETH", "BTC", "SOL")] == pytest.approx(
            [3000, 60_000, 150], rel=0.1
        )
        limits = ask(addresses, "/admin/state")["limits"]["on"]
        assert limits == {"rest": False, "websocket": True, "address": True}
        prices = ask(addresses["binance"], "/api/v3/ticker/bookTicker")
        assert [one["symbol"] for one in prices] == ["ETHUSDC", "BTCUSDC", "SOLUSDC"]
        ratio = float(prices[1]["bidPrice"]) / float(mids["BTC"])
        assert ratio == pytest.approx(1.01, abs=0.005)
        state = ask(addresses["binance"], "/admin/state")
        assert addresses["binance"]["key"] in state["accounts"]


def test_a_spot_exchange_beside_it_is_not_saved(tmp_path):
    assert "not saved" in refused("--binance-port", 0, "--save", tmp_path / "venue.json")


def test_a_scenario_file_opens_its_markets_accounts_and_limits(tmp_path):
    path = tmp_path / "scenario.yaml"
    path.write_text(
        "history_minutes: 1\nmarkets: [{coin: BTC}, {coin: XRP}]\nlimits: false\n"
        "accounts: [{address: '0x" + "1" * 40 + "', sub_accounts: [{name: a, play_money: 5}]}]\n"
        "faults: [{at_seconds: 0, kind: halt, coin: XRP}]\n"
    )
    with venue_process("--scenario", path) as (_, addresses):
        deadline = time.monotonic() + 60
        while not ask(addresses, "/admin/state")["markets"]["XRP"]["halted"]:
            assert time.monotonic() < deadline
        state = ask(addresses, "/admin/state")
        assert list(state["markets"]) == ["BTC", "XRP"]
        assert [one["usdc"] for one in state["accounts"].values()] == ["10000.0", "5.0"]
        assert not any(state["limits"]["on"].values())
    path.write_text("markets: []")
    assert f"{path}: markets" in refused("--scenario", path)


def test_a_saved_venue_goes_on_where_it_was(tmp_path):
    file, user = tmp_path / "venue.json", "0x" + "a" * 40
    with venue_process("--history-minutes", 1, "--save", file) as (process, addresses):
        ask(addresses, "/admin/accounts", {"address": user, "play_money": 77})
        process.terminate()
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0 and "Traceback" not in errors
    saved = json.loads(file.read_text())
    with venue_process("--restore", file) as (_, addresses):
        state = ask(addresses, "/admin/state")
        assert state["accounts"][user]["usdc"] == "77.0"
        assert state["market_time_ms"] > saved["saved_ms"]
    file.write_text(file.read_text()[:-100])
    assert "the save was incomplete" in refused("--restore", file)
    assert "folder does not exist" in refused("--save", tmp_path / "no" / "file")


BREAKING = """
import sys
sys.path.insert(0, sys.argv[1])
import paper_exchange
from advanced_mm.venue.engine.command_log import LoggedExchange


class Breaking(paper_exchange.PaperServer):
    async def start(self):
        await super().start()
        steps = iter(range(5))
        advance = LoggedExchange.advance

        def until_it_breaks(exchange, now_ms):
            if next(steps, None) is None:
                raise ArithmeticError("the market broke")
            return advance(exchange, now_ms)

        LoggedExchange.advance = until_it_breaks


paper_exchange.PaperServer = Breaking
paper_exchange.main(sys.argv[2:])
"""


def test_a_market_that_fails_still_leaves_its_state_and_one_that_never_opened_writes_none(tmp_path):
    file = tmp_path / "venue.json"
    options = ["--port", "0", "--history-minutes", "1", "--save", str(file)]
    done = subprocess.run(
        [sys.executable, "-c", BREAKING, str(SCRIPT.parent), *options],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1 and "the market broke" in done.stderr
    saved = json.loads(file.read_text())
    with venue_process("--restore", file) as (_, addresses):
        assert health(addresses)["market_time_ms"] > saved["saved_ms"] > saved["opened_ms"]
    before = file.read_bytes()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        refused("--port", taken.getsockname()[1], "--history-minutes", 0, "--save", file)
    assert file.read_bytes() == before


def freqtrade(folder, addresses, *command):
    """Run an unmodified Freqtrade on the venue by configuration alone; its log."""
    api = {
        "public": addresses["rest"],
        "private": addresses["rest"],
        "ws": {"public": addresses["ws"]},
    }
    config = {
        "dry_run": True,
        "initial_state": "running",
        "trading_mode": "futures",
        "margin_mode": "isolated",
        "stake_currency": "USDC",
        "stake_amount": 1000,
        "max_open_trades": 1,
        "exchange": {
            "name": "hyperliquid",
            "pair_whitelist": ["ETH/USDC:USDC"],
            "_ft_has_params": {"ohlcv_has_history": True},
            "ccxt_config": {"enableRateLimit": False, "urls": {"api": api}},
        },
        "pairlists": [{"method": "StaticPairList"}],
        "entry_pricing": {"price_side": "same", "use_order_book": True},
        "exit_pricing": {"price_side": "same", "use_order_book": True},
    }
    path = folder / "config.json"
    path.write_text(json.dumps(config))
    (folder / "user_data" / "data").mkdir(parents=True, exist_ok=True)
    environment = {k: v for k, v in os.environ.items() if not k.startswith("FREQTRADE__")}
    done = subprocess.run(
        [FREQTRADE, *command, "--userdir", folder / "user_data", "-c", path],
        capture_output=True,
        text=True,
        timeout=90,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr and "ERROR" not in done.stderr
    return done.stdout + done.stderr


@pytest.mark.bot
def test_freqtrade_lists_the_market_and_downloads_candles_without_a_warning(tmp_path):
    with venue_process() as (_, addresses):
        listed = freqtrade(tmp_path, addresses, "list-markets", "--print-json")
        assert '["ETH/USDC:USDC","PURR/USDC"]' in listed
        log = freqtrade(tmp_path, addresses, "download-data", "--timeframes", "1m", "--days", "1")
        assert "funding_rate with length" in log
        files = {path.name for path in (tmp_path / "user_data" / "data").rglob("*.feather")}
        assert "ETH_USDC_USDC-1m-futures.feather" in files
