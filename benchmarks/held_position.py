"""Does a bot grow while its position stays open? Memory and processor time, with its exit replaced.

A dry run starts with a position in Freqtrade's database and asks so much for it that nobody takes
it. The exit is replaced once or twice a second, more often than at the settings' defaults.

    python benchmarks/held_position.py              # half an hour
    python benchmarks/held_position.py --minutes 5
"""

import argparse
import logging
import signal
import sqlite3
import sys
import tempfile
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from freqtrade.persistence import Order, Trade, init_db
from rich.console import Console
from rich.table import Table

from advanced_mm.cli import run
from advanced_mm.errors import InputError
from advanced_mm.instruments import pair_of
from advanced_mm.session.processes import Part
from advanced_mm.session.session import PaperSession, SessionOptions
from benchmarks.long_running import CLOCK_SPEED, SAMPLE_S, WARM, Watched, judged

ROOT = Path(__file__).resolve().parents[1]
COIN = "ETH"
SIZE = 3.0
QUICK = {"min_depth": 60.0, "requote_loss_percent": 0.1, "max_quote_age_seconds": 1.0}
"""A distance from the mid that the market does not go, and replacements at the least change."""
PATIENCE_S = 120.0


def hold(database: Path, price: float) -> None:
    """Write a position of the bot into its database, bought at a price."""
    now, pair = datetime.now(UTC), pair_of(COIN)
    init_db(f"sqlite:///{database}")
    trade = Trade(
        pair=pair, base_currency=COIN, stake_currency="USDC", stake_amount=SIZE * price,
        amount=0.0, amount_requested=SIZE, open_rate=price, open_rate_requested=price,
        open_date=now, fee_open=1.5e-4, fee_close=1.5e-4, fee_open_currency="USDC", is_open=True,
        exchange="hyperliquid", strategy="Market_Making", timeframe=1, leverage=1.0,
        contract_size=1.0, amount_precision=1e-4, price_precision=0.1, precision_mode=4,
        precision_mode_price=4,
    )  # fmt: skip
    trade.orders.append(
        Order(
            ft_order_side="buy", ft_pair=pair, ft_is_open=False, ft_amount=SIZE, ft_price=price,
            order_id="bought before", order_type="limit", side="buy", status="closed", price=price,
            average=price, amount=SIZE, filled=SIZE, remaining=0.0, cost=SIZE * price,
            order_date=now, order_filled_date=now, order_update_date=now, funding_fee=0.0,
        )
    )  # fmt: skip
    trade.recalc_trade_from_orders()
    trade.adjust_stop_loss(price, -0.05, initial=True)
    Trade.session.add(trade)
    Trade.commit()
    Trade.session.remove()


def books(database: Path) -> tuple[bool, int, int]:
    """Return whether the position is open, and its orders: in the books, and ever written."""
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    try:
        (is_open,) = connection.execute("SELECT is_open FROM trades WHERE id = 1").fetchone()
        found = "SELECT COUNT(*), MAX(id) FROM orders WHERE ft_trade_id = 1"
        count, newest = connection.execute(found).fetchone()
    finally:
        connection.close()
    return bool(is_open), count, newest


def start(session: PaperSession) -> Part:
    """Start a session; then start its bot again, with a position. Return the bot."""
    session.start(threading.Event())
    deadline = time.monotonic() + PATIENCE_S
    while (parameters := session.look().parameters) is None or not parameters.kappa.mid:
        if time.monotonic() > deadline:
            raise InputError(f"no parameters were published within {PATIENCE_S:.0f} s")
        time.sleep(1.0)
    session.end_bots()
    (bot,) = session.bots
    hold(database_of(session), parameters.kappa.mid)
    log = session.options.folder / "logs" / "held.log"
    return Part("bot", bot.command, log, ROOT, bot.environment)


def database_of(session: PaperSession) -> Path:
    """Return where the session's only bot has its books in a dry run."""
    return session.bots[0].folder / "trades.dryrun.sqlite"


def shares(watched: Watched) -> list[float]:
    """Return the share of a core that the process took in each third of its time, percent."""
    at, _, spent = np.array(watched.samples).T
    thirds = [part for part in np.array_split(np.arange(len(at)), 3) if len(part) > 1]
    return [100 * float(np.ptp(spent[part]) / np.ptp(at[part])) for part in thirds]


def main(argv: list[str] | None = None) -> int:
    """Run, print, and return 1 if the bot grew."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=30.0)
    given = parser.parse_args(argv)
    if not given.minutes > 0:
        raise InputError("--minutes must be positive")
    # Ended by a signal, it still ends what it started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    logging.getLogger("ft_rest_client").setLevel(logging.ERROR)
    shown = Table(
        "minutes", "MB", "orders in the books", "exits replaced", title="while it is held"
    )
    with tempfile.TemporaryDirectory() as temporary:
        options = SessionOptions(ROOT, Path(temporary), COIN, overrides=QUICK)
        with PaperSession(options) as session:
            bot = start(session)
            try:
                watched = Watched("bot", bot.pid, CLOCK_SPEED)
                began = time.monotonic()
                next_row = 1.0
                while (passed := (time.monotonic() - began) / 60) < given.minutes:
                    watched.look(60 * passed)
                    is_open, count, newest = books(database_of(session))
                    if bot.exit_code is not None or not is_open:
                        raise InputError("the bot ended, or its position was taken: run it again")
                    if passed >= next_row:
                        memory = watched.samples[-1][1]
                        shown.add_row(f"{passed:.0f}", f"{memory:.0f}", f"{count}", f"{newest - 2}")
                        next_row += max(1.0, given.minutes / 10)
                    time.sleep(SAMPLE_S)
            finally:
                bot.stop()
    found = judged(watched, 1.0)
    console = Console(width=110)
    console.print(shown)
    console.print(
        f"after the first {WARM:.0%}: {found.level:.0f} MB, {found.slope:+.1f} MB an hour "
        f"[95%: {found.low:+.1f}, {found.high:+.1f}]: {found.verdict}"
    )
    console.print(f"% of a core, by thirds: {', '.join(f'{one:.1f}' for one in shares(watched))}")
    return 1 if found.verdict == "GROWS" else 0


if __name__ == "__main__":
    sys.exit(run(main))
