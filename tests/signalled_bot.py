"""Run Freqtrade's worker with one open order, and interrupt it; print how each case ended."""

import io
import json
import logging
import os
import signal
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from unittest.mock import MagicMock

from freqtrade.enums import State
from freqtrade.freqtradebot import FreqtradeBot
from freqtrade.persistence import Order, Trade, init_db
from freqtrade.worker import Worker
from sqlalchemy import event

from advanced_mm import orderly_exit
from advanced_mm.orderly_exit import OrderlyExit, interruptible

PATIENCE_SECONDS = 0.3
LONG_SECONDS = 60.0
"""Where nothing is to be overdue, on however busy a machine."""
THROTTLE_SECONDS = 0.5
"""From loop to loop. On a busy machine a loop takes a while; the rest of this is idle, so that a
signal put off within the loop ends the bot before the next."""


def terminated(number, frame):
    """As ``freqtrade trade`` does."""
    raise KeyboardInterrupt


def interrupt(number=signal.SIGINT):
    os.kill(os.getpid(), number)


class Bot(FreqtradeBot):
    """Freqtrade's bot without an exchange: ``entering`` and ``cancelling`` stand for its calls."""

    def __init__(self):
        for name in ("exchange", "rpc", "pairlists", "dataprovider", "strategy", "_schedule"):
            setattr(self, name, MagicMock())
        self.pairlists.whitelist = []
        self.strategy.position_adjustment_enable = False
        self.strategy.version.return_value = None
        self._exit_lock, self._measure_execution, self.emc = MagicMock(), MagicMock(), None
        self.config = {"cancel_open_orders_on_exit": True, "dry_run": False, "max_open_trades": 3}
        self.state = State.RUNNING
        self.cancelled, self.loops = [], 0
        self.entering = self.cancelling = self.looping = self.unwinding = lambda: None
        self.strategy.bot_loop_start = lambda **_: self.looping()

    def startup(self):
        pass

    def update_trades_without_assigned_fees(self):
        pass

    def manage_open_orders(self):
        pass

    def exit_positions(self, trades):
        pass

    def check_liquidation_warnings(self):
        pass

    def enter_positions(self, slots):
        """Touch the open trade, so that the commit that follows has something to write."""
        self.loops += 1
        Trade.get_open_trades()[0].max_rate = float(self.loops)
        self.entering()

    def cancel_open_orders_of_trade(self, trade, sides, reason, replacing=False):
        self.cancelling()
        self.cancelled += [order.order_id for order in trade.open_orders]


def open_books(path):
    init_db(f"sqlite:///{path}")
    trade = Trade(
        pair="ETH/USDC:USDC", stake_amount=1.0, amount=1.0, amount_requested=1.0, open_rate=1.0,
        open_date=datetime.now(UTC), fee_open=0.0, fee_close=0.0, is_open=True,
        exchange="hyperliquid", base_currency="ETH", stake_currency="USDC", leverage=1.0,
    )  # fmt: skip
    trade.orders.append(
        Order(
            ft_order_side="buy", ft_pair=trade.pair, ft_is_open=True, ft_amount=1.0, ft_price=1.0,
            order_id="o1", status="open", order_type="limit", side="buy", price=1.0, amount=1.0,
        )
    )  # fmt: skip
    Trade.session.add(trade)
    Trade.commit()


def once(action):
    """Run it the first time only."""
    left = [action]
    return lambda *_: left.pop()() if left else None


