"""Two bots that share an inventory: what each believes of the other, and when no more."""

import json
import math

import numpy as np
import pytest

from advanced_mm.model import ModelParameters, solve
from advanced_mm.quoting.legs import FOLDER, SILENT_SECONDS, Held, Legs

COIN = "ETH"


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def pair(tmp_path):
    """A long and a short leg whose clocks have nothing in common."""
    mine, other = Clock(), Clock()
    other.now = -7e6

    def wait(seconds):
        mine.now += seconds
        other.now += seconds

    long, short = Legs(tmp_path, "long", clock=mine), Legs(tmp_path, "short", clock=other)
    return long, short, wait


def both_heard(long, short, wait, long_units=0.0, short_units=0.0, stake=None):
    for _ in range(2):
        long.tell({COIN: Held(long_units, stake)})
        short.tell({COIN: Held(short_units, stake)})
        long.joint(COIN, 0)
        short.joint(COIN, 0)
        wait(1.1)


@pytest.mark.parametrize(
    ("long_units", "short_units", "joint"), [(0, 0, 0), (1, 0, 1), (0, -1, -1), (1, -1, 0)]
)
def test_both_quote_the_sum_of_what_they_hold(pair, long_units, short_units, joint):
    long, short, wait = pair
    both_heard(long, short, wait, long_units, short_units)
    assert long.joint(COIN, long_units) == joint
    assert short.joint(COIN, short_units) == joint


@pytest.mark.parametrize(("filled", "counted"), [(0.2, 0), (0.5, 1), (0.9, 1), (1.2, 1)])
def test_a_part_of_a_unit_counts_to_the_nearest(pair, filled, counted):
    long, short, wait = pair
    both_heard(long, short, wait, filled)
    assert short.joint(COIN, 0) == counted
    assert short.joint(COIN, -1) == counted - 1


def test_a_fill_is_told_at_once_and_an_unchanged_inventory_once_a_second(pair, tmp_path):
    long, short, wait = pair
    both_heard(long, short, wait)
    written = (tmp_path / FOLDER / "long.json").read_text
    long.tell({COIN: Held(0.0)})
    before = written()
    wait(0.5)
    long.tell({COIN: Held(0.0)})
    assert written() == before
    long.tell({COIN: Held(1.0)})
    assert short.joint(COIN, 0) == 1
    wait(1.1)
    before = written()
    long.tell({COIN: Held(1.0)})
    assert written() != before


def test_a_silent_leg_is_believed_for_five_seconds_and_no_longer(pair, caplog):
    long, short, wait = pair
    both_heard(long, short, wait, 1.0)
    long.tell({COIN: Held(1.0)})
    assert short.joint(COIN, 0) == 1
    for _ in range(39):  # looks go on
        wait(0.1)
        assert short.joint(COIN, 0) == 1
    wait(SILENT_SECONDS - 3.9)
    assert short.joint(COIN, 0) is None
    assert "the long leg is silent for more than 5 s" in caplog.text
    for _ in range(2):
        long.tell({COIN: Held(1.0)})
        wait(1.1)
        joint = short.joint(COIN, 0)
    assert joint == 1


def test_a_file_of_an_earlier_run_is_not_believed(pair, tmp_path):
    long, short, wait = pair
    both_heard(long, short, wait, 1.0)
    late = Legs(tmp_path, "short", clock=Clock())
    assert [late.joint(COIN, 0) for _ in range(3)] == [None] * 3
    long.tell({COIN: Held(1.0)})
    assert late.joint(COIN, 0) == 1  # it lives


def test_news_found_after_a_pause_of_our_own_is_not_known_to_be_new(pair):
    """The other leg may have written it just before it ended."""
    long, short, wait = pair
    both_heard(long, short, wait)
    wait(1.1)
    long.tell({COIN: Held(1.0)})
    wait(60.0)  # a request of the short leg hangs
    assert short.joint(COIN, 0) is None
    long.tell({COIN: Held(1.0)})
    assert short.joint(COIN, 0) == 1


@pytest.mark.parametrize(
    "spoilt",
    [
        None,
        "",
        "{",
        "[]",
        '{"writer": "a"}',
        {"coins": {COIN: {"units": float("nan"), "stake": None}}},
        {"coins": {COIN: {"units": -1.0, "stake": None}}},
        {"coins": {COIN: {"units": 7.0, "stake": None}}},
        {"coins": {COIN: {"units": "much", "stake": None}}},
        {"coins": {COIN: 1.0}},
        {"coins": []},
        {"leg": "short"},
        {"certain": "yes"},
        {"beat": "x"},
    ],
)
def test_a_missing_or_spoilt_file_leaves_each_to_itself(pair, tmp_path, spoilt):
    long, short, wait = pair
    both_heard(long, short, wait, 1.0)
    path = tmp_path / FOLDER / "long.json"
    assert short.joint(COIN, 0) == 1
    sound = json.loads(path.read_text())
    if spoilt is None:
        path.unlink()
    elif isinstance(spoilt, str):
        path.write_text(spoilt)
    else:
        path.write_text(json.dumps({**sound, "beat": sound["beat"] + 1, **spoilt}))
    assert short.joint(COIN, 0) is None
    path.write_text(json.dumps(sound))  # nothing new
    wait(SILENT_SECONDS)
    assert short.joint(COIN, 0) is None


