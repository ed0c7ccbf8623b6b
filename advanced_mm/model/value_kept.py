"""What a resting quote is still worth when the price it should have has moved away from it.

A quote at depth delta earns V(delta) = lambda exp(-kappa delta) (delta - a - b delta - c + dh) a
second: fills of orders that reach it, times the depth, less the move that comes with a fill, the
fee, and the change of the value function. V is greatest at

    delta* = 1/kappa + (a + c - dh) / (1 - b),

and y away from it (y > 0: deeper) it is worth (1 + kappa y) exp(-kappa y) of that, for either sign
of y: a quote too near is filled more often, and loses more per fill. Near the best depth both lose
(kappa y)^2 / 2; further out a quote too near loses more, and kappa y < -1 costs money.

A bound (a least depth, a greatest spread, the touch) may hold the best depth allowed away from
delta*. With u0 = kappa (allowed - delta*), a quote y deeper than allowed is worth

    (1 + u0 + kappa y) exp(-kappa y) / (1 + u0)

of the allowed one. One beyond the bound would be worth more than the allowed one, which the bound
is there to prevent: it counts as if delta* lay at the bound.

lambda, kappa, a and b are those of quotes that grow old (`QuoteAge.effective`): near the best depth
the rate of fills and the edge of such a quote are those of an instant maker with these numbers.
"""

from math import exp, inf
from typing import Final

__all__ = ["from_best", "kept"]

_LEAST_WORTH: Final = 0.1
"""Of 1 + u0: where a bound keeps a quote from earning anything, any other is compared to this."""


def from_best(depth: float, kappa: float, cost: float, slope: float, gain: float) -> float:
    """Return u0 = kappa (depth - delta*), the distance of a depth from the best, in mean reaches.

    Parameters
    ----------
    depth
        Allowed depth, quote currency.
    kappa
        Decay of the rate of fills, per quote currency.
    cost, slope
        a + c, quote currency per unit, and b.
    gain
        dh, what a fill adds to the value function, quote currency per unit.
    """
    if slope >= 1:
        return 0.0
    best = 1 / kappa + (cost - gain) / (1 - slope)
    return kappa * (depth - best) if -inf < best < inf else 0.0


def kept(reaches: float, from_best: float) -> float:
    """Return the value of a quote over that of the best one allowed; below 0 where it loses money.

    Parameters
    ----------
    reaches
        kappa y: how much deeper the quote is than the allowed one, in mean reaches 1/kappa.
    from_best
        u0: how much deeper the allowed one is than the best.
    """
    decay = exp(-min(max(reaches, -50.0), 50.0))
    at_bound = max(1 + from_best, _LEAST_WORTH)
    return min((1 + reaches) * decay, (at_bound + reaches) * decay / at_bound)