def run(
    path, change=lambda bot: None, *, orderly=True, hook=None, in_hook=interrupt,
    throttle=THROTTLE_SECONDS, patience=LONG_SECONDS,
):  # fmt: skip
    """Run until the interrupt and through the clean-up, as ``freqtrade trade`` does."""
    open_books(path)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, terminated)
    exit_ = OrderlyExit.install(patience) if orderly else OrderlyExit()
    log = logging.StreamHandler(io.StringIO())
    log.setLevel(logging.WARNING)
    logging.getLogger().handlers = [log]
    worker = Worker.__new__(Worker)
    worker.freqtrade = bot = Bot()
    worker._config, worker._throttle_secs, worker._sd_notify = None, throttle, None
    worker._heartbeat_interval, worker._heartbeat_msg = 0, 0
    worker._init = lambda reconfig: setattr(bot, "state", State.RUNNING)
    change(bot)
    if hook is not None:
        target = Trade.session.registry()
        # The engine commits while the session is "prepared", the worst moment.
        event.listen(target.get_bind() if hook == "commit" else target, hook, once(in_hook))
    interrupted, began = False, time.monotonic()
    try:
        worker.run()
    except KeyboardInterrupt:
        interrupted = True
        bot.unwinding()
    finally:
        worker.exit()
    seconds = time.monotonic() - began
    time.sleep(0.15)  # nothing is raised later
    end = {
        "log": log.stream.getvalue(),
        "cancelled": bot.cancelled,
        "loops": bot.loops,
        "interrupted": interrupted,
        "broke_off": exit_.broke_off,
        "seconds": seconds,
    }
    Trade.rollback()
    end["rolled_back_trades"] = len(Trade.get_open_trades())
    Trade.session.remove()
    return end


def hangs(bot):
    """The venue is silent."""

    def hang():
        interrupt()
        time.sleep(30)

    bot.entering = hang


def waits(bot):
    """A signal within a wait that may be ended, long before the loop is overdue."""
    bot.looping = wait


@interruptible
def wait():
    interrupt()
    time.sleep(30)


def told_twice(bot):
    """Once in a commit, then while the order is cancelled, which takes a while."""

    def cancel():
        interrupt()
        time.sleep(0.1)

    bot.cancelling = cancel


def told_at_once_again(bot):
    """The second signal comes before the clean-up has begun."""
    bot.unwinding = interrupt
    bot.cancelling = lambda: time.sleep(0.1)


def told_while_reloading(bot):
    """The signal comes within the clean-up before a reload, which lasts longer than a loop may."""
    bot.entering = once(lambda: setattr(bot, "state", State.RELOAD_CONFIG))
    bot.cancelling = once(told_and_slow)


def told_and_slow():
    interrupt()
    time.sleep(2 * PATIENCE_SECONDS)


def installed():
    """A second installation, one in another thread, one where SIGINT is ignored (as by nohup)."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, terminated)
    elsewhere = threading.Thread(target=OrderlyExit.install)
    elsewhere.start()
    elsewhere.join()
    untouched = signal.getsignal(signal.SIGTERM) is terminated
    first, handler = OrderlyExit.install(), signal.getsignal(signal.SIGTERM)
    same = OrderlyExit.install() is first and signal.getsignal(signal.SIGTERM) == handler
    kept = signal.getsignal(signal.SIGINT) is signal.SIG_IGN and handler is not terminated
    return {"same": same, "kept": kept, "thread": untouched}


def main(folder):
    orderly_exit.UNWINDING_SECONDS = 0.1  # the wait for a signal that comes too late is short
    terminate = lambda: interrupt(signal.SIGTERM)  # noqa: E731
    cases = {
        "plain": {"orderly": False, "hook": "commit"},
        "commit": {"hook": "commit"},
        "commit_terminated": {"hook": "commit", "in_hook": terminate},
        "flush": {"hook": "after_flush"},
        "again": {"hook": "commit", "change": told_twice},
        "at_once_again": {"hook": "commit", "change": told_at_once_again},
        "reloading": {"change": told_while_reloading, "patience": PATIENCE_SECONDS},
        "hanging": {"change": hangs, "patience": PATIENCE_SECONDS},
        "slow_commit": {
            "hook": "commit",
            "in_hook": told_and_slow,
            "throttle": 30.0,
            "patience": PATIENCE_SECONDS,
        },
        "waiting": {"change": waits},
    }
    ends = {name: run(folder / f"{name}.sqlite", **case) for name, case in cases.items()}
    sys.stdout.write(json.dumps({**ends, "installed": installed()}) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
