"""A live session on the loopback venue, and the oracle: the venue's own account against the bot's
database."""

import contextlib
import itertools
import sqlite3
import threading
import time
from collections import Counter
from pathlib import Path

import pytest
import requests

from advanced_mm.session.session import PaperSession, SessionOptions

ROOT = Path(__file__).parents[2]
COIN = "ETH"


class LiveBench:
    """A running session, what the venue says of its first bot, and what the bot's books say."""

    def __init__(self, session: PaperSession, number: int = 0) -> None:
        self.session = session
        self.bot = session.bots[number]
        self.address = self.bot.trading_address
        self.rest = session.rest_address

    # ---- the venue

    def admin(self, method: str, path: str, **body) -> dict:
        answer = requests.request(method, f"{self.rest}/admin/{path}", json=body, timeout=30)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def info(self, kind: str, **fields):
        body = {"type": kind, "user": self.address, **fields}
        answer = requests.post(f"{self.rest}/info", json=body, timeout=30)
        assert answer.status_code == 200, answer.text
        return answer.json()

    @property
    def record(self) -> dict:
        return self.admin("GET", f"accounts/{self.address}")

    @property
    def position(self) -> float:
        return self.record["money"]["positions"].get(COIN, 0.0)

    def filled_at_the_venue(self) -> dict[str, float]:
        sizes = Counter()
        for fill in self.info("userFills"):
            sizes[str(fill["oid"])] += round(float(fill["sz"]) * 10_000)
        return {oid: lots / 10_000 for oid, lots in sizes.items()}

    # ---- the bot's books

    def query(self, sql: str) -> list[tuple]:
        path = self.bot.folder / "trades.live.sqlite"
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as books:
            return books.execute(sql).fetchall()

    def booked_position(self) -> float:
        held = self.query("SELECT SUM(CASE WHEN is_short THEN -amount ELSE amount END) FROM trades"
                          " WHERE is_open")[0][0] or 0.0  # fmt: skip
        parts = self.query("SELECT SUM(CASE side WHEN 'buy' THEN filled ELSE -filled END)"
                           " FROM orders WHERE ft_is_open")[0][0] or 0.0  # fmt: skip
        return held + parts

    def filled_in_the_books(self) -> dict[str, float]:
        return dict(self.query("SELECT order_id, filled FROM orders WHERE filled > 0"))

    # ---- what must hold

    def wait(self, condition, seconds: float, what: str) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            self.session.raise_if_dead()
            assert time.monotonic() < deadline, f"after {seconds:g} s still not: {what}"
            time.sleep(0.2)

    def positions_agree(self) -> bool:
        with contextlib.suppress(sqlite3.OperationalError):  # it is just being written to
            return abs(self.position - self.booked_position()) < 1e-9
        return False

    def books_agree(self) -> bool:
        """Position and every fill are the same at the venue and in the bot's books."""
        try:
            booked = self.filled_in_the_books()
        except sqlite3.OperationalError:
            return False
        venue = self.filled_at_the_venue()
        return (
            self.positions_agree()
            and booked.keys() == venue.keys()
            and all(abs(booked[oid] - size) < 1e-9 for oid, size in venue.items())
        )

    def assert_in_order(self, seconds: float = 60) -> None:
        """No fill is lost, no order was doubled: one at a time, from the first to the last."""
        self.wait(self.books_agree, seconds, "the books agree with the venue")
        orders = sorted(
            (int(one["order"]["timestamp"]), int(one["statusTimestamp"]), one["status"])
            for one in self.info("historicalOrders")
        )
        for (_, ended, status), (placed, _, _) in itertools.pairwise(orders):
            assert status != "open"
            assert ended <= placed

    def goes_on(self, orders: int = 1, seconds: float = 150) -> None:
        """The bot places orders again."""
        before = self.record["orders"]["placed"]
        self.wait(lambda: self.record["orders"]["placed"] >= before + orders, seconds, "it goes on")

    def strike(self, *faults: dict, seconds: float = 30) -> None:
        """Put faults in force until their count or time is used up."""
        for fault in faults:
            self.admin("POST", "faults", **fault)
        self.wait(lambda: not self.admin("GET", "state")["faults"], seconds, "the fault is over")


# A fill every few seconds: a lively market, and quotes priced as if they followed the mid.
AT_ONCE = {"quote_age_seconds": 0}
LIVELY = {"root": ROOT, "live": True, "volatility": 1.0, "overrides": AT_ONCE}


@pytest.fixture(scope="session")
def live_session(tmp_path_factory):
    """Start a session with real orders; everything is stopped when the block ends."""

    @contextlib.contextmanager
    def running(**options):
        folder = tmp_path_factory.mktemp("live")
        with PaperSession(SessionOptions(**{**LIVELY, "folder": folder, **options})) as one:
            one.start(threading.Event())
            yield one

    return running


@pytest.fixture(scope="session")
def bench_of():
    return LiveBench
