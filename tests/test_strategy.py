"""The strategy: Freqtrade's callbacks, where a wrong default would cost money."""

import json
import socket
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
import requests
from ccxt import BaseError
from freqtrade.enums import RunMode, TradingMode
from freqtrade.exceptions import ExchangeError, OperationalException
from freqtrade.persistence import PairLocks, Trade
from freqtrade.resolvers import StrategyResolver
from sqlalchemy.exc import InvalidRequestError

from advanced_mm.errors import InputError
from advanced_mm.journal import (
    AccountMarked,
    BadRowsCounted,
    Fill,
    Funding,
    GuardChanged,
    Look,
    QuoteEnded,
    QuoteSent,
    RefusalChanged,
    read_journal,
)
from advanced_mm.parameter_files import ParameterFiles
from advanced_mm.parameter_files.history import HISTORY_FOLDER, CalibrationHistory
from advanced_mm.price_grid import PriceGrid
from advanced_mm.quoting import Quote, Quoter, Refusal
from advanced_mm.quoting.guards import RiskGuards, Ruling
from advanced_mm.quoting.legs import Held, Legs

ROOT = Path(__file__).parents[1]
PAIR = "ETH/USDC:USDC"
VENUE_NAMES = {
    PAIR: "ETH",
    "KPEPE/USDC:USDC": "kPEPE",
    "XYZ-XYZ100/USDC:USDC": "xyz:XYZ100",
}


CLIENT_METHODS = (
    "publicPostInfo",
    "privatePostExchange",
    "set_margin_mode",
    "create_order",
    "cancel_order",
    "create_orders_request",
    "edit_order",
    "edit_orders_request",
    "fetch_order",
    "fetch_my_trades",
)
"""Of ccxt's client; a live bot puts its own in their place."""


class Market:
    """A data provider with one book."""

    def __init__(self):
        self.bid, self.ask = 2999.9, 3000.1
        self.bids, self.asks = None, None
        self.error = None
        nothing = dict.fromkeys(CLIENT_METHODS)
        self._exchange = SimpleNamespace(
            _api=SimpleNamespace(**nothing),
            _api_async=SimpleNamespace(**nothing),
            get_funding_fees=None,
            create_order=self.create_order,
            cancel_order_with_result=lambda order_id, pair, amount: {
                "id": order_id,
                "status": "canceled",
                "filled": 0.0,
            },
            amount_to_precision=lambda pair, amount: amount,
        )
        self.sent = 0

    def create_order(self, *, pair, ordertype, side, amount, rate, **others):
        if self.error is not None:
            raise self.error
        self.sent += 1
        return {"id": f"o{self.sent}", "amount": amount, "price": rate}

    def current_whitelist(self):
        return [PAIR]

    def orderbook(self, pair, maximum):
        if self.error is not None:
            raise self.error
        return {
            "bids": self.bids or [(self.bid, 1.0)],
            "asks": self.asks or [(self.ask, 1.0)],
            "timestamp": datetime.now(UTC).timestamp() * 1000,
        }

    def market(self, pair):
        info = {"szDecimals": "4", "name": VENUE_NAMES[pair]}
        return {"symbol": pair, "info": info, "precision": {"price": 0.1}}


@pytest.fixture
def build(tmp_path, make_set, monkeypatch):
    """A strategy as Freqtrade loads it, on fresh parameters."""

    def built(runmode=RunMode.DRY_RUN, exchange=None, **settings):
        now = datetime.now(UTC)
        files = ParameterFiles(tmp_path)
        files.publish({"ETH": make_set(published_at=now, fitted_at=now)})
        config = {
            "strategy": "Market_Making",
            "strategy_path": str(ROOT / "user_data" / "strategies"),
            "user_data_dir": tmp_path,
            "datadir": tmp_path / "data",
            "runmode": runmode,
            "stake_currency": "USDC",
            "trading_mode": TradingMode.FUTURES,
            "exchange": {"name": "hyperliquid", **(exchange or {})},
            "market_making": {"own_stream": False, **settings},
        }
        strategy = StrategyResolver.load_strategy(config)
        strategy.dp = Market()
        strategy.own_trades, strategy.closed_trades = [], []
        monkeypatch.setattr(Trade, "get_open_trades", lambda: strategy.own_trades)
        strategy._closed_trades = lambda: strategy.closed_trades
        return strategy

    return built


def trade(is_short=False, open_orders=(), stop=2850.0, pair=PAIR):
    return SimpleNamespace(
        pair=pair,
        is_short=is_short,
        exit_side="buy" if is_short else "sell",
        open_orders=list(open_orders),
        stoploss_or_liquidation=stop,
        amount=3.0,
    )


def order(price, side="buy", age=10.0, remaining=1.0):
    return SimpleNamespace(
        safe_placement_price=price,
        safe_remaining=remaining,
        ft_order_side=side,
        order_type="limit",
        order_date_utc=datetime.now(UTC) - timedelta(seconds=age),
        order_id="o1",
    )


def enter(strategy, proposed=2999.9, pair=PAIR):
    """Price, stake and consent in the order in which Freqtrade asks for them."""
    now = datetime.now(UTC)
    side = "short" if strategy.can_short else "long"
    price = strategy.custom_entry_price(pair, None, now, proposed, None, side)
    stake = strategy.custom_stake_amount(pair, now, price, 9000.0, 11.0, 9000.0, 1.0, None, side)
    agreed = strategy.confirm_trade_entry(pair, "limit", 3.0, price, "GTC", now, None, side)
    return price, stake, agreed


def leave(strategy, held, rate=2999.9, profit=0.0):
    return strategy.custom_exit(PAIR, held, datetime.now(UTC), rate, profit)


def send(strategy, price, pair=PAIR, side="buy", amount=3.0):
    return strategy.dp._exchange.create_order(
        pair=pair, ordertype="limit", side=side, amount=amount, rate=price, leverage=1.0
    )


def journal_of(strategy):
    """What the bot has told the journal by its end."""
    strategy.ft_bot_cleanup()
    return read_journal(strategy.config["user_data_dir"] / "journal")


def test_a_flat_bot_bids_below_the_mid_and_a_long_one_offers_above_it(build):
    strategy = build()
    price, stake, agreed = enter(strategy)
    assert price < 2999.5
    assert (stake, agreed) == (9000.0, True)
    assert leave(strategy, trade()) == "optimal_depth"
    ask = strategy.custom_exit_price(PAIR, trade(), datetime.now(UTC), 3000.1, 0.0, "optimal_depth")
    assert ask > 3000.5


def test_the_sizes_at_the_touch_move_the_quote_and_the_journal_tells_the_fair_price(
    build, make_set, tmp_path
):
    """Three quarters of the size on the bid and 0.4 USDC per unit of imbalance: two ticks up."""
    strategy = build()
    strategy.bot_start()
    plain, _, _ = enter(strategy)
    now = datetime.now(UTC)
    ParameterFiles(tmp_path).publish(
        {"ETH": make_set("r2", beta=0.4, published_at=now, fitted_at=now)}
    )
    strategy.dp.bids, strategy.dp.asks = [(2999.9, 3.0)], [(3000.1, 1.0)]
    strategy._touches.clear()
    price, _, agreed = enter(strategy)
    assert agreed
    assert price - plain == pytest.approx(0.2)
    send(strategy, price)
    (sent,) = journal_of(strategy).events(QuoteSent)
    assert (sent.mid, sent.fair_price) == (3000.0, pytest.approx(3000.2))


@pytest.mark.parametrize(("pair", "coin"), [*VENUE_NAMES.items()][1:])
@pytest.mark.parametrize("runmode", [RunMode.DRY_RUN, RunMode.BACKTEST])
def test_parameters_and_journal_are_kept_by_the_venue_s_name_of_a_pair(
    build, make_set, tmp_path, pair, coin, runmode
):
    """Not by ccxt's code, which no spelling leads back from."""
    strategy = build(runmode=runmode)
    now = datetime.now(UTC)
    wrong = make_set(published_at=now, fitted_at=now, kappa_plus=99.0, kappa_minus=99.0)
    right = make_set(published_at=now, fitted_at=now, kappa_plus=0.5, kappa_minus=0.5)
    ParameterFiles(tmp_path).publish({pair.partition("/")[0]: wrong, coin: right})
    CalibrationHistory(tmp_path / HISTORY_FOLDER).append({"ETH": wrong, coin: right})
    strategy.bot_start()
    price, stake, agreed = enter(strategy, pair=pair)
    assert (stake, agreed) == (9000.0, True)
    assert price < 2999  # 1/kappa of the right set; the wrong one's is a hundredth
    if runmode is RunMode.DRY_RUN:
        send(strategy, price, pair)
        strategy.dp.error = OSError("no book")
        strategy._touches.clear()
        enter(strategy, pair=pair)
        journal = journal_of(strategy)
        for kind in (QuoteSent, RefusalChanged):
            assert [one.coin for one in journal.events(kind)] == [coin]


