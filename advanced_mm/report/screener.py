"""The coin screener: every recorded coin fitted, valued and ranked by expected income."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from rich.table import Table

from advanced_mm.calibration import CalibrationOptions, Estimate, Window
from advanced_mm.calibration.adaptive import AdaptiveWindow
from advanced_mm.calibration.calibrate import MAX_WINDOW_MINUTES
from advanced_mm.calibration.rolling import RollingWindow
from advanced_mm.calibration.toxicity import Economics, economics
from advanced_mm.errors import AdvancedMMError, InputError
from advanced_mm.marketdata import ShardStore
from advanced_mm.parameter_files.settings import FairPrice

__all__ = [
    "CoinScreen",
    "Expectation",
    "ScreenOptions",
    "age_warnings",
    "screen_coin",
    "screen_coins",
    "screen_or_reason",
    "screen_table",
]

_BASIS_POINT = 1e-4


@dataclass(frozen=True)
class ScreenOptions:
    """The basis on which coins are compared.

    Each coin is fitted on its newest ``window_minutes``, or, if these hold too little data, on a
    longer window up to ``max_window_minutes``, as the runner would; a maximum below
    ``window_minutes`` disables longer windows. ``fee_rate`` is the maker fee as a share of the
    price, ``stake`` the money in one unit (quote currency), ``quote_age_seconds`` the age at which
    a coin's quotes are replaced, ``fair_price`` the price that they are set around.

    Raises
    ------
    InputError
        If a window or the stake is not a positive number, or a window is too long.
    """

    window_minutes: float
    max_window_minutes: float
    fee_rate: float
    stake: float
    quote_age_seconds: Callable[[str], float] = lambda _: 0.0
    fair_price: FairPrice = "imbalance"

    def __post_init__(self) -> None:
        for minutes in (self.window_minutes, self.max_window_minutes):
            if not 0 < minutes <= MAX_WINDOW_MINUTES:
                raise InputError(
                    f"window is {minutes:g} minutes, must be above 0, at most {MAX_WINDOW_MINUTES}"
                )
        if not 0 < self.stake < np.inf:
            raise InputError(f"stake is {self.stake:g}, must be a number above 0")


@dataclass(frozen=True)
class Expectation:
    """What quoting at the best measured depths is expected to bring.

    ``quotes`` says which: the ask alone, the bid alone, or both in turn, as a bot that holds 0 or 1
    unit quotes them. ``depths_bp`` are their distances from the mid (ask, then bid), ``edge_bp``
    the profit of a fill after fee and adverse move (of both in turn: the mean of the two fills),
    basis points; ``per_hour`` the profit an hour on ``ScreenOptions.stake``, quote currency.
    """

    quotes: str
    depths_bp: tuple[float, ...]
    edge_bp: float
    fills_per_hour: float
    per_hour: Estimate


@dataclass(frozen=True)
class CoinScreen:
    """One coin's row.

    ``income_per_hour`` is what a bot that holds 0 or 1 unit is expected to earn per hour on
    ``ScreenOptions.stake`` (both quote currency) at the optimal depths, after fee and adverse
    moves; ``toxicity`` the larger kappa*epsilon_fill of the two sides; ``spread_bp`` the mean
    spread of the valid quotes and ``volatility_bp`` the standard deviation of the mid's one-second
    move, basis points; ``coverage`` the observed share of the window, which is ``window_minutes``
    long and ends with the newest row, at ``fitted_at`` (None if there is no row). ``verdict``
    states in words whether to quote. ``expected`` is what the income consists of, empty if unknown.
    """

    coin: str
    verdict: str
    income_per_hour: Estimate
    toxicity: float
    spread_bp: float
    volatility_bp: float
    coverage: float
    window_minutes: float
    fitted_at: datetime | None
    status: str
    silent: tuple[str, ...] = ()
    expected: tuple[Expectation, ...] = ()

    def to_json(self) -> dict[str, object]:
        """Return the row as plain values; unknown ones are null."""
        income = self.income_per_hour
        return {
            "coin": self.coin,
            "verdict": self.verdict,
            "income_per_hour": _known(income.value),
            "income_per_hour_low": _known(income.low),
            "income_per_hour_high": _known(income.high),
            "toxicity": _known(self.toxicity),
            "spread_bp": _known(self.spread_bp),
            "volatility_bp": _known(self.volatility_bp),
            "coverage": _known(self.coverage),
            "window_minutes": _known(self.window_minutes),
            "fitted_at": None if self.fitted_at is None else self.fitted_at.isoformat(),
            "status": self.status,
            "silent": list(self.silent),
        }


def screen_coins(
    store: ShardStore,
    screen: ScreenOptions,
    *,
    track: Callable[[Sequence[str]], Iterable[str]],
    options: CalibrationOptions | None = None,
) -> list[CoinScreen]:
    """Fit every coin of a data folder on its newest window, best income first.

    A coin that cannot be fitted is listed after the others, with the reason as its verdict.

    Raises
    ------
    InputError
        If the data folder is missing.
    """
    rows = []
    for coin in track(store.coins()):
        rows.append(screen_or_reason(store, coin, screen, options))
    return sorted(rows, key=_rank)


def screen_or_reason(
    store: ShardStore,
    coin: str,
    screen: ScreenOptions,
    options: CalibrationOptions | None = None,
) -> CoinScreen:
    """Fit one coin on its newest window; if it cannot be fitted, the reason is its verdict."""
    try:
        return screen_coin(store, coin, screen, options)
    except AdvancedMMError as error:
        return _unreadable(coin, str(error))


def age_warnings(rows: Sequence[CoinScreen], now: datetime, limit_seconds: float) -> Iterator[str]:
    """Yield a warning about coins with old data, and one if the data end at different times.

    Parameters
    ----------
    limit_seconds
        Data older than this count as old; coins whose data end further apart are not comparable.
    """
    ends = {row.coin: row.fitted_at for row in rows if row.fitted_at is not None}
    old = {coin: (now - end).total_seconds() for coin, end in ends.items()}
    aged = [f"{coin} {_length(age)}" for coin, age in old.items() if age > limit_seconds]
    if aged:
        yield f"data too old for the bot to quote from: {', '.join(aged)} old"
    if not ends:
        return
    first, last = min(ends, key=ends.__getitem__), max(ends, key=ends.__getitem__)
    apart = (ends[last] - ends[first]).total_seconds()
    if apart > limit_seconds:
        yield (
            "the coins' data end at different times, so their incomes are not comparable: "
            f"{first} at {ends[first]:%Y-%m-%d %H:%M}, {last} at {ends[last]:%Y-%m-%d %H:%M} UTC, "
            f"{_length(apart)} later"
        )


def screen_table(rows: Sequence[CoinScreen], screen: ScreenOptions) -> Table:
    """Return the ranking as a table for the terminal."""
    fee_bp = screen.fee_rate / _BASIS_POINT
    table = Table(
        title=f"Expected income per hour on a stake of {screen.stake:g} USDC at a maker fee of "
        f"{fee_bp:g} bp, best first"
    )
    for name in ("coin", "income / h", "95% interval", "toxicity", "spread bp", "σ bp/√s"):
        table.add_column(name, justify="left" if name == "coin" else "right", no_wrap=True)
    for name in ("covered", "data until (UTC)", "status"):
        table.add_column(name, no_wrap=True)
    table.add_column("verdict", min_width=30)
    for row in rows:
        income = row.income_per_hour
        table.add_row(
            row.coin,
            _shown(income.value),
            f"{_shown(income.low)} … {_shown(income.high)}",
            _shown(row.toxicity),
            _shown(row.spread_bp),
            _shown(row.volatility_bp),
            f"{_shown(100 * row.coverage)}% of {_shown(row.window_minutes)} min",
            "–" if row.fitted_at is None else f"{row.fitted_at:%Y-%m-%d %H:%M}",
            row.status if not row.silent else f"{row.status}, silent: {', '.join(row.silent)}",
            row.verdict,
        )
    return table


def screen_coin(
    store: ShardStore,
    coin: str,
    screen: ScreenOptions,
    options: CalibrationOptions | None = None,
) -> CoinScreen:
    """Fit one coin on its newest window.

    Raises
    ------
    AdvancedMMError
        If it cannot be fitted.
    """
    options = options or CalibrationOptions()
    rolling = RollingWindow(store, coin, screen.window_minutes)
    adaptive = AdaptiveWindow(rolling, screen.window_minutes, screen.max_window_minutes, options)
    fitted = adaptive.fit()
    age = screen.quote_age_seconds(coin)
    used = fitted.around(screen.fair_price)
    found = economics(used, fee_rate=screen.fee_rate, quote_age_seconds=age)
    start_ms = fitted.end_ms - round(1000 * fitted.window_seconds)
    window = Window.of(rolling.update(), start_ms, fitted.end_ms, options.window)
    volatility = fitted.volatility.value if fitted.volatility.usable else float("nan")
    income, poisons = found.income_per_hour, [s.kappa_epsilon_fill.value for s in found.sides]
    return CoinScreen(
        coin=coin,
        verdict=_verdict(found),
        income_per_hour=income.scaled(screen.stake / fitted.mid if fitted.mid > 0 else np.nan),
        toxicity=max(poisons) if np.isfinite(poisons).all() else float("nan"),
        spread_bp=_mean_spread(window) / fitted.mid / _BASIS_POINT,
        volatility_bp=volatility / fitted.mid / _BASIS_POINT,
        coverage=fitted.observed_seconds / fitted.window_seconds,
        window_minutes=fitted.window_seconds / 60,
        fitted_at=datetime.fromtimestamp(fitted.end_ms / 1000, UTC),
        status=str(used.status),
        silent=fitted.silent,
        expected=tuple(_expected(found, fitted.mid, screen.stake)),
    )


def _expected(found: Economics, mid: float, stake: float) -> Iterator[Expectation]:
    if not mid > 0:
        return
    to_bp, units = 1 / mid / _BASIS_POINT, stake / mid
    for side in found.sides:
        edge, hourly = side.expected_edge.value, side.income_per_hour
        if np.isfinite(side.depth) and np.isfinite(edge):
            fills = hourly.value / edge if edge else float("nan")
            depths, name = (side.depth * to_bp,), f"{side.side} alone"
            yield Expectation(name, depths, edge * to_bp, fills, hourly.scaled(units))
    bot = found.bot
    if np.isfinite(bot.income_per_hour.value) and bot.round_trips_per_hour > 0:
        fills = 2 * bot.round_trips_per_hour
        yield Expectation(
            "both in turn",
            (bot.ask_depth * to_bp, bot.bid_depth * to_bp),
            bot.income_per_hour.value / fills * to_bp,
            fills,
            bot.income_per_hour.scaled(units),
        )


def _mean_spread(window: Window) -> float:
    """Return the mean spread, quote currency, without crossed and one-sided books."""
    half = window.path.half_spread[np.isfinite(window.path.half_spread)]
    return 2 * float(half.mean()) if len(half) else float("nan")


def _verdict(found: Economics) -> str:
    income = found.income_per_hour
    if not (income.usable and np.isfinite(income.value)):
        return f"not enough data: {income.reason}" if income.reason else "not enough data"
    if found.no_depth_pays:
        return "no measured depth pays: do not quote at this fee"
    if income.value <= 0:
        return "a round trip loses money: do not quote at this fee"
    return "pays" if income.low > 0 else "may pay: the interval includes a loss"


def _unreadable(coin: str, reason: str) -> CoinScreen:
    nan = float("nan")
    nothing = Estimate(nan, nan, nan, nan, 0)
    return CoinScreen(coin, reason, nothing, nan, nan, nan, nan, nan, None, "insufficient")


def _rank(row: CoinScreen) -> tuple[bool, float]:
    value = row.income_per_hour.value
    return (not np.isfinite(value), -value if np.isfinite(value) else 0.0)


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _shown(value: float) -> str:
    return f"{value:.3g}" if np.isfinite(value) else "–"


def _length(seconds: float) -> str:
    """Format a duration in days, hours or minutes."""
    for unit, name in ((86_400, "days"), (3600, "h")):
        if seconds >= 2 * unit:
            return f"{seconds / unit:.0f} {name}"
    return f"{seconds / 60:.0f} min"
