"""The longest silence of a channel that chance explains.

Gaps between messages have an exponential tail: beyond some length the next message arrives at a
background rate, independent of the past. That rate is fitted to the longest tenth of the gaps,
because orders come in bursts: the mean gap, which includes the many short gaps within bursts, would
make a quiet moment look like a silence. The limit is where the tail's probability, including the
uncertainty of a rate learned from so few gaps, has fallen to one in a million, plus a quarter
because rates drift. In simulated half hours at two orders a second, a longer gap occurred in

====================================================================== ==================
market                                                                 share of half hours
====================================================================== ==================
Poisson                                                                none of 300
bursts of 2.5 orders within 1.5 s                                      0.3%
bursts of 5 orders over 20 s                                           4%
a rate that drifts by a factor of two (log deviation 0.7) in 5 min     4%
====================================================================== ==================

and three to ten times as often without that quarter; it never occurred in the recordings of ETH
(1828 gaps between trades, the longest 5.1 s, limit 13 s) and WLFI (43; 30 s; 99 s).
"""

from collections.abc import Sequence
from math import ceil, inf
from typing import Final

import numpy as np

from advanced_mm.marketdata.records import Float1D, Int1D

__all__ = ["FEWEST_GAPS", "MARGIN", "PROBABILITY", "heard_gaps", "silence_limit"]

PROBABILITY: Final = 1e-6
"""A silence less likely than this is not attributed to the market."""
MARGIN: Final = 1.25
"""Factor on the limit, because rates drift."""
FEWEST_GAPS: Final = 10
"""Fewer gaps are too few to estimate a rate."""

_TAIL: Final = 0.1
_LEAST_TAIL: Final = 50
_SUSPECT: Final = 0.1  # share of the tail that may be silences themselves


def silence_limit(
    gaps_seconds: Sequence[float] | Float1D, probability: float = PROBABILITY
) -> float:
    """Return the longest gap (seconds) that chance explains, infinity if there are too few gaps.

    Parameters
    ----------
    gaps_seconds : array_like, shape (n,)
        Gaps between messages in any order; up to a hundredth of them may be silences.
    probability : float
        Probability of a longer gap, between 0 and 1; 0 gives an infinite limit.

    Notes
    -----
    Let S be the sum of the excesses of the k largest of n gaps over the next smaller gap u. Then
    P(gap > t) = (k/n) (1 + (t - u)/S)^-k, the exponential law with its rate integrated out. The
    longest tenth of the excesses is taken to be at least as long as the longest of the others
    (type II censoring), until each in turn is found to lie within the limit set by those before it.
    """
    n = len(gaps_seconds)
    if n < FEWEST_GAPS or not probability > 0:
        return inf
    k = min(n, max(ceil(_TAIL * n), _LEAST_TAIL))
    gaps = np.asarray(gaps_seconds, dtype=np.float64)
    largest = np.partition(gaps, n - k - 1)[n - k - 1 :] if k < n else np.append(gaps, 0.0)
    beyond, tail = float(largest.min()), np.sort(largest)[1:]
    excess = tail - beyond
    partial = np.cumsum(excess)
    odds = k / n / probability
    trusted = k - ceil(_SUSPECT * k)
    while True:
        total = float(partial[trusted - 1] + (k - trusted) * excess[trusted - 1])
        limit = float(MARGIN * (beyond + total * (odds ** (1.0 / trusted) - 1.0)))
        if trusted == k or tail[trusted] > limit:
            return limit
        trusted += 1


def heard_gaps(time_ms: Int1D, every_ms: Int1D, pause_ms: int) -> Float1D:
    """Return a channel's gaps (seconds), except those across a pause of the whole recording.

    Parameters
    ----------
    time_ms, every_ms : array of int
        Exchange times of the channel's messages and of all messages, both sorted.
    pause_ms : int
        A longer period without any message is a pause of the recording.
    """
    pauses = every_ms[np.flatnonzero(np.diff(every_ms) > pause_ms)]
    times = np.unique(time_ms)
    together = np.diff(np.searchsorted(pauses, times)) == 0
    return np.asarray(np.diff(times)[together] / 1000.0)