def test_a_loop_is_called_for_when_a_quote_has_to_change(build):
    strategy = build(min_quote_age_seconds=2.0)
    assert strategy._callers([]) == {(PAIR, "entry")}  # nothing rests
    price = strategy.custom_entry_price(PAIR, None, datetime.now(UTC), 2999.9, None, "long")
    entry = SimpleNamespace(**{**vars(trade()), "open_orders": [], "entry_side": "buy"})
    entry.open_orders = [order(price)]
    assert strategy._callers([entry]) == set()
    strategy.dp.bid, strategy.dp.ask = 3001.9, 3002.1
    assert strategy._callers([entry]) == {(PAIR, "o1")}
    entry.open_orders = [order(price, age=1.0)]
    assert strategy._callers([entry]) == set()  # it has not reached its least age
    strategy.dp.bid, strategy.dp.ask = price - 0.2, price - 0.1
    assert strategy._callers([entry]) == {(PAIR, "o1")}  # a dry run has filled it
    strategy.dp.bid, strategy.dp.ask = 2999.9, 3000.1
    assert strategy._callers([trade()]) == {(PAIR, "exit")}  # nothing is offered
    strategy.config["max_open_trades"] = 1
    strategy.dp.error = ExchangeError("no book")
    assert strategy._callers([entry]) == {"unknown"}


def test_no_position_is_said_to_be_offered_while_only_an_entry_rests(build, tmp_path, caplog):
    strategy = build()
    price, _, _ = enter(strategy)
    (tmp_path / "kappa.json").unlink()
    resting = order(price, age=9.0)
    entry = SimpleNamespace(**{**vars(trade()), "open_orders": [resting], "entry_side": "buy"})
    assert strategy._callers([entry]) == {(PAIR, "o1")}
    assert strategy.check_entry_timeout(PAIR, entry, resting, datetime.now(UTC))
    assert "offered at the touch" not in caplog.text


def test_a_policy_takes_the_place_of_the_optimal_depth(build):
    strategy = build(policy={"kind": "spot", "bin_step": 20})
    price, stake, agreed = enter(strategy)
    assert (price, agreed) == (2994.0, True) and stake > 0  # 20 bp below a mid of 3000
    held = trade()
    strategy.own_trades = [held]
    now = datetime.now(UTC)
    ask = strategy.custom_exit_price(PAIR, held, now, 3000.1, 0.0, "optimal_depth")
    assert ask == 3006.0


def test_a_loop_waits_only_where_freqtrade_does_not(build):
    for throttle, waits in ((0, True), (1, False)):
        strategy = build()
        strategy.config["internals"] = {"process_throttle_secs": throttle}
        strategy.bot_start()
        assert (strategy._wait is not None) is waits


@pytest.fixture
def blind(build):
    """A bot with a websocket of its own at whose address nothing listens."""
    strategy = build(exchange={"pair_whitelist": [PAIR]}, own_stream=True, max_book_age_seconds=9)
    nowhere = {"api": {"ws": {"public": "ws://127.0.0.1:1/ws"}}}
    strategy.dp._exchange._api_async.urls = nowhere
    strategy.bot_start()
    yield strategy
    strategy.ft_bot_cleanup()


def test_with_a_websocket_no_quote_is_made_from_a_book_older_than_two_seconds(blind):
    new = blind.dp.orderbook
    for age_ms, agreed in ((1900, True), (2100, False)):
        aged = {"timestamp": datetime.now(UTC).timestamp() * 1000 - age_ms}
        blind.dp.orderbook = lambda *asked, aged=aged: new(*asked) | aged
        blind._touches.clear()
        assert enter(blind)[2] is agreed


def test_a_touch_is_looked_at_again_as_soon_as_the_websocket_has_told_of_another(blind):
    """Within a quarter of a second; without a websocket, no sooner."""
    now = datetime.now(UTC)
    eyes = SimpleNamespace(healthy=True, changes=1)
    blind._stream, stream = SimpleNamespace(eyes=eyes), blind._stream
    first = blind._touch(PAIR, now, [])
    blind.dp.bid = 2999.5
    assert blind._touch(PAIR, now, []) is first
    eyes.changes = 2
    assert blind._touch(PAIR, now, []).bid == 2999.5
    blind.dp.bid = 2999.6
    eyes.healthy = False
    assert blind._touch(PAIR, now, []).bid == 2999.6
    blind.dp.bid = 2999.7
    eyes.changes = 3
    assert blind._touch(PAIR, now, []).bid == 2999.6
    blind._stream = stream


def test_while_its_websocket_fails_depths_count_the_age_of_a_look_a_second(blind):
    enter(blind)
    settings = blind._quoters[PAIR][1].settings
    assert settings.oldest_quote_seconds() > blind.settings.oldest_quote_seconds()


def test_the_websocket_sees_what_the_pair_list_and_the_positions_name(blind, monkeypatch):
    monkeypatch.setattr(PairLocks, "get_pair_locks", lambda pair: [])
    blind.config["dry_run_wallet"] = 10_000
    monkeypatch.setattr(Trade, "get_total_closed_profit", lambda: 0.0)
    blind.dp.current_whitelist = lambda: ["KPEPE/USDC:USDC"]
    blind.own_trades = [held_trade(pair="XYZ-XYZ100/USDC:USDC")]
    seen = []
    monkeypatch.setattr(blind._stream.eyes, "watch", lambda coins: seen.append(set(coins)))
    blind.bot_loop_start(datetime.now(UTC))
    assert seen == [{"kPEPE", "xyz:XYZ100"}]
    blind.own_trades = []


def test_a_pair_that_is_no_market_is_refused_by_its_own_name(build):
    strategy = build()
    strategy.bot_start()
    strategy.dp.market = lambda pair: None
    assert enter(strategy, pair="NOPE/USDC:USDC") == (2999.9, 0.0, False)
    (refusal,) = journal_of(strategy).events(RefusalChanged)
    assert refusal.coin == "NOPE/USDC:USDC"
    assert "not traded on this exchange" in refusal.reason


@pytest.mark.parametrize("named", [{}, {"hip3_dexes": ["flx"]}])
def test_a_pair_whose_exchange_freqtrade_would_drop_is_refused_at_start(build, named):
    pairs = [PAIR, "KPEPE/USDC:USDC", "XYZ-XYZ100/USDC:USDC"]
    with pytest.raises(OperationalException, match=r'hip3_dexes": \[("flx", )?"xyz"\]') as refusal:
        build(exchange={"pair_whitelist": pairs, **named})
    message = str(refusal.value)
    assert message.startswith("exchange.hip3_dexes lacks the exchange of XYZ-XYZ100/USDC:USDC;")
    build(exchange={"pair_whitelist": pairs, "hip3_dexes": ["xyz", "flx"]})
    build(exchange={"pair_whitelist": [".*-.*/USDC:USDC", *pairs[:2]]})


def test_the_short_only_bot_is_the_mirror_image(build):
    strategy = build(q_min=-1, q_max=0)
    assert strategy.can_short
    assert enter(strategy)[0] > 3000.5
    assert leave(strategy, trade(is_short=True, stop=3200.0)) == "optimal_depth"
    bid = strategy.custom_exit_price(
        PAIR, trade(is_short=True), datetime.now(UTC), 2999.9, 0.0, "optimal_depth"
    )
    assert bid < 2999.5


