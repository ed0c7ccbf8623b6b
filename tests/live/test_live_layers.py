"""An unmodified Freqtrade holds several units: it adds and offers them one by one, live."""

import json
import time

import pytest

from advanced_mm.journal import QuoteSent, read_journal
from advanced_mm.report.session_end import judge_session

pytestmark = [pytest.mark.bot, pytest.mark.timeout(600)]

BUYERS = """\
about: more buyers than sellers, so that it pays to hold as much as one may
markets:
  - {coin: ETH, synthetic: {sigma: 0.4, lambda_plus: 1.6, lambda_minus: 0.8}}
"""
LAYERED = {
    "inventory_mode": "layered",
    "q_max": 3,
    "compensate_drift": False,
    "quote_age_seconds": 0,
    "volatility_limit": None,
    "min_edge_bp": None,
    "toxicity_limit": 100.0,
    "max_daily_loss": None,
    "max_drawdown": 1.0,
    "price_band": None,
    "large_order_multiple": None,
}
"""The price is pushed into the quotes: what is on guard against that would pause the bot."""


def test_units_are_added_up_to_the_limit_and_offered_one_by_one(live_session, bench_of, tmp_path):
    scenario = tmp_path / "buyers.yaml"
    scenario.write_text(BUYERS)
    with live_session(scenario=scenario, overrides=LAYERED) as session:
        bench = bench_of(session)
        bench.wait(lambda: bench.info("openOrders"), 150, "a quote rests")
        unit = float(bench.info("openOrders")[0]["origSz"])
        pushed(bench, -0.15, lambda: bench.position > 2.7 * unit, "three units are held")
        pushed(bench, 0.15, lambda: bench.position < 2.3 * unit, "one is sold")
        bench.assert_in_order()
        session.end_bots()
        end = judge_session(session)
        log = (session.options.folder / "logs" / "bot.log").read_text()
        fills = bench.info("userFills")
    assert end.check.agrees, end.check.sentence()
    assert " - ERROR - " not in log and "Traceback" not in log
    assert max(float(one["startPosition"]) for one in fills) <= 3.1 * unit
    # Each unit by an order of its own, within one trade of Freqtrade.
    sent = read_journal(session.options.journal).events(QuoteSent)
    orders = {str(one["oid"]) for one in fills}
    filled = {(one.purpose, one.units) for one in sent if one.order in orders}
    assert filled >= {("entry", 0), ("entry", 1), ("entry", 2), ("exit", 3)}
    assert len(bench.query("SELECT id FROM trades")) == 1


def pushed(bench, percent: float, reached, what: str) -> None:
    """Let the price jump into the quote, again and again."""
    deadline = time.monotonic() + 150
    while not reached():
        assert time.monotonic() < deadline, f"{what}: {json.dumps(bench.record)}"
        bench.admin("POST", "price_gap", coin="ETH", percent=percent)
        time.sleep(0.8)
