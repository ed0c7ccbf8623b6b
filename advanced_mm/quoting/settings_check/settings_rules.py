"""Rules of `freqtrade_settings`: which settings conflict with quoting, why, and what to do.

Each was derived from Freqtrade's source. ``docs/freqtrade_settings.md`` has the same table, and a
list of the settings that are harmless.
"""

from typing import Final

from advanced_mm.quoting.settings_check import settings_values as values
from advanced_mm.quoting.settings_check.freqtrade_settings import MODES, Mode, Rule
from advanced_mm.quoting.settings_check.settings_values import NEAR, TIGHT

__all__ = ["RULES"]

_LIVE: Final[frozenset[Mode]] = frozenset({"live"})
_BACKTESTS: Final[frozenset[Mode]] = frozenset({"backtest", "hyperopt"})

_STOP_IS_NOISE: Final = "noise triggers the stop while an offer is resting, which closes the "
_KEEP_STOP: Final = "set it to -0.05: the quotes control the inventory, the stop is the last resort"

RULES: Final[tuple[Rule, ...]] = (
    Rule(
        "unfilledtimeout.exit_timeout_count",
        "Freqtrade counts each requote of an exit as a timeout, and after this many closes the "
        "position at market",
        "set it to 0",
        values.exit_timeout_count,
        MODES,
    ),
    Rule(
        "unfilledtimeout.entry, .exit",
        "Freqtrade cancels every quote in the next loop: none keeps a place in the queue, and each "
        "loop costs the address two requests",
        "set both to 600 seconds: the quoter replaces its own quotes",
        values.timeout_too_short,
        MODES,
    ),
    Rule(
        "unfilledtimeout.entry, .exit",
        "Freqtrade cancels valid quotes before the quoter would, so they lose their place in the "
        "queue",
        "set both to 600 seconds",
        values.timeout_short,
    ),
    Rule(
        "order_types.entry",
        "an entry takes liquidity, pays the spread and the taker fee, and earns nothing",
        'set it to "limit"',
        values.differs("order_types.entry", "limit"),
        MODES,
    ),
    Rule(
        "order_types.exit",
        "Freqtrade does not ask the strategy for an exit price, so no exit is ever sent: the "
        "position is held until the stop",
        'set it to "limit"',
        values.differs("order_types.exit", "limit"),
        MODES,
    ),
    Rule(
        "order_types.stoploss",
        "the stop rests as a limit order above a falling market and is not filled",
        'set it to "market"',
        values.differs("order_types.stoploss", "market"),
        MODES,
    ),
    Rule(
        "order_types.emergency_exit",
        "an emergency exit rests in the book instead of closing the position at once",
        'set it to "market"',
        values.differs("order_types.emergency_exit", "market"),
    ),
    Rule(
        "order_types.force_exit",
        "a manual forced exit rests in the book, where the quoter replaces it with its own quote",
        'set it to "market"',
        values.differs("order_types.force_exit", "market"),
    ),
    Rule(
        "order_types.stoploss_on_exchange",
        "each fill costs two more requests; the venue removes the stop when the position closes, "
        "which Freqtrade reports as an error each time; and the stop is a limit order 1% beyond "
        "its trigger, which a fast fall may skip",
        "set it to false, unless losing the machine worries you more",
        values.true_at("order_types.stoploss_on_exchange"),
    ),
    Rule(
        "stoploss",
        _STOP_IS_NOISE + "position at market",
        _KEEP_STOP,
        values.stoploss_within(0.0, TIGHT),
        MODES,
    ),
    Rule(
        "stoploss",
        "ordinary moves within minutes trigger the stop, which closes the position at market",
        _KEEP_STOP,
        values.stoploss_within(TIGHT, NEAR),
    ),
    Rule(
        "trailing_stop",
        "the stop follows the price, and " + _STOP_IS_NOISE + "position at market",
        "set it to false",
        values.trailing_within(0.0, TIGHT),
        MODES,
    ),
    Rule(
        "trailing_stop",
        "the stop follows the price and closes at market a position that the quotes would have "
        "closed at their own price",
        "set it to false",
        values.trailing_within(TIGHT, float("inf")),
    ),
    Rule(
        "use_custom_stoploss",
        "the strategy has no custom stop: Freqtrade makes the configured stop follow the price",
        "set it to false",
        values.true_at("use_custom_stoploss"),
    ),
    Rule(
        "minimal_roi",
        "Freqtrade immediately closes at the touch a position that should be closed at a quote's "
        "depth, the depth that pays for losing fills",
        'set it to {"0": 100}',
        values.roi_within(float("-inf"), TIGHT),
        MODES,
    ),
    Rule(
        "minimal_roi",
        "Freqtrade closes at the touch a position that should be closed at a quote's depth",
        'set it to {"0": 100}',
        values.roi_within(TIGHT, NEAR),
    ),
    Rule(
        "use_exit_signal",
        "Freqtrade never asks for an exit: a position is held until the stop",
        "set it to true",
        values.false_at("use_exit_signal", True),
        MODES,
    ),
    Rule(
        "liquidation_buffer",
        "Freqtrade treats the price as a liquidation and closes at market before the stop is "
        "reached",
        "leave it at 0.05",
        values.liquidation_buffer,
    ),
    Rule(
        "position_stacking",
        "a backtest buys a unit on each candle, which no bot does: in dry and live runs Freqtrade "
        "ignores this setting and holds one position per pair",
        "remove it, and `--eps` too",
        values.true_at("position_stacking"),
        _BACKTESTS,
    ),
    Rule(
        "stake_amount",
        "a unit below three times the venue's minimum could not be closed after a partial fill, so "
        "nothing would be quoted",
        "raise it",
        values.fixed_unit,
        MODES,
    ),
    Rule(
        "max_open_trades",
        "the capital is split into units below three times the venue's minimum, which could not be "
        "closed after a partial fill, so nothing would be quoted",
        "lower it, or raise the capital (`dry_run_wallet`, `tradable_balance_ratio`)",
        values.split_unit,
        MODES - _LIVE,
    ),
    Rule(
        "max_open_trades",
        "a resting order takes a slot just as a position does, so only the first pairs are quoted",
        "set it to the number of pairs",
        values.too_few_places,
    ),
    Rule(
        "amend_last_stake_amount",
        "the last unit may fall below three times the venue's minimum and is then not quoted",
        "set it to false",
        values.last_unit,
    ),
    Rule(
        "cancel_open_orders_on_exit",
        "quotes stay in the book, and may be filled, after the bot has stopped",
        "set it to true",
        values.trading(values.false_at("cancel_open_orders_on_exit", False)),
        _LIVE,
    ),
    Rule(
        "custom_price_max_distance_ratio",
        "Freqtrade moves nearly every exit closer to the touch, the strategy rejects it, and the "
        "position is held until the stop",
        "set it to 0.2",
        values.price_distance(0.0, TIGHT),
        MODES,
    ),
    Rule(
        "custom_price_max_distance_ratio",
        "quotes deeper than this are not sent",
        "set it to 0.2",
        values.price_distance(TIGHT, float("inf")),
    ),
    Rule(
        "internals.process_throttle_secs",
        "quotes are updated so rarely that they lose more than they earn",
        "set it to 0",
        values.trading(values.too_slow),
        MODES,
    ),
    Rule(
        "internals.process_throttle_secs",
        "quotes are updated less often than they could be, and an old quote earns less; the "
        "default is 5",
        "set it to 0",
        values.trading(values.slow),
    ),
    Rule(
        "exchange.ccxt_config.rateLimit",
        "each request waits for this many milliseconds, several times per loop, while the quotes "
        "age",
        "remove it",
        values.trading(values.rate_limit),
    ),
    Rule(
        "exchange.ccxt_config.options.builderFee",
        "ccxt adds a builder fee to every live order",
        "set it to false",
        values.trading(values.builder_fee),
        _LIVE,
    ),
    Rule(
        "entry_pricing.check_depth_of_market",
        "the sizes in the book decide whether a quote is sent, and each check fetches another book",
        "disable it",
        values.trading(values.depth_of_market),
    ),
    Rule(
        "entry_pricing.use_order_book, exit_pricing.use_order_book",
        "Freqtrade fetches the tickers of all markets in each loop (weight 20 of the 1200 per "
        "minute that an IP address may use) and evaluates profit and stop on them",
        "set both to true",
        values.trading(values.no_order_book),
    ),
    Rule(
        "exit_pricing.order_book_top",
        "Freqtrade evaluates profit and stop at prices deeper in the book than those it trades at",
        "set it to 1",
        values.trading(values.order_book_top),
    ),
    Rule(
        "position_adjustment_enable",
        "several units are held by adjusting the position; without it, the bot holds one unit and "
        "never offers a single one of several",
        "remove it: the strategy sets it",
        values.adjustment_needed,
        MODES,
    ),
    Rule(
        "position_adjustment_enable",
        "Freqtrade looks at the book twice more in each loop for positions that are never adjusted",
        "remove it: the strategy sets it where it is needed",
        values.adjustment_without_use,
    ),
    Rule(
        "max_entry_position_adjustment",
        "Freqtrade counts all entries of a trade, not what is held: after this many the bot adds "
        "nothing until the position is closed",
        "remove it: market_making.q_min and q_max limit what is held",
        values.adjustment_count,
        MODES,
    ),
    Rule(
        "market_making.compensate_drift",
        "with one order at a time a second unit earns nothing that the first does not, so the "
        "model never adds one unless it counts a drift",
        "set it to false, or inventory_mode to long_only or short_only",
        values.layers_without_signal,
    ),
    Rule(
        "exchange.name",
        "prices, minimum sizes and parameters are those of Hyperliquid",
        'set it to "hyperliquid"',
        values.differs("exchange.name", "hyperliquid"),
        MODES,
    ),
    Rule(
        "trading_mode",
        "the parameters are those of perpetual futures",
        'set it to "futures"',
        values.no_futures,
        MODES,
    ),
    Rule(
        "margin_mode",
        "a position can lose more than its own unit: the whole account is its collateral",
        'set it to "isolated"',
        values.cross_margin,
    ),
    Rule(
        "pairlists",
        "it selects coins that are not recorded and calibrated, so there are no parameters for "
        "them",
        "use StaticPairList",
        values.pairlists,
    ),
    Rule(
        "exchange.pair_whitelist",
        "a pattern selects coins that are not recorded and calibrated, so there are no parameters "
        "for them",
        "name the pairs",
        values.patterns,
    ),
    Rule(
        "timeframe",
        "after a partial fill Freqtrade skips the exit until the candle ends, and a backtest keeps "
        "each quote for a whole candle",
        'set it to "1m"',
        values.differs("timeframe", "1m"),
    ),
    Rule(
        "ignore_buying_expired_candle_after",
        "entries are quoted only during this many seconds of each candle",
        "remove it",
        values.expired,
    ),
    Rule(
        "fee",
        "profits are computed with a different fee than the quotes are priced with",
        "set `--fee` to the value of market_making.fee_rate",
        values.another_fee,
    ),
    Rule(
        "spaces",
        "hyperopt searches for stops and profit targets, which conflict with quoting",
        "use `--spaces buy quoting`",
        values.spaces,
    ),
)
"""All rules, in the order of the documentation's table."""
