"""What the bot asks its quoter: at which inventory, on which side, within which bounds."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from advanced_mm.parameter_files import Settings
from advanced_mm.quoting.edge import Side
from advanced_mm.quoting.layers import holding_of
from advanced_mm.quoting.legs import Held, Legs
from advanced_mm.quoting.quoter import Quote, Quoter, Refusal, Touch
from advanced_mm.quoting.sizes import entry_stake

__all__ = ["Asked", "Inventories", "mode_refusal"]

_SPARE: Final = 0.05
"""Of a unit: what a unit is worth changes a little while an order rests."""


@dataclass(frozen=True)
class Asked:
    """The order that may rest next.

    ``side`` is None where the model chooses it. ``inventory`` is in units, ``opens`` tells whether
    a fill adds to the bot's own position. ``alone`` is False where the inventory is that of two
    legs.
    """

    side: Side | None
    inventory: int
    opens: bool
    alone: bool = True

    def of(
        self, quoter: Quoter, touch: Touch, now: datetime, widen: float = 1.0
    ) -> Quote | Refusal:
        """Return the quoter's decision; an entry's depth is ``widen`` times the optimal one."""
        if self.side is None:
            return quoter.one_order(self.inventory, touch, now, widen)
        if self.opens:
            return quoter.entry(self.side, self.inventory, touch, now, widen)
        return quoter.exit(self.side, self.inventory, touch, now)

    def without_entry(
        self, quoter: Quoter, touch: Touch, now: datetime, entry: Quote | Refusal
    ) -> Quote | Refusal:
        """Return the entry; if it was refused, the offer of what is held, if anything is."""
        if isinstance(entry, Quote) or self.side is not None or self.inventory == 0:
            return entry
        return quoter.exit("ask" if self.inventory > 0 else "bid", self.inventory, touch, now)


class Inventories:
    """Counts inventory in units, by the configured mode.

    Parameters
    ----------
    settings
        ``mode`` must not be None.
    legs
        With two legs, what the other one holds; None if this one runs without it, as in a backtest.
    """

    def __init__(self, settings: Settings, legs: Legs | None = None) -> None:
        self._settings = settings
        self.legs = legs

    @property
    def layered(self) -> bool:
        """Whether the bot may hold several units."""
        return self._settings.mode == "layered"

    @property
    def counts_units(self) -> bool:
        """Whether it matters what one unit is worth."""
        return self.layered or self.legs is not None

    def entry(self, coin: str, trade: Any = None, stake: float | None = None) -> Asked:
        """Return what is asked for a position that is opened, or for one that is added to.

        Parameters
        ----------
        coin
            The venue's name of the coin.
        trade
            Freqtrade's trade, if there is one (its entry may still be resting).
        stake
            The stake of one unit, quote currency, if known.
        """
        side: Side = "ask" if self._settings.sells_first else "bid"
        if self.layered:
            return self._one_order(trade, stake)
        return self._of_both(Asked(side, 0, opens=True), coin, stake)

    def exit(self, coin: str, trade: Any, stake: float | None = None) -> Asked:
        """Return what is asked for a position that is to be closed; parameters as for `entry`."""
        if self.layered and self._settings.sells_first == bool(trade.is_short):
            return self._one_order(trade, stake)
        own = Asked("bid", -1, opens=False) if trade.is_short else Asked("ask", 1, opens=False)
        if self._settings.sells_first != bool(trade.is_short):
            return own  # of an earlier configuration; its depth is not in the bounds
        return self._of_both(own, coin, stake)

    def closes_all(self, trade: Any, stake: float | None = None) -> bool:
        """Whether the next exit offers the whole position, not one unit of several."""
        if not self.layered or self._settings.sells_first != bool(trade.is_short):
            return True
        holding = holding_of(trade, self._settings.layers, stake)
        return holding.closes >= holding.amount

    def fits(self, trade: Any, order: Any, stake: float | None = None) -> bool:
        """Whether what is left of a resting order may still be added; parameters as for `entry`.

        It may not where an order that was moved had been filled in part on the way.
        """
        if not self.layered or order.ft_order_side != trade.entry_side:
            return True
        holding = holding_of(trade, self._settings.layers, stake)
        return float(order.safe_remaining) <= holding.room + _SPARE * holding.unit

    def adjustment(
        self,
        trade: Any,
        quote: Quote,
        *,
        factor: float,
        unit_stake: float | None,
        least: float,
        proposed: float,
        clamp: float,
    ) -> float | Refusal | None:
        """Return by what stake a trade of several units is changed; below 0 to offer a unit.

        Parameters
        ----------
        trade
            Freqtrade's trade, without open orders.
        quote
            The order that is to rest.
        factor
            On the size of an addition, see `sizes`.
        unit_stake
            The stake of one unit, quote currency, if known.
        least
            The least stake of an entry, from which on a part of it can still be closed.
        proposed, clamp
            Freqtrade's own price, and the share of it within which it sends another.

        Returns
        -------
        float, Refusal or None
            None where the whole position is offered, by Freqtrade's other way.
        """
        if abs(quote.price - proposed) > clamp * proposed:
            return Refusal(
                f"Freqtrade would not send {quote.price}, more than {clamp:.0%} from {proposed}; "
                "raise custom_price_max_distance_ratio in the configuration"
            )
        if self.closes_all(trade, unit_stake) and not quote.is_entry:
            return None
        holding = holding_of(trade, self._settings.layers, unit_stake)
        if not quote.is_entry:
            # The amount is rounded down to the venue's lots; a whole number of them must stay one.
            share = holding.closes / holding.amount * (1 + 1e-9)
            return -float(trade.stake_amount) * share
        if holding.units == holding.most:
            return Refusal(f"the position is at its limit of {holding.most} units")
        worth = quote.price / float(trade.leverage or 1.0)
        whole = holding.unit * worth
        stake = entry_stake(whole, factor, least)
        if stake is None:
            return Refusal(
                f"a unit of {whole:.2f} is less than can be closed in parts, {least:.2f}; raise "
                "stake_amount"
            )
        return min(stake, holding.room * worth)

    def tell(self, trades: Mapping[str, Any], stake: float | None, *, certain: bool = True) -> None:
        """Tell the other leg what this bot holds.

        Parameters
        ----------
        trades
            Freqtrade's trade of each coin, None without one.
        stake
            The stake of one unit, quote currency, if known.
        certain
            False while an order is in doubt.
        """
        if self.legs is None:
            return
        held = {coin: _held(trade, stake) for coin, trade in trades.items()}
        self.legs.tell({c: h for c, h in held.items() if h is not None}, certain=certain)

    def _one_order(self, trade: Any, stake: float | None) -> Asked:
        units = 0 if trade is None else holding_of(trade, self._settings.layers, stake).units
        sign = -1 if self._settings.sells_first else 1
        return Asked(None, sign * units, opens=units == 0)

    def _of_both(self, own: Asked, coin: str, stake: float | None) -> Asked:
        if self.legs is None:
            return own
        joint = self.legs.joint(coin, own.inventory, stake)
        if joint is None:
            return own
        return Asked(own.side, joint, own.opens, alone=False)


def _held(trade: Any, stake: float | None) -> Held | None:
    """Return what a trade holds in signed units, fractions included; None if that is not known."""
    if trade is None:
        return Held(0.0, stake)
    holding = holding_of(trade, 1)
    if not holding.unit > 0:
        return None
    units = holding.amount / holding.unit
    return Held(-units if trade.is_short else units, stake)


def mode_refusal(settings: Settings, runmode: str) -> str | None:
    """Return why a bot cannot run with these settings; None if it can."""
    if settings.mode is None:
        return (
            f"market_making.q_min = {settings.q_min}, q_max = {settings.q_max}: one Freqtrade bot "
            "holds one unit; set them to 0 and 1 (long only) or to -1 and 0 (short only), or set "
            "inventory_mode to layered or two_legs."
        )
    if settings.mode == "two_legs" and settings.leg is None:
        return (
            "market_making.leg = null: with inventory_mode = two_legs there are two bots; set leg "
            'to "long" for one and to "short" for the other.'
        )
    if settings.mode == "layered" and runmode in ("backtest", "hyperopt"):
        return (
            "market_making.inventory_mode = layered: candles do not tell which of two sides filled "
            "first; replay recorded ticks instead (scripts/replay_backtest.py)."
        )
    return None
