"""Execution of active TWAPs.

A TWAP of m minutes is sent in 2 m + 1 parts, 30 s apart, the first with the market's next step.
Each part is an immediate-or-cancel order with a limit 3% from the mark. The target after the k-th
part is k parts' size; later parts make up for shortfalls, but are never larger than three regular
ones, so a TWAP may end partly executed. While a coin is halted, or only post-only orders are
accepted, parts are skipped.

This follows the documentation, with three assumptions where it is silent: "randomize" varies a
part's size by up to a fifth, the minimum order value does not apply to parts, and any refusal of
a part, except for a lack of liquidity, ends the TWAP.
"""

import copy
import hashlib
from collections import deque
from collections.abc import Mapping

from advanced_mm.markets.units import MICROS_PER_USDC
from advanced_mm.venue.engine.accounts import Account, Accounts
from advanced_mm.venue.engine.margin import Margin
from advanced_mm.venue.engine.matching import MatchedMarket
from advanced_mm.venue.engine.order_checks import to_tick
from advanced_mm.venue.engine.order_manager import NO_MATCH, OrderManager
from advanced_mm.venue.engine.orders import AccountEvent, OrderRequest, TimeInForce
from advanced_mm.venue.engine.twap_orders import Twap, TwapEvent, TwapRequest, TwapStatus

__all__ = ["TWAP_GONE", "Twaps"]

PART_MS = 30_000
SHORTEST_MINUTES, LONGEST_MINUTES = 5, 1_440
LEAST_VALUE = 100 * MICROS_PER_USDC
MOST_SLIPPAGE_PERCENT = 3
MOST_PARTS_AT_ONCE = 3
RANDOM_SHARE = 0.2
TWAP_GONE = "TWAP was never placed, already canceled, or filled."