def test_inventories_one_bot_cannot_hold_are_refused_at_start(build):
    with pytest.raises(OperationalException, match="one Freqtrade bot holds one unit"):
        build(q_min=-3, q_max=3)
    with pytest.raises(OperationalException, match="fee_rate = 7"):
        build(fee_rate=7)
    with pytest.raises(OperationalException, match=r"market_making\.leg = null"):
        build(inventory_mode="two_legs")
    with pytest.raises(OperationalException, match="replay recorded ticks"):
        build(runmode=RunMode.BACKTEST, inventory_mode="layered", q_max=2)


def test_without_parameters_nothing_is_opened_and_entries_are_cancelled(build, tmp_path):
    strategy = build()
    enter(strategy)
    (tmp_path / "kappa.json").unlink()
    strategy._touches.clear()
    price, stake, agreed = enter(strategy)
    assert (price, stake, agreed) == (2999.9, 0.0, False)
    assert strategy.check_entry_timeout(PAIR, trade(), order(2998.7, age=0), datetime.now(UTC))
    assert leave(strategy, trade()) == "at_touch"


@pytest.mark.parametrize(("runmode", "lines"), [(RunMode.DRY_RUN, 5), (RunMode.BACKTEST, 1)])
def test_a_refusal_is_logged_each_minute_but_once_in_a_backtest(build, caplog, runmode, lines):
    """Candles are a minute apart: a backtest of three days would log it 4320 times."""
    strategy = build(runmode=runmode)
    for minute in range(5):
        at = datetime(2026, 1, 1, 0, minute, tzinfo=UTC)
        strategy._log_refusal(PAIR, at, "toxic: 2.5")
    assert caplog.text.count("not quoting: toxic") == lines


def test_a_backtest_counts_what_it_logs_once(build):
    strategy = build(runmode=RunMode.BACKTEST)
    for reason in ("toxic: 2.5", "no edge: 0.1", "toxic: 2.6"):
        strategy._log_refusal(PAIR, datetime(2026, 1, 1, tzinfo=UTC), reason)
    assert strategy._log.counts() == [f"{PAIR}: toxic: 2", f"{PAIR}: no edge: 1"]


def test_hyperopt_s_result_is_named_at_start_with_its_values(build, caplog):
    strategy = build()
    strategy._ft_params_from_file = {"quoting": {"min_depth_bp": 2.5}, "trailing": {}}
    strategy.ft_bot_start()
    assert "A result of hyperopt is in use" in caplog.text
    assert "Market_Making.json: quoting: {'min_depth_bp': 2.5}." in caplog.text
    assert strategy.tuned_settings(3000.0).min_depth == pytest.approx(0.75)
    caplog.clear()
    build().ft_bot_start()
    assert "hyperopt is in use" not in caplog.text


def test_a_result_of_hyperopt_in_another_space_is_named(build, caplog):
    """Freqtrade leaves it out without a word."""
    strategy = build()
    strategy._ft_params_from_file = {"buy": {"min_depth_bp": 2.5, "toxicity_limit": 1.5}}
    strategy.ft_bot_start()
    assert "min_depth_bp is no parameter of the space buy" in caplog.text
    assert "toxicity_limit is no" not in caplog.text
    assert strategy.toxicity_limit.value == 1.5


def test_hyperopt_s_spaces_are_those_of_the_documented_command(build):
    strategy = build()
    strategy.ft_bot_start()
    spaces = {name: set(found) for name, found in strategy._ft_hyper_params.items()}
    assert spaces == {
        "buy": {"risk_aversion_scale", "toxicity_limit", "min_edge_bp"},
        "quoting": {"min_depth_bp", "requote_loss_percent"},
    }


def test_hyperopt_starts_from_the_configured_values_and_does_not_round_them(build):
    strategy = build(toxicity_limit=6.25, requote_ticks=1.5, min_edge_bp=None)
    assert strategy.toxicity_limit.high == 6.25
    assert strategy.tuned_settings(3000.0) is strategy.settings
    assert not hasattr(strategy, "min_edge_bp")  # it is off, so there is nothing to search
    strategy.toxicity_limit.value = 1.2
    assert strategy.tuned_settings(3000.0).toxicity_limit == 1.2


def test_a_backtest_s_quote_rests_as_long_as_a_live_one(build, monkeypatch):
    """A live quote is sent a moment after its look: a loop of a second misses a second of age."""
    strategy = build(runmode=RunMode.BACKTEST, min_quote_age_seconds=1.0)
    quoter = Quoter(strategy.settings, None, PriceGrid(4))
    strategy._quoters[PAIR] = ("any", quoter)
    wanted = Quote("bid", 0, 2980.0, 2990.0, 10.0, 0.1, "id")
    monkeypatch.setattr(strategy, "_decide", lambda *_: wanted)
    resting, sent = order(2990.0), datetime.now(UTC)
    resting.order_date_utc = sent
    prices = [
        strategy.adjust_order_price(
            trade(), resting, PAIR, sent + timedelta(seconds=second), 2999.9, 2990.0, None, "long",
            is_entry=True,
        )
        for second in (1, 2)
    ]  # fmt: skip
    assert prices == [2990.0, 2980.0]


def test_a_backtest_knows_nothing_of_the_one_before(build, make_set, monkeypatch):
    """Hyperopt runs its epochs one after another on the same strategy."""
    strategy = build(runmode=RunMode.BACKTEST, volatile_size=0.5)
    start = datetime(2026, 3, 1, tzinfo=UTC)

    def factor(minute, sigma):
        now = start + timedelta(minutes=minute)
        found = make_set(published_at=now, fitted_at=now)
        found = replace(found, epsilon=found.epsilon.model_copy(update={"sigma": sigma}))
        monkeypatch.setattr(strategy, "_parameters", lambda _: found)
        strategy.bot_loop_start(now)
        return strategy._size_factor(PAIR)

    assert [factor(0, 1.0), factor(1, 9.0), factor(0, 9.0)] == [1.0, 0.5, 1.0]


@pytest.mark.parametrize("runmode", [RunMode.DRY_RUN, RunMode.LIVE])
def test_a_bot_that_trades_cancels_its_quotes_itself(build, runmode):
    """Freqtrade asks for new prices there too, a second way to replace an order."""
    strategy = build(runmode=runmode)
    asked = (trade(), order(2990.0), PAIR, datetime.now(UTC), 2999.9, 2990.0, None, "long")
    assert strategy.adjust_order_price(*asked, is_entry=True) == 2990.0
    assert strategy.config.get("unfilledtimeout") != {}


@pytest.mark.parametrize("fault", [OSError("stale handle"), KeyError(1), ExchangeError("429")])
def test_whatever_goes_wrong_is_a_refusal(build, fault):
    """Freqtrade swallows a callback's exception and keeps the order: none may propagate."""
    strategy = build()
    first, _, _ = enter(strategy)
    strategy.dp.error = fault
    strategy._touches.clear()
    price, stake, agreed = enter(strategy, proposed=first)
    assert (price, stake, agreed) == (first, 0.0, False)
    assert strategy.check_entry_timeout(PAIR, trade(), order(first, age=0), datetime.now(UTC))
    assert leave(strategy, trade()) is None


def test_an_unreadable_parameter_file_is_no_reason_to_keep_quoting(build, tmp_path):
    strategy = build()
    first, _, _ = enter(strategy)
    (tmp_path / "kappa.json").unlink()
    (tmp_path / "kappa.json").mkdir()
    assert enter(strategy, proposed=first)[1:] == (0.0, False)
    assert strategy.check_entry_timeout(PAIR, trade(), order(first, age=0), datetime.now(UTC))


def test_beyond_the_stop_nothing_is_offered(build):
    """Freqtrade executes the first exit only; an offer requoted for ever would starve the stop."""
    strategy = build()
    assert leave(strategy, trade(stop=2850.0), rate=2850.1) == "optimal_depth"
    assert leave(strategy, trade(stop=2850.0), rate=2850.0) is None
    short = build(q_min=-1, q_max=0)
    assert leave(short, trade(is_short=True, stop=3150.0), rate=3149.0) == "optimal_depth"
    assert leave(short, trade(is_short=True, stop=3150.0), rate=3151.0) is None


def test_while_an_offer_rests_no_other_is_made(build):
    resting = trade(open_orders=[order(3001.0, side="sell")])
    assert leave(build(), resting) is None


