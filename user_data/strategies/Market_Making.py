"""Freqtrade strategy that quotes at the Cartea-Jaimungal depths, see ``advanced_mm.quoting``."""

import contextlib
import copy
import functools
import logging
import math
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ccxt import BaseError
from freqtrade.constants import Config
from freqtrade.enums import ExitType, RunMode
from freqtrade.exceptions import ExchangeError, OperationalException
from freqtrade.exchange import timeframe_to_minutes
from freqtrade.persistence import Order, PairLocks, Trade
from freqtrade.strategy import DecimalParameter, IStrategy
from pandas import DataFrame
from sqlalchemy import select

from advanced_mm.bad_rows import BadRows
from advanced_mm.errors import AdvancedMMError, InputError
from advanced_mm.eyes import (
    OLDEST_BOOK_SECONDS,
    BackgroundEyes,
    Eyes,
    LoopWait,
    takes_over_pacing,
)
from advanced_mm.instruments import coin_of_market
from advanced_mm.journal import JOURNAL_FOLDER, Event, JournalWriter
from advanced_mm.markets.candle_notes import CandleNotes
from advanced_mm.metrics.watch import BotWatch
from advanced_mm.orderly_exit import OrderlyExit
from advanced_mm.parameter_files import ParameterFiles, ParameterSet, Settings
from advanced_mm.price_grid import PriceGrid
from advanced_mm.quoting import (
    OwnSizes,
    ParameterFeed,
    Quote,
    Quoter,
    Refusal,
    Side,
    Touch,
    guarded_decision,
    queue_ahead,
    touch_of,
)
from advanced_mm.quoting.candle_backtest import CandleBacktest, caveats
from advanced_mm.quoting.exchange.action_errors import ActionErrors, is_fault
from advanced_mm.quoting.exchange.builder_markets import unnamed_exchanges
from advanced_mm.quoting.exchange.dead_orders import DeadOrders, forget_dry_orders
from advanced_mm.quoting.exchange.freqtrade_state import takes_entries, when_stopped
from advanced_mm.quoting.exchange.live import LiveTrading, spare_requests
from advanced_mm.quoting.guards import MarketOrder, RiskGuards, room
from advanced_mm.quoting.history_feed import HistoryFeed
from advanced_mm.quoting.inventory import Asked, Inventories, mode_refusal
from advanced_mm.quoting.journaling.account_records import AccountRecords
from advanced_mm.quoting.journaling.last_mark import last_mark
from advanced_mm.quoting.journaling.quote_log import QuoteLog
from advanced_mm.quoting.journaling.trade_journal import TradeJournal
from advanced_mm.quoting.legs import Legs
from advanced_mm.quoting.settings_check.freqtrade_settings import MODES, UNIT_OVER_MINIMUM, told
from advanced_mm.quoting.settings_check.start_check import check_settings
from advanced_mm.quoting.sizes import LongVolatility, entry_stake, size_factor
from advanced_mm.quoting.surfaces import PLOT_CONFIG, Surfaces
from advanced_mm.quoting.trade_profit import TradeProfit

logger = logging.getLogger(__name__)

AT_TOUCH, OPTIMAL_DEPTH = "at_touch", "optimal_depth"
"""Exit reasons of our own quotes."""

SEARCHED_SETTINGS = ("requote_loss_percent", "toxicity_limit", "min_edge_bp")
"""Settings that hyperopt searches by their own names, around the configured values."""

STOP_REASONS = frozenset(
    one.value
    for one in (
        ExitType.STOP_LOSS,
        ExitType.TRAILING_STOP_LOSS,
        ExitType.STOPLOSS_ON_EXCHANGE,
        ExitType.LIQUIDATION,
    )
)

BOOK_REUSE = timedelta(milliseconds=250)

SENT_AFTER_LOOK = timedelta(milliseconds=100)
"""Live, an order is sent after the cancel of the one before, a moment after its look. A loop of one
second thus misses a least age of one second, and the quote rests for two; a backtest does the same.
"""


