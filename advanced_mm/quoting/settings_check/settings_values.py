"""Conditions of the rules in `settings_rules`: the offending value as text, or None.

Each function takes a `ConfiguredBot`, or builds such a function from limits.
"""

import re
from collections.abc import Callable
from typing import Any, Final

from advanced_mm.quoting.settings_check.freqtrade_settings import UNIT_OVER_MINIMUM, ConfiguredBot

__all__ = [
    "NEAR",
    "TIGHT",
    "USUAL_UNIT",
    "VENUE_MINIMUM",
    "adjustment_count",
    "adjustment_needed",
    "adjustment_without_use",
    "another_fee",
    "builder_fee",
    "cross_margin",
    "depth_of_market",
    "differs",
    "exit_timeout_count",
    "expired",
    "false_at",
    "fixed_unit",
    "last_unit",
    "layers_without_signal",
    "liquidation_buffer",
    "no_futures",
    "no_order_book",
    "order_book_top",
    "pairlists",
    "patterns",
    "price_distance",
    "rate_limit",
    "roi_within",
    "slow",
    "spaces",
    "split_unit",
    "stoploss_within",
    "timeout_short",
    "timeout_too_short",
    "too_few_places",
    "too_slow",
    "trading",
    "trailing_within",
    "true_at",
    "unit_of",
]

VENUE_MINIMUM: Final = 10.0
"""Minimum value of an order on Hyperliquid, USDC."""
USUAL_UNIT: Final = 20 * VENUE_MINIMUM
"""From here on what a partly filled order leaves can be closed all but always."""
RESERVE: Final = 0.05
MOST_RESERVE: Final = 1.5
"""Freqtrade's reserve on top of the venue's minimum: default share, and the largest factor."""

TIGHT, NEAR = 2.0, 10.0
"""Distances in spreads: within the first, noise reaches a stop while a quote rests; within the
second, ordinary moves may."""

DEEPEST: Final = 0.1
"""Depth of the deepest possible quote, share of the price."""
BREAK_EVEN_AGE_SECONDS: Final = 5.0
"""Age at which a quote whose depth does not count it has lost its profit (see docs/venue.md)."""
SHORT_LIFE_SECONDS: Final = 15.0
"""A quote that is still good has waited this long for its place in the queue."""
SLOW_CLIENT_MS: Final = 200

_OTHER_SPACES: Final = ("roi", "stoploss", "trailing", "trades", "default", "all")

Value = Callable[[ConfiguredBot], str | None]
_REGULAR_EXPRESSION: Final = re.compile(r"[*+?\[\](){}|^$\\]")


def differs(path: str, wanted: Any) -> Value:
    """Broken if a setting differs from the value that quoting needs."""
    return lambda bot: shown(value) if (value := bot.get(path, wanted)) != wanted else None


def shown(value: Any) -> str:
    """Format a value for a message."""
    if isinstance(value, float):
        return f"{value:g}"
    return str(getattr(value, "value", value)) if not isinstance(value, str) else f'"{value}"'


def _beside(value: Any, bot: ConfiguredBot) -> str:
    return f"{shown(value)} (bid and ask quotes are {bot.spread:.2%} apart, fees included)"


def trading(value: Value) -> Value:
    """Apply a condition in dry and live runs only."""
    return lambda bot: value(bot) if bot.trades else None


# ---- orders other than quotes


def exit_timeout_count(bot: ConfiguredBot) -> str | None:
    """Any count above 0."""
    count = bot.get("unfilledtimeout.exit_timeout_count", 0)
    return shown(count) if count > 0 else None


def _shortest_timeout(bot: ConfiguredBot) -> tuple[float, str] | None:
    """Return the shortest timeout in seconds, and as configured."""
    unit = bot.get("unfilledtimeout.unit", "minutes")
    seconds = 60.0 if unit == "minutes" else 1.0
    there = [
        (float(value) * seconds, f"{value} {unit} ({side})")
        for side in ("entry", "exit")
        if (value := bot.get(f"unfilledtimeout.{side}")) is not None
    ]
    return min(there, default=None)


