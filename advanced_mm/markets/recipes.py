"""Market recipes: everything needed to reproduce the same market."""

from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

from advanced_mm.errors import InputError
from advanced_mm.marketdata.store import ShardStore
from advanced_mm.markets.market import MarketSource
from advanced_mm.markets.price_gaps import Gap, GapMarket
from advanced_mm.markets.recorded_books import read_books
from advanced_mm.markets.replay import ReplayMarket
from advanced_mm.markets.synthetic import SyntheticMarket, SyntheticParameters
from advanced_mm.markets.synthetic_regimes import Regime, Regimes

__all__ = ["MarketRecipe", "coin_seed"]


def coin_seed(seed: int, number: int, coin: str) -> int:
    """Return the seed of the coin with index ``number``, so that no two coins share their noise."""
    return seed if number == 0 else crc32(f"{seed}:{coin}".encode())


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketRecipe:
    """A synthetic market or a replay, and its events.

    Attributes
    ----------
    coin
        The coin's name.
    seed
        Seed of the synthetic market and of the made-up candles.
    start_ms
        Start of the market, exchange ms.
    synthetic
        Parameters at the start; None for a replay.
    regimes
        Later parameters, with times from the start.
    replay
        Data directory of the recording; None for the synthetic market.
    gaps
        Price gaps, exchange ms.
    """

    coin: str
    seed: int
    start_ms: int
    synthetic: SyntheticParameters | None = None
    regimes: tuple[Regime, ...] = ()
    replay: Path | None = None
    gaps: tuple[Gap, ...] = ()

    def __post_init__(self) -> None:
        if (self.synthetic is None) == (self.replay is None):
            raise InputError(f"market {self.coin}: give either synthetic parameters or a replay")

    def make(self) -> GapMarket:
        """Return the market at its start.

        Raises
        ------
        InputError
            If the recording cannot be used or the regimes are inconsistent.
        """
        return GapMarket(self._source(), self.gaps)

    def _source(self) -> MarketSource:
        if self.synthetic is not None:
            regimes = Regimes(self.synthetic, self.regimes)
            return SyntheticMarket(regimes, self.start_ms, self.seed)
        if self.replay is None:
            raise RuntimeError("the recipe has neither synthetic parameters nor a replay")
        recording = ShardStore(self.replay).read(self.coin)
        return ReplayMarket(recording, read_books(self.replay, self.coin), self.start_ms)
