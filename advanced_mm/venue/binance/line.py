"""Faults between the spot exchange and its clients: what its requests and messages are called.

A request is called by its name in the websocket API ("order.place") and by its path
("/api/v3/order"), whichever way it comes. Messages are on the channels "trade", "aggTrade",
"bookTicker", "depth", "kline", "24hrTicker", "executionReport", "outboundAccountPosition" and
"reply".
"""

import re

from advanced_mm.venue.binance.routing import OwnRoute, Route
from advanced_mm.venue.conditions.faults import GarbledMessages
from advanced_mm.venue.conditions.faulty_line import FaultyLine

__all__ = ["BinanceLine", "request_names"]

REPLY = "reply"
_EVENT = re.compile(r'"e":"([^"]*)"')
_SYMBOL = re.compile(r'"s":"([^"]*)"')
_NUMBER = re.compile(r'"[0-9]+\.[0-9]{8}"')
_OWN = ("executionReport", "outboundAccountPosition")


def request_names(route: Route | OwnRoute) -> tuple[str, ...]:
    """Return what faults call a request."""
    return tuple(name for name in (route.method, route.rest.rpartition(" ")[2]) if name)


class BinanceLine(FaultyLine):
    """The faults of the spot exchange."""

    def names(self, text: str) -> tuple[str, str]:
        """Return channel and coin of an encoded message; a partial book names no coin."""
        event = _EVENT.search(text, 0, 200)
        if event is not None:
            channel = "depth" if event[1] == "depthUpdate" else event[1]
        elif '"lastUpdateId":' in text[:100]:
            channel = "depth"
        elif '"u":' in text[:60]:
            channel = "bookTicker"
        else:
            return REPLY, ""
        symbol = None if channel in _OWN else _SYMBOL.search(text, 0, 200)
        return channel, "" if symbol is None else self._coin(symbol[1])

    def garbled(self, fault: GarbledMessages, text: str) -> str:
        """Return a message as it arrives damaged, in this exchange's own form."""
        match fault.how:
            case "channel":
                return text.replace('"e":"', '"e":"garbled', 1)
            case "nan":
                return _NUMBER.sub('"NaN"', text)
            case _:
                return fault.garbled(text)

    def lost(self, client: str, text: str) -> None:
        """Nothing counts what was dropped."""

    def sent(self, client: str, text: str) -> None:
        """Nothing counts what was sent."""

    def _coin(self, symbol: str) -> str:
        coins = self._venue.venue.markets
        return max((coin for coin in coins if symbol.startswith(coin)), key=len, default="")
