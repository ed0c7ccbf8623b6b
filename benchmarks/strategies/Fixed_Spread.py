"""The strategy with one depth around the mid, both ways and for ever: that of its first refit."""

from advanced_mm.parameter_files import ParameterSet
from advanced_mm.price_grid import PriceGrid
from advanced_mm.quoting import Quoter, Side
from user_data.strategies.Market_Making import Market_Making


class FixedQuoter(Quoter):
    """Quotes at the mean of the optimal depths when it was first asked."""

    _fixed: float | None = None

    def _depth(
        self, parameters: ParameterSet, side: Side, inventory: int, mid: float, *, closes: bool
    ) -> float | None:
        if self._fixed is None:
            best = super()._depth
            inventories = range(self.settings.q_min, self.settings.q_max + 1)
            sides: tuple[Side, Side] = ("bid", "ask")
            asked = [
                best(parameters, one, units, mid, closes=False)
                for units in inventories
                for one in sides
            ]
            depths = [depth for depth in asked if depth is not None]
            if not depths:
                return None
            self._fixed = sum(depths) / len(depths)
        return self._fixed


class Fixed_Spread(Market_Making):
    """Sees, requotes and refuses like the strategy, but its depth never changes."""

    def _quoter(self, pair: str, mid: float, grid: PriceGrid, alone: bool = True) -> Quoter:
        if pair not in self._quoters:
            quoter = FixedQuoter(self.settings, self._feed(pair), grid)
            self._quoters[pair] = (None, quoter)
        return self._quoters[pair][1]
