"""The request types of /info about an account's history: fills, orders and money."""

from collections.abc import Sequence
from typing import Any

from pydantic import Field

from advanced_mm.venue.engine.orders import Fill
from advanced_mm.venue.protocol.info.forms import AccountRequest, RangeRequest
from advanced_mm.venue.protocol.info_routing import Route
from advanced_mm.venue.protocol.messages.account_views import AccountViews
from advanced_mm.venue.protocol.messages.fill_messages import fills_data
from advanced_mm.venue.protocol.messages.money_messages import portfolio
from advanced_mm.venue.protocol.messages.order_messages import funding_entry
from advanced_mm.venue.protocol.messages.twap_messages import part_data
from advanced_mm.venue.protocol.messages.wire_views import Json

__all__ = ["RecordsInfo"]

MAX_FILLS, MAX_FUNDINGS, MAX_LEDGER = 2_000, 500, 2_000


class FillsRequest(AccountRequest):
    """The newest fills of an address."""

    aggregateByTime: bool = False


class FillsByTimeRequest(RangeRequest):
    """Fills of an address in [startTime, endTime], exchange ms; newest first if ``reversed``."""

    startTime: int = Field(ge=0)
    aggregateByTime: bool = False
    reversed: bool = False


class RecordsInfo:
    """Answers requests about accounts' history.

    Parameters
    ----------
    views
        The accounts in wire format.
    """

    def __init__(self, views: AccountViews) -> None:
        self._views = views
        self._exchange = views.exchange
        self._units = views.units

    def routes(self) -> dict[str, Route[Any]]:
        """Return the routes by request type."""
        return {
            "historicalOrders": Route(AccountRequest, self.orders),
            "userFills": Route(FillsRequest, self.fills),
            "userFillsByTime": Route(FillsByTimeRequest, self.fills_by_time),
            "userTwapSliceFills": Route(AccountRequest, self.parts),
            "userTwapSliceFillsByTime": Route(FillsByTimeRequest, self.parts_by_time),
            "twapHistory": Route(AccountRequest, self.twaps),
            "userFunding": Route(RangeRequest, self.funding),
            "userNonFundingLedgerUpdates": Route(RangeRequest, self.ledger),
            "portfolio": Route(AccountRequest, self.portfolio),
        }

    def orders(self, request: AccountRequest) -> list[Json]:
        """Return all orders that are still kept, newest first."""
        return self._views.order_history(request.user)

    def fills(self, request: FillsRequest) -> list[Json]:
        """Return the newest fills, newest first."""
        return self._views.fills(request.user, request.aggregateByTime)

    def fills_by_time(self, request: FillsByTimeRequest) -> list[Json]:
        """Return fills of a time range, oldest first, or newest first if ``reversed``."""
        fills = self._of_range(request)
        ordered = fills[::-1] if request.reversed else fills
        return fills_data(ordered[:MAX_FILLS], self._units, request.aggregateByTime)

    def parts(self, request: AccountRequest) -> list[Json]:
        """Return the newest fills of parts of TWAPs, newest first."""
        return self._views.twap_parts(request.user)

    def parts_by_time(self, request: FillsByTimeRequest) -> list[Json]:
        """Return fills of parts of TWAPs of a time range, oldest first."""
        parts = [one for one in self._of_range(request) if one.twap_id is not None]
        return [part_data(one, self._units[one.coin]) for one in parts[:MAX_FILLS]]

    def twaps(self, request: AccountRequest) -> list[Json]:
        """Return the status changes of TWAPs, newest first."""
        return self._views.twap_history(request.user)

    def funding(self, request: RangeRequest) -> list[Json]:
        """Return funding of a time range, oldest first."""
        payments = self._exchange.funding(request.user, request.startTime, request.endTime)
        first = list(payments)[:MAX_FUNDINGS]
        return [funding_entry(one, self._units[one.coin]) for one in first]

    def ledger(self, request: RangeRequest) -> list[Json]:
        """Return deposits, transfers and withdrawals of a time range, oldest first."""
        lines = self._views.ledger(request.user, request.startTime, request.endTime)
        return lines[:MAX_LEDGER]

    def portfolio(self, request: AccountRequest) -> list[Json]:
        """Return the history of the account's value and gain."""
        account = self._views.account(request.user)
        return portfolio(account, self._exchange.margin.sample(account, self._exchange.now_ms))

    def _of_range(self, request: RangeRequest) -> Sequence[Fill]:
        return self._exchange.fills(request.user, request.startTime, request.endTime)