def test_an_offer_is_priced_when_it_is_sent(build):
    """Between custom_exit and the price Freqtrade asks the venue for funding: the mid moves on."""
    strategy = build()
    leave(strategy, trade())
    strategy.dp.bid, strategy.dp.ask = 2989.9, 2990.1
    strategy._touches.clear()
    ask = strategy.custom_exit_price(PAIR, trade(), datetime.now(UTC), 2990.1, 0.0, "optimal_depth")
    assert 2990.5 < ask < 2995
    now = datetime.now(UTC)
    reason = "optimal_depth"
    assert strategy.confirm_trade_exit(PAIR, trade(), "limit", 1.0, ask, "GTC", reason, now)
    assert not strategy.confirm_trade_exit(
        PAIR, trade(), "limit", 1.0, ask + 0.1, "GTC", reason, now
    )


def test_a_persons_exit_keeps_its_own_price(build):
    strategy = build()
    enter(strategy)
    now = datetime.now(UTC)
    assert strategy.custom_exit_price(PAIR, trade(), now, 2900.0, 0.0, "force_exit") == 2900.0
    assert strategy.confirm_trade_exit(
        PAIR, trade(), "market", 1.0, 2900.0, "GTC", "force_exit", now
    )


def test_a_position_against_the_configured_direction_is_offered_on_its_own_side(build):
    strategy = build(q_min=-1, q_max=0)
    assert leave(strategy, trade(is_short=False)) == "at_touch"
    now = datetime.now(UTC)
    assert strategy.custom_exit_price(PAIR, trade(), now, 3000.1, 0.0, "at_touch") == 3000.1


def test_live_the_mid_is_that_of_the_others(build):
    """A quote that has become the touch would otherwise move the mid and chase itself."""
    strategy = build(runmode=RunMode.LIVE)
    strategy.dp.bids = [(2999.0, 0.5), (2997.0, 2.0)]
    strategy.dp.asks = [(3001.5, 1.0), (3003.0, 1.0)]
    strategy.own_trades = [
        SimpleNamespace(pair=PAIR, open_orders=[order(3001.5, remaining=1.0)]),
        SimpleNamespace(pair="BTC/USDC:USDC", open_orders=[order(2999.0, remaining=0.5)]),
    ]
    touch = strategy._touch(PAIR, datetime.now(UTC), strategy.own_trades)
    assert (touch.bid, touch.ask) == (2999.0, 3003.0)
    strategy = build(runmode=RunMode.LIVE)  # one that did not see the order when it was larger
    strategy.dp.asks = [(3001.5, 1.0), (3003.0, 1.0)]
    strategy.own_trades = [SimpleNamespace(pair=PAIR, open_orders=[order(3001.5, remaining=0.4)])]
    assert strategy._touch(PAIR, datetime.now(UTC), strategy.own_trades).ask == 3001.5


def test_live_orders_are_post_only_and_dry_ones_keep_the_default(build):
    live = build(runmode=RunMode.LIVE)
    live.bot_start()
    assert live.order_time_in_force == {"entry": "ALO", "exit": "ALO"}
    dry = build()
    dry.bot_start()
    assert dry.order_time_in_force == {"entry": "GTC", "exit": "GTC"}
    for strategy in (live, dry):
        strategy.ft_bot_cleanup()


def withdrawn_at_the_end(strategy, **config):
    """Which pairs' orders a live bot cancels at the venue itself as it ends."""
    strategy.config |= {"cancel_open_orders_on_exit": True, **config}
    asked = []
    strategy._live = SimpleNamespace(
        close=lambda: None, withdraw=asked.extend, lift_switch=lambda: None
    )
    strategy.ft_bot_cleanup()
    return asked


def test_after_a_clean_up_that_worked_nothing_is_asked(build):
    strategy = build(runmode=RunMode.LIVE)
    strategy.own_trades = [trade()]
    assert withdrawn_at_the_end(strategy) == []


@pytest.mark.parametrize("wanted", [True, False])
def test_an_order_that_freqtrade_left_is_cancelled_at_the_venue(build, wanted):
    strategy = build(runmode=RunMode.LIVE)
    strategy.own_trades = [trade(open_orders=[order(3001.0)])]
    found = withdrawn_at_the_end(strategy, cancel_open_orders_on_exit=wanted)
    assert found == ([PAIR] if wanted else [])


def test_a_database_that_fails_is_rolled_back_and_the_venue_is_asked(build, monkeypatch, caplog):
    strategy = build(runmode=RunMode.LIVE)
    failing = [True]

    def open_trades():
        if failing:
            raise InvalidRequestError("This session is in 'prepared' state")
        return []

    monkeypatch.setattr(Trade, "get_open_trades", open_trades)
    monkeypatch.setattr(Trade, "rollback", failing.clear)
    assert withdrawn_at_the_end(strategy) == [PAIR]
    assert failing == []
    assert "cannot be read at the end: This session is in 'prepared' state" in caplog.text


def test_after_a_loop_that_was_broken_off_the_venue_is_asked(build):
    strategy = build(runmode=RunMode.LIVE)
    strategy._exit = SimpleNamespace(broke_off=True)
    assert withdrawn_at_the_end(strategy) == [PAIR]


def test_skipped_rows_are_logged_once_a_minute(build, caplog):
    strategy = build()
    strategy.bot_start()
    now = datetime.now(UTC)
    for second in range(150):
        strategy._bad_rows.add("fills", f"sz NaN of tid {second}")
        strategy._log.skipped_rows(now + timedelta(seconds=second))
    assert caplog.text.count("skipped so far:") == 3
    assert "121 bad fills rows (last: sz NaN of tid 120)" in caplog.text
    told = [one.told for one in journal_of(strategy).events(BadRowsCounted)]
    assert len(told) == 3
    assert told[-1].startswith("121 bad fills rows")


def test_what_the_journal_is_told_the_chart_and_the_entry_tag_show(build):
    strategy = build()
    strategy.bot_start()
    price, _, agreed = enter(strategy)
    assert agreed
    send(strategy, price)
    strategy.ft_bot_cleanup()
    sent = strategy._surfaces.chart.sent("ETH", "o1")
    assert sent.price == price
    assert strategy._surfaces.entry_tag("ETH") == sent.regime != ""


def test_a_unit_below_three_minimums_is_not_traded(build):
    strategy = build()
    now = datetime.now(UTC)
    price = strategy.custom_entry_price(PAIR, None, now, 2999.9, None, "long")
    stake = strategy.custom_stake_amount(PAIR, now, price, 32.0, 11.0, 32.0, 1.0, None, "long")
    assert stake == 0.0


def test_a_quote_is_left_to_rest_and_then_replaced(build):
    strategy = build(min_quote_age_seconds=2)
    price, _, _ = enter(strategy)
    now = datetime.now(UTC)
    assert not strategy.check_entry_timeout(PAIR, trade(), order(price - 5, age=1), now)
    assert strategy.check_entry_timeout(PAIR, trade(), order(price - 5, age=6), now)
    assert not strategy.check_entry_timeout(PAIR, trade(), order(price, age=60), now)


# ---- several units


LAYERED = {
    "inventory_mode": "layered",
    "q_max": 3,
    "compensate_drift": False,
    "risk_aversion": 0.06,
}


def layers(amount, open_orders=(), unit=1.0, **changes):
    """A trade as it stands in Freqtrade's books: its first entry asked for one unit."""
    first = SimpleNamespace(ft_order_side="buy", ft_amount=unit, safe_filled=min(unit, amount))
    values = {
        "amount": amount, "stake_amount": 3000.0 * amount, "entry_side": "buy", "leverage": 1.0,
        "orders": [first, *open_orders], "open_rate": 3000.0,
    }  # fmt: skip
    return SimpleNamespace(**{**vars(trade(open_orders=open_orders)), **values, **changes})


def adjust(strategy, held, bid=2999.9, ask=3000.1):
    """Ask as Freqtrade does: by how much, then at which price; None where nothing is sent."""
    now = datetime.now(UTC)
    asked = strategy.adjust_trade_position(
        held, now, bid, 0.0, 11.0, 9000.0, current_entry_rate=bid, current_exit_rate=ask,
        current_entry_profit=0.0, current_exit_profit=0.0,
    )  # fmt: skip
    if asked is None:
        return None
    stake, tag = asked
    if stake > 0:
        price = strategy.custom_entry_price(PAIR, held, now, bid, tag, "long")
        return "buy", price, stake / price
    price = strategy.custom_exit_price(PAIR, held, now, ask, 0.0, tag)
    return "sell", price, -stake * held.amount / held.stake_amount


