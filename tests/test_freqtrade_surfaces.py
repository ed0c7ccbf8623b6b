"""What the strategy shows through Freqtrade's own database, REST API and message queue."""

import asyncio
import socket
import statistics
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
import requests
from freqtrade.enums import CandleType, RunMode, State, TradingMode
from freqtrade.persistence import CustomDataWrapper, Order, PairLocks, Trade, init_db
from freqtrade.persistence.models import PairLock
from freqtrade.resolvers import StrategyResolver
from freqtrade.rpc import RPC
from freqtrade.rpc.api_server import ApiServer
from freqtrade.rpc.api_server.uvicorn_threaded import UvicornServer
from freqtrade.strategy.strategy_wrapper import strategy_safe_wrapper

from advanced_mm.journal import QuoteSent, RefusalChanged
from advanced_mm.metrics.watch import BotWatch
from advanced_mm.parameter_files import ParameterFiles
from advanced_mm.quoting import Quote, Refusal, Touch
from advanced_mm.quoting.surfaces import CUSTOM_DATA_KEY

ROOT = Path(__file__).parents[1]
PAIR = "ETH/USDC:USDC"
LOGIN = ("user", "pass")
NOW = datetime.now(UTC).replace(microsecond=0)


class Provider:
    """Freqtrade's data provider, as far as the surfaces ask it."""

    def __init__(self):
        self.messages = []

    def market(self, pair):
        return {"symbol": pair, "info": {"szDecimals": "4", "name": "ETH"}}

    def send_msg(self, message, *, always_send=False):
        assert always_send
        self.messages.append(message)

    def get_analyzed_dataframe(self, pair, timeframe):
        return self.candles, NOW


@pytest.fixture
def strategy(tmp_path, make_set, monkeypatch):
    for kept in (Trade, PairLocks, CustomDataWrapper):
        monkeypatch.setattr(kept, "use_db", True)
    monkeypatch.setattr(PairLocks, "timeframe", "1m")
    init_db("sqlite://")
    ParameterFiles(tmp_path).publish({"ETH": make_set(published_at=NOW, fitted_at=NOW)})
    config = {
        "strategy": "Market_Making",
        "strategy_path": str(ROOT / "user_data" / "strategies"),
        "user_data_dir": tmp_path,
        "runmode": RunMode.DRY_RUN,
        "stake_currency": "USDC",
        "timeframe": "1m",
        "trading_mode": TradingMode.FUTURES,
        "candle_type_def": CandleType.FUTURES,
        "exchange": {"name": "hyperliquid"},
        "market_making": {"own_stream": False},
        "api_server": {
            "enabled": True, "listen_ip_address": "127.0.0.1", "verbosity": "error",
            "username": LOGIN[0], "password": LOGIN[1], "jwt_secret_key": "x" * 32,
        },
    }  # fmt: skip
    strategy = StrategyResolver.load_strategy(config)
    strategy.dp = Provider()
    yield strategy
    Trade.session.remove()


@pytest.fixture
def api(strategy, monkeypatch):
    """Freqtrade's own REST API over this strategy, on a socket.

    Its thread does not close its event loop; here it must.
    """
    monkeypatch.setattr(UvicornServer, "run", lambda self: asyncio.run(self.serve()))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = strategy.config["api_server"]["listen_port"] = probe.getsockname()[1]
    bot = SimpleNamespace(
        config=strategy.config, strategy=strategy, dataprovider=strategy.dp, state=State.RUNNING,
        exchange=SimpleNamespace(get_rate=lambda *_, **__: 3001.0),
    )  # fmt: skip
    server = ApiServer(strategy.config)
    server.add_rpc_handler(RPC(bot))

    def get(path, **query):
        address = f"http://127.0.0.1:{port}/api/v1/{path}"
        answer = requests.get(address, params=query, auth=LOGIN, timeout=30)
        answer.raise_for_status()
        return answer.json()

    yield get
    server.cleanup()
    ApiServer.shutdown()


