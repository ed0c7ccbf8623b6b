"""The quoter's decision, with the guards' say."""

from datetime import datetime

from advanced_mm.quoting.edge import Side
from advanced_mm.quoting.guards import RiskGuards
from advanced_mm.quoting.inventory import Asked
from advanced_mm.quoting.quoter import Quote, Quoter, Refusal, Touch

__all__ = ["guarded_decision"]


def guarded_decision(
    guards: RiskGuards,
    quoter: Quoter,
    coin: str,
    asked: Asked,
    opening: Side,
    touch: Touch,
    held: float,
    now: datetime,
) -> Quote | Refusal:
    """Return the quote that is asked for, or why there is none.

    Guards act on what opens or enlarges a position. What closes it they leave alone, but they see
    the touch all the same.

    Parameters
    ----------
    guards, quoter, coin
        Of the coin.
    asked, opening
        What would be quoted, and the side on which the bot opens and adds.
    touch, now
        The book, and the time of the look.
    held
        Value of the position, quote currency.
    """
    guards.saw(coin, touch.bid, touch.ask, touch.at)
    ruling = guards.rule(coin, opening, quoter.usual_volatility, held, now)
    decision = asked.of(quoter, touch, now, ruling.widen)
    if isinstance(decision, Quote) and decision.is_entry and ruling.refusal is not None:
        return asked.without_entry(quoter, touch, now, Refusal(ruling.refusal))
    return decision