def timeout_short(bot: ConfiguredBot) -> str | None:
    """Shorter than the quoter's maximum quote age (or 15 s), but longer than two loops."""
    timeout = _shortest_timeout(bot)
    if timeout is None or not bot.trades:
        return None
    longest = bot.settings.max_quote_age_seconds or SHORT_LIFE_SECONDS
    wanted = max(bot.settings.min_quote_age_seconds, longest)
    return timeout[1] if 2 * _throttle(bot) < timeout[0] < wanted else None


def timeout_too_short(bot: ConfiguredBot) -> str | None:
    """At most two loops of the bot."""
    timeout = _shortest_timeout(bot)
    if timeout is None or not bot.trades:
        return None
    return timeout[1] if timeout[0] <= 2 * _throttle(bot) else None


# ---- exits decided by Freqtrade


def stoploss_within(least: float, most: float) -> Value:
    """A stop between ``least`` and ``most`` spreads from the entry."""

    def value(bot: ConfiguredBot) -> str | None:
        stop = float(bot.get("stoploss", -1.0))
        return _beside(stop, bot) if least <= abs(stop) / bot.spread < most else None

    return value


def trailing_within(least: float, most: float) -> Value:
    """A trailing stop between ``least`` and ``most`` spreads behind the price."""

    def value(bot: ConfiguredBot) -> str | None:
        if not bot.get("trailing_stop", False):
            return None
        distance = abs(float(bot.get("trailing_stop_positive", bot.get("stoploss", -1.0))))
        within = least <= distance / bot.spread < most
        return f"true, at a distance of {_beside(distance, bot)}" if within else None

    return value


def roi_within(least: float, most: float) -> Value:
    """A profit target between ``least`` and ``most`` spreads."""

    def value(bot: ConfiguredBot) -> str | None:
        table = bot.get("minimal_roi", {})
        # The entry signal is always set, so this option disables the table.
        if not table or bot.get("ignore_roi_if_entry_signal", False):
            return None
        lowest = min(float(profit) for profit in table.values())
        return _beside(dict(table), bot) if least <= lowest / bot.spread < most else None

    return value


def liquidation_buffer(bot: ConfiguredBot) -> str | None:
    """A buffer that takes effect before the stop."""
    buffer = float(bot.get("liquidation_buffer", 0.05))
    return shown(buffer) if 1 - buffer < abs(float(bot.get("stoploss", -1.0))) else None


# ---- units


def _least_unit(bot: ConfiguredBot) -> float:
    """Return the smallest unit that the strategy accepts, in stake currency."""
    reserve = 1.0 + float(bot.get("amount_reserve_percent", RESERVE))
    stop = abs(float(bot.get("stoploss", -1.0)))
    reserve = reserve / (1 - stop) if stop != 1 else MOST_RESERVE
    return UNIT_OVER_MINIMUM * VENUE_MINIMUM * max(min(reserve, MOST_RESERVE), 1.0)


def _capital(bot: ConfiguredBot) -> float | None:
    if bot.capital is not None:
        return bot.capital
    if bot.mode == "live":
        return None
    wallet = bot.get("available_capital")
    if wallet is not None:
        return float(wallet)
    wallet = bot.get("dry_run_wallet", 1000)
    if isinstance(wallet, dict):
        wallet = wallet.get(bot.get("stake_currency", "USDC"), 0.0)
    return float(wallet) * float(bot.get("tradable_balance_ratio", 0.99))


def unit_of(bot: ConfiguredBot) -> float | None:
    """Return the size of a unit in stake currency, None if the account's capital is not known."""
    stake, share = bot.get("stake_amount"), bot.settings.unit_share
    if stake is not None and stake != "unlimited":
        return float(stake) * share
    trades, capital = float(bot.get("max_open_trades", 1)), _capital(bot)
    if stake is None or capital is None or not 0 < trades < float("inf"):
        return None
    return capital / trades * share


