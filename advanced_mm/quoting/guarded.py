"""The quoter's decision, with the guards' say."""

from datetime import datetime

from advanced_mm.quoting.edge import Side
from advanced_mm.quoting.guards import RiskGuards
from advanced_mm.quoting.quoter import Quote, Quoter, Refusal, Touch

__all__ = ["guarded_decision"]


def guarded_decision(
    guards: RiskGuards,
    quoter: Quoter,
    coin: str,
    side: Side,
    inventory: int,
    touch: Touch,
    held: float,
    now: datetime,
) -> Quote | Refusal:
    """Return the quote of one side, or why there is none.

    Guards act on what opens or enlarges a position. What closes it they leave alone, but they see
    the touch all the same.

    Parameters
    ----------
    guards, quoter, coin
        Of the coin.
    side, inventory
        What would be quoted, and the position in units.
    touch, now
        The book, and the time of the look.
    held
        Value of the position, quote currency.
    """
    guards.saw(coin, touch.bid, touch.ask, touch.at)
    ruling = guards.rule(coin, side, quoter.usual_volatility, held, now)
    if inventory > 0 if side == "ask" else inventory < 0:
        return quoter.exit(side, inventory, touch, now)
    decision = quoter.entry(side, inventory, touch, now, ruling.widen)
    if isinstance(decision, Quote) and ruling.refusal is not None:
        return Refusal(ruling.refusal)
    return decision
