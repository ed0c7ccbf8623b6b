"""Freqtrade's own books while a position is offered for long: its database, copies, accounting."""

import logging
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from freqtrade.enums import MarginMode, RunMode, TradingMode
from freqtrade.exchange import Exchange
from freqtrade.freqtradebot import FreqtradeBot
from freqtrade.persistence import Order, Trade, init_db
from freqtrade.resolvers import StrategyResolver
from freqtrade.strategy.strategy_wrapper import strategy_safe_wrapper
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError

from advanced_mm.quoting.exchange.dead_orders import KEPT, KEPT_DRY
from advanced_mm.quoting.exchange.live import books_of
from advanced_mm.quoting.guards import RiskGuards
from advanced_mm.quoting.layers import holding_of
from benchmarks.held_position import SIZE, books, hold, shares
from benchmarks.long_running import CLOCK_SPEED, Watched

PAIR = "ETH/USDC:USDC"
NOW = datetime.now(UTC).replace(microsecond=0)
FILLED = {"status": "closed", "ft_is_open": False}
CANCELLED = {"status": "canceled", "ft_is_open": False}


@pytest.fixture
def strategy(tmp_path, monkeypatch):
    monkeypatch.setattr(Trade, "use_db", True)
    init_db("sqlite://")
    root = __file__.rpartition("/tests/")[0]
    config = {
        "strategy": "Market_Making",
        "strategy_path": f"{root}/user_data/strategies",
        "user_data_dir": tmp_path,
        "runmode": RunMode.DRY_RUN,
        "stake_currency": "USDC",
        "timeframe": "1m",
        "trading_mode": TradingMode.FUTURES,
        "exchange": {"name": "hyperliquid"},
        "market_making": {"own_stream": False},
    }
    strategy = StrategyResolver.load_strategy(config)
    strategy.dp = SimpleNamespace(_exchange=SimpleNamespace(_dry_run_open_orders={}))
    yield strategy
    Trade.session.remove()


def an_order(name, side="sell", size=1.0, price=3001.0, **changes):
    """One that rests, unless ``changes`` say otherwise."""
    filled = size if changes.get("status") == "closed" else 0.0
    values = {
        "ft_order_side": side, "ft_pair": PAIR, "ft_is_open": True, "ft_amount": size,
        "ft_price": price, "order_id": name, "order_type": "limit", "side": side, "status": "open",
        "price": price, "average": price, "amount": size, "filled": filled,
        "remaining": size - filled, "cost": size * price, "order_date": NOW,
        "order_filled_date": NOW if filled else None, **changes,
    }  # fmt: skip
    return Order(**values)


def dead(name, side="sell", **changes):
    return an_order(name, side, **CANCELLED | changes)


def a_trade(*orders, **changes):
    """A position that ``orders`` have made, in the database."""
    values = {
        "pair": PAIR, "stake_amount": 3000.0, "amount": 0.0, "amount_requested": 1.0,
        "open_rate": 3000.0, "open_date": NOW - timedelta(hours=1), "fee_open": 1.5e-4,
        "fee_close": 1.5e-4, "is_open": True, "exchange": "hyperliquid", "base_currency": "ETH",
        "stake_currency": "USDC", "leverage": 1.0, "price_precision": 0.1,
        "amount_precision": 1e-4, "precision_mode": 4, "precision_mode_price": 4,
        "contract_size": 1.0, "fee_open_currency": "USDC", "strategy": "Market_Making",
    }  # fmt: skip
    trade = Trade(**values | changes)
    trade.orders.extend(orders)
    Trade.session.add(trade)
    trade.recalc_trade_from_orders()
    Trade.commit()
    return trade


def in_the_books():
    return Order.session.scalars(select(Order.order_id).order_by(Order.id)).all()


def rows():
    return Order.session.scalar(select(func.count()).select_from(Order))


def names(count, prefix="d"):
    return [f"{prefix}{k}" for k in range(count)]


# ---- they stay few


def test_replacing_an_exit_for_hours_makes_neither_the_database_nor_the_copies_grow(strategy):
    """The loop's own turns: a callback gets its copy, the exit is replaced, the next loop begins.

    The time of both goes with the number of orders, which is what is counted.
    """
    a_trade(an_order("entry", "buy", **FILLED), an_order("s0"))
    copied, in_loop = [], []
    callback = strategy_safe_wrapper(lambda trade: copied.append(len(trade.orders)))
    for k in range(1, 61):
        (trade,) = strategy._tidy_trades()
        in_loop.append(len(trade.orders))
        callback(trade=trade)
        (resting,) = trade.open_orders
        resting.status, resting.ft_is_open = "canceled", False
        trade.orders.append(an_order(f"s{k}", price=3001.0 + k / 10))
        Trade.commit()
    assert max(copied) == max(in_loop) <= 2 * KEPT + 2  # the entry and the exit that rests
    assert len(in_loop) > 2 * max(in_loop)
    strategy._tidy_trades()
    kept = in_the_books()
    assert kept[0] == "entry"
    assert kept[-KEPT:] == [f"s{k}" for k in range(61 - KEPT, 61)]


