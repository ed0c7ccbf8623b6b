"""Freqtrade plugin: rests quotes at the Cartea-Jaimungal depths, see ``advanced_mm.quoting``."""

import contextlib
import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from freqtrade.constants import Config
from freqtrade.enums import RunMode
from freqtrade.exceptions import ExchangeError, OperationalException
from freqtrade.persistence import Order, PairLocks, Trade
from freqtrade.strategy import DecimalParameter, IStrategy
from pandas import DataFrame

from advanced_mm.bad_rows import BadRows
from advanced_mm.errors import AdvancedMMError, InputError
from advanced_mm.instruments import coin_of_market
from advanced_mm.journal import JOURNAL_FOLDER, JournalWriter
from advanced_mm.parameter_files import ParameterFiles, ParameterSet, Settings
from advanced_mm.price_grid import PriceGrid
from advanced_mm.quoting import (
    ParameterFeed,
    Quote,
    Quoter,
    Refusal,
    Side,
    Touch,
    kind_of,
    own_sizes,
    queue_ahead,
    touch_of,
)
from advanced_mm.quoting.account_records import AccountRecords
from advanced_mm.quoting.builder_markets import unnamed_exchanges
from advanced_mm.quoting.freqtrade_settings import (
    MODES,
    UNIT_OVER_MINIMUM,
    USUAL_SPREAD,
    ConfiguredBot,
    find_contradictions,
    quoted_spread,
    told,
)
from advanced_mm.quoting.live import LiveTrading, spare_requests
from advanced_mm.quoting.settings_rules import RULES
from advanced_mm.quoting.trade_journal import TradeJournal

logger = logging.getLogger(__name__)

AT_TOUCH, OPTIMAL_DEPTH = "at_touch", "optimal_depth"
"""Exit reasons of our own quotes."""

BOOK_REUSE = timedelta(milliseconds=250)
REFUSAL_REPEAT = timedelta(seconds=60)


