"""Request budget of a live bot: REST weight per minute, and actions per order.

Runs three live sessions on the loopback venue, one after the other:

- plain Freqtrade in the volatile synthetic market (sigma = 1), a quote replaced at most every five
  seconds: a copy of the strategy that does not call ``spare_requests`` and has no websocket;
- the live bot under the same conditions;
- the live bot with the default settings, a quote replaced at most every second, at sigma = 0.4.

    python benchmarks/request_budget.py                 # 20 minutes
    python benchmarks/request_budget.py --minutes 2     # minimum: the first minute is not counted
"""

import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from advanced_mm.cli import run
from advanced_mm.session.session import PaperSession, SessionOptions
from benchmarks.live_sessions import ROOT, minutes_of, project_with

SPARING = "        spare_requests(exchange, self._bad_rows, eyes)\n"


@dataclass(frozen=True)
class Case:
    """A row of the table: its name and differences from a usual live session."""

    name: str
    volatility: float
    least_age_s: float
    sparing: bool = True


CASES = (
    Case("plain Freqtrade", 1.0, 5.0, sparing=False),
    Case("the live bot", 1.0, 5.0),
    Case("the live bot, at most every second, sigma = 0.4", 0.4, 1.0),
)


def without_sparing(text: str) -> str:
    """Return the text of a strategy that sends all of Freqtrade's requests."""
    if SPARING not in text:
        raise RuntimeError("the strategy's call of spare_requests was not found; adapt SPARING")
    return text.replace(SPARING, "")


def trade(case: Case, minutes: float, folder: Path) -> dict[str, Any]:
    """Run a live session and return its summary."""
    root = ROOT if case.sparing else project_with(folder / "project", without_sparing)
    options = SessionOptions(
        root=root,
        folder=folder / "session",
        live=True,
        volatility=case.volatility,
        overrides={"min_quote_age_seconds": case.least_age_s, "own_stream": case.sparing},
    )
    options.folder.mkdir()
    with PaperSession(options) as session:
        session.start(threading.Event())
        deadline = time.monotonic() + 60 * minutes
        while time.monotonic() < deadline:
            view = session.look()
            time.sleep(1)
        return session.summary(view)


def main(argv: list[str] | None = None) -> int:
    """Print the table; exit code 0."""
    minutes = minutes_of(__doc__, argv, 6.0)
    table = Table("", "weight/min", "worst minute", "refused (429)", "actions/order", "fills/min")
    for case in CASES:
        with tempfile.TemporaryDirectory() as folder:
            live = trade(case, minutes, Path(folder))["live"]
        budget, record = live["budget"], next(iter(live["accounts"].values()))
        placed = max(record["orders"]["placed"], 1)
        table.add_row(
            case.name,
            str(budget["rest_weight_a_minute"]),
            str(budget["most_rest_weight_a_minute"]),
            str(budget["rest_requests_refused"]),
            f"{record['requests_used'] / placed:.2f}",
            f"{record['money']['maker_fills'] / minutes:.1f}",
        )
    Console().print(table)
    return 0


if __name__ == "__main__":
    sys.exit(run(main))