def a_trade(held=False, order_id="o1"):
    """An entry that rests, or a position whose offer rests if ``order_id``."""
    trade = Trade(
        pair=PAIR, stake_amount=100.0, amount=1.0 if held else 0.0, open_rate=3000.0, is_open=True,
        fee_open=0.0, fee_close=0.0, exchange="hyperliquid", open_date=NOW, leverage=1.0,
        base_currency="ETH", stake_currency="USDC", strategy="Market_Making", amount_requested=1.0,
        timeframe=1,
    )  # fmt: skip
    if order_id is not None:
        trade.orders.append(
            Order(
                ft_order_side="sell" if held else "buy", ft_pair=PAIR, ft_is_open=True,
                ft_amount=1.0, ft_price=2999.0, order_id=order_id, order_type="limit",
                side="buy", status="open", price=2999.0, amount=1.0, remaining=1.0,
                order_date=NOW,
            )
        )  # fmt: skip
    Trade.session.add(trade)
    Trade.commit()
    return trade


def sent(order, regime="profitable", purpose="entry", widened=1.0):
    return QuoteSent(
        time_ms=round(NOW.timestamp() * 1000), coin="ETH", bot="b", order=order, side="bid",
        price=2999.0, size=1.0, mid=3000.0, depth=1.0, tick=0.1, inventory=0.0, units=0,
        purpose=purpose, regime=regime, widened=widened, expected_edge=0.3, calibration_id="c1",
    )  # fmt: skip


def refused(reason):
    kind = "" if reason is None else reason.partition(":")[0]
    return RefusalChanged(
        time_ms=round(NOW.timestamp() * 1000), coin="ETH", bot="b", kind=kind, reason=reason
    )


def decide(strategy, decision, at=NOW):
    strategy._touches[PAIR] = (at, Touch(2999.9, 3000.1, at), None)
    strategy._decisions[PAIR] = decision


def quote():
    return Quote("bid", 0, 2999.0, 3000.0, 1.0, 0.1, "c1", edge=0.3)


def look(strategy, seconds=0.0):
    strategy._show({"ETH/USDC:USDC": "ETH"}, Trade.get_open_trades(), NOW + after(seconds))
    assert not strategy._surfaces_failed


def after(seconds):
    return timedelta(seconds=seconds)


def shown(api, trade):
    ((entry,),) = ((one["custom_data"]) for one in api(f"trades/{trade.id}/custom-data"))
    assert (entry["key"], entry["type"]) == (CUSTOM_DATA_KEY, "dict")
    return entry["value"]


# ---- a trade's data and tags


def test_the_rest_api_tells_what_rests_for_a_trade_and_why(strategy, api):
    trade = a_trade()
    strategy._surfaces.recorded(sent("o1", widened=1.5))
    decide(strategy, quote())
    look(strategy)
    assert shown(api, trade) == {
        "state": "entry", "reason": "profitable, widened", "since": NOW.isoformat(),
        "edge_bp": 1.0, "calibration_id": "c1",
    }  # fmt: skip
    Trade.commit()
    (status,) = api("status")
    assert status["enter_tag"] == "profitable, widened"
    (open_ones,) = api("trades/open/custom-data")
    assert open_ones["trade_id"] == trade.id


def test_a_position_that_is_not_offered_says_why_in_data_and_tag(strategy, api):
    trade = a_trade(held=True, order_id=None)
    trade.exit_reason = "optimal_depth"
    decide(strategy, Refusal("the book is old: 12.3 s"))
    look(strategy)
    told = shown(api, trade)
    assert (told["state"], told["reason"]) == ("none", "the book is old: 12.3 s")
    Trade.commit()  # as Freqtrade does in each loop
    (status,) = api("status")
    assert status["exit_reason"] == "not quoting: the book is old: 12.3 s"


def test_what_rests_through_a_doubt_says_so(strategy, api):
    trade = a_trade(held=True)
    strategy._surfaces.recorded(sent("o1", purpose="exit"))
    decide(strategy, Refusal("the book is old: 3 s", keeps_resting=True))
    look(strategy)
    told = shown(api, trade)
    assert (told["state"], told["reason"]) == ("exit", "kept: the book is old: 3 s")
    assert trade.exit_reason is None


