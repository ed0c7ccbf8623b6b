"""All guards of a bot: fed with what it sees, asked before each entry."""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Protocol

from advanced_mm.quoting.guards.account import AccountGuard
from advanced_mm.quoting.guards.errors import ErrorGuard
from advanced_mm.quoting.guards.flow import FlowGuard, MarketOrder
from advanced_mm.quoting.guards.funding import funding_verdict
from advanced_mm.quoting.guards.position import position_verdict
from advanced_mm.quoting.guards.price_band import PriceBandGuard
from advanced_mm.quoting.guards.spread import narrow_market
from advanced_mm.quoting.guards.stops import StopsGuard
from advanced_mm.quoting.guards.verdict import Ruling, Side, Verdict
from advanced_mm.quoting.guards.volatility import VolatilityGuard

__all__ = ["GuardChange", "GuardLimits", "RiskGuards"]

logger = logging.getLogger(__name__)

_HALTED: Final = "halted"
"""In the venue's refusal of an order while trading is halted."""


@dataclass(frozen=True)
class GuardChange:
    """A guard that objects from now on, or no longer (``verdict`` None); no coin: to all."""

    coin: str
    guard: str
    verdict: Verdict | None


@dataclass
class _Market:
    """What the guards know of one coin."""

    volatility: VolatilityGuard
    band: PriceBandGuard
    flow: FlowGuard
    touch: tuple[float, float] | None = None
    funding_rate: float | None = None
    narrow: tuple[datetime, Verdict] | None = None
    """When the spread was last seen to be too narrow."""
    active: dict[str, Verdict] = field(default_factory=dict)


class GuardLimits(Protocol):
    """What the guards go by: a bot's settings, or a maker's limits; see ``docs/settings.md``."""

    @property
    def max_daily_loss(self) -> float | None:
        """Share of the capital that a day may lose; None: any."""

    @property
    def max_drawdown(self) -> float | None:
        """Share of the capital below its peak; None: any."""

    @property
    def max_errors_in_a_row(self) -> int | None:
        """Errors that begin a pause; None: none do."""

    @property
    def error_pause_seconds(self) -> float:
        """Pause after the last error, and after a halt."""

    @property
    def volatility_limit(self) -> float | None:
        """Multiple of the usual volatility; None: any."""

    @property
    def volatility_seconds(self) -> float:
        """Time over which volatility is judged."""

    @property
    def price_band(self) -> float | None:
        """Move of the price, a share; None: any."""

    @property
    def price_band_seconds(self) -> float:
        """Time in which the move may not happen."""

    @property
    def large_order_multiple(self) -> float | None:
        """Multiple of the mean order that is large; None: none is."""

    @property
    def flow_cooldown_seconds(self) -> float:
        """Shortest pause after a large order."""

    @property
    def max_funding_bp(self) -> float | None:
        """Funding that may be paid; None: any."""

    @property
    def funding_pause_seconds(self) -> float:
        """Time before a payment in which it counts."""

    @property
    def max_position_value(self) -> float | None:
        """Quote currency; None: any."""

    @property
    def min_market_spread_bp(self) -> float:
        """Narrowest spread of the market."""

    @property
    def min_quote_age_seconds(self) -> float:
        """How long a narrow spread must last."""


