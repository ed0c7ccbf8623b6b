"""The active and the delta hedge: when, how much, in which order, and never twice."""

from decimal import Decimal as D

import pytest

from advanced_mm.errors import InputError
from advanced_mm.hedging import (
    HedgeSettings,
    fit,
    new_state,
    restore_state,
    save_state,
    step,
    take_over,
)
from advanced_mm.hedging.messages import (
    Accepted,
    Cancel,
    Doubted,
    Ended,
    Filled,
    LookUp,
    NotFound,
    PlaceLimit,
    PlaceMarket,
    Reconnected,
    Refused,
)
from tests.hedging.pretend import MARKET, seen

PREFIX = "0x" + "1" * 24
HALF = {"exchange": "x", "symbol": "ETH/USDC:USDC", "init_iqv_ratio": 0.5}


def settings(**hedges):
    return HedgeSettings.read({**HALF, **hedges})


ACTIVE = settings(active={"active_hedge_iqv_ratio": 0.2})
DUAL = settings(active={"active_hedge_iqv_ratio": 0.2, "dual_sided_hedge": True})
DELTA = settings(delta={"delta_band": 0.5})


def holding(position, chosen=DUAL):
    return take_over(chosen, new_state(PREFIX), D(position), D(100))


def play(chosen, *news, state=None):
    """Give news one after the other; return the last state and all wishes."""
    state = state or new_state(PREFIX)
    wishes = []
    for one in news:
        state, more = step(chosen, MARKET, state, one)
        wishes += more
    return state, wishes


# 10 units and 1000 of quote at 100 are half and half; the thresholds are 0.6 and 0.4 of 2000.


@pytest.mark.parametrize("inventory", [8, 10, 12])
def test_nothing_is_done_within_the_thresholds(inventory):
    _, wishes = play(DUAL, seen(inventory=inventory, quote=2000 - 100 * inventory))
    assert wishes == []


def test_above_the_upper_threshold_the_excess_is_offered_post_only_at_the_touch():
    state, (wish,) = play(ACTIVE, seen(inventory=14, quote=600))
    assert wish == PlaceLimit(wish.client_id, "sell", D(2), D("100.1"))
    assert state.targeted.goal == -2


def test_below_the_lower_threshold_only_a_dual_sided_hedge_buys():
    low = seen(inventory=5, quote=1500)
    assert play(ACTIVE, low)[1] == []
    (wish,) = play(DUAL, low)[1]
    assert wish == PlaceLimit(wish.client_id, "buy", D(3), D("99.9"))


def test_a_one_sided_hedge_still_closes_its_short():
    state = holding(-2)
    (wish,) = play(ACTIVE, seen(inventory=6, quote=1400), state=state)[1]
    assert (wish.side, wish.size) == ("buy", D(2))  # 4 would reach the threshold


def test_the_hedge_it_holds_counts_as_inventory():
    state = holding(-2)
    assert play(ACTIVE, seen(inventory=14, quote=600), state=state)[1] == []


def test_the_target_may_lie_within_the_threshold():
    deep = settings(active={"active_hedge_iqv_ratio": 0.2, "active_hedge_target_ratio": 0})
    assert play(deep, seen(inventory=12, quote=800))[1] == []
    (wish,) = play(deep, seen(inventory=14, quote=600))[1]
    assert wish.size == 4


def test_the_initial_share_is_that_of_the_first_observation():
    free = HedgeSettings.read({**HALF, "init_iqv_ratio": None, "active": {
        "active_hedge_iqv_ratio": 0.5}})  # fmt: skip
    state, wishes = play(free, seen(inventory=5, quote=1500), seen(inventory=7, quote=1300))
    assert (state.init_iqv_ratio, wishes) == (D("0.25"), [])
    (wish,) = play(free, seen(inventory=8, quote=1200), state=state)[1]
    assert wish.size == D("0.5")


def test_an_account_worth_nothing_is_left_alone():
    assert play(DUAL, seen(inventory=10, quote=-1000))[1] == []


def posted(chosen=ACTIVE, inventory=14):
    """A hedge of 2 units to sell, at rest."""
    at = seen(inventory=inventory, quote=2000 - 100 * inventory)
    state, (wish,) = play(chosen, at)
    state, _ = play(chosen, Accepted(wish.client_id, 10), state=state)
    return state, wish.client_id


def high(time_ms, inventory=14, **more):
    return seen(time_ms, inventory=inventory, quote=2000 - 100 * inventory, **more)


def test_nothing_else_is_sent_while_an_order_rests():
    state, _ = posted()
    assert play(ACTIVE, high(1000), high(2000, 14.01), state=state)[1] == []


