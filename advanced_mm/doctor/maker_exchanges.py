"""The exchanges that makers trade on: whether they answer, and have the markets."""

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Final

import requests

from advanced_mm.doctor.lines import Line, fault, ok, unchecked, warning
from advanced_mm.doctor.makers import ExaminedMaker, Market
from advanced_mm.doctor.venue import Venue, is_on_this_machine, venue_address
from advanced_mm.errors import InputError, VenueError
from advanced_mm.instruments import code_of_pair, resolve_coin

__all__ = ["examine_exchanges"]

_BINANCE: Final = "https://api.binance.com"
_SECONDS: Final = 5.0
_REACH: Final = "check the network, or that the loopback venue runs"


def examine_exchanges(makers: Iterable[ExaminedMaker], *, offline: bool) -> Iterator[Line]:
    """Ask each exchange once for all markets that makers trade there."""
    wanted = sorted(
        {market for maker in makers for market in maker.markets},
        key=lambda one: (one.kind, one.url or "", one.symbol),
    )
    if offline and wanted:
        yield unchecked("exchanges", "makers' exchanges were not asked (--offline)")
        return
    for _, group in groupby(wanted, key=lambda one: (one.kind, one.url)):
        markets = list(group)
        ask = _hyperliquid if markets[0].kind == "hyperliquid" else _binance
        try:
            yield from ask(markets)
        except VenueError as error:
            yield warning("exchanges", str(error).rstrip("."), f"{_REACH}; no maker starts without")


def _hyperliquid(markets: list[Market]) -> list[Line]:
    url = markets[0].url
    exchange = {} if url is None else {"ccxt_config": {"urls": {"api": {"public": url}}}}
    codes = [code_of_pair(one.symbol) for one in markets]
    with Venue(venue_address(exchange)) as venue:
        known, where = venue.coins(codes), f"the venue at {venue.address}"
    lines = []
    for market, code in zip(markets, codes, strict=True):
        try:
            resolve_coin(code, known, where)
        except InputError as error:
            remedy = "correct symbol in the maker's file"
            lines.append(fault("exchanges", str(error).rstrip("."), remedy))
        else:
            lines.append(ok("exchanges", f"{market} is traded"))
    return lines


def _binance(markets: list[Market]) -> list[Line]:
    root = (markets[0].url or _BINANCE).rstrip("/")
    lines = []
    with requests.Session() as session:
        if is_on_this_machine(root):
            session.trust_env = False  # no proxy for loopback
        for market in markets:
            parameters = {"symbol": market.symbol.replace("/", "")}
            address = f"{root}/api/v3/exchangeInfo"
            try:
                reply = session.get(address, params=parameters, timeout=_SECONDS)
                told = reply.json()
            except requests.RequestException as error:
                raise VenueError(f"{address} does not answer ({type(error).__name__})") from None
            if reply.ok and isinstance(told, dict) and told.get("symbols"):
                status = str(told["symbols"][0].get("status"))
                if status == "TRADING":
                    lines.append(ok("exchanges", f"{market} is traded"))
                else:
                    text = f"{market} is not traded now: its status is {status}"
                    lines.append(warning("exchanges", text, "wait, or choose another market"))
            elif isinstance(told, dict) and told.get("code") == -1121:
                text = f"{root} has no market {market.symbol}"
                lines.append(fault("exchanges", text, "correct symbol in the maker's file"))
            else:
                raise VenueError(f"{address} answers with status {reply.status_code}")
    return lines