class Market_Making(IStrategy):
    """Rest one post-only order at mid -/+ the optimal depth: the bid when flat, the ask when long.

    With ``q_min = -1, q_max = 0`` in the ``market_making`` block it is the mirror image, a bot that
    sells first. Everything is re-read from the parameter files that the calibration publishes;
    without fresh, agreeing, finite ones nothing is opened and resting entries are cancelled.
    """

    INTERFACE_VERSION = 3

    timeframe = "1m"
    startup_candle_count = 0
    process_only_new_candles = True

    order_types = {
        "entry": "limit",
        "exit": "limit",
        "emergency_exit": "market",
        "force_exit": "market",
        "stoploss": "market",
        "stoploss_on_exchange": False,
    }
    minimal_roi = {"0": 100}  # exits are quotes, never a profit target
    stoploss = -0.05  # the last resort; inventory is controlled by the quotes
    use_exit_signal = True

    risk_aversion_scale = DecimalParameter(0.1, 10.0, default=1.0, decimals=1, space="buy")
    """Factor on the configured risk aversion, so that hyperopt can search it; 1 leaves it alone."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        try:
            self.settings = Settings.from_config(config)
        except InputError as error:
            raise OperationalException(str(error)) from error
        if (self.settings.q_min, self.settings.q_max) not in {(0, 1), (-1, 0)}:
            raise OperationalException(
                f"market_making.q_min = {self.settings.q_min}, q_max = {self.settings.q_max}: one "
                "Freqtrade bot holds one unit; set 0 and 1 (long-only) or -1 and 0 (short-only)."
            )
        if (unnamed := unnamed_exchanges(config)) is not None:
            raise OperationalException(unnamed)
        self.can_short = self.settings.q_min < 0
        self._coins: dict[str, str] = {}
        """The venue's names of the pairs, as far as they were asked for."""
        self._feeds: dict[str, ParameterFeed] = {}
        self._quoters: dict[tuple[str, float], Quoter] = {}
        self._touches: dict[str, tuple[datetime, Touch]] = {}
        self._books: dict[str, Any] = {}
        self._decisions: dict[str, Quote | Refusal] = {}
        self._refusals: dict[str, tuple[datetime, str]] = {}
        self._journal: TradeJournal | None = None
        self._live: LiveTrading | None = None
        self._bad_rows = BadRows()
        self._told_at = datetime.min.replace(tzinfo=UTC)

    @property
    def protections(self) -> list[dict[str, Any]]:
        """Stop entries for an hour after a closed-trade drawdown of ``max_drawdown`` in a day."""
        return [
            {
                "method": "MaxDrawdown",
                "calculation_mode": "equity",
                "lookback_period": 1440,
                "trade_limit": 1,
                "stop_duration": 60,
                "max_allowed_drawdown": self.settings.max_drawdown,
            }
        ]

    # ---- life cycle

    def ft_bot_start(self, **kwargs: Any) -> None:
        """Called by Freqtrade once its whole configuration is merged: judge it first."""
        if self.config["runmode"].value in MODES:
            self._judge_settings()
        super().ft_bot_start(**kwargs)

    def _judge_settings(self) -> None:
        """Refuse settings of Freqtrade with which quoting loses money, warn of what hinders it."""
        mode = self.config["runmode"].value
        spreads = [self._spread(pair) for pair in self.config["exchange"].get("pair_whitelist", [])]
        known = [spread for spread in spreads if spread is not None]
        wallets = self.wallets if mode == "live" else None
        bot = ConfiguredBot(
            self.config,
            self.settings,
            mode,
            max(known, default=USUAL_SPREAD),
            None if wallets is None else wallets.get_total_stake_amount(),
        )
        findings = find_contradictions(bot, RULES)
        if any(finding.refused for finding in findings):
            raise OperationalException(told(findings))
        if findings:
            logger.warning("%s", told(findings))

    def _spread(self, pair: str) -> float | None:
        """Share of the price between the quotes of both sides, if parameters tell it yet."""
        try:
            return quoted_spread(self._feed(pair).latest(), self.settings.fee_rate)
        except AdvancedMMError:
            return None

    def bot_start(self, **kwargs: Any) -> None:
        """Open the journal; live, send orders post-only and never without knowing."""
        if not self._trading:
            logger.warning(
                "A backtest fills a quote whole whenever a candle reaches it, keeps it for the "
                "whole candle and prices all of history with the parameters published last: it "
                "shows that the machinery runs, not what the bot would earn."
            )
            return
        exchange = self.dp._exchange  # Freqtrade has no public way to it
        spare_requests(exchange, self._bad_rows)
        if self.config["runmode"] == RunMode.LIVE:
            self.order_time_in_force = {"entry": "ALO", "exit": "ALO"}
            self._live = LiveTrading(exchange, self._bad_rows)
        self._open_journal(exchange)

    def _open_journal(self, exchange: Any) -> None:
        name = str(self.config.get("bot_name") or "freqtrade")
        folder = self.settings.parameter_folder(Path(self.config["user_data_dir"]))
        writer = JournalWriter(folder / JOURNAL_FOLDER, name, self.settings.journal_days)
        records = None
        if self._live is not None:
            records = AccountRecords(exchange._api)
            records.install()
        self._journal = TradeJournal(writer, name, exchange, records, self._dry_money)
        self._journal.install()

    def bot_loop_start(self, current_time: datetime, **kwargs: Any) -> None:
        """Lift the lock Freqtrade sets to the end of the candle after each closed trade.

        Live, find out about orders in doubt and compare the account with the books.
        """
        self._tell_bad_rows(current_time)
        if self._live is not None:
            self._live.at_loop(self.dp.current_whitelist(), Trade.get_open_trades())
        if self._trading and any(
            lock.reason == "Auto lock" for lock in PairLocks.get_pair_locks(None)
        ):
            self.unlock_reason("Auto lock")
        if self._journal is not None:
            self._tell_journal(self._journal, current_time)

    def _tell_journal(self, journal: TradeJournal, now: datetime) -> None:
        trades = Trade.get_open_trades()
        coins = {}
        for pair in {*self.dp.current_whitelist(), *(trade.pair for trade in trades)}:
            with contextlib.suppress(AdvancedMMError):
                coins[pair] = self._coin(pair)
        if journal.look_is_due:
            for pair in coins:
                with contextlib.suppress(AdvancedMMError, ExchangeError):
                    self._touch(pair, now)
        journal.at_loop(coins, trades)

    def _dry_money(self) -> float:
        """What a dry run started with and has earned with closed trades."""
        start: Any = self.config["dry_run_wallet"]
        if isinstance(start, dict):
            start = start.get(self.config["stake_currency"], 0.0)
        return float(start) + float(Trade.get_total_closed_profit())

    def ft_bot_cleanup(self) -> None:
        """Called by Freqtrade at the end, after it has cancelled the orders that it knows."""
        super().ft_bot_cleanup()
        if self._live is not None:
            self._live.close()
        if self._journal is not None:
            self._journal.close(Trade.get_open_trades)

    def order_filled(
        self, pair: str, trade: Trade, order: Order, current_time: datetime, **kwargs: Any
    ) -> None:
        """Called by Freqtrade once an order has ended of which something was filled."""
        if self._journal is not None:
            self._journal.order_filled(self._coin(pair), trade, order)

    # ---- signals: always willing; whether a quote goes out is decided when its price is known

    def populate_indicators(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        """No indicators: depths come from the order flow, not from candles."""
        return dataframe

    def populate_entry_trend(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        """Signal on every candle; ``custom_stake_amount`` holds back what must not be quoted."""
        dataframe["enter_short" if self.can_short else "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        """No exit signals: they would cancel entries of the same candle; see ``custom_exit``."""
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
        """Mid -/+ the optimal depth for a flat bot; the proposed rate where the quote is refused.

        Freqtrade has no word for "no order" here: the refusal takes effect in
        ``custom_stake_amount``, which it asks next.
        """
        decision = self._decide(pair, self._entry_side, 0, current_time, proposed_rate)
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
        """The whole stake as one unit; 0, which means no order, where the quote was refused."""
        if not isinstance(self._decisions.get(pair), Quote):
            return 0.0
        if min_stake is not None and proposed_stake < UNIT_OVER_MINIMUM * min_stake:
            self._note_refusal(
                pair,
                current_time,
                f"a unit of {proposed_stake:.2f} {self.config['stake_currency']} is below "
                f"{UNIT_OVER_MINIMUM} x the venue's minimum of {min_stake:.2f}; raise the stake",
            )
            return 0.0
        return proposed_stake

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
        """Last check: the order carries exactly the quoted price (Freqtrade clamps far ones)."""
        return self._confirm(pair, rate, current_time, 0.0)

    def check_entry_timeout(
        self, pair: str, trade: Trade, order: Order, current_time: datetime, **kwargs: Any
    ) -> bool:
        """Asked at every loop: True cancels a quote that has drifted, aged or lost its reason."""
        return self._is_outdated(pair, self._entry_side, 0, order, current_time)

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

        Beyond the stop nothing is offered: Freqtrade executes the first exit it is told of, and an
        offer, requoted for ever, would starve the stop.
        """
        if any(order.ft_order_side == trade.exit_side for order in trade.open_orders):
            return None
        stop = trade.stoploss_or_liquidation
        if current_rate >= stop if trade.is_short else current_rate <= stop:
            return None
        decision = self._decide_exit(pair, trade, current_time, current_rate)
        if isinstance(decision, Refusal):
            return None
        return AT_TOUCH if decision.calibration_id is None else OPTIMAL_DEPTH

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
        """Price the offer anew: Freqtrade asks the venue for funding since ``custom_exit``.

        A person's forced exit keeps Freqtrade's own price.
        """
        if exit_tag not in (AT_TOUCH, OPTIMAL_DEPTH):
            return proposed_rate
        decision = self._decide_exit(pair, trade, datetime.now(UTC), proposed_rate)
        return decision.price if isinstance(decision, Quote) else proposed_rate

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
        """Check a quote's price; a stop or a manual exit always passes."""
        if exit_reason not in (AT_TOUCH, OPTIMAL_DEPTH):
            return True
        position = -float(trade.amount) if trade.is_short else float(trade.amount)
        return self._confirm(pair, rate, current_time, position)

    def check_exit_timeout(
        self, pair: str, trade: Trade, order: Order, current_time: datetime, **kwargs: Any
    ) -> bool:
        """As for entries; a market order (the stop) is left alone."""
        if order.order_type != "limit":
            return False
        return self._is_outdated(pair, *_offer_of(trade), order, current_time)

    # ---- between Freqtrade and the quoter

    @property
    def _trading(self) -> bool:
        return self.config["runmode"] in (RunMode.LIVE, RunMode.DRY_RUN)

    @property
    def _entry_side(self) -> Side:
        return "ask" if self.can_short else "bid"

    def _decide_exit(self, pair: str, trade: Trade, now: datetime, rate: float) -> Quote | Refusal:
        return self._decide(pair, *_offer_of(trade), now, rate)

    def _decide(
        self, pair: str, side: Side, inventory: int, now: datetime, rate: float
    ) -> Quote | Refusal:
        """Ask the quoter; what goes wrong on the way is a refusal, and replaces the last decision.

        Freqtrade swallows a callback's exception and goes on as if nothing had been said: the
        order would keep resting, the last decision stay in force. So nothing may escape.
        """
        self._decisions.pop(pair, None)
        try:
            quoter = self._quoter(pair)
            if self._trading:
                touch = self._touch(pair, now)
            else:
                touch, now = self._candle_touch(pair, rate)
            decide = quoter.entry if inventory == 0 else quoter.exit
            decision = decide(side, inventory, touch, now)
            if self._live is not None and inventory == 0:
                tick = self._grid(pair).tick(touch.mid)
                decision = self._live.entry(pair, side, touch, tick, decision)
        except (AdvancedMMError, ExchangeError) as error:
            decision = Refusal(str(error))
        except Exception as error:
            logger.exception("%s: cannot decide on a quote", pair)
            decision = Refusal(f"internal error: {error!r}")
        if isinstance(decision, Refusal):
            self._note_refusal(pair, now, decision.reason)
        self._decisions[pair] = decision
        return decision

    def _is_outdated(
        self, pair: str, side: Side, inventory: int, order: Order, now: datetime
    ) -> bool:
        resting = order.safe_placement_price
        wanted = self._decide(pair, side, inventory, now, resting)
        age = (now - order.order_date_utc).total_seconds()
        outdated = isinstance(wanted, Refusal) or self._quoter(pair).is_outdated(
            resting, age, wanted
        )
        if outdated and self._journal is not None:
            self._journal.will_cancel(str(order.order_id), resting, wanted)
        return outdated

    def _confirm(self, pair: str, rate: float, now: datetime, position: float) -> bool:
        decision = self._decisions.get(pair)
        if not isinstance(decision, Quote):
            return False
        if abs(rate - decision.price) > 0.01 * decision.tick:
            self._note_refusal(
                pair,
                now,
                f"Freqtrade would send {rate} instead of {decision.price}; raise "
                "custom_price_max_distance_ratio in the configuration",
            )
            return False
        if self._journal is not None:
            self._journal.agreed(
                pair,
                self._coin(pair),
                decision,
                rate,
                position,
                self._touches[pair][1] if pair in self._touches else None,
                self._parameters(pair),
                queue_ahead(self._books.get(pair), decision.side, rate),
            )
        return True

    def _parameters(self, pair: str) -> ParameterSet | None:
        try:
            return self._feed(pair).latest()
        except AdvancedMMError:
            return None

    def _feed(self, pair: str) -> ParameterFeed:
        if pair not in self._feeds:
            directory = self.settings.parameter_folder(Path(self.config["user_data_dir"]))
            files = ParameterFiles(directory, self._bad_rows)
            self._feeds[pair] = ParameterFeed(files, self._coin(pair))
        return self._feeds[pair]

    def _quoter(self, pair: str) -> Quoter:
        scale = float(self.risk_aversion_scale.value)
        if (pair, scale) not in self._quoters:
            settings = self.settings.with_risk_aversion_scaled(scale)
            self._quoters[pair, scale] = Quoter(settings, self._feed(pair), self._grid(pair))
        return self._quoters[pair, scale]

    def _market(self, pair: str) -> dict[str, Any]:
        market: dict[str, Any] | None = self.dp.market(pair)
        if market is None:
            raise InputError(
                f"{pair} is not traded on this exchange; correct exchange.pair_whitelist."
            )
        return market

    def _coin(self, pair: str) -> str:
        """The venue's name of a pair, by which parameters and the journal are kept."""
        if pair not in self._coins:
            self._coins[pair] = coin_of_market(self._market(pair))
        return self._coins[pair]

    def _grid(self, pair: str) -> PriceGrid:
        market = self._market(pair)
        # Freqtrade rounds orders to the precision of when it loaded the markets.
        return PriceGrid(int(market["info"]["szDecimals"]), float(market["precision"]["price"]))

    def _touch(self, pair: str, now: datetime) -> Touch:
        """Best bid and offer, asked of the venue at most every quarter of a second."""
        asked = self._touches.get(pair)
        if asked is not None and timedelta(0) <= now - asked[0] < BOOK_REUSE:
            return asked[1]
        book = self.dp.orderbook(pair, 20)
        live = self.config["runmode"] == RunMode.LIVE
        own = own_sizes(pair, Trade.get_open_trades()) if live else {}
        touch = touch_of(pair, book, own)
        self._touches[pair] = (now, touch)
        self._books[pair] = book
        if self._journal is not None:
            self._journal.saw(self._coin(pair), touch)
        return touch

    def _candle_touch(self, pair: str, rate: float) -> tuple[Touch, datetime]:
        """In a backtest: a one-tick touch around the candle's rate, at the parameters' own time."""
        at = self._feed(pair).latest().kappa.published_at
        half = self._grid(pair).tick(rate) / 2
        return Touch(bid=rate - half, ask=rate + half, at=at), at

    def _tell_bad_rows(self, now: datetime) -> None:
        """Say at most once a minute what was left out of lists of the venue and of the files."""
        if now - self._told_at < REFUSAL_REPEAT:
            return
        news = self._bad_rows.news()
        if news is not None:
            self._told_at = now
            logger.warning("left out so far: %s", news)
            if self._journal is not None:
                self._journal.bad_rows(news)

    def _note_refusal(self, pair: str, now: datetime, reason: str) -> None:
        """Say why nothing is quoted when the reason is new, then once a minute while trading."""
        if self._journal is not None:
            self._journal.refused(self._coins.get(pair, pair), reason)
        kind = kind_of(reason)
        last = self._refusals.get(pair)
        again = self._trading and last is not None and now - last[0] >= REFUSAL_REPEAT
        if last is None or last[1] != kind or again:
            logger.warning("%s: not quoting: %s", pair, reason)
            self._refusals[pair] = (now, kind)


def _offer_of(trade: Trade) -> tuple[Side, int]:
    """Side of the offer that closes a position, and the inventory it closes."""
    return ("bid", -1) if trade.is_short else ("ask", 1)