def test_another_market_another_stake_or_an_order_in_doubt_leave_each_to_itself(pair, caplog):
    long, short, wait = pair
    both_heard(long, short, wait, 1.0, stake=9000.0)
    assert short.joint(COIN, 0, 7000.0) == 1
    assert short.joint("BTC", 0, 7000.0) is None
    assert "the long leg does not trade BTC" in caplog.text
    assert short.joint(COIN, 0, 900.0) is None
    assert "a unit is 9000.00 for the long leg and 900.00 here" in caplog.text
    assert short.joint(COIN, 0, None) == 1
    long.tell({COIN: Held(1.0, 9000.0)}, certain=False)
    assert short.joint(COIN, 0) is None
    assert "an order in doubt" in caplog.text


def test_two_legs_on_one_account_open_nothing(tmp_path):
    long, short = (Legs(tmp_path, leg, "0xabc") for leg in ("long", "short"))
    long.tell({COIN: Held(0.0)})
    short.joint(COIN, 0)
    assert "both legs trade from 0xabc" in short.refusal
    other = Legs(tmp_path, "short", "0xdef")
    other.joint(COIN, 0)
    assert other.refusal is None


def test_two_bots_of_one_leg_open_nothing(tmp_path):
    clock = Clock()
    one, two = (Legs(tmp_path, "long", clock=clock) for _ in range(2))
    one.tell({COIN: Held(0.0)})
    two.tell({COIN: Held(0.0)})
    assert (one.refusal, two.refusal) == (None, None)
    clock.now += 2
    one.tell({COIN: Held(0.0)})
    two.tell({COIN: Held(0.0)})
    assert "two bots are the long leg" in one.refusal
    assert "two bots are the long leg" in two.refusal
    two.close()
    for _ in range(2):
        clock.now += 2
        one.tell({COIN: Held(0.0)})
    assert one.refusal is None


def test_a_bot_that_ends_is_silent_at_once(pair):
    long, short, wait = pair
    both_heard(long, short, wait, 1.0)
    assert short.joint(COIN, 0) == 1
    long.close()
    assert short.joint(COIN, 0) is None


def test_a_folder_that_cannot_be_written_stops_nothing(pair, monkeypatch, caplog):
    long = pair[0]

    def full(*_):
        raise OSError("no space left on device")

    monkeypatch.setattr("advanced_mm.quoting.legs.write_json_atomically", full)
    long.tell({COIN: Held(0.0)})
    assert "cannot be written: no space left" in caplog.text


def test_what_sharing_is_worth_is_as_the_documentation_says():
    """The chain of both bots' states, with an order of each, solved exactly."""
    phi, epsilon, fee = 0.01 * math.exp(-0.5), 0.3, 0.2
    flow = {f"{name}_{side}": 1.0 for name in ("lambda", "kappa") for side in ("plus", "minus")}
    jumps = {"epsilon_plus": epsilon, "epsilon_minus": epsilon}
    bounds = {"joint": (-1, 1), "long": (0, 1), "short": (-1, 0)}
    depths = {
        name: solve(
            ModelParameters(**flow, **jumps, phi=phi, fee=fee, q_min=low, q_max=high)
        ).depths
        for name, (low, high) in bounds.items()
    }
    states = [(0, 0), (1, 0), (0, -1), (1, -1)]

    def lives_on(shared):
        flows, income = np.zeros((4, 4)), np.zeros(4)
        for here, (long, short) in enumerate(states):
            legs = (("long", long, (1 - long, short)), ("short", short, (long, -1 - short)))
            for name, own, after in legs:
                ask, bid = depths["joint"](long + short) if shared else depths[name](own)
                depth = ask if sum(after) < long + short else bid
                rate = math.exp(-depth)
                income[here] += rate * (depth - epsilon - fee)
                flows[here, states.index(after)] += rate
        flows -= np.diag(flows.sum(axis=1))
        balance = np.vstack([flows.T, np.ones(4)])
        share = np.linalg.lstsq(balance, np.array([0.0, 0.0, 0.0, 0.0, 1.0]))[0]
        held = np.array([(long + short) ** 2 for long, short in states])
        return [share @ income / math.exp(-1 - epsilon - fee), share @ held]

    assert lives_on(shared=False) == pytest.approx([2.00, 0.50], abs=0.005)
    assert lives_on(shared=True) == pytest.approx([1.88, 0.33], abs=0.005)
