"""Saving and restoring: a restored venue continues as if it had never stopped.

- the same seed and the same actions give the same fills, in whatever steps the market is driven;
- saved in the middle and restored, the same further actions give the same fills, orders and money,
  with queues, stops, sub-accounts, halts, gaps, several coins;
- keys, nonces and request counters come back; the time in between is caught up;
- truncated, foreign and tampered files, and those of another version, are refused with a reason.
"""

import json
import random
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advanced_mm.errors import InputError
from advanced_mm.markets.price_gaps import Gap
from advanced_mm.markets.recipes import MarketRecipe
from advanced_mm.markets.synthetic import SyntheticParameters
from advanced_mm.markets.synthetic_regimes import Regime
from advanced_mm.venue.conditions.opening import open_venue
from advanced_mm.venue.conditions.saved_state import load_state, restore, save_state, summary
from advanced_mm.venue.engine.orders import OrderRequest, TimeInForce, Trigger
from advanced_mm.venue.engine.rules import Rules
from advanced_mm.venue.engine.twap_orders import TwapRequest
from advanced_mm.venue.protocol.actions.signers import Agent, RefusedError, Signers

START_MS = 1_790_000_000_000
OPENED_MS = START_MS + 5_000
MASTER, OTHER = "0x" + "1" * 40, "0x" + "2" * 40
COINS = ("ETH", "SOL")


def recipes():
    ethereum = SyntheticParameters.for_coin("ETH")
    wild = Regime(20_000, replace(ethereum, sigma=6.0, level_size=1.0))
    return (
        MarketRecipe(
            coin="ETH", seed=5, start_ms=START_MS, synthetic=ethereum, regimes=(wild,),
            gaps=(Gap(OPENED_MS + 31_234, -1.5),),
        ),
        MarketRecipe(
            coin="SOL", seed=6, start_ms=START_MS, synthetic=SyntheticParameters.for_coin("SOL")
        ),
    )  # fmt: skip


def actions(seed: int, count: int) -> list[tuple[int, str, tuple[Any, ...]]]:
    """Random actions at random times, most of them orders near the touch."""
    draw, time_ms = random.Random(seed), OPENED_MS
    planned: list[tuple[int, str, tuple[Any, ...]]] = []
    for number in range(count):
        time_ms += draw.choice([0, 13, 250, 1_000])
        user, coin = draw.choice([MASTER, OTHER]), draw.choice(COINS)
        kind = draw.choices(
            ["order", "cancel", "modify", "stop", "leverage", "halt", "transfer", "dead", "twap"],
            [12, 3, 3, 2, 1, 0.3, 1, 0.5, 1],
        )[0]
        depth, is_buy = draw.randint(-2, 12), draw.random() < 0.5
        size = draw.choice([1, 3, 10])
        tif = draw.choice(list(TimeInForce))
        planned.append((time_ms, kind, (user, coin, is_buy, depth, size, tif, number)))
    return planned


def other_of(user: str) -> str:
    return OTHER if user == MASTER else MASTER


