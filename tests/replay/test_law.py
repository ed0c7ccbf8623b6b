"""Half an hour of a synthetic market, recorded: the replay finds the market's law and its price.

And the venue's own matching, on that recording and on a real one, fills the same orders.
"""

from pathlib import Path

import pytest

from advanced_mm.replay import QUEUES, Queue, ReplayData, fixed_depth, load_recording, replay
from benchmarks.replay import LOOKS_MS, MARKET, both_sides, compare_with_law, one_unit, record
from benchmarks.replay_venue import RULES, agreement
from tests.replay.test_maker import OPTIONS

RECORDINGS = Path(__file__).parents[2].parent / "shared" / "hyperliquid"
# What a unit earns in the venue's order book, `python benchmarks/replay.py`, 8 seeds of 30 minutes.
ENGINE = {100: 0.50, 1000: 0.185, 2000: 0.059, 5000: -0.035}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("market")
    record(MARKET, 0.5, folder, seed=2)
    return folder


@pytest.fixture(scope="module")
def data(folder: Path) -> ReplayData:
    return load_recording(folder, MARKET.coin)


@pytest.mark.parametrize("look_ms", LOOKS_MS)
def test_fills_and_their_profit_are_those_of_the_law_at_the_quotes_distances(
    data: ReplayData, look_ms: int
) -> None:
    law = compare_with_law(both_sides(data, 1.0, look_ms), MARKET)
    assert law.expected > 200
    assert abs(law.error) < 2
    assert law.profit_low < law.expected_profit < law.profit_high


def test_quotes_that_are_looked_at_less_often_are_passed_by_the_price_more_often(
    data: ReplayData,
) -> None:
    shares = []
    for look_ms in LOOKS_MS:
        law = compare_with_law(both_sides(data, 1.0, look_ms), MARKET)
        shares.append(law.by_book / (law.by_book + law.filled))
    assert shares == sorted(shares)
    assert shares[0] < 0.1 < shares[-1]


@pytest.mark.parametrize("look_ms", LOOKS_MS)
def test_a_unit_earns_what_it_earns_in_the_venues_order_book(
    data: ReplayData, look_ms: int
) -> None:
    for queue in ("front", "back"):
        _, low, high = one_unit(data, MARKET, look_ms, queue)
        assert low < ENGINE[look_ms] < high


@pytest.mark.parametrize("queue", RULES)
def test_the_venues_matching_fills_the_same_orders(folder: Path, queue: Queue) -> None:
    found = agreement(folder, MARKET.coin, queue, 2.0)
    assert found.together > 300
    assert found.share >= 0.95
    assert found.refused_by_one <= 0.01 * found.orders


@pytest.mark.recorded
@pytest.mark.parametrize("queue", RULES)
def test_the_venues_matching_fills_the_same_orders_of_a_real_recording(
    tmp_path: Path, queue: Queue
) -> None:
    if not RECORDINGS.is_dir():
        pytest.skip(f"no recordings at {RECORDINGS}")
    found = agreement(RECORDINGS, "ETH", queue, 1.0, tmp_path)
    assert found.together > 200
    assert found.share >= 0.95
    assert found.refused_by_one <= 0.01 * found.orders


def test_places_in_the_queue_are_ordered_from_front_to_back(data: ReplayData) -> None:
    table = fixed_depth(0.3, -1000, 1000)
    filled = [replay(data, table, OPTIONS, queue).size.sum() for queue in QUEUES]
    assert filled == sorted(filled, reverse=True)
    assert filled[0] > 1.02 * filled[2]
