"""The venue on a socket: REST, the websocket and the admin interface, for this machine alone."""

from advanced_mm.venue.server.admin import Admin
from advanced_mm.venue.server.answers import Answers
from advanced_mm.venue.server.server import PaperServer
from advanced_mm.venue.server.stream import StreamHub, StreamLimits

__all__ = ["Admin", "Answers", "PaperServer", "StreamHub", "StreamLimits"]