def test_the_unfilled_rest_goes_at_market_after_the_wait():
    state, one = posted()
    fill = Filled(one, 3000, "f1", "sell", D("0.5"), D("100.1"))
    state, wishes = play(ACTIVE, fill, high(4999), high(5000), high(5100), state=state)
    assert wishes == [Cancel(one)]
    state, (market,) = play(ACTIVE, Ended(one, 5200, D("0.5")), high(5300), state=state)
    assert market == PlaceMarket(market.client_id, "sell", D("1.5"))
    done = Filled(market.client_id, 5400, "f2", "sell", D("1.5"), D("99.9"))
    state, wishes = play(ACTIVE, done, high(5500), high(9000), state=state)
    assert (wishes, state.position, state.targeted.step) == ([], -2, "idle")


def test_a_cancel_that_is_told_before_its_fills_waits_for_them():
    state, one = posted()
    state, _ = play(ACTIVE, high(5000), Ended(one, 5100, D("0.5")), state=state)
    assert play(ACTIVE, high(5200), state=state)[1] == []
    assert play(ACTIVE, high(8000), state=state)[1] == [LookUp(one)]
    fill = Filled(one, 4990, "f1", "sell", D("0.5"), D("100.1"))
    _, (market,) = play(ACTIVE, fill, high(8100), state=state)
    assert market.size == D("1.5")


def test_a_fill_told_twice_counts_once():
    state, one = posted()
    fill = Filled(one, 3000, "f1", "sell", D("0.5"), D("100.1"))
    state, _ = play(ACTIVE, fill, fill, state=state)
    assert (state.position, state.targeted.order.filled) == (D("-0.5"), D("0.5"))


def test_a_post_only_order_that_would_take_is_sent_again_and_then_goes_at_market():
    state, (first,) = play(ACTIVE, high(0))
    state, wishes = play(ACTIVE, Refused(first.client_id, 10), high(200), state=state)
    assert wishes == []
    state, (second,) = play(ACTIVE, high(600, half=D("0.3")), state=state)
    assert (type(second), second.price) == (PlaceLimit, D("100.3"))
    _, (third,) = play(ACTIVE, Refused(second.client_id, 610), high(5000), state=state)
    assert type(third) is PlaceMarket


def test_a_market_order_that_is_refused_is_tried_again_after_a_pause():
    state, one = posted()
    state, (_, market) = play(ACTIVE, high(5000), Ended(one, 5100, D(0)), high(5200), state=state)
    state, wishes = play(ACTIVE, Refused(market.client_id, 5300), high(9000), state=state)
    assert wishes == []
    _, (again,) = play(ACTIVE, high(10300), state=state)
    assert type(again) is PlaceLimit


def test_an_order_in_doubt_is_looked_up_and_nothing_is_sent_meanwhile():
    state, (wish,) = play(ACTIVE, high(0))
    one = wish.client_id
    state, wishes = play(ACTIVE, Doubted(one, 100), high(1000), high(2100), state=state)
    assert wishes == [LookUp(one)]
    _, (again,) = play(ACTIVE, NotFound(one, 2200), high(2300), state=state)
    assert (type(again), again.client_id != one) == (PlaceLimit, True)


def test_an_order_given_up_as_lost_that_turns_up_is_cancelled_and_its_fills_count():
    state, (wish,) = play(ACTIVE, high(0))
    late = [Doubted(wish.client_id, 100), NotFound(wish.client_id, 10_000)]
    fill = Filled(wish.client_id, 11_000, "f1", "sell", D(1), D(100))
    state, wishes = play(ACTIVE, *late, Accepted(wish.client_id, 11_000), fill, state=state)
    assert (wishes, state.position) == ([Cancel(wish.client_id)], -1)


def test_a_cancel_whose_reply_was_lost_is_sent_again():
    state, one = posted()
    _, wishes = play(ACTIVE, high(5000), Doubted(one, 5100), high(7100), state=state)
    assert wishes == [Cancel(one), Cancel(one), LookUp(one)]


def test_a_hedge_that_is_wanted_no_longer_is_withdrawn():
    state, one = posted()
    state, wishes = play(ACTIVE, high(1000, 12), state=state)
    assert wishes == [Cancel(one)]
    state, wishes = play(ACTIVE, Ended(one, 1100, D(0)), high(1200, 12), state=state)
    assert (wishes, state.targeted.step) == ([], "idle")