def perform(exchange, kind, user, coin, is_buy, depth, size, tif, number):
    """One action; prices follow the touch, sizes are worth some 30 USDC and more."""
    units = exchange.books[coin].units
    market = exchange.venue.markets[coin]
    tick = units.price_units(market.spec.tick)
    touch = market.book(1).bids[0].price if is_buy else market.book(1).asks[0].price
    price = units.price_units(touch) + (-depth if is_buy else depth) * tick
    lots = units.lots(30 / touch) * size
    request = OrderRequest(coin, is_buy, price, lots, tif=tif, cloid=f"0x{number:032x}")
    live = exchange.open_orders(user)
    match kind:
        case "order":
            exchange.place(user, [request, replace(request, cloid=None)])
        case "cancel" if live:
            exchange.cancel(user, [(live[0].coin, live[0].oid)])
            exchange.cancel_by_cloid(user, [(live[-1].coin, live[-1].request.cloid or "0x0")])
        case "modify" if live:
            exchange.modify(user, [(live[-1].oid, replace(request, coin=live[-1].coin))])
        case "stop":
            slip = round(price * 0.05) // tick * tick * (1 if is_buy else -1)
            stop = Trigger(price + (20 * tick if is_buy else -20 * tick), True, False)
            asked = replace(request, price=price + slip, reduce_only=True, trigger=stop)
            exchange.place(user, [asked], "positionTpsl")
        case "leverage":
            exchange.update_leverage(user, coin, depth % 2 == 0, 5 + size)
            exchange.update_isolated_margin(user, coin, True, 1_000_000)
        case "halt":
            exchange.halt(coin, depth > 3)
            exchange.post_only = depth > 9
        case "transfer":
            other = other_of(user)
            exchange.transfer(user, other, size * 1_000_000)
            exchange.send(other, user, size * 500_000)
            exchange.change_class(user, size * 100_000, depth < 3)
            exchange.withdraw(user, other, size * 400_000, number)
            exchange.reserve_requests(user, other, size)
        case "twap":
            lots *= 40
            exchange.place_twap(user, TwapRequest(coin, is_buy, lots, 5, randomize=depth > 4))
            exchange.top_up_isolated_margin(user, coin, Decimal(3))
            for one in exchange.twaps.of(other_of(user))[:1]:
                exchange.cancel_twap(one.account, one.coin, one.twap_id)
        case "dead":
            exchange.schedule_cancel(user, exchange.now_ms + 7_000)


def opened(money: int = 20_000_000_000):
    rules = Rules(schedule_cancel_volume=0)  # or nobody here could set the switch
    venue = open_venue(recipes(), OPENED_MS, rules, journaled=True)
    accounts = venue.exchange.accounts
    accounts.open(MASTER, money)
    sub = accounts.add_sub(MASTER, "a")
    accounts.open(sub).usdc = 5_000_000
    return venue


def carry_out(exchange, planned, step_ms=10_000):
    for time_ms, kind, arguments in planned:
        while exchange.now_ms < time_ms:
            exchange.advance(min(time_ms, exchange.now_ms + step_ms))
        perform(exchange, kind, *arguments)


def outcome(exchange):
    """Everything a client could see of what happened."""
    exchange.advance(exchange.now_ms + 20_000)
    return (
        summary(exchange),
        [(u, list(exchange.fills(u))) for u in (MASTER, OTHER)],
        [(u, exchange.history(u)) for u in (MASTER, OTHER)],
        [(u, list(exchange.accounts.look(u).twaps)) for u in (MASTER, OTHER)],
        [(u, list(exchange.accounts.look(u).money)[1:]) for u in (MASTER, OTHER)],  # no opening
        [exchange.venue.markets[coin].book(20) for coin in COINS],
        [list(exchange.venue.markets[coin].recent) for coin in COINS],
        [list(exchange.venue.markets[coin].candles.since(0)) for coin in COINS],
    )


def test_the_plan_is_worth_testing():
    venue = opened()
    carry_out(venue.exchange, actions(1, 120))
    fills = [fill for user in (MASTER, OTHER) for fill in venue.exchange.fills(user)]
    assert len(fills) > 20
    assert {fill.crossed for fill in fills} == {True, False}
    assert any(order.ahead > 0 for order in venue.exchange.open_orders(MASTER))


@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 10_000), step_ms=st.sampled_from([17, 500]))
def test_same_seed_and_actions_same_fills(seed, step_ms):
    once, again = opened(), opened()
    planned = actions(seed, 40)
    carry_out(once.exchange, planned)
    carry_out(again.exchange, planned, step_ms)
    assert outcome(once.exchange) == outcome(again.exchange)


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10_000), cut=st.integers(0, 60), pause_ms=st.integers(0, 3_000))
def test_a_restored_venue_goes_on_as_the_one_that_was_not_interrupted(
    tmp_path_factory, seed, cut, pause_ms
):
    path = tmp_path_factory.mktemp("state") / "venue.json"
    planned = actions(seed, 60)
    whole = opened()
    carry_out(whole.exchange, planned)
    interrupted = opened()
    carry_out(interrupted.exchange, planned[:cut])
    save_state(path, interrupted, Signers())
    next_ms = planned[cut][0] if cut < len(planned) else interrupted.exchange.now_ms
    now_ms = min(interrupted.exchange.now_ms + pause_ms, max(next_ms, planned[-1][0]))
    if cut < len(planned):
        now_ms = min(now_ms, next_ms)
    restored, _ = restore(path, now_ms)
    assert restored.exchange.take_events() == []
    carry_out(restored.exchange, planned[cut:])
    until_ms = max(restored.exchange.now_ms, whole.exchange.now_ms)
    restored.exchange.advance(until_ms)
    whole.exchange.advance(until_ms)
    assert outcome(restored.exchange) == outcome(whole.exchange)
    # And it can be saved again.
    save_state(path, restored, Signers())
    again, _ = restore(path, restored.exchange.now_ms)
    assert summary(again.exchange) == summary(restored.exchange)


