"""The request types of ``/info``, by subject."""

from advanced_mm.venue.protocol.info.accounts import AccountInfo
from advanced_mm.venue.protocol.info.markets import MarketInfo
from advanced_mm.venue.protocol.info.memberships import MembershipsInfo
from advanced_mm.venue.protocol.info.perpetuals import PerpetualsInfo
from advanced_mm.venue.protocol.info.records import RecordsInfo

__all__ = ["AccountInfo", "MarketInfo", "MembershipsInfo", "PerpetualsInfo", "RecordsInfo"]