def fixed_unit(bot: ConfiguredBot) -> str | None:
    """A fixed stake below the smallest unit."""
    stake, least = bot.get("stake_amount"), _least_unit(bot)
    share = bot.settings.unit_share
    if stake is None or stake == "unlimited" or float(stake) * share >= least:
        return None
    units = "" if share == 1 else f"units of {float(stake) * share:.2f}, "
    return f"{shown(stake)} ({units}minimum {least:.2f})"


def split_unit(bot: ConfiguredBot) -> str | None:
    """Equal parts of the capital below the smallest unit."""
    trades = float(bot.get("max_open_trades", 1))
    unit, least = unit_of(bot), _least_unit(bot)
    if bot.get("stake_amount") != "unlimited" or unit is None or unit >= least:
        return None
    return f"{trades:g} (units of {unit:.2f}, minimum {least:.2f})"


def too_few_places(bot: ConfiguredBot) -> str | None:
    """Fewer open trades than pairs."""
    pairs, trades = len(bot.get("exchange.pair_whitelist", [])), bot.get("max_open_trades", 1)
    return f"{shown(trades)} for {pairs} pairs" if 0 <= trades < pairs else None


def last_unit(bot: ConfiguredBot) -> str | None:
    """A last stake that may fall below the smallest unit."""
    stake, least = bot.get("stake_amount"), _least_unit(bot)
    if stake in (None, "unlimited") or not bot.get("amend_last_stake_amount", False):
        return None
    smallest = float(stake) * float(bot.get("last_stake_amount_min_ratio", 0.5))
    smallest *= bot.settings.unit_share
    return f"true (down to {smallest:.2f})" if smallest < least else None


# ---- several units


def adjustment_needed(bot: ConfiguredBot) -> str | None:
    """Position adjustment switched off where several units are to be held."""
    needed = bot.settings.mode == "layered" and not bot.get("position_adjustment_enable", False)
    return "false" if needed else None


def adjustment_without_use(bot: ConfiguredBot) -> str | None:
    """Position adjustment switched on where one unit is held."""
    on = bot.get("position_adjustment_enable", False) and bot.trades
    return "true" if on and bot.settings.mode != "layered" else None


def adjustment_count(bot: ConfiguredBot) -> str | None:
    """Any limit on the additions to a trade, where several units are to be held."""
    most = bot.get("max_entry_position_adjustment", -1)
    return shown(most) if bot.settings.mode == "layered" and most > -1 else None


def layers_without_signal(bot: ConfiguredBot) -> str | None:
    """Several units with the drift compensated."""
    s = bot.settings
    return "true" if s.mode == "layered" and s.compensate_drift else None


# ---- prices and loop time


def price_distance(least: float, most: float) -> Value:
    """A ratio between ``least`` and ``most`` spreads; below `DEEPEST` if ``most`` is infinite."""

    def value(bot: ConfiguredBot) -> str | None:
        ratio = float(bot.get("custom_price_max_distance_ratio", 0.02))
        limit = most * bot.spread if most < float("inf") else DEEPEST
        return shown(ratio) if least * bot.spread <= ratio < limit else None

    return value


def _throttle(bot: ConfiguredBot) -> float:
    """Return the longest time between two loops; at 0 the strategy waits, up to a second."""
    return max(1.0, float(bot.get("internals.process_throttle_secs", 5)))


def too_slow(bot: ConfiguredBot) -> str | None:
    """A loop longer than the age at which a quote earns nothing."""
    return shown(_throttle(bot)) if _throttle(bot) > BREAK_EVEN_AGE_SECONDS else None


def slow(bot: ConfiguredBot) -> str | None:
    """A loop longer than the minimum quote age."""
    pace = _throttle(bot)
    slow = max(1.0, bot.settings.min_quote_age_seconds) < pace <= BREAK_EVEN_AGE_SECONDS
    return shown(pace) if slow else None


