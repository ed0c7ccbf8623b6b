"""The passive hedge: triggers, refresh, the stop, and the round from one to the other."""

from decimal import Decimal as D

import pytest

from advanced_mm.hedging import HedgeSettings, freshen, new_state, step, take_over
from advanced_mm.hedging.messages import (
    Accepted,
    Cancel,
    Doubted,
    Ended,
    Filled,
    LookUp,
    NotFound,
    PlaceMarket,
    PlaceTrigger,
    Reconnected,
    Refused,
)
from tests.hedging.pretend import MARKET, seen

PREFIX = "0x" + "1" * 24
PASSIVE = {
    "passive_hedge_ratio": 0.03,
    "passive_hedge_sp_ratio": 0.02,
    "passive_hedge_proportion": 0.5,
    "passive_hedge_refresh_iqv_ratio": 0.1,
}


def settings(**changed):
    passive = {**PASSIVE, **changed}
    return HedgeSettings.read({"exchange": "x", "symbol": "E", "init_iqv_ratio": 0.5,
                               "passive": passive})  # fmt: skip


CRASH, DUAL = settings(), settings(dual_sided_hedge=True)


def play(chosen, *news, state=None):
    state = state or new_state(PREFIX)
    wishes = []
    for one in news:
        state, more = step(chosen, MARKET, state, one)
        wishes += more
    return state, wishes


def at(time_ms, mid=100, inventory=10, quote=1000):
    return seen(time_ms, mid, inventory, quote)


def resting(chosen=CRASH):
    """Triggers at rest, and their client ids."""
    state, wishes = play(chosen, at(0))
    ids = [one.client_id for one in wishes]
    state, _ = play(chosen, *(Accepted(one, 10) for one in ids), state=state)
    return state, ids


def hedged(chosen=CRASH, price=97, size=5):
    """The short trigger was filled whole, and the stop sent."""
    state, ids = resting(chosen)
    fill = Filled(ids[0], 1000, "f1", "sell", D(size), D(price))
    state, wishes = play(chosen, fill, state=state)
    return state, ids, wishes


def test_only_the_trigger_against_the_crash_rests_unless_both_sides_are_hedged():
    _, (short,) = play(CRASH, at(0))
    assert short == PlaceTrigger(short.client_id, "sell", D(5), D(97))
    _, (short, long) = play(DUAL, at(0))
    assert long == PlaceTrigger(long.client_id, "buy", D(5), D(103))


def test_what_a_short_inventory_fears_is_the_rally():
    _, (wish,) = play(CRASH, at(0, inventory=-10, quote=3000))
    assert (wish.side, wish.trigger_price, wish.size) == ("buy", D(103), D(5))


def test_triggers_lie_on_the_grid_no_closer_than_wanted():
    _, (short, long) = play(DUAL, at(0, mid="100.01"))
    assert (short.trigger_price, long.trigger_price) == (D("97.0"), D("103.1"))


def test_triggers_follow_the_price_while_the_share_is_neutral():
    state, (one,) = resting()
    state, wishes = play(CRASH, at(59_000, 102), state=state)
    assert wishes == []  # not due
    state, wishes = play(CRASH, at(60_000, 102), state=state)
    assert wishes == [Cancel(one)]
    assert play(CRASH, at(60_100, 102), state=state)[1] == []  # the old one is not off the book
    _, (new,) = play(CRASH, Ended(one, 60_200, D(0)), at(60_300, 102), state=state)
    assert new.trigger_price == D("98.9")  # 102 · 0.97, rounded down


def test_triggers_stay_where_they_are_while_the_share_is_not_neutral():
    state, _ = resting()
    bought = at(60_000, 98, inventory=14, quote=608)  # the share is 0.69: a move of 0.39
    assert play(CRASH, bought, state=state)[1] == []


def test_triggers_do_not_run_from_the_price_they_wait_for():
    state, _ = resting()
    for mid in ("98.4", "97.2"):  # neutral by the share, but more than half way to 97
        assert play(CRASH, at(60_000, mid), state=state)[1] == []
    assert len(play(CRASH, at(60_000, "98.6"), state=state)[1]) == 1


def test_a_small_move_is_not_worth_an_unprotected_moment():
    state, _ = resting()
    assert play(CRASH, at(60_000, "100.2"), state=state)[1] == []


