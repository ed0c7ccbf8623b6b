"""Requests posted to /exchange: authorization and execution.

Hyperliquid's own messages are used wherever they are known; a refused action is answered with
status "err" and HTTP 200, a malformed message with HTTP 422. The checks, in order: the form; the
nonce's time; the signature; whether its signer has an account or signs for one; the nonce, which
then counts as used; the sub-account; ``expiresAfter``; the address's request budget.
"""

from collections.abc import Callable, Sequence

from pydantic import ValidationError

from advanced_mm.markets.units import CoinUnits
from advanced_mm.venue.engine.exchange import UNCHANGEABLE, Exchange, Grouping
from advanced_mm.venue.engine.orders import OrderRequest, Outcome, TimeInForce, Trigger
from advanced_mm.venue.protocol.actions import forms
from advanced_mm.venue.protocol.actions.account_requests import AccountRequests
from advanced_mm.venue.protocol.actions.fields import canonical
from advanced_mm.venue.protocol.actions.replies import (
    cancel_statuses,
    order_statuses,
    refused,
    settled,
    statuses_reply,
)
from advanced_mm.venue.protocol.actions.signers import NonceBook, RefusedError, Signers
from advanced_mm.venue.protocol.actions.signing import (
    UnrecoverableSignatureError,
    action_hash,
    phantom_signers,
    plain_address,
    user_signer,
)
from advanced_mm.venue.protocol.actions.twap_requests import cancel_twap, place_twap
from advanced_mm.venue.protocol.gateway_protocol import GatewayProtocol
from advanced_mm.venue.protocol.info_routing import RejectedRequest
from advanced_mm.venue.protocol.messages.wire_views import Json

__all__ = ["Requests"]

EXPIRED_COSTS = 5  # requests charged for each that arrives after its ``expiresAfter``


