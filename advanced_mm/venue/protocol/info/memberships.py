"""The request types of /info about what an account takes part in beside its trading.

Vaults, staking, referrals and multi-signature accounts do not exist here: nobody takes part, and
that is answered as Hyperliquid answers it.
"""

from typing import Any

from advanced_mm.markets.units import MICROS_PER_USDC, micros_text
from advanced_mm.venue.protocol.info.forms import AccountRequest, UserAddress
from advanced_mm.venue.protocol.info_routing import Route
from advanced_mm.venue.protocol.messages.account_views import AccountViews
from advanced_mm.venue.protocol.messages.wire_views import Json

__all__ = ["MembershipsInfo"]

REFERRER_VOLUME = 10_000 * MICROS_PER_USDC  # traded before one may bring others


class TransferRequest(AccountRequest):
    """A transfer to an address that somebody thinks of."""

    source: UserAddress


class MembershipsInfo:
    """Answers about accounts.

    Parameters
    ----------
    views
        The accounts in the venue's words.
    """

    def __init__(self, views: AccountViews) -> None:
        self._views = views

    def routes(self) -> dict[str, Route[Any]]:
        """The request types answered here."""
        return {
            "referral": Route(AccountRequest, self.referral),
            "legalCheck": Route(AccountRequest, self.legal_check),
            "isVip": Route(AccountRequest, lambda _: False),
            "preTransferCheck": Route(TransferRequest, self.transfer_check),
            "userToMultiSigSigners": Route(AccountRequest, lambda _: None),
            "userVaultEquities": Route(AccountRequest, lambda _: []),
            "leadingVaults": Route(AccountRequest, lambda _: []),
            "delegations": Route(AccountRequest, lambda _: []),
            "delegatorHistory": Route(AccountRequest, lambda _: []),
            "delegatorRewards": Route(AccountRequest, lambda _: []),
            "delegatorSummary": Route(AccountRequest, self.delegated),
        }

    def referral(self, request: AccountRequest) -> dict[str, Json]:
        """What the account has traded; nobody has brought it, and it has brought nobody."""
        traded = self._views.account(request.user).volume
        state: dict[str, Json] = {"stage": "needToCreateCode"}
        if traded < REFERRER_VOLUME:
            state = {"stage": "needToTrade", "data": {"required": micros_text(REFERRER_VOLUME)}}
        return {
            "referredBy": None,
            "cumVlm": micros_text(traded),
            "unclaimedRewards": "0.0",
            "claimedRewards": "0.0",
            "builderRewards": "0.0",
            "referrerState": state,
            "rewardHistory": [],
            "tokenToState": [],
        }

    def legal_check(self, request: AccountRequest) -> dict[str, Json]:
        """Everybody may trade."""
        return {"acceptedTerms": True, "userAllowed": True, "restrictions": "n"}

    def transfer_check(self, request: TransferRequest) -> dict[str, Json]:
        """Transfers are free, and to anybody."""
        account = self._views.exchange.accounts.existing(request.user)
        return {
            "fee": "0.0",
            "isSanctioned": False,
            "userExists": account is not None,
            "userHasSentTx": account is not None and account.requests_used > 0,
        }

    def delegated(self, request: AccountRequest) -> dict[str, Json]:
        """Nothing is staked."""
        return {
            "delegated": "0.0",
            "undelegated": "0.0",
            "totalPendingWithdrawal": "0.0",
            "nPendingWithdrawals": 0,
        }
