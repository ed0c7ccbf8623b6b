"""The request types of /info about vaults, staking, referrals and multi-signature accounts.

None of these exist here; requests are answered as Hyperliquid answers for an account without any.
"""

from typing import Any

from advanced_mm.markets.units import MICROS_PER_USDC, micros_text
from advanced_mm.venue.protocol.info.forms import AccountRequest, UserAddress
from advanced_mm.venue.protocol.info_routing import Route
from advanced_mm.venue.protocol.messages.account_views import AccountViews
from advanced_mm.venue.protocol.messages.wire_views import Json

__all__ = ["MembershipsInfo"]

REFERRER_VOLUME = 10_000 * MICROS_PER_USDC  # to be traded before an account may refer others


class TransferRequest(AccountRequest):
    """An intended transfer to an address."""

    source: UserAddress


class MembershipsInfo:
    """Answers requests about memberships.

    Parameters
    ----------
    views
        The accounts in wire format.
    """

    def __init__(self, views: AccountViews) -> None:
        self._views = views

    def routes(self) -> dict[str, Route[Any]]:
        """Return the routes by request type."""
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
        """Return the account's traded volume, without referrals."""
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
        """Return that the user may trade, as everybody may."""
        return {"acceptedTerms": True, "userAllowed": True, "restrictions": "n"}

    def transfer_check(self, request: TransferRequest) -> dict[str, Json]:
        """Return that a transfer is free and allowed, and whether the address has an account."""
        account = self._views.exchange.accounts.existing(request.user)
        return {
            "fee": "0.0",
            "isSanctioned": False,
            "userExists": account is not None,
            "userHasSentTx": account is not None and account.requests_used > 0,
        }

    def delegated(self, request: AccountRequest) -> dict[str, Json]:
        """Return that nothing is staked."""
        return {
            "delegated": "0.0",
            "undelegated": "0.0",
            "totalPendingWithdrawal": "0.0",
            "nPendingWithdrawals": 0,
        }