def test_the_tag_is_that_of_the_order_that_filled(strategy):
    trade = a_trade()
    strategy._surfaces.recorded(sent("o1", regime="competitive"))
    strategy._surfaces.recorded(sent("o2", regime="toxic"))
    told = strategy_safe_wrapper(lambda trade, order: strategy._surfaces.filled("ETH", order))
    told(trade=trade, order=trade.orders[0])  # as Freqtrade does, whose callbacks get a copy
    Trade.commit()
    Trade.session.expire_all()
    assert Trade.get_open_trades()[0].enter_tag == "competitive"


def test_the_database_is_written_on_change_and_seldom(strategy, monkeypatch):
    trade = a_trade()
    strategy._surfaces.recorded(sent("o1"))
    written = []
    monkeypatch.setattr(Trade, "set_custom_data", lambda self, key, value: written.append(value))
    for k in range(200):
        decide(strategy, quote())
        look(strategy, k / 10)
    assert len(written) == 1
    for k in range(100):  # a reason that flickers each look
        decide(strategy, Refusal("toxic: 2", keeps_resting=True) if k % 2 else quote())
        look(strategy, 20 + k / 10)
    assert 1 <= len(written) - 1 <= 3
    count = len(written)
    for k in range(50):  # and numbers in it that change
        decide(strategy, Refusal(f"toxic: {k}", keeps_resting=True))
        look(strategy, 40 + k)
    assert len(written) - count <= 1
    assert trade.id


# ---- messages


def test_a_pair_without_a_quote_is_told_with_the_reason_and_when_it_is_over(strategy):
    strategy._surfaces.recorded(refused("toxic: 2.5"))
    for second in range(0, 70, 5):
        decide(strategy, Refusal("toxic: 2.5"))
        look(strategy, second)
    decide(strategy, quote())
    strategy._surfaces.recorded(refused(None))
    look(strategy, 80)
    assert strategy.dp.messages == [
        f"{PAIR}: nothing quoted for 60 s: `toxic: 2.5`.",
        f"{PAIR}: quoting again after 80 s.",
    ]


def test_a_lock_of_freqtrade_is_the_reason_when_it_no_longer_asks(strategy):
    decide(strategy, quote())
    PairLocks.lock_pair("*", NOW + after(3600), "3 stoplosses in 1440 min", now=NOW)
    for second in range(0, 100, 4):
        look(strategy, second)
    (told,) = strategy.dp.messages
    assert "locked by Freqtrade: 3 stoplosses in 1440 min, until" in told


def test_what_is_wrong_is_told_once_and_when_it_is_over(strategy, tmp_path, make_set):
    strategy._watch = BotWatch("freqtrade", alerts=True, port=None)

    def names():
        found = [message.split(" (`ETH`)")[0] for message in strategy.dp.messages]
        strategy.dp.messages.clear()
        return found

    for seconds in (0, 100, 119, 125, 130, 200):
        strategy._tell_watch({PAIR: "ETH"}, [], NOW + after(seconds))
        assert names() == (
            ["Critical: ParametersStale", "Critical: DataStale"] if seconds == 125 else []
        )
    new = NOW + after(201)
    ParameterFiles(tmp_path).publish({"ETH": make_set("c9", published_at=new, fitted_at=new)})
    strategy._tell_watch({PAIR: "ETH"}, [], NOW + after(206))
    assert names() == ["Over: ParametersStale", "Over: DataStale"]


def test_the_share_that_is_held_is_of_what_may_be(strategy):
    strategy._touches[PAIR] = (NOW, Touch(2999.0, 3001.0, NOW), None)
    nothing, one = a_trade(), a_trade(held=True, order_id="o2")
    assert strategy._share_held("ETH", PAIR, []) == 0.0
    assert strategy._share_held("ETH", PAIR, [nothing]) == 0.0
    assert strategy._share_held("ETH", PAIR, [one]) == 1.0
    strategy.settings = strategy.settings.model_copy(update={"max_position_value": 2000.0})
    assert strategy._share_held("ETH", PAIR, [one]) == 1.5


def test_a_fault_in_what_is_watched_is_said_once_and_stops_nothing(strategy, caplog, monkeypatch):
    strategy._watch = BotWatch("freqtrade", alerts=True, port=None)
    monkeypatch.setattr(strategy, "_share_held", lambda *_: 1 / 0)
    for seconds in (0, 10, 20):
        strategy._tell_watch({PAIR: "ETH"}, [], NOW + after(seconds))
    assert caplog.text.count("what is watched cannot be told; trading goes on") == 1


