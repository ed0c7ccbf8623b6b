"""The audit follows a bot's journal: its own quotes, each once, against the published depths."""

import dataclasses
from pathlib import Path

import pytest

from advanced_mm.journal import (
    BadRowsCounted,
    Event,
    JournalWriter,
    QuoteSent,
    RefusalChanged,
)
from advanced_mm.model import solve
from advanced_mm.parameter_files import (
    ParameterEntry,
    ParameterSet,
    Settings,
    ValueFunctionEntry,
    model_problem,
    value_function_fields,
)
from advanced_mm.session.quote_audit import QuoteAudit


def quote(bot: str = "bot", **changes: object) -> QuoteSent:
    values = {
        "time_ms": 1, "coin": "ETH", "bot": bot, "order": "o", "side": "bid", "price": 2999.0,
        "size": 1.0, "mid": 3000.0, "depth": 1.0, "tick": 0.1, "inventory": 0.0, "units": 0,
        "purpose": "entry",
    }  # fmt: skip
    return QuoteSent(**{**values, **changes})


def write(journal: Path, *events: Event) -> None:
    writer = JournalWriter(journal, "bot")
    for event in events:
        writer.record(event)
    writer.flush()


def test_a_bot_s_own_quotes_are_counted_once(tmp_path: Path) -> None:
    audit = QuoteAudit(tmp_path, "bot")
    audit.read_journal()
    told = BadRowsCounted(time_ms=1, coin="", bot="bot", told="2 bad fills rows (last: sz NaN)")
    write(tmp_path, quote(), quote("other"), told, quote(side="ask"), quote(side="ask"))
    for _ in range(2):
        audit.read_journal()
    assert (audit.quotes, audit.touch_quotes, audit.requotes) == (3, 3, 1)
    assert audit.bad_rows == "2 bad fills rows (last: sz NaN)"
    assert audit.last == quote(side="ask")


def test_a_refusal_holds_until_a_quote_is_sent(tmp_path: Path) -> None:
    audit = QuoteAudit(tmp_path)
    write(tmp_path, RefusalChanged(time_ms=1, coin="ETH", bot="b", kind="toxic", reason="toxic: 3"))
    audit.read_journal()
    assert audit.refusal == "toxic: 3"
    write(tmp_path, quote())
    audit.read_journal()
    assert audit.refusal is None


@pytest.fixture
def refit(make_set) -> ParameterSet:
    """A published refit r1 with its value function."""
    parameters = make_set("r1")
    fields = value_function_fields(solve(model_problem(parameters, Settings())))
    header = {name: getattr(parameters.kappa, name) for name in ParameterEntry.model_fields}
    return dataclasses.replace(
        parameters, value_functions=(ValueFunctionEntry(**header, **fields),)
    )


def half_a_tick_off(refit: ParameterSet) -> QuoteSent:
    depth = refit.value_functions[0].depths_at(0)[1]
    return quote(calibration_id="r1", price=3000.0 - depth - 0.05)


def test_a_quote_is_compared_with_the_depth_of_its_refit(tmp_path: Path, refit) -> None:
    audit = QuoteAudit(tmp_path)
    audit.see_parameters(refit)
    write(
        tmp_path,
        half_a_tick_off(refit),
        quote(calibration_id="unseen"),
        quote(calibration_id="r1", units=99),
    )
    audit.read_journal()
    assert audit.max_distance_ticks == pytest.approx(0.5)
    assert (audit.quotes, audit.unmatched, audit.touch_quotes) == (3, 2, 0)


def test_a_quote_that_is_seen_before_its_refit_is_compared_too(tmp_path: Path, refit) -> None:
    audit = QuoteAudit(tmp_path)
    write(tmp_path, half_a_tick_off(refit), quote(calibration_id="r1", units=99))
    audit.read_journal()
    assert (audit.unmatched, audit.max_distance_ticks) == (2, 0.0)
    audit.see_parameters(refit)
    assert audit.max_distance_ticks == pytest.approx(0.5)
    assert (audit.quotes, audit.unmatched) == (2, 1)


def test_lines_that_are_no_events_are_counted(tmp_path: Path) -> None:
    audit = QuoteAudit(tmp_path)
    write(tmp_path, quote())
    audit.read_journal()
    (folder,) = tmp_path.iterdir()
    (day,) = folder.glob("*.parquet")
    strays = ['{"event": "quote_sent", "row": 5, "written_ms": 1, "time_ms": 2}', "[]", "{"]
    day.with_suffix(".jsonl").write_text("\n".join(strays) + "\n")
    audit.read_journal()
    assert (audit.quotes, audit.unreadable) == (1, 3)
