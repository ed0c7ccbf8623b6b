"""A bot that was stopped by ``/stop``: Freqtrade calls no strategy, and nothing may stay behind."""

from types import SimpleNamespace

import pytest
from freqtrade.freqtradebot import FreqtradeBot
from freqtrade.worker import Worker

from advanced_mm.quoting.exchange import live as live_module
from advanced_mm.quoting.exchange.freqtrade_state import takes_entries, when_stopped
from advanced_mm.quoting.exchange.live import LiveTrading


def provider(bot):
    """Freqtrade's data provider, as far as its bot is found through it."""
    rpc = SimpleNamespace(_rpc=SimpleNamespace(_freqtrade=bot))
    return SimpleNamespace(_DataProvider__rpc=rpc)


class Switch:
    def __init__(self):
        self.is_set = True

    def lift(self):
        self.is_set = False


@pytest.fixture
def stopped(monkeypatch):
    """Trading whose bot was stopped, with one loop a second."""
    trading = LiveTrading.__new__(LiveTrading)
    trading._switch, trading._stopped_due, now = Switch(), float("-inf"), [0.0]
    trading._orders = SimpleNamespace(doubt=None, tended=0)
    monkeypatch.setattr(live_module.time, "monotonic", lambda: now[0])

    def tend():
        trading._orders.tended += 1

    def loop(rests):
        now[0] += 1
        trading.while_stopped(lambda: rests)
        return trading._switch.is_set

    trading._orders.tend = tend
    return SimpleNamespace(trading=trading, loop=loop, now=now)


def test_the_switch_is_lifted_once_nothing_rests(stopped):
    assert stopped.loop(rests=True)  # the cancel has not come through: the venue's is welcome
    assert not stopped.loop(rests=False)


def test_an_order_in_doubt_is_looked_for_and_left_to_the_switch(stopped):
    stopped.trading._orders.doubt = "lost"
    assert stopped.loop(rests=False)
    assert stopped.trading._orders.tended == 1
    stopped.trading.while_stopped(lambda: False)  # at once again: not yet
    assert stopped.trading._orders.tended == 1
    stopped.trading._orders.doubt = None
    assert not stopped.loop(rests=False)


def test_freqtrade_s_worker_calls_it_in_each_loop_of_a_stopped_bot():
    bot, cancelled, called = FreqtradeBot.__new__(FreqtradeBot), [], []
    bot.config = {"cancel_open_orders_on_exit": True}
    bot.cancel_all_open_orders = lambda: cancelled.append(len(called))
    worker = Worker.__new__(Worker)
    worker.freqtrade = bot
    when_stopped(provider(bot), lambda: called.append("then"))
    for _ in range(2):
        worker._process_stopped()
    assert (cancelled, called) == ([0, 1], ["then", "then"])


def test_freqtrade_s_own_clean_up_comes_first_and_no_error_ends_the_bot(caplog):
    done = []
    bot = SimpleNamespace(process_stopped=lambda: done.append("Freqtrade"))

    def then():
        done.append("ours")
        raise RuntimeError("broken")

    when_stopped(provider(bot), then)
    bot.process_stopped()
    assert done == ["Freqtrade", "ours"]
    assert "broken" in caplog.text


def test_an_unknown_freqtrade_is_said_and_takes_no_entries(caplog):
    when_stopped(SimpleNamespace(), lambda: None)
    assert "not found" in caplog.text
    assert not takes_entries(SimpleNamespace())
    assert takes_entries(provider(SimpleNamespace(state=SimpleNamespace(name="RUNNING"))))
    assert not takes_entries(provider(SimpleNamespace(state=SimpleNamespace(name="PAUSED"))))