def test_a_hedge_that_became_smaller_is_posted_again():
    state, one = posted()
    state, _ = play(ACTIVE, high(1000, 13), Ended(one, 1100, D(0)), state=state)
    _, (wish,) = play(ACTIVE, high(1200, 13), state=state)
    assert (type(wish), wish.size) == (PlaceLimit, D(1))


def test_no_hedge_begins_before_the_inventory_is_known_as_of_the_last_fill():
    state, one = posted()
    done = Filled(one, 3000, "f1", "sell", D(2), D("100.1"))
    state, _ = play(ACTIVE, done, high(3001), state=state)
    assert play(ACTIVE, high(3500, 17, inventory_ms=2999), state=state)[1] == []
    (wish,) = play(ACTIVE, high(3500, 17, inventory_ms=3000), state=state)[1]
    assert wish.size == 3


def test_what_the_market_does_not_take_is_not_hedged():
    assert play(ACTIVE, high(0, D("12.05")))[1] == []  # 0.05 at 100 is below the least value


def test_a_saved_state_goes_on_where_it_was():
    state, one = posted()
    fill = Filled(one, 3000, "f1", "sell", D("0.5"), D("100.1"))
    state, _ = play(ACTIVE, fill, state=state)
    again = restore_state(save_state(state), "hedge.json")
    assert again == state
    again, wishes = play(ACTIVE, Reconnected(60_000), high(60_001), state=again)
    assert wishes == [LookUp(one), Cancel(one)]
    assert play(ACTIVE, fill, state=again)[0].position == D("-0.5")


def test_a_file_that_is_no_state_is_refused_by_name():
    with pytest.raises(InputError, match=r"hedge\.json: the file is not what a hedge saves"):
        restore_state(b"{", "hedge.json")


def test_the_delta_hedge_offsets_all_inventory_beyond_its_target():
    _, (wish,) = play(DELTA, seen(inventory=10))
    assert (wish.side, wish.size) == ("sell", D(10))
    held = holding("-9.6")
    assert play(DELTA, seen(inventory=10), state=held)[1] == []  # within the band
    (wish,) = play(DELTA, seen(inventory=4), state=held)[1]
    assert (wish.side, wish.size) == ("buy", D("5.6"))


def test_a_correlated_market_is_hedged_by_its_ratio():
    other = HedgeSettings.read({**HALF, "ratio": 18.5, "delta": {
        "delta_band": 1, "target_inventory": 2}})  # fmt: skip
    (wish,) = play(other, seen(inventory=4))[1]
    assert (wish.side, wish.size) == ("sell", D(37))


def test_the_active_hedge_counts_in_units_of_the_hedge_too():
    double = HedgeSettings.read({**HALF, "ratio": 2, "active": {"active_hedge_iqv_ratio": 0.2}})
    (wish,) = play(double, high(0))[1]
    assert wish.size == 4
    held = holding(-4)
    assert play(double, high(0), state=held)[1] == []


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({}, "hedges nothing"),
        ({"active": {}}, "hedge.active.active_hedge_iqv_ratio is missing"),
        ({"activ": {"active_hedge_iqv_ratio": 1}}, "did you mean active"),
        ({"active": {"active_hedge_iqv_ratio": -1}}, "hedge.active.active_hedge_iqv_ratio = -1"),
        (
            {"active": {"active_hedge_iqv_ratio": 0.1}, "delta": {"delta_band": 1}},
            "active and delta both set the hedge's position",
        ),
        (
            {"active": {"active_hedge_iqv_ratio": 0.1, "active_hedge_target_ratio": 0.2}},
            "active_hedge_target_ratio = 0.2 must not exceed",
        ),
        ({"delta": {"delta_band": 1}, "ratio": 0}, "hedge.ratio = 0"),
    ],
)
def test_bad_settings_are_refused_with_one_sentence(changed, fault):
    with pytest.raises(InputError, match=fault):
        HedgeSettings.read({**HALF, **changed}, "hedge")


def test_a_machine_that_is_used_no_longer_hands_its_position_on():
    state = holding(-3)
    passive = settings(passive={"passive_hedge_ratio": 0.03, "passive_hedge_sp_ratio": 0.02,
                                "passive_hedge_proportion": 0.5,
                                "passive_hedge_refresh_iqv_ratio": 0.1})  # fmt: skip
    state = fit(passive, state)
    assert (state.targeted.ledger.position, state.passive.ledger.position) == (0, -3)
    (stop,) = play(passive, seen(mid=96), state=state)[1]
    assert (stop.side, stop.size, stop.trigger_price) == ("buy", D(3), D(102))
    assert fit(DUAL, state).targeted.ledger.position == -3