def test_more_inventory_enlarges_the_trigger_at_the_next_refresh():
    state, (one,) = resting()
    more = at(60_000, 100, inventory=11, quote=1000)
    assert play(CRASH, at(60_000, inventory="10.5"), state=state)[1] == []  # 5%
    _, (_, new) = play(
        settings(passive_hedge_refresh_tolerance=0.05), more, Ended(one, 60_100, D(0)), more,
        state=state,
    )  # fmt: skip
    assert new.size == D("5.5")


def test_a_trigger_is_cut_when_less_is_held_though_the_share_is_not_neutral():
    state, (one,) = resting()
    state, wishes = play(CRASH, at(1000, inventory="9.5", quote=1050), state=state)
    assert wishes == []  # 5 is within a tenth of 4.75
    few = at(2000, inventory=4, quote=1600)
    state, wishes = play(CRASH, few, Ended(one, 2100, D(0)), few, state=state)
    assert wishes[0] == Cancel(one)
    assert (wishes[1].size, wishes[1].trigger_price) == (2, 97)


def test_a_trigger_that_went_missing_is_sent_again_where_it_was():
    state, (one,) = resting()
    state, (again,) = play(CRASH, Ended(one, 5000, D(0)), at(6000, 101), state=state)
    assert (again.size, again.trigger_price) == (D(5), D(97))
    assert again.client_id != one


def test_a_trigger_that_was_refused_is_sent_again_after_a_pause():
    state, (first,) = play(CRASH, at(0))
    state, wishes = play(CRASH, Refused(first.client_id, 10), at(5000), state=state)
    assert wishes == []
    assert len(play(CRASH, at(5010), state=state)[1]) == 1


def test_a_trigger_whose_price_was_passed_while_it_was_missing_is_carried_out_at_market():
    state, (one,) = resting()
    _, (wish,) = play(CRASH, Ended(one, 5000, D(0)), at(6000, 96), state=state)
    assert wish == PlaceMarket(wish.client_id, "sell", D(5))


def test_a_trigger_in_doubt_is_not_sent_twice():
    state, (wish,) = play(CRASH, at(0))
    one = wish.client_id
    state, wishes = play(CRASH, Doubted(one, 10), at(1000), at(2100), state=state)
    assert wishes == [LookUp(one)]
    _, (again,) = play(CRASH, NotFound(one, 3000), at(3100), state=state)
    assert type(again) is PlaceTrigger


def test_a_fired_trigger_withdraws_the_other_one_at_once_and_gets_a_stop():
    state, (short, long), wishes = hedged(DUAL)
    assert wishes == [Cancel(long)]
    assert short not in state.orders
    _, (stop,) = play(DUAL, at(1100, 97), state=state)
    assert stop == PlaceTrigger(stop.client_id, "buy", D(5), D("99.0"), closing=True)
    # 97 · 1.02 is 98.94, rounded up: away from the market


def test_a_long_hedge_has_its_stop_below():
    state, (_, long) = resting(DUAL)
    fill = Filled(long, 1000, "f1", "buy", D(5), D(103))
    _, (_, stop) = play(DUAL, fill, at(1100, 103), state=state)
    assert (stop.side, stop.trigger_price) == ("sell", D("100.9"))  # 103 · 0.98 = 100.94


def test_the_stop_counts_from_what_the_fills_cost():
    state, (one,) = resting()
    news = [
        Filled(one, 1000, "f1", "sell", D(2), D(97)),
        Filled(one, 1000, "f2", "sell", D(3), D(92)),
    ]
    _, (stop,) = play(CRASH, *news, at(1100, 92), state=state)
    assert stop.trigger_price == D("95.9")  # 94 · 1.02 = 95.88


def test_what_a_trigger_could_not_fill_goes_at_market_once():
    state, (one,) = resting()
    news = [Filled(one, 1000, "f1", "sell", D(2), D(97)), Ended(one, 1000, D(2))]
    state, (rest,) = play(CRASH, *news, at(1100, 96), at(1200, 96), state=state)
    assert rest == PlaceMarket(rest.client_id, "sell", D(3))
    ended = [
        Filled(rest.client_id, 1300, "f2", "sell", D(2), D(95)),
        Ended(rest.client_id, 1300, D(2)),
    ]
    _, (stop,) = play(CRASH, *ended, at(1400, 96), at(1500, 96), state=state)
    assert (type(stop), stop.size) == (PlaceTrigger, D(4))


