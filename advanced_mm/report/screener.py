"""Which coin pays: every recorded coin fitted, valued and ranked by expected income."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from rich.table import Table

from advanced_mm.calibration import CalibrationOptions, CoinCalibration, Estimate, calibrate
from advanced_mm.calibration.toxicity import Economics, economics
from advanced_mm.errors import AdvancedMMError
from advanced_mm.marketdata import Recording, ShardStore

__all__ = ["CoinScreen", "screen_coins", "screen_table"]

_BASIS_POINT = 1e-4


@dataclass(frozen=True)
class CoinScreen:
    """One coin's row.

    ``income_per_hour`` is what the bot that holds 0 or 1 unit is expected to earn in an hour on a
    stake of ``stake`` (both quote currency) at the optimal depths, after fee and adverse moves;
    ``toxicity`` the larger kappa*epsilon_fill of the two sides; ``spread_bp`` the mean spread and
    ``volatility_bp`` the deviation of the mid in one second, basis points; ``coverage`` the
    observed share of the window. ``verdict`` says in words whether to quote.
    """

    coin: str
    verdict: str
    income_per_hour: Estimate
    toxicity: float
    spread_bp: float
    volatility_bp: float
    coverage: float
    status: str

    def to_json(self) -> dict[str, object]:
        """The row with plain values; what is not known is null."""
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
            "status": self.status,
        }


def screen_coins(
    store: ShardStore,
    *,
    window_minutes: float,
    fee_rate: float,
    stake: float,
    track: Callable[[Sequence[str]], Iterable[str]],
    options: CalibrationOptions | None = None,
) -> list[CoinScreen]:
    """Fit every coin of a data folder on its newest window, best income first.

    A coin that cannot be fitted stays in the list with the reason as its verdict, after those that
    can.

    Raises
    ------
    InputError
        The data folder is missing.
    """
    rows = []
    for coin in track(store.coins()):
        try:
            recording = store.read(coin)
            fitted = calibrate(recording, window_minutes=window_minutes, options=options)
            found = economics(fitted, fee_rate=fee_rate)
        except AdvancedMMError as error:
            rows.append(_unreadable(coin, str(error)))
            continue
        rows.append(_screened(recording, fitted, found, stake))
    return sorted(rows, key=_rank)


def screen_table(rows: Sequence[CoinScreen], stake: float) -> Table:
    """The ranking as a table for the terminal."""
    table = Table(title=f"Expected income per hour on a stake of {stake:g} USDC, best first")
    for name in ("coin", "income / h", "95% interval", "toxicity", "spread bp", "σ bp/√s"):
        table.add_column(name, justify="left" if name == "coin" else "right", no_wrap=True)
    for name in ("covered", "status"):
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
            _shown(100 * row.coverage) + " %",
            row.status,
            row.verdict,
        )
    return table


def _screened(
    recording: Recording, fitted: CoinCalibration, found: Economics, stake: float
) -> CoinScreen:
    per_stake = stake / fitted.mid if fitted.mid > 0 else np.nan
    income = found.income_per_hour
    scaled = Estimate(
        income.value * per_stake,
        income.se * per_stake,
        income.low * per_stake,
        income.high * per_stake,
        income.n,
        income.status,
        income.reason,
    )
    poisons = [side.kappa_epsilon_fill.value for side in found.sides]
    quotes = recording.quotes
    recent = quotes.time_ms >= fitted.end_ms - 1000 * fitted.window_seconds
    spread = (quotes.ask - quotes.bid)[recent]
    spread = spread[np.isfinite(spread)]
    return CoinScreen(
        coin=fitted.coin,
        verdict=_verdict(found, income),
        income_per_hour=scaled,
        toxicity=max(poisons) if np.isfinite(poisons).all() else float("nan"),
        spread_bp=float(spread.mean()) / fitted.mid / _BASIS_POINT if len(spread) else np.nan,
        volatility_bp=fitted.volatility.value / fitted.mid / _BASIS_POINT,
        coverage=fitted.observed_seconds / fitted.window_seconds,
        status=str(fitted.status),
    )


def _verdict(found: Economics, income: Estimate) -> str:
    if not np.isfinite(income.value):
        return income.reason or "not enough data"
    if found.no_depth_pays or income.value <= 0:
        return "no depth pays: do not quote"
    return "pays" if income.low > 0 else "may pay: the interval includes a loss"


def _unreadable(coin: str, reason: str) -> CoinScreen:
    nan = float("nan")
    nothing = Estimate(nan, nan, nan, nan, 0)
    return CoinScreen(coin, reason, nothing, nan, nan, nan, nan, "insufficient")


def _rank(row: CoinScreen) -> tuple[bool, float]:
    value = row.income_per_hour.value
    return (not np.isfinite(value), -value if np.isfinite(value) else 0.0)


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _shown(value: float) -> str:
    return f"{value:.3g}" if np.isfinite(value) else "–"
