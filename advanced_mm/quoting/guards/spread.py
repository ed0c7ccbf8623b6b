"""No entry where the spread, the market's or our own, does not pay the fees."""

from typing import Final

from advanced_mm.quoting.guards.verdict import Verdict

__all__ = ["SPREAD", "narrow_market", "narrow_round_trip"]

SPREAD: Final = "spread"


def narrow_market(bid: float, ask: float, least_bp: float) -> Verdict | None:
    """Return a verdict if the market's spread is below ``least_bp`` of the mid."""
    found = (ask - bid) / (0.5 * (bid + ask)) * 1e4
    if found >= least_bp:
        return None
    return Verdict(
        SPREAD,
        f"narrow spread: the market's is {found:.2f} bp, at least {least_bp:g} bp wanted",
    )


def narrow_round_trip(opening: float, closing: float, fee: float, mid: float) -> str | None:
    """Return why a round trip does not pay its two fees; None if it does.

    ``opening`` and ``closing`` are distances of the quotes from the price they are set around,
    ``fee`` that of one fill, all in quote currency. A rebate is always paid.
    """
    earned, paid = opening + closing, 2 * fee
    if earned > paid or fee <= 0:
        return None
    return (
        f"narrow spread: a round trip at these quotes earns {earned / mid * 1e4:.2f} bp, its fees "
        f"are {paid / mid * 1e4:.2f} bp"
    )
