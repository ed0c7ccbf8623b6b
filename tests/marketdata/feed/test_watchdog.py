"""The watchdog on an injected clock.

Silences are attributed to the right channel in time and logged once; new data end them, repeated
data do not; a stall of the whole socket is not a silence; remedies alternate at growing delays.
"""

import logging
import random
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from advanced_mm.errors import InputError
from advanced_mm.marketdata import Quotes, Recording, Trades
from advanced_mm.marketdata.feed.watchdog import CHANNELS, Remedy, Watchdog, WatchdogSettings

SETTINGS = WatchdogSettings()


class Socket:
    """Sends on every channel of its coins at the venue's rhythm, except on those in ``mute``."""

    def __init__(self, coins=("ETH", "BTC"), mean_s=0.5, seed=1, settings=SETTINGS):
        self.now_s = 1000.0
        self.dog = Watchdog(coins, settings, random.Random(seed))
        self.coins, self.mean_s = coins, mean_s
        self.mute: set[tuple[str, str]] = set()
        self.rng = random.Random(seed)
        self.next_trade = dict.fromkeys(coins, self.now_s)
        self.found, self.ended = [], []
        self.dog.connected(self.now_s)

    def say(self, coin, channel, time_s=None):
        if (coin, channel) not in self.mute:
            time_ms = round(1000 * (self.now_s if time_s is None else time_s))
            ended = self.dog.heard(coin, channel, time_ms, self.now_s)
            if ended is not None:
                self.ended.append(ended)

    def run(self, seconds):
        """Let time pass in tenths of seconds; return what the looks found, with their times."""
        found = []
        for _ in range(round(10 * seconds)):
            self.now_s = round(self.now_s + 0.1, 1)
            tenth = round(10 * self.now_s)
            for coin in self.coins:
                if self.rng.random() < 0.7:
                    self.say(coin, "bbo")
                if self.now_s >= self.next_trade[coin]:
                    self.next_trade[coin] = self.now_s + self.rng.expovariate(1 / self.mean_s)
                    self.say(coin, "trades")
                if tenth % 5 == 0:
                    self.say(coin, "l2Book")
            if tenth % 10 == 0:
                found += [(self.now_s, one) for one in self.dog.look(self.now_s)]
        return found


@pytest.mark.parametrize("channel", ["trades", "bbo", "l2Book"])
@pytest.mark.parametrize("coin", ["ETH", "BTC"])
def test_a_cut_channel_is_named_within_fifteen_seconds_and_once(coin, channel, caplog):
    socket = Socket()
    assert socket.run(600) == []
    cut_s = socket.now_s
    socket.mute.add((coin, channel))
    (at_s, silent), *_ = found = socket.run(15)
    assert at_s - cut_s < 15
    assert (silent.coin, silent.channel, silent.begins) == (coin, channel, True)
    assert silent.remedy is Remedy.SUBSCRIBE
    assert {(one.coin, one.channel) for _, one in found} == {(coin, channel)}
    socket.run(120)
    told = [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]
    assert len(told) == 1
    assert told[0].startswith(f"{coin}: {channel} silent for ")
    socket.mute.clear()
    socket.run(5)
    (ended,) = socket.ended
    assert ended.seconds == pytest.approx(socket.now_s - 5 - cut_s, abs=3)
    assert f"{coin}: {channel} active again after " in caplog.records[-1].getMessage()


def test_a_coin_silent_beside_another_is_named_by_its_channels():
    socket = Socket()
    socket.run(300)
    socket.mute |= {("BTC", channel) for channel in ("trades", "bbo", "l2Book")}
    found = socket.run(15)
    begun = {(one.coin, one.channel) for _, one in found if one.begins}
    assert begun == {("BTC", "trades"), ("BTC", "bbo"), ("BTC", "l2Book")}


def test_what_was_recorded_before_tells_the_rates_at_the_start():
    """A restarted collector learns a slow coin's rates from its recording; others are ignored."""
    trades_ms = np.arange(0, 1_200_000, 20_000)
    books_ms = np.arange(0, 1_200_000, 500)
    nothing = np.empty(0)
    recording = Recording(
        "WLFI",
        Quotes(books_ms[::3], *[np.ones(800)] * 5),
        Trades(trades_ms, *[nothing] * 6),
        books_ms,
        0.1,
    )
    new, learned = (Socket(coins=("WLFI",), mean_s=0.5) for _ in range(2))
    learned.dog.learn(recording)
    learned.dog.learn(replace(recording, coin="BTC"))
    for socket in (new, learned):
        socket.run(2)
        socket.mute.add(("WLFI", "trades"))
    assert {s.channel for _, s in learned.run(20)} == set()
    assert new.run(600) == []  # two seconds say nothing of a rate
    assert "trades" in {s.channel for _, s in learned.run(600)}


def test_a_socket_that_stalls_accuses_nobody():
    socket = Socket()
    socket.run(300)
    socket.now_s += 60
    assert socket.dog.look(socket.now_s) == []
    assert socket.run(30) == []