def publish(tmp_path, make_set, name="r2", **changes):
    now = datetime.now(UTC)
    ParameterFiles(tmp_path).publish(
        {"ETH": make_set(name, published_at=now, fitted_at=now, **changes)}
    )


FALLING = {"lambda_plus": 0.7, "lambda_minus": 1.0}
"""The drift of the market orders is downwards: the model holds as little as it may."""


def test_units_are_added_up_to_the_limit_while_the_model_says_so(build):
    strategy = build(**LAYERED)
    assert strategy.position_adjustment_enable
    price, stake, agreed = enter(strategy)
    assert (stake, agreed) == (3000.0, True)  # a third of the stake
    assert price < 2999.9
    for held in (1.0, 2.0):
        side, price, amount = adjust(strategy, layers(held))
        assert (side, amount) == ("buy", pytest.approx(1.0))
        assert price < 2999.9
        assert leave(strategy, layers(held)) is None
    side, price, amount = adjust(strategy, layers(3.0))
    assert (side, amount) == ("sell", pytest.approx(1.0))
    assert price > 3000.1


def test_units_are_offered_one_by_one_and_the_last_as_a_whole(build, make_set, tmp_path):
    strategy = build(**LAYERED)
    publish(tmp_path, make_set, **FALLING)
    for held in (3.0, 2.2, 1.6):
        side, price, amount = adjust(strategy, layers(held))
        assert (side, amount) == ("sell", pytest.approx(1.0))
        assert price >= 3000.0  # eager to sell, yet it takes nothing
        assert leave(strategy, layers(held)) is None
    for held in (1.4, 1.0, 0.3):
        assert adjust(strategy, layers(held)) is None
        assert leave(strategy, layers(held)) == "optimal_depth"
    now = datetime.now(UTC)
    ask = strategy.custom_exit_price(PAIR, layers(1.0), now, 3000.1, 0.0, "optimal_depth")
    assert ask > 3000.1
    ask = strategy.confirm_trade_exit(
        PAIR, layers(1.0), "limit", 1.0, ask, "GTC", "optimal_depth", now
    )
    assert ask is True


def test_one_order_rests_at_a_time_and_makes_way_when_the_other_side_is_worth_more(
    build, make_set, tmp_path
):
    strategy = build(**LAYERED)
    _, price, _ = adjust(strategy, layers(1.0))
    resting = SimpleNamespace(**vars(order(price)), ft_amount=1.0, safe_filled=0.0)
    held, now = layers(1.0, [resting]), datetime.now(UTC)
    assert adjust(strategy, held) is None
    assert leave(strategy, held) is None
    assert not strategy.check_entry_timeout(PAIR, held, resting, now)
    assert strategy._callers([held]) == set()
    publish(tmp_path, make_set, **FALLING)
    assert strategy.check_entry_timeout(PAIR, held, resting, now)
    assert strategy._callers([held]) == {(PAIR, "o1")}
    assert leave(strategy, layers(1.0)) == "optimal_depth"


def test_an_offer_makes_way_for_an_addition_no_sooner_than_it_would_be_replaced(build):
    """A young one stays, else two sides could change with each message of the websocket."""
    strategy = build(**LAYERED, min_quote_age_seconds=0.5)
    for age, makes_way in ((0.2, False), (0.6, True)):
        offer = SimpleNamespace(
            **vars(order(3001.0, "sell", age=age)), ft_amount=1.0, safe_filled=0.0
        )
        held, now = layers(1.0, [offer]), datetime.now(UTC)
        assert strategy.check_exit_timeout(PAIR, held, offer, now) is makes_way
        assert bool(strategy._callers([held])) is makes_way


def test_where_nothing_may_be_added_what_is_held_is_offered(build, make_set, tmp_path):
    """Toxic, without parameters, on an account in doubt: entries go, orders that reduce stay."""
    strategy = build(**LAYERED)
    side, well, _ = adjust(strategy, layers(3.0))
    publish(tmp_path, make_set, epsilon_fill_minus=5.0)
    assert enter(strategy)[1:] == (0.0, False)
    side, price, amount = adjust(strategy, layers(2.0))
    assert (side, amount) == ("sell", pytest.approx(1.0))
    assert price > well - 5  # at the depth that the offer would have, not at the touch
    assert leave(strategy, layers(1.0)) == "optimal_depth"
    publish(tmp_path, make_set, "r3")
    strategy._live = SimpleNamespace(
        entry=lambda *asked: Refusal("an order is in doubt"),
        lost_entry=lambda *asked: False,
        fee=SimpleNamespace(rate=None),
    )
    assert enter(strategy)[1:] == (0.0, False)
    assert adjust(strategy, layers(2.0))[0] == "sell"
    (tmp_path / "kappa.json").unlink()
    assert adjust(strategy, layers(2.0)) == ("sell", 3000.1, pytest.approx(1.0))


def test_a_lost_addition_is_recovered_although_a_unit_is_to_be_offered(build, make_set, tmp_path):
    """The books would lack a unit for as long as the model adds none."""
    strategy = build(**LAYERED)
    publish(tmp_path, make_set, **FALLING)
    assert adjust(strategy, layers(2.0))[0] == "sell"
    found = Quote("bid", 0, 2998.0, 3000.0, 2.0, 0.1, None, opens=True)
    strategy._live = SimpleNamespace(
        entry=lambda *asked: found,
        lost_entry=lambda pair, side: (pair, side) == (PAIR, "bid"),
        fee=SimpleNamespace(rate=None),
    )
    assert adjust(strategy, layers(2.0))[:2] == ("buy", 2998.0)
    assert leave(strategy, layers(1.0)) is None


def test_an_addition_and_a_partial_offer_are_told_to_the_journal(build, make_set, tmp_path):
    """Freqtrade asks for no consent to either."""
    strategy = build(**LAYERED)
    strategy.bot_start()
    _, bid, amount = adjust(strategy, layers(1.0))
    send(strategy, bid, amount=amount)
    publish(tmp_path, make_set, **FALLING)
    _, ask, amount = adjust(strategy, layers(2.0))
    send(strategy, ask, side="sell", amount=amount)
    bought, sold = journal_of(strategy).events(QuoteSent)
    assert (bought.purpose, bought.units, bought.inventory) == ("entry", 1, 1.0)
    assert (sold.purpose, sold.units, sold.inventory) == ("exit", 2, 2.0)


def test_beyond_the_stop_nothing_is_added_either(build):
    strategy = build(**LAYERED)
    assert adjust(strategy, layers(1.0), bid=2840.0, ask=2840.1) is None


def test_an_offer_that_has_become_an_addition_is_not_sent(build, make_set, tmp_path):
    """Between the exit and its price the model may have changed its mind."""
    strategy = build(**LAYERED)
    publish(tmp_path, make_set, **FALLING)
    held, now = layers(1.0), datetime.now(UTC)
    assert leave(strategy, held) == "optimal_depth"
    publish(tmp_path, make_set, "r3")
    price = strategy.custom_exit_price(PAIR, held, now, 3000.1, 0.0, "optimal_depth")
    assert price == 3000.1
    assert not strategy.confirm_trade_exit(
        PAIR, held, "limit", 1.0, price, "GTC", "optimal_depth", now
    )


def test_a_unit_is_smaller_in_a_volatile_market_and_no_more_than_the_room(
    build, make_set, tmp_path
):
    strategy = build(**LAYERED)
    publish(tmp_path, make_set, sigma=0.3)
    assert enter(strategy)[1] == 3000.0
    later = datetime.now(UTC) + timedelta(seconds=1)
    publish(tmp_path, make_set, "r3", sigma=0.7)
    ParameterFiles(tmp_path).publish(
        {"ETH": make_set("r4", sigma=0.7, published_at=later, fitted_at=later)}
    )
    assert enter(strategy)[1] == pytest.approx(2100.0)
    assert adjust(strategy, layers(1.0))[2] == pytest.approx(0.7)
    assert adjust(strategy, layers(2.4))[2] == pytest.approx(0.6)


