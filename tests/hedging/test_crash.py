"""A crash of 10%: the passive hedge leaves at most the unhedged part of the loss, and slippage."""

from decimal import Decimal as D
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advanced_mm.hedging import HedgeSettings, new_state, step
from benchmarks import hedge as benchmark
from tests.hedging.pretend import MARKET, Venue, seen

INVENTORY, START, BOTTOM = D(10), D(100), D(90)


def crash(proportion, path):
    """Carry an inventory down a path of prices; return the hedge's profit there, and its fills."""
    chosen = HedgeSettings.read({"exchange": "x", "symbol": "E", "passive": {
        "passive_hedge_ratio": 0.01, "passive_hedge_sp_ratio": 0.05,
        "passive_hedge_proportion": proportion,
        "passive_hedge_refresh_iqv_ratio": 0.02}})  # fmt: skip
    venue, state = Venue(mid=START), new_state("0x" + "1" * 24)
    for mid in [START, *path, BOTTOM, BOTTOM]:
        venue.move(mid)
        venue.now += 1000
        at = seen(venue.now, venue.mid, INVENTORY, D(1000))
        for news in [*venue.told(), at, *venue.told()]:
            state, wishes = step(chosen, MARKET, state, news)
            venue.carry_out(wishes)
    fills = [fill for order in venue.orders.values() for fill in order.fills]
    return sum(fill.signed * (BOTTOM - fill.price) for fill in fills), fills


@settings(max_examples=60, deadline=None)
@given(
    proportion=st.sampled_from([0.25, 0.5, 1.0]),
    path=st.lists(st.decimals("90.0", "99.9", places=1), max_size=8).map(
        lambda prices: sorted(prices, reverse=True)
    ),
)
def test_the_loss_is_at_most_the_unhedged_part_and_slippage(proportion, path):
    profit, fills = crash(proportion, path)
    unhedged = INVENTORY * (START - BOTTOM)
    sold = [fill for fill in fills if fill.side == "sell"]
    slippage = sum(fill.size * (START - fill.price) for fill in sold)
    assert unhedged - profit <= (1 - D(str(proportion))) * unhedged + slippage
    # That is worth something only if all of it was sold, once, no later than at the first price
    # beyond the trigger.
    assert len(fills) == len(sold) == 1
    assert sold[0].size == INVENTORY * D(str(proportion))
    assert sold[0].price == next(mid for mid in [*path, BOTTOM] if mid <= 99)


def test_without_a_gap_half_the_inventory_saves_four_tenths_and_a_half_of_the_loss():
    profit, _ = crash(0.5, [START - D(i) / 10 for i in range(1, 100)])
    assert profit == 5 * (99 - 90)


def test_the_benchmarks_crash_falls_as_far_as_asked(tmp_path):
    path = benchmark.crash_file(10.0, 3.0, 14, tmp_path)
    assert benchmark.fall(path) == pytest.approx(0.1, abs=0.003)
    assert "percent: -3.0" in Path(path).read_text()


def test_the_benchmarks_table_counts_what_is_allowed():
    def outcome(loss, hedge=(0.0, 0.0), fees=0.0):
        return benchmark.Outcome(loss, 0.1, 2.0, 3000.0, 2970.0, hedge, fees)

    found = benchmark.Comparison(outcome(600.0), outcome(335.0, (1.0, 2966.0), 1.0))
    assert (found.distance, found.slippage, found.bound) == (30.0, 5.0, 335.0)
    assert benchmark.row("still", found) == [
        "still", "10.0", "2.00", "600.00", "335.00", "300.00", "30.00", "5.00", "335.00",
        "1.00 at 2966.0",
    ]  # fmt: skip
