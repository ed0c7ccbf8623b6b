"""The pairs of the whitelist: whether the venue has them."""

from collections.abc import Iterator

from advanced_mm.doctor.lines import Line, fault, ok
from advanced_mm.doctor.patient import Patient
from advanced_mm.doctor.venue import Venue
from advanced_mm.errors import InputError
from advanced_mm.instruments import code_of_pair, pair_of, resolve_coin

__all__ = ["examine_coins", "examine_pairs"]

_CORRECT = "correct exchange.pair_whitelist"


def examine_pairs(patient: Patient) -> Iterator[Line]:
    """Check how the pairs are written; nothing is said of those that are written well."""
    pairs = patient.exchange.get("pair_whitelist", [])
    if not pairs:
        yield fault("coins", "exchange.pair_whitelist is empty", 'name a pair: "ETH/USDC:USDC"')
    for pair in pairs:
        try:
            code = code_of_pair(pair)
        except InputError as error:
            yield fault("coins", str(error).rstrip("."), _CORRECT)
            continue
        stake = patient.config.get("stake_currency", "USDC")
        if pair != pair_of(code, stake):
            yield fault(
                "coins",
                f"{pair} is no perpetual in {stake}, so Freqtrade leaves it out",
                f"write it {pair_of(code, stake)}",
            )


def examine_coins(patient: Patient, venue: Venue) -> tuple[list[Line], list[str], frozenset[str]]:
    """Return what is to be said, the venue's names of coins it has, and codes of those it has not.

    Raises
    ------
    VenueError
        It does not answer.
    """
    lines, found, not_traded = [], [], []
    known = venue.coins(patient.codes)
    for code in patient.codes:
        try:
            coin = resolve_coin(code, known, f"the venue at {venue.address}")
        except InputError as error:
            lines.append(fault("coins", str(error).rstrip("."), _CORRECT))
            not_traded.append(code)
        else:
            found.append(coin)
            lines.append(ok("coins", f"{coin} is traded at {venue.address}"))
    return lines, found, frozenset(not_traded)
