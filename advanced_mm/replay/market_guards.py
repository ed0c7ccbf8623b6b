"""The guards that depend on the market alone, put into a decision table.

Volatility, price band and one-sided flow are those of a bot, asked every half second of the
recording; those of the account, of funding and of errors are not replayed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
from hftbacktest import BUY_EVENT, TRADE_EVENT
from numpy.typing import NDArray

from advanced_mm.parameter_files import ParameterSet, Settings, quote_age
from advanced_mm.price_grid import PriceGrid
from advanced_mm.quoting import Side, expected_edge, kind_of
from advanced_mm.quoting.guards import MarketOrder, RiskGuards, Ruling
from advanced_mm.replay.decisions import BY_INVENTORY, DecisionTable

__all__ = ["GUARDS_OFF", "MarketPath", "Rulings", "guarded_table", "rulings_of"]

_LOOK_MS: Final = 500
_HEARD_MS: Final = 50
"""After its exchange time a trade is known."""
_ACCOUNT_OFF: Final = {
    "max_funding_bp": None,
    "max_position_value": None,
    "max_daily_loss": None,
    "min_market_spread_bp": 0.0,
}
GUARDS_OFF: Final = {"volatility_limit": None, "price_band": None, "large_order_multiple": None}
"""Settings without the guards that are replayed."""

Int1D = NDArray[np.int64]


@dataclass(frozen=True)
class MarketPath:
    """What the guards see: touches (seen at, ms; prices), and trades (exchange ms)."""

    time_ms: Int1D
    bid: NDArray[np.float64]
    ask: NDArray[np.float64]
    traded_ms: Int1D
    buys: NDArray[np.bool_]
    size: NDArray[np.float64]

    @classmethod
    def of_parts(cls, touch: NDArray[Any], events: Sequence[NDArray[Any]]) -> "MarketPath":
        """Take touches (`layout.TOUCH`) and, of hftbacktest's events, the trades."""
        trades = np.concatenate([part[(part["ev"] & 0xFF) == TRADE_EVENT] for part in events])
        return cls(
            -(-touch["local_ns"] // 1_000_000),
            touch["bid"],
            touch["ask"],
            trades["exch_ts"] // 1_000_000,
            (trades["ev"] & BUY_EVENT) != 0,
            trades["qty"],
        )


@dataclass(frozen=True)
class Rulings:
    """From when on (ms, ascending) the guards say what of entries on the bid and on the ask."""

    time_ms: tuple[int, ...]
    by_side: tuple[tuple[Ruling, Ruling], ...]

    def at(self, moment_ms: int) -> tuple[Ruling, Ruling]:
        """Return the rulings in force, bid first."""
        place = int(np.searchsorted(self.time_ms, moment_ms, "right")) - 1
        return self.by_side[place] if place >= 0 else (Ruling(), Ruling())


def rulings_of(
    path: MarketPath,
    settings: Settings,
    sigmas: tuple[Int1D, Sequence[float | None]],
    start_ms: int,
    end_ms: int,
) -> Rulings:
    """Return what the guards said, with nothing known before its time.

    Parameters
    ----------
    path
        The market.
    settings
        Limits of the guards.
    sigmas
        When which usual volatility was published, ms and quote currency per √s.
    start_ms, end_ms
        Bounds; the guards see what was before, as far as it counts.
    """
    guards = RiskGuards(settings.model_copy(update=_ACCOUNT_OFF))
    times: list[int] = []
    found: list[tuple[Ruling, Ruling]] = []
    warm_ms = int(1000 * max(settings.price_band_seconds, 60.0))
    begin_ms = max(start_ms - warm_ms, int(path.time_ms[0])) if len(path.time_ms) else start_ms
    traded = int(np.searchsorted(path.traded_ms, begin_ms - _HEARD_MS))
    for moment_ms in range(begin_ms, end_ms + 1, _LOOK_MS):
        now = datetime.fromtimestamp(moment_ms / 1000, UTC)
        place = int(np.searchsorted(path.time_ms, moment_ms, "right")) - 1
        if place >= 0:
            guards.saw("", path.bid[place], path.ask[place], now)
        heard = int(np.searchsorted(path.traded_ms, moment_ms - _HEARD_MS, "right"))
        guards.traded(
            "",
            [
                MarketOrder(int(path.traded_ms[k]), bool(path.buys[k]), float(path.size[k]))
                for k in range(traded, heard)
            ],
        )
        traded = heard
        if moment_ms < start_ms:
            continue
        newest = int(np.searchsorted(sigmas[0], moment_ms, "right")) - 1
        usual = sigmas[1][newest] if newest >= 0 else None
        bid, ask = (_brief(guards.rule("", side, usual, 0.0, now)) for side in ("bid", "ask"))
        if not found or found[-1] != (bid, ask):
            times.append(moment_ms)
            found.append((bid, ask))
    return Rulings(tuple(times), tuple(found))


def _brief(ruling: Ruling) -> Ruling:
    """Return the ruling with the kind of its reason, which does not change with each look."""
    return ruling if ruling.refusal is None else replace(ruling, refusal=kind_of(ruling.refusal))


def guarded_table(
    table: DecisionTable,
    rulings: Rulings,
    settings: Settings,
    sets: Mapping[str, ParameterSet],
    mids: NDArray[np.float64],
    grid: PriceGrid | None = None,
) -> DecisionTable:
    """Return the table with the guards' say on what opens or enlarges a position.

    Parameters
    ----------
    table
        Decisions of the quoter.
    rulings
        Of the same time.
    settings
        For the fee and the age that a wider quote's expected edge counts.
    sets
        Parameters by ``calibration_id``.
    mids
        Shape (n,) as the table's rows, quote currency.
    grid
        As the table's.
    """
    if all(one == Ruling() for pair in rulings.by_side for one in pair):
        return table
    begin_ms = int(table.time_ms[0])
    time_ms = np.union1d(table.time_ms, [t for t in rulings.time_ms if t >= begin_ms])
    source = np.searchsorted(table.time_ms, time_ms, "right") - 1
    columns: dict[str, Any] = {name: getattr(table, name)[source].copy() for name in BY_INVENTORY}
    codes = {reason: code for code, reason in enumerate(table.refusals)}
    inventories = np.arange(table.q_min, table.q_max + 1)
    sides: tuple[tuple[Side, Any], ...] = (("bid", inventories >= 0), ("ask", inventories <= 0))
    from_best = None if table.from_best is None else table.from_best[:, source]
    for row, moment_ms in enumerate(time_ms.tolist()):
        both = zip(range(2), sides, rulings.at(moment_ms), strict=True)
        for which, (side, opens), ruling in both:
            depth, refusal = columns[f"{side}_depth"][row], columns[f"{side}_refusal"][row]
            quoted = opens & (refusal == 0) & ~np.isnan(depth)
            if ruling.refusal is not None:
                refusal[quoted] = codes.setdefault(ruling.refusal, len(codes))
            elif ruling.widen != 1.0 and quoted.any():
                depth[quoted] *= ruling.widen
                if from_best is not None:
                    from_best[which, row, quoted] = 0.0  # counts as the best, as for the quoter
                parameters = sets.get(table.calibration_id[source[row]])
                if parameters is None:
                    continue
                parameters = parameters.around(settings.fair_price)
                mid = float(mids[source[row]])
                fee, beyond = settings.fee_rate * mid, 0.0 if grid is None else grid.tick(mid) / 2
                age = quote_age(parameters, settings)
                for column in np.flatnonzero(quoted):
                    edge = expected_edge(parameters, side, float(depth[column]) + beyond, fee, age)
                    columns[f"{side}_edge"][row, column] = np.nan if edge is None else edge
    return replace(
        table,
        time_ms=time_ms,
        calibration_id=tuple(table.calibration_id[k] for k in source),
        refusals=tuple(codes),
        beta=None if table.beta is None else table.beta[source],
        kappa=None if table.kappa is None else table.kappa[:, source],
        from_best=from_best,
        adverse_limit=None if table.adverse_limit is None else table.adverse_limit[:, source],
        **columns,
    )
