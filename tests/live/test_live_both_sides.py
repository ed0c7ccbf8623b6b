"""Two unmodified bots on two sub-accounts of one key quote both sides at once."""

import os
import re
import time

import pytest

from advanced_mm.journal import QuoteSent, read_journal
from advanced_mm.report.session_end import judge_session
from tests.live.seen_by_prometheus import answers_all, scraped

MINUTES = float(os.environ.get("AMM_LIVE_MINUTES", "1"))

pytestmark = [pytest.mark.bot, pytest.mark.timeout(300 + 60 * MINUTES)]


def test_both_sides_are_quoted_at_once_without_an_error(live_session, bench_of, tmp_path, subtests):
    """Length: ``AMM_LIVE_MINUTES``, one by default."""
    with (
        live_session(both_sides=True, volatility=0.4, metrics=True) as session,
        scraped(session, tmp_path) as prometheus,
    ):
        benches = [bench_of(session, number) for number in range(2)]
        end = time.monotonic() + 60 * MINUTES
        looks = together = 0
        while time.monotonic() < end:
            view = session.look()
            resting = [look["orders"] for look in accounts(benches[0]).values() if look["master"]]
            looks += 1
            together += all(resting)
            assert abs(view.bots[0].record["money"]["value"] - 10_000) < 500
            time.sleep(1.0)
        assert together > 0.4 * looks, (together, looks)
        for bench in benches:
            bench.assert_in_order(30)
        benches[0].wait(lambda: counts_the_other(session), 90, "a flat leg counts the other's unit")
        long_only, short_only = (bench.record for bench in benches)
        assert min(sides(benches[0])) >= 0
        assert max(sides(benches[1])) <= 0
        for record in (long_only, short_only):
            assert record["money"]["maker_fills"] > 2 * MINUTES
            assert record["money"]["taker_fills"] == 0
        assert long_only["address"] != short_only["address"]
        with subtests.test(
            "a real Prometheus has all figures, and rules and dashboard work on them"
        ):
            answers_all(prometheus, session)
        summary = session.summary(session.look())
        session.end_bots()
        closing = [bench.record for bench in benches]
        end = judge_session(session)
    # The journal of both is one book, and earned what the venue says, to the last micro-USDC.
    assert end.check.agrees, end.check.sentence()
    assert end.to_json()["fills"] == sum(one["money"]["maker_fills"] for one in closing)
    assert {bot.name for bot in end.several[0].record.bots} == {"long_bot", "short_bot"}
    assert summary["live"]["budget"]["rest_requests_refused"] == 0
    assert summary["unmatched_quotes"] == 0
    for bench in benches:
        log = (session.options.folder / "logs" / f"{bench.bot.plan.name}.log").read_text()
        assert " - ERROR - " not in log
        assert "Traceback" not in log
        assert re.search(r"Market_Making", log)
        # Freqtrade breaks the lines of its log.
        assert "leg is heard: both quote one inventory" in " ".join(log.split())


def counts_the_other(session) -> bool:
    """Whether a leg without a unit has quoted an entry for the inventory that the other holds."""
    session.look()  # the audit must see every refit, and each is there for a few seconds
    sent = read_journal(session.options.journal).events(QuoteSent)
    entries = {(one.bot, one.side, one.units) for one in sent if one.purpose == "entry"}
    return bool(entries & {("long_bot", "bid", -1), ("short_bot", "ask", 1)})


def accounts(bench) -> dict[str, dict]:
    return bench.admin("GET", "state")["accounts"]


def sides(bench) -> list[float]:
    """Positions after each fill, from the venue's own list."""
    held = []
    for fill in bench.info("userFills"):
        signed = float(fill["sz"]) * (1 if fill["side"] == "B" else -1)
        held.append(round(float(fill["startPosition"]) + signed, 6))
    return held or [0.0]