def _client_option(bot: ConfiguredBot, path: str, default: Any) -> Any:
    """Return an option of the synchronous client; its own section overrides the common one."""
    common = bot.get(f"exchange.ccxt_config.{path}", default)
    return bot.get(f"exchange.ccxt_sync_config.{path}", common)


def rate_limit(bot: ConfiguredBot) -> str | None:
    """A pause before each request, far longer than ccxt's default of 50 ms."""
    pause = float(_client_option(bot, "rateLimit", 0))
    limited = _client_option(bot, "enableRateLimit", True)
    return shown(pause) if limited and pause > SLOW_CLIENT_MS else None


def builder_fee(bot: ConfiguredBot) -> str | None:
    """Anything but an explicit false: ccxt charges the fee by default."""
    option = _client_option(bot, "options.builderFee", True)
    return None if option is False else shown(option).lower()


def depth_of_market(bot: ConfiguredBot) -> str | None:
    """A filter that is enabled and has a threshold."""
    asked = bot.get("entry_pricing.check_depth_of_market", {})
    on = asked.get("enabled", False) and asked.get("bids_to_ask_delta", 0) > 0
    return "true" if on else None


def no_order_book(bot: ConfiguredBot) -> str | None:
    """Ticker prices instead of the order book, on either side."""
    sides = [s for s in ("entry", "exit") if not bot.get(f"{s}_pricing.use_order_book", False)]
    return f"false ({' and '.join(sides)})" if sides else None


def order_book_top(bot: ConfiguredBot) -> str | None:
    """A level other than the best one."""
    top = bot.get("exit_pricing.order_book_top", 1)
    return shown(top) if top > 1 else None


# ---- what is traded, and with what


def pairlists(bot: ConfiguredBot) -> str | None:
    """Pair lists that select pairs dynamically; filters are allowed."""
    methods = [one.get("method", "") for one in bot.get("pairlists", [])]
    others = [name for name in methods if name.endswith("PairList") and name != "StaticPairList"]
    return ", ".join(others) or None


def patterns(bot: ConfiguredBot) -> str | None:
    """Pairs given as regular expressions."""
    pairs = bot.get("exchange.pair_whitelist", [])
    return ", ".join(pair for pair in pairs if _REGULAR_EXPRESSION.search(pair)) or None


def another_fee(bot: ConfiguredBot) -> str | None:
    """A fee other than ``market_making.fee_rate``."""
    fee = bot.get("fee")
    if fee is None or abs(float(fee) - bot.settings.fee_rate) < 1e-9:
        return None
    return f"{shown(fee)} (market_making.fee_rate = {bot.settings.fee_rate:g})"


def spaces(bot: ConfiguredBot) -> str | None:
    """Spaces other than buy; without the option hyperopt searches most spaces."""
    other = [name for name in bot.get("spaces", ["default"]) if name in _OTHER_SPACES]
    return ", ".join(other) if bot.mode == "hyperopt" and other else None


def false_at(path: str, default: bool) -> Value:
    """Broken if a setting is off, explicitly or by default."""
    return lambda bot: None if bot.get(path, default) else "false"


def true_at(path: str) -> Value:
    """Broken if a setting is on."""
    return lambda bot: "true" if bot.get(path, False) else None


def no_futures(bot: ConfiguredBot) -> str | None:
    """A trading mode other than futures."""
    mode = bot.get("trading_mode", "spot")
    return None if mode == "futures" else shown(mode)


def cross_margin(bot: ConfiguredBot) -> str | None:
    """Cross margin."""
    mode = bot.get("margin_mode")
    return shown(mode) if mode == "cross" else None


def expired(bot: ConfiguredBot) -> str | None:
    """Any time limit for entries within a candle."""
    after = bot.get("ignore_buying_expired_candle_after", 0)
    return shown(after) if after > 0 and bot.trades else None