def test_a_database_that_has_hundreds_of_them_is_mended_by_one_loop(strategy):
    a_trade(an_order("entry", "buy", **FILLED), *map(dead, names(200)), an_order("rests"))
    strategy._tidy_trades()
    assert in_the_books() == ["entry", *names(200)[-KEPT:], "rests"]


def test_each_trade_keeps_its_own(strategy):
    for pair in ("ETH/USDC:USDC", "BTC/USDC:USDC"):
        orders = [dead(name, ft_pair=pair) for name in names(2 * KEPT + 1)]
        a_trade(an_order("entry", "buy", ft_pair=pair, **FILLED), *orders, pair=pair)
    a_trade(an_order("other", "sell", **FILLED), *(dead(name, "buy") for name in names(3, "x")),
            pair="SOL/USDC:USDC", is_short=True)  # fmt: skip
    strategy._tidy_trades()
    assert rows() == 2 * (1 + KEPT) + 4


def test_a_trade_that_closes_keeps_what_filled(strategy):
    sold = an_order("sold", size=0.4, **FILLED)
    trade = a_trade(an_order("entry", "buy", **FILLED), *map(dead, names(5)), sold)
    earlier = a_trade(an_order("e2", "buy", **FILLED), dead("of an earlier run"), is_open=False)
    strategy._tidy_trades()
    assert rows() == 9
    trade.orders.append(an_order("last", size=0.6, **FILLED))
    trade.close(3001.0)
    Trade.commit()
    strategy._tidy_trades()
    assert [one.order_id for one in trade.orders] == ["entry", "sold", "last"]
    assert [one.order_id for one in earlier.orders] == ["e2", "of an earlier run"]


# ---- what stays


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"status": "open", "ft_is_open": True}, id="open"),
        pytest.param({"ft_is_open": True}, id="cancelled, which Freqtrade has not booked yet"),
        pytest.param({"filled": 0.25, "remaining": 0.75}, id="filled in part"),
        pytest.param({"filled": None}, id="who knows what was filled"),
        pytest.param({"status": None}, id="who knows how it ended"),
        pytest.param({"status": "closed"}, id="closed"),
        pytest.param({"ft_order_side": "stoploss"}, id="a stop at the venue"),
        pytest.param({"order_type": "market"}, id="a stop, an emergency or a person's exit"),
        pytest.param({"funding_fee": -0.5}, id="funding is booked on it"),
        pytest.param({"ft_fee_base": 0.001}, id="a fee is booked on it"),
    ],
)
def test_what_may_matter_to_the_books_stays(strategy, changes):
    kept = an_order("kept", **CANCELLED | changes)
    a_trade(an_order("entry", "buy", **FILLED), kept, *map(dead, names(2 * KEPT + 1)))
    strategy._tidy_trades()
    assert in_the_books() == ["entry", "kept", *names(2 * KEPT + 1)[-KEPT:]]


def test_the_first_entry_stays_whose_amount_is_the_unit_of_a_position_in_layers(strategy):
    first = dead("first", "buy", size=2.0)
    second = an_order("second", "buy", size=0.5, **FILLED)
    trade = a_trade(first, second, *(dead(name, "buy") for name in names(2 * KEPT + 1)))
    before = holding_of(trade, 3)
    strategy._tidy_trades()
    assert in_the_books()[:2] == ["first", "second"]
    assert holding_of(Trade.get_open_trades()[0], 3) == before
    assert before.unit == 2.0


