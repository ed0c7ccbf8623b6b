"""Policies that are simple enough to follow by hand."""

from collections.abc import Callable
from dataclasses import dataclass

from advanced_mm.policies import Ladder, Level, MarketState


@dataclass(frozen=True)
class Even:
    """Orders of one size, one apart from the other, from the mid outwards."""

    levels: int = 1
    size: float = 1.0
    apart: float = 0.1
    name: str = "even"

    def ladder(self, state: MarketState) -> Ladder:
        away = [self.apart * (place + 1) for place in range(self.levels)]
        return Ladder(
            tuple(Level(state.mid - one, self.size) for one in away),
            tuple(Level(state.mid + one, self.size) for one in away),
        )


@dataclass(frozen=True)
class Told:
    """Whatever a function of the state says."""

    says: Callable[[MarketState], Ladder]
    name: str = "told"

    def ladder(self, state: MarketState) -> Ladder:
        return self.says(state)