def saved(path, count=30, cents=0):
    venue = opened()
    carry_out(venue.exchange, actions(3, count))
    signers = Signers()
    signers.use_nonce(MASTER, 5)
    signers.use_nonce(MASTER, 7)
    signers.approve_agent(MASTER, OTHER, "bot valid_until 1790000000001", most_named=3)
    signers.approve_builder(MASTER, OTHER, "0.01%")
    venue.exchange.accounts.get(MASTER).requests_used = 321
    save_state(path, venue, signers)
    return venue


def test_keys_nonces_and_counters_come_back(tmp_path):
    path = tmp_path / "venue.json"
    venue = saved(path)
    restored, file = restore(path, venue.exchange.now_ms)
    signers = Signers()
    file.keys.into(signers)
    with pytest.raises(RefusedError, match="duplicate nonce 5"):
        signers.use_nonce(MASTER, 5)
    signers.use_nonce(MASTER, 6)
    assert signers.agents[OTHER] == Agent(MASTER, "bot", 1790000000001)
    signers.check_builder(MASTER, OTHER, 10)
    assert restored.exchange.accounts.get(MASTER).requests_used == 321
    assert restored.recipes_now() == venue.recipes_now()


def test_the_time_in_between_is_market_time(tmp_path):
    path = tmp_path / "venue.json"
    venue = saved(path)
    now_ms = venue.exchange.now_ms + 90_000
    restored, _ = restore(path, now_ms)
    venue.exchange.advance(now_ms)
    assert restored.exchange.now_ms == now_ms
    assert outcome(restored.exchange) == outcome(venue.exchange)


def changed(content, **fields):
    return {**content, **fields}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda c: changed(c, version=2), "has version 2, this venue reads version 1"),
        (lambda c: changed(c, format="cake"), "is not a venue state"),
        (lambda c: [c], "is not a venue state"),
        (lambda c: {k: v for k, v in c.items() if k != "journal"}, "journal: Field required"),
        (lambda c: changed(c, journal=c["journal"][:-5]), "differs after the journal was replayed"),
        (lambda c: changed(c, journal=[[1, "place", []]]), "is earlier than"),
        (
            lambda c: changed(c, journal=[[OPENED_MS, "explode", []]]),
            "unknown action 'explode'",
        ),
        (lambda c: changed(c, rules={"play_money": -1}), "rules.play_money"),
    ],
)
def test_files_that_cannot_be_used(tmp_path, change, sentence):
    path = tmp_path / "venue.json"
    venue = saved(path)
    path.write_text(json.dumps(change(json.loads(path.read_text()))))
    with pytest.raises(InputError, match=sentence) as caught:
        restore(path, venue.exchange.now_ms)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_files_that_are_not_there_or_not_whole(tmp_path):
    path = tmp_path / "venue.json"
    with pytest.raises(InputError, match="cannot be read: No such file"):
        load_state(path)
    venue = saved(path)
    path.write_text(path.read_text()[:1000])
    with pytest.raises(InputError, match="the save was incomplete"):
        load_state(path)
    with pytest.raises(InputError, match="cannot be written"):
        save_state(tmp_path / "no" / "file", venue, Signers())
    plain = open_venue(recipes(), OPENED_MS, Rules(schedule_cancel_volume=0))
    with pytest.raises(InputError, match="start it with --save"):
        save_state(path, plain, Signers())
