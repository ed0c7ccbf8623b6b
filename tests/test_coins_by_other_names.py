"""From collector to order, where Freqtrade's name of a coin is not the venue's.

ccxt calls the venue's ``kPEPE`` KPEPE and its builder-deployed ``xyz:XYZ100`` XYZ-XYZ100. One
unmodified Freqtrade quotes both on the loopback venue, from what the collector recorded (asked for
by one of the names each) and the runner fitted (told by the configured pairs alone).
"""

import contextlib
import json
import sqlite3
import sys
import time
from pathlib import Path

import pytest

from advanced_mm.journal import JOURNAL_FOLDER, QuoteSent, read_journal
from advanced_mm.marketdata import ShardStore
from advanced_mm.parameter_files import (
    ParameterFileError,
    ParameterFiles,
    Settings,
    load_config,
)
from advanced_mm.parameter_files.history import HISTORY_FOLDER, CalibrationHistory
from advanced_mm.session.processes import Part
from advanced_mm.session.quote_audit import QuoteAudit

ROOT = Path(__file__).parents[1]
COINS = {"KPEPE/USDC:USDC": "kPEPE", "XYZ-XYZ100/USDC:USDC": "xyz:XYZ100"}
PATIENCE_SECONDS = 120

pytestmark = pytest.mark.bot


class System:
    """Venue, collector, runner and bot in one folder; ends what it started."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.parts: list[Part] = []
        self.store = ShardStore(folder / "recordings")
        self.files = ParameterFiles(folder)
        self.audits = {
            coin: QuoteAudit(folder / JOURNAL_FOLDER, coin=coin) for coin in COINS.values()
        }

    def start(self, name: str, *command: object) -> Part:
        words = [sys.executable, *map(str, command)]
        self.parts.append(Part(name, words, self.folder / f"{name}.log", ROOT))
        return self.parts[-1]

    def run(self) -> None:
        data, config = self.store.data_dir, self.folder / "overlay.json"
        venue = self.start(
            "venue", "scripts/paper_exchange.py", "--port", 0, "--history-dir", data,
            "--history-minutes", 20, "--coins", "kpepe,xyz:XYZ100",
        )  # fmt: skip
        addresses = self.wait_for(lambda: self.addresses(venue))
        self.opened_ms = int(time.time() * 1000)
        config.write_text(json.dumps(self.overlay(addresses)))
        self.start(
            "collector", "scripts/hyperliquid_data_collector.py", "--url", addresses["ws"],
            "--data-dir", data, "--crypto", "KPEPE,XYZ-XYZ100/USDC:USDC", "--flush-seconds", 1,
        )  # fmt: skip
        configs = [ROOT / "user_data" / "config.json", config]
        self.settings = Settings.from_config(load_config(configs))
        self.start(
            "runner", "scripts/periodic_test_runner.py", "--data-dir", data, "--interval", 5,
            "--output-dir", self.folder, "--config", *configs,
        )  # fmt: skip
        (self.folder / "logs").mkdir()
        strategies = ROOT / "user_data" / "strategies"
        self.start(
            "bot", "-m", "freqtrade", "trade", "--dry-run", "--strategy", "Market_Making",
            "--strategy-path", strategies, "--userdir", self.folder,
            *(word for path in configs for word in ("--config", path)),
        )  # fmt: skip

    def addresses(self, venue: Part):
        lines = [line for line in venue.last_lines(50) if line.startswith("{")]
        return json.loads(lines[0]) if lines else None

    def overlay(self, addresses):
        rest, websocket = addresses["rest"], addresses["ws"]
        urls = {"api": {"public": rest, "private": rest, "ws": {"public": websocket}}}
        return {
            "db_url": f"sqlite:///{self.folder / 'trades.sqlite'}",
            "max_open_trades": 2,
            "stake_amount": 1000,
            "market_making": {"parameter_dir": str(self.folder)},
            "exchange": {
                "pair_whitelist": list(COINS),
                "hip3_dexes": ["xyz"],
                "ccxt_config": {"enableRateLimit": False, "urls": urls},
            },
        }

    def wait_for(self, found):
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not (result := found()):
            for part in self.parts:
                assert part.exit_code is None, "\n".join(part.last_lines(20))
            assert time.monotonic() < deadline, "\n".join(self.parts[-1].last_lines(20))
            time.sleep(0.2)
        return result

    def quoted(self) -> bool:
        """Whether a quote of each coin was sent that rests on a refit."""
        history = CalibrationHistory(self.folder / HISTORY_FOLDER)
        for coin, audit in self.audits.items():
            audit.read_journal()
            with contextlib.suppress(ParameterFileError):
                audit.see_parameters(self.files.read(coin))
            audit.see_history(history, coin, self.settings)
        return all(audit.quotes > audit.touch_quotes for audit in self.audits.values())

    def recorded(self) -> bool:
        """Whether the collector has added to the past that the venue laid."""
        newest = [self.store.newest_ms(coin) or 0 for coin in COINS.values()]
        return min(newest) > self.opened_ms

    def orders(self) -> dict[str, set[float]]:
        """Prices of the orders in Freqtrade's own books, by pair."""
        found: dict[str, set[float]] = {pair: set() for pair in COINS}
        with contextlib.closing(sqlite3.connect(self.folder / "trades.sqlite")) as books:
            for pair, price in books.execute("select ft_pair, ft_price from orders"):
                found[pair].add(price)
        return found

    def sent_prices(self, coin: str) -> set[float]:
        return set(
            read_journal(self.folder / JOURNAL_FOLDER, coin).table(QuoteSent)["price"].to_pylist()
        )


@pytest.fixture
def system(tmp_path):
    made = System(tmp_path)
    try:
        yield made
    finally:
        for part in reversed(made.parts):
            part.stop()


def test_a_bot_quotes_coins_whose_names_freqtrade_does_not_know(system):
    system.run()
    system.wait_for(system.quoted)
    system.wait_for(lambda: all(system.orders().values()))
    system.wait_for(system.recorded)
    folders = sorted(path.name for path in system.store.data_dir.iterdir())
    assert folders == ["kPEPE", "xyz-XYZ100"]
    kappa = json.loads((system.folder / "kappa.json").read_text())
    assert set(kappa) == set(COINS.values())
    assert kappa["kPEPE"]["mid"] < 1 < 10_000 < kappa["xyz:XYZ100"]["mid"]  # of their own scale
    for pair, coin in COINS.items():
        audit = system.audits[coin]
        assert audit.unmatched == 0
        assert 0 < audit.max_distance_ticks <= 1
        ordered = system.orders()[pair]  # the journal is written a little later than these books
        system.wait_for(lambda coin=coin, ordered=ordered: ordered <= system.sent_prices(coin))
    log = (system.folder / "bot.log").read_text()
    assert " - ERROR - " not in log and "Traceback" not in log
