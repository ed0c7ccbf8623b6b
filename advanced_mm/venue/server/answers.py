"""Answers to requests that come over REST or as ``post`` on the websocket."""

from collections.abc import Callable

from advanced_mm.venue.engine.exchange import Exchange
from advanced_mm.venue.protocol.actions.requests import Requests
from advanced_mm.venue.protocol.gateway_protocol import GatewayProtocol
from advanced_mm.venue.protocol.info.accounts import AccountInfo, opening
from advanced_mm.venue.protocol.info.markets import MarketInfo
from advanced_mm.venue.protocol.info.memberships import MembershipsInfo
from advanced_mm.venue.protocol.info.perpetuals import PerpetualsInfo
from advanced_mm.venue.protocol.info.records import RecordsInfo
from advanced_mm.venue.protocol.info_routing import InfoRouter
from advanced_mm.venue.protocol.messages.account_views import AccountViews
from advanced_mm.venue.protocol.messages.wire_views import Json

__all__ = ["Answers"]


class Answers:
    """Answers /info and /exchange.

    Parameters
    ----------
    exchange
        The engine.
    wall_ms
        The computer's clock, ms, against which nonces are checked.
    gateway
        Counts the requests of an address; None disables counting.
    """

    def __init__(
        self, exchange: Exchange, wall_ms: Callable[[], int], gateway: GatewayProtocol | None = None
    ) -> None:
        self.exchange = exchange
        self.views = AccountViews(exchange)
        self.requests = Requests(exchange, wall_ms, gateway)
        market = MarketInfo(self.views.markets)
        account = AccountInfo(self.views, self.requests.signers)
        of_accounts = [
            account.routes(),
            RecordsInfo(self.views).routes(),
            MembershipsInfo(self.views).routes(),
        ]
        self._info = InfoRouter(
            market.routes(),
            PerpetualsInfo(self.views.markets).routes(),
            *(opening(self.views, routes) for routes in of_accounts),
        )

    @property
    def info_types(self) -> list[str]:
        """The types of /info requests that are answered."""
        return self._info.types

    def info(self, body: object) -> Json:
        """Answer an /info request; raises what `InfoRouter.answer` raises."""
        return self._info.answer(body)

    def action(self, body: object) -> Json:
        """Answer a signed action; raises what `Requests.answer` raises."""
        return self.requests.answer(body)
