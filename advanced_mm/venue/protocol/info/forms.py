"""The forms of account requests to /info."""

from typing import Annotated

from pydantic import Field, StringConstraints

from advanced_mm.markets.listing import MAIN_DEX
from advanced_mm.venue.protocol.info_routing import InfoRequest

__all__ = ["AccountRequest", "DexRequest", "RangeRequest", "UserAddress"]

UserAddress = Annotated[str, StringConstraints(pattern=r"^0[xX][0-9a-fA-F]{40}$", to_lower=True)]


class AccountRequest(InfoRequest):
    """A request about an address."""

    user: UserAddress


class DexRequest(AccountRequest):
    """A request about an address at an exchange, by default the main one."""

    dex: str = MAIN_DEX


class RangeRequest(AccountRequest):
    """A request about an address's history in [startTime, endTime], exchange ms."""

    startTime: int = Field(default=0, ge=0)
    endTime: int | None = None