def with_stop():
    state, _, _ = hedged()
    state, (stop,) = play(CRASH, at(1100, 97), state=state)
    state, _ = play(CRASH, Accepted(stop.client_id, 1110), state=state)
    return state, stop.client_id


def test_the_round_is_closed_when_the_stop_is_filled_and_a_new_one_begins():
    state, stop = with_stop()
    done = Filled(stop, 9000, "f9", "buy", D(5), D(99))
    state, (again,) = play(CRASH, at(5000, 90), done, at(9100, 99), state=state)
    assert (again.side, again.trigger_price, again.size) == ("sell", D("96.0"), D(5))
    assert (state.passive.rounds, state.position) == (1, 0)


def test_nothing_is_refreshed_while_the_hedge_is_held():
    state, _ = with_stop()
    assert play(CRASH, at(30_000, 90), at(61_000, 95), state=state)[1] == []


def test_a_stop_that_went_missing_is_sent_again_or_carried_out_if_its_price_was_passed():
    state, stop = with_stop()
    lost = Ended(stop, 2000, D(0))
    (wish,) = play(CRASH, lost, at(3000, 97), state=state)[1]
    assert type(wish) is PlaceTrigger
    (wish,) = play(CRASH, lost, at(3000, "99.5"), state=state)[1]
    assert wish == PlaceMarket(wish.client_id, "buy", D(5), closing=True)


def test_a_stop_that_the_market_passes_is_left_to_the_exchange():
    state, _ = with_stop()
    assert play(CRASH, at(3000, "99.5"), state=state)[1] == []


def test_a_stop_filled_in_part_is_followed_by_another_for_the_rest():
    state, stop = with_stop()
    news = [Filled(stop, 2000, "f9", "buy", D(3), D(99)), Ended(stop, 2000, D(3))]
    _, (wish,) = play(CRASH, *news, at(2100, "99.2"), state=state)
    assert wish == PlaceMarket(wish.client_id, "buy", D(2), closing=True)


def test_a_whipsaw_that_fires_both_triggers_leaves_nothing_to_stop():
    state, (_, long), _ = hedged(DUAL)
    fill = Filled(long, 1010, "f2", "buy", D(5), D(103))
    state, wishes = play(DUAL, fill, at(2000, 103), state=state)
    assert (state.position, state.passive.rounds) == (0, 1)
    assert [type(one) for one in wishes] == [PlaceTrigger, PlaceTrigger]


def test_a_reconnect_looks_every_order_up():
    state, ids = resting(DUAL)
    assert play(DUAL, Reconnected(5000), state=state)[1] == [LookUp(one) for one in ids]


def test_a_trigger_that_fired_unheard_is_found_by_the_look_up():
    state, (one,) = resting()
    news = [Reconnected(5000), Filled(one, 4000, "f1", "sell", D(5), D(97)), Ended(one, 5100, D(5))]
    state, wishes = play(CRASH, *news, at(5200, 96), state=state)
    assert wishes[0] == LookUp(one)
    assert (wishes[1].side, wishes[1].size) == ("buy", D(5))


def test_an_active_hedge_leaves_less_for_the_passive_one():
    both = HedgeSettings.read({"exchange": "x", "symbol": "E", "init_iqv_ratio": 0.5,
                               "active": {"active_hedge_iqv_ratio": 0.2},
                               "passive": PASSIVE})  # fmt: skip
    held = take_over(both, new_state(PREFIX), D(-4), D(100))
    _, (wish,) = play(both, seen(inventory=14, quote=600), state=held)
    assert (wish.side, wish.size) == ("sell", D(5))


@pytest.mark.parametrize("inventory", [0, "0.15"])
def test_too_little_inventory_is_not_hedged(inventory):
    assert play(DUAL, at(0, inventory=inventory))[1] == []


def test_after_a_break_new_triggers_go_by_the_price_now():
    state, (one,) = resting()
    assert freshen(state) == state  # it still rests
    state, _ = play(CRASH, Ended(one, 5000, D(0)), state=state)
    _, (wish,) = play(CRASH, at(90_000, 90), state=freshen(state))
    assert (type(wish), wish.trigger_price) == (PlaceTrigger, D("87.3"))


def test_without_inventory_the_triggers_go():
    state, (one,) = resting()
    assert play(CRASH, at(1000, inventory=0, quote=2000), state=state)[1] == [Cancel(one)]
