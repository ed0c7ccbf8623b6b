"""A bot's own orders, as far as the websocket tells of them, with each fill counted once."""

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

__all__ = ["OwnOrders"]

REMEMBERED: Final = 2_000
"""Orders and forms kept; the venue's snapshot of fills is as long."""
MOST_FILLS: Final = 5 * REMEMBERED

_OPEN: Final = "open"
_RESTING: Final = ("Alo", "Gtc")
_SMALLEST: Final = 1e-9
_ON_ITS_WAY_S: Final = 1.0


@dataclass
class _Known:
    order: dict[str, Any]
    """As on the wire, newest; ``sz`` is what remains."""
    status: str
    status_ms: int
    confirmed_s: float
    """When it was last told, by our clock; an order that rests is asked for again after a while."""
    doubted_s: float | None = None
    """When an action about it was sent of which nothing was heard since, by our clock."""

    @property
    def in_doubt(self) -> bool:
        """Whether an action may have ended it that has not been heard of."""
        return self.doubted_s is not None


@dataclass
class OwnOrders:
    """Orders by the venue's number, and fills by trade id.

    The websocket's messages lack an order's type; that is taken from the order as it was sent, and
    found by its client order id. What is not known for certain is not answered.
    """

    _orders: OrderedDict[int, _Known] = field(default_factory=OrderedDict)
    _forms: OrderedDict[str, dict[str, Any]] = field(default_factory=OrderedDict)
    _awaited_s: OrderedDict[str, float] = field(default_factory=OrderedDict)
    """Orders sent and not heard of since, by client order id: when sent, by our clock."""
    _filled: OrderedDict[int, float] = field(default_factory=OrderedDict)
    _trades: OrderedDict[int, dict[str, Any]] = field(default_factory=OrderedDict)
    _complete_from_ms: float = float("inf")
    """Every fill of this time or later is known (venue's clock)."""
    newest_fill_ms: int = 0

    def sent(self, action: Mapping[str, Any], now_s: float) -> None:
        """Note an action before it is sent: what orders look like, and which are cancelled."""
        for form in action.get("orders") or ():
            if isinstance(form, Mapping) and form.get("c"):
                _keep(self._forms, str(form["c"]), dict(form))
                _keep(self._awaited_s, str(form["c"]), now_s)
        for cancel in action.get("cancels") or ():
            known = self._orders.get(int(cancel["o"])) if "o" in cancel else None
            if known is not None and known.status == _OPEN:
                known.doubted_s = now_s

    def update(self, data: Mapping[str, Any], now_s: float) -> bool:
        """Take one entry of ``orderUpdates``; return whether it tells of an unexpected end.

        The first telling of an end that was not asked for, by a fill or by the venue.

        Raises
        ------
        KeyError, TypeError, ValueError
            The entry is malformed.
        """
        order, status = dict(data["order"]), str(data["status"])
        return self._learn(order, status, int(data["statusTimestamp"]), now_s)

    def told_by_rest(self, entry: Mapping[str, Any], now_s: float) -> None:
        """Take the ``order`` of a reply to ``orderStatus``; raises like `update`.

        An order that is told to be open a while after a cancel was sent is one whose cancel the
        venue refused, of which no message tells. Should it come after all, its message does.
        """
        order = dict(entry["order"])
        self._learn(order, str(entry["status"]), int(entry["statusTimestamp"]), now_s)
        known = self._orders[int(order["oid"])]
        believed = known.confirmed_s == now_s  # and not older than a message
        if believed and known.doubted_s is not None and now_s - known.doubted_s >= _ON_ITS_WAY_S:
            known.doubted_s = None

    def _learn(self, order: dict[str, Any], status: str, status_ms: int, now_s: float) -> bool:
        oid = int(order["oid"])
        float(order["sz"]), float(order["origSz"])
        self._awaited_s.pop(str(order.get("cloid")), None)
        known = self._orders.get(oid)
        if known is not None:
            # An order ends once; and a reply that was overtaken by a message is older than it.
            ended = known.status != _OPEN and status == _OPEN
            less = float(order["sz"]) > float(known.order["sz"]) + _SMALLEST
            if ended or less or status_ms < known.status_ms:
                return False
            order = {**known.order, **order}
        doubted_s = known.doubted_s if known is not None and status == _OPEN else None
        _keep(self._orders, oid, _Known(order, status, status_ms, now_s, doubted_s))
        if status == _OPEN or (known is not None and known.status != _OPEN):
            return False
        return status == "filled" or known is None or not known.in_doubt

    def fill(self, data: Mapping[str, Any]) -> bool:
        """Take one fill; return whether it is new. Raises like `update`."""
        tid, oid, size, at = (
            int(data["tid"]),
            int(data["oid"]),
            float(data["sz"]),
            int(data["time"]),
        )
        if tid in self._trades:
            return False
        for lost in _keep(self._trades, tid, dict(data), MOST_FILLS):
            self._complete_from_ms = max(self._complete_from_ms, int(lost["time"]) + 1)
        _keep(self._filled, oid, self._filled.get(oid, 0.0) + size)
        self.newest_fill_ms = max(self.newest_fill_ms, at)
        return True

    def snapshot(self, fills: Iterable[Mapping[str, Any]], now_ms: float) -> list[bool]:
        """Take the fills told first on a connection, of which each later one will be told.

        Returns for each whether it is new. How far back they go is the venue's choice: as far as
        the oldest. What was known before stays complete if they go on from it.
        """
        rows = list(fills)
        new = [self.fill(row) for row in rows]
        if all(new):
            self._complete_from_ms = min((int(row["time"]) + 1 for row in rows), default=now_ms)
        return new

    def fills(self, first_ms: float, last_ms: float = float("inf")) -> list[dict[str, Any]] | None:
        """Return the fills of a time as told, oldest first; None if not all are known for certain.

        That is: from before those told, or with another sum than an order's remaining size says.
        """
        if first_ms < self._complete_from_ms:
            return None
        if any(self._contradicts(oid, known.order) for oid, known in self._orders.items()):
            return None
        asked = [one for one in self._trades.values() if first_ms <= int(one["time"]) <= last_ms]
        return [dict(one) for one in sorted(asked, key=lambda one: int(one["time"]))]

    def _contradicts(self, oid: int, order: Mapping[str, Any]) -> bool:
        filled = float(order["origSz"]) - float(order["sz"])
        return abs(filled - self._filled.get(oid, 0.0)) > _SMALLEST

    def forget_open(self) -> None:
        """Drop the orders that rested: what happened while nothing was heard is not known."""
        for oid in [oid for oid, known in self._orders.items() if known.status == _OPEN]:
            del self._orders[oid]

    def is_unsettled(self, oid: int, now_s: float) -> bool:
        """Whether more is to come about an order: an action's outcome, a fill, what is left.

        The venue tells of a fill and of what is left of the order in two messages. An unknown order
        may be one that was just sent.
        """
        known = self._orders.get(oid)
        if known is None:
            return any(now_s - sent_s < _ON_ITS_WAY_S for sent_s in self._awaited_s.values())
        return known.in_doubt or self._contradicts(oid, known.order)

    def answer(self, oid: int, now_s: float, longest_s: float) -> dict[str, Any] | None:
        """Return an order as ``orderStatus`` would, or None if it is not known for certain.

        That is: unknown, in doubt, resting and not heard of for ``longest_s``, or with other fills
        than its remaining size says.
        """
        known = self._orders.get(oid)
        if known is None or known.in_doubt:
            return None
        if known.status == _OPEN and now_s - known.confirmed_s > longest_s:
            return None
        order = known.order
        if self._contradicts(oid, order):
            return None
        whole = self._with_type(order)
        if whole is None:
            return None
        entry = {"order": whole, "status": known.status, "statusTimestamp": known.status_ms}
        return {"status": "order", "order": entry}

    def _with_type(self, order: Mapping[str, Any]) -> dict[str, Any] | None:
        if "tif" in order and "orderType" in order:
            return dict(order)
        form = self._forms.get(str(order.get("cloid")))
        limit = form and form["t"].get("limit")
        if not (form and limit):  # sent by hand, or by a bot before this one
            return None
        if limit["tif"] not in _RESTING:  # the venue gives a market order another type
            return None
        return {
            **order,
            "triggerCondition": "N/A",
            "isTrigger": False,
            "triggerPx": "0.0",
            "children": [],
            "isPositionTpsl": False,
            "reduceOnly": bool(form["r"]),
            "orderType": "Limit",
            "tif": limit["tif"],
        }


def _keep(there: OrderedDict[Any, Any], key: Any, value: Any, most: int = REMEMBERED) -> list[Any]:
    """Put a value at the end, and return those dropped at the beginning."""
    there[key] = value
    there.move_to_end(key)
    return [there.popitem(last=False)[1] for _ in range(len(there) - most)]