def test_two_legs_quote_the_joint_inventory_and_their_own_when_the_other_is_silent(build, tmp_path):
    """The depths are those of -1 to 1, which ask less for what both hold too much of."""
    strategy = build(inventory_mode="two_legs", leg="long")
    strategy.bot_start()
    strategy._inventories.legs._clock = lambda: 100.0  # however long the first solution takes
    other = Legs(tmp_path, "short", clock=lambda: 100.0)
    alone, _, agreed = enter(strategy)
    assert agreed
    prices = {}
    for units in (0.0, -1.0):
        for _ in range(2):
            other._written = None
            other.tell({"ETH": Held(units)})
            enter(strategy)
        prices[units], _, agreed = enter(strategy)
        assert agreed
    assert prices[-1.0] > alone > prices[0.0]
    other.close()
    assert enter(strategy)[0] == alone
    strategy.ft_bot_cleanup()
    assert not (tmp_path / "legs" / "long.json").exists()


def test_a_leg_tells_the_other_what_it_holds(build, tmp_path, monkeypatch):
    monkeypatch.setattr(PairLocks, "get_pair_locks", lambda pair: [])
    monkeypatch.setattr(Trade, "get_total_closed_profit", lambda: 0.0)
    strategy = build(inventory_mode="two_legs", leg="long")
    strategy.config |= {"dry_run_wallet": 10_000, "stake_amount": 3000}
    strategy.bot_start()
    strategy.bot_loop_start(datetime.now(UTC))
    told = tmp_path / "legs" / "long.json"
    assert json.loads(told.read_text())["coins"] == {"ETH": {"units": 0.0, "stake": 3000.0}}
    strategy.own_trades = [layers(0.5)]
    filled = booked("o1", "buy", 3000.0, 0.5)
    strategy.order_filled(PAIR, held_trade(), filled, datetime.now(UTC))
    assert json.loads(told.read_text())["coins"] == {"ETH": {"units": 0.5, "stake": 3000.0}}


def test_a_bot_tells_prometheus_of_its_loops_and_of_what_it_sends(build, tmp_path, monkeypatch):
    monkeypatch.setattr(PairLocks, "get_pair_locks", lambda *_, **__: [])
    monkeypatch.setattr(Trade, "get_total_closed_profit", lambda: 0.0)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    strategy = build(metrics_port=port)
    strategy.config |= {"dry_run_wallet": 10_000}
    strategy.bot_start()
    for _ in range(2):
        strategy.bot_loop_start(datetime.now(UTC))
    price, _, _ = enter(strategy)
    send(strategy, price)
    address = f"http://127.0.0.1:{port}/metrics"
    text = requests.get(address, timeout=30).text
    for line in (
        'advanced_mm_loops_total{bot="freqtrade"} 2.0',
        'advanced_mm_quotes_sent_total{bot="freqtrade",coin="ETH",side="bid"} 1.0',
        'advanced_mm_inventory_limit_ratio{bot="freqtrade",coin="ETH"} 0.0',
        'advanced_mm_parameters_published_timestamp_seconds{coin="ETH"}',
    ):
        assert line in text
    strategy.ft_bot_cleanup()
    with pytest.raises(requests.ConnectionError):
        requests.get(address, timeout=5)


def test_a_backtest_of_a_leg_is_that_of_its_own_side(build):
    strategy = build(runmode=RunMode.BACKTEST, inventory_mode="two_legs", leg="short")
    assert (strategy.settings.mode, strategy.can_short) == ("short_only", True)


def booked(name, side, price, size, status="closed"):
    """An order in Freqtrade's books."""
    return SimpleNamespace(
        order_id=name, ft_order_side=side, safe_price=price, safe_filled=size, status=status,
        order_filled_utc=datetime.now(UTC), ft_is_open=False,
        trade=SimpleNamespace(entry_side="buy"),
    )  # fmt: skip


def held_trade(**changes):
    values = {
        "id": 1, "entry_side": "buy", "amount": 3.0, "fee_open": 0.00015, "fee_close": 0.00015,
        "funding_fees": 0.0, "is_open": True, "orders": [],
        "calculate_profit": lambda rate: SimpleNamespace(total_profit=0.0),
    }  # fmt: skip
    return SimpleNamespace(**{**vars(trade()), **values, **changes})


def test_a_round_trip_is_in_the_journal_to_the_cent(build, monkeypatch):
    strategy = build()
    strategy.config["dry_run_wallet"] = 10_000
    monkeypatch.setattr(Trade, "get_total_closed_profit", lambda: 0.0)
    monkeypatch.setattr(PairLocks, "get_pair_locks", lambda pair: [])
    strategy.bot_start()
    strategy.bot_loop_start(datetime.now(UTC))
    bid, _, _ = enter(strategy)
    send(strategy, bid)
    now = datetime.now(UTC)
    held = held_trade()
    strategy.own_trades = [held]
    entry = booked("o1", "buy", bid, 3.0)
    held.orders.append(entry)
    for _ in range(2):  # Freqtrade may tell it again
        strategy.order_filled(PAIR, held, entry, now)
    held.funding_fees = -0.5
    strategy.bot_loop_start(now)
    leave(strategy, held)
    ask = strategy.custom_exit_price(PAIR, held, now, 3000.1, 0.0, "optimal_depth")
    assert strategy.confirm_trade_exit(PAIR, held, "limit", 3.0, ask, "GTC", "optimal_depth", now)
    send(strategy, ask, side="sell")
    held.is_open = False
    strategy.order_filled(PAIR, held, booked("o2", "sell", ask, 3.0), now)
    strategy.own_trades = []
    fees = 3.0 * 0.00015 * (bid + ask)
    profit = 3.0 * (ask - bid) - fees - 0.5
    monkeypatch.setattr(Trade, "get_total_closed_profit", lambda: profit)
    journal = journal_of(strategy)
    quotes = journal.events(QuoteSent)
    assert [(q.order, q.side, q.purpose, q.price) for q in quotes] == [
        ("o1", "bid", "entry", bid), ("o2", "ask", "exit", ask),
    ]  # fmt: skip
    assert [q.inventory for q in quotes] == [0.0, 3.0]
    assert quotes[0].bid == 2999.9
    assert quotes[0].regime == "competitive"
    assert quotes[0].expected_edge < quotes[0].depth
    fills = journal.events(Fill)
    assert [(f.order, f.size, f.position_after) for f in fills] == [
        ("o1", 3.0, 3.0),
        ("o2", 3.0, 0),
    ]
    assert sum(f.fee for f in fills) == pytest.approx(fees, abs=1e-12)
    assert [q.outcome for q in journal.events(QuoteEnded)] == ["filled", "filled"]
    (funding,) = journal.table(Funding).to_pylist()
    assert (funding["amount"], funding["position"]) == (-0.5, 3.0)
    start, end = journal.events(Look)
    assert (start.cash, start.equity, start.what) == (10_000, 10_000, "start")
    assert end.what == "end"
    assert end.cash == pytest.approx(10_000 + profit, abs=1e-9)


def test_quotes_that_ended_without_a_fill_say_why(build):
    strategy = build()
    strategy.bot_start()
    price, _, _ = enter(strategy)
    send(strategy, price)
    now = datetime.now(UTC)
    assert strategy.check_entry_timeout(PAIR, trade(), order(price - 5, age=6), now)
    strategy.dp._exchange.cancel_order_with_result("o1", PAIR, 3.0)
    enter(strategy)
    send(strategy, price)  # is gone when Freqtrade's books are next looked at
    enter(strategy)
    strategy.dp.error = ExchangeError("Post only order would have immediately matched")
    with pytest.raises(ExchangeError):
        send(strategy, price)
    strategy.dp.error = None
    journal = journal_of(strategy)
    ended = [(one.order[:7], one.outcome, one.why[:25]) for one in journal.events(QuoteEnded)]
    assert ended == [
        ("o1", "cancelled", "replaced: 50.0 ticks off"),
        ("refused", "refused", "Post only order would hav"),
        ("o2", "cancelled", "gone from Freqtrade's boo"),
    ]
    assert [one.order[:7] for one in journal.events(QuoteSent)] == ["o1", "o2", "refused"]