def test_a_fault_in_what_is_shown_is_said_once_and_stops_nothing(strategy, caplog, monkeypatch):
    monkeypatch.setattr(strategy._surfaces, "show", lambda *_: 1 / 0)
    for _ in range(3):
        strategy._show({PAIR: "ETH"}, [], NOW)
    assert caplog.text.count("cannot be shown; trading goes on") == 1


def test_a_write_that_fails_leaves_freqtrade_s_session_usable(strategy, monkeypatch):
    a_trade()
    strategy._surfaces.recorded(sent("o1"))
    decide(strategy, quote())

    def fail(*_):
        Trade.session.add(PairLock(pair=PAIR))  # without what it must have
        Trade.session.flush()

    monkeypatch.setattr(Trade, "set_custom_data", fail)
    strategy._show({PAIR: "ETH"}, Trade.get_open_trades(), NOW)
    assert strategy._surfaces_failed
    (trade,) = Trade.get_open_trades()
    trade.enter_tag = "another"
    Trade.commit()


# ---- the chart


def candles(n=5):
    opens = pd.date_range(NOW.replace(second=0) - (n - 1) * after(60), periods=n, freq="1min")
    return pd.DataFrame(
        {"date": opens, **dict.fromkeys(("open", "high", "low", "close", "volume"), 3000.0)}
    )


def test_freqtrade_serves_columns_and_annotations_of_the_chart(strategy, api):
    strategy._surfaces.recorded(sent("o1"))
    decide(strategy, quote())
    look(strategy)
    strategy.dp.candles = strategy.analyze_ticker(candles(), {"pair": PAIR})
    served = api("pair_candles", pair=PAIR, timeframe="1m")
    rows = pd.DataFrame(served["data"], columns=served["columns"])
    assert rows["quoted_bid"].dropna().tolist() == [2999.0]
    assert rows["quoted_bid"].iloc[-1] == 2999.0
    assert rows["enter_tag"].iloc[-1] == "profitable"
    assert [one["type"] for one in served["annotations"]] == ["line"]
    drawn = api("plot_config")
    assert set(drawn["main_plot"]) <= set(served["all_columns"])
    for columns in drawn["subplots"].values():
        assert set(columns) <= set(served["all_columns"])


@pytest.mark.parametrize("runmode", [RunMode.BACKTEST, RunMode.PLOT])
def test_a_backtest_gets_candles_and_no_more(strategy, runmode):
    strategy.config["runmode"] = runmode
    decide(strategy, quote())
    look(strategy)
    before = candles()
    after_it = strategy.populate_indicators(before.copy(), {"pair": PAIR})
    pd.testing.assert_frame_equal(after_it, before)
    assert strategy.plot_annotations(PAIR, NOW - after(600), NOW, before) == []


# ---- protections


def test_a_bot_that_trades_goes_by_its_guards_alone(strategy):
    assert strategy.protections == []
    assert strategy._guards.stops is not None


def test_a_backtests_protections_follow_the_settings_and_leave_reentry_alone(strategy):
    strategy.config["runmode"] = RunMode.BACKTEST
    found = {one["method"]: one for one in strategy.protections}
    assert found["StoplossGuard"]["trade_limit"] == 2
    assert {one["stop_duration"] for one in found.values()} == {60}
    changes = {"max_stops_a_day": None, "protection_pause_minutes": 15, "max_drawdown": 0.02}
    strategy.settings = strategy.settings.model_copy(update=changes)
    (only,) = strategy.protections
    assert (only["method"], only["stop_duration"]) == ("MaxDrawdown", 15)
    assert only["max_allowed_drawdown"] == 0.02


# ---- cost


def test_a_look_costs_little(strategy):
    a_trade()
    strategy._surfaces.recorded(sent("o1"))
    trades, times = Trade.get_open_trades(), []
    for k in range(100):
        decide(strategy, quote())
        start = time.thread_time()
        strategy._show({PAIR: "ETH"}, trades, NOW + after(k / 10))
        times.append(time.thread_time() - start)
    assert statistics.median(times) < 1e-3