class Twaps:
    """Executes TWAPs.

    Parameters
    ----------
    order_manager, accounts, margin, markets
        The components of the venue.
    events
        Queue to which changes of TWAPs are added.
    """

    def __init__(
        self,
        order_manager: OrderManager,
        accounts: Accounts,
        margin: Margin,
        markets: Mapping[str, MatchedMarket],
        events: deque[AccountEvent],
    ) -> None:
        self._order_manager = order_manager
        self._accounts = accounts
        self._margin = margin
        self._markets = markets
        self._events = events
        self._running: dict[int, Twap] = {}
        self._next_id = 1

    @property
    def coins(self) -> set[str]:
        """The coins with a TWAP that has not ended."""
        return {one.coin for one in self._running.values()}

    def of(self, account: str) -> list[Twap]:
        """Return the TWAPs of an account that have not ended, oldest first."""
        return [one for one in self._running.values() if one.account == account]

    def place(self, account: Account, request: TwapRequest) -> Twap | str:
        """Start a TWAP; return the venue's error message if it is refused."""
        mark = self._markets[request.coin].mark
        if error := self._error(account, request, mark):
            return error
        waits = request.trigger_price is not None
        twap = Twap(
            self._next_id,
            account.address,
            request,
            self._accounts.now_ms,
            TwapStatus.WAITING if waits else TwapStatus.ACTIVATED,
            stop_above=request.stop_price is not None and request.stop_price > mark,
        )
        self._next_id += 1
        self._running[twap.twap_id] = twap
        self._report(account, twap)
        return copy.copy(twap)

    def cancel(self, account: Account, coin: str, twap_id: int) -> str | None:
        """Cancel a TWAP; return the venue's error message if there is none."""
        twap = self._running.get(twap_id)
        if twap is None or (twap.account, twap.coin) != (account.address, coin):
            return TWAP_GONE
        self._end(account, twap, TwapStatus.TERMINATED)
        return None

    def step(self, now_ms: int) -> None:
        """Send the parts that are due; called at whole multiples of the markets' step."""
        for twap in tuple(self._running.values()):
            account = self._accounts.open(twap.account)
            mark = self._markets[twap.coin].mark
            if _reached(twap.request.stop_price, twap.stop_above, mark):
                self._end(account, twap, TwapStatus.STOPPED)
                continue
            if twap.status is TwapStatus.WAITING:
                if not _reached(twap.request.trigger_price, twap.request.trigger_above, mark):
                    continue
                twap.status = TwapStatus.ACTIVATED
                self._report(account, twap)
            if twap.parts_sent == 0:
                twap.begun_ms = now_ms
            if now_ms >= twap.begun_ms + PART_MS * twap.parts_sent:
                self._send_part(account, twap, mark)

    def _error(self, account: Account, request: TwapRequest, mark: int) -> str | None:
        if not SHORTEST_MINUTES <= request.minutes <= LONGEST_MINUTES:
            return f"Invalid TWAP duration: {request.minutes} min(s)"
        if request.lots <= 0:
            return "Order has zero size."
        if request.lots * mark < LEAST_VALUE:
            return f"TWAP order value too small. Min is ${LEAST_VALUE // MICROS_PER_USDC}."
        held = self._margin.held(account, request.coin)
        if request.reduce_only and not (held < 0 if request.is_buy else held > 0):
            return "Reduce-only TWAP order would increase position."
        if _reached(request.trigger_price, request.trigger_above, mark):
            return "Invalid TP/SL price."
        return None

    def _send_part(self, account: Account, twap: Twap, mark: int) -> None:
        request, parts = twap.request, 2 * twap.request.minutes + 1
        twap.parts_sent += 1
        lots = _due_lots(twap, parts)
        if request.reduce_only:
            lots = min(lots, abs(self._margin.held(account, request.coin)))
        error = self._trade(account, twap, lots, mark) if lots > 0 else None
        if error is not None:
            self._end(account, twap, TwapStatus.ERROR, error)
        elif twap.executed_lots == request.lots or twap.parts_sent == parts:
            self._end(account, twap, TwapStatus.FINISHED)

    def _trade(self, account: Account, twap: Twap, lots: int, mark: int) -> str | None:
        """Send one part; return the error that ends the TWAP, if any."""
        request = twap.request
        if self._order_manager.post_only or request.coin in self._order_manager.halted:
            return None
        slippage = MOST_SLIPPAGE_PERCENT if request.is_buy else -MOST_SLIPPAGE_PERCENT
        limit = mark * (100 + slippage) // 100
        outcome = self._order_manager.place(
            account,
            OrderRequest(
                coin=request.coin,
                is_buy=request.is_buy,
                price=to_tick(limit, self._markets[request.coin].units, up=not request.is_buy),
                lots=lots,
                reduce_only=request.reduce_only,
                tif=TimeInForce.IOC,
                twap_id=twap.twap_id,
            ),
        )
        if outcome.order is None:
            return None if outcome.error == NO_MATCH else outcome.error
        for fill in reversed(account.fills):
            if fill.oid != outcome.order.oid:
                break
            twap.executed_lots += fill.lots
            twap.executed_value += fill.lots * fill.price
        return None

    def _end(
        self, account: Account, twap: Twap, status: TwapStatus, error: str | None = None
    ) -> None:
        twap.status = status
        del self._running[twap.twap_id]
        self._report(account, twap, error)

    def _report(self, account: Account, twap: Twap, error: str | None = None) -> None:
        event = TwapEvent(self._accounts.now_ms, copy.copy(twap), error)
        account.twaps.append(event)
        self._events.append(event)


def _due_lots(twap: Twap, parts: int) -> int:
    """Return the size of the part that is due now, lots."""
    total, sent = twap.request.lots, twap.parts_sent
    target = total * sent // parts
    if twap.request.randomize and sent < parts:
        digest = hashlib.sha256(f"{twap.account}:{twap.twap_id}:{sent}".encode()).digest()
        share = RANDOM_SHARE * (2 * digest[0] / 255 - 1)
        target = min(total, target + round(share * total / parts))
    most = -(-MOST_PARTS_AT_ONCE * total // parts)
    return max(0, min(target - twap.executed_lots, most))


def _reached(price: int | None, above: bool, mark: int) -> bool:
    if price is None:
        return False
    return mark >= price if above else mark <= price