class RiskGuards:
    """Rules on entries. Times are given, so that a replay or a test has its own.

    Parameters
    ----------
    settings
        Limits; see ``docs/settings.md``.
    on_change
        Gets each change, beside the log.
    pause
        How long entries pause after a drawdown, and after ``most_stops``.
    most_stops
        Trades that a stop closed at a loss within a day, after which entries pause; None: any.
    """

    def __init__(
        self,
        settings: GuardLimits,
        on_change: Callable[[GuardChange], None] = lambda change: None,
        pause: timedelta = timedelta(hours=1),
        most_stops: int | None = None,
    ) -> None:
        self._settings = settings
        self._markets: dict[str, _Market] = {}
        self._active: dict[str, Verdict] = {}
        self.account = AccountGuard(settings.max_daily_loss, settings.max_drawdown, pause)
        self.stops = StopsGuard(most_stops, pause)
        self.errors = ErrorGuard(settings.max_errors_in_a_row, settings.error_pause_seconds)
        self.on_change = on_change

    def _market(self, coin: str) -> _Market:
        if coin not in self._markets:
            s = self._settings
            self._markets[coin] = _Market(
                VolatilityGuard(s.volatility_limit, s.volatility_seconds),
                PriceBandGuard(s.price_band, s.price_band_seconds, s.error_pause_seconds),
                FlowGuard(s.large_order_multiple, s.flow_cooldown_seconds),
            )
        return self._markets[coin]

    # ---- what was seen

    def saw(self, coin: str, bid: float, ask: float, time: datetime) -> None:
        """Take in a touch (quote currency), and when the venue published it.

        One that is not sane is left out.
        """
        if not 0 < bid < ask < float("inf"):
            return
        market = self._market(coin)
        market.touch = (bid, ask)
        market.volatility.saw((bid + ask) / 2, time)
        market.band.saw((bid + ask) / 2, time)

    def traded(self, coin: str, orders: Iterable[MarketOrder]) -> None:
        """Take in the market orders since the last call."""
        self._market(coin).flow.saw(orders)

    def last_large_ms(self, coin: str) -> int | None:
        """Return the time of the last market order that was large, ms; None before the first."""
        return self._market(coin).flow.last_large_ms

    def funding(self, coin: str, rate: float | None) -> None:
        """Take in the hour's funding rate, positive where longs pay."""
        self._market(coin).funding_rate = rate

    def failed(self, what: str, coin: str | None, message: str, now: datetime) -> None:
        """Note an error of the exchange about an "order" or a "question"."""
        self.errors.failed(what, message, now)
        if coin is not None and _HALTED in message.lower():
            self._market(coin).band.halted(now)

    # ---- what follows

    def rule(
        self, coin: str, side: Side, usual_volatility: float | None, held: float, now: datetime
    ) -> Ruling:
        """Return whether, and how wide, a position may be opened or enlarged on a side.

        Parameters
        ----------
        coin, side
            What would be quoted.
        usual_volatility
            Of the newest parameters, quote currency per √s; None if it was not fitted.
        held
            Value of the position, quote currency.
        now
            The time of the look.
        """
        found = self._judge(coin, usual_volatility, held, now)
        refusal, widen = None, 1.0
        for verdict in (one for one in found if side in one.sides):
            if verdict.severity == "widen":
                widen = max(widen, verdict.widen)
            elif refusal is None:
                refusal = verdict.reason
        return Ruling(refusal, widen)

    def active(self, coin: str) -> list[Verdict]:
        """Return what the guards objected to at the last look, those of the whole bot first."""
        return [*self._active.values(), *self._market(coin).active.values()]

    def _judge(
        self, coin: str, usual_volatility: float | None, held: float, now: datetime
    ) -> list[Verdict]:
        market, settings = self._market(coin), self._settings
        everywhere = [
            self.errors.verdict(now),
            *self.account.verdicts(),
            self.stops.verdict(now),
        ]
        here = [
            market.volatility.verdict(usual_volatility),
            *market.band.verdicts(now),
            market.flow.verdict(now),
            funding_verdict(
                market.funding_rate, settings.max_funding_bp, settings.funding_pause_seconds, now
            ),
            position_verdict(held, settings.max_position_value),
        ]
        here.append(self._narrow(market, now))
        return [
            *self._note("", self._active, everywhere),
            *self._note(coin, market.active, here),
        ]

    def _narrow(self, market: _Market, now: datetime) -> Verdict | None:
        """Judge the spread, which changes with each message: it must last for a quote's age."""
        if market.touch is None:
            return None
        found = narrow_market(*market.touch, self._settings.min_market_spread_bp)
        if found is not None:
            market.narrow = (now, found)
        elif market.narrow is not None:
            since, found = market.narrow
            if not 0 <= (now - since).total_seconds() < self._settings.min_quote_age_seconds:
                market.narrow = found = None
        return found

    def _note(
        self, coin: str, active: dict[str, Verdict], found: Iterable[Verdict | None]
    ) -> list[Verdict]:
        """Remember what is objected to, and tell what has changed since the last look."""
        verdicts = [one for one in found if one is not None]
        news = {one.guard: one for one in verdicts}
        whose = f"{coin}: " if coin else ""
        for guard, verdict in news.items():
            before = active.get(guard)
            if before is None or _kind(before) != _kind(verdict):
                logger.warning("%sguard %s: %s", whose, _does(verdict), verdict.reason)
                self.on_change(GuardChange(coin, guard, verdict))
        for guard in active.keys() - news.keys():
            logger.info("%sguard %s: over", whose, guard)
            self.on_change(GuardChange(coin, guard, None))
        active.clear()
        active.update(news)
        return verdicts


def _kind(verdict: Verdict) -> tuple[object, ...]:
    return verdict.severity, verdict.widen, verdict.sides


def _does(verdict: Verdict) -> str:
    if verdict.severity == "widen":
        return f"{verdict.guard} widens entries by {verdict.widen:g}"
    sides = "" if len(verdict.sides) > 1 else f" on the {''.join(verdict.sides)} side"
    return f"{verdict.guard} pauses entries{sides}"
