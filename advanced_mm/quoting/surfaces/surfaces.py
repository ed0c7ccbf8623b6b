"""Shows the state of the quoting where Freqtrade's users look: trades, tags, messages, chart."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from advanced_mm.journal import Event, QuoteSent, RefusalChanged
from advanced_mm.parameter_files import ParameterSet
from advanced_mm.quoting.edge import Side, toxicity
from advanced_mm.quoting.quoter import Quote, Refusal, Touch, kind_of
from advanced_mm.quoting.surfaces.chart import Chart
from advanced_mm.quoting.surfaces.notices import Notices

__all__ = ["CUSTOM_DATA_KEY", "QuotingState", "Surfaces"]

CUSTOM_DATA_KEY: Final = "quoting"
"""Under this key Freqtrade keeps a trade's `QuotingState`."""

_WRITE_EVERY: Final = timedelta(seconds=5)
"""Each write commits to Freqtrade's database; of a pair there is at most one in this time."""

_REFRESH_EVERY: Final = timedelta(seconds=60)
"""Edge and calibration alone are written again at most this often."""

_IDLE_AFTER: Final = timedelta(seconds=5)
"""A decision this old is Freqtrade's no longer: it has stopped asking."""

_NOT_QUOTING: Final = "not quoting: "
_LONGEST_TAG: Final = 255
_REMEMBERED: Final = 100

State = Literal["entry", "exit", "at_touch", "none"]


@dataclass(frozen=True)
class QuotingState:
    """What rests for a trade, and why.

    Attributes
    ----------
    state
        ``entry``, ``exit`` or ``at_touch`` (an exit without usable parameters) rests, or ``none``.
    reason
        The quote's regime, with ``widened`` where guards widened it; why nothing rests; or why the
        order that rests is not replaced.
    since
        When state and kind of reason began, ISO 8601.
    edge_bp
        Expected profit of a fill, bp of the mid; None where it is not known.
    calibration_id
        Of the refit the price rests on.
    """

    state: State
    reason: str
    since: str
    edge_bp: float | None = None
    calibration_id: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {
            "state": self.state,
            "reason": self.reason,
            "since": self.since,
            "edge_bp": None if self.edge_bp is None else round(self.edge_bp, 3),
            "calibration_id": self.calibration_id,
        }


@dataclass
class _Shown:
    """A trade's state and kind of reason, since when, and what its tag and data say of them."""

    key: tuple[str, str]
    since: datetime
    tagged: tuple[str, str] | None = None
    written: tuple[str, str] | None = None
    calibration_id: str | None = None
    written_at: datetime | None = None