class Requests:
    """Executes signed actions.

    Parameters
    ----------
    exchange
        The engine. Actions happen at its current time.
    wall_ms
        The wall clock, ms; clients take their nonces from it, independent of market time.
    gateway
        Enforces the request budget of an address; None disables the limit.
    """

    def __init__(
        self, exchange: Exchange, wall_ms: Callable[[], int], gateway: GatewayProtocol | None = None
    ) -> None:
        self.signers = Signers()
        self._exchange = exchange
        self._wall_ms = wall_ms
        self._gateway = gateway
        self._listing = exchange.venue.listing
        self._units = {coin: book.units for coin, book in exchange.books.items()}
        self._account_requests = AccountRequests(exchange, self.signers, self._coin)

    def answer(self, body: object) -> dict[str, Json]:
        """Execute a posted request and return the reply.

        Raises
        ------
        RejectedRequest
            If it does not have the form of an action.
        """
        try:
            envelope = forms.Envelope.model_validate(body)
            action = forms.parse_action(envelope.action)
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(map(str, first["loc"]))
            raise RejectedRequest(f"field `{field}`: {first['msg']}") from error
        try:
            account = self._admit(envelope, action)
            return self._execute(account, action)
        except RefusedError as refusal:
            return refused(str(refusal))

    def _admit(self, envelope: forms.Envelope, action: forms.Action) -> str:
        """Authorize an action, use up its nonce, and return the account it is for."""
        wall_ms = self._wall_ms()
        NonceBook.check_time(envelope.nonce, wall_ms)
        try:
            signer = self._signer(envelope, action)
        except UnrecoverableSignatureError:
            raise RefusedError("Unable to recover signer.") from None
        except (OverflowError, ValueError) as error:
            raise RejectedRequest(f"field `action`: {error}") from error
        self.signers.use_nonce(signer, envelope.nonce)
        account = self._owner(signer) or signer
        if envelope.vaultAddress is not None:
            sub_account = plain_address(envelope.vaultAddress)
            if self._exchange.accounts.master_of(sub_account) != account:
                raise RefusedError(f"Vault not registered: {sub_account}")
            account = sub_account
        expired = envelope.expiresAfter is not None and envelope.expiresAfter < wall_ms
        self._spend(account, action, times=EXPIRED_COSTS if expired else 1)
        if expired:
            raise RefusedError("Action already expired")
        return account

    def _spend(self, account: str, action: forms.Action, times: int) -> None:
        """Charge the action to the address's request budget; refuse it if none is left."""
        count = forms.request_count(action) * times
        if self._gateway is None:
            self._exchange.accounts.open(account).requests_used += count
            return
        cancels = isinstance(action, forms.Cancel | forms.CancelByCloid | forms.TwapCancel)
        sentence = self._gateway.spend(account, count, cancels=cancels)
        if sentence is not None:
            raise RefusedError(sentence)

    def _signer(self, envelope: forms.Envelope, action: forms.Action) -> str:
        """Return the signer's address; refuse unknown signers, and agents for owners' actions."""
        if isinstance(action, forms.UserSigned):
            if forms.signed_nonce(action) != envelope.nonce:
                raise RefusedError("Nonce mismatch.")
            signer = user_signer(envelope.action, envelope.signature)
            if signer in self.signers.agents or self._owner(signer) is None:
                raise RefusedError(f"Must deposit before performing actions. User: {signer}")
            return signer
        digest = action_hash(
            canonical(action), envelope.vaultAddress, envelope.nonce, envelope.expiresAfter
        )
        strangers = []
        for signer in phantom_signers(digest, envelope.signature):
            if self._owner(signer) is not None:
                return signer
            strangers.append(signer)
        raise RefusedError(f"User or API Wallet {strangers[0]} does not exist.")

    def _owner(self, signer: str) -> str | None:
        """Return the account a key signs for: an agent's owner's, or its own; None if neither."""
        agent = self.signers.agents.get(signer)
        if agent is not None:
            valid = agent.valid_until is None or self._wall_ms() < agent.valid_until
            return agent.owner if valid else None
        if signer in self.signers.retired or self._exchange.accounts.get(signer) is None:
            return None
        return signer

    def _execute(self, account: str, action: forms.Action) -> dict[str, Json]:
        match action:
            case forms.PlaceOrders():
                return self._place(account, action)
            case forms.Cancel():
                return self._cancel(account, action)
            case forms.CancelByCloid():
                return self._cancel_by_cloid(account, action)
            case forms.Modify():
                return self._modify(account, action)
            case forms.BatchModify():
                return self._batch_modify(account, action)
            case forms.TwapOrder():
                return place_twap(self._exchange, account, self._coin(action.twap.a), action)
            case forms.TwapCancel():
                return cancel_twap(self._exchange, account, self._coin(action.a), action)
            case _:
                return self._account_requests.execute(account, action)

    def _place(self, account: str, action: forms.PlaceOrders) -> dict[str, Json]:
        if action.builder is not None:
            self.signers.check_builder(account, action.builder.b, action.builder.f)
        grouping: Grouping = action.grouping if isinstance(action.grouping, str) else "na"
        tenths = 0 if action.builder is None else action.builder.f
        asked = [self._request(order, tenths) for order in action.orders]
        if grouping != "na" and any(isinstance(one, Outcome) for one in asked):
            # A group is placed as a whole or not at all.
            failed = next(one for one in asked if isinstance(one, Outcome))
            outcomes = [one if isinstance(one, Outcome) else failed for one in asked]
        else:
            sound = [one for one in asked if isinstance(one, OrderRequest)]
            placed = iter(self._exchange.place(account, sound, grouping) if sound else ())
            outcomes = [one if isinstance(one, Outcome) else next(placed) for one in asked]
        return self._order_reply(action.orders, outcomes, grouping)

    def _modify(self, account: str, action: forms.Modify) -> dict[str, Json]:
        (outcome,) = self._modified(account, [action], always=action.a is True)
        return settled(outcome.error)

    def _batch_modify(self, account: str, action: forms.BatchModify) -> dict[str, Json]:
        outcomes = self._modified(account, action.modifies, always=action.a is True)
        return self._order_reply([one.order for one in action.modifies], outcomes, "na")

    def _modified(
        self, account: str, modifies: Sequence[forms.ModifyForm | forms.Modify], always: bool
    ) -> list[Outcome]:
        """Modify orders; with ``always``, place the new ones even if the old ones have ended."""
        asked = [(one.oid, self._request(one.order)) for one in modifies]
        sound = [(key, one) for key, one in asked if isinstance(one, OrderRequest)]
        changed = iter(self._exchange.modify(account, sound) if sound else ())
        outcomes = [one if isinstance(one, Outcome) else next(changed) for _, one in asked]
        if always:
            for place, (_, request) in enumerate(asked):
                if isinstance(request, OrderRequest) and outcomes[place].error == UNCHANGEABLE:
                    (outcomes[place],) = self._exchange.place(account, [request])
        return outcomes

    def _cancel(self, account: str, action: forms.Cancel) -> dict[str, Json]:
        which = [(self._coin(one.a), one.o) for one in action.cancels]
        outcomes = self._exchange.cancel(account, which)
        assets = [one.a for one in action.cancels]
        return statuses_reply("cancel", cancel_statuses(outcomes, assets))

    def _cancel_by_cloid(self, account: str, action: forms.CancelByCloid) -> dict[str, Json]:
        which = [(self._coin(one.asset), one.cloid) for one in action.cancels]
        outcomes = self._exchange.cancel_by_cloid(account, which)
        assets = [one.asset for one in action.cancels]
        return statuses_reply("cancel", cancel_statuses(outcomes, assets))

    def _order_reply(
        self, orders: Sequence[forms.WireOrder], outcomes: Sequence[Outcome], grouping: Grouping
    ) -> dict[str, Json]:
        assets = [one.a for one in orders]
        units = [self._units.get(self._listing.coin_of(asset) or "") for asset in assets]
        return statuses_reply("order", order_statuses(outcomes, assets, units, grouping))

    def _coin(self, asset: int) -> str:
        coin = self._listing.coin_of(asset)
        if coin is None:
            raise RefusedError(f"Invalid asset: {asset}")
        return coin

    def _request(self, order: forms.WireOrder, builder_tenths: int = 0) -> OrderRequest | Outcome:
        """Return the order in whole numbers, or the error."""
        coin = self._listing.coin_of(order.a)
        if coin is None:
            return Outcome(error="Invalid asset.")
        units = self._units[coin]
        try:
            price = units.parse_price(order.p)
            trigger = _trigger(order.t.trigger, units)
        except ValueError:
            return Outcome(error="Price must be divisible by tick size.")
        try:
            lots = units.parse_lots(order.s)
        except ValueError:
            return Outcome(error="Order has invalid size.")
        return OrderRequest(
            coin=coin,
            is_buy=order.b,
            price=price,
            lots=lots,
            reduce_only=order.r,
            tif=_time_in_force(order),
            trigger=trigger,
            cloid=order.c,
            builder_tenths=builder_tenths,
            is_market=order.t.limit is not None and order.t.limit.tif == "FrontendMarket",
        )


def _trigger(form: forms.TriggerForm | None, units: CoinUnits) -> Trigger | None:
    if form is None:
        return None
    return Trigger(units.parse_price(form.triggerPx), form.isMarket, form.tpsl == "tp")


def _time_in_force(order: forms.WireOrder) -> TimeInForce:
    if order.t.limit is None:
        return TimeInForce.GTC
    tif = order.t.limit.tif
    return TimeInForce.IOC if tif == "FrontendMarket" else TimeInForce(tif)