@pytest.mark.parametrize("is_short", [False, True])
def test_no_figure_of_a_trade_changes(strategy, is_short):
    """Amounts, prices, funding, fees and profits, while it is open and once it has closed."""
    enters, leaves = ("sell", "buy") if is_short else ("buy", "sell")
    told = []
    for count in (0, 3 * KEPT):
        pair = f"ETH{count}/USDC:USDC"

        def part(name, side, size, price, fee, pair=pair):
            return an_order(name, side, size, price, ft_pair=pair, funding_fee=fee, **FILLED)

        def replaced(prefix, pair=pair, count=count):
            return [dead(f"{prefix}{name}", leaves, ft_pair=pair) for name in names(count)]

        trade = a_trade(
            part("e1", enters, 1.0, 3000.0, 0.0), *replaced("a"),
            part("p1", leaves, 0.3, 3010.0, -0.2), *replaced("b"),
            part("e2", enters, 0.5, 2990.0, 0.1), *replaced("c"),
            an_order("rests", leaves, 1.2, 3020.0, ft_pair=pair),
            pair=pair, is_short=is_short, interest_rate=0.0, funding_fees=0.0,
            trading_mode=TradingMode.FUTURES,
        )  # fmt: skip
        trade.set_funding_fees(0.05)
        trade.adjust_stop_loss(3000.0, -0.05, initial=True)
        Trade.commit()
        if count:
            strategy._tidy_trades()
            assert len(trade.orders) == 4 + KEPT
        trade.recalc_trade_from_orders()
        figures = [trade.to_json(), trade.calc_profit(3030.0)]
        figures += [trade.max_stake_amount, books_of([trade]).positions[pair]]
        last = trade.open_orders[0]
        last.status, last.filled, last.remaining, last.order_filled_date = "closed", 1.2, 0.0, NOW
        last.ft_is_open = False
        trade.update_trade(last)
        assert not trade.is_open
        strategy._tidy_trades()
        assert len(trade.orders) == 4
        told.append([*figures, trade.to_json(), trade.close_profit, trade.close_profit_abs])
    unlike = {"trade_id", "pair", "order_id"}

    def alike(figure):
        if isinstance(figure, dict):
            return {key: alike(value) for key, value in figure.items() if key not in unlike}
        return [alike(one) for one in figure] if isinstance(figure, list) else figure

    assert alike(told[0]) == alike(told[1])
    assert told[0][-1] != 0


# ---- what Freqtrade finds at the venue


@pytest.fixture
def bot(strategy, caplog):
    """Freqtrade's bot, as far as it looks for orders that it lacks."""
    caplog.set_level(logging.INFO, "freqtrade")
    bot = object.__new__(FreqtradeBot)
    bot.config = {"dry_run": False, "stake_currency": "USDC"}
    bot.margin_mode = MarginMode.ISOLATED
    bot.strategy = strategy
    strategy.order_filled = lambda **_: None
    bot.wallets = SimpleNamespace(update=lambda: None, get_owned=lambda *_: bot.held)
    bot.exchange = SimpleNamespace(
        fetch_orders=lambda *_: bot.at_venue,
        check_order_canceled_empty=lambda order: Exchange.check_order_canceled_empty(None, order),
        order_has_fee=lambda order: False,
        get_trades_for_order=lambda *_: [],
        get_rate=lambda *_, **__: 3001.0,
        get_max_leverage=lambda *_: 1.0,
    )
    bot.handle_order_fee = lambda *_: None
    bot.order_close_notify = lambda *_, **__: None
    bot.cancel_stoploss_on_exchange = lambda trade: trade
    return bot


def at_the_venue(order, filled=0.0):
    status = "closed" if filled else "canceled"
    return order.to_ccxt_object() | {
        "filled": filled, "remaining": 1.0 - filled, "status": status, "type": "limit",
    }  # fmt: skip


def test_dropped_orders_that_freqtrade_finds_again_go_again(strategy, bot, monkeypatch):
    monkeypatch.setattr("freqtrade.freqtradebot.update_liquidation_prices", lambda *_, **__: None)
    orders = [dead(name) for name in names(3 * KEPT)]
    trade = a_trade(an_order("entry", "buy", **FILLED), *orders)
    bot.at_venue, bot.held = [at_the_venue(one) for one in orders], 0.5
    strategy._tidy_trades()
    for _ in range(2):
        assert rows() == 1 + KEPT
        before = (trade.amount, trade.open_rate, trade.realized_profit, trade.exit_reason)
        assert not bot.handle_onexchange_order(trade)
        assert rows() == 1 + 3 * KEPT
        assert (trade.amount, trade.open_rate, trade.realized_profit, trade.exit_reason) == before
        strategy._tidy_trades()


def test_a_fill_that_was_told_too_late_is_booked_all_the_same(strategy, bot, monkeypatch):
    monkeypatch.setattr("freqtrade.freqtradebot.update_liquidation_prices", lambda *_, **__: None)
    orders = [dead(name) for name in names(3 * KEPT)]
    trade = a_trade(an_order("entry", "buy", price=3000.0, **FILLED), *orders)
    bot.at_venue, bot.held = [at_the_venue(orders[0], filled=1.0)], 0.0
    strategy._tidy_trades()
    assert "d0" not in in_the_books()
    bot.handle_onexchange_order(trade)
    assert not trade.is_open
    assert trade.close_profit_abs == pytest.approx(1.0 - 1.5e-4 * 6001.0)


