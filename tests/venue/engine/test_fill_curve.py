"""A resting order in the synthetic market fills as the model says: P(fill | market order) = e^-kd.

The depth d is measured from S, the latent price after the last block, from which market orders
draw their reach. An order at the front of its level fills if a market order reaches its price, so
with e^(-kappa d); one at the back if the whole level is walked, e^(-kappa (d + tick)); one in the
middle lies in between. Measured from the mid of the touch, which lies within half a tick of S,
the curve is the same times sinh(x) / x, x = kappa tick / 2, since S is uniform within its tick.

Every market order counts in the denominator, including those that end before the touch; their
number is known from the rate and the time. A filled order cannot meet the second market order of a
block, so per block it fills with probability 1 - exp(-L P), where L is the mean number of market
orders in a block: the probability that at least one arrives that reaches it.
"""

import math
from dataclasses import dataclass

import numpy as np
import pytest

from advanced_mm.markets.synthetic import SyntheticMarket, SyntheticParameters
from advanced_mm.markets.synthetic_flow import SyntheticFlow
from advanced_mm.markets.synthetic_regimes import Regimes
from advanced_mm.venue.engine.ledger import Match
from advanced_mm.venue.engine.matching import MatchedMarket
from advanced_mm.venue.engine.orders import Order, OrderRequest
from advanced_mm.venue.engine.rules import Rules

START_MS = 1_790_000_000_000
SEED = 12
PARAMETERS = SyntheticParameters(block_ms=50, start_price=3000.05)
MARKET_ORDERS = 10_000  # expected of each side
BLOCKS = round(MARKET_ORDERS / PARAMETERS.lambda_plus / PARAMETERS.block_ms * 1000)
LEVELS = (0, 2, 5, 8, 12)  # ticks behind the touch
TICK_UNITS = 10


@dataclass(frozen=True)
class Flow:
    """Independent knowledge of the market: S before each block, and the market orders in it."""

    latent: np.ndarray
    orders: dict[int, dict[int, set[str]]]  # block -> side -> hashes


@pytest.fixture(scope="module")
def flow() -> Flow:
    generator = SyntheticFlow(Regimes.of(PARAMETERS), SEED)
    latent = [np.array([PARAMETERS.start_price / PARAMETERS.tick])]
    while sum(map(len, latent)) < BLOCKS + 1:
        latent.append(generator.next_chunk().latent)
    twin = SyntheticMarket(PARAMETERS, START_MS, SEED)
    orders: dict[int, dict[int, set[str]]] = {}
    for update in twin.advance(START_MS + BLOCKS * PARAMETERS.block_ms):
        block = (update.time_ms - START_MS) // PARAMETERS.block_ms
        for one in update.prints:
            orders.setdefault(block, {}).setdefault(one.side, set()).add(one.hash)
    return Flow(np.concatenate(latent)[:BLOCKS], orders)


class Listener:
    """A ledger that allows everything and records the matches."""

    def __init__(self) -> None:
        self.matches: list[Match] = []

    def allowed(self, order: Order, lots: int) -> int:
        return lots

    def matched(self, match: Match) -> None:
        self.matches.append(match)

    def met_itself(self, order: Order) -> None:
        raise AssertionError("one account, one side at a time")


def filled(flow: Flow, queue_position: float) -> dict[int, np.ndarray]:
    """Count, by side, how often a fresh order at each level was filled by a market order.

    Orders are placed before blocks with market orders and cancelled after them. In other blocks
    only the moving quote could fill them, which does not count.
    """
    source = SyntheticMarket(PARAMETERS, START_MS, SEED)
    listener = Listener()
    market = MatchedMarket(source, Rules(queue_position=queue_position), listener)
    fills = {side: np.zeros(len(LEVELS)) for side in (1, -1)}
    for block, sides in flow.orders.items():
        market.advance(START_MS + block * PARAMETERS.block_ms - 1)
        bid = math.floor(flow.latent[block - 1])
        orders = [
            place(market, (bid + 1 + level if side > 0 else bid - level) * TICK_UNITS, side, i)
            for side in sides
            for i, level in enumerate(LEVELS)
        ]
        listener.matches.clear()
        market.advance(START_MS + block * PARAMETERS.block_ms)
        for match in listener.matches:
            side = -1 if match.order.request.is_buy else 1
            if match.order.remaining == 0 and match.hash in sides.get(side, ()):
                fills[side][match.order.oid] += 1
        for order in orders:
            if order.resting:
                market.remove(order)
    return fills


def place(market: MatchedMarket, price: int, side: int, number: int) -> Order:
    request = OrderRequest("ETH", side < 0, price, 1)
    order = Order(number, "0x" + "a" * 40, request, market.now_ms, 1)
    market.submit(order)
    assert order.resting
    return order


def reach(latent: np.ndarray, side: int, level: int) -> np.ndarray:
    """Return the depth of a level from S before each block, quote currency."""
    bid = np.floor(latent)
    away = bid + 1 + level - latent if side > 0 else latent - (bid - level)
    return away * PARAMETERS.tick


@pytest.mark.parametrize("queue_position", [0.0, 1.0])
def test_an_order_fills_as_often_as_the_model_says(flow, queue_position):
    fills = filled(flow, queue_position)
    per_block = PARAMETERS.lambda_plus * PARAMETERS.block_ms / 1000
    for side, kappa in ((1, PARAMETERS.kappa_plus), (-1, PARAMETERS.kappa_minus)):
        for i, level in enumerate(LEVELS):
            depth = reach(flow.latent, side, level) + queue_position * PARAMETERS.tick
            expected = -np.expm1(-per_block * np.exp(-kappa * depth)).sum()
            assert abs(fills[side][i] - expected) < 3 * math.sqrt(expected), (side, level)
        frequency = fills[side] / MARKET_ORDERS
        assert all(frequency[:-1] > frequency[1:])
        assert frequency[0] > 0.7 > 0.1 > frequency[-1]


@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize("level", LEVELS)
def test_from_the_mid_the_curve_is_higher_by_a_known_factor(flow, side, level):
    kappa, tick = PARAMETERS.kappa_plus, PARAMETERS.tick
    from_mid = (level + 0.5) * tick
    mean = np.exp(-kappa * reach(flow.latent, side, level)).mean()
    x = kappa * tick / 2
    assert mean == pytest.approx(math.exp(-kappa * from_mid) * math.sinh(x) / x, rel=1e-3)
