"""Freqtrade strategy that quotes at the Cartea-Jaimungal depths, see ``advanced_mm.quoting``."""

import contextlib
import logging
from collections.abc import Iterator
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
    own_sizes,
    queue_ahead,
    touch_of,
)
from advanced_mm.quoting.account_records import AccountRecords
from advanced_mm.quoting.builder_markets import unnamed_exchanges
from advanced_mm.quoting.freqtrade_settings import MODES, UNIT_OVER_MINIMUM, told
from advanced_mm.quoting.live import LiveTrading, spare_requests
from advanced_mm.quoting.quote_log import QuoteLog
from advanced_mm.quoting.start_check import check_settings
from advanced_mm.quoting.trade_journal import TradeJournal

logger = logging.getLogger(__name__)

AT_TOUCH, OPTIMAL_DEPTH = "at_touch", "optimal_depth"
"""Exit reasons of our own quotes."""

BOOK_REUSE = timedelta(milliseconds=250)


class Market_Making(IStrategy):
    """Rest one post-only order at mid -/+ the optimal depth: the bid when flat, the ask when long.

    With ``q_min = -1, q_max = 0`` in the ``market_making`` block the bot is the mirror image and
    sells first. Parameters are re-read from the files that the calibration publishes; without
    fresh, consistent, finite ones no position is opened and resting entries are cancelled.
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
    minimal_roi = {"0": 100}  # no profit target: positions are closed by quotes
    stoploss = -0.05  # last resort: the quotes control the inventory
    use_exit_signal = True

    risk_aversion_scale = DecimalParameter(0.1, 10.0, default=1.0, decimals=1, space="buy")
    """Factor on the configured risk aversion, for hyperopt; 1 leaves it unchanged."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        try:
            self.settings = Settings.from_config(config)
        except InputError as error:
            raise OperationalException(str(error)) from error
        if (self.settings.q_min, self.settings.q_max) not in {(0, 1), (-1, 0)}:
            raise OperationalException(
                f"market_making.q_min = {self.settings.q_min}, q_max = {self.settings.q_max}: one "
                "Freqtrade bot holds one unit; set them to 0 and 1 (long only) or to -1 and 0 "
                "(short only)."
            )
        if (unnamed := unnamed_exchanges(config)) is not None:
            raise OperationalException(unnamed)
        self.can_short = self.settings.q_min < 0
        self._coins: dict[str, str] = {}
        """The venue's coin names by pair, as far as they have been looked up."""
        self._feeds: dict[str, ParameterFeed] = {}
        self._quoters: dict[tuple[str, float], Quoter] = {}
        self._touches: dict[str, tuple[datetime, Touch]] = {}
        self._books: dict[str, Any] = {}
        self._decisions: dict[str, Quote | Refusal] = {}
        self._live: LiveTrading | None = None
        self._bad_rows = BadRows()
        self._log = QuoteLog(self._bad_rows, repeats=self._trading)

    @property
    def protections(self) -> list[dict[str, Any]]:
        """Stop entries for an hour after a drawdown of ``max_drawdown`` on trades of one day."""
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
        super().ft_bot_start(**kwargs)

    def _published_parameters(self) -> Iterator[ParameterSet]:
        """Yield the parameters of the configured pairs, as far as they are published."""
        for pair in self.config["exchange"].get("pair_whitelist", []):
            with contextlib.suppress(AdvancedMMError):
                yield self._feed(pair).latest()

    def bot_start(self, **kwargs: Any) -> None:
        """Open the journal; in live trading make orders post-only and safe to lose."""
        if not self._trading:
            logger.warning(
                "A backtest fills a quote completely whenever a candle reaches it, keeps it for a "
                "whole candle and prices all of history with the latest parameters: it shows that "
                "the software works, not what the bot would earn."
            )
            return
        exchange = self.dp._exchange  # Freqtrade has no public access to it
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
        self._log.journal = TradeJournal(writer, name, exchange, records, self._dry_money)
        self._log.journal.install()

    def bot_loop_start(self, current_time: datetime, **kwargs: Any) -> None:
        """Remove the lock that Freqtrade sets until the end of the candle after each closed trade.

        In live trading, resolve orders in doubt and compare the account with the books.
        """
        self._log.skipped_rows(current_time)
        if self._live is not None:
            self._live.at_loop(self.dp.current_whitelist(), Trade.get_open_trades())
        if self._trading and any(
            lock.reason == "Auto lock" for lock in PairLocks.get_pair_locks(None)
        ):
            self.unlock_reason("Auto lock")
        if self._log.journal is not None:
            self._tell_journal(self._log.journal, current_time)

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
        """Resolve orders in doubt; Freqtrade calls this after cancelling the orders it knows."""
        super().ft_bot_cleanup()
        if self._live is not None:
            self._live.close()
        if self._log.journal is not None:
            self._log.journal.close(Trade.get_open_trades)

    def order_filled(
        self, pair: str, trade: Trade, order: Order, current_time: datetime, **kwargs: Any
    ) -> None:
        """Called by Freqtrade once an order has ended of which something was filled."""
        if self._log.journal is not None:
            self._log.journal.order_filled(self._coin(pair), trade, order)

    # ---- signals: always on; whether a quote is sent is decided when its price is known

    def populate_indicators(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        """Return the candles unchanged: depths come from the order flow, not from candles."""
        return dataframe

    def populate_entry_trend(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        """Signal on every candle; ``custom_stake_amount`` blocks entries that are refused."""
        dataframe["enter_short" if self.can_short else "enter_long"] = 1
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
        which Freqtrade calls next.
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
        """Return the whole stake as one unit, or 0 (no order) if the quote was refused."""
        if not isinstance(self._decisions.get(pair), Quote):
            return 0.0
        if min_stake is not None and proposed_stake < UNIT_OVER_MINIMUM * min_stake:
            self._log_refusal(
                pair,
                current_time,
                f"a unit of {proposed_stake:.2f} {self.config['stake_currency']} is below "
                f"{UNIT_OVER_MINIMUM} x the venue's minimum of {min_stake:.2f}; raise stake_amount",
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
        """Check that the order has exactly the quoted price (Freqtrade clamps distant ones)."""
        return self._confirm(pair, rate, current_time, 0.0)

    def check_entry_timeout(
        self, pair: str, trade: Trade, order: Order, current_time: datetime, **kwargs: Any
    ) -> bool:
        """Return True in any loop to cancel a quote that has drifted, expired or is refused."""
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

        Beyond the stop nothing is offered: Freqtrade executes the first exit reported, so an offer
        that is requoted forever would prevent the stop.
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
        """Reprice the offer, since Freqtrade queries funding between ``custom_exit`` and this call.

        A manual forced exit keeps Freqtrade's own price.
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
        """Check the price of an exit quote; a stop or a manual exit is always confirmed."""
        if exit_reason not in (AT_TOUCH, OPTIMAL_DEPTH):
            return True
        position = -float(trade.amount) if trade.is_short else float(trade.amount)
        return self._confirm(pair, rate, current_time, position)

    def check_exit_timeout(
        self, pair: str, trade: Trade, order: Order, current_time: datetime, **kwargs: Any
    ) -> bool:
        """Cancel outdated exit quotes as for entries; leave market orders (the stop) alone."""
        if order.order_type != "limit":
            return False
        return self._is_outdated(pair, *_offer_of(trade), order, current_time)

    # ---- interface to the quoter

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
        """Return the quoter's decision; any error is a refusal and replaces the last decision.

        Exceptions must not propagate: Freqtrade swallows them and continues with its defaults, so
        the order would keep resting and the last decision would remain in force.
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
            logger.exception("%s: quote decision failed", pair)
            decision = Refusal(f"internal error: {error!r}")
        if isinstance(decision, Refusal):
            self._log_refusal(pair, now, decision.reason)
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
        if outdated and self._log.journal is not None:
            self._log.journal.will_cancel(str(order.order_id), resting, wanted)
        return outdated

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
        if self._log.journal is not None:
            self._log.journal.agreed(
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

    def _touch(self, pair: str, now: datetime) -> Touch:
        """Return the best bid and offer, fetched at most every quarter of a second."""
        asked = self._touches.get(pair)
        if asked is not None and timedelta(0) <= now - asked[0] < BOOK_REUSE:
            return asked[1]
        book = self.dp.orderbook(pair, 20)
        live = self.config["runmode"] == RunMode.LIVE
        own = own_sizes(pair, Trade.get_open_trades()) if live else {}
        touch = touch_of(pair, book, own)
        self._touches[pair] = (now, touch)
        self._books[pair] = book
        if self._log.journal is not None:
            self._log.journal.saw(self._coin(pair), touch)
        return touch

    def _candle_touch(self, pair: str, rate: float) -> tuple[Touch, datetime]:
        """Return a one-tick touch around a backtest's rate, at the time of the parameters."""
        at = self._feed(pair).latest().kappa.published_at
        half = self._grid(pair).tick(rate) / 2
        return Touch(bid=rate - half, ask=rate + half, at=at), at

    def _log_refusal(self, pair: str, now: datetime, reason: str) -> None:
        self._log.refusal(pair, self._coins.get(pair, pair), reason, now)


def _offer_of(trade: Trade) -> tuple[Side, int]:
    """Return the side of the offer that closes a position, and the inventory it closes."""
    return ("bid", -1) if trade.is_short else ("ask", 1)
