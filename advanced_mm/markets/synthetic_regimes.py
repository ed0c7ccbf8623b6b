"""Regimes of a synthetic market: a flash crash, a trend, an hour of toxic flow.

A regime is a set of parameters and the time from which they hold. Only the parameters change; S
continues from its current value.
"""

from bisect import bisect_right
from dataclasses import dataclass, replace
from typing import Self

from advanced_mm.errors import InputError
from advanced_mm.markets.synthetic_parameters import SyntheticParameters

__all__ = ["CHANGEABLE", "Regime", "Regimes"]

CHANGEABLE = (
    "sigma",
    "drift",
    "lambda_plus",
    "lambda_minus",
    "kappa_plus",
    "kappa_minus",
    "jump_probability_plus",
    "jump_probability_minus",
    "jump_alpha",
    "jump_minimum",
    "level_size",
    "imbalance",
    "imbalance_seconds",
    "imbalance_drift",
)
"""The parameters a regime may change; the others define the coin."""


@dataclass(frozen=True, slots=True)
class Regime:
    """``parameters`` hold for the blocks after ``from_ms``, ms since the market's start."""

    from_ms: int
    parameters: SyntheticParameters


class Regimes:
    """All regimes of a market.

    Parameters
    ----------
    first
        The parameters at the start.
    later
        The following regimes, in any order.

    Raises
    ------
    InputError
        If two regimes begin at the same time, or one begins before the start or not between two
        blocks, or changes a parameter that defines the coin.
    """

    def __init__(self, first: SyntheticParameters, later: tuple[Regime, ...] = ()) -> None:
        self._regimes = sorted((Regime(0, first), *later), key=lambda regime: regime.from_ms)
        self._first_block = [one.from_ms // first.block_ms for one in self._regimes]
        for one in later:
            if one.from_ms <= 0 or one.from_ms % first.block_ms:
                raise InputError(
                    f"synthetic market {first.coin}: a regime begins at {one.from_ms} ms, "
                    f"must be a positive multiple of the block time, {first.block_ms} ms"
                )
            kept = {name: getattr(one.parameters, name) for name in CHANGEABLE}
            if replace(first, **kept) != one.parameters:
                raise InputError(
                    f"synthetic market {first.coin}: a regime may change only "
                    f"{', '.join(CHANGEABLE)}"
                )
        if len(set(self._first_block)) < len(self._first_block):
            raise InputError(
                f"synthetic market {first.coin}: two regimes begin in the same block; "
                "give them different times"
            )

    @classmethod
    def of(cls, market: SyntheticParameters | Self) -> "Regimes":
        """Return ``market`` as regimes; parameters alone become a single regime."""
        return Regimes(market) if isinstance(market, SyntheticParameters) else market

    @property
    def first(self) -> SyntheticParameters:
        """The parameters at the start."""
        return self._regimes[0].parameters

    def parameters_of_block(self, block: int) -> SyntheticParameters:
        """Return the parameters of block number ``block``, counted from 0 after the opening."""
        return self._regimes[bisect_right(self._first_block, block) - 1].parameters

    def blocks_until_change(self, block: int, most: int) -> int:
        """Return how many blocks from ``block`` on share its parameters, at most ``most``."""
        following = bisect_right(self._first_block, block)
        if following == len(self._first_block):
            return most
        return min(most, self._first_block[following] - block)
