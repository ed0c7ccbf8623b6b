"""Compiled event loop of the simulation, one market order at a time."""

import math

import numpy as np

from advanced_mm.compiled import compiled
from advanced_mm.model._layout import (
    ASK_FILLS,
    BID_FILLS,
    CASH,
    INVENTORY,
    MID,
    SQUARES,
    Float1D,
    Float2D,
    Int64D2,
    Market,
)

__all__ = ["ASK_FILLS", "BID_FILLS", "CASH", "INVENTORY", "MID", "SQUARES", "Market", "run_paths"]


@compiled
def run_paths(
    random: np.random.Generator,
    market: Market,
    times: Float1D,
    ask: Float2D,
    bid: Float2D,
    lowest: int,
    start: int,
    amounts: Float2D,
    counts: Int64D2,
) -> None:
    """Fill ``amounts`` and ``counts`` (paths, 3) with the state at the end of each path.

    ``ask`` and ``bid`` (m, n) are the depths from ``times`` (m,) on, by index of the inventory;
    ``lowest`` is the inventory of index 0 and ``start`` the first index. The random numbers do not
    depend on the depths: every policy meets the same market orders.
    """
    last = times.size - 1
    for path in range(amounts.shape[0]):
        t, row, i = 0.0, 0, start
        cash, mid, squares = 0.0, 0.0, 0.0
        asks, bids = 0, 0
        while True:
            wait = random.standard_exponential() / market.arrivals
            over = t + wait >= market.seconds
            length = market.seconds - t if over else wait
            squares += float(lowest + i) ** 2 * length
            mid += market.drift * length
            if market.sigma > 0.0:
                mid += market.sigma * math.sqrt(length) * random.standard_normal()
            if over:
                break
            t += wait
            while row < last and t >= times[row + 1]:
                row += 1
            is_buy = random.random() < market.buy_share
            side = 0 if is_buy else 1
            reach = random.standard_exponential()
            move = market.move[side] + market.slope[side] * market.reach[side] * (reach - 1.0)
            reach *= market.reach[side]
            if is_buy:
                if reach > ask[row, i]:
                    cash += mid + ask[row, i] - market.fee
                    i -= 1
                    asks += 1
                mid += move
            else:
                if reach > bid[row, i]:
                    cash -= mid - bid[row, i] + market.fee
                    i += 1
                    bids += 1
                mid -= move
        amounts[path, CASH] = cash
        amounts[path, MID] = mid
        amounts[path, SQUARES] = squares
        counts[path, INVENTORY] = lowest + i
        counts[path, ASK_FILLS] = asks
        counts[path, BID_FILLS] = bids
