"""What a replay tells: figures with intervals, notes, and a journal that is judged alike."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from advanced_mm.performance import (
    RecordedMids,  # noqa: F401
    assess,
)
from advanced_mm.performance.from_journal import journal_records
from advanced_mm.replay import ReplayResult, fixed_depth, replay
from advanced_mm.replay import figures as figures_module
from advanced_mm.replay.figures import replay_figures, replay_notes
from advanced_mm.replay.journal import replay_events, write_journal
from tests.replay.markets import Market
from tests.replay.test_maker import OPTIONS, random_market


def long_result(queue: str = "front", **others: object) -> ReplayResult:
    options = replace(OPTIONS, fee_rate=0.0001, **others)
    return replay(random_market(3, 900_000).data(), fixed_depth(0.1, -2, 2), options, queue)


def test_figures_are_sums_over_the_time_with_data_divided_by_its_hours() -> None:
    result = long_result()
    figures = replay_figures(result)
    hours = (result.end_ms - result.start_ms) / 3_600_000
    earned = result.performance().parts.equity_change
    turnover = float((result.price * result.size).sum())
    assert figures["net_per_hour"].value == pytest.approx(earned / hours)
    assert figures["fills_per_hour"].value == pytest.approx(len(result.fills) / hours)
    assert figures["net_bp_per_fill"].value == pytest.approx(earned / turnover * 1e4)
    for name in ("net_per_hour", "fills_per_hour", "net_bp_per_fill"):
        assert figures[name].low < figures[name].value < figures[name].high


def test_time_without_data_counts_neither_for_hours_nor_for_money(monkeypatch) -> None:
    market = random_market(4, 60_000)
    later = random_market(5, 60_000)
    gap = 3_600_000
    for at, bid, ask, *sizes in later.touches:
        market.touch(at + gap, bid + 5.0, ask + 5.0, *sizes)
    for at, price, size, side in later.trades:
        market.trade(at + gap, price + 5.0, size, side)
    data = market.data((0, 59_750), (gap, gap + 59_750))
    result = replay(data, fixed_depth(0.1, -2, 2), OPTIONS, "front")
    figures = replay_figures(result)
    assert figures["fills_per_hour"].value == pytest.approx(len(result.fills) / (119.5 / 3600))
    position = result.position_after[result.time_ms < result.start_ms + gap][-1]
    assert position != 0
    notes = " ".join(replay_notes(result))
    assert "96.7% of the time" in notes
    assert "over times without data" in notes
    whole = result.performance().parts.equity_change
    counted = figures["net_per_hour"].value * data.hours
    assert abs(whole - counted) > abs(position) * 4  # the jump of 5 in between
    with monkeypatch.context() as patched:  # what rounding leaves is not told
        patched.setattr(figures_module, "_over_gaps", lambda *_: -1e-9)
        assert "over times without data" not in " ".join(replay_notes(result))


def test_short_replay_is_called_too_short() -> None:
    notes = replay_notes(long_result())
    assert notes[0].startswith("Too short")
    assert any("No market impact" in note for note in notes)
    assert any("Funding is not included" in note for note in notes)


def test_journal_of_a_replay_is_judged_as_the_replay_itself(tmp_path: Path) -> None:
    result = long_result("model")
    write_journal(result, tmp_path)
    (record,) = journal_records(tmp_path)
    read, own = (assess(one, [result.mids]) for one in (record, result.record()))
    for name, value in vars(own.parts).items():
        assert vars(read.parts)[name] == pytest.approx(value, abs=1e-9)
    assert len(record.quotes) == len(result.quotes)
    assert read.resting.any_quote == pytest.approx(own.resting.any_quote, abs=1e-6)
    for name in ("order_age_at_fill", "fill_rate", "edge_per_fill", "quotes_refused"):
        assert read.figures[name].value == pytest.approx(own.figures[name].value, nan_ok=True)
    assert record.bots[0].end_equity == pytest.approx(own.record.bots[0].end_equity)


def test_events_come_in_the_order_of_their_times_and_every_quote_ends() -> None:
    events = replay_events(long_result("back"))
    times = [event.time_ms for event in events]
    assert times == sorted(times)
    sent = [event.order for event in events if event.event == "quote_sent"]
    ended = [event.order for event in events if event.event == "quote_ended"]
    assert sorted(sent) == sorted(ended)
    filled = sum(event.size for event in events if event.event == "fill")
    assert filled == pytest.approx(sum(e.filled_size for e in events if e.event == "quote_ended"))


def test_market_without_fills_has_figures_that_are_zero_or_unknown() -> None:
    market = Market().steady(0, 400_000, 100.0, 100.2)
    figures = replay_figures(replay(market.data(), fixed_depth(0.1, 0, 1), OPTIONS, "back"))
    assert figures["fills_per_hour"].value == 0
    assert figures["net_per_hour"].value == 0
    assert np.isnan(figures["net_bp_per_fill"].value)