# ---- what a closed trade tells the guards


def close(trade, rate, reason):
    trade.exit_reason = reason
    order = an_order(f"x{trade.id}", price=rate, **FILLED)
    trade.orders.append(order)
    trade.update_trade(order)
    Trade.commit()


def test_stops_with_a_loss_pause_entries_also_after_a_restart(strategy, monkeypatch):
    def paused(guards):
        verdict = guards.stops.verdict(datetime.now(UTC))
        return verdict is not None and verdict.guard == "stops"

    trades = [a_trade(an_order(f"e{k}", "buy", **FILLED)) for k in range(4)]
    strategy._tidy_trades()
    ends = ((3010.0, "stop_loss"), (2990.0, "optimal_depth"), (2990.0, "stop_loss"))
    for trade, (rate, reason) in zip(trades, ends, strict=False):
        close(trade, rate, reason)
        strategy._tidy_trades()
        assert not paused(strategy._guards)
    with monkeypatch.context() as patch:  # the database is asked again at the next loop
        patch.setattr(strategy._dead_orders, "_trades_of", lambda _: 1 / 0)
        close(trades[3], 2990.0, "liquidation")
        strategy._tidy_trades()
    assert not paused(strategy._guards)
    strategy._tidy_trades()
    assert paused(strategy._guards)
    again = RiskGuards(strategy.settings, most_stops=2)
    strategy._guards = again
    strategy._resume_guards(strategy.config["user_data_dir"] / "journal", "bot")
    assert paused(again)


# ---- a dry run's own memory, and what goes wrong


def test_a_dry_run_forgets_ended_orders_and_finds_those_of_its_books_again(strategy):
    exchange = object.__new__(Exchange)
    exchange._config = {"dry_run": True}
    exchange._ft_has = {"stop_price_prop": "stopPrice"}
    exchange._dry_run_open_orders = known = {}
    strategy.dp._exchange = exchange
    a_trade(an_order("sold", size=0.5, **FILLED))
    known["resting"] = {"id": "resting", "status": "open"}
    for name in ["sold", *names(3 * KEPT_DRY)]:
        known[name] = {"id": name, "status": "closed" if name == "sold" else "canceled"}
    strategy._tidy_trades()
    assert set(known) == {"resting", *names(3 * KEPT_DRY)[-KEPT_DRY:]}
    assert exchange.fetch_dry_run_order("sold")["filled"] == 0.5
    exchange.close = lambda: None


def test_a_database_that_cannot_be_written_stops_no_loop_and_is_tried_again(
    strategy, monkeypatch, caplog
):
    a_trade(an_order("entry", "buy", **FILLED), *map(dead, names(3 * KEPT)), an_order("rests"))
    with monkeypatch.context() as patch:

        def locked():
            raise OperationalError("DELETE", {}, Exception("database is locked"))

        patch.setattr(Trade, "commit", locked)
        for _ in range(2):
            (trade,) = strategy._tidy_trades()
            assert [one.order_id for one in trade.open_orders] == ["rests"]
    assert rows() == 2 + 3 * KEPT
    told = [one for one in caplog.records if "stay in Freqtrade" in one.message]
    assert len(told) == 1
    strategy._tidy_trades()
    assert rows() == 2 + KEPT


# ---- the benchmark


def test_the_benchmark_s_position_is_held_and_its_replaced_exits_are_counted(strategy, tmp_path):
    database = tmp_path / "trades.sqlite"
    hold(database, 2950.0)
    assert books(database) == (True, 1, 1)
    (trade,) = Trade.get_open_trades()
    assert (trade.amount, trade.open_rate, trade.has_open_position) == (SIZE, 2950.0, True)
    trade.orders.extend(dead(name) for name in names(50))
    Trade.commit()
    strategy._tidy_trades()
    assert books(database) == (True, 1 + KEPT, 51)
    trade.is_open = False
    Trade.commit()
    assert not books(database)[0]


def test_the_benchmark_s_processor_time_is_of_each_third():
    spent = [0.0, 1.0, 2.0, 4.0, 6.0, 8.0, 12.0, 16.0, 20.0]
    bot = Watched("bot", 1, CLOCK_SPEED, [(10.0 * k, 0.0, one) for k, one in enumerate(spent)])
    assert shares(bot) == pytest.approx([10.0, 20.0, 40.0])
