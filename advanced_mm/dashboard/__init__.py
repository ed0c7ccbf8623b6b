"""The live page: what bots and makers quote, hold and earn, in a browser. It only reads."""

from advanced_mm.dashboard.access import Access
from advanced_mm.dashboard.places import Place, Places
from advanced_mm.dashboard.server import serve
from advanced_mm.dashboard.watcher import Watcher

__all__ = ["Access", "Place", "Places", "Watcher", "serve"]