def test_a_slow_channel_is_judged_by_its_own_rate():
    """A trade every 20 s: half a minute of silence is chance, ten minutes are not."""
    socket = Socket(coins=("WLFI",), mean_s=20.0)
    assert socket.run(1800) == []
    socket.mute.add(("WLFI", "trades"))
    assert socket.run(60) == []
    assert socket.run(600) != []


def test_repeating_what_it_said_before_is_no_news_but_an_answer():
    """A subscription that answers with old trades works: the connection is kept."""
    socket = Socket()
    socket.run(300)
    newest_s = socket.now_s - 1
    socket.say("ETH", "trades", newest_s + 0.9)
    socket.mute.add(("ETH", "trades"))
    remedies = []
    for _ in range(300):
        for _, silent in socket.run(1):
            remedies.append(silent.remedy)
            socket.dog.heard("ETH", "trades", round(1000 * newest_s), socket.now_s)
    assert len(remedies) > 2
    assert set(remedies) == {Remedy.SUBSCRIBE}
    assert socket.ended == []


def test_remedies_take_turns_and_come_ever_more_rarely():
    socket = Socket()
    socket.run(300)
    socket.mute.add(("ETH", "bbo"))
    acted = [(at, s.remedy) for at, s in socket.run(900) if s.remedy is not Remedy.WAIT]
    assert [remedy for _, remedy in acted[:4]] == [Remedy.SUBSCRIBE, Remedy.RECONNECT] * 2
    waits = [later - earlier for (earlier, _), (later, _) in pairwise(acted)]
    assert waits == sorted(waits)
    assert 15 <= waits[0] <= 24
    assert len(acted) < 8


def test_a_new_connection_is_a_remedy_for_every_silent_channel():
    """Two channels fall silent together: one reconnection, not one for each."""
    socket = Socket()
    socket.run(300)
    socket.mute |= {("ETH", "bbo"), ("ETH", "l2Book")}
    reconnected = 0
    for _ in range(40):
        for _, silent in socket.run(1):
            if silent.remedy is Remedy.RECONNECT:
                reconnected += 1
                socket.dog.disconnected()
                assert socket.dog.look(socket.now_s) == []
                socket.dog.connected(socket.now_s)
                break
    assert reconnected == 1


def test_what_never_says_a_word_is_missed_and_trades_that_may_not_exist_end_no_connection():
    socket = Socket(coins=("ETH",))
    socket.mute |= {("ETH", "trades")}
    found = socket.run(300)
    (at_s, silent), *_ = found
    assert at_s - 1000 <= 17
    assert silent.newest_ms is None
    assert {one.remedy for _, one in found} == {Remedy.SUBSCRIBE}


def test_after_a_reconnection_a_slow_channel_keeps_its_own_rate():
    socket = Socket(coins=("WLFI",), mean_s=20.0)
    socket.run(1800)
    socket.dog.disconnected()
    socket.dog.connected(socket.now_s)
    socket.mute.add(("WLFI", "trades"))
    assert socket.run(60) == []


def test_a_second_silence_soon_after_the_first_is_told_of_at_once():
    socket = Socket()
    socket.run(300)
    for _ in range(2):
        socket.mute.add(("ETH", "l2Book"))
        begun = [at for at, silent in socket.run(12) if silent.begins]
        assert len(begun) == 1
        socket.mute.clear()
        socket.run(20)
    assert len(socket.ended) == 2


def test_a_venue_whose_clock_was_set_back_is_heard():
    socket = Socket(coins=("ETH",))
    socket.run(100)
    socket.dog.heard("ETH", "trades", 5_000, socket.now_s)
    socket.mute.add(("ETH", "trades"))
    assert socket.run(15)[0][1].newest_ms == 5_000


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), float("inf")])
def test_impossible_times_are_refused(value):
    with pytest.raises(InputError, match="least_seconds"):
        WatchdogSettings(least_seconds=value)


def test_a_coin_silent_on_every_channel_costs_the_others_one_connection(caplog):
    """It may have been delisted; should it speak again, it is treated as any other."""
    socket = Socket()
    socket.run(600)
    socket.mute |= {("ETH", channel) for channel in CHANNELS}
    remedies = []
    for _ in range(120):
        for _, silent in socket.run(60):
            remedies.append(silent.remedy)
            if silent.remedy is Remedy.RECONNECT:
                socket.dog.disconnected()
                socket.dog.connected(socket.now_s)
    assert remedies.count(Remedy.RECONNECT) <= len(CHANNELS)
    assert remedies.count(Remedy.SUBSCRIBE) > 20  # two hours: it is still asked for
    assert Remedy.RECONNECT not in remedies[20:]
    assert sum("may no longer be traded" in message for message in caplog.messages) == 1
    socket.mute.clear()
    socket.run(60)
    assert {one.channel for one in socket.ended} == set(CHANNELS)