class Market_Making(IStrategy):
    """Rest one post-only order at mid -/+ the optimal depth: the bid when flat, the ask when long.

    The setting ``inventory_mode`` of the ``market_making`` block makes the bot the mirror image,
    which sells first, lets it hold several units, or lets it share its inventory with a second bot.
    Parameters are re-read from the files that the calibration publishes; without fresh, consistent,
    finite ones no position is opened and resting entries are cancelled.
    """

    INTERFACE_VERSION = 3

    timeframe = "1m"
    startup_candle_count = 1  # none is needed, but recursive-analysis wants at least one
    process_only_new_candles = True

    order_types = {
        "entry": "limit",
        "exit": "limit",
        "emergency_exit": "market",
        "force_exit": "market",
        "stoploss": "market",
        "stoploss_on_exchange": False,
    }
    minimal_roi = {"0": 100}  # no profit target: positions are closed by quotes
    stoploss = -0.05  # last resort: the quotes control the inventory
    use_exit_signal = True
    plot_config = copy.deepcopy(PLOT_CONFIG)  # Freqtrade changes it

    # For hyperopt: ``buy`` is how much is risked and whether an entry is made, ``quoting`` where a
    # quote rests and when it is replaced. `_searched` has those named like settings.
    risk_aversion_scale = DecimalParameter(0.1, 3.0, default=1.0, decimals=1, space="buy")
    """Factor on the configured risk aversion; 1 leaves it unchanged."""
    min_depth_bp = DecimalParameter(0.0, 10.0, default=0.0, decimals=1, space="quoting")
    """Minimum distance of a quote from the mid, bp of it, if that is more than ``min_depth``."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        try:
            self.settings = Settings.from_config(config)
        except InputError as error:
            raise OperationalException(str(error)) from error
        if (unfit := mode_refusal(self.settings, config["runmode"].value)) is not None:
            raise OperationalException(unfit)
        if (unnamed := unnamed_exchanges(config)) is not None:
            raise OperationalException(unnamed)
        if not self._trading:
            self.settings = self.settings.alone()
        self._inventories = Inventories(self.settings)
        self.can_short = self.settings.sells_first
        self.position_adjustment_enable = self._inventories.layered
        self.requote_loss_percent = _searched(
            1.0, 20.0, self.settings.requote_loss_percent, "quoting"
        )
        self.toxicity_limit = _searched(0.5, 4.0, self.settings.toxicity_limit)
        if self.settings.min_edge_bp is not None:
            self.min_edge_bp = _searched(-5.0, 5.0, self.settings.min_edge_bp)
        self._coins: dict[str, str] = {}
        """The venue's coin names by pair, as far as they have been looked up."""
        self._feeds: dict[str, ParameterFeed | HistoryFeed] = {}
        self._quoters: dict[str, tuple[object, Quoter]] = {}
        """By pair, with what its settings depend on."""
        self._touches: dict[str, tuple[datetime, Touch, int | None]] = {}
        """By pair, with when it was seen, and what the websocket had told by then."""
        self._books: dict[str, Any] = {}
        self._own = OwnSizes()
        self._decisions: dict[str, Quote | Refusal] = {}
        self._volatility: dict[str, LongVolatility] = {}
        self._sized: dict[str, float] = {}
        """By pair, the factor on the size of the newest entry."""
        self._unit_stake: float | None = None
        self._live: LiveTrading | None = None
        self._stream: BackgroundEyes | None = None
        self._wait: LoopWait | None = None
        self._unmoved: str | None = None
        """The order that could not be moved last."""
        self._dead_orders = DeadOrders(lambda ids: Trade.get_trades([Trade.id.in_(ids)]))
        self._books_failed = False
        self._guards = RiskGuards(
            self.settings,
            pause=timedelta(minutes=self.settings.protection_pause_minutes),
            most_stops=self.settings.max_stops_a_day,
        )
        self._watch: BotWatch | None = None
        self._surfaces = Surfaces(self.settings.notify_after_seconds)
        self._surfaces_failed = False
        self._profit = TradeProfit(lambda: Trade.get_total_closed_profit())
        self._exit: OrderlyExit | None = None
        self._bad_rows = BadRows()
        self._log = QuoteLog(self._bad_rows, repeats=self._trading)
        self._candles: CandleBacktest | None = None
        if not self._trading:
            folder = self.settings.parameter_folder(Path(config["user_data_dir"]))
            self._candles = CandleBacktest(self.settings, folder, self._bad_rows)
            # Freqtrade would show a result of yesterday again although parameters or candles
            # are others now.
            config["backtest_cache"] = "none"
        self._last_candle: datetime | None = None
        self._backtested: datetime | None = None
        """The minute of the last loop of a backtest."""

    @property
    def protections(self) -> list[dict[str, Any]]:
        """Stop a backtest's entries after a drawdown on trades of a day, and after costly stops.

        When trading, our own guards do both: after each trade that closes, Freqtrade would read all
        trades of its database with their orders, a second for those of a day. Its cooldown after
        each trade, and its rule on low profits, would keep a market maker from quoting again.
        """
        if self._trading:
            return []
        day = {"lookback_period": 1440, "stop_duration": self.settings.protection_pause_minutes}
        drawdown = {
            "method": "MaxDrawdown",
            "calculation_mode": "equity",
            "trade_limit": 1,
            "max_allowed_drawdown": self.settings.max_drawdown,
            **day,
        }
        if self.settings.max_stops_a_day is None:
            return [drawdown]
        return [
            drawdown,
            {"method": "StoplossGuard", "trade_limit": self.settings.max_stops_a_day, **day},
        ]

    # ---- life cycle

    def ft_bot_start(self, **kwargs: Any) -> None:
        """Check Freqtrade's merged configuration: refuse what loses money, warn of hindrances."""
        mode = self.config["runmode"].value
        if mode in MODES:
            wallets = self.wallets if mode == "live" else None
            capital = None if wallets is None else wallets.get_total_stake_amount()
            published = self._published_parameters()
            findings = check_settings(self.config, self.settings, mode, published, capital)
            if any(finding.refused for finding in findings):
                raise OperationalException(told(findings))
            if findings:
                logger.warning("%s", told(findings))
        if self._candles is not None:
            self._start_backtest(self._candles)
        super().ft_bot_start(**kwargs)
        self._tell_hyperopt_s_result()

    def _start_backtest(self, candles: CandleBacktest) -> None:
        """Refuse to price candles with parameters that there are not, and say which are used."""
        # Quotes that have not changed would be cancelled until the next minute, which no bot does.
        self.config["unfilledtimeout"] = {}
        if self.config["runmode"] == RunMode.PLOT:
            return
        try:
            told_so = candles.require(self._configured_coins())
        except AdvancedMMError as error:
            raise OperationalException(str(error)) from error
        logger.log(logging.WARNING if candles.fixed else logging.INFO, "%s", told_so)

    def _configured_coins(self) -> list[str]:
        """Return the coins of the configured pairs that are traded on this exchange."""
        coins = []
        for pair in self.config["exchange"].get("pair_whitelist", []):
            with contextlib.suppress(AdvancedMMError):
                coins.append(self._coin(pair))
        return coins

    def _tell_hyperopt_s_result(self) -> None:
        found = {space: values for space, values in self._ft_params_from_file.items() if values}
        if found:
            logger.warning(
                "A result of hyperopt is in use, %s: %s. Delete the file to return to the "
                "configuration.",
                Path(self.__file__).with_suffix(".json"),
                "; ".join(f"{space}: {values}" for space, values in found.items()),
            )
        for space in ("buy", "quoting"):
            here = self._ft_hyper_params.get(space, {})
            for name in found.get(space, {}).keys() - here.keys():
                logger.warning(
                    "%s: %s is no parameter of the space %s, so Freqtrade does not use it. Run "
                    "hyperopt again, or move it to its space (docs/backtesting.md).",
                    Path(self.__file__).with_suffix(".json"),
                    name,
                    space,
                )

    def _published_parameters(self) -> Iterator[ParameterSet]:
        """Yield the parameters of the configured pairs, as far as they are published."""
        for pair in self.config["exchange"].get("pair_whitelist", []):
            with contextlib.suppress(AdvancedMMError):
                yield self._feed(pair).latest().around(self.settings.fair_price)

    def bot_start(self, **kwargs: Any) -> None:
        """Open the journal; in live trading make orders post-only and safe to lose."""
        if not self._trading:
            self._tell_caveats()
            return
        self._exit = OrderlyExit.install()
        exchange = self.dp._exchange  # Freqtrade has no public access to it
        eyes = self._open_eyes(exchange) if self.settings.own_stream else None
        spare_requests(exchange, self._bad_rows, eyes)
        if takes_over_pacing(self.config):
            self._wait = LoopWait(eyes)
        if self.config["runmode"] == RunMode.LIVE:
            self.order_time_in_force = {"entry": "ALO", "exit": "ALO"}
            switch = self.settings.dead_mans_switch_seconds
            self._live = live = LiveTrading(exchange, self._bad_rows, switch)
            when_stopped(self.dp, lambda: live.while_stopped(_any_rests))
            ActionErrors(
                exchange._api, self._action_failed, lambda: self._guards.errors.worked("order")
            ).install()
        if self.settings.leg is not None:
            folder = self.settings.parameter_folder(Path(self.config["user_data_dir"]))
            self._inventories.legs = Legs(folder, self.settings.leg, self._account(exchange))
        self._open_journal(exchange)

    def _account(self, exchange: Any) -> str | None:
        """Return the address that the bot trades from; None in a dry run."""
        if self.config["runmode"] != RunMode.LIVE:
            return None
        user, _ = exchange._api.handle_public_address("own_stream", {})
        return str(user)

    def _open_eyes(self, exchange: Any) -> Eyes:
        """Connect to the websocket that Freqtrade's own client would use, and listen."""
        newest = min(self.settings.max_book_age_seconds, OLDEST_BOOK_SECONDS)
        self.settings = self.settings.model_copy(update={"max_book_age_seconds": newest})
        user = self._account(exchange)
        eyes = Eyes(self._configured_coins(), user)
        self._stream = BackgroundEyes(exchange._api_async.urls["api"]["ws"]["public"], eyes)
        self._stream.start()
        return eyes

    def _tell_caveats(self) -> None:
        """Say what a backtest on candles cannot know, and what can tell it."""
        try:
            notes = CandleNotes.read(Path(self.config["datadir"]))
        except InputError as error:
            raise OperationalException(str(error)) from error
        made_of = {} if notes is None else {p.coin: p.data_dir for p in notes.pairs.values()}
        # Freqtrade lists its files last first; for the scripts, as for Freqtrade, later files win
        files = self.config.get("config_files", ["user_data/config.json"])
        configs = " ".join(["--config", *reversed(files)])
        commands = [
            f"python scripts/replay_backtest.py --crypto {coin} "
            f"--data-dir {made_of.get(coin, 'scripts/HL_data')} {configs}"
            for coin in self._configured_coins()
        ]
        for line in caveats(None if notes is None else notes.kind, commands):
            logger.warning("%s", line)

    def _open_journal(self, exchange: Any) -> None:
        name = str(self.config.get("bot_name") or "freqtrade")
        folder = self.settings.parameter_folder(Path(self.config["user_data_dir"]))
        writer = JournalWriter(folder / JOURNAL_FOLDER, name, self.settings.journal_days)
        self._watch = watch = BotWatch(
            name,
            alerts=self.settings.alerts,
            port=self.settings.metrics_port,
            limits={
                "ParametersStale": self.settings.max_published_age_seconds,
                "DataStale": self.settings.max_data_age_seconds or 0.0,
            },
        )

        def recorded(event: Event) -> None:
            self._surfaces.recorded(event)
            watch.metrics.recorded(event)

        writer.listener = recorded
        records = None
        if self._live is not None:
            records = AccountRecords(exchange._api)
            records.install()
        self._log.journal = TradeJournal(writer, name, exchange, records, self._dry_money)
        self._log.journal.install()
        self._guards.on_change = self._log.journal.guard_changed
        self._resume_guards(folder / JOURNAL_FOLDER, name)

    def bot_loop_start(self, current_time: datetime, **kwargs: Any) -> None:
        """Remove the lock that Freqtrade sets until the end of the candle after each closed trade.

        Before that, wait for something to do. In live trading, resolve orders in doubt and compare
        the account with the books.
        """
        if self._candles is not None:
            self._forget_other_runs(current_time)
        ended = datetime.now(UTC)
        if self._wait is not None:
            before = Trade.get_open_trades()
            self._wait.until(lambda: self._callers(before))
            current_time = datetime.now(UTC)
        if self._watch is not None:
            self._watch.loop(current_time, ended)
        self._log.skipped_rows(current_time)
        # Asked for once after the wait, for all that follows: each time it is a query.
        trades = self._tidy_trades() if self._trading else []
        if self._live is not None:
            self._live.at_loop(
                self.dp.current_whitelist(), trades, healthy=self._sees(current_time)
            )
            if self.settings.account_fee:
                self._live.fee.look(self.settings.fee_rate)
        if self._inventories.counts_units:
            self._unit_stake = self._find_unit_stake()
        self._tell_other_leg()
        if self._trading and any(
            lock.reason == "Auto lock" for lock in PairLocks.get_pair_locks(None)
        ):
            self.unlock_reason("Auto lock")
        if self._log.journal is not None:
            coins = self._traded_coins(trades)
            if self._stream is not None:
                self._stream.eyes.watch(coins.values())
            self._watch_account(self._log.journal, trades, current_time)
            self._tell_journal(self._log.journal, coins, trades, current_time)
            self._show(coins, trades, current_time)
            self._tell_watch(coins, trades, current_time)
        if current_time == self._last_candle and self.config["runmode"] == RunMode.BACKTEST:
            for line in self._log.counts():
                logger.info("not quoting: %s times", line)
            self._tell_caveats()

    def _tidy_trades(self) -> list[Trade]:
        """Return what is open, without orders that ended unfilled: each slows all later loops."""
        trades: list[Trade] = Trade.get_open_trades()
        try:
            dead = self._dead_orders.find(trades)
            self._guards.stops.stopped(_stops_among(self._dead_orders.closed))
            for order in dead:
                Order.session.delete(order)
            if dead:
                Trade.commit()
            forget_dry_orders(self.dp._exchange)
        except Exception:
            if not self._books_failed:
                self._books_failed = True
                logger.exception("ended orders stay in Freqtrade's database; trading goes on")
            with contextlib.suppress(Exception):
                Trade.rollback()  # a write that failed would make Freqtrade's next ones fail
        return trades

    def _forget_other_runs(self, now: datetime) -> None:
        """Begin a backtest anew: hyperopt runs all its epochs on the same strategy."""
        if self._backtested is not None and now < self._backtested:
            for known in (self._quoters, self._decisions, self._volatility, self._sized):
                known.clear()
        self._backtested = now

    def _callers(self, trades: list[Trade]) -> frozenset[Hashable]:
        """Return which quotes are to be sent, replaced or withdrawn, or have filled dry."""
        slots = self.config.get("max_open_trades", math.inf)
        pairs = {trade.pair for trade in trades}
        if slots < 0 or len(trades) < slots:
            pairs |= set(self.dp.current_whitelist())
        try:
            found = {
                pair: self._caller_of(pair, [trade for trade in trades if trade.pair == pair])
                for pair in sorted(pairs)
            }
        except Exception as error:
            logger.debug("a loop begins as it is not known whether it must: %r", error)
            return frozenset({"unknown"})
        return frozenset((pair, caller) for pair, caller in found.items() if caller is not None)

    def _caller_of(self, pair: str, trades: list[Trade]) -> str | None:
        now = datetime.now(UTC)
        grid = self._grid(pair)
        book = self.dp.orderbook(pair, 20)
        touch = touch_of(pair, book, self._own_sizes(pair, book, trades))

        def wanted_of(asked: Asked) -> Quote | Refusal:
            quoter = self._quoter(pair, touch.mid, grid, asked.alone)
            return self._guarded(pair, quoter, asked, touch, now)

        if not trades:
            entry = wanted_of(self._entry_asked(pair))
            return "entry" if isinstance(entry, Quote) else None
        for trade in trades:
            if not trade.open_orders:
                if isinstance(wanted_of(self._exit_asked(pair, trade)), Quote):
                    return "exit"
                continue
            for order in trade.open_orders:
                if order.order_type != "limit":
                    continue
                adds = order.ft_order_side == trade.entry_side
                asked = self._entry_asked if adds else self._exit_asked
                wanted = wanted_of(asked(pair, trade))
                price = order.safe_placement_price
                age = (now - order.order_date_utc).total_seconds()
                quoter = self._quoters[pair][1]
                if self._wait is not None:
                    self._wait.look_after(quoter.settings.min_quote_age_seconds - age)
                crossed = touch.ask <= price if order.ft_order_side == "buy" else touch.bid >= price
                wanted = self._wanted_of(trade, order, wanted, age)
                tolerance = self._tolerance(quoter, wanted)
                if crossed or quoter.is_outdated(price, age, wanted, tolerance):
                    return str(order.order_id)
        return None

    def _tell_other_leg(self) -> None:
        """Write down what is held, where the inventory is shared with another bot."""
        if self._inventories.legs is None:
            return
        trades = Trade.get_open_trades()
        held = {trade.pair: trade for trade in trades}
        coins = {coin: held.get(pair) for pair, coin in self._traded_coins(trades).items()}
        certain = self._live is None or not self._live.in_doubt
        self._inventories.tell(coins, self._unit_stake, certain=certain)

    # ---- guards

    def _guarded(
        self, pair: str, quoter: Quoter, asked: Asked, touch: Touch, now: datetime
    ) -> Quote | Refusal:
        """Return the quoter's decision with the guards' say; a backtest has no guards."""
        if self._candles is not None:
            return asked.of(quoter, touch, now)
        coin = self._coin(pair)
        if self._stream is not None:
            eyes = self._stream.eyes
            self._guards.traded(coin, [MarketOrder(*one) for one in eyes.taken(coin)])
            self._guards.funding(coin, eyes.funding_rate(coin))
        held = self._held(pair) * touch.mid
        return guarded_decision(
            self._guards, quoter, coin, asked, self._entry_side, touch, held, now
        )

    def _held(self, pair: str) -> float:
        """Return the size of the pair's position; 0 without asking where nothing limits it."""
        if self.settings.max_position_value is None:
            return 0.0
        return sum(float(t.amount or 0.0) for t in Trade.get_open_trades() if t.pair == pair)

    def _action_failed(self, pair: str, message: str) -> None:
        self._guards.failed("order", self._coins.get(pair), message, datetime.now(UTC))

    def _sees(self, now: datetime) -> bool:
        """Whether a book was seen lately: else the venue may cancel what rests."""
        oldest = timedelta(seconds=self.settings.max_book_age_seconds)
        return any(now - seen[1].at <= oldest for seen in self._touches.values())

    def _resume_guards(self, journal: Path, name: str) -> None:
        """Let daily loss and drawdown go on where the journal, or the database, left them."""
        now = datetime.now(UTC)
        rows = self._closed_trades()
        self._guards.stops.stopped(_stops_among(rows))
        closed = sorted(
            (row.close_date.replace(tzinfo=UTC), float(row.close_profit_abs))
            for row in rows
            if row.close_date is not None and row.close_profit_abs is not None
        )
        try:
            mark = last_mark(journal, name, now)
        except InputError as error:  # today's loss is not known: rather no start
            raise OperationalException(str(error)) from error
        if mark is not None and (closed or Trade.get_open_trades()):
            self._guards.account.resume(mark)
        else:  # or a mark of trades that somebody has deleted
            self._guards.account.resume_from_books(closed, now)

    def _closed_trades(self) -> Sequence[Any]:
        """Return rows of all closed trades; whole trades, with their orders, take far longer."""
        columns = (Trade.close_date, Trade.close_profit, Trade.close_profit_abs, Trade.exit_reason)
        asked = select(*columns).where(Trade.is_open.is_(False))
        return list(Trade.session.execute(asked))

    def _watch_account(self, journal: TradeJournal, trades: list[Trade], now: datetime) -> None:
        """Show the account's profit to its guards, at the mids of the last look."""
        capital = self._capital()
        if capital is None:
            return
        mids = {pair: seen[1].mid for pair, seen in self._touches.items()}
        profit = self._profit.now(trades, mids, now)
        if profit is not None:
            mark = self._guards.account.saw(profit, capital, now)
            journal.marked(mark)

    def _capital(self) -> float | None:
        """Return what the bot had before its first trade, quote currency; None if unknown."""
        if self.config["runmode"] == RunMode.LIVE:
            return None if self.wallets is None else float(self.wallets.get_starting_balance())
        start: Any = self.config.get("dry_run_wallet")
        if isinstance(start, dict):
            start = start.get(self.config["stake_currency"])
        return None if start is None else float(start)

    # ---- journal

    def _traded_coins(self, trades: list[Trade]) -> dict[str, str]:
        """Return by pair the coins that the pair list allows now, and those held."""
        coins = {}
        for pair in sorted({*self.dp.current_whitelist(), *(trade.pair for trade in trades)}):
            with contextlib.suppress(AdvancedMMError):
                coins[pair] = self._coin(pair)
        return coins

    def _tell_journal(
        self, journal: TradeJournal, coins: dict[str, str], trades: list[Trade], now: datetime
    ) -> None:
        if journal.look_is_due:
            for pair in coins:
                with contextlib.suppress(AdvancedMMError, ExchangeError):
                    self._touch(pair, now, [trade for trade in trades if trade.pair == pair])
        journal.at_loop(coins, trades)

    def _tell_watch(self, coins: dict[str, str], trades: list[Trade], now: datetime) -> None:
        """Tell the metrics what they do not learn from the journal, and send what is due."""
        watch = self._watch
        if watch is None:
            return
        for pair, coin in coins.items():
            touch = self._touches.get(pair)
            if touch is not None:
                watch.metrics.book(coin, touch[1].at.timestamp(), touch[0].timestamp())
        if not watch.is_due(now):
            return
        try:
            for pair, coin in coins.items():
                found = self._parameters(pair)
                if found is not None:
                    lambda_ = found.lambda_
                    watch.metrics.parameters(coin, lambda_.published_at, lambda_.fitted_at)
                held = [trade for trade in trades if trade.pair == pair]
                watch.metrics.held(coin, self._share_held(coin, pair, held))
            watch.metrics.fallen(self._guards.account.drawdown_used)
            for message in watch.messages(now):
                self.dp.send_msg(message, always_send=True)
        except Exception:
            watch.failed("what is watched cannot be told; trading goes on")

    def _share_held(self, coin: str, pair: str, trades: list[Trade]) -> float:
        """Return the share of what may be held of a coin that is held."""
        filled = [trade for trade in trades if trade.has_open_position]
        if not filled:
            return 0.0
        shares = [1.0]
        if self._inventories.layered:
            units = self._inventories.exit(coin, filled[0], self._unit_stake).inventory
            shares = [abs(units) / self.settings.layers]
        touch, most = self._touches.get(pair), self.settings.max_position_value
        if most is not None and touch is not None:
            amount = sum(float(trade.amount or 0.0) for trade in filled)
            shares.append(amount * touch[1].mid / most)
        return max(shares)

    def _dry_money(self) -> float:
        """What a dry run started with and has earned with closed trades."""
        return (self._capital() or 0.0) + float(Trade.get_total_closed_profit())

    def ft_bot_cleanup(self) -> None:
        """Resolve orders in doubt; Freqtrade calls this after cancelling the orders it knows."""
        super().ft_bot_cleanup()
        if self._live is not None:
            self._live.close()
            self._cancel_what_rests(self._live)
            self._live.lift_switch()
        if self._stream is not None:
            self._stream.close()
        if self._inventories.legs is not None:
            self._inventories.legs.close()
        if self._log.journal is not None:
            self._log.journal.close(Trade.get_open_trades)
        if self._watch is not None:
            self._watch.close()

    def _cancel_what_rests(self, live: LiveTrading) -> None:
        """Cancel orders at the venue itself if Freqtrade's clean-up has failed to."""
        if not self.config.get("cancel_open_orders_on_exit"):
            return
        rests = self._exit is not None and self._exit.broke_off
        try:
            rests |= _any_rests()
        except Exception as error:
            logger.warning("Freqtrade's database cannot be read at the end: %s", error)
            rests = True
            with contextlib.suppress(Exception):
                Trade.rollback()
        if rests:
            live.withdraw(self.dp.current_whitelist())

    def order_filled(
        self, pair: str, trade: Trade, order: Order, current_time: datetime, **kwargs: Any
    ) -> None:
        """Called by Freqtrade once an order has ended of which something was filled."""
        self._tell_other_leg()
        if self._candles is not None and order.ft_order_side == trade.entry_side:
            self._date_by_its_fill(trade, current_time)
        if self._log.journal is not None:
            self._log.journal.order_filled(self._coin(pair), trade, order)
            self._surfaces.filled(self._coin(pair), order)

    @staticmethod
    def _date_by_its_fill(trade: Trade, now: datetime) -> None:
        """Let a backtested trade begin when its entry fills, not when an order first rested.

        A quote may rest for minutes, and is replaced within one trade. A backtest that ends before
        the fill lacks the trade, which lookahead-analysis would take for a look into the future.
        """
        for opened in Trade.get_open_trades():  # callbacks get copies
            if opened.id == trade.id and opened.nr_of_successful_entries == 1:
                opened.open_date = now

    # ---- what FreqUI, Telegram and the REST API show

    def _show(self, coins: dict[str, str], trades: list[Trade], now: datetime) -> None:
        """Show what was decided in the last loop; a fault is said once and stops nothing."""
        try:
            for pair, coin in coins.items():
                touch = self._touches.get(pair)
                told = self._surfaces.show(
                    pair,
                    coin,
                    now,
                    None if touch is None else touch[1],
                    self._decisions.get(pair),
                    self._entry_side,
                    self._parameters(pair),
                    [trade for trade in trades if trade.pair == pair],
                    functools.partial(self._blocked, pair, now),
                )
                if told is not None:
                    self.dp.send_msg(told, always_send=True)
        except Exception:
            if not self._surfaces_failed:
                self._surfaces_failed = True
                logger.exception("what is quoted cannot be shown; trading goes on")
            with contextlib.suppress(Exception):
                Trade.rollback()  # a write that failed would make Freqtrade's next ones fail

    def _blocked(self, pair: str, now: datetime) -> str | None:
        """Return why Freqtrade makes no entry by a lock of its own, such as a protection's."""
        side = "short" if self.can_short else "long"
        lock = PairLocks.get_pair_longest_lock(pair, now, side)
        lock = lock or next(iter(PairLocks.get_pair_locks("*", now, side)), None)
        if lock is None:
            return None
        return f"locked by Freqtrade: {lock.reason}, until {lock.lock_end_time:%H:%M} UTC"

    def plot_annotations(
        self,
        pair: str,
        start_date: datetime,
        end_date: datetime,
        dataframe: DataFrame,
        **kwargs: Any,
    ) -> list[dict[str, Any]]:
        """Return the newest quotes, fills and pauses for FreqUI; a backtest has none.

        The last candle is one that is complete, so up to two more have passed since it opened.
        """
        if not self._trading:
            return []
        end = end_date + 3 * timedelta(minutes=timeframe_to_minutes(self.timeframe))
        end = min(end, datetime.now(UTC))
        return self._surfaces.chart.annotations(self._coin(pair), start_date, end)

    # ---- signals: always on; whether a quote is sent is decided when its price is known

    def populate_indicators(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        """Add what the bot saw in each candle, to be looked at: depths come from the order flow.

        A backtest, and what analyses one, gets the candles unchanged.
        """
        if self.config["runmode"] == RunMode.HYPEROPT:
            self._require_overlap(dataframe, metadata["pair"])
        if not self._trading:
            return dataframe
        opens = dataframe["date"].to_numpy("datetime64[ms]")
        minutes = timeframe_to_minutes(self.timeframe)
        return dataframe.assign(
            **self._surfaces.chart.columns(self._coin(metadata["pair"]), opens, minutes)
        )

    def populate_entry_trend(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        """Signal on every candle; ``custom_stake_amount`` blocks entries that are refused."""
        if self.config["runmode"] == RunMode.BACKTEST:
            self._require_overlap(dataframe, metadata["pair"])
            self._last_candle = dataframe["date"].iloc[-1].to_pydatetime()
        dataframe["enter_short" if self.can_short else "enter_long"] = 1
        if self._trading:
            dataframe["enter_tag"] = self._surfaces.entry_tag(self._coin(metadata["pair"]))
        return dataframe

    def populate_exit_trend(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        """Set no exit signals: they would cancel entries of the same candle (see `custom_exit`)."""
        return dataframe

    # ---- entries

    def custom_entry_price(
        self,
        pair: str,
        trade: Trade | None,
        current_time: datetime,
        proposed_rate: float,
        entry_tag: str | None,
        side: str,
        **kwargs: Any,
    ) -> float:
        """Return mid -/+ the optimal depth, or the proposed rate if the quote is refused.

        This callback cannot decline an order; the refusal takes effect in ``custom_stake_amount``,
        which Freqtrade calls next. An addition was decided in ``adjust_trade_position`` just now.
        """
        if trade is not None:
            return self._adjusted_price(pair, trade, current_time, proposed_rate)
        decision = self._decide(
            pair, lambda: self._entry_asked(pair), current_time, proposed_rate, []
        )
        return decision.price if isinstance(decision, Quote) else proposed_rate

    def custom_stake_amount(
        self,
        pair: str,
        current_time: datetime,
        current_rate: float,
        proposed_stake: float,
        min_stake: float | None,
        max_stake: float,
        leverage: float,
        entry_tag: str | None,
        side: str,
        **kwargs: Any,
    ) -> float:
        """Return the stake of one unit (see `sizes`), or 0 (no order) if the quote was refused."""
        if not isinstance(self._decisions.get(pair), Quote):
            return 0.0
        held, limit = self._held(pair) * current_rate, self.settings.max_position_value
        unit = min(proposed_stake * self.settings.unit_share, room(held, limit) / leverage)
        least = min_stake or 0.0
        factor = self._sized[pair] = self._size_factor(pair)
        stake = entry_stake(unit, factor, UNIT_OVER_MINIMUM * least)
        if stake is None:
            self._log_refusal(
                pair,
                current_time,
                f"a unit of {unit:.2f} {self.config['stake_currency']} is below "
                f"{UNIT_OVER_MINIMUM} x the venue's minimum of {least:.2f}; raise stake_amount",
            )
            return 0.0
        return stake

    def confirm_trade_entry(
        self,
        pair: str,
        order_type: str,
        amount: float,
        rate: float,
        time_in_force: str,
        current_time: datetime,
        entry_tag: str | None,
        side: str,
        **kwargs: Any,
    ) -> bool:
        """Check that the order has exactly the quoted price (Freqtrade clamps distant ones)."""
        return self._confirm(pair, rate, current_time, 0.0)

    def check_entry_timeout(
        self, pair: str, trade: Trade, order: Order, current_time: datetime, **kwargs: Any
    ) -> bool:
        """Return True in any loop to cancel a quote that has drifted, expired or is refused.

        A backtest replaces quotes by ``adjust_order_price``: it opens no other trade that minute.
        """
        return self._trading and self._is_outdated(
            pair, lambda: self._entry_asked(pair, trade), order, current_time, trade
        )

    # ---- several units

    def adjust_trade_position(
        self,
        trade: Trade,
        current_time: datetime,
        current_rate: float,
        current_profit: float,
        min_stake: float | None,
        max_stake: float,
        current_entry_rate: float,
        current_exit_rate: float,
        current_entry_profit: float,
        current_exit_profit: float,
        **kwargs: Any,
    ) -> tuple[float, str] | None:
        """With several units, add or offer one if nothing rests; `custom_exit` offers the last."""
        pair, other_way = trade.pair, trade.is_short != self.can_short
        if not self._inventories.layered or trade.open_orders or other_way:
            return None
        if _stopped(trade, current_exit_rate):
            return None
        decision = self._decide(
            pair, lambda: self._entry_asked(pair, trade), current_time, current_rate, [trade]
        )
        if isinstance(decision, Refusal):
            return None
        adds, factor = decision.is_entry, self._size_factor(pair, self._units(decision))
        if adds:
            self._sized[pair] = factor
        adjustment = self._inventories.adjustment(
            trade,
            decision,
            factor=factor,
            unit_stake=self._unit_stake,
            least=UNIT_OVER_MINIMUM * (min_stake or 0.0),
            proposed=current_entry_rate if adds else current_exit_rate,
            clamp=float(self.config.get("custom_price_max_distance_ratio", 0.02)),
        )
        if isinstance(adjustment, Refusal):
            self._log_refusal(pair, current_time, adjustment.reason)
            return None
        if adjustment is None:
            return None
        if adds:
            held, limit = self._held(pair) * current_rate, self.settings.max_position_value
            adjustment = min(adjustment, room(held, limit) / float(trade.leverage or 1.0))
            if adjustment < (min_stake or 0.0):
                return None
        return adjustment, _tag(decision)

    def _adjusted_price(
        self, pair: str, trade: Trade, current_time: datetime, proposed_rate: float
    ) -> float:
        """Return the price that ``adjust_trade_position`` has decided; tell the journal of it."""
        decision = self._decisions.get(pair)
        if not isinstance(decision, Quote):
            return proposed_rate
        self._confirm(pair, decision.price, current_time, _position(trade))
        return decision.price

    def _units(self, quote: Quote) -> int:
        """Return how many units are held that count for the size of an entry."""
        return abs(quote.inventory) if self._inventories.layered else 0

    def _size_factor(self, pair: str, units: int = 0) -> float:
        parameters = self._parameters(pair)
        volatility = self._volatility.setdefault(pair, LongVolatility()).ratio(parameters)
        return size_factor(self.settings, parameters, volatility, units)

    # ---- exits

    def custom_exit(
        self,
        pair: str,
        trade: Trade,
        current_time: datetime,
        current_rate: float,
        current_profit: float,
        **kwargs: Any,
    ) -> str | None:
        """Offer the position whenever no offer rests; hold it only while the book is in doubt.

        Beyond the stop nothing is offered: Freqtrade executes the first exit reported, so an offer
        that is requoted forever would prevent the stop.
        """
        if any(order.ft_order_side == trade.exit_side for order in trade.open_orders):
            return None
        if self._inventories.layered and trade.open_orders:
            return None  # the addition that rests is cancelled first, see `check_entry_timeout`
        if not self._trading and trade.date_last_filled_utc == current_time:
            return None  # whether this candle's high came after its low is not known
        if _stopped(trade, current_rate) or not self._inventories.closes_all(
            trade, self._unit_stake
        ):
            return None
        decision = self._decide_exit(pair, trade, current_time, current_rate)
        if isinstance(decision, Refusal) or decision.is_entry:
            return None
        return _tag(decision)

    def custom_exit_price(
        self,
        pair: str,
        trade: Trade,
        current_time: datetime,
        proposed_rate: float,
        current_profit: float,
        exit_tag: str | None,
        **kwargs: Any,
    ) -> float:
        """Reprice the offer, since Freqtrade queries funding between ``custom_exit`` and this call.

        A manual forced exit keeps Freqtrade's own price.
        """
        if exit_tag not in (AT_TOUCH, OPTIMAL_DEPTH):
            return proposed_rate
        if not self._inventories.closes_all(trade, self._unit_stake):
            return self._adjusted_price(pair, trade, current_time, proposed_rate)
        now = datetime.now(UTC) if self._trading else current_time
        decision = self._decide_exit(pair, trade, now, proposed_rate)
        if isinstance(decision, Refusal) or decision.is_entry:
            return proposed_rate  # `confirm_trade_exit` then refuses
        return decision.price

    def confirm_trade_exit(
        self,
        pair: str,
        trade: Trade,
        order_type: str,
        amount: float,
        rate: float,
        time_in_force: str,
        exit_reason: str,
        current_time: datetime,
        **kwargs: Any,
    ) -> bool:
        """Check the price of an exit quote; a stop or a manual exit is always confirmed."""
        if exit_reason not in (AT_TOUCH, OPTIMAL_DEPTH):
            return True
        decision = self._decisions.get(pair)
        if isinstance(decision, Quote) and decision.is_entry:
            return False  # meanwhile another unit is to be added rather than this one offered
        return self._confirm(pair, rate, current_time, _position(trade))

    def check_exit_timeout(
        self, pair: str, trade: Trade, order: Order, current_time: datetime, **kwargs: Any
    ) -> bool:
        """Cancel outdated exit quotes as for entries; leave market orders (the stop) alone."""
        if order.order_type != "limit" or not self._trading:
            return False
        return self._is_outdated(
            pair, lambda: self._exit_asked(pair, trade), order, current_time, trade
        )

    def adjust_order_price(
        self,
        trade: Trade,
        order: Order | None,
        pair: str,
        current_time: datetime,
        proposed_rate: float,
        current_order_rate: float,
        entry_tag: str | None,
        side: str,
        is_entry: bool,
        **kwargs: Any,
    ) -> float | None:
        """In a backtest, replace an outdated quote and cancel (None) one that is refused.

        A bot that trades cancels quotes itself, see ``check_entry_timeout``.
        """
        if self._trading or order is None or order.order_type != "limit":
            return current_order_rate
        asked = self._entry_asked(pair, trade) if is_entry else self._exit_asked(pair, trade)
        wanted = self._decide(pair, lambda: asked, current_time, proposed_rate, [trade])
        if isinstance(wanted, Refusal):
            return None
        age = (current_time - order.order_date_utc - SENT_AFTER_LOOK).total_seconds()
        outdated = self._quoters[pair][1].is_outdated(current_order_rate, age, wanted)
        return wanted.price if outdated else current_order_rate

    # ---- interface to the quoter

    @property
    def _trading(self) -> bool:
        return self.config["runmode"] in (RunMode.LIVE, RunMode.DRY_RUN)

    def _entry_asked(self, pair: str, trade: Trade | None = None) -> Asked:
        return self._inventories.entry(self._shared_coin(pair), trade, self._unit_stake)

    def _exit_asked(self, pair: str, trade: Trade) -> Asked:
        return self._inventories.exit(self._shared_coin(pair), trade, self._unit_stake)

    def _shared_coin(self, pair: str) -> str:
        """Return the coin, which only a shared inventory needs."""
        return "" if self._inventories.legs is None else self._coin(pair)

    def _find_unit_stake(self) -> float | None:
        """Return what one unit is worth, stake currency; None if it is not known."""
        stake, trades = self.config.get("stake_amount"), self.config.get("max_open_trades", 1)
        if stake == "unlimited" and self.wallets is not None and 0 < trades < math.inf:
            stake = self.wallets.get_total_stake_amount() / trades
        if not isinstance(stake, int | float):
            return None
        return stake * self.settings.unit_share

    def _decide_exit(self, pair: str, trade: Trade, now: datetime, rate: float) -> Quote | Refusal:
        return self._decide(pair, lambda: self._exit_asked(pair, trade), now, rate, [trade])

    def _decide(
        self,
        pair: str,
        ask: Callable[[], Asked],
        now: datetime,
        rate: float,
        trades: list[Trade],
    ) -> Quote | Refusal:
        """Return the quoter's decision; any error is a refusal and replaces the last decision.

        ``trades`` are the pair's open ones: to ask the database again takes longer than all else.

        Exceptions must not propagate: Freqtrade swallows them and continues with its defaults, so
        the order would keep resting and the last decision would remain in force.
        """
        self._decisions.pop(pair, None)
        asked: Asked | None = None
        try:
            asked = ask()
            grid = self._grid(pair)
            if self._candles is None:
                touch = self._touch(pair, now, trades)
            else:
                touch, now = self._candles.see(self._feed(pair), grid, rate, now)
            quoter = self._quoter(pair, touch.mid, grid, asked.alone)
            decision = self._guarded(pair, quoter, asked, touch, now)
            adds = asked.opens or (isinstance(decision, Quote) and decision.is_entry)
            if adds or (asked.side is None and self._lost_an_addition(pair)):
                entry = self._allowed_entry(pair, touch, grid.tick(touch.mid), decision)
                decision = asked.without_entry(quoter, touch, now, entry)
        except (AdvancedMMError, ExchangeError) as error:
            if isinstance(error, ExchangeError):
                self._guards.failed("question", None, str(error), now)
            decision = Refusal(str(error), self._stays(pair, asked, now))
        except Exception as error:
            logger.exception("%s: quote decision failed", pair)
            decision = Refusal(f"internal error: {error!r}", self._stays(pair, asked, now))
        if isinstance(decision, Refusal):
            self._log_refusal(pair, now, decision.reason)
        self._decisions[pair] = decision
        return decision

    @property
    def _entry_side(self) -> Side:
        return "ask" if self.can_short else "bid"

    def _lost_an_addition(self, pair: str) -> bool:
        """Whether an addition has filled whose reply was lost: it is recovered before all else."""
        return self._live is not None and self._live.lost_entry(pair, self._entry_side)

    def _stays(self, pair: str, asked: Asked | None, now: datetime) -> bool:
        """Whether an order that rests may stay where the book cannot be seen: an exit may."""
        known = self._quoters.get(pair)
        may_close = asked is not None and not asked.opens
        return may_close and known is not None and known[1].exit_may_rest(now)

    def _allowed_entry(
        self, pair: str, touch: Touch, tick: float, wanted: Quote | Refusal
    ) -> Quote | Refusal:
        """Return an entry, unless the account or the other leg forbids it."""
        legs = self._inventories.legs
        if legs is not None and legs.refusal is not None:
            wanted = Refusal(legs.refusal)
        if self._live is None:
            return wanted
        return self._live.entry(pair, self._entry_side, touch, tick, wanted)

    def _is_outdated(
        self, pair: str, ask: Callable[[], Asked], order: Order, now: datetime, trade: Trade
    ) -> bool:
        """Return whether Freqtrade must cancel an order; one that can be moved is moved instead."""
        resting = order.safe_placement_price
        decided = self._decide(pair, ask, now, resting, [trade])
        age = (now - order.order_date_utc).total_seconds()
        wanted = self._wanted_of(trade, order, decided, age)
        tolerance = 0.0
        if isinstance(wanted, Refusal):
            outdated = not wanted.keeps_resting
        else:
            quoter = self._quoters[pair][1]
            tolerance = self._tolerance(quoter, wanted)
            outdated = quoter.is_outdated(resting, age, wanted, tolerance)
        if self._log.journal is not None:
            name = str(order.order_id)
            if outdated:
                self._log.journal.will_cancel(name, resting, wanted)
            else:
                self._log.journal.kept(name, resting, wanted, tolerance)
        return outdated and not (isinstance(wanted, Quote) and self._moves(trade, order, wanted))

    def _wanted_of(
        self, trade: Trade, order: Order, decided: Quote | Refusal, age_seconds: float
    ) -> Quote | Refusal:
        """Return what is wanted of a resting order."""
        fits = isinstance(decided, Refusal) or self._inventories.fits(
            trade, order, self._unit_stake
        )
        if not fits:
            return Refusal("position limit: the order is larger than what may be added")
        young = age_seconds < self.settings.min_quote_age_seconds
        return _on_its_side(trade, order, decided, young=young)

    def _moves(self, trade: Trade, order: Order, wanted: Quote) -> bool:
        """Replace an order at the venue in one action; whether Freqtrade need not cancel it."""
        if self._live is None:
            return False
        pair, position = trade.pair, 0.0
        if order.ft_order_side == trade.exit_side:
            position = -float(trade.amount) if trade.is_short else float(trade.amount)
            reason = AT_TOUCH if wanted.calibration_id is None else OPTIMAL_DEPTH
            if order.ft_order_tag != reason:
                return False  # Freqtrade writes the reason where a new order is sent
        elif (
            not takes_entries(self.dp)
            or pair not in self.dp.current_whitelist()
            or self.is_pair_locked(pair, side=trade.trade_direction)
            # A move keeps the amount; one of an earlier run is as if placed with the same factor.
            or self._size_factor(pair, self._units(wanted)) != self._sized.get(pair, 1.0)
        ):
            return False
        old = str(order.order_id)
        if old == self._unmoved:
            return False  # it still rests, so it is cancelled instead
        if not self._confirm(pair, wanted.price, datetime.now(UTC), position):
            return False
        try:
            new = self._live.moves.move(order, wanted.price, self.stoploss)
        except BaseError as error:
            logger.warning("%s: order %s was not moved: %s", pair, old, str(error)[:200])
            self._unmoved = old
            if is_fault(error):
                self._action_failed(pair, str(error))
            return True
        if new is not None:
            self._guards.errors.worked("order")
            Trade.commit()  # as after any new order: a bot that is killed now must know it
            logger.info("%s: order %s moved to %s, now %s", pair, old, wanted.price, new["id"])
            if self._log.journal is not None:
                # Filled in part on the way, the old one is still in the books, which tell its end.
                self._log.journal.moved(pair, old, new, ended=str(order.order_id) != old)
        return new is not None

    def _tolerance(self, quoter: Quoter, wanted: Quote | Refusal) -> float:
        """Return the share of its value that a quote may have lost, percent.

        However few requests are left, a quote that guards want farther away goes there.
        """
        configured = quoter.settings.requote_loss_percent
        if self._live is None or (isinstance(wanted, Quote) and wanted.widened > 1):
            return configured
        return self._live.budget.tolerance_percent(configured)

    def _confirm(self, pair: str, rate: float, now: datetime, position: float) -> bool:
        decision = self._decisions.get(pair)
        if not isinstance(decision, Quote):
            return False
        if abs(rate - decision.price) > 0.01 * decision.tick:
            self._log_refusal(
                pair,
                now,
                f"Freqtrade would send {rate} instead of {decision.price}; raise "
                "custom_price_max_distance_ratio in the configuration",
            )
            return False
        touch = self._touches.get(pair)
        age = 0.0 if touch is None else (now - touch[1].at).total_seconds()
        if age > self.settings.max_book_age_seconds:
            self._log_refusal(
                pair, now, f"the book is {age:.0f} s old when the quote is to be sent"
            )
            return False
        if self._log.journal is not None:
            self._log.journal.agreed(
                pair,
                self._coin(pair),
                decision,
                rate,
                position,
                None if touch is None else touch[1],
                self._parameters(pair),
                queue_ahead(self._books.get(pair), decision.side, rate),
            )
        return True

    def _parameters(self, pair: str) -> ParameterSet | None:
        try:
            return self._feed(pair).latest().around(self.settings.fair_price)
        except AdvancedMMError:
            return None

    def _feed(self, pair: str) -> ParameterFeed | HistoryFeed:
        if pair not in self._feeds:
            if self._candles is not None:
                self._feeds[pair] = self._candles.feed(self._coin(pair))
            else:
                directory = self.settings.parameter_folder(Path(self.config["user_data_dir"]))
                files = ParameterFiles(directory, self._bad_rows)
                self._feeds[pair] = ParameterFeed(files, self._coin(pair))
        return self._feeds[pair]

    def _quoter(self, pair: str, mid: float, grid: PriceGrid, alone: bool = True) -> Quoter:
        """Return the pair's quoter; a new one if hyperopt has changed a parameter.

        One of two legs has other inventories while it is ``alone``.
        """
        values = [parameter.value for parameter in self._parameters_searched.values()]
        # Within 1% the least depth in the quote currency stays: with it the problem is solved anew.
        level = round(100 * math.log(mid)) if self.min_depth_bp.value else 0
        fee = None if self._live is None or ":" in self._coin(pair) else self._live.fee.rate
        wakes = self._wait is not None and self._stream is not None and self._stream.eyes.healthy
        key = (*values, level, alone, wakes, fee)
        if pair not in self._quoters or self._quoters[pair][0] != key:
            settings = self.tuned_settings(math.exp(level / 100))
            settings = settings.alone() if alone else settings
            if not wakes:  # quotes are looked at by the clock, and grow older
                settings = settings.model_copy(update={"own_stream": False})
            if fee is not None:
                settings = settings.model_copy(update={"fee_rate": fee})
            self._quoters[pair] = (key, Quoter(settings, self._feed(pair), grid))
        return self._quoters[pair][1]

    @property
    def _parameters_searched(self) -> dict[str, DecimalParameter]:
        names = ("risk_aversion_scale", "min_depth_bp", *SEARCHED_SETTINGS)
        return {name: getattr(self, name) for name in names if hasattr(self, name)}

    def tuned_settings(self, mid: float) -> Settings:
        """Return the settings with the values that hyperopt has chosen, at a mid (for depths)."""
        settings = self.settings.with_risk_aversion_scaled(float(self.risk_aversion_scale.value))
        searched = self._parameters_searched
        changes = {
            name: float(searched[name].value)
            for name in SEARCHED_SETTINGS
            # A parameter has one decimal; unchanged, it must not round the configured value.
            if name in searched and searched[name].value != round(getattr(settings, name), 1)
        }
        least = 1e-4 * float(self.min_depth_bp.value) * mid
        if least > settings.min_depth:
            changes["min_depth"] = least
        return settings.model_copy(update=changes) if changes else settings

    def _require_overlap(self, dataframe: DataFrame, pair: str) -> None:
        if self._candles is None:
            return
        starts = dataframe["date"].to_numpy("datetime64[ms]")
        try:
            self._candles.require_overlap(self._coin(pair), starts)
        except AdvancedMMError as error:
            raise OperationalException(str(error)) from error

    def _market(self, pair: str) -> dict[str, Any]:
        market: dict[str, Any] | None = self.dp.market(pair)
        if market is None:
            raise InputError(
                f"{pair}: not traded on this exchange; correct exchange.pair_whitelist."
            )
        return market

    def _coin(self, pair: str) -> str:
        """Return the venue's coin name of a pair, used for parameters and the journal."""
        if pair not in self._coins:
            self._coins[pair] = coin_of_market(self._market(pair))
        return self._coins[pair]

    def _grid(self, pair: str) -> PriceGrid:
        market = self._market(pair)
        # Freqtrade rounds orders to the precision at the time it loaded the markets.
        return PriceGrid(int(market["info"]["szDecimals"]), float(market["precision"]["price"]))

    def _touch(self, pair: str, now: datetime, trades: list[Trade]) -> Touch:
        """Return the best bid and offer, asked for at most every quarter of a second.

        What the websocket tells is looked at again as soon as it has changed.
        """
        eyes = None if self._stream is None else self._stream.eyes
        seen = None if eyes is None or not eyes.healthy else eyes.changes
        known = self._touches.get(pair)
        if known is not None and timedelta(0) <= now - known[0] < BOOK_REUSE and seen == known[2]:
            return known[1]
        book = self.dp.orderbook(pair, 20)
        self._guards.errors.worked("question")
        touch = touch_of(pair, book, self._own_sizes(pair, book, trades))
        self._touches[pair] = (now, touch, seen)
        self._books[pair] = book
        if self._log.journal is not None:
            self._log.journal.saw(self._coin(pair), touch)
        return touch

    def _own_sizes(self, pair: str, book: Any, trades: list[Trade]) -> dict[float, float]:
        if self.config["runmode"] != RunMode.LIVE:
            return {}
        published_s = (book["timestamp"] or 0) / 1000
        return self._own.at(pair, trades, published_s, datetime.now(UTC).timestamp())

    def _log_refusal(self, pair: str, now: datetime, reason: str) -> None:
        if self.config["runmode"] == RunMode.HYPEROPT:
            return  # each epoch would log them again, between the lines of the results
        self._log.refusal(pair, self._coins.get(pair, pair), reason, now)


def _searched(low: float, high: float, configured: float, space: str = "buy") -> DecimalParameter:
    """Return a parameter whose default is the configured value, which is always in its range."""
    low, high = min(low, configured), max(high, configured)
    return DecimalParameter(low, high, default=configured, decimals=1, space=space)


def _stops_among(closed: Iterable[Any]) -> list[datetime]:
    """Return when stops closed some of these trades, or rows of them, at a loss."""
    return [
        one.close_date.replace(tzinfo=UTC)
        for one in closed
        if one.exit_reason in STOP_REASONS and (one.close_profit or 0.0) < 0 and one.close_date
    ]


def _any_rests() -> bool:
    """Whether an order of Freqtrade's books is open."""
    return any(trade.open_orders for trade in Trade.get_open_trades())


def _stopped(trade: Trade, rate: float) -> bool:
    """Whether the stop is due: it is Freqtrade's to close the position then."""
    stop = trade.stoploss_or_liquidation
    return bool(rate >= stop if trade.is_short else rate <= stop)


def _position(trade: Trade) -> float:
    """Return what a trade holds, signed, base currency."""
    return -float(trade.amount) if trade.is_short else float(trade.amount)


def _tag(decision: Quote) -> str:
    return AT_TOUCH if decision.calibration_id is None else OPTIMAL_DEPTH


def _on_its_side(
    trade: Trade, order: Order, wanted: Quote | Refusal, *, young: bool
) -> Quote | Refusal:
    """Return what is wanted of a resting order: a refusal if the other side is to rest.

    Only an order that closes may stay where nothing can be decided, and makes way for an addition
    no sooner than it would be replaced: the sides could change with each message.
    """
    closes = order.ft_order_side == trade.exit_side
    if isinstance(wanted, Refusal):
        return wanted if closes else Refusal(wanted.reason)
    if (wanted.side == "bid") == (order.ft_order_side == "buy"):
        return wanted
    return Refusal(f"replaced: the {wanted.side} is worth more", keeps_resting=closes and young)