class Surfaces:
    """Told once a loop what the bot decided; shows it, and remembers it for the chart.

    Trades and orders are Freqtrade's. Nothing here changes what is quoted.

    Parameters
    ----------
    notify_after_seconds
        After so long without a quote there is a message; None: never.
    """

    def __init__(self, notify_after_seconds: float | None) -> None:
        self.chart = Chart()
        self._notices = Notices(notify_after_seconds)
        self._refusals: dict[str, str] = {}
        """By coin, why nothing is quoted since the last quote."""
        self._decided: dict[str, tuple[Quote | Refusal, datetime]] = {}
        """By pair, the newest decision and when it was first seen here."""
        self._shown: dict[int, _Shown] = {}
        self._wrote: dict[str, datetime] = {}
        self._tags: dict[str, str] = {}

    def recorded(self, event: Event) -> None:
        """Take in an event of the journal."""
        self.chart.recorded(event)
        if isinstance(event, RefusalChanged):
            if event.reason is None:
                self._refusals.pop(event.coin, None)
            else:
                self._refusals[event.coin] = event.reason
        elif isinstance(event, QuoteSent) and event.purpose == "entry":
            self._tags[event.coin] = _tag(event)

    def entry_tag(self, coin: str) -> str:
        """Return why the coin's newest entry was quoted as it was; empty before the first."""
        return self._tags.get(coin, "")

    def show(
        self,
        pair: str,
        coin: str,
        now: datetime,
        touch: Touch | None,
        decision: Quote | Refusal | None,
        side: Side,
        parameters: ParameterSet | None,
        trades: Sequence[Any],
        blocked: Callable[[], str | None],
    ) -> str | None:
        """Show what is quoted of a pair, and return a message to send if one is due.

        Parameters
        ----------
        pair, coin
            The market, in both spellings.
        touch, decision, parameters
            The newest of each, None where there is none.
        side
            Of entries.
        trades
            The pair's open ones.
        blocked
            Tells why Freqtrade itself makes no entry, such as a lock; None if it knows of nothing.
        """
        fresh = self._fresh(pair, decision, now)
        resting = any(_resting(trade) for trade in trades)
        quoted = resting or isinstance(fresh, Quote)
        refused = isinstance(fresh, Refusal) or coin in self._refusals
        kappa_epsilon = None if parameters is None else toxicity(parameters, side)
        self.chart.looked(coin, now, touch, fresh, quoted=quoted, toxicity=kappa_epsilon)
        for trade in trades:
            self._tag_entry(coin, trade)
            self._show_trade(coin, trade, fresh, now)
        if resting or (quoted and not refused):
            return self._notices.quoting(pair, now)
        reason = fresh.reason if isinstance(fresh, Refusal) else self._refusals.get(coin)
        if fresh is None:
            reason = blocked() or (reason if trades else None)
        if reason is None:
            return None
        return self._notices.silent(pair, reason, now, held=bool(trades))

    def filled(self, coin: str, order: Any) -> None:
        """Take in an order that has ended with a fill: an entry's tag tells how it was quoted.

        The trade changed is the order's own, that of the books: callbacks get a copy.
        """
        sent = self.chart.sent(coin, str(order.order_id))
        if sent is not None and order.ft_order_side == order.trade.entry_side:
            order.trade.enter_tag = _tag(sent)

    def _fresh(
        self, pair: str, decision: Quote | Refusal | None, now: datetime
    ) -> Quote | Refusal | None:
        """Return a decision unless it is one that Freqtrade asked for long ago."""
        if decision is None:
            self._decided.pop(pair, None)
            return None
        known = self._decided.get(pair)
        if known is None or known[0] is not decision:
            self._decided[pair] = (decision, now)
            return decision
        return decision if now - known[1] < _IDLE_AFTER else None

    def _tag_entry(self, coin: str, trade: Any) -> None:
        for order in _resting(trade):
            sent = self.chart.sent(coin, str(order.order_id))
            if sent is None or order.ft_order_side != trade.entry_side:
                continue
            if trade.enter_tag != _tag(sent):
                trade.enter_tag = _tag(sent)

    def _show_trade(
        self, coin: str, trade: Any, fresh: Quote | Refusal | None, now: datetime
    ) -> None:
        state = self._state_of(coin, trade, fresh)
        if state is None:
            return
        name, reason, edge_bp, calibration_id = state
        key = (name, kind_of(reason))
        shown = self._shown.get(trade.id)
        if shown is None:
            shown = self._shown[trade.id] = _Shown(key, now)
            if len(self._shown) > _REMEMBERED:
                del self._shown[next(iter(self._shown))]
        elif shown.key != key:
            shown.key, shown.since = key, now
        if name == "none" and shown.tagged != key:
            trade.exit_reason = f"{_NOT_QUOTING}{reason}"[:_LONGEST_TAG].replace("`", "'")
            shown.tagged = key
        elif name != "none":
            shown.tagged = None
        if not self._is_due(trade, shown, calibration_id, now):
            return
        shown.written, shown.written_at = key, now
        shown.calibration_id = calibration_id
        self._wrote[trade.pair] = now
        since = shown.since.isoformat(timespec="seconds")
        value = QuotingState(name, reason, since, edge_bp, calibration_id)
        trade.set_custom_data(CUSTOM_DATA_KEY, value.as_dict())

    def _is_due(self, trade: Any, shown: _Shown, calibration_id: str | None, now: datetime) -> bool:
        wrote = self._wrote.get(trade.pair)
        if wrote is not None and now - wrote < _WRITE_EVERY:
            return False
        if shown.written != shown.key or shown.written_at is None:
            return True
        return calibration_id != shown.calibration_id and now - shown.written_at >= _REFRESH_EVERY

    def _state_of(
        self, coin: str, trade: Any, fresh: Quote | Refusal | None
    ) -> tuple[State, str, float | None, str | None] | None:
        """Return state, reason, edge (bp) and calibration; None where it is about to change."""
        refusal = fresh.reason if isinstance(fresh, Refusal) else None
        for order in _resting(trade):
            sent = self.chart.sent(coin, str(order.order_id))
            if sent is None:
                return None
            edge = None if sent.expected_edge is None else 1e4 * sent.expected_edge / sent.mid
            reason = _tag(sent) if refusal is None else f"kept: {refusal}"
            return sent.purpose, reason, edge, sent.calibration_id
        return None if refusal is None else ("none", refusal, None, None)


def _resting(trade: Any) -> list[Any]:
    return [order for order in trade.open_orders if order.order_type == "limit"]


def _tag(sent: QuoteSent) -> str:
    """Name why a quote was made as it was, in few different words, for Freqtrade groups by it."""
    regime = sent.regime or ("at the touch" if sent.purpose == "at_touch" else "quoted")
    return f"{regime}, widened" if sent.widened > 1 else regime
