"""What a market has earned, for its guards of the account."""

from advanced_mm.maker.profit import Profit
from advanced_mm.maker.running.market import Market
from advanced_mm.maker.running.sight import Sight
from advanced_mm.quoting.guards import AccountMark

__all__ = ["Earnings"]


class Earnings:
    """Counts what a market and its hedges earn, and tells the guards of it.

    Attributes
    ----------
    profit
        Of the market's own fills.
    """

    def __init__(self, market: Market, sight: Sight) -> None:
        self.profit = Profit(market.setup.limits.target_inventory)
        self._market, self._sight = market, sight
        self._profit_before = 0.0
        self._capital: float | None = None

    def earned(self) -> float | None:
        """Return the profit since the start, its hedges' included; None before the first book."""
        state, desk = self._sight.state, self._market.setup.desk
        if state is None:
            return None
        hedged = desk.profit(state.time_ms) if desk is not None else 0.0
        return self.profit.at(state.mid) + hedged

    def resume(self, mark: AccountMark) -> None:
        """Go on with the guards of the account from an earlier run's mark."""
        self._profit_before = mark.profit
        self._market.guards.account.resume(mark)

    def mark(self, now: int) -> None:
        """Tell the guards of the account what was earned; call it about once a second."""
        earned, state = self.earned(), self._sight.state
        if earned is None or state is None:
            return
        if self._capital is None:
            self._capital = self._market.setup.limits.within_capital(state).equity
        before, at = self._profit_before, self._sight.at(now)
        self._market.guards.account.saw(before + earned, self._capital - before, at)
