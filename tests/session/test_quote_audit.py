"""The audit reads a bot's journal line by line: a line that is not a quote is skipped."""

import json
from pathlib import Path

import pytest

from advanced_mm.session.quote_audit import QuoteAudit

QUOTE = {
    "at": "2026-11-23T12:00:00+00:00", "coin": "ETH", "sent_price": 2999.0, "side": "bid",
    "inventory": 0, "price": 2999.0, "mid": 3000.0, "depth": 1.0, "tick": 0.1,
    "calibration_id": None, "edge": None,
}  # fmt: skip


def test_lines_that_are_no_quotes_are_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    journal = tmp_path / "quotes.jsonl"
    lines = [
        json.dumps(QUOTE),
        '{"at": "2026',
        "[]",
        '{"side": "bid"}',
        json.dumps({"at": QUOTE["at"], "bad_rows": "2 bad fills rows (last: sz NaN)"}),
        json.dumps({**QUOTE, "side": "ask"}),
    ]
    journal.write_text("\n".join(lines) + "\n")
    audit = QuoteAudit(journal)
    audit.read_journal()
    assert (audit.quotes, audit.touch_quotes, audit.unreadable) == (2, 2, 3)
    assert audit.bad_rows == "2 bad fills rows (last: sz NaN)"
    assert audit.last == {**QUOTE, "side": "ask"}
    assert caplog.text.count("skipping a line that is not a quote") == 3
