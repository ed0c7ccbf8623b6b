"""The audit follows a bot's journal: its own quotes, each once, against the published depths."""

import dataclasses
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from advanced_mm.journal import (
    BadRowsCounted,
    Event,
    GuardChanged,
    JournalWriter,
    QuoteSent,
    RefusalChanged,
)
from advanced_mm.model import solve
from advanced_mm.parameter_files import (
    ParameterEntry,
    ParameterFiles,
    ParameterSet,
    Settings,
    ValueFunctionEntry,
    model_problem,
    value_function_fields,
)
from advanced_mm.parameter_files.history import HISTORY_FOLDER, CalibrationHistory
from advanced_mm.session.quote_audit import QuoteAudit
from advanced_mm.session.session import PaperSession, SessionOptions


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
def refit_of(make_set) -> Callable[[str], ParameterSet]:
    """Make a refit with its value function, as it is published."""

    def made(name: str) -> ParameterSet:
        parameters = make_set(name)
        fields = value_function_fields(solve(model_problem(parameters, Settings())))
        header = {key: getattr(parameters.kappa, key) for key in ParameterEntry.model_fields}
        solved = ValueFunctionEntry(**header, **fields)
        return dataclasses.replace(parameters, value_functions=(solved,))

    return made


@pytest.fixture
def refit(refit_of) -> ParameterSet:
    return refit_of("r1")


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


def test_a_widened_quote_around_a_fair_price_is_where_it_should_be(tmp_path: Path, refit) -> None:
    audit = QuoteAudit(tmp_path)
    audit.see_parameters(refit)
    depth = refit.value_functions[0].depths_at(0)[1]
    wide = {"calibration_id": "r1", "fair_price": 3000.2, "widened": 1.5, "depth": 1.5 * depth}
    write(tmp_path, quote(**wide, price=3000.2 - 1.5 * depth - 0.03))
    audit.read_journal()
    assert audit.max_distance_ticks == pytest.approx(0.3)


@pytest.mark.parametrize("away", [1, -1])
def test_a_quote_held_back_by_the_touch_is_where_it_should_be(
    tmp_path: Path, refit, away: int
) -> None:
    """A fair price farther beyond the touch than the depth: a maker does not take."""
    audit = QuoteAudit(tmp_path)
    audit.see_parameters(refit)
    side, units = ("bid", 0) if away > 0 else ("ask", 1)
    ask, bid = refit.value_functions[0].depths_at(units)
    depth = bid if side == "bid" else ask
    fair = 3000.0 + away * (depth + 1.0)
    held_back = {"calibration_id": "r1", "fair_price": fair, "bid": 2999.95, "ask": 3000.05}
    price = 3000.0 - away * 0.05
    write(tmp_path, quote(**held_back, side=side, units=units, price=price))
    audit.read_journal()
    assert audit.max_distance_ticks < 0.1
    write(tmp_path, quote(**held_back, side=side, units=units, price=price - away * 0.5))
    audit.read_journal()
    assert audit.max_distance_ticks == pytest.approx(5.0)


def test_guards_are_told_until_they_are_over(tmp_path: Path) -> None:
    audit = QuoteAudit(tmp_path, "bot")

    def change(guard: str, does: str, sides: str = "both", widen: float = 1.0) -> GuardChanged:
        reason = None if does == "over" else f"{guard}: so it is"
        return GuardChanged(
            time_ms=1, coin="ETH", bot="bot", guard=guard, does=does, sides=sides, widen=widen,
            reason=reason,
        )  # fmt: skip

    write(
        tmp_path,
        change("volatility", "widen", widen=1.5),
        change("flow", "pause", "ask"),
        change("volatility", "pause"),
    )
    audit.read_journal()
    assert list(audit.guards.values()) == [
        "flow pauses entries (ask): flow: so it is",
        "volatility pauses entries: volatility: so it is",
    ]
    write(tmp_path, change("flow", "over"), change("volatility", "widen", widen=1.25))
    audit.read_journal()
    assert list(audit.guards.values()) == [
        "volatility widens entries by 1.25: volatility: so it is"
    ]


def test_a_quote_that_is_seen_before_its_refit_is_compared_too(tmp_path: Path, refit) -> None:
    audit = QuoteAudit(tmp_path)
    write(tmp_path, half_a_tick_off(refit), quote(calibration_id="r1", units=99))
    audit.read_journal()
    assert (audit.unmatched, audit.max_distance_ticks) == (2, 0.0)
    audit.see_parameters(refit)
    assert audit.max_distance_ticks == pytest.approx(0.5)
    assert (audit.quotes, audit.unmatched) == (2, 1)


def test_a_refit_that_is_gone_before_the_bot_answers_is_seen(tmp_path: Path, refit_of) -> None:
    files = ParameterFiles(tmp_path)
    files.publish({"ETH": refit_of("r1")})
    audit = QuoteAudit(tmp_path / "journal")
    write(tmp_path / "journal", quote(calibration_id="r1"), quote(calibration_id="r2"))

    def state() -> str | None:
        if not audit.refits:
            return None
        files.publish({"ETH": refit_of("r2")})
        return "it answers"

    session = PaperSession(SessionOptions(root=tmp_path, folder=tmp_path))
    bot = SimpleNamespace(
        audit=audit,
        view=SimpleNamespace(state=state),
        look=lambda admin: audit.read_journal(),
        settings=Settings(),
    )
    session.bots = [bot]
    session._wait_for_bot(bot, threading.Event())
    session.look()
    assert (audit.quotes, audit.refits, audit.unmatched) == (2, 2, 0)


def test_refits_that_were_replaced_unseen_are_found_in_the_history(
    tmp_path: Path, refit_of
) -> None:
    """However late somebody looks: the test of quotes must not depend on how busy a machine is."""
    files, history = ParameterFiles(tmp_path), CalibrationHistory(tmp_path / HISTORY_FOLDER)
    for name in ("r1", "r2", "r3"):
        history.append({"ETH": refit_of(name)})
        files.publish({"ETH": refit_of(name)})
    depth = refit_of("r2").value_functions[0].depths_at(0)[1]
    sent = [quote(calibration_id=name, price=3000.0 - depth - 0.05) for name in ("r1", "r2", "r3")]
    audit = QuoteAudit(tmp_path / "journal")
    write(tmp_path / "journal", *sent, quote(calibration_id="never published"))
    session = PaperSession(SessionOptions(root=tmp_path, folder=tmp_path))
    look = lambda admin: audit.read_journal()  # noqa: E731
    session.bots = [SimpleNamespace(audit=audit, look=look, settings=Settings())]
    session.look()
    assert (audit.quotes, audit.refits, audit.unmatched) == (4, 3, 1)
    assert audit.max_distance_ticks == pytest.approx(0.5)
    session._history = None  # what was not found once is not looked for again
    session.look()
    assert audit.unmatched == 1


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
