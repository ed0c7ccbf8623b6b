"""The rules of `freqtrade_settings`: which settings contradict quoting, why, and what to do.

Each was read off Freqtrade's source. The table in ``docs/freqtrade_settings.md`` says the same, and
which settings were found harmless.
"""

from typing import Final

from advanced_mm.quoting import settings_values as values
from advanced_mm.quoting.freqtrade_settings import MODES, Mode, Rule
from advanced_mm.quoting.settings_values import NEAR, TIGHT

__all__ = ["RULES"]

_LIVE: Final[frozenset[Mode]] = frozenset({"live"})
_BACKTESTS: Final[frozenset[Mode]] = frozenset({"backtest", "hyperopt"})

_STOP_IS_NOISE: Final = "noise reaches the stop while an offer waits, and each time it closes the "
RULES: Final[tuple[Rule, ...]] = (
    Rule(
        "unfilledtimeout.exit_timeout_count",
        "Freqtrade counts each requote of an offer as a timeout and after so many of them closes "
        "the position at market",
        "set it to 0",
        values.exit_timeout_count,
        MODES,
    ),
    Rule(
        "unfilledtimeout.entry, .exit",
        "Freqtrade cancels every quote as soon as it looks again: none waits in a queue, and each "
        "look spends two of the address's requests",
        "set both to 600 seconds: the quoter replaces its quotes by itself",
        values.timeout_too_short,
        MODES,
    ),
    Rule(
        "unfilledtimeout.entry, .exit",
        "Freqtrade cancels good quotes before the quoter would (market_making."
        "max_quote_age_seconds), which drops their place in the queue",
        "set both to 600 seconds",
        values.timeout_short,
    ),
    Rule(
        "order_types.entry",
        "an entry takes from the book, pays spread and taker fee, and earns nothing",
        'set it to "limit"',
        values.differs("order_types.entry", "limit"),
        MODES,
    ),
    Rule(
        "order_types.exit",
        "Freqtrade asks no price for the offer, which is therefore never sent: the position is "
        "held down to the stop",
        'set it to "limit"',
        values.differs("order_types.exit", "limit"),
        MODES,
    ),
    Rule(
        "order_types.stoploss",
        "the stop rests as an offer above a falling market, and is not filled",
        'set it to "market"',
        values.differs("order_types.stoploss", "market"),
        MODES,
    ),
    Rule(
        "order_types.emergency_exit",
        "what must be closed at once rests as an offer",
        'set it to "market"',
        values.differs("order_types.emergency_exit", "market"),
    ),
    Rule(
        "order_types.force_exit",
        "a person's forced exit rests as an offer, which the quoter replaces by its own",
        'set it to "market"',
        values.differs("order_types.force_exit", "market"),
    ),
    Rule(
        "order_types.stoploss_on_exchange",
        "each fill costs two requests more; the venue takes the stop off with the position, which "
        "Freqtrade reports as an error each time; and it is a limit order 1% beyond its trigger, "
        "which a fall may jump over",
        "set it to false, or keep it where you fear the machine's end more than that",
        values.true_at("order_types.stoploss_on_exchange"),
    ),
    Rule(
        "stoploss",
        _STOP_IS_NOISE + "position at market",
        "set it to -0.05: the quotes control the inventory, the stop is the last resort",
        values.stoploss_within(0.0, TIGHT),
        MODES,
    ),
    Rule(
        "stoploss",
        "moves of some minutes reach the stop, which closes the position at market",
        "set it to -0.05: the quotes control the inventory, the stop is the last resort",
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
        "the stop follows the price and closes at market what the quotes would have closed at a "
        "price of their own",
        "set it to false",
        values.trailing_within(TIGHT, float("inf")),
    ),
    Rule(
        "use_custom_stoploss",
        "the strategy has no stop of its own: Freqtrade lets the configured one follow the price",
        "set it to false",
        values.true_at("use_custom_stoploss"),
    ),
    Rule(
        "minimal_roi",
        "Freqtrade closes at the touch, at once, what the quotes were to close at a depth that "
        "pays for the fills that lose",
        'set it to {"0": 100}',
        values.roi_within(float("-inf"), TIGHT),
        MODES,
    ),
    Rule(
        "minimal_roi",
        "Freqtrade closes at the touch what the quotes were to close at their own depth",
        'set it to {"0": 100}',
        values.roi_within(TIGHT, NEAR),
    ),
    Rule(
        "use_exit_signal",
        "Freqtrade never asks for the offer: a position is held down to the stop",
        "set it to true",
        values.false_at("use_exit_signal", True),
        MODES,
    ),
    Rule(
        "liquidation_buffer",
        "Freqtrade takes the price for that of a liquidation, and closes at market, before the "
        "stop is reached",
        "leave it at 0.05",
        values.liquidation_buffer,
    ),
    Rule(
        "position_stacking",
        "a backtest buys a unit on each candle, which no bot does: Freqtrade holds one position a "
        "pair, and dry and live it does not read this setting",
        "leave it out, and `--eps` with it",
        values.true_at("position_stacking"),
        _BACKTESTS,
    ),
    Rule(
        "stake_amount",
        "a unit below three of the venue's minimums could not be closed once it is filled in "
        "parts, so that nothing would be quoted",
        "raise it",
        values.fixed_unit,
        MODES,
    ),
    Rule(
        "max_open_trades",
        "the capital is split into units below three of the venue's minimums, which could not be "
        "closed once filled in parts, so that nothing would be quoted",
        "lower it, or raise the capital (`dry_run_wallet`, `tradable_balance_ratio`)",
        values.split_unit,
        MODES - _LIVE,
    ),
    Rule(
        "max_open_trades",
        "an order that waits holds a place as a position does, so that the first pairs alone are "
        "quoted",
        "set it to the number of pairs",
        values.too_few_places,
    ),
    Rule(
        "amend_last_stake_amount",
        "the last unit may fall below three of the venue's minimums and is then not quoted",
        "set it to false",
        values.last_unit,
    ),
    Rule(
        "cancel_open_orders_on_exit",
        "quotes keep resting, and are filled, after the bot has ended",
        "set it to true",
        values.trading(values.false_at("cancel_open_orders_on_exit", False)),
        _LIVE,
    ),
    Rule(
        "custom_price_max_distance_ratio",
        "Freqtrade brings nearly every offer closer to the touch, the strategy declines it, and "
        "the position is held down to the stop",
        "set it to 0.2",
        values.price_distance(0.0, TIGHT),
        MODES,
    ),
    Rule(
        "custom_price_max_distance_ratio",
        "quotes deeper than that are not sent",
        "set it to 0.2",
        values.price_distance(TIGHT, float("inf")),
    ),
    Rule(
        "internals.process_throttle_secs",
        "quotes are looked at so seldom that they give back more than they earn",
        "set it to 1",
        values.trading(values.too_slow),
        MODES,
    ),
    Rule(
        "internals.process_throttle_secs",
        "quotes are looked at less often than they may be replaced, and an old quote earns less; "
        "left out, it is 5",
        "set it to 1",
        values.trading(values.slow),
    ),
    Rule(
        "exchange.ccxt_config.rateLimit",
        "each request waits for so many milliseconds, some of them in each loop, and the quotes "
        "age meanwhile",
        "leave it out",
        values.trading(values.rate_limit),
    ),
    Rule(
        "exchange.ccxt_config.options.builderFee",
        "ccxt adds a builder's fee to every live order",
        "set it to false",
        values.trading(values.builder_fee),
        _LIVE,
    ),
    Rule(
        "entry_pricing.check_depth_of_market",
        "the sizes in the book decide whether a quote goes out, and each time another book is "
        "asked for",
        "switch it off",
        values.trading(values.depth_of_market),
    ),
    Rule(
        "entry_pricing.use_order_book, exit_pricing.use_order_book",
        "Freqtrade asks for the figures of all markets in each loop, 20 of the 1200 that an IP "
        "address may ask for in a minute, and judges profit and stop by those",
        "set both to true",
        values.trading(values.no_order_book),
    ),
    Rule(
        "exit_pricing.order_book_top",
        "Freqtrade judges profit and stop by prices that lie deeper in the book than it trades at",
        "set it to 1",
        values.trading(values.order_book_top),
    ),
    Rule(
        "exchange.name",
        "prices, minimums and parameters are Hyperliquid's",
        'set it to "hyperliquid"',
        values.differs("exchange.name", "hyperliquid"),
        MODES,
    ),
    Rule(
        "trading_mode",
        "the parameters are those of perpetuals",
        'set it to "futures"',
        values.no_futures,
        MODES,
    ),
    Rule(
        "margin_mode",
        "a position may lose more than its own unit: the whole account stands for it",
        'set it to "isolated"',
        values.cross_margin,
    ),
    Rule(
        "pairlists",
        "it brings in coins that nobody records and fits, for which there are no parameters",
        "use StaticPairList",
        values.pairlists,
    ),
    Rule(
        "exchange.pair_whitelist",
        "a pattern brings in coins that nobody records and fits, for which there are no parameters",
        "name the pairs",
        values.patterns,
    ),
    Rule(
        "timeframe",
        "after a partial fill Freqtrade passes over an offer until the candle ends, and a backtest "
        "keeps a quote for that long",
        'set it to "1m"',
        values.differs("timeframe", "1m"),
    ),
    Rule(
        "ignore_buying_expired_candle_after",
        "entries are quoted only for so many seconds of each candle",
        "leave it out",
        values.expired,
    ),
    Rule(
        "fee",
        "profits are reckoned with another fee than the quotes are priced with",
        "give `--fee` the value of market_making.fee_rate",
        values.another_fee,
    ),
    Rule(
        "spaces",
        "hyperopt searches for stops and profit targets, which contradict quoting",
        "use `--spaces buy`",
        values.spaces,
    ),
)
"""All of them, in the order of the table."""