def test_an_order_that_is_no_quote_of_ours_is_none(build):
    strategy = build()
    strategy.bot_start()
    price, _, _ = enter(strategy)
    send(strategy, price + 1.0)
    enter(strategy)
    send(strategy, price, side="sell")
    send(strategy, price)  # the quote that was agreed to went with the order before
    with pytest.raises(InputError, match="no bot has written there yet"):
        journal_of(strategy)


def test_a_jump_takes_the_entry_away_and_leaves_the_exit(build, make_set, tmp_path):
    """At the look that sees it; the loop is called for as well."""
    strategy = build(min_edge_bp=None)
    now = datetime.now(UTC)
    ParameterFiles(tmp_path).publish(
        {"ETH": make_set("r2", sigma=0.5, published_at=now, fitted_at=now)}
    )
    strategy.bot_start()
    price, _, agreed = enter(strategy)
    assert agreed
    resting = order(price)
    strategy._touches.clear()
    strategy.dp.bid, strategy.dp.ask = price + 14.9, price + 15.1
    entry = SimpleNamespace(**{**vars(trade()), "open_orders": [resting], "entry_side": "buy"})
    assert strategy._callers([entry]) == {(PAIR, "o1")}
    assert strategy.check_entry_timeout(PAIR, trade(), order(price, age=0), datetime.now(UTC))
    assert enter(strategy)[1:] == (0.0, False)
    assert leave(strategy, trade()) == "optimal_depth"
    offer = strategy._decisions[PAIR].price
    resting = order(offer, side="sell")
    assert not strategy.check_exit_timeout(PAIR, trade(), resting, datetime.now(UTC))
    (change,) = journal_of(strategy).events(GuardChanged)
    assert (change.coin, change.guard, change.does) == ("ETH", "volatility", "pause")


def test_an_exit_stays_where_the_book_cannot_be_seen_unless_its_parameters_are_stale(
    build, make_set, tmp_path
):
    strategy = build()
    assert leave(strategy, trade()) == "optimal_depth"
    offer = order(strategy._decisions[PAIR].price, side="sell")
    strategy._touches.clear()
    strategy.dp.error = ExchangeError("502")
    now = datetime.now(UTC)
    assert not strategy.check_exit_timeout(PAIR, trade(), offer, now)
    assert strategy.check_entry_timeout(PAIR, trade(), order(2999.0), now)
    old = now - timedelta(seconds=70)
    ParameterFiles(tmp_path).publish({"ETH": make_set("r0", published_at=old, fitted_at=old)})
    assert strategy.check_exit_timeout(PAIR, trade(), offer, now)


def test_books_that_cannot_be_had_in_a_row_pause_entries_also_once_there_is_one(build):
    strategy = build(max_errors_in_a_row=3)
    strategy.bot_start()
    strategy.dp.error = ExchangeError("502")
    for _ in range(3):
        assert enter(strategy)[1:] == (0.0, False)
    guards = strategy._guards
    reason = guards.rule("ETH", "bid", None, 0.0, datetime.now(UTC)).refusal
    assert reason.startswith("exchange errors: 3 in a row for questions")
    strategy.dp.error = None
    assert enter(strategy)[2]  # a success ends the row
    strategy.ft_bot_cleanup()


def test_the_switch_is_refreshed_only_while_a_book_is_seen(build, monkeypatch):
    monkeypatch.setattr(PairLocks, "get_pair_locks", lambda pair: [])
    strategy, seen = build(runmode=RunMode.LIVE), []
    strategy._live = SimpleNamespace(
        at_loop=lambda pairs, trades, healthy: seen.append(healthy),
        entry=lambda pair, side, touch, tick, decision: decision,
        fee=SimpleNamespace(rate=None, look=lambda configured: None),
    )
    now = datetime.now(UTC)
    strategy.bot_loop_start(now)
    enter(strategy)
    strategy.bot_loop_start(now)
    strategy.bot_loop_start(now + timedelta(seconds=30))
    assert seen == [False, True, False]


def test_an_order_is_made_smaller_to_keep_the_position_s_limit(build):
    strategy = build(max_position_value=5000.0)
    assert enter(strategy)[1] == 5000.0
    strategy.own_trades = [trade()]
    assert enter(strategy)[1:] == (0.0, False)  # it holds 9000
    assert strategy._log._refusals[PAIR][1] == "position limit"


def test_losses_are_counted_with_open_trades_and_survive_a_restart(build, monkeypatch):
    monkeypatch.setattr(PairLocks, "get_pair_locks", lambda pair: [])
    monkeypatch.setattr(Trade, "get_total_closed_profit", lambda: 0.0)
    sunk = held_trade(calculate_profit=lambda rate: SimpleNamespace(total_profit=rate - 3400.0))
    reasons = []
    for trades in ([sunk], [sunk]):
        strategy = build()
        strategy.config["dry_run_wallet"] = 10_000
        strategy.own_trades = trades
        strategy.bot_start()
        enter(strategy)
        strategy.bot_loop_start(datetime.now(UTC))
        if not reasons:
            strategy._guards.account.mark = None
            strategy._guards.account.saw(0.0, 10_000.0, datetime.now(UTC))
            strategy.bot_loop_start(datetime.now(UTC))
        assert enter(strategy)[1:] == (0.0, False)
        reasons.append(strategy._log._refusals[PAIR][1])
        marks = journal_of(strategy).events(AccountMarked)
    assert reasons == ["daily loss", "daily loss"]
    assert marks[-1].profit == pytest.approx(-400.0)
    assert marks[-1].day_start == 0.0


def closed_trade(at, profit, exit_reason="optimal_depth"):
    return SimpleNamespace(
        close_date=at.replace(tzinfo=None),
        close_profit=profit / 3000,
        close_profit_abs=profit,
        exit_reason=exit_reason,
    )


def test_a_bot_without_a_journal_begins_from_its_closed_trades(build):
    strategy = build()
    now = datetime.now(UTC)
    strategy.closed_trades = [closed_trade(now, -5.0), closed_trade(now - timedelta(days=3), 20.0)]
    strategy.bot_start()
    mark = strategy._guards.account.mark
    assert (mark.profit, mark.day_start, mark.peak) == (15.0, 20.0, 20.0)
    strategy.ft_bot_cleanup()


def test_stops_of_the_day_pause_entries(build):
    strategy = build(protection_pause_minutes=90)
    now = datetime.now(UTC)
    hour = timedelta(hours=1)
    strategy.closed_trades = [
        closed_trade(now - 25 * hour, -5.0, "stop_loss"),
        closed_trade(now - 2 * hour, 5.0, "trailing_stop_loss"),
        closed_trade(now - 2 * hour, -5.0),
        closed_trade(now - 2 * hour, -5.0, "stop_loss"),
    ]
    strategy.bot_start()
    assert enter(strategy)[2]
    strategy._guards.stops.stopped([now - hour])
    assert enter(strategy)[1:] == (0.0, False)
    assert strategy._log._refusals[PAIR][1] == "stops"
    strategy.ft_bot_cleanup()


def test_a_journal_that_fails_stops_nothing(build, caplog, monkeypatch):
    strategy = build()
    strategy.bot_start()
    monkeypatch.setattr(strategy._log.journal.memory.writer, "record", None)
    for _ in range(3):
        price, stake, agreed = enter(strategy)
        assert send(strategy, price)["price"] == price
        assert (stake, agreed) == (9000.0, True)
    strategy.ft_bot_cleanup()
    assert caplog.text.count("journal: was_sent: TypeError") == 1


class Moves:
    """In place of the orders at the venue: notes which are moved, and where to."""

    def __init__(self, fault=None):
        self.fault, self.made = fault, []
        self.filled_on_the_way = False

    def move(self, order, price, stoploss):
        if isinstance(self.fault, Exception):
            raise self.fault
        if self.fault is not None:
            return None
        self.made.append((order.order_id, price))
        if not self.filled_on_the_way:
            order.order_id = f"m{len(self.made)}"
        return {"id": f"m{len(self.made)}", "price": price, "amount": 3.0}


