"""Refusals and skipped rows are logged without repetition."""

from datetime import UTC, datetime, timedelta

import pytest

from advanced_mm.bad_rows import BadRows
from advanced_mm.quoting.journaling.quote_log import QuoteLog

START = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(("repeats", "lines"), [(True, 2), (False, 1)])
def test_a_lasting_refusal_is_logged_again_after_a_minute_only_if_it_repeats(
    caplog, repeats, lines
):
    log = QuoteLog(BadRows(), repeats=repeats)
    for second in (0, 30, 61):
        log.refusal("ETH/USDC:USDC", "ETH", f"toxic: {second}", START + timedelta(seconds=second))
    assert caplog.text.count("ETH/USDC:USDC: not quoting: toxic") == lines


def test_another_reason_is_logged_at_once(caplog):
    log = QuoteLog(BadRows(), repeats=True)
    for reason in ("toxic: 2.5", "stale: published 61 s ago", "toxic: 2.5"):
        log.refusal("ETH/USDC:USDC", "ETH", reason, START)
    assert len(caplog.messages) == 3