@pytest.fixture
def live(build, monkeypatch):
    """A strategy with real orders as far as it decides, beside an entry that has drifted."""

    def made(state="RUNNING", locked=False, fault=None, loss=5.0):
        strategy = build(min_quote_age_seconds=2.0)
        strategy.bot_start()
        entry = lambda pair, side, touch, tick, wanted: wanted  # noqa: E731
        tolerant = SimpleNamespace(tolerance_percent=lambda configured: loss)
        strategy._live = SimpleNamespace(
            moves=Moves(fault), budget=tolerant, entry=entry, fee=SimpleNamespace(rate=None),
            close=lambda: None, lift_switch=lambda: None,
        )  # fmt: skip
        bot = SimpleNamespace(state=SimpleNamespace(name=state))
        strategy.dp._DataProvider__rpc = SimpleNamespace(_rpc=SimpleNamespace(_freqtrade=bot))
        monkeypatch.setattr(strategy, "is_pair_locked", lambda pair, **side: locked)
        monkeypatch.setattr(Trade, "commit", lambda: None)
        held = trade()
        held.trade_direction = "long"
        price, _, _ = enter(strategy)
        assert send(strategy, price)["id"] == "o1"
        return strategy, held, price

    return made


def cancels(strategy, held, price):
    return strategy.check_entry_timeout(PAIR, held, order(price, age=6), datetime.now(UTC))


def test_a_live_entry_that_has_drifted_is_moved_and_the_journal_has_both(live):
    strategy, held, price = live()
    strategy.dp.bid, strategy.dp.ask = 3004.9, 3005.1
    strategy._touches.clear()
    assert not cancels(strategy, held, price)
    (moved,) = strategy._live.moves.made
    assert moved == ("o1", pytest.approx(price + 5, abs=0.2))
    journal = journal_of(strategy)
    ended = journal.events(QuoteEnded)[0]
    assert (ended.order, ended.outcome) == ("o1", "cancelled")
    assert ended.why.startswith("replaced: ")
    assert [(one.order, one.price) for one in journal.events(QuoteSent)][-1] == ("m1", moved[1])


def test_an_order_filled_in_part_while_it_was_moved_ends_in_the_journal_with_its_fill(live):
    strategy, held, price = live()
    strategy._live.moves.filled_on_the_way = True
    strategy.dp.bid, strategy.dp.ask = 3004.9, 3005.1
    strategy._touches.clear()
    assert not cancels(strategy, held, price)
    part = booked("o1", "buy", price, 1.2, status="canceled")
    strategy.order_filled(PAIR, held_trade(), part, datetime.now(UTC))
    journal = journal_of(strategy)
    ended = journal.events(QuoteEnded)[0]
    assert (ended.order, ended.outcome, ended.filled_size) == ("o1", "partial", 1.2)
    assert ended.why.startswith("replaced: ")
    assert [one.order for one in journal.events(QuoteSent)] == ["o1", "m1"]


@pytest.mark.parametrize(
    ("given", "cancelled"),
    [
        ({"state": "PAUSED"}, True),
        ({"locked": True}, True),
        ({"fault": "cannot be moved"}, True),
        ({"fault": BaseError("canceled or filled")}, False),  # Freqtrade asks for it next
        ({"loss": 99.0}, False),
    ],
)
def test_an_entry_that_freqtrade_would_not_place_is_not_moved(live, given, cancelled):
    strategy, held, price = live(**given)
    strategy.dp.bid, strategy.dp.ask = 3000.4, 3000.6
    strategy._touches.clear()
    assert cancels(strategy, held, price) is cancelled
    assert strategy._live.moves.made == []


def test_an_offer_is_moved_unless_its_reason_changes(live):
    strategy, held, _ = live(state="PAUSED")
    offer = order(3009.0, side="sell", age=6)
    for tag, cancelled in (("optimal_depth", False), ("at_touch", True)):
        offer.ft_order_tag = tag
        found = strategy.check_exit_timeout(PAIR, held, offer, datetime.now(UTC))
        assert found is cancelled
    assert len(strategy._live.moves.made) == 1


def test_an_order_that_could_not_be_moved_is_cancelled_at_the_next_look(live):
    """A venue that refuses moves may still cancel: a quote of the past must not go on resting."""
    strategy, held, price = live(fault=BaseError("order could not be modified"))
    strategy.dp.bid, strategy.dp.ask = 3000.4, 3000.6
    strategy._touches.clear()
    assert [cancels(strategy, held, price) for _ in range(2)] == [False, True]


@pytest.mark.parametrize(
    ("said", "streaks"),
    [
        ("Insufficient margin to place order.", ["order"]),
        ("Post only order would have immediately matched", []),
    ],
)
def test_a_move_that_fails_counts_as_an_error_of_the_exchange(live, said, streaks):
    """Most actions of a live bot are moves: else neither an outage nor a halt would be noticed."""
    strategy, held, price = live(fault=BaseError(said))
    strategy.dp.bid, strategy.dp.ask = 3000.4, 3000.6
    strategy._touches.clear()
    cancels(strategy, held, price)
    assert list(strategy._guards.errors._streaks) == streaks
    strategy._live.moves.fault = None
    strategy._unmoved = None
    cancels(strategy, held, price)
    assert list(strategy._guards.errors._streaks) == []


def test_an_entry_is_placed_anew_and_not_moved_once_its_size_should_be_another(
    live, make_set, tmp_path
):
    """Moved all the while, it would keep the size of a calm market through a volatile one."""
    strategy, held, price = live()
    strategy._guards = RiskGuards(strategy.settings.model_copy(update={"volatility_limit": None}))
    publish(tmp_path, make_set, "calm", sigma=0.3)
    enter(strategy)
    later = datetime.now(UTC) + timedelta(seconds=1)
    publish(tmp_path, make_set, "wild", sigma=0.7)
    ParameterFiles(tmp_path).publish(
        {"ETH": make_set("wilder", sigma=0.7, published_at=later, fitted_at=later)}
    )
    strategy.dp.bid, strategy.dp.ask = 3004.9, 3005.1
    strategy._touches.clear()
    assert cancels(strategy, held, price)
    assert enter(strategy)[1] == pytest.approx(6300.0)
    assert not cancels(strategy, held, price)


def test_an_addition_that_no_longer_fits_is_cancelled(build):
    """As when the order before it was filled in part while it was moved: it is whole again."""
    strategy = build(**LAYERED)
    side, price, amount = adjust(strategy, layers(2.0))
    assert (side, amount) == ("buy", pytest.approx(1.0))
    rests = order(price, remaining=1.0, age=0)
    rests.ft_amount, rests.safe_filled = 1.0, 0.0
    for held, cancelled in ((2.0, False), (2.02, False), (2.3, True)):
        now, adding = datetime.now(UTC), layers(held, [rests])
        assert strategy.check_entry_timeout(PAIR, adding, rests, now) is cancelled
        assert strategy._callers([adding]) == ({(PAIR, "o1")} if cancelled else set())


@pytest.mark.parametrize(("widen", "replaced"), [(1.0, False), (1.25, True)])
def test_few_requests_left_do_not_hold_a_quote_nearer_than_guards_allow(
    live, monkeypatch, widen, replaced
):
    strategy, held, price = live(loss=99.0)
    ruling = Ruling(None, widen)
    monkeypatch.setattr(strategy._guards, "rule", lambda *_: ruling)
    adding = SimpleNamespace(**{**vars(held), "open_orders": [order(price)], "entry_side": "buy"})
    assert strategy._callers([adding]) == ({(PAIR, "o1")} if replaced else set())
    cancels(strategy, held, price)
    assert bool(strategy._live.moves.made) is replaced


@pytest.mark.parametrize(("seconds", "sent"), [(1.0, True), (3.0, False)])
def test_nothing_is_sent_on_a_book_that_grew_old_while_freqtrade_asked_the_venue(
    build, seconds, sent
):
    """It looks at balances between the price of an offer and its order, however long that takes."""
    strategy = build(max_book_age_seconds=2.0)
    enter(strategy)
    price = strategy.custom_exit_price(
        PAIR, trade(), datetime.now(UTC), 3000.1, 0.0, "optimal_depth"
    )
    now = datetime.now(UTC) + timedelta(seconds=seconds)
    assert sent is strategy.confirm_trade_exit(
        PAIR, trade(), "limit", 3.0, price, "GTC", "optimal_depth", now
    )
